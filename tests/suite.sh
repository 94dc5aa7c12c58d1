#!/bin/sh
# Runs jobs of tests/jobs on the kernel it finds itself on, and writes for each JOB, below RESULTS:
#     JOB.tap     one line for each test
#     JOB.log     all that it printed
#     JOB.time    exit status and seconds
#
# usage: suite.sh BUILD RESULTS LANES [JOB…]       BUILD has the test programs; no JOB: all but "on-…"
#
# WARREN_TEST_ONLY: the names of tests, suite/name|suite/name…; the jobs that are programs run only these.
#
# A job is taken by making its directory RESULTS/JOB.taken: so several lanes, and several machines that share RESULTS, work
# on the same list, each on what is next. What a machine's jobs left behind is its job "leftovers-HOSTNAME".
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1 results=$2 lanes=$3
shift 3
jobs=${*:-$(awk '!/^#/ && !/^on-/ {print $1}' tests/jobs)}
here=leftovers-$(hostname)
export WARREN_BUILD="${WARREN_BUILD:-$build}" WARREN_TEST_BUILD="$build"

# What a script's line "# NEEDS_A_FAST_PROCESSOR" says is what the macro of that name says in tests/test.h.
script_is_too_long() {
	[ "${WARREN_TEST_SLOW:-1}" != 1 ] && [ -z "${WARREN_TEST_FULL:-}${WARREN_TEST_ALL_POINTS:-}" ] && grep -q '^# NEEDS_A_FAST_PROCESSOR' "$1"
}

# A script is one test; it is skipped when it says so in a line "SKIP NAME: why".
script_run() {
	if script_is_too_long "$2"; then
		echo "SKIP $1: takes too long on an emulated processor, but for ./test.sh --full"
	else
		bound "$2"
	fi
	status=$?
	echo "TAP version 13" >"$results/$1.tap"
	if [ $status != 0 ]; then
		echo "not ok - scripts::$1" >>"$results/$1.tap"
	elif why=$(grep -m1 '^SKIP ' "$results/$1.log"); then
		echo "ok - scripts::$1 # SKIP ${why#SKIP *: }" >>"$results/$1.tap"
	else
		echo "ok - scripts::$1" >>"$results/$1.tap"
	fi
	return $status
}

# In a mount table of its own: tests that mount something, or count mounts, run beside one another. What the system mounts (the
# directory of a user who logs in) is seen.
program_run() {
	bound unshare --mount --propagation slave "$build/tests/test-$2" -j1 --verbose=1 --filter "$3" --tap="$results/$1.tap"
}

# What ends this lane ends its job, and timeout then ends all below it.
bound() {
	setpriv --pdeathsig TERM timeout 8h "$@"
}

# job_run NAME: as the row of the table says.
job_run() {
	begin=$(date +%s)
	row=$(awk -v name="$1" '$1 == name {print $2, $3}' tests/jobs)
	case ${row%% *} in
	*/*) script_run "$1" "${row%% *}" ;;
	*) program_run "$1" "${row%% *}" "${WARREN_TEST_ONLY:-${row#* }}" ;;
	esac >"$results/$1.log" 2>&1
	echo "$? $(($(date +%s) - begin))" >"$results/$1.time"
}

lane() {
	for job in $jobs; do
		mkdir "$results/$job.taken" 2>/dev/null && job_run "$job"
	done
}

mkdir -p "$results"
before=$(mktemp)
# What tests hand on to one another (tests/seed.h): one name below both.
seed=$(mktemp -d /tmp/warren-test-seed.XXXXXX)
export WARREN_TEST_SEED="${seed##*/}"
mkdir "/var/tmp/$WARREN_TEST_SEED" || exit 1
trap 'rm -rf "$before" "$seed" "/var/tmp/$WARREN_TEST_SEED"' EXIT
tests/leftovers.sh list "$before"
pids=""
while [ "$lanes" -gt 0 ]; do
	lane &
	pids="$pids $!"
	lanes=$((lanes - 1))
done
# shellcheck disable=SC2064 # these, now
trap "kill $pids; exit 143" INT TERM HUP
wait
rm -rf "$seed" "/var/tmp/$WARREN_TEST_SEED"
tests/leftovers.sh compare "$before" >"$results/$here.log" 2>&1
echo "$? 0" >"$results/$here.time"
