#!/usr/bin/env bash
# The rows of the comparison in one world: world.sh WORLD TOOLS ROWS NAME=PATH...
# TOOLS is a directory with what run.sh has put there; ROWS are names with commas. Prints a line of JSON for each row.
# All that is made lies in a tmpfs, mounted in a mount namespace of its own, in one cgroup of each hierarchy, and in a PID namespace,
# with which all processes end, however this ends.
set -euo pipefail

world=$1 tools=$2 wanted=$3
names=() global=() job=''
declare -A paths=()
for candidate in "${@:4}"; do
  names+=("${candidate%%=*}")
  paths[${candidate%%=*}]=${candidate#*=}
done

# --- The world ---------------------------------------------------------------------------------------------------------

# Other hierarchies than the world's are out of sight: crun refuses v1 and v2 side by side.
enter_world() {
  case $world in
    v1 | engines)
      if grep -q ' /sys/fs/cgroup/unified ' /proc/self/mountinfo; then
        umount /sys/fs/cgroup/unified
        # Some make directories in what they take for a hierarchy by its name.
        mount -t tmpfs tmpfs /sys/fs/cgroup/unified
      fi
      if [[ $world == v1 ]] && is_v2; then fail "this host has no cgroup v1"; fi
      ;;
    v2)
      if ! is_v2; then
        umount --recursive /sys/fs/cgroup
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
      fi
      ;;
  esac
}

fail() { printf 'bench: %s\n' "$*" >&2; exit 1; }

is_v2() { [[ -e /sys/fs/cgroup/cgroup.controllers ]]; }

# The world's controllers in words; on a host that uses v1 the tree of v2 has hardly any.
controllers() {
  if is_v2; then cat /sys/fs/cgroup/cgroup.controllers; else (cd /sys/fs/cgroup && echo *); fi
}

has_controller() { [[ " $(controllers) " == *" $1 "* ]]; }

hierarchies() {
  local file
  if is_v2; then echo /sys/fs/cgroup; else for file in /sys/fs/cgroup/*/cgroup.procs; do echo "${file%/*}"; done; fi
}

# make_cgroups PATH: in every hierarchy.
make_cgroups() {
  local hierarchy file
  for hierarchy in $(hierarchies); do
    mkdir -p "$hierarchy/$1"
    # A v1 cpuset takes no process before it has processors and memory.
    for file in cpuset.cpus cpuset.mems; do
      if [[ $1 == "$group" && -e $hierarchy/cpuset.mems && ! -e $hierarchy/cgroup.controllers ]]; then
        cat "$hierarchy/$file" >"$hierarchy/$1/$file"
      fi
    done
  done
}

# What has just been killed may take a moment.
remove_cgroups() {
  local hierarchy try
  for hierarchy in $(hierarchies); do
    for try in {1..50}; do
      find "$hierarchy/$group" -depth -type d -exec rmdir {} + 2>/dev/null || :
      if [[ ! -d $hierarchy/$group ]]; then break; fi
      sleep 0.1
    done
    if [[ $try == 50 ]]; then echo "bench: left: $hierarchy/$group" >&2; fi
  done
}

# cgroup_path NAME: as config.json has it.
cgroup_path() {
  if [[ $world == systemd ]]; then printf 'system.slice:%s:%s' "$group" "$1"; else printf '/%s/%s' "$group" "$1"; fi
}

# --- Bundles and containers ----------------------------------------------------------------------------------------------

# All bundles share one root file system. Bind mounts have a file or a directory of it as their source.
make_rootfs() {
  mkdir -p "$work"/rootfs/{bin,proc,sys,dev,etc,binds} "$work/directory"
  : >"$work/file"
  cp "$tools/busybox" "$work/rootfs/bin/true"
  cp "$tools/busybox" "$work/rootfs/bin/sleep"
}

# bundle NAME [FILTER [CONFIGURATION]]: what `runc spec` writes, or another one of TOOLS, without a terminal, changed by a filter of jq;
# for each candidate, NAME-CANDIDATE, with a cgroup of its own: one that fails is not in the way of the others.
bundle() {
  local name
  for name in "${names[@]}"; do
    mkdir -p "$work/$1-$name"
    jq --arg work "$work" --arg cgroup "$(cgroup_path "$1-$name")" --arg controllers "$(controllers)" --argjson files "$(ulimit -Hn)" \
      --slurpfile docker "$tools/docker.json" -L "$tools" "include \"adapt\"; runnable | ${2:-.}" "$tools/${3:-runc-default}.json" \
      >"$work/$1-$name/config.json"
  done
}

# sleepers: a running container called sleeper for each candidate; NAME fails in the row when it has none.
sleepers() {
  local name
  bundle sleeper '.process.args = ["/bin/sleep", "1000"]'
  for name in "${names[@]}"; do
    runtime "$name" run --detach --bundle "$work/sleeper-$name" sleeper </dev/null >/dev/null || :
  done
}

# runtime NAME WORD...
runtime() { "${paths[$1]}" --root "$work/state-$1" "${global[@]}" "${@:2}"; }

# The sleepers, and what failed half made; the others were never made.
forget_containers() {
  local name state
  for name in "${names[@]}"; do
    for state in "$work/state-$name"/*; do
      if [[ -d $state && $state != */other-* ]]; then runtime "$name" delete --force "$(basename "$state")" >/dev/null 2>&1 || :; fi
    done
    rm -rf "$work/state-$name"
  done
}

