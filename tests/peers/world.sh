# A small world of its own for a client and all that it starts: namespaces of every kind but the user's, a cgroup that plays the
# root, a scratch directory. The processes in it die with its first one; mounts, links and namespaces go with them; so only
# cgroups and the scratch directory are left to remove. What a killed run left, the next one removes.
# Sourced by tests/peers/run.
# shellcheck shell=sh

world=
world_name=warren-peers

# The directories where a hierarchy of cgroups is mounted, one a line.
world_hierarchies() {
	awk '{for (i = 7; $i != "-"; i++); if ($(i + 1) ~ /^cgroup2?$/) print $5}' /proc/self/mountinfo
}

# world_of PID: that process's cgroup in each hierarchy.
world_cgroups() {
	for hierarchy in $(world_hierarchies); do
		echo "$hierarchy/warren/peers-$1"
	done
}

# A controller that a group is to have must be handed down to it (v2), and a cpuset is empty until it is filled (v1).
world_cgroup_make() {
	parent=$(dirname "$1")
	for directory in "$parent" "$1"; do
		mkdir -p "$directory"
		above=$(dirname "$directory")
		[ ! -w "$above/cgroup.subtree_control" ] || world_hand_down "$above"
		for file in cpuset.cpus cpuset.mems; do
			[ ! -e "$above/tasks" ] || [ ! -e "$directory/$file" ] || cat "$above/$file" >"$directory/$file"
		done
	done
}

# Each controller by itself: one that cannot be handed down must not keep the others.
world_hand_down() {
	for controller in $(tr "\n" " " <"$1/cgroup.controllers"); do
		echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null
	done
}

# A frozen process of version 1 does not hear that it was killed.
world_thaw() {
	find "$1" -name freezer.state | while read -r file; do
		echo THAWED >"$file"
	done
}

# world_end PID: kills what is left in that world's cgroups and removes them; fails if they stay.
world_end() {
	tries=100
	while [ $tries -gt 0 ]; do
		left=0
		for cgroup in $(world_cgroups "$1"); do
			[ -d "$cgroup" ] || continue
			world_thaw "$cgroup"
			find "$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null | while read -r pid; do
				[ "$pid" = 0 ] || kill -KILL "$pid" 2>/dev/null
			done
			find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
			[ ! -d "$cgroup" ] || left=1
			rmdir "$(dirname "$cgroup")" 2>/dev/null
		done
		[ $left = 1 ] || break
		tries=$((tries - 1))
		sleep 0.1
	done
	rm -rf "/tmp/$world_name.$1"
	[ "$left" = 0 ]
}

# world_remains PID: what outlived its first process. A link lives in a network namespace, which something must hold.
world_remains() {
	while read -r namespace; do
		find /proc/[0-9]*/ns /proc/[0-9]*/task/[0-9]*/ns -lname "$namespace" -printf "FAIL  left: %p is in %l\n" 2>/dev/null
	done <"/tmp/$world_name.$1/namespaces"
	sed -n "s,^.* \(/[^ ]*$world_name\.$1[^ ]*\) .*,FAIL  left: a mount at \1,p" /proc/self/mountinfo
}

# Ends the worlds of runs that were killed.
world_tidy() {
	for directory in /tmp/"$world_name".*; do
		owner=${directory##*.}
		[ ! -d "$directory" ] || [ -d "/proc/$owner" ] || world_end "$owner"
	done
}

# world_run SECONDS COMMAND…: runs it in a new world, with the scratch directory as its PEERS_SCRATCH.
world_run() {
	seconds=$1
	shift
	world=$$
	# The name tells whose it is before anything else is made.
	mkdir -m 755 "/tmp/$world_name.$world" || return 1
	for cgroup in $(world_cgroups $world); do
		world_cgroup_make "$cgroup"
	done
	PEERS_SCRATCH=/tmp/$world_name.$world PEERS_CGROUP=warren/peers-$world \
		setpriv --pdeathsig KILL timeout -k 5 "$seconds" sh tests/peers/enter "$@"
	world_status=$?
	[ -z "$(world_remains $world)" ] || sleep 1
	world_remains $world
	world_end $world || echo "FAIL  its cgroups are not empty: $(world_cgroups $world | tr '\n' ' ')"
	world=
	return $world_status
}
