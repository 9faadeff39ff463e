# shellcheck shell=bash
# shellcheck disable=SC2154  # repo and out are build.sh's
# Sourced by build.sh: the test run, with its result as the last line.

test_project=$repo/src/OciRuntime.Tests
test_results=$out/test-results

# The suite must stay below 25 minutes; what takes longer hangs.
test_time_limit=23m

# Whatever fails before there is a result, a compiler for example, counts as one failure.
trap 'say "0 passed, 1 failed, 0 skipped"' EXIT

# The names of the parts that a run consists of.
test_parts=(tests)

# What waits for a virtual machine or for a swarm of containers most of the time has a process of its own, beside the others.
run_tests() {
  quietly "Compiling the tests" dotnet build "$test_project" -c Release
  rm -rf "$test_results"
  mkdir -p "$test_results"
  say "Testing out/ocirun"
  local status=0 slow=
  if [[ $# -eq 0 ]]; then
    test_parts+=(slow)
    test_command slow TestCategory=Slow >"$out/test-slow.log" 2>&1 &
    slow=$!
    set -- 'TestCategory!=Slow'
  fi
  test_command tests "$@" 2>&1 | tee "$out/test.log" | show_progress || status=$?
  if [[ -n $slow ]]; then
    wait "$slow" || status=$?
    say "And what ran beside them:"
    show_progress <"$out/test-slow.log"
  fi
  report_result "$status"
}

# test_command NAME [FILTER]: the results go to NAME.trx.
test_command() {
  local name=$1
  shift
  local options=(--no-build -c Release --results-directory "$test_results"
    --logger "trx;LogFileName=$name.trx" --logger 'console;verbosity=normal'
    # One test that hangs harder than its own time-out ends the run, with its name, instead of stalling it.
    --blame-hang-timeout 5m --blame-hang-dump-type none)
  if [[ $# -gt 0 ]]; then options+=(--filter "$(filter_expression "$1")"); fi
  OCIRUN_LEAK_REPORT=$test_results/$name.leaks timeout --kill-after=30s "$test_time_limit" dotnet test "$test_project" "${options[@]}"
}

filter_expression() {
  case $1 in
    *[=~]*) printf '%s' "$1" ;;
    *) printf 'FullyQualifiedName~%s' "$1" ;;
  esac
}

# Passed tests are only counted; failures and skips are shown as they come.
show_progress() {
  local line passed=0
  while IFS= read -r line; do
    if [[ $line =~ ^\ +Passed\  ]]; then
      passed=$((passed + 1))
      if ((passed % 25 == 0)); then say "  $passed passed so far"; fi
    elif is_worth_showing "$line"; then
      say "$line"
    fi
  done
}

# The runner's own summary is left out, because the last line says the same.
is_worth_showing() {
  case $1 in
    '' | 'Data collector '* | 'Test run for '* | 'VSTest version'* | 'Starting test execution'* | 'A total of '* | 'NUnit Adapter'* | 'Results File:'*) return 1 ;;
    'Running all tests'* | 'Running selected tests'* | '   NUnit3TestExecutor'* | 'Test Run '* | 'Total tests:'*) return 1 ;;
    '     Passed: '* | '     Failed: '* | '    Skipped: '* | ' Total time:'*) return 1 ;;
    *'   at FluentAssertions.'* | *'   at NUnit.Framework.'*) return 1 ;;
  esac
}

# counter FIGURE NAME
counter() { sed -n "s/.*<Counters[^>]* $1=\"\([0-9]*\)\".*/\1/p" "$test_results/$2.trx"; }

# Class and method of each failed test, once.
failed_tests() {
  local part
  for part in "${test_parts[@]}"; do
    if [[ -e $test_results/$part.trx ]]; then failed_tests_of "$test_results/$part.trx"; fi
  done | sort -u
}

failed_tests_of() {
  awk '
    function attribute(name) { return match($0, " " name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : "" }
    /<UnitTestResult / && /outcome="Failed"/ { failed[attribute("testId")] = 1 }
    /<UnitTest / { wanted = attribute("id") in failed }
    /<TestMethod / && wanted { name = attribute("name"); sub(/\(.*/, "", name); print attribute("className") "." name }
  ' "$1"
}

# These tests race real daemons, terminals and kernel workers on machines that others use too. A few failures get one more try, by name and
# in the open; what fails twice has failed.
try_again() {
  local name filter='' names
  mapfile -t names < <(failed_tests)
  ((${#names[@]} > 0)) || return 1
  for name in "${names[@]}"; do
    say "Once more: $name"
    filter+="${filter:+|}FullyQualifiedName~$name"
  done
  test_command again "$filter" 2>&1 | tee "$out/test-again.log" | show_progress
}

report_result() {
  local status=$1 total=0 executed=0 passed=0 failed=0 crashed=0 part
  for part in "${test_parts[@]}"; do
    if [[ -e $test_results/$part.trx ]]; then
      total=$((total + $(counter total "$part"))) executed=$((executed + $(counter executed "$part"))) passed=$((passed + $(counter passed "$part")))
    else
      # A crash or time-out of the test process is a failure that no test reports.
      crashed=1
    fi
  done
  failed=$((executed - passed))
  if ((failed > 0 && failed <= 8)) && try_again; then
    passed=$executed
    failed=0 status=0
  fi
  # The adapter only warns when the check at the end of the suite fails.
  local leaks
  for leaks in "$test_results"/*.leaks; do
    if [[ -e $leaks ]]; then
      cat "$leaks"
      failed=$((failed + 1))
    fi
  done
  if ((total == 0)); then say "no test was run; see $out/test.log"; fi
  if ((failed == 0 && (crashed || status != 0 || total == 0))); then failed=1; fi
  trap - EXIT
  say "$passed passed, $failed failed, $((total - executed)) skipped"
  ((failed == 0))
}
