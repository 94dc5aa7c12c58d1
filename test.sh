#!/bin/sh
# Installs what the tests need, builds, and runs the tests on two kernels: the one of this machine, and Debian's 6.1 with pure
# cgroup v2 in an emulated machine (tests/vm, docs/testing.md). A test that needs what one of them lacks is skipped there and
# runs on the other; one that is skipped on both is an error. What takes far too long on an emulated processor is marked in the
# test itself (NEEDS_A_FAST_PROCESSOR), counted at the end, and runs there with --full.
#
#     sudo ./test.sh                what a change must pass, in less than 20 minutes on two processors
#     sudo ./test.sh --full         the same with every kill point, long fuzzing, the benchmarks, and the README on a bare Debian
#     sudo ./test.sh --full PART…   some parts of that, so that it need not be one evening: tests opinions fuzz power fresh peers
#                                   peers-machine images bench
#     sudo ./test.sh --setup        only installs and builds what the tests in the machine need
#
# Nothing outside the packages of Debian is installed, and no kernel: the machine's is unpacked below build/.
# Ends with one line: "N passed, N failed, N skipped", both kernels together.
set -u
# Tests make files and look at their modes.
umask 022
cd "$(dirname "$0")" || exit 1
top=$(pwd -P)
all_parts="tests opinions fuzz power fresh peers peers-machine images bench"

usage() {
	echo "usage: sudo ./test.sh [--full [$(echo "$all_parts" | tr ' ' '|')…] | --setup]" >&2
	exit 2
}

full=no parts="tests opinions fuzz"
case ${1:-} in
"" | --setup) [ $# -le 1 ] || usage ;;
--full)
	full=yes
	shift
	for part; do
		case " $all_parts " in *" $part "*) ;; *) usage ;; esac
	done
	parts=${*:-$all_parts}
	set -- --full
	;;
*) usage ;;
esac
if [ "$(id -u)" != 0 ]; then
	echo "test.sh: needs root: sudo ./test.sh" >&2
	exit 1
fi
if [ $full = yes ]; then
	fuzz_seconds=60 machine_seconds=7200
	# Here commands are killed at every system call, not at some; in the machine, where that would be days, all tests run.
	export WARREN_KILL_STEP=1 WARREN_TEST_ALL_POINTS=1
	machine_words="-e WARREN_TEST_FULL=1" tool_words=--full
else
	export WARREN_TEST_EVERYDAY=yes
	fuzz_seconds=3 machine_seconds=1800 machine_words='-e WARREN_TEST_SCALE=30' tool_words=''
fi
jobs=$(nproc)
logs=build/logs
host_results=$top/build/results/host
machine_results=$top/build/results/machine
passed=0 failed=0
begin_all=$(date +%s)
rm -rf $logs "$host_results" "$machine_results"
mkdir -p $logs "$host_results" "$machine_results"

# has PART: whether this run is to do it.
has() {
	case " $parts " in *" $1 "*) ;; *) return 1 ;; esac
}

# report NAME SECONDS STATUS LOG: one line, and of what failed the end of the log.
report() {
	if [ "$3" = 0 ]; then
		passed=$((passed + 1))
		echo "ok    $1 ($2 s)"
	else
		failed=$((failed + 1))
		echo "FAIL  $1 ($2 s), the end of $4:"
		grep -aE 'FAIL|Assertion|rror' "$4" | tail -n 30 | sed 's/^/      /'
		tail -n 40 "$4" | sed 's/^/      /'
	fi
}

# step NAME COMMAND…: runs it with its output in a file.
step() {
	name=$1
	shift
	begin=$(date +%s)
	"$@" >"$logs/$name.log" 2>&1
	report "$name" $(($(date +%s) - begin)) $? "$logs/$name.log"
}

# A shell in the background ignores the keyboard, so whoever ends early ends those it has started.
children=""
children_end() {
	trap '' INT TERM HUP
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$children" ] || kill $children 2>/dev/null
	wait
}
trap 'children_end; exit 143' INT TERM HUP

# needed NAME COMMAND…: a step without which the rest makes no sense.
needed() {
	step "$@"
	[ $failed = 0 ] || {
		children_end
		echo "0 passed, 1 failed, 0 skipped"
		exit 1
	}
}

