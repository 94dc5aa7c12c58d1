# Shared by the shell tests: a host of their own (a network namespace with loopback up, a state directory, a cgroup parent), and counting what a run leaves behind.
# Sourced at the top of the source tree. WARREN_BUILD: the directory of the release build, when it is not build/release.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # shared with the scripts that source this

build=${WARREN_BUILD:-$PWD/build/release}

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# Re-executes the calling script in a network namespace that plays the host.
in_own_network() {
	[ -n "${WARREN_TEST_NETWORK:-}" ] && return 0
	[ "$(id -u)" = 0 ] || { echo "SKIP $(basename "$0"): needs root" && exit 0; }
	WARREN_TEST_NETWORK=1 exec unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$0" "$@"
}

# Everything that a run could leave, one count or name a line.
census() {
	echo "processes $(cat /proc/[0-9]*/comm 2>/dev/null | grep -cE '^(warren|nginx|sleep)')"
	echo "mounts $(wc -l </proc/self/mountinfo)"
	echo "network namespaces $(find /proc/[0-9]*/ns/net -maxdepth 0 -printf '%l\n' 2>/dev/null | sort -u | wc -l)"
	echo "cgroups $(find /sys/fs/cgroup -type d -path "*/${cgroup_parent:-warren}*" 2>/dev/null | wc -l)"
	echo "links $(ip -o link | wc -l)"
	echo "routes $(ip -4 route show table all | wc -l) $(ip -6 route show table all | wc -l)"
	echo "addresses $(ip -o -4 address | wc -l) $(ip -o -6 address | wc -l)"
	echo "nft $(nft list ruleset | wc -l)"
	echo "sysctls $(cat /proc/sys/net/ipv4/ip_forward) $(cat /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null)"
	# One file says what those have used that are gone: it is what is charged for.
	[ -z "${state:-}" ] || echo "files $(find "$state" -mindepth 1 \( -path '*/layers*' -o -name '*.bpf' -o -path '*/seccomp*' -o -name usage-removed.jsonl \) -prune -o -type f -print 2>/dev/null | wc -l)"
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
	left=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.05
	done
}

# The namespaces of ended instances die a moment after them. Less than before is no leak: something of somebody else ended.
no_more_than_before() {
	census >"$work/census.now"
	paste -d'|' "$work/census.before" "$work/census.now" | awk -F'|' '
		{ split($1, a, " "); split($2, b, " "); before = a[length(a)]; now = b[length(b)] }
		now > before { print $1 " became " now; more = 1 }
		END { exit more }' >"$work/census.diff"
}

nothing_left() {
	wait_for 10 no_more_than_before || fail "$1 left something behind:
$(cat "$work/census.diff")"
}
