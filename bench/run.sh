#!/usr/bin/env bash
# The comparison: bench/run.sh [WORLD]... [OPTION]... NAME=PATH...   (./build.sh bench, which has defaults; docs/performance.md)
# shellcheck disable=SC2016  # variables of jq
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export RUNS=${RUNS:-25}

usage() {
  cat <<'TEXT'
Usage: ./build.sh bench [WORLD]... [OPTION]... [NAME=PATH]...

Measures programs that are called like runc, alternately, and compares the first one with the best of the others, and with a static C
program that makes only the system calls a launch cannot do without (bench/floor.c).

WORLD is one of the following; v2 and, if the host has it, v1 by default:
  v2          cgroup v2 without systemd, in a mount namespace of its own
  v1          the same with cgroup v1
  vm          a virtual machine with cgroup v2 and all controllers; emulated, so that only its ratios say something
  systemd     the same machine with systemd, which makes the cgroups
  engines     Podman, containerd, Docker and containerd's CRI, each calling the programs

NAME=PATH     a program; ocirun=out/ocirun and the crun and runc of the host when there is none

  --rows ROW[,ROW]...  only these, or all whose name begins so and goes on with a dash; --list prints them
  --json FILE          everything that was measured
  --svg FILE           a chart of the first world
  --list               the names of the rows

RUNS=25, in the environment, is how often each program is measured in each row; in the virtual machine it is a fifth of that.
TEXT
}

fail() { printf 'bench: %s\n' "$*" >&2; exit 1; }

# What a row is called is what it is about; rows with numbers show what grows.
rows=(
  version run apart cycle exec state start parallel seccomp userns memory rss
  podman docker cri
  binds-10 binds-100 binds-1000 binds-5000
  beside-1 beside-100 beside-10000
  deep-800
  rules-10 rules-100 rules-1000 rules-5000
  mounts-2000
)
engine_rows=(podman-run podman-exec ctr-run docker-run cri-exec)
# Emulated, a fork and exec takes 0.1 s.
vm_rows=(version run cycle exec state start podman cri)

worlds=() candidates=() wanted='' json='' svg='' job=''

options() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      v1 | v2 | vm | systemd | engines) worlds+=("$1") ;;
      --rows | --json | --svg)
        [[ $# -gt 1 ]] || fail "$1 needs a value"
        case $1 in --rows) wanted=$2 ;; --json) json=$2 ;; --svg) svg=$2 ;; esac
        shift
        ;;
      --list) printf '%s\n' "${rows[@]}" "${engine_rows[@]}"; exit ;;
      --help) usage; exit ;;
      ?*=?*) candidate "${1%%=*}" "${1#*=}" ;;
      *) usage >&2; fail "what is $1?" ;;
    esac
    shift
  done
  if [[ ${#worlds[@]} -eq 0 ]]; then
    worlds=(v2)
    if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then worlds+=(v1); fi
  fi
  local world
  for world in "${worlds[@]}"; do
    [[ -n $(rows_of "$world") ]] || fail "$world has no row $wanted; --list prints all"
  done
}

# candidate NAME PATH
candidate() {
  [[ $1 =~ ^[A-Za-z0-9._-]+$ && $1 != floor ]] || fail "$1 is no name for a program"
  [[ -x $2 && -f $2 ]] || fail "$1: there is no program $2"
  candidates+=("$1=$(realpath "$2")")
}

# rows_of WORLD: those that are wanted, with commas; of a row with a number any other one will do, too.
rows_of() {
  local all=("${rows[@]}") row word chosen=()
  case $1 in
    engines) all=("${engine_rows[@]}") ;;
    vm | systemd) if [[ -z $wanted ]]; then all=("${vm_rows[@]}"); fi ;;
  esac
  for word in ${wanted//,/ }; do
    for row in "${all[@]}"; do
      if [[ $row == "$word" || $row == "$word"-* ]]; then
        chosen+=("$row")
      elif [[ $word =~ -[0-9]+$ && $row =~ -[0-9]+$ && ${row%-*} == "${word%-*}" && " ${all[*]} ${chosen[*]} " != *" $word "* ]]; then
        chosen+=("$word")
      fi
    done
  done
  if [[ -z $wanted ]]; then chosen=("${all[@]}"); fi
  (IFS=,; printf '%s' "${chosen[*]}")
}

# What the worlds need, in one directory, that the virtual machine can be given, too.
make_tools() {
  cc -O2 -Wall -static -o "$tools/timeit" "$here/timeit.c"
  cc -O2 -Wall -Wno-format-truncation -static -o "$tools/floor" "$here/floor.c"
  cp "$here/world.sh" "$here/engines.sh" "$here/adapt.jq" "$(command -v busybox)" "$tools"
  cp "$here"/../spec-fixtures/{runc-default,clients/podman,clients/docker,clients/containerd-cri}.json "$tools"
}

# Names, paths and versions, for report.jq.
describe_candidates() {
  local candidate path
  for candidate in "${candidates[@]}"; do
    path=${candidate#*=}
    jq --null-input --arg name "${candidate%%=*}" --arg path "$path" --arg version "$("$path" --version | head -n 1)" \
      '{$name, $path, program: ($version | split(" ")[0]), $version}'
  done | jq --slurp --compact-output
}

# report FILTER [OPTION-OF-JQ|FILE]...: with what report.jq defines.
report() { jq --unbuffered --raw-output -L "$here" --argjson candidates "$described" "include \"report\"; $1" "${@:2}"; }

measure_world() {
  local world=$1 world_rows
  world_rows=$(rows_of "$world")
  printf '\n'
  report "heading(\"$(world_title "$world")\")" --null-input
  # In the background, as a trap waits for what is in the foreground.
  "world_$world" "$world_rows" > >(tee -a "$work/rows" | report table_line) &
  job=$!
  wait "$job" || fail "$world has not been measured to its end"
  job=
}

world_title() {
  case $1 in
    v1 | v2) printf 'cgroup %s' "$1" ;;
    vm) printf 'emulated machine' ;;
    systemd) printf 'emulated machine, systemd' ;;
    engines) printf 'engines' ;;
  esac
}

