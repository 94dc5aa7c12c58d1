#!/bin/sh
# From a fresh Debian 12 to three isolated nginx servers, in one command:
#
#     sudo ./quickstart.sh
#
# Installs Debian packages, builds warren, brings up examples/web.json, fetches each page and shows the table. Safe to run
# again, also after it was interrupted. Starts, stops and changes no service of the host: a web server that comes with a
# package stays off.
#
#     ./quickstart.sh --setup                  only installs the packages and builds
#     ./quickstart.sh --packages run|test|peers      only installs packages (test.sh and tests/peers/run use this)
set -eu
cd "$(dirname "$0")"
# su without "-" keeps the PATH of a user, in which dpkg misses its programs.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

build_packages="gcc cmake ninja-build pkg-config libc6-dev libseccomp-dev libcap-dev libmnl-dev libyajl-dev libsystemd-dev libarchive-dev liblzma-dev libcurl4-openssl-dev libssl-dev zlib1g-dev libzstd-dev libisal-dev"
run_packages="nftables nginx-light curl"
test_packages="$build_packages $run_packages libcriterion-dev clang clang-tidy clang-format libclang-rt-14-dev busybox-static strace iproute2 crun runc tmux jq python3-minimal procps bc qemu-system-x86 cpio kmod e2fsprogs systemd dbus dbus-user-session mmdebstrap erofs-utils criu iptables uidmap skopeo umoci docker-registry apache2-utils xz-utils zstd zsh"

peers_packages=$(awk '!/^#/ {print $1}' tests/peers/packages)

say() {
	printf '\033[1m%s\033[0m\n' "$*"
}
[ -t 1 ] || say() {
	printf '%s\n' "$*"
}

fail() {
	echo "quickstart.sh: $*" >&2
	exit 1
}

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# While packages are installed, no server may start: dpkg asks policy-rc.d, and 101 means no. Ours is also the record of what
# is to be undone: whoever finds one that a killed run left finishes for it.
policy=/usr/sbin/policy-rc.d
policy_of_host=$policy.before-quickstart
policy_mark="# Made by quickstart.sh of warren for the time of an installation"

services_forbid() {
	trap services_allow EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	{
		echo "#!/bin/sh"
		echo "$policy_mark; can be removed when none is going on."
		services_absent
		echo "exit 101"
	} >$policy.new
	chmod 755 $policy.new
	if [ -e $policy ] || [ -L $policy ]; then
		mv $policy $policy_of_host
	fi
	mv $policy.new $policy
}

# Services that come with a package and are no business of ours: "package service", a line each.
foreign_services() {
	echo "nginx-common nginx"
	awk '!/^#/ {for (i = 2; i <= NF; i++) print $1, $i}' tests/peers/packages
}

services_absent() {
	foreign_services | while read -r package service; do
		is_installed "$package" || echo "# $package was not there before."
	done | sort -u
}

# They come with us only as programs: they must not start at the next boot either.
services_allow() {
	rm -f $policy.new
	if grep -qs "^$policy_mark" $policy; then
		foreign_services | while read -r package service; do
			if grep -q "^# $package was not there" $policy && is_installed "$package"; then
				service_disable "$service"
			fi
		done
		rm -f $policy
	fi
	if [ -e $policy_of_host ] || [ -L $policy_of_host ]; then
		mv $policy_of_host $policy
	fi
}

# Also where no systemd runs now: its links decide what starts when one does.
service_disable() {
	update-rc.d "$1" disable >/dev/null 2>&1 || true
	command -v systemctl >/dev/null || return 0
	for unit in service socket timer; do
		systemctl disable -q "$1.$unit" >/dev/null 2>&1 || true
	done
}

# A fresh machine may just be installing its updates: its lock is waited for.
apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

packages_install() {
	command -v apt-get >/dev/null || fail "needs Debian (no apt-get here); elsewhere install the like of: $*"
	[ "$(id -u)" != 0 ] || services_allow
	# One question for all of them: a process for each takes its time on a slow machine.
	# shellcheck disable=SC2016 # dpkg-query expands
	installed=" $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p' | tr '\n' ' ')"
	missing=""
	for package in "$@"; do
		case $installed in
		*" $package "*) ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	[ "$(id -u)" = 0 ] || fail "needs root to install:$missing"
	say "installing$missing"
	services_forbid
	# Half-way configured packages of an interrupted installation are in everybody's way.
	[ -z "$(dpkg --audit)" ] || DEBIAN_FRONTEND=noninteractive dpkg --configure -a >/dev/null 2>&1 || true
	# Without lists, or with old ones, the first try fails; what the second one says is of interest.
	# shellcheck disable=SC2086 # the names are words
	apt_install $missing >/dev/null 2>&1 || { apt-get update -q >/dev/null && apt_install $missing >/dev/null; } ||
		fail "cannot install$missing (the reason is above)"
	services_allow
	trap - EXIT HUP INT TERM
}

build() {
	say "building"
	cmake --workflow --preset release >build.log 2>&1 || {
		tail -30 build.log >&2
		fail "cannot build (the end of build.log is above)"
	}
	rm -f build.log
}

# The pages are this machine's own: no proxy is asked.
page_show() {
	page=$(curl -fsS --noproxy '*' --retry 20 --retry-connrefused --retry-delay 0 --connect-timeout 1 --max-time 10 "$1") ||
		fail "no page at $1 (the reason is above)"
	echo "$1  $(echo "$page" | sed -n 's/.*<h1>\(.*\)<\/h1>.*/\1/p')"
}

demo() {
	say "warren apply examples/web.json"
	"$warren" apply examples/web.json
	say "three pages"
	for port in 8081 8082 8083; do
		page_show "http://127.0.0.1:$port/"
	done
	say "warren list"
	"$warren" list
	echo
	echo "To stop and remove all of it:  sudo '$warren' down web"
}

warren=$PWD/build/release/warren
# shellcheck disable=SC2086 # the names of packages are words
case $* in
"" | --setup)
	[ "$(id -u)" = 0 ] || fail "needs root: sudo ./quickstart.sh, or without sudo: su -c ./quickstart.sh"
	packages_install $build_packages $run_packages
	build
	[ "$*" = --setup ] || demo
	;;
"--packages run") packages_install $build_packages $run_packages ;;
"--packages test") packages_install $test_packages ;;
"--packages peers") packages_install $peers_packages ;;
*)
	echo "usage: sudo ./quickstart.sh [--setup | --packages run|test|peers]" >&2
	exit 2
	;;
esac
