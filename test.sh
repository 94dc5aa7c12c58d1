#!/bin/sh
# Installs what the tests need, builds, and runs everything:
#
#     sudo ./test.sh            what a change must pass, some minutes
#     sudo ./test.sh --full     the same with every kill point, long fuzzing and the benchmarks
#
# Ends with one line: "N passed, N failed, N skipped". Tests that need root or a kernel feature say why they were skipped.
set -u
cd "$(dirname "$0")" || exit 1
full=no
case ${1:-} in
"") ;;
--full) full=yes ;;
*)
	echo "usage: sudo ./test.sh [--full]" >&2
	exit 2
	;;
esac
if [ $full = yes ]; then
	fuzz_seconds=60
	# Commands are killed at every system call, not at some.
	export WARREN_KILL_STEP=1 WARREN_TEST_ALL_POINTS=1
else
	fuzz_seconds=5
fi
jobs=$(nproc)
logs=build/logs
mkdir -p $logs
passed=0 failed=0

# report NAME SECONDS STATUS: one line, and the end of the log of what failed.
report() {
	if [ "$3" = 0 ]; then
		passed=$((passed + 1))
		echo "ok    $1 ($2 s)"
	else
		failed=$((failed + 1))
		echo "FAIL  $1 ($2 s), the end of $logs/$1.log:"
		grep -E 'FAIL|Assertion|error:|rror' "$logs/$1.log" | tail -30 | sed 's/^/      /'
		tail -40 "$logs/$1.log" | sed 's/^/      /'
	fi
}

# step NAME COMMAND…: runs it with its output in a file.
step() {
	name=$1
	shift
	start=$(date +%s)
	"$@" >"$logs/$name.log" 2>&1
	status=$?
	report "$name" $(($(date +%s) - start)) $status
}

# beside NAME COMMAND…: for what only needs a processor, while the tests wait for events; its result is kept for collect.
beside() {
	name=$1
	shift
	start=$(date +%s)
	nice "$@" >"$logs/$name.log" 2>&1
	echo "$(($(date +%s) - start)) $?" >"$logs/$name.result"
}

collect() {
	read -r seconds status <"$logs/$1.result"
	report "$1" "$seconds" "$status"
}

build() {
	cmake --preset "$1" && cmake --build --preset "$1" -j "$jobs"
}

# Other compilers' and checkers' opinions; none of them runs anything.
opinions() {
	for preset in fuzz clang tidy; do
		beside "build-$preset" sh -c "cmake --preset $preset && cmake --build --preset $preset -j $jobs"
	done
}

unit_tests() {
	ctest --preset dev --verbose --parallel 2
}

# Each target on its own; new inputs are kept below build/.
fuzz() {
	bad=0
	for source in tests/fuzz/fuzz_*.c; do
		target=$(basename "$source" .c)
		mkdir -p "build/corpus/$target"
		"build/fuzz/tests/fuzz/$target" -max_total_time=$fuzz_seconds -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
			"build/corpus/$target" "tests/fuzz/corpus/${target#fuzz_}" || bad=1
	done
	return $bad
}

# What a test left on the machine is a failure of its own. The common parent of the tests' cgroups goes with its last child in most
# cases only; empty, it is no find, neither before nor after.
leftovers_list() {
	rmdir /sys/fs/cgroup/*/warren /sys/fs/cgroup/warren 2>/dev/null
	sed 's/^[0-9]* [0-9]* /mount /' /proc/self/mountinfo
	find /sys/fs/cgroup -type d -path '*warren*' 2>/dev/null
	ip -o link 2>/dev/null | awk -F': ' '{print "link " $2}'
	nft list tables 2>/dev/null
	echo "ip_forward $(cat /proc/sys/net/ipv4/ip_forward)"
}

# Less than before is no leak: something of somebody else ended.
leftovers_check() {
	leftovers_list | sort >$logs/host.after
	comm -13 $logs/host.before $logs/host.after >$logs/host.more
	cat $logs/host.more
	[ ! -s $logs/host.more ]
}

step packages ./quickstart.sh --packages test
leftovers_list | sort >$logs/host.before
step build-dev build dev
step build-release build release
opinions &
opinions=$!
step tests unit_tests
step quickstart tests/quickstart.sh
step scale tests/scale.sh
wait $opinions
for preset in fuzz clang tidy; do
	collect build-$preset
done
step fuzz fuzz
if [ $full = yes ]; then
	step bench-run bench/run
	step bench-fleet bench/fleet
	cat $logs/bench-run.log $logs/bench-fleet.log
fi
step nothing-left leftovers_check

# Every Criterion program says how its tests went; the counts of all of them make the last line.
counts=$(sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\) | Failing: \([0-9]*\) | Crashing: \([0-9]*\).*/\2 \3 \4/p' $logs/tests.log \
	2>/dev/null | awk '{p += $1; f += $2 + $3} END {print p + 0, f + 0}')
tests_passed=${counts% *} tests_failed=${counts#* }
skipped=$(grep -oh 'SKIP .*' $logs/tests.log $logs/quickstart.log $logs/scale.log 2>/dev/null | sort -u | tee $logs/skipped | wc -l)
[ "$skipped" = 0 ] || { echo "skipped:" && sed 's/^SKIP /      /' $logs/skipped; }
[ "$failed" = 0 ] || tests_failed=$((tests_failed > 0 ? tests_failed : failed))
echo "$((tests_passed + passed)) passed, $tests_failed failed, $skipped skipped"
[ "$failed" = 0 ]
