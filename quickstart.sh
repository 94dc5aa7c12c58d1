#!/bin/sh
# From a fresh Debian 12 to three isolated nginx servers, in one command:
#
#     sudo ./quickstart.sh
#
# Installs Debian packages, builds warren, brings up examples/web.json, fetches each page and shows the table. Safe to run
# again. Starts, stops and changes no service of the host: a web server that comes with a package stays off.
#
#     ./quickstart.sh --packages run|test      only installs packages (test.sh uses this)
set -eu
cd "$(dirname "$0")"

build_packages="gcc cmake ninja-build pkg-config libc6-dev libseccomp-dev libcap-dev libmnl-dev libyajl-dev"
run_packages="nftables nginx-light curl"
test_packages="$build_packages $run_packages libcriterion-dev clang clang-tidy clang-format libclang-rt-14-dev busybox-static strace iproute2 crun runc tmux jq python3-minimal procps bc"

say() {
	printf '\033[1m%s\033[0m\n' "$*"
}
[ -t 1 ] || say() {
	printf '%s\n' "$*"
}

# Packages whose servers must not start: dpkg asks policy-rc.d, and 101 means no. One that is there already stays.
services_forbid() {
	policy=/usr/sbin/policy-rc.d
	[ -e $policy ] && return 0
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT INT TERM
}

services_allow() {
	trap - EXIT INT TERM
	if [ "$(cat /usr/sbin/policy-rc.d 2>/dev/null)" = "$(printf '#!/bin/sh\nexit 101\n')" ] && [ -n "${policy_is_ours:-}" ]; then
		rm -f /usr/sbin/policy-rc.d
	fi
}

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

packages_install() {
	missing=""
	for package in "$@"; do
		is_installed "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "quickstart.sh: needs root to install:$missing (try sudo ./quickstart.sh)" >&2
		exit 1
	fi
	say "installing$missing"
	had_nginx=yes
	is_installed nginx-common || had_nginx=no
	[ -e /usr/sbin/policy-rc.d ] || policy_is_ours=yes
	services_forbid
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # the names are words
	apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 ||
		{ apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends $missing >/dev/null; }
	services_allow
	# nginx came with us only as a program: it must not start at the next boot either.
	if [ $had_nginx = no ] && is_installed nginx-common; then
		update-rc.d nginx disable >/dev/null 2>&1 || true
		[ ! -d /run/systemd/system ] || systemctl disable -q nginx >/dev/null 2>&1 || true
	fi
}

if [ "${1:-}" = --packages ]; then
	# shellcheck disable=SC2086
	case ${2:-} in
	run) packages_install $build_packages $run_packages ;;
	test) packages_install $test_packages ;;
	*)
		echo "usage: quickstart.sh --packages run|test" >&2
		exit 2
		;;
	esac
	exit 0
fi
if [ $# != 0 ]; then
	echo "usage: sudo ./quickstart.sh" >&2
	exit 2
fi
if [ "$(id -u)" != 0 ]; then
	echo "quickstart.sh: needs root: sudo ./quickstart.sh" >&2
	exit 1
fi

# shellcheck disable=SC2086
packages_install $build_packages $run_packages
say "building"
cmake --workflow --preset release >build.log 2>&1 || {
	tail -30 build.log >&2
	exit 1
}
rm -f build.log
warren=$PWD/build/release/warren

say "warren apply examples/web.json"
"$warren" apply examples/web.json

say "three pages"
for port in 8081 8082 8083; do
	printf 'http://127.0.0.1:%s/  ' "$port"
	curl -fsS --retry 20 --retry-connrefused --retry-delay 0 --connect-timeout 1 --max-time 10 "http://127.0.0.1:$port/" |
		sed -n 's/.*<h1>\(.*\)<\/h1>.*/\1/p'
done
say "warren list"
"$warren" list
echo
echo "To stop and remove all of it:  sudo $warren down web"
