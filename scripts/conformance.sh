# shellcheck shell=bash
# shellcheck disable=SC2154  # repo is build.sh's
# Sourced by build.sh: drives the validation programs of a built checkout of opencontainers/runtime-tools.

# The slowest takes 15 s; what takes longer waits for something that will not come.
conformance_time_limit=45

conformance() {
  local runtime=$1 directory=$2 program bad=0
  local -A programs=([pass]=0 [fail]=0 [error]=0 [skip]=0)
  [[ -x $runtime ]] || fail "no runtime at $runtime"
  # The programs look for their root file system and helper in the checkout's top directory.
  cd "$directory" || fail "cannot enter $directory"
  compgen -G 'validation/*/*.t' >/dev/null || fail "no validation/*/*.t in $directory: build it first (make runtimetest validation-executables)"
  conformance_work=$(mktemp -d /tmp/conformance.XXXXXX)
  trap conformance_clean EXIT
  conformance_results=$out/conformance/$(basename "$runtime")
  rm -rf "$conformance_results"
  mkdir -p "$conformance_results"
  write_runtime_wrapper "$runtime"
  printf '%-40s %-7s %4s %8s %5s %4s\n' program verdict pass fail error skip
  for program in validation/*/*.t; do
    [[ -x $program ]] && run_validation "$program"
  done
  bad=$((programs[fail] + programs[error]))
  say "${programs[pass]} programs pass, ${programs[fail]} fail, ${programs[error]} end in an error, ${programs[skip]} skip everything; output in out/${conformance_results#"$out/"}"
  ((bad == 0))
}

# The runtime as the programs see it: with a state directory of its own, so that what a program leaves can be found and deleted.
write_runtime_wrapper() {
  local runtime=$1 wrapper=$conformance_work/runtime
  mkdir -p "$conformance_work/state" "$conformance_work/tmp"
  printf '#!/bin/bash\nexec %q --root %q "$@"\n' "$runtime" "$conformance_work/state" >"$wrapper"
  chmod 755 "$wrapper"
}

# One line per program. TAP's "ok" and "not ok" are counted; programs that print only `1..0` report in "error" blocks instead, which
# are empty ("error": "") or missing when all is well.
run_validation() {
  local program=$1 name status=0 ok not_ok skipped errors verdict output
  name=$(basename "$program" .t)
  output=$conformance_results/$name.tap
  RUNTIME=$conformance_work/runtime TMPDIR=$conformance_work/tmp \
    timeout --kill-after=5 "$conformance_time_limit" "$program" >"$output" 2>&1 </dev/null || status=$?
  clean_after_validation
  ok=$(grep -c '^ *ok ' "$output" || true)
  not_ok=$(grep -c '^ *not ok ' "$output" || true)
  skipped=$(grep -ci '^ *ok .*# skip' "$output" || true)
  errors=$(grep -c '^ *"error": "..*"' "$output" || true)
  verdict=pass
  if ((status == 124 || status == 137)); then verdict=hangs errors=$((errors + 1))
  elif ((status != 0)); then verdict=error errors=$((errors + 1))
  elif ((not_ok > 0)); then verdict=fail
  elif ((errors > 0 && ok == 0)); then verdict=error
  elif ((skipped > 0 && skipped == ok)); then verdict=skip
  fi
  case $verdict in
    hangs) ((++programs[error])) ;;
    *) ((++programs[$verdict])) ;;
  esac
  printf '%-40s %-7s %4d %8d %5d %4d\n' "$name" "$verdict" $((ok - skipped)) "$not_ok" "$errors" "$skipped"
}

# Many programs leave their container when a check in the middle fails.
clean_after_validation() {
  local state id
  for state in "$conformance_work"/state/*; do
    id=${state##*/}
    [[ -e $state ]] || continue
    timeout 20 "$conformance_work/runtime" delete --force "$id" >/dev/null 2>&1 || say "  cannot delete the container $id"
    rm -rf "$state"
  done
  local mount
  while read -r mount; do umount -l "$mount"; done < <(awk -v below="$conformance_work/tmp/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac)
  rm -rf "$conformance_work"/tmp/*
}

conformance_clean() {
  clean_after_validation
  # The parents of the programs' cgroups, which no runtime made its own; rmdir takes only empty ones.
  rmdir /sys/fs/cgroup/{,*/}{testdir/cgrouptest,testdir,cgrouptest} 2>/dev/null || true
  rm -rf "$conformance_work"
}
