#!/usr/bin/env bash
# Everything a newcomer needs: ./build.sh help
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$repo/out
# What `build` makes and all others use; --arch changes it.
binary=$out/ocirun
log=$out/build.log

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
# The SDK would otherwise insist on libicu, which a bare system lacks; nothing here depends on a locale.
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1

usage() {
  cat <<'TEXT'
Usage: ./build.sh [COMMAND]

  build [--arch arm64]
                    compile out/ocirun, one static binary (the default); for arm64, from elsewhere, out/arm64/ocirun
  demo              see a container from the inside and its life from the outside (root)
  test [FILTER]     run all tests, or those whose name contains FILTER (root)
  test unit [FILTER]
                    run the unit tests, which take seconds and need nothing but the SDK: no root, no packages, no binary
  engines [--suite SUITE] [RUNTIME] [FILTER]
                    run the tests of Podman, containerd, Docker and Buildah, with this machine's engines or with those of another Debian
                    or Ubuntu: bookworm, trixie, testing, resolute; and with out/ocirun or the program RUNTIME, such as /usr/sbin/runc: what they ask of a
                    runtime is then seen to be the engine's wish, not a habit of ocirun's (root)
  format            mend what the compiler says of the code's style
  fuzz [SECONDS] [SEED]
                    mutate configurations and plan them (600 s; the tests do it for 30), and what else comes from outside: seccomp profiles, as
                    compared with libseccomp, for a third of that, all others for a thirtieth or two
  faults [VERB [PART/PARTS]]
                    try an error, a kill and a delay at every system call of a verb, or of those whose name contains VERB, such as "exec",
                    "mounts add" or "shim"; of a verb with ten thousand points, which takes half an hour, perhaps the first of 20 parts only,
                    1/20. Each test run takes a sample (root)
  soak [SECONDS] [SEED]
                    random verbs of random containers, and of a shim's, from eight threads, with kills (1,800 s; root)
  bench [WORLD]... [OPTION]... [NAME=PATH]...
                    compare times and memory with crun and runc, or other programs, on cgroup v2 and v1, in a virtual machine, or below the
                    engines; bench --help has the worlds and options (root)
  install [PREFIX]  put the binary (as a shim, too), manual pages, completions and examples below PREFIX, /usr/local by default
  uninstall [PREFIX]
                    remove what install has put there
  package [--arch arm64] [--sign KEY]
                    make a Debian package of the same, out/ocirun_VERSION_ARCHITECTURE.deb; beside it what it is made of (.spdx.json) and
                    the checksums of both (.SHA256SUMS), signed with a key of ssh-keygen's
  reproduce         compile this commit once more, in another directory, and compare the bytes
  conformance DIR [RUNTIME]
                    run an already built checkout of opencontainers/runtime-tools, on out/ocirun or another runtime (root)
  vm [OPTION]... -- COMMAND [ARGUMENT]...
                    run a command in a virtual machine with pure cgroup v2, all capabilities, and systemd, AppArmor or SELinux if
                    asked for; vm --help has the options
  clean             remove everything that was built
  help              this text

Each command installs the packages it needs when they are missing, with apt-get or, as far as build, demo and install go, with dnf;
elsewhere it says what is missing. The .NET SDK 10, where it is neither there nor in a package, is put into out/dotnet, for this
checkout only.
TEXT
}

# --- Talking -----------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
fail() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }

# Runs a tool with its output in the log; shows the end of that only when the tool fails.
quietly() {
  local what=$1 started=$SECONDS status
  shift
  mkdir -p "$(dirname "$log")"
  say "$what"
  # Not in the condition itself: a function would go on there after what fails in it. A request to end waits for what takes none, such as an
  # installation.
  set +e
  (trap 'exit 143' TERM; set -e; "$@") >"$log" 2>&1
  status=$?
  set -e
  if ((status != 0)); then
    tail -n 60 "$log" >&2
    fail "failed after $((SECONDS - started)) s: $*  (all of its output is in $log)"
  fi
}

