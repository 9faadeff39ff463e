# shellcheck shell=bash
# Sourced by build.sh: drives the validation programs of a built checkout of opencontainers/runtime-tools.

conformance() {
  local runtime=$1 directory=$2 program good=0 bad=0
  # The programs look for their root file system and helper in the checkout's top directory.
  cd "$directory" || fail "cannot enter $directory"
  for program in validation/*/*.t; do
    [[ -x $program ]] || continue
    if run_validation "$runtime" "$program"; then good=$((good + 1)); else bad=$((bad + 1)); fi
  done
  ((good + bad > 0)) || fail "no validation/*/*.t in $directory: build it first (make runtimetest validation-executables)"
  say "$good programs without a failure, $bad with"
  ((bad == 0))
}

# One line per program. Some print only `1..0` when all is well and an "error" block when not, so `not ok` alone tells too little.
run_validation() {
  local runtime=$1 program=$2 output status=0 ok not_ok skipped verdict=ok
  output=$(RUNTIME=$runtime timeout 120 "$program" 2>&1) || status=$?
  ok=$(grep -c '^ok ' <<<"$output" || true)
  not_ok=$(grep -c '^not ok ' <<<"$output" || true)
  skipped=$(grep -c '^ok .*# SKIP' <<<"$output" || true)
  if ((not_ok > 0 || status != 0)) || { ((ok == 0)) && grep -q '"error"' <<<"$output"; }; then verdict="not ok"; fi
  printf '%-6s  %3d ok %3d not ok %3d skipped  exit %-3d  %s\n' "$verdict" "$((ok - skipped))" "$not_ok" "$skipped" "$status" "${program#validation/}"
  [[ $verdict == ok ]]
}
