#!/usr/bin/env bash
# Compares ocirun with the crun and runc that are installed: bench/run.sh PATH-OF-OCIRUN
# RUNS sets how often each command is measured (50).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ocirun=$(realpath "${1:?usage: bench/run.sh PATH-OF-OCIRUN}")
runs=${RUNS:-50}

# crun refuses a host with cgroup v1 and v2 side by side. All candidates get the same pure v1 view, in a private mount namespace.
enter_private_namespace() {
  if [[ -z ${BENCH_INSIDE:-} ]]; then
    BENCH_INSIDE=1 exec unshare --mount --propagation private "$0" "$ocirun"
  fi
  if grep -q ' /sys/fs/cgroup/unified ' /proc/self/mountinfo; then umount /sys/fs/cgroup/unified; fi
}

make_bundle() {
  local bundle=$1
  mkdir -p "$bundle"/rootfs/{bin,proc,sys,dev}
  cp "$(command -v busybox)" "$bundle/rootfs/bin/true"
  (cd "$bundle" && runc spec)
  sed -i -e 's/"terminal": true/"terminal": false/' -e 's|"sh"|"/bin/true"|' "$bundle/config.json"
}

# candidates WORDS...: for each runtime `-- NAME RUNTIME --root STATE` and the words, where @ stands for that beginning, and @id for an id of its own.
candidates() {
  local name word
  arguments=()
  for name in "${names[@]}"; do
    arguments+=(-- "$name")
    for word in "$@"; do
      if [[ $word == @ ]]; then arguments+=("${paths[$name]}" --root "$work/state-$name")
      elif [[ $word == @id ]]; then arguments+=("$id-$name"); else arguments+=("$word"); fi
    done
  done
}

heading() { printf '\n%s\n' "$1"; }

bench_versions() {
  local name
  heading "Start of the program: --version, and /bin/true for scale"
  arguments=()
  for name in "${names[@]}"; do arguments+=(-- "$name --version" "${paths[$name]}" --version); done
  "$work/timeit" -n "$runs" "${arguments[@]}" -- /bin/true /bin/true
}

bench_run() {
  local title=$1 gap=$2
  heading "$title"
  candidates @ run --bundle "$work/bundle" "$id"
  "$work/timeit" -n "$runs" -g "$gap" "${arguments[@]}" "${floor[@]}"
}

bench_cycle() {
  heading "create + start + delete --force, back to back"
  candidates @ create --bundle "$work/bundle" "$id" ';' @ start "$id" ';' @ delete --force "$id"
  "$work/timeit" -n "$runs" "${arguments[@]}"
}

bench_exec() {
  local name
  heading "exec of /bin/true in a running container, back to back"
  for name in "${names[@]}"; do "${paths[$name]}" --root "$work/state-$name" run --detach --bundle "$work/sleeper" "$id-$name" </dev/null >/dev/null 2>&1; done
  candidates @ exec @id /bin/true
  "$work/timeit" -n "$runs" "${arguments[@]}"
  for name in "${names[@]}"; do "${paths[$name]}" --root "$work/state-$name" delete --force "$id-$name"; done
}

# Also after an interruption, when a container may be half made.
clean_up() {
  local name
  for name in "${names[@]}"; do
    "${paths[$name]}" --root "$work/state-$name" delete --force "$id" >/dev/null 2>&1 || true
    "${paths[$name]}" --root "$work/state-$name" delete --force "$id-$name" >/dev/null 2>&1 || true
  done
  rm -rf --one-file-system "$work"
}

main() {
  enter_private_namespace
  work=$(mktemp -d /tmp/ocirun-bench.XXXXXX)
  id=ocirun-bench-$$
  declare -gA paths=([ocirun]=$ocirun [crun]=$(command -v crun) [runc]=$(command -v runc))
  names=(ocirun crun runc)
  trap clean_up EXIT

  cc -O2 -Wall -o "$work/timeit" "$here/timeit.c"
  make_bundle "$work/bundle"
  make_bundle "$work/sleeper"
  cp "$(command -v busybox)" "$work/sleeper/rootfs/bin/sleep"
  sed -i 's|"/bin/true"|"/bin/sleep", "1000"|' "$work/sleeper/config.json"
  floor=()
  if cc -O2 -Wall -Wno-format-truncation -static -o "$work/floor" "$here/floor.c"; then floor=(-- floor "$work/floor" "$work/bundle/rootfs"); fi

  printf 'Wall times of %d runs each, alternating; ratio to ocirun. %s, Linux %s, %s processors.\n' \
    "$runs" "$(uname -m)" "$(uname -r)" "$(nproc)"
  "${paths[crun]}" --version | head -n 1
  "${paths[runc]}" --version | head -n 1
  bench_versions
  bench_run "run of the default bundle with /bin/true, back to back" 0
  bench_run "run of the default bundle with /bin/true, 150 ms apart" 150
  bench_cycle
  bench_exec
}

main
