# The guest's root, shares, scratch disk and wire, as words for QEMU in $devices. Sourced by tests/vm/run.
# shellcheck shell=sh disable=SC2154,SC2034,SC2016

# virtiofs_serve TAG SOURCE ro|rw: starts a daemon; virtiofs_await waits for it. Even a guest that mounts a read-only tag
# again cannot write: the daemon itself has only a read-only bind mount, in a mount namespace of its own, not recursive.
# The limit of open files stays: raising it takes CAP_SYS_RESOURCE, which a container may lack.
virtiofs_serve() {
	set -- "$1" "$2" "$3" "$run/$1"
	words="--socket-path=$run/$1.sock -o sandbox=chroot -o xattr --rlimit-nofile=0"
	# shellcheck disable=SC2086
	if [ "$3" = ro ]; then
		mkdir "$4"
		setpriv --pdeathsig TERM unshare --mount --propagation private sh -c '
			mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" && shift 2 && exec setpriv --pdeathsig TERM "$@"' \
			sh "$2" "$4" "$virtiofsd" $words -o cache=always -o source="$4" >"$run/virtiofsd-$1.log" 2>&1 8>&- &
	else
		setpriv --pdeathsig TERM "$virtiofsd" $words -o cache=auto -o source="$2" >"$run/virtiofsd-$1.log" 2>&1 8>&- &
	fi
	processes="$processes $!"
	served="$served $1:$!"
	devices="$devices -chardev socket,id=$1,path=$run/$1.sock -device vhost-user-fs-pci,chardev=$1,tag=$1,queue-size=1024"
}

virtiofs_await() {
	for daemon in $served; do
		tries=200
		until [ -S "$run/${daemon%:*}.sock" ]; do
			tries=$((tries - 1))
			if [ $tries = 0 ] || ! kill -0 "${daemon#*:}" 2>/dev/null; then
				cat "$run/virtiofsd-${daemon%:*}.log" >&2
				fail "virtiofsd did not start for ${daemon%:*}"
			fi
			sleep 0.02
		done
	done
}

# The kind of an image, by its magic number.
image_kind() {
	case $(od -An -tx4 -N4 "$1" | tr -d ' ') in 73717368) echo squashfs && return ;; esac
	case $(od -An -tx4 -j1024 -N4 "$1" | tr -d ' ') in e0f5e1e2) echo erofs && return ;; esac
	case $(od -An -tx2 -j1080 -N2 "$1" | tr -d ' ') in ef53) echo ext4 && return ;; esac
	fail "--root: $1 is no directory and no squashfs, erofs or ext4 image"
}

# Disks come as descriptors: no character of a path matters, and a scratch file can be without a name. The first disk is vda.
root_make() {
	disk_device=
	[ -z "$disk" ] || disk_device=/dev/vda
	if [ -z "$root_given" ] || [ -d "$root_given" ]; then
		root_kind=virtiofs
		virtiofs_serve root "${root_given:-/}" ro
		return
	fi
	root_kind=$(image_kind "$root_given") || exit 125
	[ -z "$disk" ] || disk_device=/dev/vdb
	exec 5<"$root_given"
	[ -n "$writable" ] && access=snapshot=on,cache=unsafe || access=readonly=on
	devices="$devices -add-fd set=5,fd=5 -drive if=none,id=root,file=/dev/fdset/5,format=raw,$access,file.locking=off -device virtio-blk-pci,drive=root"
}

# The host's own root has the modules already if they are an installed package's.
modules_make() {
	modules_shared=
	[ -n "$root_given" ] || [ "$modules_base" != / ] || return 0
	modules_shared=yes
	virtiofs_serve modules "$modules_base/lib/modules/$release" ro
}

shares_make() {
	number=0
	for share in $shares; do
		virtiofs_serve "share$number" "${share#*:}" "${share%%:*}"
		number=$((number + 1))
	done
}

# Without a name from the start: nothing of it is left, whatever ends us. QEMU first opens it to read only, and takes the
# descriptor whose mode fits.
disk_format() {
	truncate -s "${disk}M" "$1" &&
		mkfs.ext4 -q -O quota,project -E quotatype=prjquota,lazy_itable_init=1,nodiscard "$1" ||
		fail "cannot make the scratch disk of $disk MiB"
}

# Named, it is used as it was left.
# shellcheck disable=SC2094
disk_make() {
	file=${disk_file:-$(mktemp "$cache/disk.XXXXXX")} || fail "cannot write in $cache"
	[ -s "$file" ] || disk_format "$file"
	exec 6<>"$file" 7<"$file"
	[ -n "$disk_file" ] || rm -f "$file"
	devices="$devices -add-fd set=6,fd=6 -add-fd set=6,fd=7 -drive if=none,id=scratch,file=/dev/fdset/6,format=raw,cache=unsafe,discard=unmap,file.locking=off -device virtio-blk-pci,drive=scratch"
}

# A wire is a unix socket between the two emulators; the hardware address only has to differ.
link_make() {
	number=$(printf '%s%s' "$hostname" "$address" | cksum | cut -d' ' -f1)
	mac=$(printf '52:54:00:%02x:%02x:%02x' $((number % 256)) $((number / 256 % 256)) $((number / 65536 % 256)))
	tries=200
	until [ $wire_server = on ] || [ -S "$link" ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "nobody listens on $link"
		sleep 0.05
	done
	devices="$devices -netdev stream,id=wire,server=$wire_server,addr.type=unix,addr.path=$link -device virtio-net-pci,netdev=wire,mac=$mac"
}

devices_make() {
	served=
	if [ -n "$peer" ]; then
		link=$run/wire address=10.99.0.1/24
		hosts="${hosts}10.99.0.2 peer
"
	fi
	root_make
	modules_make
	shares_make
	[ -z "$disk" ] || disk_make
	if [ -n "$link" ]; then
		link_make
	else
		devices="$devices -nic none"
	fi
	virtiofs_await
}
