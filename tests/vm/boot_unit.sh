#!/bin/sh
# A host that systemd boots, with warren.service enabled: the instances come up with it, in their order; a shutdown stops them without
# making them "stopped"; the next boot and the one after a power cut bring the same ones again. And real journald has the lines of those
# that log there. usage: boot_unit.sh [WARREN [INSTANCES]]
#
# The unit is the one that is installed, read from a directory that the kernel's command line names (systemd.unit(5):
# SYSTEMD_UNIT_PATH), where it is linked as `systemctl enable` would.
# shellcheck disable=SC2016 # the guest's shell expands
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/vm/parts/reboots.sh
. tests/vm/parts/reboots.sh
mkdir -p "$work/ro/units/vm-run.target.wants" "$work/ro/units/warren.service.d"
sed "s|@CMAKE_INSTALL_FULL_BINDIR@|$work/ro|; s|@CMAKE_INSTALL_FULL_DOCDIR@|/usr/share/doc/warren|" cli/boot/warren.service.in \
	>"$work/ro/units/warren.service"
ln -s ../warren.service "$work/ro/units/vm-run.target.wants/warren.service"
# The machine's own command ends with the power: at a shutdown the unit is first.
printf '[Unit]\nAfter=vm-run.service\n' >"$work/ro/units/warren.service.d/order.conf"

cat >"$work/ro/fleet.json" <<FLEET
{
  "version": 1, "name": "unit",
  "defaults": { "rootfs": "/var/tmp/rootfs", "network": "none", "command": ["/bin/sleep", "100000"] },
  "instances": {
    "db": { "healthcheck": { "test": ["CMD", "/bin/true"], "interval": "60s", "timeout": "30s" } },
    "site": { "replicas": $count, "depends_on": { "db": { "condition": "healthy" } } },
    "manual": { "autostart": false },
    "talker": { "logging": { "driver": "journald" },
                "command": ["/bin/sh", "-c", "echo one line; echo another one >&2; exec sleep 100000"] }
  }
}
FLEET

cat >>"$work/ro/guest" <<'GUEST'
fail() { echo "$*" >&2; systemctl status warren >&2 || true; journalctl -b --no-pager -n 40 >&2 || true; exit 1; }
# Until the unit's start is over, whatever came of it.
unit_await() {
	for _ in $(seq 600); do
		case $(systemctl show -P ActiveState warren) in active | failed) break ;; esac
		sleep 0.5
	done
	[ "$(systemctl show -P ActiveState warren)" = active ] || fail "the unit is not active"
	[ "$(systemctl show -P Result warren)" = success ] || fail "the unit has failed"
}
whole() { ./warren check >&2 || fail "check finds something"; }
# The journal writes what it took when it gets to it.
journal_has() {
	for _ in $(seq 60); do
		journalctl --sync 2>/dev/null || true
		! journalctl --no-pager -o cat CONTAINER_NAME=talker "PRIORITY=$1" | grep -qx "$2" || return 0
		sleep 0.5
	done
	fail "the journal lacks \"$2\""
}
up() {
	unit_await
	states | diff /var/tmp/states - >&2 || fail "other instances run than before"
	journal_has 6 "one line"
	journal_has 3 "another one"
	whole
}
# The events of this boot: each has started once.
in_order() {
	db=$(./warren events --json --filter event=start | jq -r 'select(.name == "db").time_ms')
	first=$(./warren events --json --filter event=start | jq -r 'select(.name | startswith("site-")).time_ms' | sort -n | head -1)
	[ "$db" -lt "$first" ] || fail "a site started before what it depends on"
}
GUEST

cat >"$work/ro/first" <<'FIRST'
. ./guest
unit_await
rootfs_make
./warren apply fleet.json >/dev/null
./warren stop site-2 >/dev/null
./warren pause site-3 >/dev/null
# Only who starts it by hand starts this one.
states | sed 's/^manual running/manual stopped/' >/var/tmp/states
journal_has 6 "one line"
journal_has 3 "another one"
# Who restarts the unit restarts what runs, and nothing else.
systemctl restart warren
up
sync
echo ready
systemctl poweroff
sleep 600
FIRST

cat >"$work/ro/second" <<'SECOND'
. ./guest
unit_await
journalctl -b -u warren --no-pager >&2
up
in_order
power_fails
SECOND

cat >"$work/ro/third" <<'THIRD'
. ./guest
up
in_order
systemctl stop warren
[ "$(states | grep -c ' running$')" = 0 ] || fail "some run after the unit was stopped"
whole
./warren down unit >/dev/null
whole
echo ready
THIRD

host() {
	machine "$1" -i systemd --append "SYSTEMD_UNIT_PATH=$work/ro/units:"
}

host first
echo "ok    the unit starts and restarts what should run; the journal has what logs there"
host second
echo "ok    after a shutdown the unit brings the same ones, in order"
host third
echo "ok    after a power cut, too; stopped by the unit, and nothing is left over"
