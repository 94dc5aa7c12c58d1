#!/bin/sh
# Installs what the tests need, builds, and runs everything:
#
#     sudo ./test.sh            what a change must pass, some minutes
#     sudo ./test.sh --full     the same with long fuzzing and the benchmarks
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
[ $full = yes ] && fuzz_seconds=60 || fuzz_seconds=5
jobs=$(nproc)
logs=build/logs
mkdir -p $logs
passed=0 failed=0

# step NAME COMMAND…: runs it with its output in a file; shows the end of that when it fails.
step() {
	name=$1
	shift
	start=$(date +%s)
	if "$@" >"$logs/$name.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok    $name ($(($(date +%s) - start)) s)"
	else
		failed=$((failed + 1))
		echo "FAIL  $name ($(($(date +%s) - start)) s), the end of $logs/$name.log:"
		tail -60 "$logs/$name.log" | sed 's/^/      /'
	fi
}

build() {
	cmake --preset "$1" && cmake --build --preset "$1" -j "$jobs"
}

unit_tests() {
	ctest --preset dev --output-on-failure
}

fuzz() {
	bad=0
	for target in build/fuzz/tests/fuzz/fuzz_*; do
		[ -x "$target" ] && [ -f "$target" ] || continue
		name=$(basename "$target")
		mkdir -p "build/corpus/$name"
		"$target" -max_total_time=$fuzz_seconds -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 "build/corpus/$name" \
			"tests/fuzz/corpus/${name#fuzz_}" || bad=1
	done
	return $bad
}

# What a test left on the machine is a failure of its own.
leftovers_list() {
	wc -l </proc/self/mountinfo
	find /sys/fs/cgroup -type d -path '*warren*' 2>/dev/null | sort
	ip -o link 2>/dev/null | awk -F': ' '{print $2}' | sort
	nft list tables 2>/dev/null
	cat /proc/sys/net/ipv4/ip_forward
}

leftovers_check() {
	leftovers_list >$logs/host.after
	diff $logs/host.before $logs/host.after
}

step packages ./quickstart.sh --packages test
leftovers_list >$logs/host.before
step build-dev build dev
step build-release build release
step tests unit_tests
step quickstart tests/quickstart.sh
step scale tests/scale.sh
step build-clang build clang
step tidy build tidy
step build-fuzz build fuzz
step fuzz fuzz
if [ $full = yes ]; then
	step bench-run bench/run
	step bench-fleet bench/fleet
	cat $logs/bench-run.log $logs/bench-fleet.log
fi
step nothing-left leftovers_check

# Every Criterion program says how its tests went; the counts of all of them make the last line.
counts=$(sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\) | Failing: \([0-9]*\) | Crashing: \([0-9]*\).*/\2 \3 \4/p' $logs/tests.log \
	build/dev/Testing/Temporary/LastTest.log 2>/dev/null | awk '{p += $1; f += $2 + $3} END {print p + 0, f + 0}')
tests_passed=${counts% *} tests_failed=${counts#* }
skipped=$(grep -h '^SKIP ' build/dev/Testing/Temporary/LastTest.log 2>/dev/null | sort -u | tee $logs/skipped | wc -l)
[ "$skipped" = 0 ] || { echo "skipped:" && sed 's/^SKIP /      /' $logs/skipped; }
[ "$failed" = 0 ] || tests_failed=$((tests_failed > 0 ? tests_failed : failed))
echo "$((tests_passed + passed)) passed, $tests_failed failed, $skipped skipped"
[ "$failed" = 0 ]
