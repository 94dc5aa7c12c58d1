# Names and numbers on the command line and in the config that mean more than they should.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154

# The state root lies deep below the case's own directory, so that what climbs is still at home there.
sibling() {
	mkdir -p "$WORK/deep/deep/sibling" "$STATE"
	chmod 700 "$STATE"
	echo kept >"$WORK/deep/deep/sibling/file"
	echo kept >"$WORK/deep/deep/file"
}
siblings_kept() {
	for file in "$WORK/deep/deep/file" "$WORK/deep/deep/sibling/file"; do
		[ -e "$file" ] || breach "$1 erased what is beside the state root"
	done
}
attack_delete_of_the_parent() {
	sibling
	rt delete -f ..
	siblings_kept "delete -f .."
	[ -d "$STATE" ] || breach "the state root is gone"
}
attack_delete_of_the_root() {
	sibling
	start
	rt delete -f .
	rt delete -f ''
	rt state a || breach "the record of another is gone"
}
attack_delete_of_a_sibling() {
	sibling
	rt delete -f ../sibling
	rt delete -f ./../sibling
	rt delete -f a/../../sibling
	siblings_kept "delete -f ../sibling"
}
attack_delete_of_an_absolute_path() {
	sibling
	rt delete -f "$WORK/deep/deep/sibling"
	rt delete -f "/$CLIMB$WORK/deep/deep/sibling"
	siblings_kept "delete -f of a path"
}
attack_create_outside_of_the_state_root() {
	sibling
	config
	for name in .. . ../made ./../made "/$CLIMB$TARGET/made" a/../../made; do
		timeout "$TIME" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$name" >>"$OUT" 2>&1 </dev/null
		timeout "$TIME" "$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" "$name" >>"$OUT" 2>&1 </dev/null
		if [ -e "$WORK/deep/deep/made" ]; then
			timeout "$TIME" "$RUNTIME" --root "$WORK/deep/deep" delete -f made >>"$OUT" 2>&1
			breach "$name has its record outside of the state root"
		fi
	done
	siblings_kept "create"
}
# A container of another state root, reached by a name that climbs.
attack_name_of_a_container_elsewhere() {
	start
	mkdir -m 700 "$WORK/deep/deep/other"
	for words in "kill ../state/a KILL" "pause ../state/a" "exec ../state/a mkdir /made" "delete -f ../state/a"; do
		# shellcheck disable=SC2086 # words
		timeout "$TIME" "$RUNTIME" --root "$WORK/deep/deep/other" $words >>"$OUT" 2>&1 </dev/null
		[ ! -e "$ROOTFS/made" ] || breach "exec in a container of another state root"
		timeout "$TIME" "$RUNTIME" --root "$STATE" state a 2>/dev/null | grep -q '"running"' ||
			breach "${words%% *} reached a container of another state root"
	done
}
attack_name_that_is_an_option() {
	sibling
	config
	rt run --bundle "$BUNDLE" -- --root=/nonesuch
	rt run --bundle "$BUNDLE" -- -f
	for record in "$STATE"/-*; do
		[ ! -e "$record" ] || breach "took $(basename "$record") for a name"
	done
}

# CVE-2026-30892 and its kin: no word may become uid 0.
exec_user() {
	start
	for user; do
		: >"$OUT"
		rt exec --user "$user" a attack status
		! output_has 'uid 0' || breach "--user '$user' is root"
	done
}
attack_user_one() {
	exec_user 1 65534
	output_has 'uid 65534' || unclear "exec --user 65534: $(tail -n 1 "$OUT" | cut -c 1-100)"
}
attack_user_minus_one() {
	exec_user -1
}
attack_user_beyond_32_bits() {
	exec_user 4294967296 18446744073709551616 8589934592
}
attack_user_that_is_no_change() {
	exec_user 4294967295
}
attack_user_in_other_words() {
	exec_user 1e3 0x1 ' 1' '1 ' '+1' 1.5 1x
}
attack_group_in_other_words() {
	start
	for user in 1:-1 1:4294967295 1:4294967296 1:1x 1: 1:0x1; do
		: >"$OUT"
		rt exec --user "$user" a attack status
		! output_has 'gid 0' || [ "$user" = 1: ] || breach "--user $user has root's group"
	done
}
attack_user_of_a_config_beyond_32_bits() {
	for user in 4294967296 4294967295 -1 '"0"' 1.5; do
		: >"$OUT"
		payload <<-'END'
			attack status
		END
		config
		sed -i "s/\"uid\": 0, \"gid\": 0/\"uid\": $user, \"gid\": 1/" "$BUNDLE/config.json"
		rt run --bundle "$BUNDLE" a
		! output_has 'uid 0' || breach "uid $user of a config is root"
	done
}
attack_group_of_a_config_beyond_32_bits() {
	for group in 4294967296 4294967295 -1; do
		: >"$OUT"
		payload <<-'END'
			attack status
		END
		config
		sed -i "s/\"uid\": 0, \"gid\": 0/\"uid\": 1, \"gid\": 1, \"additionalGids\": [$group]/" "$BUNDLE/config.json"
		rt run --bundle "$BUNDLE" a
		! output_has 'group 0' || breach "additional group $group is root's"
	done
}

