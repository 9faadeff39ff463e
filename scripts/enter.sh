#!/usr/bin/env bash
# enter.sh ROOT PLACE... -- COMMAND [ARGUMENT]...: runs a command in another root file system, with this machine's kernel, processes, devices,
# cgroups and network, and with those of its directories that are named, at the same paths. In a mount namespace that nobody shares: begin with
# unshare --mount --propagation private.
set -euo pipefail

root=$1
shift

# A root by pivot_root, not by chroot: whoever enters a mount namespace that was made in it arrives there, and a runtime's own root is a mount.
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
while [[ $1 != -- ]]; do
  mkdir -p "$root$1"
  mount --bind "$1" "$root$1"
  shift
done
shift

cd "$root"
pivot_root . mnt
cd /
umount -l /mnt
exec "$@"
