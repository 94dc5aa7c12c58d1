# Links and other surprises in an image, at every place that a runtime makes or opens something.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154

# Without it nothing below says anything.
attack_control() {
	payload <<-'END'
		echo alive; cat /proc/self/status | grep -q Seccomp && echo proc; test -c /dev/null && echo null
	END
	run || unclear "runs no plain container: $(tail -n 1 "$OUT" | cut -c 1-150)"
	for word in alive proc null; do
		output_has $word || unclear "a plain container has no $word"
	done
}

# CVE-2026-41579, CVE-2026-47766: default devices and links are made in what /dev is.
attack_dev_is_a_link() {
	WITH_DEV=no
	ln -s "$TARGET" "$ROOTFS/dev"
	run
}
attack_dev_is_a_climbing_link() {
	WITH_DEV=no
	ln -s "$CLIMB$TARGET" "$ROOTFS/dev"
	run
}
attack_dev_is_a_link_below_a_mount() {
	ln -s "$TARGET" "$ROOTFS/dev"
	run
}
attack_dev_pts_is_a_link() {
	DEV=
	mkdir "$ROOTFS/dev"
	ln -s "$TARGET" "$ROOTFS/dev/pts"
	mount_add '{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance"]}'
	run
}
attack_dev_shm_is_a_link() {
	DEV=
	mkdir "$ROOTFS/dev"
	ln -s "$TARGET" "$ROOTFS/dev/shm"
	tmpfs /dev/shm/inner
	run
}

# A device of the config at a place where the image has a link: neither made, nor given an owner and a mode, elsewhere.
device() {
	LINUX="\"devices\": [{\"path\": \"$1\", \"type\": \"c\", \"major\": 1, \"minor\": 3, \"fileMode\": 511, \"uid\": 1234, \"gid\": 1234}]"
}
attack_device_in_a_linked_directory() {
	WITH_DEV=no
	mkdir "$ROOTFS/dev"
	ln -s "$TARGET" "$ROOTFS/dev/sub"
	device /dev/sub/evil
	run
}
attack_device_outside_dev_in_a_linked_directory() {
	ln -s "$TARGET" "$ROOTFS/data"
	device /data/evil
	run
}
attack_device_that_is_a_link() {
	WITH_DEV=no
	mkdir "$ROOTFS/dev"
	ln -s "$HOST/file" "$ROOTFS/dev/evil"
	device /dev/evil
	run
}
attack_device_that_is_a_dangling_link() {
	WITH_DEV=no
	mkdir "$ROOTFS/dev"
	ln -s "$TARGET/new" "$ROOTFS/dev/evil"
	device /dev/evil
	run
}
attack_device_that_climbs() {
	device "/dev/$CLIMB$TARGET/evil"
	run
}
attack_standard_device_is_a_link() {
	WITH_DEV=no
	mkdir "$ROOTFS/dev"
	ln -s "$HOST/file" "$ROOTFS/dev/null"
	ln -s "$TARGET/zero" "$ROOTFS/dev/zero"
	ln -s "$TARGET/fd" "$ROOTFS/dev/fd"
	run
}

# CVE-2018-18837, CVE-2024-45310: what is mounted on, and made to be mounted on.
attack_mount_point_is_a_link() {
	ln -s "$TARGET" "$ROOTFS/data"
	tmpfs /data
	run
}
attack_mount_point_below_a_link() {
	ln -s "$TARGET" "$ROOTFS/data"
	tmpfs /data/a/b/c
	run
}
attack_mount_point_below_a_climbing_link() {
	ln -s "$CLIMB$TARGET" "$ROOTFS/data"
	tmpfs /data/a/b/c
	run
}
attack_mount_point_climbs() {
	tmpfs "/$CLIMB$TARGET/made"
	run
}
attack_mount_point_behind_a_chain_of_links() {
	ln -s b "$ROOTFS/a"
	ln -s ./c "$ROOTFS/b"
	ln -s "tmp/$CLIMB$TARGET" "$ROOTFS/c"
	tmpfs /a/made
	run
}
attack_mount_point_through_a_link_of_proc() {
	for way in self/root self/cwd 1/root 1/cwd thread-self/root; do
		MOUNTS=
		tmpfs "/proc/$way$TARGET/made"
		run
		MOUNTS=
		tmpfs "/proc/$way/$CLIMB$TARGET/made"
		run
	done
}
attack_mount_point_through_a_link_to_a_descriptor() {
	for fd in 3 4 5 6 7 8 9 10 11 12; do
		MOUNTS=
		ln -sfn "/proc/self/fd/$fd" "$ROOTFS/data"
		tmpfs "/data/$CLIMB$TARGET/made$fd"
		run
	done
}
attack_file_mounted_below_a_link() {
	ln -s "$TARGET" "$ROOTFS/data"
	bind /etc/hostname /data/file
	run
}
# As engines mount resolv.conf, hosts and hostname.
attack_file_mounted_on_a_dangling_link() {
	ln -s "$TARGET/resolv.conf" "$ROOTFS/etc/resolv.conf"
	bind /etc/hostname /etc/resolv.conf
	run
}
attack_file_mounted_on_a_link_to_a_file() {
	ln -s "$HOST/file" "$ROOTFS/etc/hosts"
	bind /etc/hostname /etc/hosts
	run
}
attack_file_mounted_on_a_fifo() {
	mkfifo "$ROOTFS/etc/hosts"
	bind /etc/hostname /etc/hosts
	run
	[ $? != 124 ] || breach "hangs"
}
attack_directory_mounted_on_a_fifo() {
	mkfifo "$ROOTFS/data"
	tmpfs /data
	run
	[ $? != 124 ] || breach "hangs"
}
attack_notify_directory_is_a_link() {
	ln -s "$TARGET" "$ROOTFS/run"
	NOTIFY_SOCKET=$WORK/notify
	export NOTIFY_SOCKET
	run
}

