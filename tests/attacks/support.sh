# What the attacks use: a bundle, a runtime with its state below the case's own directory, a directory of the "host" that nobody
# may touch, and the words of the verdict. Sourced by tests/attacks/case, in namespaces of its own: what a runtime mounts on the
# host, starts there or calls it, ends with the case.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # shared with the attacks; the driver sets RUNTIME, HELPER, WORK, CGROUP, ROUNDS, SECONDS_EACH, SLOW

BUNDLE=$WORK/bundle
ROOTFS=$BUNDLE/rootfs
STATE=$WORK/deep/deep/state # what climbs out of it is still below WORK
HOST=$WORK/host
OUT=$WORK/out
SECRET=top-of-the-host # what HOST/secret says
TIME=$((20 * SLOW)) # seconds for a command, which hangs after that
# Where a relative climb from anywhere ends: at /.
CLIMB=../../../../../../../../../../../../../../..
# What an attacked path should lead to.
TARGET=$HOST/empty

say() {
	[ -s "$WORK/verdict" ] || echo "$*" >"$WORK/verdict"
}

# The end of a case, each with one line of reason. Without one of them it was held.
breach() {
	say "BREACH: $*"
	exit 0
}
unclear() {
	say "unclear: $*"
	exit 0
}

# The runtime, bounded. Its output goes to OUT, all of them one after the other.
rt() {
	timeout -k 2 "$TIME" "$RUNTIME" --root "$STATE" "$@" </dev/null >>"$OUT" 2>&1
}

# As rt, and it must work, or there is nothing to attack.
must() {
	rt "$@" || unclear "$1 failed: $(tail -n 1 "$OUT" | cut -c 1-150)"
}

# A script for the container, from standard input. Its output is what the last container wrote.
payload() {
	cat >"$ROOTFS/payload"
	ARGS='["/bin/sh", "/payload"]'
}

# output_has TEXT: whether anything that was run has said so.
output_has() {
	grep -aqF -- "$1" "$OUT"
}

# beside COMMAND…: in the background, and ended with the attack.
BESIDE=
beside() {
	"$@" &
	BESIDE="$BESIDE $!"
}
beside_end() {
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$BESIDE" ] || kill -KILL $BESIDE 2>/dev/null
	wait
}

# wait_for COMMAND…: until it succeeds, two seconds at most.
wait_for() {
	left=$((100 * SLOW))
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.02
	done
}

