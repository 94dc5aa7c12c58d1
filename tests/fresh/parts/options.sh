# The command line of tests/fresh/run. Sourced.
# shellcheck shell=sh disable=SC2034

usage() {
	cat <<'USAGE'
usage: tests/fresh/run [options]

The README on a bare Debian 12: packages, build, then without network in a virtual machine the demo, the README's first
commands and the unit tests. Prints the stages with their times, the packages that were pulled, and the sizes.

  --without PACKAGE    strike PACKAGE from the lists in the clone's quickstart.sh: the stage that misses it fails (repeatable)
  --working-tree       test the files as they are, not the last commit
  --refresh            make the bare root anew (it is kept for a day)
  --keep               leave build/fresh/work with the root, the logs and the image
  -h, --help

Needs root, the Debian packages mmdebstrap and e2fsprogs, what tests/vm/run needs, and apt sources of this host that offer
Debian 12. The bare root and the packages that were fetched are kept in ${WARREN_FRESH_CACHE:-build/fresh}; a run needs some 6 GB.
Exit status: 0; 1 a stage failed, or this cannot run here, with the reason.
USAGE
}

options_read() {
	without='' working_tree='' refresh='' keep=''
	while [ $# -gt 0 ]; do
		case $1 in
		--without)
			case ${2:-} in '' | *[!a-z0-9.+-]*) fail "--without wants the name of a package, got '${2:-}'" ;; esac
			without="$without $2"
			shift
			;;
		--working-tree) working_tree=yes ;;
		--refresh) refresh=yes ;;
		--keep) keep=yes ;;
		-h | --help)
			usage
			exit 0
			;;
		*) fail "unknown option $1 (see --help)" ;;
		esac
		shift
	done
}
