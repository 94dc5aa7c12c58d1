# What a process inside has, sees and can get hold of.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154

# status_of COMMAND…: of "attack status", one run alone in OUT.
status_check() {
	! grep -qE "^$1 0*[1-9a-f]" "$OUT" || breach "$2: $(grep -E "^$1" "$OUT" | head -n 1)"
}
status_payload() {
	payload <<-'END'
		exec attack status
	END
}
# CVE-2022-29162, CVE-2022-27650.
attack_inheritable_capabilities_of_run() {
	status_payload
	run || unclear "$(tail -n 1 "$OUT" | cut -c 1-100)"
	status_check inheritable "inheritable after run"
	status_check ambient "ambient after run"
}
attack_inheritable_capabilities_of_exec() {
	start
	must exec a attack status
	status_check inheritable "inheritable after exec"
	status_check ambient "ambient after exec"
}
attack_capabilities_of_an_unprivileged_exec() {
	start
	must exec --user 1000:1000 a attack status
	for set in inheritable effective ambient permitted; do
		status_check $set "uid 1000 after exec"
	done
}
attack_capabilities_beyond_the_bounding_set() {
	start
	must exec a attack status
	# SYS_ADMIN is bit 21, SYS_PTRACE 19, SYS_MODULE 16: none of what is given.
	bounding=$(sed -n 's/^bounding //p' "$OUT" | head -n 1)
	[ $((0x$bounding & 0x290000)) = 0 ] || breach "exec has the bounding set $bounding"
}
attack_capabilities_not_asked_for() {
	CAPABILITIES=
	status_payload
	run
	status_check effective "no capabilities in the config"
	! grep -q 'bounding 1ffff' "$OUT" || breach "no capabilities in the config: $(grep bounding "$OUT")"
}
attack_new_privileges_by_exec() {
	start
	must exec a attack status
	output_has 'nnp 1' || breach "exec may gain new privileges"
}
FILTER='"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [
	{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}'
attack_filter_of_exec() {
	LINUX=$FILTER
	start
	must exec a attack status
	output_has 'seccomp 2' || breach "exec has no filter"
	rt exec a attack make native /made
	rt exec --user 1000:1000 a attack make native /tmp/made
	[ ! -e "$ROOTFS/made" ] || breach "exec is not filtered"
}
# The same calls by the numbers of the other tables that the kernel has: 32 bits, and x32.
other_tables_try() {
	payload <<-'END'
		attack make i386 /made-by-i386
		attack make x32 /made-by-x32
		true
	END
	run
	for way in i386 x32; do
		[ ! -e "$ROOTFS/made-by-$way" ] || breach "the filter is passed by way of $way"
	done
}
attack_filter_by_another_system_call_table() {
	LINUX=$(echo "$FILTER" | sed 's/, "SCMP_ARCH_X86"//')
	other_tables_try
}
attack_filter_for_both_tables() {
	LINUX=$FILTER
	other_tables_try
}
# The kernel looks at 32 bits of an ioctl's number; FIONREAD is 0x541B.
attack_filter_of_an_argument_with_high_bits() {
	LINUX='"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
		"args": [{"index": 1, "value": 4294967295, "valueTwo": 21531, "op": "SCMP_CMP_MASKED_EQ"}]}]}'
	payload <<-'END'
		echo | attack ioctl
	END
	run
	! output_has 'high: done' || breach "bits above the 32nd pass the filter"
	! output_has 'plain: done' || breach "the filter is not in force"
}
# CVE-2026-31431: as docker's profile has it since.
attack_filter_of_a_socket_family() {
	LINUX='"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97,
		"args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]}]}'
	payload <<-'END'
		attack socket 38
	END
	run
	! output_has 'socket: done' || breach "AF_ALG passes the filter"
}

