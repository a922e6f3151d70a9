#!/bin/sh
# Runs a command in an image's root file system as a platform would: read-only but for /tmp, under
# the image's user, as process 1, with no way to more rights. The network is the machine's.
#
# usage: unshare --mount --pid --fork enter.sh ROOT USER:GROUP FOLDER SHARED NAME=VALUE... COMMAND...
# SHARED is a folder of this machine that is seen as /tmp/shared.
set -eu
root=$1 user=$2 folder=$3 shared=$4
shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/tmp"
mkdir "$root/tmp/shared"
mount --bind "$shared" "$root/tmp/shared"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" --groups="" "$root" env -i -C "$folder" "$@"