# CVE-2023-27561, CVE-2019-19921, CVE-2019-16884: a /proc of the image's own, and what a runtime writes to it.
attack_proc_is_a_link() {
	mkdir "$ROOTFS/fake"
	ln -s /fake "$ROOTFS/proc"
	payload <<-'END'
		test -e /fake/self && echo mounted elsewhere
	END
	run
	! output_has 'mounted elsewhere' || breach "proc is mounted where the image says"
}
attack_proc_is_a_link_to_the_host() {
	ln -s "$TARGET" "$ROOTFS/proc"
	run
}
attack_sys_is_a_link() {
	mkdir "$ROOTFS/fake"
	ln -s /fake "$ROOTFS/sys"
	mount_add '{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]}'
	payload <<-'END'
		test -e /fake/kernel && echo mounted elsewhere
	END
	run
	! output_has 'mounted elsewhere' || breach "sysfs is mounted where the image says"
}
# What stands where a runtime writes.
fake_proc() {
	mkdir -p "$1/self/attr/apparmor" "$1/self/fd" "$1/sys/net/ipv4" "$1/sys/kernel"
	for file in self/attr/exec self/attr/apparmor/exec self/oom_score_adj self/setgroups self/uid_map sys/net/ipv4/ip_forward \
		self/loginuid self/timens_offsets sys/kernel/domainname; do
		: >"$1/$file"
	done
	ln -s self "$1/1"
	ln -s self "$1/thread-self"
}
fake_proc_written() {
	written=$(find "$1" -type f ! -size 0 2>/dev/null | head -n 1)
	[ -z "$written" ] || breach "writes to the fake ${written#"$1"}"
}
attack_proc_is_a_volume() {
	fake_proc "$WORK/volume"
	PROC=
	bind "$WORK/volume" /proc
	PROCESS='"oomScoreAdj": 500'
	LINUX='"sysctl": {"net.ipv4.ip_forward": "0"}'
	payload <<-'END'
		echo started
	END
	run
	fake_proc_written "$WORK/volume"
	! output_has started || breach "starts with a /proc that is none"
}
attack_proc_is_of_the_image() {
	fake_proc "$ROOTFS/proc"
	PROC=
	PROCESS='"oomScoreAdj": 500'
	LINUX='"sysctl": {"net.ipv4.ip_forward": "0"}'
	run
	fake_proc_written "$ROOTFS/proc"
}
# CVE-2025-52881: mounts below /proc that lead writes of the runtime elsewhere.
attack_kernel_parameters_are_a_volume() {
	mkdir -p "$WORK/volume/ipv4"
	ln -s "$HOST/file" "$WORK/volume/ipv4/ip_forward"
	bind "$WORK/volume" /proc/sys/net
	LINUX='"sysctl": {"net.ipv4.ip_forward": "0"}'
	run
}
attack_kernel_parameter_is_led_to_another() {
	mkdir -p "$WORK/volume/ipv4"
	ln -s /proc/self/oom_score_adj "$WORK/volume/ipv4/ip_forward"
	bind "$WORK/volume" /proc/sys/net
	LINUX='"sysctl": {"net.ipv4.ip_forward": "77"}'
	payload <<-'END'
		cat /proc/self/oom_score_adj
	END
	run
	! output_has 77 || breach "wrote a kernel parameter to another file"
}
attack_attributes_are_a_volume() {
	fake_proc "$WORK/volume"
	bind "$WORK/volume/self" /proc/self
	PROCESS='"oomScoreAdj": 500'
	run
	fake_proc_written "$WORK/volume"
}