# It ends, and cleans up, also when this script is killed.
in_world() { exec setpriv --pdeathsig TERM "$tools/world.sh" "$1" "$tools" "$2" "${candidates[@]}"; }

world_v1() { in_world v1 "$1"; }
world_v2() { in_world v2 "$1"; }
world_engines() { in_world engines "$1"; }

world_vm() { in_machine vm "$1"; }
world_systemd() { in_machine systemd "$1" --systemd; }

# in_machine WORLD ROWS [OPTION...]: there the tools and the programs are below /bench, their libraries where they are here.
in_machine() {
  local guest=$work/guest candidate name inside=() directory options=()
  mkdir "$guest"
  cp -r "$tools" "$guest/bench"
  add_program "$(command -v bash)" "$guest" /usr/bin/bash
  add_program "$(command -v jq)" "$guest" /usr/bin/jq
  for candidate in "${candidates[@]}"; do
    name=${candidate%%=*}
    add_program "${candidate#*=}" "$guest" "/bench/bin/$name"
    inside+=("$name=/bench/bin/$name")
  done
  for directory in "$guest"/*; do options+=(--dir "$directory:/${directory##*/}"); done
  exec "$here/../build.sh" vm "${@:3}" --timeout 3600 --memory 2048 --runtime "${candidates[0]#*=}" "${options[@]}" -- \
    env RUNS=$(((RUNS + 4) / 5)) bash /bench/world.sh "$1" /bench "$2" "${inside[@]}"
}

# add_program FILE ROOT PLACE: with its libraries. In the machine /lib and /lib64 are symlinks into /usr, as in Debian.
add_program() {
  local library
  install -D -m 755 "$1" "$2$3"
  for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ )]*' || :); do
    install -D -m 755 "$library" "$2$([[ $library != /lib* ]] || echo /usr)$library"
  done
}

machine() {
  printf '%s, Linux %s, %s processors, %s' "$(uname -m)" "$(uname -r)" "$(nproc)" \
    "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
}

clean_up() {
  trap '' INT TERM
  if [[ -n $job ]]; then
    kill -TERM "$job" 2>/dev/null || :
    wait "$job" || :
  fi
  rm -rf --one-file-system "$work"
}

main() {
  if [[ ${1:-} == --check ]]; then
    # For build.sh, before it builds anything: mistakes, and the programs that are named.
    options "${@:2}"
    printf '%s\n' "${candidates[@]}"
    return
  fi
  options "$@"
  [[ ${#candidates[@]} -gt 0 ]] || fail "no NAME=PATH"
  work=$(mktemp -d /tmp/ocirun-bench.XXXXXX)
  trap clean_up EXIT
  # Users of containers have to get through.
  chmod 755 "$work"
  trap 'exit 130' INT
  trap 'exit 143' TERM
  tools=$work/tools
  mkdir "$tools"
  make_tools
  described=$(describe_candidates)
  printf '%s. Milliseconds: median (minimum–90th percentile) of %s alternating runs.\n' "$(machine)" "$RUNS"
  report '$candidates[] | "* \(.name): \(.version)"' --null-input
  local world
  for world in "${worlds[@]}"; do measure_world "$world"; done
  if [[ -n $json ]]; then
    report '{$date, $machine, $candidates, rows: map(compared)}' --slurp --arg machine "$(machine)" \
      --arg date "$(date --utc --iso-8601=seconds)" "$work/rows" >"$json"
  fi
  if [[ -n $svg ]]; then report "chart(\"Milliseconds, $(world_title "${worlds[0]}"): shorter is faster\")" --slurp "$work/rows" >"$svg"; fi
}

main "$@"
