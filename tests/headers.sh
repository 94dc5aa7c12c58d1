#!/bin/sh
# Every header compiles alone: a reader (and the compiler) needs nothing else to understand it.
# usage: headers.sh SOURCE_DIRECTORY
set -eu
cd "$1"
bad=0
flags="-std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -I."
for header in base/*.h cgroups/*.h netns/*.h netns/*/*.h images/*.h images/*/*.h runtime/*.h runtime/*/*.h fleet/*.h fleet/*/*.h cli/*.h cli/*/*.h; do
	[ -e "$header" ] || continue
	# shellcheck disable=SC2086 # the flags are words
	if ! printf '#include "%s"\n' "$header" | "${CC:-cc}" $flags -x c - 2>/tmp/header.$$; then
		echo "$header does not compile alone:"
		sed 's/^/    /' /tmp/header.$$
		bad=1
	fi
done
rm -f /tmp/header.$$
[ $bad = 0 ] && echo "headers: each compiles alone"
exit $bad
