#!/bin/sh
# One dry run through the new version, and the doctor's look from outside; nothing is traded.
set -eu

if [ "$COMMANDER_INSTANCES" = 0 ]; then
    echo "the gateway was left stopped, as _COMMANDER_INSTANCES=0 says: nothing to try"
    exit 0
fi
if ! docker run --rm --network=cloudbuild --read-only --env "MODE=$MODE" \
    --env "GOOGLE_CLOUD_PROJECT=$PROJECT" "$(cat .deploy/gateway)" \
    -m gateway.smoke --run-id "$RUN_ID" --seconds "$SECONDS_MAX"; then
    cat >&2 <<END
The new version is deployed and runs, and did not pass its try. Next, a person: look at the sentence above
and at the log of ib-trading-$MODE; where the login waits for approval, approve it and try again by
  gcloud pubsub topics publish commands-$MODE --project $PROJECT --message='{"command": "run", "dry_run": true}'
or roll back with infra/cloudbuild/rollback.yaml to digests of
  gcloud artifacts docker images list $REGION-docker.pkg.dev/$PROJECT/ib-trading/gateway --include-tags --sort-by=~UPDATE_TIME
END
    exit 1
fi