# aside NICENESS NAME COMMAND…: for what fills the time in which the tests of this kernel wait; collect has its result. timeout
# is there for what it does when it is ended: it ends all below it.
aside() {
	trap 'children_end; exit 143' TERM
	nice=$1 name=$2
	shift 2
	begin=$(date +%s)
	timeout 8h nice -n "$nice" "$@" >"$logs/$name.log" 2>&1 &
	children="$children $!"
	wait $!
	echo "$? $(($(date +%s) - begin))" >"$logs/$name.time"
}

# collect DIRECTORY [PREFIX]: reports every result in it.
collect() {
	for result in "$1"/*.time; do
		[ -e "$result" ] || continue
		read -r status seconds <"$result"
		name=$(basename "$result" .time)
		report "${2:-}$name" "$seconds" "$status" "${result%.time}.log"
	done
}

build() {
	cmake --preset "$1" && cmake --build --preset "$1" -j "$jobs"
}

# opinion PRESET TARGET [OPTION…]: another compiler's and checkers'. None runs anything, so one kernel is enough.
opinion() {
	preset=$1 target=$2
	shift 2
	# shellcheck disable=SC2016 # the inner shell expands
	aside 19 "build-$preset" sh -c 'preset=$1 target=$2 jobs=$3; shift 3
		cmake --preset $preset "$@" && cmake --build --preset $preset --target $target -j $jobs' \
		sh "$preset" "$target" "$jobs" "$@"
}

# Every day clang-tidy sees what clang compiles anyway, which is what is installed, and without the analyzer, which takes nearly all
# of its time; and the fuzz targets are quickly compiled rather than quick.
opinions() {
	everyday_tidy='' everyday_type='' everyday_tests=''
	if [ $full = no ]; then
		everyday_tidy='-DCMAKE_C_CLANG_TIDY=clang-tidy;--quiet;--checks=-clang-analyzer-*' everyday_type=-DCMAKE_BUILD_TYPE=Debug
		everyday_tests=-DWARREN_TESTS=OFF
	fi
	if has opinions; then
		opinion clang all -DWARREN_SANITIZE=OFF $everyday_tests ${everyday_tidy:+"$everyday_tidy"}
		[ $full = no ] || opinion tidy all
		aside 19 layers tests/layers.sh "$top"
		aside 19 headers tests/headers.sh "$top"
	fi
	if has fuzz; then
		opinion fuzz fuzz-targets $everyday_type
		aside 15 fuzz tests/fuzz/run $fuzz_seconds
	fi
}

# machine NAME RESULTS [OPTION…] -- [JOB…]: jobs of tests/jobs in a machine, beside the tests of this kernel. The programs come
# by a read-only share: from a writable one the guest would fetch them anew for every exec. One processor each: two that wait for
# each other cost a tenth more, and there are two machines.
machine() {
	machine=$1 results=$machine_results/$2
	mkdir -p "$results"
	shift 2
	words=$machine_words
	while [ "$1" != -- ]; do
		words="$words $1"
		shift
	done
	shift
	# shellcheck disable=SC2086 # lists of words
	aside 7 "$machine" tests/vm/run -v -c 1 -t $machine_seconds -d 4096 -n "$machine" -M null_blk -M bfq -M sctp -R "$top" -s "$results" -C "$top" \
		-e WARREN_SYSTEM_TAR -e WARREN_TEST_PATIENCE=300 $words -- \
		tests/suite.sh "$top/build/vm" "$results" 1 "$@"
}

# Two machines share one list of jobs. The second is a short one first: booted by systemd, and without a controller.
machines_tests() {
	machine machine-one list -- &
	one=$!
	children="$children $one"
	# shellcheck disable=SC2086 # a word or none
	aside 10 machine-tool tests/vm/test.sh $tool_words
	machine machine-systemd systemd -i systemd -- on-systemd
	machine machine-disabled disabled --append cgroup_disable=memory -- on-disabled
	machine machine-two list --
}

machines() {
	one=''
	! has tests || machines_tests
	if has power; then
		aside 10 machine-power tests/vm/power_cut.sh build/vm/warren 50
		aside 10 machine-boot tests/vm/boot_unit.sh build/vm/warren
	fi
	# An hour, which is no longer than the tests of this kernel then have to go.
	! has peers-machine || aside 10 peers-machine tests/peers/run --vm
	[ -z "$one" ] || wait "$one"
}

# Every test by name, from the machine's programs.
names() {
	for program in build/vm/tests/test-*; do
		"$program" --list
	done
	awk '!/^#/ && $2 ~ "/" {print "scripts::" $1}' tests/jobs
}

# The runner in the machine must know the same tests as Criterion does here.
runners_agree() {
	for program in build/dev/tests/test-*; do
		"$program" --list | sed -n -E 's/^([a-z0-9_]+): [0-9]+ tests?.*/suite \1/p; s/^[^a-z0-9]+([a-z0-9_]+).*/\1/p' |
			awk '$1 == "suite" {suite = $2; next} {print suite "::" $1}' | LC_ALL=C sort >$logs/names.criterion
		"build/vm/tests/$(basename "$program")" --list | LC_ALL=C sort | diff $logs/names.criterion - || return 1
	done
}

