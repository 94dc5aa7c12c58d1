# Shared by the clients' scripts, which run in a world of their own (world.sh): steps and their counting, waiting, images.
# PEERS_SCRATCH: a directory; RUNTIME: the runtime under test; PEERS_CLIENT: the script's name; PEERS_CONTROL: set when RUNTIME is
# one that does nothing, and every step ought to fail.
# shellcheck shell=sh

scratch=$PEERS_SCRATCH
slow=${WARREN_TEST_SLOW:-1}

# PEERS_ONLY: a regular expression; only steps whose names match are taken.

# step WORDS FUNCTION…: in a shell of its own that stops at the first command that fails; its trace is shown when it does.
step() {
	step_name=$1
	shift
	echo "$step_name" | grep -qE -e "${PEERS_ONLY:-.}" || return 0
	(
		set -ex
		"$@"
	) >"$scratch/step.log" 2>&1
	step_status=$?
	step_report
}

step_report() {
	if [ "$step_status" = 0 ]; then
		echo "ok    $PEERS_CLIENT: $step_name"
	else
		echo "FAIL  $PEERS_CLIENT: $step_name"
		[ -n "${PEERS_CONTROL:-}" ] || sed 's/^/      /' "$scratch/step.log" | tail -n 25
	fi
}

# skip WORDS WHY
skip() {
	! echo "$1" | grep -qE -e "${PEERS_ONLY:-.}" || echo "skip  $PEERS_CLIENT: $1 ($2)"
}

# prepare FUNCTION…: what no runtime takes part in; without it nothing else makes sense.
prepare() {
	(
		set -ex
		"$@"
	) >"$scratch/step.log" 2>&1
	prepare_status=$?
	[ $prepare_status = 0 ] && return 0
	echo "FAIL  $PEERS_CLIENT: prepare: $*"
	sed 's/^/      /' "$scratch/step.log" | tail -n 25
	exit 1
}

# wait_for SECONDS COMMAND…: until it succeeds. Nothing is worth waiting for from a runtime that does nothing.
wait_for() {
	wait_end=$(($(date +%s) + $1 * slow))
	[ -z "${PEERS_CONTROL:-}" ] || wait_end=0
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $wait_end ] || return 1
		sleep 0.1
	done
}

# same WANTED COMMAND…: it prints exactly that.
same() {
	wanted=$1
	shift
	printed=$("$@") || return 1
	[ "$printed" = "$wanted" ]
}

# fails COMMAND…
fails() {
	if "$@"; then
		return 1
	fi
}

# on_terminal COMMAND-LINE: runs one command on a terminal of its own and prints what it prints there. Nobody types, and nobody hangs
# up. It leads the terminal's session itself: below a shell, timeout would put it into the background.
on_terminal() {
	[ -p "$scratch/keyboard" ] || mkfifo "$scratch/keyboard"
	script -qefc "exec $1" /dev/null <>"$scratch/keyboard" | tr -d '\r'
}

# no_cgroup_left WORD: none is left whose path has WORD in it.
no_cgroup_left() {
	[ -z "$(find /sys/fs/cgroup -type d -path "*$1*")" ]
}

# A root directory with one program in it, packed: $scratch/root.tar.
image_make() {
	mkdir -p "$scratch/root/bin" "$scratch/root/etc" "$scratch/root/tmp" "$scratch/root/proc" "$scratch/root/sys" \
		"$scratch/root/dev" "$scratch/root/root" "$scratch/root/run" "$scratch/root/var"
	cp /bin/busybox "$scratch/root/bin/busybox"
	for applet in $(/bin/busybox --list); do
		[ -e "$scratch/root/bin/$applet" ] || ln "$scratch/root/bin/busybox" "$scratch/root/bin/$applet"
	done
	echo "root:x:0:0:root:/root:/bin/sh
web:x:1000:1000:web:/tmp:/bin/sh" >"$scratch/root/etc/passwd"
	echo "root:x:0:
web:x:1000:" >"$scratch/root/etc/group"
	chmod 1777 "$scratch/root/tmp"
	tar -C "$scratch/root" --numeric-owner --owner=0 --group=0 -cf "$scratch/root.tar" .
}

# keep NAME FILE: a log of the client's own, for whoever wants to know why.
keep() {
	[ -z "${PEERS_KEEP:-}" ] || cp "$2" "$PEERS_KEEP/$PEERS_CLIENT.$1"
}

# The last line of every script: it has come to its end.
finish() {
	echo "end   $PEERS_CLIENT"
}
