# shellcheck shell=bash
# Sourced by build.sh: a guided tour in a quarter of a minute.

demo() {
  demo_runtime=$1
  demo_dir=$(mktemp -d /tmp/ocirun-demo.XXXXXX)
  demo_cgroup=ocirun-demo-$$
  trap demo_clean_up EXIT
  demo_colours
  demo_make_rootfs
  demo_plan
  demo_inside
  demo_life
  demo_nothing_left
}

# --- Looks -------------------------------------------------------------------------------------------------------------

demo_colours() {
  heading_on='' command_on='' good_on='' bad_on='' off=''
  [[ -t 1 && -z ${NO_COLOR:-} ]] || return 0
  heading_on=$'\e[1;36m' command_on=$'\e[1m' good_on=$'\e[32m' bad_on=$'\e[31m' off=$'\e[0m'
}

demo_heading() { printf '\n%s== %s ==%s\n\n' "$heading_on" "$1" "$off"; }

demo_echo() { printf '%s$ %s%s\n' "$command_on" "$*" "$off"; }

# Shows what one would type, then does it.
demo_show() {
  demo_echo "$@"
  "$@"
}

# Named like the runtime, so that what is shown is what one would type; the state directory is the demo's own.
ocirun() { "$demo_runtime" --root "$demo_dir/state" "$@"; }

# --- The bundle --------------------------------------------------------------------------------------------------------

demo_make_rootfs() {
  local applet root=$demo_dir/rootfs
  mkdir -p "$demo_dir/state" "$root"/{bin,etc,proc,sys,dev,root}
  cp "$(command -v busybox)" "$root/bin/busybox"
  for applet in $(busybox --list); do
    [[ $applet == busybox ]] || ln "$root/bin/busybox" "$root/bin/$applet"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
}

# Only limits that this host can set: not every one has every controller.
demo_limits() {
  local limits='"devices": [{"allow": false, "access": "rwm"}]'
  if demo_has_controller memory; then limits+=', "memory": {"limit": 67108864}'; fi
  if demo_has_controller pids; then limits+=', "pids": {"limit": 32}'; fi
  printf '%s' "$limits"
}

demo_has_controller() {
  grep -qsw "$1" /sys/fs/cgroup/cgroup.controllers || [[ -d /sys/fs/cgroup/$1 ]]
}