# others NUMBER: as many further containers of each runtime, for its next commands: copies of the sleeper's state under other IDs.
others() {
  local name state file
  seq "$1" | sed 's/^/other-/' >"$work/others"
  for name in "${names[@]}"; do
    state=$work/state-$name
    (
      cd "$state"
      find sleeper -type d | while read -r file; do sed "s|\$|${file#sleeper}|" "$work/others" | xargs mkdir; done
      # shellcheck disable=SC2016  # for the inner shell
      find sleeper -type f | while read -r file; do
        sed "s|\$|${file#sleeper}|" "$work/others" | xargs -n 500 sh -c 'tee "$@" <"$0" >/dev/null' "$file"
      done
    )
  done
}

# --- Measuring -----------------------------------------------------------------------------------------------------------

# measure ROW TITLE [OPTION...] -- WORD...: a command of each candidate, and those in `floor`, if the caller has set that.
# The word @ stands for a candidate's program and its global options, @name and @path in a word for its name and its path.
measure() {
  local row=$1 title=$2 options=() arguments=() name word
  shift 2
  while [[ $1 != -- ]]; do options+=("$1"); shift; done
  shift
  for name in "${names[@]}"; do
    arguments+=(-- "$name")
    for word in "$@"; do
      if [[ $word == @ ]]; then
        arguments+=("${paths[$name]}" --root "$work/state-$name" "${global[@]}")
      else
        word=${word//@name/$name}
        arguments+=("${word//@path/${paths[$name]}}")
      fi
    done
  done
  if [[ -n ${floor:-} ]]; then arguments+=(-- floor "${floor[@]}"); fi
  "$tools/timeit" -n "$RUNS" "${options[@]}" "${arguments[@]}" >"$work/result"
  report "$row" "$title" "${unit:-ms}"
}

# report ROW TITLE UNIT: what is in the file `result`.
report() {
  jq --slurp --compact-output --monochrome-output --arg world "$world" --arg row "$1" --arg title "$2" --arg unit "$3" \
    '{$world, $row, $title, $unit, results: .}' "$work/result"
}

# --- The rows: row_NAME NUMBER -------------------------------------------------------------------------------------------

row_version() {
  local floor=("$tools/floor" --version)
  measure version 'start of the program (--version)' -- @ --version
}

row_run() {
  local floor=("$tools/floor" "$work/rootfs" "$group/floor")
  bundle plain
  measure run 'run, back to back' -- @ run --bundle "$work/plain-@name" c
}

row_apart() {
  local floor=("$tools/floor" "$work/rootfs" "$group/floor")
  bundle plain
  measure apart 'run, 150 ms apart' -g 150 -- @ run --bundle "$work/plain-@name" c
}

row_cycle() {
  bundle plain
  measure cycle 'create, start, state, delete' -- \
    @ create --bundle "$work/plain-@name" c ';' @ start c ';' @ state c ';' @ delete --force c
}

row_start() {
  bundle plain
  measure_start start start
}

# measure_start ROW TITLE
measure_start() {
  measure "$1" "$2" -- untimed @ create --bundle "$work/plain-@name" c ';' @ start c ';' untimed @ delete --force c
}

row_exec() {
  sleepers
  measure exec exec -- @ exec sleeper /bin/true
}

row_state() {
  sleepers
  measure state state -- @ state sleeper
}

row_parallel() {
  local i name at_once='seq 100 | xargs -P 8 -I% "$@"' floor
  bundle parallel
  for name in "${names[@]}"; do
    for i in {1..100}; do
      mkdir "$work/parallel-$name-$i"
      sed "s|$(cgroup_path "parallel-$name")|&-$i|" "$work/parallel-$name/config.json" >"$work/parallel-$name-$i/config.json"
    done
  done
  floor=(sh -c "$at_once" sh "$tools/floor" "$work/rootfs" "$group/floor-%")
  measure parallel '100 runs, 8 at a time' -n $(((RUNS + 4) / 5)) -w 1 -- sh -c "$at_once" sh @ run --bundle "$work/parallel-@name-%" c%
}

row_seccomp() {
  # shellcheck disable=SC2016  # a variable of jq
  bundle seccomp '.linux.seccomp = $docker[0].linux.seccomp'
  measure seccomp "run with Docker's seccomp profile" -- @ run --bundle "$work/seccomp-@name" c
}

row_userns() {
  bundle userns '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
    | .linux.gidMappings = .linux.uidMappings'
  measure userns 'run in a new user namespace' -- @ run --bundle "$work/userns-@name" c
}

row_memory() {
  local name
  if ! has_controller memory; then
    echo "bench: no memory controller, no least limit" >&2
    return
  fi
  for name in "${names[@]}"; do
    jq --null-input --arg name "$name" --argjson least "$(least_memory "$name")" \
      '{$name, runs: 3, median: $least, min: $least, p90: $least, failed: ($least == null)}'
  done >"$work/result"
  report memory 'least memory limit with which run works' KiB
}

# least_memory NAME: in KiB, by halving; null when 32 MiB are not enough.
least_memory() {
  local low=0 high=32768 middle
  if ! works "$1" "$high"; then high=null; fi
  while [[ $high != null ]] && ((high - low > 4)); do
    middle=$(((low + high) / 2))
    middle=$((middle - middle % 4))
    if works "$1" "$middle"; then high=$middle; else low=$middle; fi
  done
  echo "$high"
}

# works NAME KIB: three times in a row.
works() {
  local i
  bundle memory ".linux.resources.memory.limit = $2 * 1024"
  for i in 1 2 3; do
    timeout -s KILL 10 "${paths[$1]}" --root "$work/state-$1" "${global[@]}" run --bundle "$work/memory-$1" "c$i" </dev/null >/dev/null 2>&1 && continue
    runtime "$1" delete --force "c$i" >/dev/null 2>&1 || :
    return 1
  done
}

row_rss() {
  local unit=MiB
  bundle plain
  measure rss 'peak resident memory of run' -m -- @ run --bundle "$work/plain-@name" c
}

row_binds() {
  (cd "$work/rootfs/binds" && seq "$1" | xargs mkdir -p)
  # crun has a descriptor for each, which the container's own limit of 1,024 would count.
  bundle binds ".mounts += [range(1; $1 + 1) | volume(\"/binds/\\(.)\")] | del(.process.rlimits)"
  measure "binds-$1" "run with $1 binds" -- @ run --bundle "$work/binds-@name" c
}

row_beside() {
  sleepers
  bundle plain
  others "$1"
  measure "state-beside-$1" "state beside $1 other containers" -- @ state sleeper
  measure_start "start-beside-$1" "start beside $1 other containers"
}

row_deep() {
  local path clone=/sys/fs/cgroup/cpuset/$group/cgroup.clone_children
  # Systemd has no cgroups of that kind.
  if [[ $world == systemd ]]; then return; fi
  path=$(printf '/d%.0s' $(seq $(($1 - 2))))
  # A v1 cpuset whose parents are empty cannot be used.
  if [[ -e $clone ]]; then echo 1 >"$clone"; fi
  make_cgroups "$group$path"
  if [[ -e $clone ]]; then echo 0 >"$clone"; fi
  bundle deep ".linux.cgroupsPath |= sub(\"/$group\"; \"/$group$path\")"
  measure "deep-$1" "run in a cgroup $1 deep" -- @ run --bundle "$work/deep-@name" c
}

# Rules for system calls that nobody makes here, some dozens, which come again and again.
row_rules() {
  # shellcheck disable=SC2016  # variables of jq
  bundle rules '[$docker[0].linux.seccomp.syscalls[].names[] | select(test("^(io_|mq_|msg|sem|shm|timer|inotify|.*xattr|sched_set|splice|tee$)"))] as $unused
    | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: $docker[0].linux.seccomp.architectures,
        syscalls: [range('"$1"') | {names: [$unused[. % ($unused | length)]], action: "SCMP_ACT_ERRNO"}]}'
  measure "rules-$1" "run with $1 seccomp rules" -- @ run --bundle "$work/rules-@name" c
}

