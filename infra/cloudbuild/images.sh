#!/bin/sh
# Builds and pushes our images, tagged with the build; from here on they are named by digest only.
set -eu

mkdir -p .deploy
for name in gateway functions; do
    docker build --file "infra/containers/$name.Dockerfile" --build-arg "REVISION=$REVISION" \
        --tag "$REPOSITORY/$name:$REVISION" .
    docker push "$REPOSITORY/$name:$REVISION"
    docker image inspect --format '{{index .RepoDigests 0}}' "$REPOSITORY/$name:$REVISION" >".deploy/$name"
    echo "$name: $(cat ".deploy/$name")"
done