# What the caller has and the container must not get.
attack_descriptors_of_the_caller() {
	payload <<-END
		for fd in /proc/self/fd/*; do echo "fd \$(readlink \$fd)"; cat \$fd/$HOST/secret; done 2>/dev/null
		for fd in /proc/1/fd/*; do cat \$fd/$HOST/secret; done 2>/dev/null
		true
	END
	config
	"$HELPER" with-fds / timeout "$TIME" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" a >>"$OUT" 2>&1
}
attack_descriptors_of_the_caller_of_exec() {
	start
	payload <<-END
		for fd in /proc/self/fd/*; do cat \$fd/$HOST/secret; done 2>/dev/null; true
	END
	"$HELPER" with-fds / timeout "$TIME" "$RUNTIME" --root "$STATE" exec a sh /payload >>"$OUT" 2>&1
}
attack_descriptors_of_a_started_container() {
	ARGS='["/bin/sleep", "1000"]'
	config
	must create --bundle "$BUNDLE" a
	must start a
	payload <<-'END'
		for fd in /proc/1/fd/*; do readlink $fd; done
	END
	: >"$OUT"
	must exec a sh /payload
	! grep -qvE '^(/dev/null|pipe:.*|socket:.*|/proc/1/fd/.*|.*/out)$' "$OUT" ||
		breach "the first process holds $(grep -vE '^(/dev/null|pipe:.*|socket:.*|/proc/1/fd/.*)$' "$OUT" | head -n 1)"
}
attack_environment_of_the_caller() {
	start
	printf 'env; cat /proc/1/environ | tr "\\0" "\\n"\n' >"$ROOTFS/payload"
	KEEP_ME=$SECRET rt exec a sh /payload
}
attack_groups_of_the_caller() {
	status_payload
	config
	setpriv --groups 4242,0 timeout "$TIME" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" a >>"$OUT" 2>&1 </dev/null
	ARGS='["/bin/sleep", "1000"]'
	start
	setpriv --groups 4242,0 timeout "$TIME" "$RUNTIME" --root "$STATE" exec --user 1:1 a attack status >>"$OUT" 2>&1 </dev/null
	! output_has 'group 4242' || breach "the caller's groups are inside"
}
attack_keys_of_the_caller() {
	ARGS='["/bin/attack", "find-key", "attacked"]'
	config
	"$HELPER" with-key attacked timeout "$TIME" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" a >>"$OUT" 2>&1 </dev/null
	! output_has "found the caller's key" || breach "run: the caller's session keyring is inside"
}
# CVE-2017-5226.
attack_terminal_of_the_caller() {
	ARGS='["/bin/attack", "inject"]'
	config
	"$HELPER" terminal timeout --foreground "$TIME" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" a >>"$OUT" 2>&1
	! output_has "typed into the caller's terminal" || breach "run: input for the caller's terminal"
}
attack_terminal_of_the_caller_of_exec() {
	start
	"$HELPER" terminal timeout --foreground "$TIME" "$RUNTIME" --root "$STATE" exec a attack inject >>"$OUT" 2>&1
	! output_has "typed into the caller's terminal" || breach "exec: input for the caller's terminal"
}
# CVE-2025-52565.
console_run() {
	PROCESS='"terminal": true'
	beside "$HELPER" console "$WORK/console" >"$WORK/console.out"
	wait_for test -S "$WORK/console" || unclear "no console socket"
	config
	rt create --bundle "$BUNDLE" --console-socket "$WORK/console" a && rt start a
	wait_for grep -q 'end of it' "$WORK/console.out"
	cat "$WORK/console.out" >>"$OUT"
}
attack_console_is_a_link() {
	WITH_DEV=no
	mkdir "$ROOTFS/dev" "$ROOTFS/dev/pts"
	ln -s "$HOST/file" "$ROOTFS/dev/console"
	mount_add '{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]}'
	payload <<-'END'
		echo x >/dev/console
		echo end of it
	END
	console_run
}
attack_console_is_another_file() {
	payload <<-'END'
		echo "console $(stat -c '%t %F' /dev/console)"
		echo end of it
	END
	console_run
	output_has 'console 88 character special file' || unclear "no console: $(tail -n 2 "$OUT" | tr '\n' ' ' | cut -c 1-120)"
}
attack_terminal_of_an_exec_is_a_fake() {
	CAPS="$CAPS, \"CAP_SYS_ADMIN\""
	mkdir "$ROOTFS/fake"
	: >"$ROOTFS/fake/ptmx"
	payload <<-'END'
		mount -o bind /fake /dev/pts && echo faked
		exec sleep 1000
	END
	start
	wait_for output_has faked || unclear "cannot mount inside"
	beside "$HELPER" console "$WORK/console" >"$WORK/console.out"
	wait_for test -S "$WORK/console" || unclear "no console socket"
	rt exec --tty --console-socket "$WORK/console" a sh -c 'test -t 0 || echo no terminal' ||
		rt exec --tty --detach --console-socket "$WORK/console" a sh -c 'test -t 0 || echo no terminal'
	[ $? != 124 ] || breach "hangs"
	! grep -q 'is no terminal' "$WORK/console.out" || breach "hands over a file of the image as a terminal"
}

