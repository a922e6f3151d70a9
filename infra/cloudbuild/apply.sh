#!/bin/sh
# Applies what `plan` showed, and the count that `stop` took away: planned anew, for it changed.
set -eu

if ! terraform -chdir="infra/terraform/$MODE" apply -input=false -no-color -auto-approve -lock-timeout=300s; then
    cat >&2 <<END
STOPPED HERE: not everything was applied, and the gateway may be at 0. Next, a person: read the error
above, mend it and deploy again, or roll back with infra/cloudbuild/rollback.yaml; what was applied
already is no harm. Until then nobody acts for our orders at IB: what works goes on working.
END
    exit 1
fi