# CVE-2025-31133: what covers a masked path must not come from the image.
mask_probe() {
	mkdir -p "$ROOTFS/data"
	echo of the image >"$ROOTFS/data/masked"
	LINUX='"maskedPaths": ["/data/masked"]'
	payload <<-'END'
		head -c 100 /data/masked 2>/dev/null | tr -d "\n" | grep -q . && echo reads: $(head -c 100 /data/masked)
		true
	END
}
attack_null_is_a_link_to_a_kernel_parameter() {
	WITH_DEV=no
	mkdir "$ROOTFS/dev"
	ln -s /proc/sys/kernel/core_pattern "$ROOTFS/dev/null"
	mask_probe
	run
	! output_has 'reads:' || breach "masked with another file: $(grep -a reads: "$OUT" | head -n 1)"
}
attack_null_is_a_file_of_the_image() {
	WITH_DEV=no
	mkdir "$ROOTFS/dev"
	echo of the attacker >"$ROOTFS/dev/null"
	mask_probe
	run
	! output_has 'reads:' || breach "masked with a file of the image"
}
attack_mask_of_other_spellings() {
	for spelling in /proc//kcore /proc/./kcore /proc/../proc/kcore //proc/kcore; do
		LINUX="\"maskedPaths\": [\"$spelling\"], \"readonlyPaths\": [\"/proc//sys\", \"/proc/./irq\"]"
		payload <<-'END'
			test -s /proc/kcore && echo kcore is open
			attack open /proc/sys/kernel/core_pattern | grep done
		END
		run
		! output_has 'kcore is open' || breach "$spelling is not masked"
		! output_has ': done' || breach "a read-only path is open"
	done
}
attack_masked_path_is_a_link() {
	ln -s "$HOST/file" "$ROOTFS/etc/masked"
	ln -s "$TARGET" "$ROOTFS/etc/masked-directory"
	LINUX="\"maskedPaths\": [\"/etc/masked\", \"/etc/masked-directory\", \"/$CLIMB$HOST/secret\"],
		\"readonlyPaths\": [\"/etc/masked-directory\", \"/$CLIMB$TARGET\"]"
	run
}

# CVE-2024-21626: a working directory that leads out of the root by a descriptor.
attack_directory_is_a_descriptor() {
	payload <<-END
		cat ./$CLIMB$HOST/secret ./secret ../secret
	END
	for fd in 3 4 5 6 7 8 9 10 11 12 13 14; do
		for link in self thread-self; do
			CWD=/proc/$link/fd/$fd
			run
		done
	done
}
attack_directory_is_a_descriptor_of_the_caller() {
	payload <<-END
		cat ./$CLIMB$HOST/secret ./secret
	END
	for fd in 3 7 9 12 19; do
		CWD=/proc/self/fd/$fd
		config
		"$HELPER" with-fds / timeout "$TIME" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" a >>"$OUT" 2>&1
	done
}
attack_directory_is_a_link_to_a_descriptor() {
	payload <<-END
		cat ./$CLIMB$HOST/secret ./secret
	END
	CWD=/work/here
	mkdir "$ROOTFS/work"
	for fd in 3 4 5 6 7 8 9 10 11 12; do
		ln -sfn "/proc/self/fd/$fd" "$ROOTFS/work/here"
		run
	done
}
attack_directory_is_made_behind_a_link() {
	ln -s "$TARGET" "$ROOTFS/work"
	CWD=/work/a/b
	run
	CWD=/$CLIMB$TARGET/c
	run
}