# CVE-2019-5736: a copy of the runtime is attacked, its own file stays whole.
runtime_copy() {
	cp "$RUNTIME" "$WORK/$(basename "$RUNTIME")"
	RUNTIME=$WORK/$(basename "$RUNTIME")
	sum=$(cksum <"$RUNTIME")
	# shellcheck disable=SC2046 # two numbers
	set -- $(stat -c '%d %i' "$RUNTIME")
	prey="$1 $2"
}
runtime_whole() {
	[ "$(cksum <"$RUNTIME")" = "$sum" ] || breach "the runtime's program was overwritten"
}
# hunt KIND OPTION…: a process inside that looks at all that come, while commands are executed beside it.
hunt() {
	kind=$1
	shift
	runtime_copy
	printf 'attack watch %s %s %s >/log 2>&1\nexec sleep 1000\n' "$kind" "$prey" "$SECONDS_EACH" >"$ROOTFS/payload"
	ARGS='["/bin/sh", "/payload"]'
	: >"$ROOTFS/log"
	start
	wait_for grep -q ready "$ROOTFS/log" || unclear "nobody watches: $(tail -n 1 "$OUT")"
	"$HELPER" repeat "$ROUNDS" "$SECONDS_EACH" "$RUNTIME" --root "$STATE" exec a true >>"$OUT" 2>&1 </dev/null
	grep -v ready "$ROOTFS/log" >"$WORK/hunted"
	[ ! -s "$WORK/hunted" ] || breach "$(head -n 1 "$WORK/hunted")"
	runtime_whole
}
attack_program_of_the_runtime_is_held() {
	hunt exe
}
attack_process_of_the_runtime_is_traced() {
	hunt ptrace
}
attack_process_of_the_runtime_is_looked_into() {
	hunt files
}
attack_process_of_the_runtime_is_traced_with_the_right_to() {
	NAMESPACES="$NAMESPACES, {\"type\": \"user\"}"
	LINUX='"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]'
	CAPS="$CAPS, \"CAP_SYS_PTRACE\""
	chown -R 100000:100000 "$ROOTFS"
	: >"$ROOTFS/log"
	chmod 666 "$ROOTFS/log"
	hunt ptrace
}
attack_program_is_the_runtime_itself() {
	runtime_copy
	start
	printf '#!/proc/self/exe\n' >"$ROOTFS/bin/self"
	chmod 755 "$ROOTFS/bin/self"
	# shellcheck disable=SC2086 # two numbers
	beside timeout "$TIME" "$RUNTIME" --root "$STATE" exec a attack watch exe $prey 1 >"$WORK/watch" 2>&1 </dev/null
	wait_for grep -q ready "$WORK/watch" || unclear "nobody watches"
	for round in 1 2 3 4 5; do
		rt exec a /bin/self
		rt exec a /proc/self/exe state a
	done
	! grep -q opened "$WORK/watch" || breach "$(grep opened "$WORK/watch")"
	runtime_whole
}
attack_program_of_run_is_the_runtime_itself() {
	runtime_copy
	ARGS='["/proc/self/exe", "--version"]'
	run
	printf '#!/proc/self/exe\n' >"$ROOTFS/bin/self"
	chmod 755 "$ROOTFS/bin/self"
	ARGS='["/bin/self"]'
	run
	runtime_whole
}

