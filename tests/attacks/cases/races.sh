# The same while the image changes: two names change places as fast as the kernel can do it (renameat2, RENAME_EXCHANGE), as a
# process in a container with a shared volume does. One of the two is what it should be, the other leads to the host.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154

# swap NAME: a directory of the root, and a link to the host's that takes its place.
swap() {
	mkdir -p "$ROOTFS/$1"
	ln -s "${2:-$TARGET}" "$ROOTFS/$1.link"
}

attack_race_for_dev() {
	WITH_DEV=no
	swap dev
	run_race "$ROOTFS/dev" "$ROOTFS/dev.link"
}
attack_race_for_dev_that_climbs() {
	WITH_DEV=no
	swap dev "$CLIMB$TARGET"
	run_race "$ROOTFS/dev" "$ROOTFS/dev.link"
}
attack_race_for_a_directory_of_devices() {
	WITH_DEV=no
	swap dev/sub
	LINUX='"devices": [{"path": "/dev/sub/evil", "type": "c", "major": 1, "minor": 3, "uid": 1234, "gid": 1234}]'
	run_race "$ROOTFS/dev/sub" "$ROOTFS/dev/sub.link"
}
# CVE-2021-30465.
attack_race_for_a_mount_point() {
	swap volume
	tmpfs /volume
	run_race "$ROOTFS/volume" "$ROOTFS/volume.link"
}
attack_race_for_the_way_to_a_mount_point() {
	swap volume
	tmpfs /volume/a/b/c
	run_race "$ROOTFS/volume" "$ROOTFS/volume.link"
}
# The shape of the exploit: the first mount brings a shared volume, the second lies below what changes in that volume.
attack_race_in_a_shared_volume() {
	mkdir -p "$WORK/volume/a"
	ln -s / "$WORK/volume/b"
	bind "$WORK/volume" /volume
	bind /etc /volume/a/etc
	bind "$BUNDLE" "/volume/a$TARGET"
	run_race "$WORK/volume/a" "$WORK/volume/b"
}
attack_race_in_a_shared_volume_from_inside() {
	mkdir -p "$WORK/volume/a"
	ln -s "$TARGET" "$WORK/volume/b"
	bind "$WORK/volume" /volume
	ARGS='["/bin/attack", "exchange", "/volume/a", "/volume/b"]'
	start
	ARGS='["/bin/true"]'
	CGROUPS_PATH=$CGROUPS_PATH-second
	tmpfs /volume/a/x
	config
	race "$ROOTFS/tmp" "$ROOTFS/etc" run --bundle "$BUNDLE" '{}'
}
attack_race_for_a_file_to_mount_on() {
	swap etc
	bind /etc/hostname /etc/resolv.conf
	run_race "$ROOTFS/etc" "$ROOTFS/etc.link"
}
attack_race_for_the_file_itself() {
	: >"$ROOTFS/etc/hosts"
	ln -s "$TARGET/hosts" "$ROOTFS/etc/hosts.link"
	bind /etc/hostname /etc/hosts
	run_race "$ROOTFS/etc/hosts" "$ROOTFS/etc/hosts.link"
}
# CVE-2025-31133.
attack_race_for_null() {
	WITH_DEV=no
	mask_probe
	mkdir "$ROOTFS/dev"
	mknod -m 666 "$ROOTFS/dev/null" c 1 3
	ln -s /proc/sys/kernel/ostype "$ROOTFS/dev/null.link"
	payload <<-'END'
		head -c 100 /data/masked | grep . && echo masked with something else
		true
	END
	run_race "$ROOTFS/dev/null" "$ROOTFS/dev/null.link"
	! output_has 'masked with something else' || breach "a masked path shows another file"
}
# CVE-2025-52565.
attack_race_for_the_console() {
	WITH_DEV=no
	mkdir "$ROOTFS/dev" "$ROOTFS/dev/pts"
	: >"$ROOTFS/dev/console"
	ln -s "$HOST/file" "$ROOTFS/dev/console.link"
	mount_add '{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]}'
	PROCESS='"terminal": true'
	payload <<-'END'
		test -f /dev/console && echo x >/dev/console
		true
	END
	config
	race "$ROOTFS/dev/console" "$ROOTFS/dev/console.link" run --bundle "$BUNDLE" '{}'
}
# CVE-2025-52881, CVE-2019-19921.
attack_race_for_proc() {
	fake_proc "$WORK/fake"
	cp -a "$WORK/fake" "$ROOTFS/fake"
	swap proc /fake
	LINUX='"sysctl": {"net.ipv4.ip_forward": "0"}'
	PROCESS='"oomScoreAdj": 500'
	run_race "$ROOTFS/proc" "$ROOTFS/proc.link"
	fake_proc_written "$ROOTFS/fake"
}
attack_race_for_proc_of_the_host() {
	swap proc
	LINUX='"maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"]'
	run_race "$ROOTFS/proc" "$ROOTFS/proc.link"
}
attack_race_for_the_working_directory() {
	swap work "$TARGET"
	CWD=/work/a/b
	run_race "$ROOTFS/work" "$ROOTFS/work.link"
}
attack_race_for_a_copy() {
	swap data "$HOST"
	mount_add '{"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "mode=755"]}'
	payload <<-'END'
		cat /data/secret 2>/dev/null
		true
	END
	run_race "$ROOTFS/data" "$ROOTFS/data.link"
}
attack_race_for_the_directory_of_an_exec() {
	mkdir -p "$ROOTFS/work"
	ln -s /proc/self/fd/7 "$ROOTFS/work.link"
	start
	race "$ROOTFS/work" "$ROOTFS/work.link" exec --cwd /work a sh -c "cat ./$CLIMB$HOST/secret 2>/dev/null; true"
}
attack_race_for_a_read_only_path() {
	swap data
	LINUX='"maskedPaths": ["/data/masked"], "readonlyPaths": ["/data"]'
	run_race "$ROOTFS/data" "$ROOTFS/data.link"
}
attack_race_for_control_groups() {
	mkdir -p "$ROOTFS/sys/fs"
	swap sys/fs/cgroup
	mount_add '{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}'
	run_race "$ROOTFS/sys/fs/cgroup" "$ROOTFS/sys/fs/cgroup.link"
}