# The mirror of Debian that apt uses on this machine; nothing where it uses none.
debian_mirror() {
  # shellcheck disable=SC2016  # the format is apt's
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sed -n 1p
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

build_packages=(clang lld libc6-dev binutils ca-certificates)

demo_packages=(busybox-static)

# What runs the virtual machine, and what it is made of; scripts/vm.sh downloads the rest.
vm_packages=(qemu-system-x86 cpio busybox-static util-linux xz-utils zstd)

# What builds for arm64 on another machine, and what runs the result there: as a program, and in a machine.
cross_packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
emulator_packages=(qemu-user-static qemu-system-arm)

# Engines with what they call, peers to compare with, and what their tests want: of this machine, and of other Debians (scripts/engines.sh).
engine_packages=(
  busybox-static
  runc crun
  podman conmon netavark aardvark-dns iptables slirp4netns fuse-overlayfs catatonit tini
  uidmap passwd util-linux bsdutils mount iproute2 procps
  containerd containernetworking-plugins docker.io docker-registry buildah
)

# What Debian 13 and later have in packages of their own, or call instead of something else.
newer_engine_packages=(docker-cli docker-buildx passt nftables)

# What installs another Debian.
suite_packages=(mmdebstrap)

# What lists and signs what is in a package.
package_packages=(jq openssh-client)

# Tools that look at the result.
test_packages=(
  "${engine_packages[@]}"
  libseccomp2 gcc libc6-dev shellcheck
  criu python3-protobuf
  dbus-daemon systemd
  strace jq git
  zsh fish mandoc groff
  "${vm_packages[@]}" "${suite_packages[@]}" "${package_packages[@]}" checkpolicy
  "${cross_packages[@]}" "${emulator_packages[@]}"
)

conformance_packages=(util-linux)

# The container's program, and what compiles it and the tracer.
fault_packages=(busybox-static util-linux)

bench_packages=(busybox-static util-linux gcc libc6-dev jq)
bench_engine_packages=(podman conmon netavark containerd docker.io iproute2 curl)

# What the SDK is fetched with, and what it needs itself; OpenSSL comes with the certificates.
sdk_packages=(curl ca-certificates libstdc++6)

# need_packages NAME...: as Debian names them.
need_packages() {
  local missing
  if policy_was_left; then as_root rm -f "$policy"; fi
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  case $(package_manager) in
    apt)
      quietly "Refreshing the package lists" as_root apt-get update
      quietly "Installing ${missing[*]}" install_without_services "${missing[@]}"
      ;;
    dnf) quietly "Installing ${missing[*]}" as_root dnf install -y --setopt=install_weak_deps=False "${missing[@]}" ;;
    *) fail "these are missing, and there is neither apt-get nor dnf to install them with: ${missing[*]}
Please install them, or what is called otherwise here, and run build.sh again." ;;
  esac
}

need_test_packages() {
  need_packages "${build_packages[@]}" "${test_packages[@]}"
  if is_offered docker-cli; then need_packages "${newer_engine_packages[@]}"; fi
}

package_manager() {
  if command -v dpkg-query >/dev/null; then
    echo apt
  elif command -v dnf >/dev/null; then
    echo dnf
  fi
}

missing_packages() {
  local package program
  for package in "$@"; do
    case $(package_manager) in
      apt) [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package" ;;
      dnf) package=$(fedora_name "$package"); rpm --quiet -q --whatprovides "$package" || printf '%s\n' "$package" ;;
      # Libraries cannot be looked for; the linker names one that is missing.
      *) program=$(program_of "$package"); [[ -z $program ]] || command -v "$program" >/dev/null || printf '%s\n' "$package" ;;
    esac
  done
}

fedora_name() {
  case $1 in
    libc6-dev) echo glibc-static ;;
    libstdc++6) echo libstdc++ ;;
    busybox-static) echo busybox ;;
    xz-utils) echo xz ;;
    *) echo "$1" ;;
  esac
}

# The program that tells whether a package is there; nothing for a library.
program_of() {
  case $1 in
    lld) echo ld.lld ;;
    binutils) echo objcopy ;;
    busybox-static) echo busybox ;;
    util-linux) echo unshare ;;
    xz-utils) echo xz ;;
    gcc-aarch64-linux-gnu) echo aarch64-linux-gnu-gcc ;;
    qemu-user-static) echo qemu-aarch64-static ;;
    qemu-system-x86) echo qemu-system-x86_64 ;;
    qemu-system-arm) echo qemu-system-aarch64 ;;
    ca-certificates | lib*) ;;
    *) echo "$1" ;;
  esac
}

# What forbids packages like containerd to start a daemon when they are installed.
policy=/usr/sbin/policy-rc.d policy_mark='# There while build.sh installs packages; process '

# policy_was_left: by an installation of ours that could not clear up, because it was killed.
policy_was_left() {
  local installer
  [[ -e $policy ]] || return
  installer=$(sed -n "s/^$policy_mark//p" "$policy")
  [[ -n $installer && ! -e /proc/$installer ]]
}

# In a shell of its own, which clears up when it ends; not before apt-get has ended, which takes no request to: half an installation is worse
# than a late end.
install_without_services() (
  trap '' TERM
  trap 'exit 130' INT
  if [[ ! -e $policy ]]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\n%s%s\nexit 101\n' "$policy_mark" "$BASHPID" | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  # On a machine that has just been started another apt-get may be at work.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
)

