# shellcheck shell=bash
# shellcheck disable=SC2154  # repo, out, binary and the lists of packages are build.sh's
# Sourced by build.sh, with test.sh: the engines' tests, with the engines of this machine, or with those of another Debian or Ubuntu, installed in
# a root file system of their own below out/engines.

# shellcheck source=scripts/suites.sh
. "$repo/scripts/suites.sh"

# engines [--suite SUITE] [RUNTIME] [FILTER]
engines() {
  local suite='' runtime=$binary filter=''
  engine_options "$@"
  need_dotnet
  build
  compile_tests
  export RT=$runtime
  if [[ $(basename "$RT") == crun && -d /sys/fs/cgroup/unified ]]; then
    # It refuses a host with v1 controllers and a cgroup2 mount beside them; without the latter it takes part.
    # shellcheck disable=SC2016  # for the inner shell
    test_launcher=(unshare --mount sh -c 'umount -l /sys/fs/cgroup/unified; exec "$0" "$@"')
  fi
  if [[ -n $suite ]]; then
    engine_root "$suite"
    run_engine_tests "$suite" "$(engine_filter "$filter")"
  else
    need_test_packages
    say "Testing this machine's engines"
    test_command engines "$(engine_filter "$filter")"
  fi
  report_result
}

# A path is a runtime: with a suite, one in its root.
engine_options() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      --suite) [[ $# -gt 1 ]] || fail "engines: --suite needs a value"; suite=$2; shift ;;
      -*) fail "engines: unknown option $1" ;;
      */*) runtime=$(realpath --no-symlinks --canonicalize-missing "$1") ;;
      *) filter=$1 ;;
    esac
    shift
  done
  [[ -z $suite ]] || need_suite engines "$suite"
}

engine_filter() { printf '%s' "FullyQualifiedName~OciRuntime.Tests.Clients${1:+&($(filter_expression "$1"))}"; }

# run_engine_tests SUITE FILTER: in its root, with this machine's kernel, the SDK, and the checkout. What boots a virtual machine has that one's
# engines.
run_engine_tests() {
  local sdk
  sdk=$(dirname "$(dotnet_program)")
  say "Testing $1's $(engine_versions "$out/engines/$1")"
  test_launcher+=(unshare --mount --propagation private "$repo/scripts/enter.sh" "$out/engines/$1" "$sdk" "$repo" --)
  test_command "engines-$1" "($2)&FullyQualifiedName!~RootlessSessionTests"
  test_launcher=()
}

# engine_versions ROOT: as a list of names and versions.
engine_versions() {
  dpkg-query --admindir="$1/var/lib/dpkg" --show --showformat='${Package} ${Version}, ' podman conmon buildah containerd docker.io crun runc | sed 's/, $//'
}

packages_of_suite() {
  local packages=("${engine_packages[@]}" libstdc++6 tzdata)
  if [[ $1 != bookworm ]]; then packages+=("${newer_engine_packages[@]}"); fi
  if is_ubuntu "$1"; then packages+=(tini-static); fi
  echo "${packages[*]}"
}

# engine_root SUITE: makes out/engines/SUITE, and makes it anew after a week, because a suite moves.
engine_root() {
  local root=$out/engines/$1 packages
  packages=$(packages_of_suite "$1")
  if [[ $(cat "$root.packages" 2>/dev/null) == "$packages" && -n $(find "$root.packages" -mtime -7) ]]; then return; fi
  need_packages "${suite_packages[@]}"
  quietly "Installing the engines of $1 into ${root#"$repo/"}" make_engine_root "$root" "$1" "$packages"
}

# mmdebstrap, because debootstrap takes a third more processor time for it.
make_engine_root() {
  local new=$1.new keyring components
  keyring=$(suite_keyring "$2")
  components=$(suite_components "$2")
  # One file system: what a root made halfway may have mounted stays.
  rm -rf --one-file-system "$new"
  mkdir -p "$(dirname "$new")"
  # Signed it must be, but a mirror that stands still is as good as any.
  mmdebstrap --variant=essential --keyring="$keyring" --components="${components// /,}" --include="${3// /,}" --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$2" "$new" "$(suite_mirror "$2")"
  echo '127.0.0.1 localhost' >"$new/etc/hosts"
  rm -rf --one-file-system "$1"
  mv "$new" "$1"
  printf '%s\n' "$3" >"$1.packages"
}
