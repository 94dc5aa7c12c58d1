#!/bin/sh
# The README's first command, as a user types it, twice: three pages over HTTP, the table, and after `down` nothing left.
# usage: quickstart.sh (from anywhere; needs root and the packages)
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib.sh
. tests/lib.sh
in_own_network "$@"
warren=$PWD/build/release/warren
work=$(mktemp -d)
trap '"$warren" down web >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

if [ -d /var/lib/warren/instances ] && [ -n "$(ls /var/lib/warren/instances)" ]; then
	echo "SKIP quickstart: this host has instances of its own"
	exit 0
fi
census >"$work/census.before"
./quickstart.sh >"$work/first"
cat "$work/first"
[ "$(grep -c '^http://127.0.0.1:808[123]/ *[^ ]' "$work/first")" = 3 ] || fail "three pages were expected"
[ "$(sed -n 's/^http[^ ]* *//p' "$work/first" | sort -u | wc -l)" = 3 ] || fail "the pages are not different"
begin=$(date +%s)
./quickstart.sh >"$work/second"
patience=${WARREN_TEST_PATIENCE:-30}
[ $(($(date +%s) - begin)) -lt "$patience" ] || fail "the second run took $patience s or more"
[ "$("$warren" list -q -r | grep -c .)" = 3 ] || fail "three running instances were expected after the second run"
"$warren" down web
[ -z "$("$warren" list -q)" ] || fail "instances are left after down"
nothing_left "down web"
echo "quickstart: three pages, twice, and nothing left"
