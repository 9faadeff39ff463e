#!/usr/bin/env bash
# Everything a newcomer needs: ./build.sh help
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$repo/out
binary=$out/ocirun
log=$out/build.log

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
# The SDK would otherwise insist on libicu, which a bare system lacks; nothing here depends on a locale.
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1

usage() {
  cat <<'TEXT'
Usage: ./build.sh [COMMAND]

  build             compile out/ocirun, one static binary (the default)
  demo              see a container from the inside and its life from the outside (root)
  test [FILTER]     run the tests, or those whose name contains FILTER (root)
  engines [RUNTIME] [FILTER]
                    run the tests of Podman, containerd, Docker and Buildah with another runtime, such as /usr/sbin/runc: what they
                    ask of a runtime is then seen to be the engine's wish, not a habit of ocirun's (root)
  fuzz [SECONDS] [SEED]
                    mutate configurations and plan them (600 s; the tests do it for 30)
  bench             compare start-up and launch times with crun and runc (root)
  install [PREFIX]  put the binary, the manual pages, the completions of bash, zsh and fish and examples below PREFIX, /usr/local by default
  uninstall [PREFIX]
                    remove what install has put there
  package           make a Debian package of the same: out/ocirun_VERSION_ARCHITECTURE.deb
  conformance DIR [RUNTIME]
                    run an already built checkout of opencontainers/runtime-tools, on out/ocirun or another runtime (root)
  vm [OPTION]... -- COMMAND [ARGUMENT]...
                    run a command in a virtual machine with pure cgroup v2, all capabilities, and systemd, AppArmor or SELinux if
                    asked for; vm --help has the options
  clean             remove everything that was built
  help              this text

Each command installs the Debian packages it needs when they are missing.
The .NET SDK 10 is the one thing to bring along; build.sh says how when it is not there.
TEXT
}

# --- Talking -----------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
fail() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }

# Runs a tool with its output in the log; shows the end of that only when the tool fails.
quietly() {
  local what=$1 started=$SECONDS
  shift
  mkdir -p "$out"
  say "$what"
  if ! "$@" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    fail "failed after $((SECONDS - started)) s: $*  (all of its output is in $log)"
  fi
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this needs root and there is no sudo: $*"
  fi
}

# --- What has to be there ----------------------------------------------------------------------------------------------

build_packages=(clang lld zlib1g-dev binutils ca-certificates)

demo_packages=(busybox-static)

# What runs the virtual machine, and what it is made of; scripts/vm.sh downloads the rest.
vm_packages=(qemu-system-x86 cpio busybox-static util-linux)

# Root file systems, peers to compare with, clients with what they call, and tools that look at the result.
test_packages=(
  busybox-static
  runc crun
  podman conmon netavark aardvark-dns iptables slirp4netns fuse-overlayfs catatonit tini
  uidmap passwd
  containerd containernetworking-plugins docker.io docker-registry buildah
  libseccomp2 gcc libc6-dev
  criu python3-protobuf
  dbus-daemon systemd
  strace jq procps util-linux git iproute2
  zsh fish mandoc groff
  "${vm_packages[@]}" checkpolicy
)

conformance_packages=(util-linux)

bench_packages=(busybox-static runc crun util-linux gcc libc6-dev)

missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
  done
}

need_packages() {
  local missing
  # Other distributions bring their own packages; the tools themselves complain when something is missing.
  command -v dpkg-query >/dev/null || return 0
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  quietly "Refreshing the package lists" as_root apt-get update
  quietly "Installing ${missing[*]}" install_without_services "${missing[@]}"
}

# Packages like containerd start a daemon when installed, unless policy-rc.d forbids it.
install_without_services() {
  local policy=/usr/sbin/policy-rc.d ours=no status=0
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    ours=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" || status=$?
  [[ $ours == no ]] || as_root rm -f "$policy"
  return "$status"
}

