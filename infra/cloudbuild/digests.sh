#!/bin/sh
# The images that are rolled back to, by digest only: a tag may name another image tomorrow.
set -eu

kept() { # kept NAME DIGEST
    if ! printf '%s\n' "$2" | grep -Eqx 'sha256:[0-9a-f]{64}'; then
        echo "the digest of $1 must be sha256: and 64 hex digits, not '$2'; the old version goes on" >&2
        exit 1
    fi
    # A digest that is not there must be known before anything is stopped.
    docker pull --quiet "$REPOSITORY/$1@$2"
    echo "$REPOSITORY/$1@$2" >".deploy/$1"
}

mkdir -p .deploy
kept gateway "$COMMANDER_DIGEST"
kept functions "$FUNCTIONS_DIGEST"
