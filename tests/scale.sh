#!/bin/sh
# 200 instances up from one file and down again, twice, with nothing left; apply killed half-way and given again; a killed monitor.
# usage: scale.sh [COUNT]     WARREN_TEST_SCALE: what COUNT is otherwise
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib.sh
. tests/lib.sh
in_own_network "$@"
count=${1:-${WARREN_TEST_SCALE:-200}}
work=$(mktemp -d)
state=$work/state
cgroup_parent=warren/test-scale-$$
warren="$build/warren --root $state --cgroup-parent $cgroup_parent"
trap '$warren down scale >/dev/null 2>&1 || true; rm -rf "$work"; find /sys/fs/cgroup -depth -type d -path "*/$cgroup_parent*" -exec rmdir {} \; 2>/dev/null || true' EXIT

cat >"$work/scale.json" <<JSON
{ "version": 1, "name": "scale",
  "networks": { "scale": { "subnet": "10.77.0.0/16" } },
  "defaults": { "image": "host", "network": "scale", "command": [ "sleep", "infinity" ], "stop_signal": "KILL",
                "resources": { "memory": "16M", "pids": 8, "cpus": 0.5 } },
  "instances": { "n": { "replicas": $count } } }
JSON

running() {
	$warren list -r -q | grep -c . || true
}

is_running() {
	[ "$(running)" = "$1" ]
}

# The first use makes what stays (the skeleton of the image, compiled filters).
$warren run --rm host -- true
census >"$work/census.before"
for round in 1 2; do
	begin=$(date +%s%N)
	$warren apply -q "$work/scale.json"
	middle=$(date +%s%N)
	is_running "$count" || fail "$(running) of $count run after apply"
	$warren down -q scale
	end=$(date +%s%N)
	echo "round $round: $count up in $(((middle - begin) / 1000000)) ms, down in $(((end - middle) / 1000000)) ms"
	nothing_left "round $round"
done

# Killed early, in the middle and late, of the time that a whole one took.
for part in 3 12 40; do
	delay=$(awk "BEGIN {print ($middle - $begin) / 1e9 * $part / 100}")
	$warren apply -q "$work/scale.json" &
	apply=$!
	sleep "$delay"
	kill -9 $apply 2>/dev/null || true
	wait $apply 2>/dev/null || true
	before=$(running)
	$warren apply -q "$work/scale.json"
	is_running "$count" || fail "$(running) of $count run after the second apply"
	duplicates=$($warren list -r --format '{{.Address}}' | sort | uniq -d | wc -l)
	[ "$duplicates" = 0 ] || fail "$duplicates addresses are used twice"
	[ "$($warren apply "$work/scale.json" | grep -c "$count unchanged")" = 1 ] || fail "a third apply was not idle"
	echo "apply killed after $delay s with $before running: completed by the next"
done

victim=$($warren list --format '{{.Name}} {{.Monitor}}' | head -1)
kill -9 "${victim#* }"
wait_for 5 sh -c "$warren list ${victim% *} | grep -q unmonitored" || fail "a killed monitor does not show"
is_running "$count" || fail "the instance ended with its monitor"
$warren restart "${victim% *}" >/dev/null
$warren list "${victim% *}" | grep -q unmonitored && fail "restart gave no monitor"
$warren down -q scale
nothing_left "down"
echo "scale: $count up and down, killed and completed, nothing left"