ARGS='["/bin/true"]'
WITH_DEV=yes
CWD=/
PROCESS=
MOUNTS=
CAPS='"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT"'
CAPABILITIES=default
USER_ID=0
NAMESPACES='{"type": "mount"}, {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}, {"type": "cgroup"}'
RESOURCES='"devices": [{"allow": false, "access": "rwm"}]'
CGROUPS_PATH=/$CGROUP/$(basename "$WORK")
LINUX=
TOP='"hostname": "inside"'
PROC='{"destination": "/proc", "type": "proc", "source": "proc"}'
DEV='{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
	{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666", "mode=0620"]}'

# tmpfs DESTINATION, bind SOURCE DESTINATION: one more mount.
mount_add() {
	MOUNTS="$MOUNTS${MOUNTS:+, }$1"
}
tmpfs() {
	mount_add "{\"destination\": \"$1\", \"type\": \"tmpfs\", \"source\": \"tmpfs\"}"
}
bind() {
	mount_add "{\"destination\": \"$2\", \"type\": \"bind\", \"source\": \"$1\", \"options\": [\"rbind\"]}"
}

# Writes config.json from the variables above. MOUNTS come last, PROC and DEV may be empty.
config() {
	[ "$WITH_DEV" = yes ] || DEV=
	capabilities="\"capabilities\": {\"bounding\": [$CAPS], \"effective\": [$CAPS], \"permitted\": [$CAPS]},"
	[ "$CAPABILITIES" = default ] || capabilities=$CAPABILITIES
	mounts=$PROC
	for more in "$DEV" "$MOUNTS"; do
		mounts="$mounts${mounts:+${more:+, }}$more"
	done
	cat >"$BUNDLE/config.json" <<-CONFIG
		{"ociVersion": "1.0.2", "root": {"path": "rootfs"},
		"process": {"args": $ARGS, "cwd": "$CWD", "env": ["PATH=/bin"], $capabilities
			"user": {"uid": $USER_ID, "gid": $USER_ID}, "noNewPrivileges": true${PROCESS:+, }$PROCESS},
		"mounts": [$mounts],
		"linux": {"namespaces": [$NAMESPACES], "cgroupsPath": "$CGROUPS_PATH", "resources": {$RESOURCES}${LINUX:+, }$LINUX}
		${TOP:+, }$TOP}
	CONFIG
}

# Writes the config and runs it to its end; the status is the runtime's.
run() {
	config
	rt run --bundle "$BUNDLE" a
}

# The same, then as a user of the image's, whose home a runtime looks up.
run_as_each() {
	for USER_ID in 0 1000; do
		run
		[ $? != 124 ] || breach "hangs as user $USER_ID"
	done
	USER_ID=0
}

# A container "a" that sleeps.
start() {
	[ "$ARGS" != '["/bin/true"]' ] || ARGS='["/bin/sleep", "1000"]'
	config
	must run --detach --bundle "$BUNDLE" a
}

# While COMMAND… runs again and again, A and B change places: race A B COMMAND…. "{}" in it is the round's own id.
race() {
	"$HELPER" exchange "$1" "$2" &
	racer=$!
	shift 2
	"$HELPER" repeat "$ROUNDS" "$SECONDS_EACH" "$RUNTIME" --root "$STATE" "$@" </dev/null >>"$OUT" 2>"$WORK/rounds" || hung=yes
	kill $racer 2>/dev/null
	wait $racer 2>/dev/null
	cat "$WORK/rounds" >>"$OUT"
	tail -n 1 "$WORK/rounds" | sed 's/^/, /; s/, [0-9]* hung.*//' >"$WORK/remark"
	[ -z "${hung:-}" ] || unclear "a round hung"
	! grep -q '^0 rounds' "$WORK/rounds" || unclear "not one round was run"
}
run_race() {
	config
	race "$1" "$2" run --bundle "$BUNDLE" '{}'
}

# --- the host, before and after

host_list() {
	find "$HOST" -printf '%P %y %m %U:%G %s %l\n' | sort
	cat "$HOST/file" /proc/sys/kernel/hostname /proc/sys/kernel/domainname
}

mounts_list() {
	cut -d' ' -f 3- /proc/self/mountinfo
}

containers_end() {
	for record in "$STATE"/*/; do
		id=$(basename "$record")
		case $id in
		'*' | .* | *[!a-z0-9]*) ;;
		*) rt delete -f "$id" ;;
		esac
	done
}

cgroups_left() {
	find /sys/fs/cgroup/"$CGROUP" /sys/fs/cgroup/*/"$CGROUP" -mindepth 1 -type d \( -fstype cgroup -o -fstype cgroup2 \) 2>/dev/null | wc -l
}

# The others in this pid namespace: all but the shells of the attack itself.
processes_left() {
	for process in /proc/[0-9]*; do
		read -r name <"$process/comm" && [ "$name" != case ] && echo "$name"
	done 2>/dev/null
}
no_processes_left() {
	[ -z "$(processes_left)" ]
}
no_cgroups_left() {
	[ "$(cgroups_left)" = 0 ]
}

# Anything but "nothing changed" becomes the verdict.
host_check() {
	containers_end
	host_list >"$WORK/host.after"
	cmp -s "$WORK/host.before" "$WORK/host.after" ||
		say "BREACH: the host's files changed: $(diff "$WORK/host.before" "$WORK/host.after" | grep '^[<>]' | head -n 3 | tr '\n' ' ')"
	! grep -aqsF "$SECRET" "$OUT" "$ROOTFS/log" || say "BREACH: the host's secret was read"
	mounts_list >"$WORK/mounts.after"
	cmp -s "$WORK/mounts.before" "$WORK/mounts.after" ||
		say "BREACH: $(diff "$WORK/mounts.before" "$WORK/mounts.after" | grep -c '^[<>]') mounts of the host changed"
	wait_for no_cgroups_left || say "unclear: held, but left $(cgroups_left) cgroups"
	wait_for no_processes_left || say "unclear: held, but left a process: $(processes_left | head -n 1)"
}
