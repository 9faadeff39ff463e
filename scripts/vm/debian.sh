# shellcheck shell=bash
# shellcheck disable=SC2154  # repo, vm_work and vm_image are the callers'
# Sourced by vm.sh: the virtual machine's second flavour, a Debian root file system with systemd. It, too, is an initramfs: that needs no
# disk, no file system to check, and each run begins with the same state.

# What engines and tests use: both buses, logind for the user's session, id maps for its containers, Podman with its network, Buildah.
vm_debian_packages=(
  systemd systemd-sysv dbus dbus-user-session libpam-systemd apparmor uidmap
  podman buildah crun netavark slirp4netns iproute2 procps kmod busybox-static
)

# Makes $vm_image/debian.cpio unless it is there.
vm_find_debian() {
  if [[ -e $vm_image/debian.cpio ]]; then return; fi
  need_root 'vm --systemd'
  need_packages debootstrap >&2
  quietly "Making the virtual machine's Debian (some minutes)" vm_make_debian >&2
}

vm_make_debian() {
  local root=$vm_work/debian packages vm_modules=$vm_image/modules
  printf -v packages '%s,' "${vm_debian_packages[@]}"
  # The suite that the kernel is of, from debootstrap's own mirror.
  debootstrap --variant=minbase --include="$packages" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root"
  vm_slim "$root"
  vm_configure "$root"
  vm_add_init "$root"
  vm_add_busybox "$root/vm/busybox"
  vm_archive "$root" >"$vm_work/debian.cpio"
  rm -rf "$root"
  mv "$vm_work/debian.cpio" "$vm_image/debian.cpio"
}

# All of it is unpacked into memory at each boot.
vm_slim() {
  rm -rf "$1"/var/cache/apt "$1"/var/lib/apt/lists "$1"/usr/share/{doc,man,info,locale} "$1"/debootstrap
  mkdir -p "$1"/var/cache/apt/archives/partial "$1"/var/lib/apt/lists/partial
}

vm_configure() {
  local root=$1
  : >"$root/etc/fstab"
  echo vm >"$root/etc/hostname"
  install -m 644 "$repo/scripts/vm/vm-command.service" "$root/etc/systemd/system/vm-command.service"
  chroot "$root" systemctl enable vm-command.service
  chroot "$root" systemctl set-default multi-user.target
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
