# shellcheck shell=bash
# shellcheck disable=SC2154  # repo and out are build.sh's
# Sourced by build.sh: the test run, with its result as the last line.

test_project=$repo/src/OciRuntime.Tests
test_results=$out/test-results

# Who waits for the run, CI for example, ends it after half an hour, and then there is no result; so it ends itself before that, whatever hangs. On
# two quiet processors it takes about twenty minutes.
test_seconds=${OCIRUN_TEST_SECONDS:-$((29 * 60))}

# Of those the tests leave so many for what comes after them.
last_seconds=60

# Whatever fails before there is a result, a compiler for example, counts as one failure, and so does an interrupt. What goes on beside has ended by
# then: the result is the last line.
expect_result() {
  trap 'end_jobs; say "0 passed, 1 failed, 0 skipped"' EXIT
  # Otherwise bash goes on when what it was waiting for has made nothing of it.
  trap 'exit 130' INT
}
expect_result

# beside FUNCTION [ARGUMENT]...: in a process group of its own, so that all it has started can be ended.
beside() {
  set -m
  (trap end_jobs EXIT; trap 'exit 143' TERM; "$@") &
  set +m
}

# Ends what goes on beside, and waits for that; an installation goes on to its end.
end_jobs() {
  local job
  trap '' HUP INT TERM
  # timeout, too, has a group of its own.
  for job in $(jobs -pr); do kill -- "-$job" "$job" 2>/dev/null || :; done
  wait
}

# Tests have less time; this is for what prepares them.
end_in_time() {
  local parent
  sleep $((test_seconds > SECONDS ? test_seconds - SECONDS : 0))
  # If this is nobody's any more, the run was killed, and its number may be another's. A shell that is just about to wait hears of it the next time.
  while read -r _ _ _ parent _ <"/proc/$BASHPID/stat" && [[ $parent == "$$" ]]; do
    kill $$
    sleep 1
  done
}
# Nobody is to hear how it ends.
beside end_in_time 2>/dev/null

# What ends with the shell that starts it, even when that is killed. Not every setpriv knows how.
bound=()
if setpriv --pdeathsig TERM true 2>/dev/null; then bound=(setpriv --pdeathsig TERM); fi

# The names of the parts that have been run.
test_parts=()
test_status=0

# What tests are run through, and what those of a part were.
test_launcher=()
declare -A part_launcher

compile_tests() {
  quietly "Compiling the tests" dotnet build "$test_project" -c Release
  rm -rf "$test_results"
  mkdir -p "$test_results"
}

# run_unit_tests [FILTER]: as somebody without privileges, even when root calls. What needs some is a system test (NeedsMachineAttribute.cs), and
# one that is mistaken for a unit test shall fail everywhere, not only at the desk of an ordinary user. DAC_OVERRIDE: the checkout may be another's.
run_unit_tests() {
  if [[ $EUID -eq 0 ]] && command -v setpriv >/dev/null; then
    test_launcher=(setpriv --inh-caps=-all "--bounding-set=-all,+dac_override")
  fi
  say "Running the unit tests"
  test_command unit "TestCategory=Unit${1:+&($(filter_expression "$1"))}" NUnit.NumberOfTestWorkers="$(unit_test_workers)"
  test_launcher=()
}

# Some of them only wait.
unit_test_workers() {
  local processors
  processors=$(nproc)
  printf '%s' $((processors < 4 ? 4 : processors))
}

# run_system_tests FILTER: on out/ocirun, one after the other, because they look at what changes on the host.
run_system_tests() {
  say "Testing out/ocirun"
  test_command tests "$1"
}

# What takes long, because it waits for a virtual machine or a swarm of containers, or only computes, has a process of its own, beside the
# others, and so has what only waits for a time to be over. The engines are Debian 13's, and for a part of their tests this machine's
# (ThisMachinesEnginesAttribute.cs): twice everything takes too long, and so does the swarm. Of the two shims each has one, and of Docker's tests a
# part has both; by hand (./build.sh engines) everything has.
run_all_system_tests() {
  local slow waits here='TestCategory!=ByHand&TestCategory!=StockShim&TestCategory!=DockersOwnShim'
  here+='&(FullyQualifiedName!~OciRuntime.Tests.Clients|TestCategory=ThisMachinesEngines)'
  local shims='TestCategory!=OwnShim&(TestCategory!=DockersOwnShim|FullyQualifiedName~DockerUserNamespaceTests)'
  beside run_slow_tests "TestCategory=Slow&$here" >"$out/test-slow.progress"
  slow=$!
  beside run_waiting_tests "TestCategory=Waits&$here" >"$out/test-waits.progress"
  waits=$!
  run_system_tests "TestCategory=System&TestCategory!=Slow&TestCategory!=Waits&$here"
  run_engine_tests trixie "$(engine_filter)&FullyQualifiedName!~SwarmTests&$shims"
  test_parts+=(slow waits)
  wait "$slow" || test_status=$?
  wait "$waits" || test_status=$?
  say "And what ran beside them:"
  cat "$out/test-slow.progress" "$out/test-waits.progress"
}