# CVE-2015-1334: exec must not believe the container's /proc.
attack_exec_beside_a_fake_proc() {
	CAPS="$CAPS, \"CAP_SYS_ADMIN\""
	LINUX=$FILTER
	fake_proc "$ROOTFS/fake"
	ln -s /bin "$ROOTFS/fake/self/fd/3"
	payload <<-'END'
		mount -o bind /fake /proc && echo faked
		exec sleep 1000
	END
	start
	wait_for output_has faked || unclear "cannot mount inside"
	rt exec a attack status && {
		output_has 'seccomp 2' || breach "exec without a filter"
		status_check inheritable "exec with inheritable capabilities"
	}
	fake_proc_written "$ROOTFS/fake"
}
attack_exec_beside_a_tmpfs_on_proc() {
	CAPS="$CAPS, \"CAP_SYS_ADMIN\""
	LINUX=$FILTER
	payload <<-'END'
		mount -t tmpfs tmpfs /proc && echo faked
		exec sleep 1000
	END
	start
	wait_for output_has faked || unclear "cannot mount inside"
	rt exec a attack status && {
		output_has 'seccomp 2' || breach "exec without a filter"
	}
	true
}
# CVE-2024-21626.
attack_directory_of_exec_is_a_descriptor() {
	start
	for fd in 3 4 5 6 7 8 9 10 11 12 13 14; do
		rt exec --cwd /proc/self/fd/$fd a cat "./$CLIMB$HOST/secret" ./secret
		"$HELPER" with-fds / timeout "$TIME" "$RUNTIME" --root "$STATE" exec --cwd /proc/self/fd/$fd a cat "./$CLIMB$HOST/secret" >>"$OUT" 2>&1
	done
}

# The pid of a container that ended, taken by a process of the host.
pid_reused() {
	ARGS='["/bin/sleep", "1000"]'
	config
	must run --detach --pid-file "$WORK/pid" --bundle "$BUNDLE" a
	pid=$(cat "$WORK/pid")
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	wait_for test ! -e "/proc/$pid/exe"
	wait_for sh -c "! test -e /proc/$pid"
	beside "$HELPER" as-pid "$pid" sleep 1000 >"$WORK/victim"
	wait_for grep -q made "$WORK/victim" || unclear "needs the pid of the ended container"
}
victim_lives() {
	if grep -q ended "$WORK/victim" || ! kill -0 "$pid" 2>/dev/null; then
		breach "$1 kills a process of the host"
	fi
	kill -KILL "$pid"
}
attack_kill_of_a_reused_pid() {
	pid_reused
	rt kill a KILL
	rt kill --all a KILL
	sleep 0.1
	victim_lives kill
}
attack_delete_of_a_reused_pid() {
	pid_reused
	rt delete -f a
	sleep 0.1
	victim_lives "delete -f"
}
attack_exec_in_a_reused_pid() {
	pid_reused
	rt exec a cat "$HOST/secret"
	victim_lives exec
}

