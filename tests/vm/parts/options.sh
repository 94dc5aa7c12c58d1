# The command line of tests/vm/run. Sourced.
# shellcheck shell=sh disable=SC2034

usage() {
	cat <<'USAGE'
usage: tests/vm/run [options] [--] COMMAND [ARGUMENT...]
       tests/vm/shell [options]

Boots Debian's kernel in QEMU with pure cgroup v2 (every controller), runs COMMAND there as root, prints what it prints and
exits with its exit status. The machine has no network to the outside and is thrown away afterwards.

The guest sees the host's root file system read-only, below an overlay in its memory: it may write anywhere, and nothing of
that reaches the host, except below --share. /tmp, /var/tmp and /var/lib/warren are empty: on the scratch disk with --disk,
else in memory. The working directory is the caller's if a share covers it, else /.

  -s, --share DIR      the host's DIR, read-write, at the same path (repeatable)
  -R, --ro DIR         the host's DIR at the same path, below an overlay like the root: for what is not on the root file
                       system, or below /tmp (repeatable)
  -C, --chdir DIR      working directory in the guest
  -e, --env VAR[=VAL]  a variable for COMMAND (repeatable)
  -t, --timeout SECS   the whole life of the machine                               [300]
  -m, --memory MIB     memory                                                      [2048]
  -c, --cpus N         processors                                                  [2]
  -z, --swap MIB       swap on zram, 0: none                                       [512]
  -d, --disk MIB       a scratch disk, ext4 with project quotas, at /mnt/disk; holds /tmp, /var/tmp, /var/lib/warren too:
                       idmapped mounts and io.max need a real file system          [none]
      --disk-file FILE the scratch disk is this file, made when it is not there, and stays: for a machine that loses its power
  -i, --init KIND      plain: a shell script is the first process; systemd: the root's systemd is     [plain]
  -g, --cgroup         plain: COMMAND in a cgroup of its own (/vm.run), not in the root cgroup
      --cgroups KIND   plain: v2, or hybrid: version 1 with a hierarchy for each controller beside v2   [v2]
      --controllers W  plain: what the root cgroup enables for its children ("" for none)             [all]
  -r, --root PATH      boot a directory or an image (tests/vm/image) instead of the host's root
  -w, --writable       with --root IMAGE (ext4): the image itself is the root, without an overlay and without what is said above
                       of /tmp; what the machine writes is thrown away all the same
  -k, --kernel FILE    a kernel whose modules are in /lib/modules                   [tests/vm/kernel's]
  -M, --module NAME    load a module before COMMAND (repeatable; most load by themselves)
  -S, --sysctl K=V     set a sysctl before COMMAND (repeatable)
  -T, --tmpfs DIR      one more empty directory in memory (repeatable)
      --peer SCRIPT    a second machine on a private link to the first, which runs SCRIPT by /bin/sh. It has the same
                       options but --module, --sysctl and --tmpfs; eth0 is 10.99.0.1 (vm) here and 10.99.0.2 (peer)
                       there. Its output is prefixed by "peer: ". It ends with the first.
  -l, --link SOCKET    a wire by hand: this machine listens on a unix socket
      --join SOCKET    and this one connects to it, as soon as it is there
  -a, --address IP/LEN the address of eth0, with --link and --join
      --hosts LINE     a line of /etc/hosts (repeatable)
  -n, --hostname NAME  [vm]
  -A, --accel NAME     tcg: emulation, on any machine; kvm: where it works         [tcg]
      --shell          a shell on this terminal instead of COMMAND
      --mask UNIT      systemd: one more unit to leave out (repeatable)
      --append WORDS   more words for the kernel, such as cgroup_disable=memory
      --qemu WORDS     more words for QEMU
      --keep DIR       keep the kernel's and the daemons' logs in DIR
  -v, --verbose        what is done and how long it took, on stderr
  -h, --help

Exit status: COMMAND's (128+N for a signal N); 124 out of time; 125 this tool or the machine failed, with the reason and the
end of the kernel's log on stderr. COMMAND's stdin is /dev/null; its stdout and stderr are kept apart. Under emulation
COMMAND sees WARREN_TEST_SLOW=10: about how many times slower the machine is.

Needs root, and the Debian packages qemu-system-x86, busybox-static, cpio, kmod; e2fsprogs for --disk. The kernel is found or
fetched by tests/vm/kernel. What is cached is in ${WARREN_VM_CACHE:-build/machine}.
USAGE
}

number_check() {
	case $2 in '' | *[!0-9]*) fail "$1 wants a whole number, got '$2'" ;; esac
}

# The paths travel in comma and blank separated lists.
directory_check() {
	directory_found=$(readlink -f -- "$2") && [ -d "$directory_found" ] || fail "$1: no such directory: $2"
	case $directory_found in
	/) fail "$1: not /" ;;
	*[!A-Za-z0-9._/+@:-]*) fail "$1: a character that is not allowed in the path $directory_found" ;;
	esac
}

environment_add() {
	name=${1%%=*}
	case $name in '' | [0-9]* | *[!A-Za-z0-9_]*) fail "--env: '$name' is no variable's name" ;; esac
	case $1 in
	*=*) value=${1#*=} ;;
	*) eval "value=\${$name-}" ;;
	esac
	environment="$environment