# run_slow_tests FILTER: alone they use the binary for arm64.
run_slow_tests() {
  prepare_arm64
  test_command slow "$1"
  return "$test_status"
}

# run_waiting_tests FILTER
run_waiting_tests() {
  test_command waits "$1"
  return "$test_status"
}

# What is left of the time for tests.
seconds_left() { printf '%s' $((test_seconds - last_seconds - SECONDS)); }

# test_command PART FILTER [SETTING]...: the results go to PART.trx, all output to test-PART.log.
test_command() {
  local part=$1 filter=$2 left status=0
  shift 2
  local options=(--settings "$test_project/test.runsettings" --results-directory "$test_results" --filter "$filter"
    --logger "trx;LogFileName=$part.trx" --logger 'console;verbosity=normal'
    # One test that hangs harder than its own time-out ends the run, with its name, instead of stalling it. The first test in a virtual machine
    # waits for all that is done there, minutes on a busy host.
    --blame-hang-timeout 10m --blame-hang-dump-type none)
  test_parts+=("$part")
  part_launcher[$part]=${test_launcher[*]@Q}
  left=$(seconds_left)
  # To timeout 0 is no limit.
  if ((left <= 0)); then
    say "There is no time left for the part \"$part\""
    test_status=124
    return
  fi
  # Not in the foreground, where nothing would reach this shell before it has ended.
  OCIRUN_LEAK_REPORT=$test_results/$part.leaks "${bound[@]}" timeout --kill-after=30s "$left" "${test_launcher[@]}" \
    "$(dotnet_program)" test "$test_project"/bin/Release/net*/OciRuntime.Tests.dll "${options[@]}" -- "$@" 2>&1 |
    tee "$out/test-$part.log" | show_progress &
  wait "$!" || status=$?
  if ((status != 0 && $(seconds_left) <= 0)); then say "The part \"$part\" was ended: the $test_seconds s of the run are nearly over"; fi
  ((status == 0)) || test_status=$status
}

# Its own path, by which it is known in every root file system that has its directory.
dotnet_program() { realpath "$(command -v dotnet)"; }

filter_expression() {
  case $1 in
    *[=~]*) printf '%s' "$1" ;;
    *) printf 'FullyQualifiedName~%s' "$1" ;;
  esac
}

# Passed tests are only counted; failures and skips are shown as they come, each with what stands below it until the next test. What the others
# print, seeds and times for example, is in the log.
show_progress() {
  local line passed=0 shown=no
  while IFS= read -r line; do
    case $line in
      '  Passed '*)
        shown=no passed=$((passed + 1))
        if ((passed % 25 == 0)); then say "  $passed passed so far"; fi
        continue
        ;;
      '  Failed '* | '  Skipped '*) shown=yes ;;
      # Not a test's end: the runner's, or that of the process with the tests.
      'The active test run was aborted'* | 'Unhandled exception'* | 'Testhost process '*' exited with error: '*) shown=yes ;;
    esac
    if [[ $shown == yes ]] && is_worth_showing "$line"; then say "$line"; fi
  done
}

# The runner's own summary is left out, because the last line says the same.
is_worth_showing() {
  case $1 in
    '' | 'Data collector '* | 'NUnit Adapter'* | 'Results File:'* | 'Test Run '* | 'Total tests:'*) return 1 ;;
    '     Passed: '* | '     Failed: '* | '    Skipped: '* | ' Total time:'*) return 1 ;;
    *'   at FluentAssertions.'* | *'   at NUnit.Framework.'*) return 1 ;;
  esac
}

# counter FIGURE PART
counter() { sed -n "s/.*<Counters[^>]* $1=\"\([0-9]*\)\".*/\1/p" "$test_results/$2.trx"; }

