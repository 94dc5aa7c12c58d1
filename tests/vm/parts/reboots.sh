# What the tests of boots have in common: machines that follow one another with the same disk, everything else of them new. Sourced by
# tests/vm/power_cut.sh and boot_unit.sh with the words WARREN and INSTANCES.
# shellcheck shell=sh disable=SC2034
# shellcheck disable=SC2016 # the guest's shell expands

warren=$(readlink -f "${1:-build/vm/warren}")
count=${2:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$work/ro"
cp "$warren" "$work/ro/warren"

# For the scripts of the guest, which run in that directory.
cat >"$work/ro/guest" <<'GUEST'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin WARREN="$PWD/warren"
states() { ./warren list --format '{{.Name}} {{.State}}' | sort; }
rootfs_make() {
	root=/var/tmp/rootfs
	mkdir -p $root/bin $root/etc $root/proc $root/sys $root/dev $root/tmp $root/run $root/root $root/www
	cp /bin/busybox $root/bin/busybox
	for word in sh sleep true test httpd; do ln -s busybox $root/bin/$word; done
	echo well >$root/www/index.html
}
# What was said has to leave the machine first.
power_fails() {
	sync
	echo ready
	sleep 3
	echo b >/proc/sysrq-trigger
	sleep 60
}
GUEST

# machine SCRIPT OPTION…: each says "ready" when it is done; how a machine ends that is switched off meanwhile says nothing.
machine() {
	script=$1
	shift
	tests/vm/run "$@" -d 1024 --disk-file "$work/disk" -t 1800 -R "$work/ro" -C "$work/ro" -- sh "./$script" \
		>"$work/out" 2>"$work/err" || true
	grep -qx ready "$work/out" && return 0
	echo "FAIL  $script" >&2
	cat "$work/out" "$work/err" >&2
	exit 1
}
