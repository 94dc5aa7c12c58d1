#!/bin/sh
# Holds the layering: which folder may include which, and that another folder's private headers stay private.
# usage: layers.sh SOURCE_DIRECTORY
set -eu
cd "$1"
bad=0

# folder: the folders it may include (its own first)
allowed() {
	case $1 in
	base) echo base ;;
	cgroups | netns | images) echo "$1 base" ;;
	runtime) echo "runtime base cgroups netns" ;;
	fleet) echo "fleet base cgroups netns images runtime" ;;
	cli) echo "cli base cgroups netns images runtime fleet" ;;
	esac
}

for folder in base cgroups netns images runtime fleet cli; do
	for file in "$folder"/*.[ch]; do
		[ -e "$file" ] || continue
		for included in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
			target=${included%%/*}
			case " $(allowed "$folder") " in
			*" $target "*) ;;
			*)
				echo "$file: $folder/ may not include \"$included\""
				bad=1
				continue
				;;
			esac
			# Other folders are seen through their one header; the models of runtime and fleet are part of it, and
			# so is the driver by systemd, which few need.
			[ "$target" = "$folder" ] || [ "$target" = base ] || case $included in
			"$target/$target.h" | */spec.h | cgroups/systemd.h) ;;
			*)
				echo "$file: \"$included\" is private to $target/; use \"$target/$target.h\""
				bad=1
				;;
			esac
		done
	done
done

# yajl stays behind the parser and the generator, so that it can be replaced there.
for file in $(grep -l 'yajl/' base/*.[ch] cgroups/*.[ch] netns/*.[ch] images/*.[ch] runtime/*.[ch] fleet/*.[ch] cli/*.[ch] 2>/dev/null); do
	case $file in
	base/json.c | base/encode.c | base/yajl_memory.*) ;;
	*)
		echo "$file: only base/json.c and base/encode.c may include yajl"
		bad=1
		;;
	esac
done
[ $bad = 0 ] && echo "layers: every include goes down"
exit $bad