# Of the path of its control group, which engines build from names.
attack_control_group_that_climbs() {
	CGROUPS_PATH="/../../../../../..$TARGET/made"
	run
	CGROUPS_PATH="$CLIMB$TARGET/made"
	run
}
attack_control_group_of_others() {
	[ -d /sys/fs/cgroup/pids ] && other=/sys/fs/cgroup/pids || other=/sys/fs/cgroup
	other=$other$CGROUPS_PATH
	mkdir -p "$other"
	sleep 1000 &
	victim=$!
	echo $victim >"$other/cgroup.procs" 2>/dev/null || unclear "cannot make a cgroup of others"
	run
	rt delete -f a
	kill -0 $victim 2>/dev/null || breach "a process of the host is killed with the container"
	kill -KILL $victim
	wait $victim 2>/dev/null
	rmdir "$other" 2>/dev/null || true
}
attack_sub_group_of_an_exec_that_climbs() {
	start
	for path in .. ../.. /.. "../../../.."; do
		: >"$OUT"
		rt exec --cgroup "$path" a cat /proc/self/cgroup && output_has '/..' && breach "exec --cgroup $path left the container's cgroup"
	done
	true
}
attack_limit_in_another_directory() {
	[ -e /sys/fs/cgroup/cgroup.controllers ] || unclear "needs cgroup v2"
	other=/sys/fs/cgroup$CGROUPS_PATH-other
	mkdir -p "$other"
	# A cgroup of others that has limits: of threads or of depth, whichever the kernel gives without a controller.
	for key in "../$(basename "$other")/cgroup.max.depth" "../../$CGROUP/$(basename "$other")/cgroup.max.depth"; do
		RESOURCES="\"unified\": {\"$key\": \"7\"}"
		run
		! grep -qx 7 "$other/cgroup.max.depth" || breach "a limit of another cgroup was set"
	done
	rmdir "$other"
}
attack_cache_class_that_climbs() {
	LINUX="\"intelRdt\": {\"closID\": \"$CLIMB$TARGET/made\"}"
	run
}

# What belongs to the host, in a config that shares it.
host_value() {
	value=$(cat "/proc/sys/$(echo "$1" | tr . /)")
	LINUX="\"sysctl\": {\"$2\": \"$value\"}"
	! run || breach "$2 of the host was written"
}
attack_kernel_parameter_of_the_host() {
	for name in kernel.core_pattern kernel.printk_ratelimit vm.overcommit_memory fs.file-max; do
		host_value $name $name
	done
}
attack_kernel_parameter_by_a_path() {
	for name in net/../kernel/core_pattern net.ipv4/../../kernel/core_pattern net.././kernel.core_pattern \
		net/./../kernel/core_pattern /proc/sys/kernel/core_pattern; do
		host_value kernel.core_pattern "$name"
	done
}
attack_kernel_parameter_of_a_shared_namespace() {
	NAMESPACES='{"type": "mount"}, {"type": "pid"}, {"type": "cgroup"}'
	TOP=
	for name in net.ipv4.ip_forward kernel.msgmax kernel.shm_rmid_forced fs.mqueue.msg_max kernel.domainname; do
		host_value $name $name
	done
}
attack_names_of_the_host() {
	NAMESPACES='{"type": "mount"}, {"type": "pid"}, {"type": "ipc"}, {"type": "network"}, {"type": "cgroup"}'
	TOP='"hostname": "taken-over", "domainname": "taken.over"'
	run
}
attack_no_namespaces() {
	NAMESPACES=
	TOP=
	run
}
# In one more namespace, as whoever takes it over leaves nothing to look at it with.
attack_mount_namespace_of_the_host() {
	NAMESPACES='{"type": "mount", "path": "/proc/self/ns/mnt"}, {"type": "pid"}'
	TOP=
	config
	# shellcheck disable=SC2016 # the inner shell expands
	unshare --mount --propagation private sh -c 'mounts=$(cut -d" " -f 3- /proc/self/mountinfo)
		timeout "$5" "$2" --root "$3" run --bundle "$4" a
		test -e "$1" && test "$(cut -d" " -f 3- /proc/self/mountinfo)" = "$mounts" || echo taken over' \
		sh "$HOST/file" "$RUNTIME" "$STATE" "$BUNDLE" "$TIME" >>"$OUT" 2>&1 </dev/null
	! output_has 'taken over' || breach "the host's own mounts are the container's"
}
attack_namespace_of_another_kind() {
	NAMESPACES='{"type": "mount"}, {"type": "pid"}, {"type": "network", "path": "/proc/self/ns/uts"}'
	TOP=
	payload <<-'END'
		echo in $(readlink /proc/self/ns/net)
	END
	run
	! output_has "in $(readlink /proc/self/ns/net)" || breach "runs in the host's network"
}
# CVE-2021-43784: longer than 65535 bytes, so that a message's length begins anew.
attack_namespace_path_of_70000_bytes() {
	slashes=$(printf '%70000s' '' | tr ' ' /)
	NAMESPACES="{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"network\", \"path\": \"/proc/self/ns${slashes}net\"}"
	TOP=
	! run || breach "runs"
}
attack_id_map_of_70000_bytes() {
	NAMESPACES="$NAMESPACES, {\"type\": \"user\"}"
	map=$(seq 0 3999 | sed 's/.*/{"containerID": &, "hostID": &, "size": 1}/' | paste -sd,)
	LINUX="\"uidMappings\": [$map], \"gidMappings\": [$map]"
	! run || breach "runs"
}
# CVE-2026-50195 and others: what comes from labels of an image must not choose files or rights on the host.
attack_annotation_that_names_a_file() {
	TOP="\"hooks\": {\"poststart\": [{\"path\": \"/bin/echo\", \"args\": [\"echo\", \"taken\"]}]},
		\"annotations\": {\"run.oci.hooks.stdout\": \"$TARGET/out\", \"run.oci.hooks.stderr\": \"$HOST/file\"}"
	run
}
attack_annotation_that_keeps_groups() {
	TOP='"annotations": {"run.oci.keep_original_groups": "1"}'
	payload <<-'END'
		attack status
	END
	config
	setpriv --groups 4242 timeout "$TIME" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" a >>"$OUT" 2>&1 </dev/null
	! output_has 'group 4242' || breach "the host's groups are inside"
}
