# What a machine starts from: programs of the host, a kernel with its modules, and the initramfs that is made of both.
# Sourced by tests/vm/run.
# shellcheck shell=sh disable=SC2154,SC2034

cache=${WARREN_VM_CACHE:-$top/build/machine}

need() {
	command -v "$1" >/dev/null 2>&1 || fail "no $1: install Debian's package $2"
}

host_check() {
	[ "$(id -u)" = 0 ] || fail "needs root: the guest's read-only view of / is a mount, and files keep their owners"
	need qemu-system-x86_64 qemu-system-x86
	need cpio cpio
	need modprobe kmod
	need setpriv util-linux
	need busybox busybox-static
	[ -z "$disk" ] || need mkfs.ext4 e2fsprogs
	virtiofsd=
	for file in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do
		[ ! -x $file ] || virtiofsd=$file
	done
	[ -n "$virtiofsd" ] || fail "no virtiofsd: install Debian's package qemu-system-common (12) or virtiofsd (13)"
	[ "$accel" != kvm ] || [ -w /dev/kvm ] || fail "--accel kvm: no /dev/kvm that can be written"
}

# Sets kernel, release and modules_base (the directory that holds lib/modules).
kernel_find() {
	if [ -n "$kernel" ]; then
		modules_base=/
	else
		found=$("$here/kernel") || exit 125
		kernel=${found%% *} modules_base=${found#* }
	fi
	[ -r "$kernel" ] || fail "cannot read the kernel $kernel"
	release=${kernel##*/vmlinuz-}
	[ -f "$modules_base/lib/modules/$release/modules.dep" ] || fail "no modules of $release in $modules_base/lib/modules"
}

# Each driver's modules in loading order: its list is a file of its own name.
initramfs_drivers() {
	for driver in virtio_pci virtio_console virtio_blk virtio_net virtio_rng virtiofs overlay squashfs erofs lzo-rle zram quota_v2; do
		modprobe -d "$modules_base" -S "$release" --show-depends $driver | sed -n 's/^insmod \([^ ]*\).*/\1/p' >"$1/list" || return 1
		while read -r file; do
			cp "$file" "$1/root/vm/modules/" && echo "${file##*/}" >&3 || return 1
		done <"$1/list" 3>"$1/root/vm/driver.$driver"
	done
}

initramfs_fill() {
	mkdir -p "$1/root/bin" "$1/root/vm/modules" "$1/root/dev" "$1/root/proc" "$1/root/sys" &&
		cp "$(command -v busybox)" "$1/root/bin/busybox" &&
		"$1/root/bin/busybox" true &&
		install -m 755 "$here/guest/early" "$1/root/init" &&
		install -m 755 "$here/guest/init" "$here/guest/units" "$1/root/vm/" &&
		initramfs_drivers "$1" &&
		(cd "$1/root" && find . | cpio --quiet -o -H newc) >"$1/initramfs"
}

# A static busybox, the drivers that the root needs, our scripts. Kept, named for all that it was made of.
initramfs_make() {
	mkdir -p "$cache" || fail "cannot make the directory $cache"
	made_of=$(cat "$here/parts/host.sh" "$here"/guest/* "$(command -v busybox)" "$modules_base/lib/modules/$release/modules.dep" | cksum)
	initramfs=$cache/initramfs-$release-${made_of%% *}
	[ ! -s "$initramfs" ] || return 0
	say "making $initramfs"
	new=$(mktemp -d "$cache/new.XXXXXX") || fail "cannot write in $cache"
	if ! initramfs_fill "$new"; then
		rm -rf "$new"
		fail "cannot make the initramfs (is busybox the static one, Debian's busybox-static?)"
	fi
	mv "$new/initramfs" "$initramfs"
	rm -rf "$new"
	# Others may be starting from an older one just now.
	find "$cache" -maxdepth 1 -name 'initramfs-*' ! -path "$initramfs" -mmin +60 -delete
}