# cases PART [OUTCOME]: class and method of each case that was run, or ended so.
cases() {
  local results=$test_results/$1.trx
  [[ -e $results ]] || return 0
  awk -v outcome="${2:-}" '
    function attribute(name) { return match($0, " " name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : "" }
    /<UnitTestResult / && (outcome == "" || attribute("outcome") == outcome) { wanted[attribute("testId")] = 1 }
    /<UnitTest / { id = attribute("id") }
    /<TestMethod / && id in wanted { name = attribute("name"); sub(/\(.*/, "", name); print attribute("className") "." name }
  ' "$results"
}

# mishaps PART: a line for each failed case; for all that could not be set up, as when a machine has not booted or a daemon not started, one together.
mishaps() {
  local results=$test_results/$1.trx
  [[ -e $results ]] || return 0
  awk '
    function attribute(name) { return match($0, " " name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : "" }
    /<UnitTestResult / { id = attribute("outcome") == "Failed" ? attribute("testId") : ""; if (id != "") mishap[id] = id }
    /<Message>OneTimeSetUp: / && id != "" { mishap[id] = $0 }
    END { for (id in mishap) print mishap[id] }
  ' "$results" | sort -u
}

# report_result: what has been run so far, as the last line of all.
report_result() {
  local total=0 passed=0 failed=0 skipped=0 part
  for part in "${test_parts[@]}"; do count_part "$part"; done
  if ((failed == 0 && test_status != 0)); then failed=1; fi
  try_races_again
  # The adapter only warns when the check at the end of the suite fails.
  local leaks
  for leaks in "$test_results"/*.leaks; do
    if [[ -e $leaks ]]; then
      cat "$leaks"
      failed=$((failed + 1))
    fi
  done
  if ((total == 0)); then
    say "no test was run; see $out/test-*.log"
    failed=1
  fi
  if ((failed > 0)); then end_jobs; fi
  trap end_jobs EXIT
  say "$passed passed, $failed failed, $skipped skipped"
  ((failed == 0))
}

count_part() {
  local part=$1 part_total executed part_passed
  if [[ ! -e $test_results/$part.trx ]]; then
    # A crash or time-out of the test process is a failure that no test reports.
    failed=$((failed + 1))
    return
  fi
  part_total=$(counter total "$part") executed=$(counter executed "$part") part_passed=$(counter passed "$part")
  total=$((total + part_total)) passed=$((passed + part_passed)) failed=$((failed + executed - part_passed)) skipped=$((skipped + part_total - executed))
}

# A few failures get one more try, by name and in the open, if they race a daemon that is not ours, or the clock of a machine that does other
# things, too (ForeignDaemonAttribute.cs, MeasuresTimeAttribute.cs); so do a handful of others, which are to be mended all the same. Not so what
# attacks or breaks the runtime: what an attack wins in one of a thousand rounds is won. What fails twice has failed.
try_races_again() {
  local part parts=("${test_parts[@]}") all=0
  ((failed > 0)) || return 0
  for part in "${parts[@]}"; do all=$((all + $(mishaps "$part" | wc -l))); done
  ((all <= 8)) || return 0
  if (($(seconds_left) < last_seconds)); then
    say "Nothing is tried once more: the $test_seconds s of the run are nearly over"
    return
  fi
  may_race='TestCategory=ForeignDaemon|TestCategory=MeasuresTime'
  if ((all <= 5)); then may_race+='|(FullyQualifiedName!~.Security.&FullyQualifiedName!~.Faults.&FullyQualifiedName!~.Fuzz.)'; fi
  for part in "${parts[@]}"; do try_again "$part"; done
  # The second ones are in the count.
  test_parts=("${parts[@]}")
}

# Arguments of a fixture: no quote or bracket gets through to the filter.
filter_of_cases() { sed -E 's/(&quot;|[(),])+/\&FullyQualifiedName~/g; s/^/FullyQualifiedName~/'; }

# try_again PART
try_again() {
  local part=$1 again=$1-again filter races repeated
  filter=$(cases "$part" Failed | sort -u | filter_of_cases | paste -sd '|')
  [[ -n $filter ]] || return 0
  eval "test_launcher=(${part_launcher[$part]:-})"
  if [[ ! -e $test_results/$again.trx ]]; then test_command "$again" "($filter)&($may_race)"; fi
  if [[ ! -e $test_results/$again.trx ]]; then return; fi
  cases "$again" | sort -u | sed 's/&quot;//g; s/^/Tried once more: /'
  # A case is repeated with the others of its method, so these are not added to what passed.
  races=$(cases "$part" Failed | grep -cxFf <(cases "$again") || :)
  repeated=$(($(counter executed "$again") - $(counter passed "$again")))
  passed=$((passed + races - repeated)) failed=$((failed - races + repeated))
}
