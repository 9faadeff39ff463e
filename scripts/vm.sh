# shellcheck shell=bash
# shellcheck disable=SC2154  # repo, out, binary and architecture are build.sh's
# Sourced by build.sh: a small virtual machine with Debian's cloud kernel, pure cgroup v2, all capabilities and a choice of security
# modules. Its whole system is an initramfs: busybox, ocirun, and what the caller adds; or, with --systemd, Debian (vm/debian.sh).

# shellcheck source=scripts/suites.sh
. "$repo/scripts/suites.sh"

vm_usage() {
  cat <<'TEXT'
Usage: ./build.sh vm [OPTION]... -- COMMAND [ARGUMENT]...

Boots a virtual machine, runs COMMAND in it as root with ocirun in its PATH, and exits with the exit code of COMMAND.

  --systemd             Debian with systemd as pid 1, its buses, Podman, AppArmor, and a user called user (1000) who is logged in for good and
                        has all controllers; otherwise busybox. Making its image needs root
  --suite SUITE         take the kernel, and with --systemd all of Debian, from this suite; by default from that of the host
  --arch ARCHITECTURE   arm64 on a host of another one: without --systemd and --lsm
  --pages 16k           with --arch arm64, and from Debian 13 on: a kernel with pages of this size, not of 4 KiB
  --lsm MODULE          activate apparmor (apparmor_parser is in PATH), selinux (no policy is loaded; permissive) or none, the default;
                        with --systemd the default is apparmor
  --file HOST[:GUEST]   put a file into the machine, at /NAME unless GUEST says where
  --dir HOST[:GUEST]    put a directory into the machine, with all that is in it
  --runtime FILE        what is called ocirun in the machine; by default the binary that `build` makes for it, made up to date
  --append ARGUMENTS    add to the kernel's command line
  --memory MEGABYTES    512 by default; 1536 with --systemd
  --timeout SECONDS     end the machine by force, with exit code 124; 120 by default
  --console             show what the kernel said, on stderr, at the end

COMMAND has an empty stdin and no network, and nothing in the machine outlives it.

The suites:
TEXT
  printf '  %s\n' "${suites[@]}"
}

vm_is_possible() { [[ $(host_architecture) == amd64 ]]; }

# --- Options -----------------------------------------------------------------------------------------------------------

vm() {
  local flavour=busybox suite='' arch='' pages='' lsm='' runtime='' append='' memory='' limit=120 console=no files=() program=()
  vm_options "$@"
  [[ -z $pages || $arch$pages == arm6416k ]] || fail "vm: --pages is 16k, for arm64"
  use_architecture "${arch:-$(host_architecture)}"
  if is_cross; then
    [[ $flavour$lsm == busyboxnone ]] || fail "vm: --systemd and --lsm are for this host's own architecture"
    ! is_ubuntu "$suite" || fail "vm: --arch is for Debian's suites; Ubuntu has other architectures elsewhere"
    need_packages "${emulator_packages[@]}" >&2
  fi
  if [[ -z $runtime ]]; then
    # Stdout belongs to the command in the machine.
    build >&2
    runtime=$binary
  fi
  vm_images "$suite" "$flavour" "$pages"
  vm_initramfs "$vm_work/initrd"
  vm_boot
}

# vm_images SUITE FLAVOUR [PAGES]: sets vm_image to a directory with vmlinuz, busybox.cpio and, if that is the flavour, debian.cpio.
vm_images() {
  local suite=$1 vm_kernel
  vm_kernel=$(suite_kernel "$suite" "$architecture")
  if [[ -n ${3:-} ]]; then vm_kernel=linux-image-$architecture-$3; fi
  vm_cache=$out/vm/$suite-$architecture${3:+-$3}
  vm_workplace
  vm_find_image
  [[ $2 == debian ]] || return 0
  # shellcheck source=scripts/vm/debian.sh
  . "$repo/scripts/vm/debian.sh"
  vm_find_debian
}