need_dotnet() {
  local place
  for place in "${DOTNET_ROOT:-}" "$(login_home)/.dotnet" /usr/share/dotnet /usr/lib/dotnet /usr/lib64/dotnet "$out/dotnet"; do
    if has_sdk dotnet; then return; fi
    if [[ -n $place && -x $place/dotnet ]]; then PATH=$place:$PATH; fi
  done
  if has_sdk dotnet; then return; fi
  if is_offered dotnet-sdk-10.0; then
    need_packages dotnet-sdk-10.0
  else
    need_packages "${sdk_packages[@]}"
    # shellcheck source=scripts/sdk.sh
    . "$repo/scripts/sdk.sh"
    install_sdk
    PATH=$out/dotnet:$PATH
  fi
  has_sdk dotnet || fail "dotnet --list-sdks knows no SDK of .NET 10, although one was installed"
}

is_offered() {
  case $(package_manager) in
    apt) apt-cache show "$1" >/dev/null 2>&1 ;;
    dnf) dnf --quiet list "$1" >/dev/null 2>&1 ;;
    *) return 1 ;;
  esac
}

# The home of whoever called sudo: that is where dotnet-install.sh has put the SDK.
login_home() { getent passwd "${SUDO_USER:-$(id -un)}" | cut -d: -f6; }

has_sdk() { command -v "$1" >/dev/null && "$1" --list-sdks 2>/dev/null | grep -q '^1[0-9]\.'; }

need_root() { [[ $EUID -eq 0 ]] || fail "\`$1\` makes real containers and needs root: sudo ./build.sh $1"; }

# --- Commands ----------------------------------------------------------------------------------------------------------

# As Debian names it.
host_architecture() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
  esac
}

# What the binary is for; use_architecture changes it.
architecture=$(host_architecture)

# use_architecture ARCHITECTURE: what is for another machine than this one lies in a directory of its own, as both may be made at once.
use_architecture() {
  architecture=$1
  case $architecture in
    "$(host_architecture)") ;;
    arm64) binary=$out/arm64/ocirun log=$out/arm64/build.log ;;
    *) fail "there is no build for $architecture here: --arch is $(host_architecture) or arm64" ;;
  esac
}

is_cross() { [[ $architecture != "$(host_architecture)" ]]; }

is_up_to_date() {
  [[ -x $binary && -e $binary.assets.json ]] || return 1
  local newer
  # Directories count, too: their time changes when a file is removed or renamed.
  newer=$(find "$repo/src/OciRuntime" "$repo/src/OciRuntime.Generators" "$repo"/Directory.*.props \
    \( -name bin -o -name obj \) -prune -o -newer "$binary" -print -quit)
  [[ -z $newer ]]
}

build() {
  if is_up_to_date; then return; fi
  local started=$SECONDS options=() new=$out/publish-$architecture
  [[ $architecture == amd64 || $architecture == arm64 ]] || fail "no build for $architecture"
  # The runtime that the compiler links is for glibc.
  [[ ! -e /etc/alpine-release ]] || fail "ocirun is not built on Alpine, but what is built elsewhere runs there: it is one static file"
  need_packages "${build_packages[@]}"
  if is_cross; then
    need_packages "${cross_packages[@]}"
    # This machine's own objcopy does not know the format; and what there is to say of the code is said when it is compiled for this machine.
    options=(-p:ObjCopyName=aarch64-linux-gnu-objcopy -p:RunAnalyzers=false -p:EnforceCodeStyleInBuild=false)
  fi
  need_dotnet
  rm -rf "$new"
  # Whatever is changed from now on may not be in the binary; the directories that the compiler makes are no change.
  mkdir -p "$new" "$repo"/src/OciRuntime{,.Generators}/{bin,obj}
  touch "$new/started"
  quietly "Compiling ocirun for $architecture" dotnet publish "$repo/src/OciRuntime" -c Release -r "linux-${architecture/amd64/x64}" \
    -o "$new" "${options[@]}"
  mkdir -p "$(dirname "$binary")"
  # What it is made of, which restoring for another architecture would overwrite.
  cp "$repo/src/OciRuntime/obj/project.assets.json" "$binary.assets.json"
  if [[ -e $new/ocirun.dbg ]]; then mv "$new/ocirun.dbg" "$binary.dbg"; fi
  touch -r "$new/started" "$new/ocirun"
  # Last: it is what makes all of it up to date. Renaming replaces a binary that is in use, and never leaves half of one.
  mv "$new/ocirun" "$binary"
  rm -rf "$new"
  say "${binary#"$repo/"}: $(du -h "$binary" | cut -f1), $((SECONDS - started)) s"
}