need_dotnet() {
  local place
  for place in "${DOTNET_ROOT:-}" "$(login_home)/.dotnet" /usr/share/dotnet /usr/lib/dotnet; do
    if has_sdk dotnet; then return; fi
    if [[ -n $place && -x $place/dotnet ]]; then PATH=$place:$PATH; fi
  done
  if has_sdk dotnet; then return; fi
  if apt-cache show dotnet-sdk-10.0 >/dev/null 2>&1; then
    quietly "Installing dotnet-sdk-10.0" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends dotnet-sdk-10.0
    if has_sdk dotnet; then return; fi
  fi
  fail "the .NET SDK 10 is missing, and no package source offers dotnet-sdk-10.0. Either
    curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0      (to ~/.dotnet, found from there)
or add Microsoft's package source and run build.sh again:
    curl -sSLO https://packages.microsoft.com/config/debian/12/packages-microsoft-prod.deb
    sudo dpkg -i packages-microsoft-prod.deb && sudo apt-get update"
}

# The home of whoever called sudo: that is where dotnet-install.sh has put the SDK.
login_home() { getent passwd "${SUDO_USER:-$(id -un)}" | cut -d: -f6; }

has_sdk() { command -v "$1" >/dev/null && "$1" --list-sdks 2>/dev/null | grep -q '^1[0-9]\.'; }

need_root() { [[ $EUID -eq 0 ]] || fail "\`$1\` makes real containers and needs root: sudo ./build.sh $1"; }

# --- Commands ----------------------------------------------------------------------------------------------------------

runtime_identifier() {
  case $(uname -m) in
    x86_64) echo linux-x64 ;;
    aarch64) echo linux-arm64 ;;
    *) fail "no build for $(uname -m)" ;;
  esac
}

is_up_to_date() {
  [[ -x $binary ]] || return 1
  local newer
  # Directories count, too: their time changes when a file is removed or renamed.
  newer=$(find "$repo/src/OciRuntime" "$repo"/Directory.*.props \
    \( -name bin -o -name obj \) -prune -o -newer "$binary" -print -quit)
  [[ -z $newer ]]
}

build() {
  if is_up_to_date; then return; fi
  need_packages "${build_packages[@]}"
  need_dotnet
  local started=$SECONDS rid
  rid=$(runtime_identifier)
  quietly "Compiling ocirun" dotnet publish "$repo/src/OciRuntime" -c Release -r "$rid" -o "$out/publish"
  # Renaming replaces a binary that is in use, and never leaves half of one.
  mv "$out/publish/ocirun" "$binary"
  if [[ -e $out/publish/ocirun.dbg ]]; then mv "$out/publish/ocirun.dbg" "$out/ocirun.dbg"; fi
  rm -rf "$out/publish"
  touch "$binary"
  say "out/ocirun: $(du -h "$binary" | cut -f1), $((SECONDS - started)) s"
}

cmd_build() {
  if is_up_to_date; then say "out/ocirun is up to date"; else build; fi
}

cmd_demo() {
  need_root demo
  build
  need_packages "${demo_packages[@]}"
  # shellcheck source=scripts/demo.sh
  . "$repo/scripts/demo.sh"
  demo "$binary"
}

