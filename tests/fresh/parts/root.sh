# The bare root, and how commands run inside it. Sourced by tests/fresh/run.
# shellcheck shell=sh disable=SC2154

# bounded SECONDS COMMAND…: in the background with a group of its own, so that a signal to this script ends all of it; its death, too.
bounded_child=
bounded() {
	limit=$1
	shift
	setpriv --pdeathsig TERM timeout -k 5 "$limit" "$@" &
	bounded_child=$!
	wait $bounded_child
	bounded_status=$?
	bounded_child=
	[ $bounded_status != 124 ] || echo "out of time: stopped after $limit s"
	return $bounded_status
}

# First a request, as a virtual machine and mmdebstrap have something to remove.
bounded_end() {
	[ -n "$bounded_child" ] || return 0
	kill -s TERM -- "-$bounded_child" 2>/dev/null
	left=50
	while kill -s 0 -- "-$bounded_child" 2>/dev/null && [ $left -gt 0 ]; do
		left=$((left - 1))
		sleep 0.1
	done
	kill -s KILL -- "-$bounded_child" 2>/dev/null
	wait "$bounded_child"
}

# The tarball's name says what is in it; one of another day is thrown away.
root_tarball() {
	echo "$cache/bare-$suite-$(date +%Y-%m-%d).tar"
}

# minbase: what is essential, and apt. apt's lists are not kept: quickstart.sh must fetch them. dpkg need not wait for the disk.
root_bootstrap() {
	sources_find || return 1
	rm -f "$cache"/bare-*.tar*
	sources_settings >"$work/apt.settings"
	echo "$sources" >"$work/sources.list"
	bounded 600 mmdebstrap --quiet --mode=root --variant=minbase --dpkgopt=force-unsafe-io --aptopt="$work/apt.settings" "$suite" "$tarball.new.tar" \
		"$work/sources.list" && mv "$tarball.new.tar" "$tarball"
}

root_make() {
	tarball=$(root_tarball)
	if [ -n "$refresh" ] || [ ! -s "$tarball" ]; then
		root_bootstrap || return 1
	fi
	tar -C "$root" --numeric-owner -xpf "$tarball" && rm -f "$root/etc/resolv.conf" "$root/etc/hostname" && : >"$root/etc/resolv.conf" &&
		mkdir -p "$cache/archives/partial" "$root$clone" && chown _apt "$cache/archives/partial"
}

# inside SECONDS network|alone COMMAND…: in the clone, as a root of little power, with namespaces of its own.
inside() {
	seconds=$1 network=$2
	shift 2
	[ "$network" = network ] && net='' || net=--net
	# shellcheck disable=SC2086 # a word or none
	bounded "$seconds" unshare --mount --propagation private --pid --fork --kill-child --ipc --uts $net \
		sh "$here/parts/enter" "$root" "$cache/archives" "$network" "$clone" "$@"
}

# name, version, installed size in KiB
packages_list() {
	dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Package} ${Version} ${Installed-Size}\n' | sort
}