# build [--arch ARCHITECTURE]
cmd_build() {
  take_architecture "$@"
  if is_up_to_date; then say "${binary#"$repo/"} is up to date"; else build; fi
}

# take_architecture [--arch ARCHITECTURE]: what both build and package are given.
take_architecture() {
  [[ $# -eq 0 || ($1 == --arch && $# -eq 2) ]] || fail "this takes --arch ARCHITECTURE and nothing else: $*"
  use_architecture "${2:-$(host_architecture)}"
}

cmd_demo() {
  need_root demo
  build
  need_packages "${demo_packages[@]}"
  # shellcheck source=scripts/demo.sh
  . "$repo/scripts/demo.sh"
  demo "$binary"
}

# test [FILTER] or test unit [FILTER]
cmd_test() {
  local world
  # shellcheck source=scripts/test.sh
  . "$repo/scripts/test.sh"
  # shellcheck source=scripts/engines.sh
  . "$repo/scripts/engines.sh"
  if [[ ${1:-} == unit ]]; then
    need_dotnet
    compile_tests
    run_unit_tests "${@:2}"
    report_result
    return
  fi
  need_root test
  need_dotnet
  if [[ $# -gt 0 ]]; then
    compile_tests
    need_test_packages
    build
    run_system_tests "$(filter_expression "$1")"
    report_result
    return
  fi
  # Mostly it waits for what others send.
  beside prepare_world
  world=$!
  compile_tests
  # First what takes seconds; then nobody waits twenty minutes to be told of it.
  run_unit_tests
  if ((test_status != 0)); then
    # A second try is made now, and not again at the end.
    report_result || return
    expect_result
    test_status=0
  fi
  wait "$world"
  build
  run_all_system_tests
  report_result
}

# What the system tests need besides the binary; before them, because it takes longer than a test may.
prepare_world() {
  local root log=$out/world.log
  need_test_packages
  (log=$out/engines.log; engine_root trixie) &
  root=$!
  prepare_vm
  wait "$root"
}

# engines [--suite SUITE] [RUNTIME] [FILTER]: a runtime is a path.
cmd_engines() {
  need_root engines
  # shellcheck source=scripts/engines.sh
  . "$repo/scripts/engines.sh"
  # shellcheck source=scripts/test.sh
  . "$repo/scripts/test.sh"
  engines "$@"
}

cmd_format() {
  need_dotnet
  local project
  # Of a solution it mends white space only.
  for project in "$repo"/src/*; do quietly "Formatting $(basename "$project")" dotnet format "$project" --severity warn; done
}

cmd_fuzz() {
  need_dotnet
  build
  OCIRUN_FUZZ_SECONDS=${1:-600} OCIRUN_FUZZ_SEED=${2:-} dotnet test "$repo/src/OciRuntime.Tests" -c Release --logger 'console;verbosity=detailed' \
    --filter 'FullyQualifiedName~FuzzTests|FullyQualifiedName~DifferentialTests|FullyQualifiedName~ConversationTests'
}

# faults [VERB [PART/PARTS]]
cmd_faults() {
  local part=${2:-1/1} status=0
  [[ $# -le 2 && $part =~ ^[1-9][0-9]*/[1-9][0-9]*$ && ${part%/*} -le ${part#*/} ]] || fail "faults takes a verb and a part such as 1/20, not: $*"
  need_root faults
  need_packages "${build_packages[@]}" "${fault_packages[@]}"
  need_dotnet
  build
  quietly "Compiling the tests" dotnet build "$repo/src/OciRuntime.Tests" -c Release
  say "| verb | points | hit | tolerated | clean | recovered | admitted | unclean | left | open | hanging | not met | good | time |"
  say "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
  log=$out/faults.log
  OCIRUN_SWEEP=$part OCIRUN_SWEEP_VERB=${1:-} dotnet test "$repo"/src/OciRuntime.Tests/bin/Release/net*/OciRuntime.Tests.dll \
    --filter FullyQualifiedName~Every_fault_is_survived --logger 'console;verbosity=normal' 2>&1 |
    tee "$log" | grep --line-buffered -E '^(\| |[a-z][A-Za-z -]*: ([0-9]+ of|[A-Z][a-z]+:) )' || status=$?
  # Without a verb of that name nothing is run, which is no failure of the runner's.
  grep -q '^| ' "$log" || fail "no verb's name contains ${1:-}: see the table in docs/reliability.md"
  ((status == 0)) || fail "not all is as it should be; all that was said is in $log"
}

cmd_soak() {
  need_root soak
  need_dotnet
  need_packages "${build_packages[@]}" "${test_packages[@]}"
  build
  OCIRUN_SOAK_SECONDS=${1:-1800} OCIRUN_SOAK_SEED=${2:-} dotnet test "$repo/src/OciRuntime.Tests" -c Release --filter FullyQualifiedName~SoakTests --logger 'console;verbosity=detailed'
}

cmd_bench() {
  local words=" $* " packages=("${bench_packages[@]}") named candidates=()
  if [[ $words == *' --help '* || $words == *' --list '* ]]; then exec "$repo/bench/run.sh" "$@"; fi
  need_root bench
  named=$("$repo/bench/run.sh" --check "$@")
  if [[ $words == *' engines '* ]]; then packages+=("${bench_engine_packages[@]}"); fi
  if [[ -z $named ]]; then packages+=(crun runc); fi
  need_packages "${packages[@]}"
  if [[ -z $named ]]; then
    build
    candidates=("ocirun=$binary" "crun=$(command -v crun)" "runc=$(command -v runc)")
  fi
  # Its own process, so that a signal meets what clears up.
  exec "$repo/bench/run.sh" "$@" "${candidates[@]}"
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
  "${remove[@]}" "$prefix"/bin/ocirun "$prefix"/bin/containerd-shim-ocirun-v2 \
    "$prefix"/share/man/man8/ocirun.8 "$prefix"/share/man/man8/ocirun-*.8 "$prefix/share/doc/ocirun" \
    "$prefix/$(completion_path bash)" "$prefix/$(completion_path zsh)" "$prefix/$(completion_path fish)"
}

# package [--arch ARCHITECTURE] [--sign KEY]: the last line is the package.
cmd_package() {
  local key="" others=() version deb
  while (($# > 0)); do
    if [[ $1 == --sign && $# -gt 1 ]]; then
      key=$(realpath "$2")
      shift
    else
      others+=("$1")
    fi
    shift
  done
  take_architecture "${others[@]}"
  [[ -z $key || -r $key ]] || fail "$key: there is no such key, or it is another's"
  need_packages "${package_packages[@]}" >&2
  build
  SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repo" log -1 --format=%ct)}
  export SOURCE_DATE_EPOCH
  umask 022
  version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$repo/Directory.Build.props")
  deb=$out/ocirun_${version}_$architecture.deb
  # shellcheck source=scripts/package.sh
  . "$repo/scripts/package.sh"
  # shellcheck source=scripts/supply.sh
  . "$repo/scripts/supply.sh"
  package_deb "$version" "$deb"
  sbom "$version" >"${deb%.deb}.spdx.json"
  echo "${deb%.deb}.spdx.json"
  sign_checksums "$key" "${deb%.deb}.SHA256SUMS" "$deb" "${deb%.deb}.spdx.json"
  echo "$deb"
}

cmd_reproduce() {
  # It says of which commit it is, which may be an older one with the same sources.
  rm -f "$binary"
  build
  # shellcheck source=scripts/supply.sh
  . "$repo/scripts/supply.sh"
  reproduce
}

# install_file MODE FILE TARGET: a file, or a link; as root when the place is not one's own.
install_file() {
  local directory put=(install -D -m "$1" "$2" "$3")
  if [[ -L $2 ]]; then put=(cp --no-dereference --remove-destination "$2" "$3"); fi
  directory=$(dirname "$3")
  if mkdir -p "$directory" 2>/dev/null && [[ -w $directory ]]; then "${put[@]}"; else as_root "${put[@]}"; fi
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

# What the tests take, at once, each in a shell of its own, which clears up after itself when it ends.
prepare_vm() (
  # shellcheck source=scripts/vm.sh
  . "$repo/scripts/vm.sh"
  vm_is_possible || return 0
  local suite making=()
  for suite in bookworm trixie; do
    (log=$out/vm-$suite.log vm_images "$suite" debian) &
    making+=($!)
  done
  for suite in "${making[@]}"; do wait "$suite"; done
)

# The same of the binary for arm64, and the machine that runs it.
prepare_arm64() (
  # shellcheck source=scripts/vm.sh
  . "$repo/scripts/vm.sh"
  vm_is_possible || return 0
  use_architecture arm64
  build
  vm_images bookworm busybox
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
    build | demo | test | engines | format | fuzz | faults | soak | bench | install | uninstall | package | reproduce | conformance | vm | clean) "cmd_$command" "$@" ;;
    help | -h | --help) usage ;;
    *)
      usage >&2
      fail "unknown command: $command"
      ;;
  esac
}

main "$@"
