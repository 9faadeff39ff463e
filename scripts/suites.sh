# shellcheck shell=bash
# shellcheck disable=SC2154  # repo and out are build.sh's
# Sourced by engines.sh and vm.sh: the releases of Debian and Ubuntu whose engines and kernels the tests run with, and where they come from.

# What they bring.
suites=(
  'bookworm  Debian 12: Linux 6.1, systemd 252, Podman 4.3, containerd 1.6, Docker 20.10, criu 3.17'
  'trixie    Debian 13: Linux 6.12, systemd 257, Podman 5.4, containerd 1.7, Docker 26.1, criu 4.1'
  'testing   what comes after them: in November 2026 Linux 7.2, systemd 262, Podman 5.8, containerd 2.1, Docker 28.5, criu 4.2'
  'resolute  Ubuntu 26.04: Linux 7.0, systemd 259, Podman 5.7, containerd 2.2, Docker 29.1, criu 4.2'
)

# need_suite COMMAND SUITE
need_suite() { [[ " ${suites[*]%% *} " == *" $2 "* ]] || fail "$1: --suite is one of ${suites[*]%% *}, not $2"; }

is_ubuntu() { [[ $1 == resolute ]]; }

# Where the host's apt uses no mirror of Debian's, the one that leads to all.
suite_mirror() {
  local mirror
  if is_ubuntu "$1"; then
    mirror=http://archive.ubuntu.com/ubuntu/
  else
    mirror=$(debian_mirror)
  fi
  echo "${mirror:-http://deb.debian.org/debian/}"
}

suite_components() { if is_ubuntu "$1"; then echo main universe; else echo main; fi }

# suite_keyring SUITE: with the keys that its lists are signed with; what it says beside that goes to stderr.
suite_keyring() {
  local debian=/usr/share/keyrings/debian-archive-keyring.gpg ubuntu=/usr/share/keyrings/ubuntu-archive-keyring.gpg
  if ! is_ubuntu "$1"; then
    need_packages debian-archive-keyring >&2
    echo "$debian"
  elif [[ -e $ubuntu ]]; then
    echo "$ubuntu"
  else
    fetch_ubuntu_keyring "$out/ubuntu$ubuntu" >&2
    echo "$out/ubuntu$ubuntu"
  fi
}

# fetch_ubuntu_keyring KEYRING: of Debian 13's package, which Debian 12 has not.
fetch_ubuntu_keyring() {
  local package=pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1-0.2_all.deb file=$out/ubuntu.deb
  [[ ! -e $1 ]] || return 0
  # shellcheck source=scripts/sdk.sh
  . "$repo/scripts/sdk.sh"
  need_packages curl
  quietly "Fetching Ubuntu's keys" curl --fail --silent --show-error --location --output "$file" "$(suite_mirror trixie)$package"
  check_sum sha256sum b2e7ed48431bf9e7978ae810bbdaf253093570d6e3f864e575b7c13554b81174 "$file"
  dpkg-deb --extract "$file" "$out/ubuntu"
  rm "$file"
}

# suite_kernel SUITE ARCHITECTURE: the package that depends on the newest kernel for virtual machines.
suite_kernel() { if is_ubuntu "$1"; then echo linux-image-virtual; else echo "linux-image-cloud-$2"; fi }