row_mounts() {
  local i
  bundle plain
  sleepers
  mkdir "$work/mounts"
  mount -t tmpfs tmpfs "$work/mounts"
  for ((i = 0; i < $1; i++)); do
    mkdir "$work/mounts/$i"
    mount -t tmpfs -o size=4k tmpfs "$work/mounts/$i"
  done
  measure "run-mounts-$1" "run on a host with $1 mounts" -- @ run --bundle "$work/plain-@name" c
  measure_start "start-mounts-$1" "start on a host with $1 mounts"
  measure "state-mounts-$1" "state on a host with $1 mounts" -- @ state sleeper
  umount --recursive "$work/mounts"
}

row_podman() { measure_engine podman podman "Podman's configuration"; }
row_docker() { measure_engine docker docker "Docker's configuration, with a hook"; }
row_cri() { measure_engine cri containerd-cri "containerd's for a pod's container"; }

# measure_engine ROW CONFIGURATION TITLE: create, start, delete, as engines call them.
measure_engine() {
  local path
  mkdir -p "$work/namespaces"
  touch "$work/namespaces/"{network,ipc,uts}
  unshare --net="$work/namespaces/network" --ipc="$work/namespaces/ipc" --uts="$work/namespaces/uts" true
  bundle "$1" engine "$2"
  # Runtimes make what is missing, but not in a read-only root file system.
  jq -r '.mounts[] | "\(.source | endswith("/file")) \(.destination)"' "$work/$1-${names[0]}/config.json" | while read -r file path; do
    if [[ $file == true ]]; then
      mkdir -p "$work/rootfs$(dirname "$path")"
      : >"$work/rootfs$path"
    else
      mkdir -p "$work/rootfs$path"
    fi
  done
  measure "$1" "$3: create, start, delete" -- @ create --bundle "$work/$1-@name" c ';' @ start c ';' @ delete --force c
  umount "$work/namespaces"/*
}

# --- All of it -----------------------------------------------------------------------------------------------------------

# What the rows need, and the rows.
measure_all() {
  local row
  work=$tools/work
  mkdir -p "$work"
  mount -t tmpfs -o mode=755 tmpfs "$work"
  if [[ $world == systemd ]]; then global=(--systemd-cgroup); fi
  # As engines have it: crun opens a descriptor for each bind.
  ulimit -Sn "$(ulimit -Hn)"
  make_rootfs
  if [[ $world == engines ]]; then
    # shellcheck source=bench/engines.sh
    . "$tools/engines.sh"
    private_host
  fi
  for row in ${wanted//,/ }; do
    if [[ $row =~ ^(.*)-([0-9]+)$ ]]; then "row_${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"; else "row_${row//-/_}"; fi
    forget_containers
  done
}

# By its stages: a mount namespace with the world's cgroups, whose shell lives to remove them; in there, the PID namespace.
main() {
  case ${BENCH_STAGE:=namespaces} in
    namespaces)
      local network=()
      if [[ $world == engines ]]; then network=(--net); fi
      BENCH_STAGE=cgroups exec unshare --mount --propagation private "${network[@]}" "$0" "$@"
      ;;
    cgroups)
      export group=ocirun-bench-$$
      enter_world
      if [[ $world == vm || $world == systemd ]]; then
        # All of it ends with the machine; and systemd could not tell processes by their numbers in the namespace.
        make_cgroups "$group"
        measure_all
        exit
      fi
      trap end_world EXIT
      trap 'exit 143' TERM
      make_cgroups "$group"
      # In the background, as a trap waits for what is in the foreground.
      BENCH_STAGE=rows setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount-proc "$0" "$@" &
      job=$!
      wait "$job"
      ;;
    rows) measure_all ;;
  esac
}

end_world() {
  trap '' TERM
  if [[ -n $job ]]; then kill -KILL "$job" 2>/dev/null || :; fi
  # The shell would say that it has been killed.
  { wait || :; } 2>/dev/null
  remove_cgroups
}

main "$@"