# What is outside.
attack_control_groups_from_inside() {
	mkdir -p "$ROOTFS/sys/fs/cgroup"
	mount_add '{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}'
	CAPS="$CAPS, \"CAP_MKNOD\""
	payload <<-'END'
		find /sys/fs/cgroup -name release_agent -o -name cgroup.procs -o -name devices.allow -o -name '*.max' |
			xargs attack open | grep ': done' && echo written
		mkdir /sys/fs/cgroup/made /sys/fs/cgroup/memory/made 2>/dev/null && echo written
		true
	END
	run || unclear "$(tail -n 1 "$OUT" | cut -c 1-100)"
	! output_has written || breach "control groups can be written: $(grep ': done' "$OUT" | head -n 1)"
}
# CVE-2023-25809: what is asked to be writable is the container's own group.
attack_control_groups_without_a_namespace() {
	mkdir -p "$ROOTFS/sys/fs/cgroup"
	NAMESPACES='{"type": "mount"}, {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}'
	mount_add '{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}'
	payload <<-'END'
		find /sys/fs/cgroup -name release_agent | xargs attack open | grep ': done' && echo written
		find /sys/fs/cgroup -name cgroup.procs | xargs attack open | grep ': done' && echo written
		true
	END
	run
	! output_has written || breach "control groups of the host can be written: $(grep ': done' "$OUT" | head -n 1)"
}
devices_probe() {
	CAPS="$CAPS, \"CAP_MKNOD\""
	disk=$(cat /sys/block/*/dev 2>/dev/null | head -n 1)
	ARGS="[\"/bin/sh\", \"-c\", \"attack device c 1 11; attack device b ${disk%%:*} ${disk##*:}; attack device c 1 1\"]"
}
devices_held() {
	! output_has 'ing: done' || breach "opens a device of the host: $(grep -m1 'ing: done' "$OUT")"
}
attack_devices_of_the_host() {
	devices_probe
	run
	devices_held
}
attack_devices_without_rules() {
	RESOURCES=
	devices_probe
	run
	devices_held
}
attack_devices_from_an_exec() {
	devices_probe
	ARGS='["/bin/true"]'
	start
	rt exec a attack device c 1 11
	rt exec a attack device b "${disk%%:*}" "${disk##*:}"
	devices_held
}
attack_mounts_that_show_outside() {
	CAPS="$CAPS, \"CAP_SYS_ADMIN\""
	mkdir -p "$ROOTFS/mnt" "$WORK/volume/inner"
	bind "$WORK/volume" /volume
	payload <<-'END'
		mount -t tmpfs tmpfs /mnt && mount -t tmpfs tmpfs /volume/inner && echo mounted
	END
	run
	output_has mounted || unclear "cannot mount inside"
}
attack_users_are_the_host_s() {
	NAMESPACES="$NAMESPACES, {\"type\": \"user\"}"
	LINUX='"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]'
	chown -R 100000:100000 "$ROOTFS"
	ARGS='["/bin/sleep", "1000"]'
	config
	must run --detach --pid-file "$WORK/pid" --bundle "$BUNDLE" a
	[ "$("$HELPER" mapped-uid "$(cat "$WORK/pid")")" = 100000 ] || breach "root inside is root outside"
	: >"$OUT"
	must exec a sh -c 'echo x >/proc/sys/kernel/core_pattern || echo refused'
	output_has refused || breach "writes a kernel parameter of the host"
}
# CVE-2021-41103.
attack_records_read_by_others() {
	PROCESS="\"oomScoreAdj\": 1"
	config
	sed -i "s/\"PATH=\/bin\"/\"PATH=\/bin\", \"PASSWORD=$SECRET\"/" "$BUNDLE/config.json"
	ARGS='["/bin/sleep", "1000"]'
	must run --detach --bundle "$BUNDLE" a
	setpriv --reuid 1234 --regid 1234 --clear-groups grep -rs . "$STATE" >>"$OUT" 2>&1 && breach "others read the records"
	setpriv --reuid 1234 --regid 1234 --clear-groups ls "$STATE" >>"$OUT" 2>&1 && breach "others list the containers"
	true
}
# CVE-2020-15257.
attack_sockets_without_a_place() {
	NAMESPACES='{"type": "mount"}, {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "cgroup"}'
	ARGS='["/bin/sleep", "1000"]'
	config
	must create --bundle "$BUNDLE" a
	! grep -q ' @' /proc/net/unix || breach "a socket that everybody in this network reaches"
	must start a
	must exec a cat /proc/net/unix
	! output_has ' @' || breach "a socket that everybody in this network reaches"
}
attack_rights_of_the_program_s_file() {
	[ -z "$(find "$(realpath "$RUNTIME")" -perm /6000)" ] || breach "the program is set-uid"
}
