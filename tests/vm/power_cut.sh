#!/bin/sh
# A host with instances loses its power and is switched on again, twice: by a cut, then by an orderly shutdown. What ran runs
# again, nothing else does, and nothing is left over. usage: power_cut.sh [WARREN [INSTANCES]]
#
# Both machines have the same disk; everything else of them is new, as after a power cut.
# shellcheck disable=SC2016 # the guest's shell expands
set -eu
cd "$(dirname "$0")/../.."
warren=$(readlink -f "${1:-build/vm/warren}")
count=${2:-8}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$work/ro"
cp "$warren" "$work/ro/warren"
cp cli/boot/warren.init.in "$work/ro/warren.init"

cat >"$work/ro/fleet.json" <<FLEET
{
  "version": 1, "name": "power",
  "defaults": { "rootfs": "/var/tmp/rootfs", "network": "none", "command": ["/bin/sleep", "100000"] },
  "instances": {
    "db": {},
    "site": { "replicas": $count, "depends_on": { "db": { "condition": "started" } } },
    "manual": { "autostart": false }
  }
}
FLEET

cat >"$work/ro/common" <<'COMMON'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin WARREN="$PWD/warren"
states() { ./warren list --format '{{.Name}} {{.State}}' | sort >/tmp/states; cat /tmp/states; }
expect() { [ "$(grep -c " $1\$" /tmp/states || true)" = "$2" ] || { echo "expected $2 $1" >&2; exit 1; }; }
is() { grep -qx "$1 $2" /tmp/states || { echo "$1 is not $2" >&2; exit 1; }; }
whole() { ./warren check || exit 1; }
COMMON

cat >"$work/ro/first" <<'FIRST'
set -eu
. ./common
root=/var/tmp/rootfs
mkdir -p $root/bin $root/etc $root/proc $root/sys $root/dev $root/tmp $root/run $root/root
cp /bin/busybox $root/bin/busybox
for word in sh sleep true; do ln -s busybox $root/bin/$word; done
./warren apply fleet.json >/dev/null
./warren stop site-2 >/dev/null
./warren pause site-3 >/dev/null
./warren run -d --name job --network none --restart no --rootfs $root -- /bin/true >/dev/null
./warren wait job >/dev/null
sync
states
echo b >/proc/sysrq-trigger
sleep 60
FIRST

# shellcheck disable=SC2129
{
	echo "set -eu; . ./common; count=$count"
	cat <<'SECOND'
states
expect running 0
expect stopped $((count + 3))
sh ./warren.init start >/dev/null
states
expect running $((count - 1))
is db running
is site-2 stopped
is site-3 paused
is manual stopped
is job stopped
whole
sh ./warren.init start >/dev/null
[ "$(./warren list --format '{{.Name}} {{.State}}' | sort)" = "$(cat /tmp/states)" ] || exit 1
# On an emulated processor all at once can take longer than what is waited for the kernel; what is left ends the next time.
tries=5
until sh ./warren.init stop >/dev/null || [ $tries = 0 ]; do
	tries=$((tries - 1))
done
cp /tmp/states /tmp/before
states
expect running 0
expect paused 0
whole
sync
SECOND
} >"$work/ro/second"

{
	echo "set -eu; . ./common"
	cat <<'THIRD'
./warren boot >/dev/null
states | diff - /tmp/before >&2
whole
./warren boot --stop >/dev/null
./warren down power >/dev/null
./warren rm job >/dev/null
whole
THIRD
} >"$work/ro/third"

# machine SCRIPT
machine() {
	tests/vm/run -d 1024 --disk-file "$work/disk" -t 1800 -R "$work/ro" -C "$work/ro" -- sh "./$1" >"$work/out" 2>"$work/err"
}

stage() {
	status=0
	machine "$1" || status=$?
	[ "$status" = "$2" ] && return 0
	echo "FAIL  $1: status $status" >&2
	cat "$work/out" "$work/err" >&2
	exit 1
}

# 125: the machine ended without a result, which is what happens to one whose power fails.
stage first 125
grep -q "^site-1 running" "$work/out" || {
	echo "FAIL  first: the instances did not run" >&2
	cat "$work/out" "$work/err" >&2
	exit 1
}
echo "ok    $count instances run and the power fails"
stage second 0
echo "ok    after the power cut the same instances run"
stage third 0
echo "ok    after a shutdown too, and nothing is left over"
