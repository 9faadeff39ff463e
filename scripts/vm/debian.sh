# shellcheck shell=bash
# shellcheck disable=SC2154  # repo, suite, vm_work and vm_image are the callers'
# Sourced by vm.sh: the virtual machine's second flavour, a Debian root file system with systemd. It, too, is an initramfs: that needs no
# disk, no file system to check, and each run begins with the same state.

# What engines and tests use: both buses, logind for the user's session, id maps for its containers, Podman with its network, Buildah,
# containerd, and curl to call it with.
vm_debian_packages=(
  systemd systemd-sysv dbus dbus-user-session libpam-systemd apparmor uidmap
  podman buildah containerd crun curl netavark slirp4netns passt iproute2 procps kmod busybox-static
)

# Makes $vm_image/debian.cpio unless it is there.
vm_find_debian() {
  if [[ -e $vm_image/debian.cpio ]]; then return; fi
  need_root 'vm --systemd'
  need_packages mmdebstrap >&2
  quietly "Making the virtual machine's Debian, $suite (a minute or two)" vm_make_debian >&2
}

vm_make_debian() {
  # shellcheck disable=SC2034  # vm_modules is for vm_add_init, which is in vm.sh
  local root=$vm_work/debian libraries packages keyring components vm_modules=$vm_image/modules
  # criu itself comes below, without the Python that belongs to it in Debian 12.
  mapfile -t libraries < <(vm_apt apt-cache depends criu | sed -n 's/^ *Depends: \(lib.*\)/\1/p')
  printf -v packages '%s,' "${vm_debian_packages[@]}" "${libraries[@]}"
  keyring=$(suite_keyring "$suite")
  components=$(suite_components "$suite")
  # In half of debootstrap's time.
  mmdebstrap --mode=root --variant=minbase --keyring="$keyring" --components="${components// /,}" --include="$packages" \
    --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$root" "$(suite_mirror "$suite")"
  (cd "$vm_work" && vm_apt apt-get download criu && dpkg-deb --extract criu_*.deb "$root")
  # All of it is unpacked into memory at each boot; a third would be for the engines' own tests, shims of the past, and apt.
  rm -rf "$root"/usr/share/{doc,man,info,locale} "$root"/usr/libexec/{buildah,podman/podman-testing} \
    "$root"/usr/bin/containerd-{shim,shim-runc-v1,stress} "$root"/var/{cache,lib/apt}
  vm_configure "$root"
  vm_add_init "$root"
  vm_add_busybox "$root/vm/busybox"
  vm_archive "$root" >"$vm_work/debian.cpio"
  rm -rf "$root"
  mv "$vm_work/debian.cpio" "$vm_image/debian.cpio"
}

vm_configure() {
  local root=$1
  : >"$root/etc/fstab"
  echo vm >"$root/etc/hostname"
  install -m 644 "$repo/scripts/vm/vm-command.service" "$root/etc/systemd/system/vm-command.service"
  chroot "$root" systemctl enable vm-command.service
  chroot "$root" systemctl set-default multi-user.target
  chroot "$root" systemctl disable containerd.service
  # Nothing that takes time under emulation and changes nothing for a container; devtmpfs makes the device nodes.
  chroot "$root" systemctl mask systemd-udevd.service systemd-udev-trigger.service systemd-timesyncd.service systemd-tmpfiles-clean.timer \
    apparmor.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    podman.socket podman.service podman-restart.service podman-auto-update.service podman-auto-update.timer \
    systemd-network-generator.service systemd-networkd.service systemd-networkd-wait-online.service modprobe@.service getty@.service serial-getty@.service
  chroot "$root" useradd --create-home --uid 1000 --shell /bin/bash user
  install -D -m 644 /dev/null "$root/var/lib/systemd/linger/user"
  # systemd itself gives a user cpu, memory and pids.
  mkdir -p "$root/etc/systemd/system/user@.service.d"
  printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >"$root/etc/systemd/system/user@.service.d/delegate.conf"
}