join() {
	tests/summary.sh $logs/names "$host_results" "$machine_results"/* >$logs/summary
}

# Where this kernel has version 2 only, the tests of version 1 have run nowhere yet: they get a machine that has it.
version_one() {
	WARREN_TEST_ONLY=$(sed -n -E 's,^      ([^:]+)::([^:]+): on this kernel .*(v1|version 1).*,\1/\2,p' $logs/summary | paste -sd'|')
	[ -n "$WARREN_TEST_ONLY" ] || return 0
	export WARREN_TEST_ONLY="@($WARREN_TEST_ONLY)"
	# shellcheck disable=SC2046 # words
	machine machine-hybrid hybrid --cgroups hybrid -e WARREN_TEST_ONLY -- \
		$(awk '!/^#/ && $2 !~ "/" && !seen[$2]++ {print $1}' tests/jobs)
	collect "$machine_results/hybrid" "machine: "
}

# The table of both columns; its last line becomes ours.
summary() {
	names | sort >$logs/names
	uniq -d $logs/names | sed 's/^/FAIL  two tests are called /' | tee $logs/names.twice
	[ ! -s $logs/names.twice ] || failed=$((failed + 1))
	join || version_one
	join
	summary_status=$?
	grep -ah 'booted in' $logs/machine-*.log | sed 's,^tests/vm/run: ,the machine ,'
	sed '$d' $logs/summary
	read -r tests_passed tests_failed tests_skipped <<-COUNTS
		$(tail -n 1 $logs/summary)
	COUNTS
	failed_all=$((tests_failed + failed))
	[ $summary_status = 0 ] || [ $failed_all != 0 ] || failed_all=1
	echo "all of it took $(($(date +%s) - begin_all)) s"
	echo "$((tests_passed + passed)) passed, $failed_all failed, $tests_skipped skipped"
	[ $failed_all = 0 ]
}

# This kernel's column.
tests_here() {
	step runners runners_agree
	WARREN_BUILD=$top/build/release tests/suite.sh "$top/build/dev" "$host_results" 2 &
	children="$children $!"
	wait $!
	collect "$host_results"
}

# What reads the clock or changes the machine: one after the other, and nothing beside it.
parts_alone() {
	if has fresh; then
		step fresh tests/fresh/run
		step fresh-struck tests/fresh/self-test
	fi
	! has peers || step peers tests/peers/run
	! has images || step images-debian tests/images/debian
	has bench || return 0
	for bench in run oci fleet images; do
		step bench-$bench bench/$bench
	done
	cat $logs/bench-run.log $logs/bench-oci.log $logs/bench-fleet.log $logs/bench-images.log
}

needed packages ./quickstart.sh --packages test
[ $full != yes ] || needed packages-peers ./quickstart.sh --packages peers
needed kernel tests/vm/kernel --fetch
if [ "$*" = --setup ]; then
	needed build-vm build vm
	exit 0
fi
export WARREN_SYSTEM_TAR="$top/build/machine/images/system.tar"
aside 0 system-root tests/vm/image --kind tar system &
system_root=$!
children="$children $system_root"
needed build-vm build vm
needed build-release build release
wait $system_root
machines &
machines=$!
children="$children $machines"
! has tests || needed build-dev build dev
opinions &
opinions=$!
children="$children $opinions"
! has tests || tests_here
wait $opinions
wait $machines
for kind in "$machine_results"/*; do
	collect "$kind" "machine: "
done
collect $logs
parts_alone
if has tests; then
	summary
	exit
fi
echo "of --full only: $parts"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
