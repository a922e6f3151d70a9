#!/bin/sh
# Shows what would change, while the old version still runs: what is wrong shall fail here. The plan
# itself is not applied, for `stop` changes the pool's count, and an old plan would leave it at 0.
set -eu

run() { # run COMMAND [ARGUMENT...]
    terraform -chdir="infra/terraform/$MODE" "$@"
}

run init -input=false -no-color -backend-config="bucket=$STATE_BUCKET" -backend-config="prefix=$MODE"
run plan -input=false -no-color -lock-timeout=300s -out=deploy.tfplan
run show -no-color deploy.tfplan >.deploy/plan

# What runs is the pipeline's to change; all else it may not, and would learn after the stop.
others=$(sed -nE 's/^  # (.+) (will|must) be .*/\1/p' .deploy/plan |
    grep -vE '^(module\.trading\.)?(data\.|google_cloud_run_v2_(worker_pool|service)\.)' || true)
if [ -n "$others" ]; then
    cat >&2 <<END
STOPPED HERE; nothing was changed, and the old version goes on. These are a person's to apply:
$others
Next, after the close: have these in your infra/terraform/$MODE/deploy.auto.tfvars (docs/how-to/deploy.md says
how), look at \`make plan MODE=$MODE\`, apply it, which stops the gateway, and deploy again, which starts it.
$(grep '_image ' "infra/terraform/$MODE/deploy.auto.tfvars")
commander_instances = 0
END
    exit 1
fi
