#!/bin/sh
# Tests of tests/vm/run itself. usage: test.sh [--full]
#
# Two boots show most of it; --full adds the ways in which a machine can end badly, systemd, an image and a kernel without a
# controller, each of which is a boot of its own.
# shellcheck disable=SC2016 # the guest's shell expands
set -u
cd "$(dirname "$0")/../.." || exit 1
run=tests/vm/run
failures=0

[ "$(id -u)" = 0 ] || {
	echo "tests/vm/test.sh: needs root" >&2
	exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$work/tmp" "$work/share" "$work/ro" "$work/empty"
# Sockets and logs of the machines, to see that none stay.
export TMPDIR="$work/tmp"

check() {
	title=$1
	shift
	if "$@"; then
		echo "ok    $title"
	else
		failures=$((failures + 1))
		echo "FAIL  $title: status $status"
		tail -n 20 "$work/err"
	fi
}

# machine OPTIONS…: runs it, and keeps status, out and err.
machine() {
	$run "$@" >"$work/out" 2>"$work/err"
	status=$?
}

has_status() {
	[ "$status" = "$1" ]
}

out_is() {
	[ "$(cat "$work/out")" = "$1" ]
}

out_has() {
	grep -qF -- "$1" "$work/out"
}

says() {
	grep -qF -- "$1" "$work/err"
}

# refuses TEXT WORD…: without starting anything, in one line.
refuses() {
	text=$1
	shift
	machine "$@"
	check "refuses $*" has_status 125
	check "says $text" says "$text"
}

# Every process of a machine has a path below TMPDIR among its words.
no_process() {
	tries=50
	while pgrep -f "$work/tmp" >/dev/null && [ $tries -gt 0 ]; do
		tries=$((tries - 1))
		sleep 0.1
	done
	[ $tries -gt 0 ]
}

nothing_stays() {
	no_process && [ -z "$(ls -A "$work/tmp")" ]
}

options() {
	refuses "unknown option --nonsense" --nonsense true
	refuses "--memory wants a whole number, got 'much'" --memory much true
	refuses "--timeout wants a value" --timeout
	refuses "no such directory: $work/none" --share "$work/none" true
	refuses "--share: not /" --share / true
	refuses "no such file or directory: $work/none" --root "$work/none" true
	refuses "no squashfs, erofs or ext4 image" --root "$0" true
	refuses "plain or systemd" --init upstart true
	refuses "no variable's name" --env 1=2 true
	refuses "usage:" -v
	for program in sh env id readlink dirname awk sed cat cut grep date ls find stat mkdir rm; do
		ln -s "$(command -v $program)" "$work/empty/$program"
	done
	PATH=$work/empty machine true
	check "names the package of what is missing" says "install Debian's package qemu-system-x86"
	setpriv --reuid 65534 $run true 2>"$work/err"
	status=$?
	check "wants root" says "needs root"
}

# In one boot: what the guest sees, and that what it says comes through as it is.
cat >"$work/ro/guest" <<'GUEST'
printf '%s\n' "$@" "$VARIABLE" "$PWD"
echo from the guest >"$SHARE/file"
chown 1234:5678 "$SHARE/file"
echo changed >"$RO/kept"
cat /sys/fs/cgroup/cgroup.subtree_control
stat -f -c %T /tmp /var/lib/warren
head -c 300000 "$RO/bytes"
cat "$RO/bytes" >&2
ls /sys/class/net
sleep 1000 &
exit 7
GUEST

first_boot() {
	head -c 600000 /dev/urandom >"$work/ro/bytes"
	echo kept >"$work/ro/kept"
	machine -d 256 -s "$work/share" -R "$work/ro" -C "$work/share" -e VARIABLE="it's \$a value" -e SHARE="$work/share" -e RO="$work/ro" -- \
		sh "$work/ro/guest" "two words" "a'quote" '' '*' '$HOME'
	{
		printf '%s\n' "two words" "a'quote" '' '*' '$HOME' "it's \$a value" "$work/share"
		echo "cpuset cpu io memory hugetlb pids rdma misc"
		printf 'ext2/ext3\next2/ext3\n'
		head -c 300000 "$work/ro/bytes"
		echo lo
	} >"$work/expected"
	check "the status of the command is ours, also when it leaves a process behind" has_status 7
	check "arguments, variables and output are exact" cmp "$work/out" "$work/expected"
	check "stderr is exact and apart" cmp "$work/err" "$work/ro/bytes"
	check "a share is written, with owners" [ "$(cat "$work/share/file") $(stat -c %u:%g "$work/share/file")" = "from the guest 1234:5678" ]
	check "what the guest writes elsewhere stays there" [ "$(cat "$work/ro/kept")" = kept ]
}

second_boot() {
	machine -m 512 -c 1 -t 120 --peer 'while :; do busybox nc -l -p 9 -e echo hello from $(cat /etc/hostname /proc/sys/kernel/hostname | tail -n 1); done' -- \
		sh -c 'until busybox nc -w 5 peer 9 </dev/null | grep .; do sleep 0.2; done; kill -9 $$'
	check "a signal is 128 and its number" has_status 137
	check "two machines are on one wire" out_has "hello from peer"
}

bad_ends() {
	machine -m 512 -- nonexistent-command
	check "a missing command is 127" has_status 127
	machine -m 512 -- sh -c 'echo c >/proc/sysrq-trigger'
	check "a panic is a failure of the machine" has_status 125
	check "and is told" says "Kernel panic"
	machine -m 512 -t 5 -- sleep 100
	check "out of time is 124" has_status 124
	machine -m 512 -- sh -c 'echo o >/proc/sysrq-trigger; sleep 60'
	check "a machine that goes off has no result" has_status 125
	check "and says so" says "ended without a result"
}

killed_tool() {
	$run -m 512 -d 64 -- sh -c 'echo up; sleep 100' >"$work/out" 2>"$work/err" &
	tool=$!
	status=none tries=600
	until grep -q up "$work/out" || [ $tries = 0 ]; do
		tries=$((tries - 1))
		sleep 0.1
	done
	kill -9 $tool
	wait $tool 2>/dev/null
	check "a killed tool takes its machine with it" no_process
	check "what it leaves is one directory" [ "$(find "$work/tmp" -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
	machine -m 512 true
	check "and the next run removes that" nothing_stays
}

other_roots() {
	machine -i systemd -- systemctl is-system-running --wait
	check "systemd reaches running" out_is running
	machine --append cgroup_disable=memory -- grep -c memory /sys/fs/cgroup/cgroup.controllers
	check "words for the kernel reach it" out_is 0
	machine --root "$(tests/vm/image --kind erofs system)" -- sh -c '. /etc/os-release && echo $ID $VERSION_ID && modprobe dummy && echo loaded'
	check "an image boots, with the kernel's modules" out_is "debian 12
loaded"
}

options
first_boot
second_boot
if [ "${1:-}" = --full ]; then
	bad_ends
	killed_tool
	other_roots
fi
check "nothing stays" nothing_stays
[ $failures = 0 ]