vm_options() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      --) shift; program=("$@"); break ;;
      --console) console=yes; shift; continue ;;
      --systemd) flavour=debian; shift; continue ;;
      --help) vm_usage; exit 0 ;;
      --suite | --arch | --pages | --lsm | --file | --dir | --runtime | --append | --memory | --timeout) [[ $# -gt 1 ]] || fail "vm: $1 needs a value" ;;
      *) vm_usage >&2; fail "vm: unknown option $1; the command comes after --" ;;
    esac
    case $1 in
      --suite) suite=$2 ;;
      --arch) arch=$2 ;;
      --pages) pages=$2 ;;
      --lsm) lsm=$2 ;;
      --file) [[ -f ${2%%:*} ]] || fail "vm: --file: there is no file ${2%%:*}"; files+=("$2") ;;
      --dir) [[ -d ${2%%:*} ]] || fail "vm: --dir: there is no directory ${2%%:*}"; files+=("$2") ;;
      --runtime) runtime=$2 ;;
      --append) append=$2 ;;
      --memory) memory=$2 ;;
      --timeout) limit=$2 ;;
    esac
    shift 2
  done
  if [[ $flavour == debian ]]; then : "${lsm:=apparmor}" "${memory:=1536}"; fi
  : "${lsm:=none}" "${memory:=512}"
  : "${suite:=$(vm_host_suite)}"
  need_suite vm "$suite"
  case $lsm in none | apparmor | selinux) ;; *) fail "vm: --lsm is apparmor, selinux or none, not $lsm" ;; esac
  [[ ${#program[@]} -gt 0 ]] || { vm_usage >&2; fail "vm: no command"; }
}

# Everything this run needs for itself lies here, and is gone afterwards.
vm_workplace() {
  mkdir -p "$vm_cache"
  # A run that was killed could not clean up.
  find "$vm_cache" -maxdepth 1 -name 'run.*' -mmin +60 -exec rm -rf {} +
  vm_work=$(mktemp -d "$vm_cache/run.XXXXXX")
  trap 'rm -rf "$vm_work"' EXIT
  # Of what goes into the machine; files of the caller keep their mode.
  umask 022
}

# --- The image: kernel and base system, cached by what they are made from -----------------------------------------------

vm_find_image() {
  local offer=$vm_cache/offer kernel
  # Asking apt takes seconds, and the answer changes only with the package lists.
  if [[ ! $offer -nt /var/lib/apt/lists || ! $offer -nt $repo/scripts/vm.sh || ! $offer -nt $repo/scripts/suites.sh ]]; then
    vm_ask_apt "$offer"
  fi
  kernel=$(sed -n 's/^Depends: .*\(linux-image-[0-9][^ ,]*\).*/\1/p' "$offer")
  [[ -n $kernel ]] || fail "apt's $vm_kernel names no kernel; see $offer"
  vm_image=$vm_cache/${kernel#linux-image-}-$(
    { dpkg-query --show busybox-static libc6 && cat "$offer" "$repo"/scripts/{vm,suites}.sh "$repo"/scripts/vm/*; } | sha256sum | cut -c 1-12
  )
  if [[ -d $vm_image ]]; then return; fi
  quietly "Making the virtual machine's image from $kernel" vm_make_image "$kernel" >&2
}

# linux-image-cloud-amd64 only depends on the newest kernel, for example linux-image-6.1.0-42-cloud-amd64, and has its version.
vm_ask_apt() {
  # Lists of one's own are nobody else's to refresh.
  if ! vm_is_hosts || ! vm_offer "$vm_work/offer"; then
    quietly "Refreshing the package lists for $suite, $architecture" vm_refresh >&2
    vm_offer "$vm_work/offer" || fail "no package source offers $vm_kernel and $(vm_extras)"
  fi
  mv "$vm_work/offer" "$1"
}

vm_host_suite() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# Whether the packages are those of this host.
vm_is_hosts() { ! is_cross && [[ $suite == "$(vm_host_suite)" ]]; }

# What the image takes from packages, beside the kernel. What is installed here is of no use to another architecture; bash is for the demo.
vm_extras() { if is_cross; then echo busybox-static bash-static; else echo apparmor; fi }

# Fails unless all packages are known; apt-cache itself does not.
vm_offer() {
  local extras show=(apt-cache show --no-all-versions)
  read -ra extras <<<"$(vm_extras)"
  {
    vm_apt "${show[@]}" "$vm_kernel" || :
    vm_extra_apt "${show[@]}" "${extras[@]}" || :
  } 2>/dev/null | sed -n '/^\(Package\|Version\|Depends\): /p' >"$1"
  [[ $(grep -c '^Package: ' "$1") == $((1 + ${#extras[@]})) ]]
}

vm_refresh() { if vm_is_hosts; then as_root apt-get update; else vm_apt apt-get update; fi }

# vm_apt PROGRAM [ARGUMENT]...: for another architecture or suite with lists of its own: neither the host's apt nor its dpkg need know it.
# Signed they must be, but a mirror that stands still is as good as any.
vm_apt() {
  local own=$vm_cache/apt keyring
  if vm_is_hosts; then "$@"; return; fi
  if [[ ! $own/conf -nt $repo/scripts/suites.sh ]]; then
    mkdir -p "$own"
    : >"$own/status"
    keyring=$(suite_keyring "$suite")
    printf 'deb [signed-by=%s] %s %s %s\n' "$keyring" "$(suite_mirror "$suite")" "$suite" "$(suite_components "$suite")" >"$own/sources"
    printf '%s "%s";\n' Dir::State "$own" Dir::State::status "$own/status" Dir::Cache "$own/cache" Dir::Etc::SourceList "$own/sources" \
      Dir::Etc::SourceParts - APT::Architecture "$architecture" APT::Architectures "$architecture" APT::Sandbox::User root \
      Acquire::Check-Valid-Until false >"$own/conf"
  fi
  APT_CONFIG=$own/conf "$@"
}

# vm_extra_apt PROGRAM [ARGUMENT]...: for what runs beside the kernel and is linked to this host's libraries, where it can run here.
vm_extra_apt() { if is_cross; then vm_apt "$@"; else "$@"; fi }

vm_make_image() {
  local new=$vm_work/image packages=$vm_work/packages names
  local vm_modules=$new/modules
  mkdir -p "$new" "$packages"
  # Unpacked, not installed: a kernel or AppArmor of its own is none of this machine's business.
  read -ra names <<<"$(vm_extras)"
  (cd "$packages" && vm_extra_apt apt-get download "${names[@]}")
  # In later suites the package has only dependencies.
  mapfile -t names < <(vm_apt apt-cache depends "$1" | grep -o 'linux-\(binary\|modules\)-.*')
  (cd "$packages" && vm_apt apt-get download "$1" "${names[@]}")
  local package
  for package in "$packages"/*.deb; do dpkg-deb --extract "$package" "$packages"; done
  cp "$(find "$packages" -name 'vmlinuz*')" "$new/vmlinuz"
  vm_collect_modules "$packages"
  vm_base_system "$vm_work/base" "$packages"
  vm_archive "$vm_work/base" >"$new/busybox.cpio"
  # Only complete images get the name; older ones have had their time.
  find "$vm_cache" -mindepth 1 -maxdepth 1 -type d ! -name 'run.*' ! -name apt -exec rm -rf {} +
  mv -T "$new" "$vm_image"
}

# vm_collect_modules UNPACKED: into vm_modules, what the kernel does not have built in, and what containers or their tests need.
vm_collect_modules() {
  local module
  mkdir "$vm_modules"
  vm_collect_module "$1" overlay
  # These some have built in.
  for module in loop bfq crc32c_generic crc16 mbcache jbd2 ext4; do vm_collect_module "$1" "$module" || :; done
  # With those criu looks at sockets and holds connections; in an order in which each finds what it needs.
  for module in {unix,inet,tcp,udp,raw,netlink,af_packet}_diag tun veth libcrc32c nfnetlink nf_tables nf_defrag_ipv4 nf_defrag_ipv6 \
    nf_conntrack nf_conntrack_netlink; do
    if vm_collect_module "$1" "$module"; then echo "$module"; fi
  done >"$vm_modules/criu"
}

# vm_collect_module UNPACKED NAME: fails where the kernel needs no such module.
vm_collect_module() {
  local file
  file=$(find "$1" -path '*/kernel/*' -name "$2.ko*")
  case $file in
    *.zst) zstd --quiet --decompress --stdout "$file" >"$vm_modules/$2.ko" ;;
    *.xz) xz --decompress --stdout "$file" >"$vm_modules/$2.ko" ;;
    *.ko) cp "$file" "$vm_modules" ;;
    *) return 1 ;;
  esac
}

# vm_base_system DIRECTORY UNPACKED: busybox under all its names, apparmor_parser with its libraries, kernel modules, and init.
vm_base_system() {
  local base=$1 unpacked=$2
  mkdir -p "$base"/{usr/bin,usr/sbin,usr/lib,usr/lib64,dev,proc,sys,run,tmp,mnt,root,etc/apparmor,var,vm}
  # As in Debian.
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$base"
  if is_cross; then
    # In /bin or /usr/bin.
    vm_add_busybox "$base/usr/bin" "$(find "$unpacked" -path '*/bin/busybox')"
    install -m 755 "$(find "$unpacked" -path '*/bin/bash-static')" "$base/usr/bin/bash"
  else
    vm_add_busybox "$base/usr/bin"
    vm_add_program "$unpacked/sbin/apparmor_parser" "$base" apparmor_parser
    : >"$base/etc/apparmor/parser.conf"
  fi
  ln -s /usr/bin "$base/vm/busybox"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >"$base/etc/passwd"
  printf 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' >"$base/etc/group"
  vm_add_init "$base"
}

# vm_add_busybox DIRECTORY [FILE]: under all its names, which for one of another architecture this host's tells.
# /vm/busybox is where checks take it from.
vm_add_busybox() {
  local applet
  install -D -m 755 -t "$1" "${2:-/bin/busybox}"
  for applet in $(/bin/busybox --list); do
    [[ $applet == busybox ]] || ln -s busybox "$1/$applet"
  done
}

# vm_add_init DIRECTORY: what makes a root file system boot, and the command run.
vm_add_init() {
  install -D -m 644 -t "$1/usr/lib/modules" "$vm_modules"/*
  install -m 755 "$repo/scripts/vm/init" "$1/init"
  install -D -m 755 "$repo/scripts/vm/run" "$1/vm/run"
}

# vm_add_program FILE BASE NAME: into usr/sbin, with the libraries it is linked to, if any.
vm_add_program() {
  local library
  install -D -m 755 "$1" "$2/usr/sbin/$3"
  for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
    install -D -m 755 "$library" "$2/usr${library#/usr}"
  done
}

# vm_archive DIRECTORY: as the kernel unpacks it. Owners stay what they are for root, who may need others in a test.
vm_archive() {
  local owner=()
  if [[ $EUID -ne 0 ]]; then owner=(--owner=+0:+0); fi
  (cd "$1" && find . -mindepth 1 -print0 | sort -z | cpio --quiet --null --create --format=newc "${owner[@]}")
}

# --- One run -------------------------------------------------------------------------------------------------------------

# The kernel unpacks one archive after the other, so that the base stays as it is and only this run's additions are packed.
vm_initramfs() {
  local added=$vm_work/added entry guest
  mkdir -p "$added/vm"
  vm_add_program "$runtime" "$added" ocirun
  for entry in ${files[@]+"${files[@]}"}; do
    guest=/$(basename "${entry%%:*}")
    if [[ $entry == *:* ]]; then guest=$(vm_real_path "${entry#*:}"); fi
    mkdir -p "$added$(dirname "$guest")"
    cp -aT "${entry%%:*}" "$added$guest"
  done
  { printf 'exec'; printf " '%s'" "${program[@]//\'/\'\\\'\'}"; echo; } >"$added/vm/command"
  { cat "$vm_image/$flavour.cpio"; vm_archive "$added"; } >"$1"
  rm -rf "$added"
}

# What an archive brings replaces what was there before it: a directory called bin the symlink.
vm_real_path() {
  case /${1#/} in
    /bin/* | /sbin/* | /lib/* | /lib64/*) printf '/usr' ;;
  esac
  printf '/%s' "${1#/}"
}

vm_kernel_arguments() {
  # Quiet and without what costs boot time under emulation; a panic ends the machine at once.
  printf '%s ' console=ttyS0 panic=-1 mitigations=off random.trust_cpu=on
  [[ $architecture != amd64 ]] || printf '%s ' reboot=t tsc=reliable no_timer_check
  [[ $console == yes ]] || printf 'quiet '
  local minor=landlock,lockdown,yama,loadpin,safesetid,integrity
  case $lsm in
    apparmor) printf '%s ' "lsm=$minor,apparmor,bpf" apparmor=1 ;;
    selinux) printf '%s ' "lsm=$minor,selinux,bpf" selinux=1 enforcing=0 ;;
    *) printf '%s ' "lsm=$minor,bpf" ;;
  esac
  printf '%s' "$append"
}

vm_boot() {
  local readers=() status=0 port serial=() machine uart
  vm_machine
  mkfifo "$vm_work/stdout" "$vm_work/stderr"
  for port in console stdout stderr status; do
    serial+=(-chardev "file,id=$port,path=$vm_work/$port" -device "$uart,chardev=$port")
  done
  # If this script is killed, all it has started dies, too; qemu with timeout.
  setpriv --pdeathsig KILL cat "$vm_work/stdout" &
  readers+=($!)
  setpriv --pdeathsig KILL cat "$vm_work/stderr" >&2 &
  readers+=($!)
  # In one thread, both processors by turns: with two QEMU 7.2 now and then executes what the other processor has just replaced (Linux 6.12
  # panicked in a jump label), and takes longer.
  setpriv --pdeathsig KILL timeout --foreground --kill-after=5 "$limit" setpriv --pdeathsig KILL \
    "${machine[@]}" -accel tcg,thread=single -smp 2 -m "$memory" \
    -nodefaults -no-user-config -no-reboot -display none -nic none "${serial[@]}" \
    -kernel "$vm_image/vmlinuz" -initrd "$vm_work/initrd" -append "$(vm_kernel_arguments)" </dev/null >"$vm_work/qemu.log" 2>&1 || status=$?
  # A qemu that never opened its end would leave the readers waiting for it.
  : <>"$vm_work/stdout" <>"$vm_work/stderr"
  wait "${readers[@]}"
  vm_result "$status"
}

# vm_machine: sets machine to the emulator with its hardware, uart to serial ports of which Linux calls the first one ttyS0.
vm_machine() {
  case $architecture in
    amd64) machine=(qemu-system-x86_64 -cpu "max,la57=off" -M "q35,smm=off") uart=isa-serial ;;
    # The architecture's own way of authenticating pointers takes longer to emulate than all else.
    arm64) machine=(qemu-system-aarch64 -cpu "max,pauth-impdef=on" -M virt) uart=pci-serial ;;
  esac
}

# vm_result STATUS-OF-QEMU
vm_result() {
  if [[ $console == yes ]]; then cat "$vm_work/console" >&2; fi
  local code
  code=$(cat "$vm_work/status" 2>/dev/null) || code=
  if [[ -n $code ]]; then exit "$code"; fi
  tail -n 40 "$vm_work/qemu.log" "$vm_work/console" >&2 || :
  if [[ $1 -eq 124 ]]; then
    printf 'build.sh: the virtual machine did not end within %s s and was killed\n' "$limit" >&2
    exit 124
  fi
  fail "the virtual machine ended without a result (qemu: $1)"
}
