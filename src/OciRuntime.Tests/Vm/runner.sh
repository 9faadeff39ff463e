# shellcheck shell=dash
# Inside the virtual machine: runs the checks whose names are given, each in its directory /checks/NAME, which is a bundle with a script
# beside config.json. Prints for each: a line with the mark and the name, what Checks.cs calls a part, the mark again, and so on.
# An emulated fork and exec takes up to 100 ms, so this uses what the shell has built in.
mark=$1
shift

# What one check may leave behind for the next.
leftovers() {
  while read -r line; do echo "mount ${line#* * * }"; done </proc/self/mountinfo
  for path in /run/ocirun/* /run/user/1000/ocirun/* /tmp/* /run/systemd/transient/*; do [ ! -e "$path" ] || echo "$path"; done
  if [ -d /run/systemd/system ]; then
    # Services come and go.
    find /sys/fs/cgroup -mindepth 1 -type d ! -path '*.service*' ! -name '*.mount'
    return
  fi
  for path in /sys/fs/cgroup/*/ /sys/fs/cgroup/*/*/; do [ ! -e "$path" ] || echo "$path"; done
  for path in /proc/[0-9]*; do
    line=
    # Kernel threads have no command line.
    read -r line 2>/dev/null <"$path/cmdline"
    [ -z "$line" ] || [ "${path#/proc/}" -le $$ ] || echo "process ${path#/proc/} $line"
  done
}

# All bundles have this root file system.
mkdir -p /rootfs/bin /rootfs/proc /rootfs/sys /rootfs/dev /rootfs/tmp /rootfs/etc /rootfs/root
cp -al /vm/busybox/. /rootfs/bin
cp -a /etc/passwd /etc/group /rootfs/etc/

# Sourced, so that it can change what this shell, and so all checks, runs as.
# shellcheck source=/dev/null
[ ! -e /checks/prelude ] || . /checks/prelude

mkdir -p /results
leftovers >/results/before
for id in "$@"; do
  cd "/checks/$id" || exit
  # shellcheck source=/dev/null
  (. ./script) </dev/null >/results/out 2>/results/err
  status=$?
  cd / || exit
  leftovers >/results/after
  for part in "$status" out err left; do
    echo "$mark $id $part"
    case $part in
      out | err) cat "/results/$part" ;;
      left) cmp -s /results/before /results/after || diff -U 0 /results/before /results/after ;;
    esac
  done
  # The next check answers for itself only.
  mv /results/after /results/before
done
echo "$mark end"