export $name=$(quoted "$value")"
}

option_flag() {
	case $1 in
	-v | --verbose) verbose=yes ;;
	-g | --cgroup) cgroup=1 ;;
	-w | --writable) writable=yes ;;
	--shell) shell=yes ;;
	*) return 1 ;;
	esac
}

option_value() {
	case $1 in
	-s | --share) directory_check --share "$2" && shares="$shares rw:$directory_found" peer_shares="$peer_shares -s $directory_found" ;;
	-R | --ro) directory_check --ro "$2" && shares="$shares ro:$directory_found" peer_shares="$peer_shares -R $directory_found" ;;
	-C | --chdir) directory=$2 ;;
	-e | --env) environment_add "$2" ;;
	-t | --timeout) number_check "$1" "$2" && timeout=$2 ;;
	-m | --memory) number_check "$1" "$2" && memory=$2 ;;
	-c | --cpus) number_check "$1" "$2" && cpus=$2 ;;
	-z | --swap) number_check "$1" "$2" && swap=$2 ;;
	-d | --disk) number_check "$1" "$2" && disk=$2 ;;
	--disk-file) disk_file=$2 ;;
	-i | --init) init=$2 ;;
	--cgroups) cgroups=$2 ;;
	--controllers) controllers=$2 ;;
	-r | --root) root_given=$(readlink -f -- "$2") && [ -e "$root_given" ] || fail "--root: no such file or directory: $2" ;;
	-k | --kernel) kernel=$2 ;;
	-M | --module) modules="$modules $2" ;;
	-S | --sysctl) sysctls="$sysctls $2" ;;
	-T | --tmpfs) tmpfs="$tmpfs $2" ;;
	--peer) peer=$2 ;;
	-l | --link) link=$2 wire_server=on ;;
	--join) link=$2 wire_server=off ;;
	-a | --address) address=$2 ;;
	--hosts) hosts="$hosts$2
" ;;
	-n | --hostname) hostname=$2 ;;
	-A | --accel) accel=$2 ;;
	--mask) mask="$mask $2" ;;
	--append) append="$append $2" ;;
	--qemu) qemu="$qemu $2" ;;
	--keep) keep=$2 ;;
	*) return 1 ;;
	esac
}

options_defaults() {
	verbose='' timeout=300 memory=2048 cpus=2 swap=512 disk='' init=plain cgroup=0 cgroups=v2 controllers=all root_given='' kernel=''
	modules='' sysctls='' tmpfs='' peer='' link='' wire_server=on address='' hosts='' hostname=vm accel=tcg shell='' mask='' append='' qemu=''
	keep='' disk_file='' directory='' environment='' shares='' peer_shares='' writable=''
}

# Sets the variables above; options_count is the number of words that were options.
options_read() {
	options_defaults
	given=$#
	while [ $# -gt 0 ]; do
		case $1 in
		--)
			shift
			break
			;;
		-h | --help)
			usage
			exit 0
			;;
		--?*=*) option_value "${1%%=*}" "${1#*=}" || fail "unknown option ${1%%=*} (see --help)" ;;
		-?*)
			if ! option_flag "$1"; then
				[ $# -ge 2 ] || option_missing "$1"
				option_value "$1" "$2" || fail "unknown option $1 (see --help)"
				shift
			fi
			;;
		*) break ;;
		esac
		shift
	done
	options_count=$((given - $#))
}

option_missing() {
	(option_value "$1" 1) >/dev/null 2>&1
	[ $? = 1 ] && fail "unknown option $1 (see --help)"
	fail "$1 wants a value (see --help)"
}

options_check() {
	case $init in plain | systemd) ;; *) fail "--init: plain or systemd, not '$init'" ;; esac
	case $cgroups in v2 | hybrid) ;; *) fail "--cgroups: v2 or hybrid, not '$cgroups'" ;; esac
	case $accel in tcg | kvm) ;; *) fail "--accel: tcg or kvm, not '$accel'" ;; esac
	if [ -n "$shell" ]; then
		[ $# = 0 ] || fail "--shell takes no command"
		[ -t 0 ] || fail "--shell wants a terminal as stdin"
		[ "$init" = plain ] || fail "--shell works with --init plain only"
	elif [ $# = 0 ]; then
		usage >&2
		exit 125
	fi
	[ -z "$disk_file" ] || [ -n "$disk" ] || fail "--disk-file goes with --disk MIB"
	[ -z "$writable" ] || [ -f "$root_given" ] || fail "--writable goes with --root IMAGE only"
	if [ -n "$peer" ]; then
		[ -z "$link$shell" ] || fail "--peer goes with neither --link, --join nor --shell"
	elif [ -n "$link" ]; then
		[ -n "$address" ] || fail "--link and --join want --address too"
	fi
	[ "$accel" = kvm ] || environment_add WARREN_TEST_SLOW="${WARREN_TEST_SLOW-10}"
	[ -n "$directory" ] || directory_default
}

directory_default() {
	here_now=$(pwd -P)
	directory=/
	for share in $shares; do
		case $here_now/ in "${share#*:}"/*) directory=$here_now ;; esac
	done
}
