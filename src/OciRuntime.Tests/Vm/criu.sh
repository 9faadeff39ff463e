# shellcheck shell=dash
# shellcheck disable=SC2154  # id is set by the runner
# Sourced before the checks of CheckpointTests: what they have in common. A container counts in /data/count, a directory of the machine's.
while read -r module; do insmod "/lib/modules/$module.ko"; done </lib/modules/criu

data=/tmp/data

# The number the container has got to.
count() { cat $data/count; }

# await NUMBER: the container has counted that far.
await() {
  tries=0
  until [ "$(count 2>/dev/null || echo 0)" -ge "$1" ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || { echo "it does not count up to $1"; finish; exit 9; }
    sleep 0.1
  done
}

# begin [OPTION]...: runs the container in the background. The checks' output is a file that grows, and criu wants to find a file as long as it was.
begin() {
  mkdir -p $data
  # For the root of a user namespace, too.
  chmod 777 $data
  ocirun run --detach "$@" "$id" >/dev/null 2>&1 && await 3
}

# save [OPTION]...: Debian's criu would call iptables otherwise, which is not in the machine.
save() { ocirun checkpoint --network-lock nftables --image-path /tmp/image "$@" "$id"; }

# load [OPTION]...
load() { ocirun restore --detach --image-path /tmp/image "$@" "$id"; }

# A restored container counts on from NUMBER.
goes_on() {
  await $(($1 + 2))
  echo "counts on"
}

# What the container sees mounted, without the numbers that differ.
mounts() { ocirun exec "$id" cat /proc/self/mountinfo | cut -d ' ' -f 4- | sed 's/size=[0-9]*k,nr_inodes=[0-9]*/size/' | sort; }

finish() {
  ocirun delete --force "$id"
  # systemd has directories of its own there.
  find /tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-*' -exec rm -rf {} +
}
