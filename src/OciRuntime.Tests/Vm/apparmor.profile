# For AppArmorTests: anything goes, but for one file.
profile ocirun-test flags=(attach_disconnected, mediate_deleted) {
  file,
  capability,
  network,
  mount,
  umount,
  signal,
  ptrace,
  deny /etc/passwd rw,
}
