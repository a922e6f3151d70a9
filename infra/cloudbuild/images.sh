#!/bin/sh
# Builds and pushes our images, tagged with the build; from here on they are named by digest only.
set -eu

mkdir -p .deploy
for name in gateway functions; do
    docker build --file "infra/containers/$name.Dockerfile" --build-arg "REVISION=$REVISION" \
        --tag "$REPOSITORY/$name:$REVISION" .
    docker push "$REPOSITORY/$name:$REVISION"
    # Of all its digests the one here: the same image may have been pushed for the other mode, too.
    docker image inspect --format '{{join .RepoDigests "\n"}}' "$REPOSITORY/$name:$REVISION" |
        grep -F -m 1 "$REPOSITORY/$name@" >".deploy/$name"
    echo "$name: $(cat ".deploy/$name")"
done