# demo_bundle NAME: a bundle that runs the script given on stdin.
demo_bundle() {
  mkdir -p "$demo_dir/$1"
  cat >"$demo_dir/rootfs/$1.sh"
  cat >"$demo_dir/$1/config.json" <<JSON
{
  "ociVersion": "1.2.0",
  "hostname": "little-box",
  "root": { "path": "$demo_dir/rootfs", "readonly": true },
  "process": {
    "cwd": "/", "noNewPrivileges": true, "user": { "uid": 0, "gid": 0 },
    "args": ["sh", "/$1.sh"],
    "env": ["PATH=/bin", "TERM=${TERM:-dumb}"],
    "capabilities": {
      "bounding": ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "effective": ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "permitted": ["CAP_KILL", "CAP_NET_BIND_SERVICE"]
    },
    "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024 }]
  },
  "mounts": [
    { "destination": "/proc", "type": "proc", "source": "proc" },
    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"] },
    { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
    { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "ro"] }
  ],
  "linux": {
    "cgroupsPath": "/$demo_cgroup-$1",
    "resources": { $(demo_limits) },
    "namespaces": [{ "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }, { "type": "cgroup" }, { "type": "mount" }],
    "maskedPaths": ["/proc/kcore", "/proc/keys"],
    "readonlyPaths": ["/proc/sys"]
  }
}
JSON
}

# --- The tour ----------------------------------------------------------------------------------------------------------

demo_plan() {
  demo_heading "The plan: what ocirun will do, step by step, before it does anything"
  echo true | demo_bundle plan
  cd "$demo_dir" || return
  demo_echo ocirun explain --bundle plan
  if ! ocirun explain --bundle plan >plan.txt 2>&1; then
    cat plan.txt
    fail "this runtime cannot explain a bundle"
  fi
  demo_excerpt plan.txt
}

# The beginning of each chapter: the cgroups alone would fill a screen.
demo_excerpt() {
  awk -v most=6 '
    function rest() { if (left > 0) printf "       … and %d more\n", left; left = 0 }
    /^[A-Z]/ { rest(); count = 0; print; next }
    /^$/ { rest(); print; next }
    ++count <= most { print; next }
    /^ *[0-9]+  |^       [^ ]/ { left++ }
  ' "$1"
}

demo_inside() {
  demo_heading "A container, seen from the inside"
  demo_bundle inside <<'SCRIPT'
say() { printf '  %-14s%s\n' "$1" "$2"; }
indent() { sed 's/^/                /'; }
first() { for file; do test -r $file && cat $file && return; done; echo 'no such controller here'; }
attempt() { printf '  %-26s-> %s\n' "$*" "$("$@" 2>&1 | tail -n 1)"; }

say 'I am' "pid $$, user $(id -un), on the host $(hostname)"
say 'processes' ''; ps -o pid,args | indent
say 'network' "$(ls /sys/class/net | tr '\n' ' ')"
say 'mounts' ''; mount | cut -c1-90 | sed -n 1,5p | indent
say 'capabilities' "effective $(sed -n 's/CapEff:.//p' /proc/self/status): CAP_KILL, CAP_NET_BIND_SERVICE"
say 'open files' "$(ulimit -n)"
say 'process limit' "$(first /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max)"
say 'memory limit' "$(first /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max) bytes"
echo; echo '  What root may not do in here:'
attempt touch /file
attempt hostname other
attempt mount -t tmpfs none /root
attempt mknod /dev/disk b 254 0
SCRIPT
  demo_show ocirun run --bundle inside box-inside
}

demo_life() {
  local id=box-life
  demo_heading "A container's life, seen from the outside"
  demo_bundle life <<'SCRIPT'
echo "  (container) hello from pid $$"
trap 'echo "  (container) got SIGTERM, good bye"; exit 0' TERM
while :; do sleep 0.1; done
SCRIPT
  demo_show ocirun create --bundle life --pid-file life.pid "$id"
  demo_show ocirun state "$id"
  echo
  demo_show ocirun start "$id"
  demo_wait_trapped "$(<life.pid)" || fail "the container sets no trap"
  demo_show ocirun list
  demo_show ocirun kill "$id" TERM
  demo_wait_stopped "$id" || fail "the container did not stop"
  demo_echo ocirun state "$id"
  ocirun state "$id" | grep '"status"'
  demo_show ocirun delete "$id"
}

# A handler of SIGTERM is bit 14 of the mask.
demo_wait_trapped() {
  for _ in {1..100}; do
    if ((0x$(sed -n 's/^SigCgt:\t//p' "/proc/$1/status") & 0x4000)); then return 0; fi
    sleep 0.05
  done
  return 1
}

demo_wait_stopped() {
  for _ in {1..100}; do
    if ocirun state "$1" | grep -q '"status": *"stopped"'; then return 0; fi
    sleep 0.05
  done
  return 1
}

# --- The proof ---------------------------------------------------------------------------------------------------------

demo_nothing_left() {
  demo_heading "Everything cleaned up"
  local bad=0
  demo_check "no state" "$(find "$demo_dir/state" -name "box-*")" || bad=1
  demo_check "no cgroup" "$(find /sys/fs/cgroup -type d -name "*$demo_cgroup*" 2>/dev/null)" || bad=1
  demo_check "no mount" "$(grep -F "$demo_dir" /proc/self/mountinfo || true)" || bad=1
  demo_check "no process" "$(demo_processes)" || bad=1
  ((bad == 0)) || fail "the demo left something behind"
  echo
}

# demo_check WHAT FOUND: good when nothing was found.
demo_check() {
  if [[ -z $2 ]]; then
    printf '  %s✓%s %s left\n' "$good_on" "$off" "$1"
  else
    printf '  %s✗%s %s left, but: %s\n' "$bad_on" "$off" "$1" "$2"
    return 1
  fi
}

# Processes whose root is the demo's: all that a container could have left running. Zombies have none.
demo_processes() {
  local process
  for process in /proc/[0-9]*; do
    if [[ $(readlink "$process/exe" 2>/dev/null) == "$demo_dir/rootfs/"* ]]; then printf '%s ' "${process#/proc/}"; fi
  done
}

# Also when interrupted: whatever still exists is deleted by force.
demo_clean_up() {
  local part
  for part in inside life; do
    ocirun delete --force "box-$part" >/dev/null 2>&1 || true
  done
  # With a mount left in it, what is behind that would be deleted, too.
  if ! grep -qF " $demo_dir" /proc/self/mountinfo; then rm -rf "$demo_dir"; fi
}