# What tmpcopyup takes into the new file system is of the image only.
copy_up() {
	mount_add "{\"destination\": \"$1\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": [\"tmpcopyup\", \"mode=755\"]}"
}
attack_copy_of_a_link_to_the_host() {
	ln -s "$HOST" "$ROOTFS/data"
	copy_up /data
	payload <<-END
		cat /data/secret $HOST/secret
	END
	run
}
attack_copy_of_links_in_a_directory() {
	mkdir "$ROOTFS/data"
	ln -s "$HOST/secret" "$ROOTFS/data/file"
	ln -s "$HOST" "$ROOTFS/data/directory"
	copy_up /data
	payload <<-'END'
		cat /data/file /data/directory/secret
	END
	run
}
attack_copy_of_a_fifo() {
	mkdir "$ROOTFS/data"
	mkfifo "$ROOTFS/data/fifo"
	mknod "$ROOTFS/data/zero" c 1 5
	copy_up /data
	run
	[ $? != 124 ] || breach "hangs"
}

# What a runtime may look up in files of the image: users above all (CVE-2016-3697, CVE-2024-9407).
attack_users_of_the_image() {
	printf '1000:x:0:0::/root:/bin/sh\nroot:x:1000:1000::/:/bin/sh\n4242:x:0:0::/:/bin/sh\n' >"$ROOTFS/etc/passwd"
	printf '1000:x:0:\n' >"$ROOTFS/etc/group"
	start
	rt exec -u 1000:1000 a attack status
	! output_has 'uid 0' || breach "uid 1000 became root"
	! output_has 'gid 0' || breach "gid 1000 became root's"
}
attack_users_are_a_fifo() {
	mkfifo "$ROOTFS/etc/passwd" "$ROOTFS/etc/group"
	run_as_each
}
attack_users_are_endless() {
	ln -s /dev/zero "$ROOTFS/etc/passwd"
	ln -s /dev/zero "$ROOTFS/etc/group"
	run_as_each
}
attack_users_are_two_gigabytes() {
	truncate -s 2G "$ROOTFS/etc/passwd" "$ROOTFS/etc/group"
	begin=$(date +%s)
	run_as_each
	[ $(($(date +%s) - begin)) -lt $((TIME / 2)) ] || breach "reads them all"
}
attack_users_are_of_the_host() {
	printf 'root:x:0:0::/%s:/bin/sh\nweb:x:1000:1000::/%s:/bin/sh\n' "$SECRET" "$SECRET" >"$HOST/passwd"
	host_list >"$WORK/host.before"
	ln -s "$HOST/passwd" "$ROOTFS/etc/passwd"
	payload <<-'END'
		echo $HOME
	END
	run_as_each
	start
	rt exec a env
	rt exec --user 1000:1000 a env
}
# CVE-2025-24965: a file that a handler writes into the image.
attack_file_of_a_handler_is_a_link() {
	ln -s "$HOST/file" "$ROOTFS/.krun_config.json"
	ln -s "$TARGET/new" "$ROOTFS/.krun_config.json.tmp"
	TOP='"annotations": {"run.oci.handler": "krun"}'
	run
}
attack_control_groups_mounted_on_a_link() {
	mkdir -p "$ROOTFS/sys/fs"
	ln -s "$TARGET" "$ROOTFS/sys/fs/cgroup"
	mount_add '{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}'
	run
}

# CVE-2019-14271, CVE-2022-1227: nothing of the image is loaded or executed by the runtime itself.
trojans() {
	mkdir -p "$ROOTFS/lib/x86_64-linux-gnu" "$ROOTFS/usr/bin" "$ROOTFS/usr/sbin"
	for name in lib/x86_64-linux-gnu/libc.so.6 lib/x86_64-linux-gnu/libnss_files.so.2 lib/x86_64-linux-gnu/libnss_compat.so.2 \
		lib/x86_64-linux-gnu/libseccomp.so.2 lib/x86_64-linux-gnu/libcap.so.2 usr/bin/newuidmap usr/sbin/apparmor_parser; do
		printf '#!/bin/busybox sh\necho the trojan ran >>/log\n' >"$ROOTFS/$name"
		chmod 755 "$ROOTFS/$name"
	done
	rm "$ROOTFS/bin/ps"
	cp "$ROOTFS/usr/bin/newuidmap" "$ROOTFS/bin/ps"
	beside "$HELPER" opens "$ROOTFS/lib/x86_64-linux-gnu" "$ROOTFS/usr/bin" "$ROOTFS/usr/sbin" "$ROOTFS/bin/ps" >"$WORK/opens"
	wait_for grep -q ready "$WORK/opens" || unclear "no watch"
}
attack_libraries_of_the_image() {
	trojans
	start
	rt exec -u 1000:1000 a true
	rt exec a id
	rt ps a
	rt state a
	timeout 2 "$RUNTIME" --root "$STATE" events --stats a >>"$OUT" 2>&1
	! grep -q opened "$WORK/opens" || breach "$(grep -m1 opened "$WORK/opens") of the image"
	[ ! -e "$ROOTFS/log" ] || breach "a trojan of the image ran"
}
attack_hook_of_the_image() {
	mkdir "$WORK/hooks"
	mkdir -p "$ROOTFS$WORK/hooks"
	printf '#!/bin/sh\ncat >/dev/null\necho of the host >>%s/hooks/log\n' "$WORK" >"$WORK/hooks/hook"
	printf '#!/bin/sh\necho trojan >>/log\n' >"$ROOTFS$WORK/hooks/hook"
	chmod 755 "$WORK/hooks/hook" "$ROOTFS$WORK/hooks/hook"
	hook="[{\"path\": \"$WORK/hooks/hook\"}]"
	TOP="\"hooks\": {\"prestart\": $hook, \"createRuntime\": $hook, \"createContainer\": $hook, \"poststart\": $hook, \"poststop\": $hook}"
	run
	[ ! -e "$ROOTFS/log" ] || breach "the image's hook ran"
}
