#!/bin/sh
# Waits until the gateway that was stopped has given its lease back; asks with the new image.
set -eu

# The network named cloudbuild is where a container finds the build's own credentials.
if ! docker run --rm --network=cloudbuild --read-only --env "MODE=$MODE" \
    --env "GOOGLE_CLOUD_PROJECT=$PROJECT" "$(cat .deploy/gateway)" -m gateway.handover --seconds 120; then
    cat >&2 <<END
STOPPED HERE, and nothing was applied: the worker pool ib-trading-$MODE is set to 0, and leases/$MODE is
not known to be free. A gateway may run elsewhere (on GKE, on somebody's machine), or does not end.
Next, a person:
  1. see who holds it: the document leases/$MODE in Firestore, or python -m gateway.status; end it there;
  2. then either deploy again, or go on with the old version:
     gcloud run worker-pools update ib-trading-$MODE --project $PROJECT --region $REGION --instances=1
Until then nobody acts for our orders at IB: what works goes on working. To cancel it, log in to IB.
END
    exit 1
fi
