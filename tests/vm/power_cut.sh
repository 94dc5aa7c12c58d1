#!/bin/sh
# A host with instances loses its power and is switched on again, twice: by a cut, then by an orderly shutdown. What ran runs
# again, nothing else does, and nothing is left over. usage: power_cut.sh [WARREN [INSTANCES]]
#
# At the cut one each is stopped, paused, asleep, waiting for its next try, done, and half-way through an update.
# shellcheck disable=SC2016 # the guest's shell expands
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/vm/parts/reboots.sh
. tests/vm/parts/reboots.sh
cp cli/boot/warren.init.in "$work/ro/warren.init"

# fleet VALUE TEST: the site "web" with that in its environment, asked how it is by that program.
fleet() {
	cat <<FLEET
{
  "version": 1, "name": "power",
  "networks": { "n": {} },
  "defaults": { "rootfs": "/var/tmp/rootfs", "network": "none", "command": ["/bin/sleep", "100000"] },
  "instances": {
    "db": {},
    "site": { "replicas": $count, "depends_on": { "db": { "condition": "started" } } },
    "manual": { "autostart": false },
    "crashing": { "command": ["/bin/test", "-e", "/none"], "restart": { "policy": "always", "delay": "1h", "max_delay": "1h" } },
    "drowsy": { "network": "n", "idle": "1s" },
    "web": { "network": "n", "read_only": true, "ports": ["127.0.0.1:8080:80"], "environment": { "VALUE": "$1" },
             "command": ["/bin/httpd", "-f", "-p", "80", "-h", "/www"],
             "healthcheck": { "test": ["CMD", "$2"], "interval": "60s", "timeout": "60s", "start_period": "1h" } }
  }
}
FLEET
}
fleet 1 /bin/true >"$work/ro/fleet.json"
fleet 2 /bin/false >"$work/ro/update.json"

cat >>"$work/ro/guest" <<'GUEST'
states_see() { states >/tmp/states; cat /tmp/states; }
expect() { [ "$(grep -c " $1\$" /tmp/states || true)" = "$2" ] || { echo "expected $2 $1" >&2; exit 1; }; }
is() { grep -qx "$1 $2" /tmp/states || { echo "$1 is not $2" >&2; exit 1; }; }
await() {
	for _ in $(seq 600); do
		! states | grep -qx "$1 $2" || return 0
		sleep 0.5
	done
	echo "$1 has never been $2" >&2
	exit 1
}
whole() { ./warren check || exit 1; }
only_the_update_waits() {
	! ./warren check >/tmp/found || exit 1
	[ "$(grep -vc "^NAME " /tmp/found)" = 1 ] && grep -q "its last apply did not come to its end" /tmp/found || { cat /tmp/found >&2; exit 1; }
}
serves() { [ "$(curl -s -m 60 http://127.0.0.1:8080/)" = well ] || { echo "web does not serve" >&2; exit 1; }; }
GUEST

cat >"$work/ro/first" <<'FIRST'
. ./guest
rootfs_make
./warren apply fleet.json >/dev/null
./warren stop site-2 >/dev/null
./warren pause site-3 >/dev/null
./warren run -d --name job --network none --restart no --rootfs $root -- /bin/true >/dev/null
./warren wait job >/dev/null
await crashing restarting
await drowsy asleep
serves
sync
./warren apply update.json >/dev/null 2>&1 &
await web-next running
states
power_fails
FIRST

{
	echo "count=$count"
	cat <<'SECOND'
. ./guest
states_see
expect running 0
is web-next stopped
sh ./warren.init start >/dev/null
await crashing restarting
await drowsy asleep
states_see
is db running
is web running
is site-2 stopped
is site-3 paused
is manual stopped
is job stopped
[ "$(grep -c '^site-.* running$' /tmp/states)" = $((count - 2)) ] || { echo "not all sites run" >&2; exit 1; }
serves
only_the_update_waits
sh ./warren.init start >/dev/null
states | diff /tmp/states - >&2
# The update that was under way is taken back, nothing of it stays, and all is as the file says.
./warren apply fleet.json >/dev/null
./warren plan fleet.json >/dev/null
serves
./warren stop site-2 manual >/dev/null
./warren pause site-3 >/dev/null
await drowsy asleep
states >/var/tmp/before
! grep "^web-next " /var/tmp/before || exit 1
whole
# On an emulated processor all at once can take longer than what is waited for the kernel; what is left ends the next time.
tries=5
until sh ./warren.init stop >/dev/null || [ $tries = 0 ]; do
	tries=$((tries - 1))
done
states_see
expect running 0
expect paused 0
expect asleep 0
expect restarting 0
whole
sync
echo ready
SECOND
} >"$work/ro/second"

cat >"$work/ro/third" <<'THIRD'
. ./guest
./warren boot >/dev/null
await crashing restarting
await drowsy asleep
states | diff /var/tmp/before - >&2
serves
whole
./warren boot --stop >/dev/null
./warren down power >/dev/null
./warren rm job >/dev/null
whole
echo ready
THIRD

machine first
grep -q "^site-1 running" "$work/out" || {
	echo "FAIL  first: the instances did not run" >&2
	cat "$work/out" "$work/err" >&2
	exit 1
}
echo "ok    $count instances run and the power fails"
machine second
echo "ok    after the power cut the same instances run"
machine third
echo "ok    after a shutdown too, and nothing is left over"
