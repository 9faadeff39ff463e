#!/usr/bin/env bash
# Makes src/OciRuntime/FunctionOrder.txt: the functions that the usual commands execute, in that order, by which the compiler and the linker lay
# the binary out (docs/performance.md). To be run now and then, as root, after ./build.sh build; the next build takes it.
# On a host without pure cgroup v2 the commands run twice: as the host is, and with a tree of cgroup v2.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=$repo/out/ocirun
if [[ -z ${ORDER_INSIDE:-} ]]; then ORDER_INSIDE=1 exec unshare --mount --propagation private "$0" "$@"; fi

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
cc -O2 -Wall -o "$work/order" "$repo/scripts/order.c"
nm --defined-only "$binary.dbg" | awk '$2 ~ /[tT]/ { print $1, $3 }' | sort > "$work/names"
cut -d ' ' -f 1 "$work/names" > "$work/addresses"

mkdir -p "$work/bundle/rootfs/bin"
cp "$(command -v busybox)" "$work/bundle/rootfs/bin/busybox"
for name in true sleep; do ln -s busybox "$work/bundle/rootfs/bin/$name"; done
# A filter as engines ask for it, mounts of theirs, and annotations.
engines='"annotations": { "org.example": "1" }, "linux": { "seccomp": { "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
  "syscalls": [{ "names": ["swapon", "swapoff"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 },
  { "names": ["personality"], "action": "SCMP_ACT_ERRNO", "args": [{ "index": 0, "value": 8, "op": "SCMP_CMP_EQ" }] }] },'
configure() { sed -e 's/"terminal": true/"terminal": false/' -e "s|\"sh\"|$1|" "$work/spec.json" > "$work/bundle/config.json"; }
(cd "$work" && "$binary" spec && mv config.json spec.json)

run() { "$work/order" "$work/addresses" "$work/order.list" "$binary" --root "$work/state" "$@" < /dev/null > /dev/null; }
commands() {
  configure '"true"'
  run run --bundle "$work/bundle" order-run
  configure '"sleep", "1000"'
  sed -i "s|\"linux\": {|${engines//$'\n'/ }|; s|\"mounts\": \[|& { \"destination\": \"/mnt\", \"source\": \"$work\", \"type\": \"bind\", \"options\": [\"rbind\", \"ro\"] },|" \
    "$work/bundle/config.json"
  run run --detach --bundle "$work/bundle" order-detached
  "$binary" --root "$work/state" delete --force order-detached
  # Not looked at: its init waits, and would end with whoever looks.
  "$binary" --root "$work/state" create --bundle "$work/bundle" order-life < /dev/null > /dev/null 2>&1
  run start order-life
  run state order-life
  run exec order-life true
  run kill order-life KILL
  run delete --force order-life
}

# The life of a shim: containerd starts a script in its place, which answers as soon as the shim does, and leaves it to be looked at.
shim() {
  cat > "$work/containerd-shim-ocirun-v2" <<SCRIPT
#!/bin/sh
case \$* in
  *start) "$work/order" "$work/addresses" "$work/order.list" "$binary" shim "\$@" > "$work/answer" 2> "$work/errors" & ;;
  *) exec "$binary" shim "\$@" ;;
esac
until [ -s "$work/answer" ] || [ -s "$work/errors" ]; do sleep 0.1; done
cat "$work/answer" "$work/errors"
SCRIPT
  chmod +x "$work/containerd-shim-ocirun-v2"
  cat > "$work/config.toml" <<CONFIG
version = 2
root = "$work/containerd"
state = "$work/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "$work/c.sock"
[ttrpc]
address = "$work/t.sock"
CONFIG
  PATH=$work:$PATH containerd --config "$work/config.toml" > "$work/log" 2>&1 &
  local containerd=$! ctr=(ctr --address "$work/c.sock")
  until "${ctr[@]}" version > /dev/null 2>&1; do sleep 0.1; done
  "${ctr[@]}" run --detach --rootfs --runtime io.containerd.ocirun.v2 "$work/bundle/rootfs" order-shim sleep 1000
  for id in 1 2; do "${ctr[@]}" task exec --exec-id "$id" order-shim true; done
  "${ctr[@]}" task kill --signal KILL order-shim
  sleep 1
  "${ctr[@]}" task delete order-shim || :
  "${ctr[@]}" container delete order-shim
  # All of the list is there when whoever looks at the shim has ended.
  while [[ $(ps --no-headers -C order -o args) == *"$work/order "* ]]; do sleep 0.1; done
  kill "$containerd"
  wait "$containerd" || :
}

: > "$work/order.list"
if [[ $(stat -f -c %T /sys/fs/cgroup) != cgroup2fs ]]; then
  mkdir "$work/host" && mount --rbind /sys/fs/cgroup "$work/host"
  umount --recursive /sys/fs/cgroup
  mount -t cgroup2 none /sys/fs/cgroup
  commands
  umount /sys/fs/cgroup
  mount --rbind "$work/host" /sys/fs/cgroup && umount --recursive "$work/host"
fi
commands
shim
awk 'NR == FNR { if ($1 in names) names[$1] = names[$1] "\n" $2; else names[$1] = $2; next }
     { at = sprintf("%16s", $1); gsub(" ", "0", at); if (!(at in seen)) { seen[at]; print names[at] } }' \
  "$work/names" "$work/order.list" > "$repo/src/OciRuntime/FunctionOrder.txt"
wc -l "$repo/src/OciRuntime/FunctionOrder.txt"
