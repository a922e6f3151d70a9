#!/bin/sh
# Terraform's variables: what a person set once, from the state bucket, and what this deploy decides.
set -eu

case "$MODE" in paper | live) ;; *)
    echo "_MODE must be paper or live, not '$MODE'; nothing was changed" >&2
    exit 1
    ;;
esac
case "$COMMANDER_INSTANCES" in 0 | 1) ;; *)
    echo "_COMMANDER_INSTANCES must be 0 or 1, not '$COMMANDER_INSTANCES'; nothing was changed" >&2
    exit 1
    ;;
esac
if [ -z "$STATE_BUCKET" ]; then
    echo "_STATE_BUCKET must name the bucket of Terraform's state; nothing was changed" >&2
    exit 1
fi
gcloud storage cp "gs://$STATE_BUCKET/$MODE.tfvars" "infra/terraform/$MODE/terraform.tfvars"

# Read after terraform.tfvars, so it wins.
cat >"infra/terraform/$MODE/deploy.auto.tfvars" <<END
commander_image     = "$(cat .deploy/gateway)"
functions_image     = "$(cat .deploy/functions)"
commander_instances = $COMMANDER_INSTANCES
END
cat "infra/terraform/$MODE/deploy.auto.tfvars"