cmd_test() {
  need_root test
  # shellcheck source=scripts/test.sh
  . "$repo/scripts/test.sh"
  need_packages "${build_packages[@]}" "${test_packages[@]}"
  need_dotnet
  build
  # Before, because it takes longer than a test may; not when others are asked for.
  if [[ $# -eq 0 ]]; then prepare_vm; fi
  run_tests "$@"
}

# crun refuses a host with v1 controllers and a cgroup2 mount beside them; without the latter it takes part.
cmd_engines() {
  need_root engines
  local runtime=${1:-$binary} launcher=()
  need_packages "${build_packages[@]}" "${test_packages[@]}"
  need_dotnet
  build
  quietly "Compiling the tests" dotnet build "$repo/src/OciRuntime.Tests" -c Release
  if [[ $(basename "$runtime") == crun && -d /sys/fs/cgroup/unified ]]; then
    # shellcheck disable=SC2016  # for the inner shell
    launcher=(unshare --mount sh -c 'umount -l /sys/fs/cgroup/unified; exec "$0" "$@"')
  fi
  RT=$(realpath "$runtime") "${launcher[@]}" dotnet test "$repo/src/OciRuntime.Tests" --no-build -c Release \
    --filter "FullyQualifiedName~OciRuntime.Tests.Clients${2:+&FullyQualifiedName~$2}" --logger 'console;verbosity=normal'
}

cmd_fuzz() {
  need_dotnet
  build
  OCIRUN_FUZZ_SECONDS=${1:-600} OCIRUN_FUZZ_SEED=${2:-} dotnet test "$repo/src/OciRuntime.Tests" -c Release --filter FullyQualifiedName~ConfigFuzzTests --logger 'console;verbosity=detailed'
}

cmd_bench() {
  need_root bench
  build
  need_packages "${bench_packages[@]}"
  "$repo/bench/run.sh" "$binary"
}

cmd_install() {
  local prefix=${1:-/usr/local} stage=$out/stage file mode
  build
  # shellcheck source=scripts/package.sh
  . "$repo/scripts/package.sh"
  say "installing below $prefix"
  stage "$stage" "$prefix"
  for file in $(staged_files "$stage"); do
    mode=644
    if [[ -x $stage/$file ]]; then mode=755; fi
    install_file $mode "$stage/$file" "$prefix/$file"
  done
  rm -rf "$stage"
}

# The names that install gives, whatever this version's commands are.
cmd_uninstall() {
  local prefix=${1:-/usr/local} remove=(rm -rf)
  [[ -w $prefix/bin ]] || remove=(as_root rm -rf)
  # shellcheck source=scripts/package.sh
  . "$repo/scripts/package.sh"
  say "removing from below $prefix"
  "${remove[@]}" "$prefix"/bin/ocirun "$prefix"/share/man/man8/ocirun.8 "$prefix"/share/man/man8/ocirun-*.8 "$prefix/share/doc/ocirun" \
    "$prefix/$(completion_path bash)" "$prefix/$(completion_path zsh)" "$prefix/$(completion_path fish)"
}

cmd_package() {
  build
  # shellcheck source=scripts/package.sh
  . "$repo/scripts/package.sh"
  package_deb
}

# install_file MODE FILE TARGET: as root when the place is not one's own.
install_file() {
  local directory
  directory=$(dirname "$3")
  if mkdir -p "$directory" 2>/dev/null && [[ -w $directory ]]; then
    install -m "$1" "$2" "$3"
  else
    as_root install -D -m "$1" "$2" "$3"
  fi
}

cmd_conformance() {
  need_root conformance
  [[ -d ${1:-}/validation ]] || fail "conformance needs the directory of a built checkout of runtime-tools"
  local runtime=${2:-$binary}
  if [[ $runtime == "$binary" ]]; then build; fi
  need_packages "${conformance_packages[@]}"
  # shellcheck source=scripts/conformance.sh
  . "$repo/scripts/conformance.sh"
  conformance "$(realpath "$runtime")" "$1"
}

# In a shell of its own, which clears up after itself when it ends.
prepare_vm() (
  # shellcheck source=scripts/vm.sh
  . "$repo/scripts/vm.sh"
  if vm_is_possible; then vm_images debian; fi
)

cmd_vm() {
  # shellcheck source=scripts/vm.sh
  . "$repo/scripts/vm.sh"
  vm_is_possible || fail "the virtual machine is for x86_64"
  need_packages "${vm_packages[@]}" >&2
  vm "$@"
}

cmd_clean() {
  rm -rf "$out" "$repo"/src/*/bin "$repo"/src/*/obj
  say "clean"
}

main() {
  local command=${1:-build}
  [[ $# -eq 0 ]] || shift
  case $command in
    build | demo | test | engines | fuzz | bench | install | uninstall | package | conformance | vm | clean) "cmd_$command" "$@" ;;
    help | -h | --help) usage ;;
    *)
      usage >&2
      fail "unknown command: $command"
      ;;
  esac
}

main "$@"
