#!/bin/sh
# What a test left on the machine is a failure of its own.
# usage: leftovers.sh list FILE        writes what is there
#        leftovers.sh compare FILE     prints what is there now and was not in FILE; fails if there is any
# Less than before is no leak: something of somebody else ended.
set -u

# The common parent of the tests' cgroups goes with its last child in most cases only; empty, it is no find.
parents_remove() {
	rmdir /sys/fs/cgroup/*/warren /sys/fs/cgroup/warren 2>/dev/null
}

# The numbers of a mount change; programs of ours by their names, others come and go. /run/user is systemd's, for as long as it likes;
# /run/warren-seed stays until the next boot by design.
list() {
	parents_remove
	sed 's/^[0-9]* [0-9]* [0-9:]* /mount /' /proc/self/mountinfo | grep -v -e ' /run/user/' -e ' /run/warren-seed'
	find /sys/fs/cgroup -type d -path '*warren*' 2>/dev/null
	ip -o link 2>/dev/null | awk -F': ' '{print "link " $2}'
	nft list tables 2>/dev/null
	echo "ip_forward $(cat /proc/sys/net/ipv4/ip_forward)"
	cat /proc/[0-9]*/comm 2>/dev/null | sed -n 's/^warren/process warren/p'
}

# Namespaces and their mounts die a moment after the last process in them.
compare() {
	tries=20
	while :; do
		more=$(list | sort | comm -13 "$1" -)
		[ -n "$more" ] || return 0
		tries=$((tries - 1))
		[ $tries -gt 0 ] || break
		sleep 0.2
	done
	echo "$more"
	return 1
}

case ${1:-} in
list) list | sort >"$2" ;;
compare) compare "$2" ;;
*)
	echo "usage: leftovers.sh list|compare FILE" >&2
	exit 2
	;;
esac
