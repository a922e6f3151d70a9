#!/bin/sh
# Stops the gateway that runs, by SIGTERM: the worker pool's count becomes 0.
#
# Should a running window's schedule set it to 1 again in these minutes, the old version starts once
# more and takes the lease; then `handover` waits in vain and says so, or, later, Terraform replaces
# it. At no time do two of them trade: the lease sees to that.
set -eu

pool="ib-trading-$MODE"
# Releases of gcloud differ in where the name is, and in whether it is the whole path.
pools=$(gcloud run worker-pools list --project "$PROJECT" --region "$REGION" \
    --format 'value(metadata.name, name)')
if ! printf '%s\n' "$pools" | grep -Eq "(^|[/[:space:]])$pool([[:space:]]|\$)"; then
    echo "there is no worker pool $pool yet: nothing to stop"
    exit 0
fi
if ! gcloud run worker-pools update "$pool" --project "$PROJECT" --region "$REGION" --instances=0 --quiet; then
    cat >&2 <<END
STOPPED HERE, and nothing was applied: the worker pool $pool was to be set to 0, and whether it was is not
known. Next, a person: see what it is at, and set it to 1 to go on with the old version, or deploy again:
  gcloud run worker-pools describe $pool --project $PROJECT --region $REGION
  gcloud run worker-pools update $pool --project $PROJECT --region $REGION --instances=1
END
    exit 1
fi
