#!/bin/sh
# Holds the layering: which folder may include which, that another folder's private headers stay private, and that a
# name means one thing.
# usage: layers.sh SOURCE_DIRECTORY [BUILD_DIRECTORY]
set -eu
build=${2:-$1/build/dev}
cd "$1"
bad=0

# folder: the folders it may include (its own first)
allowed() {
	case $1 in
	base) echo base ;;
	cgroups | netns | images) echo "$1 base" ;;
	runtime) echo "runtime base cgroups" ;;
	fleet) echo "fleet base cgroups netns images runtime" ;;
	cli) echo "cli base cgroups netns images runtime fleet" ;;
	esac
}

for folder in base cgroups netns images runtime fleet cli; do
	# Folders below are parts of theirs; images/pull has rules of its own, further down.
	for file in "$folder"/*.[ch] "$folder"/*/*.[ch]; do
		case $file in images/pull/* | *'*'*) continue ;; esac
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
			# so are the driver by systemd, the list of images and copying, which few need. warren-pull is made for images.
			[ "$target" = "$folder" ] || [ "$target" = base ] || case $file:$included in
			*:"$target/$target.h" | *:*/spec.h | *:cgroups/systemd.h | *:images/collection.h | *:images/transfer.h | cli/pull/*:images/*) ;;
			*)
				echo "$file: \"$included\" is private to $target/; use \"$target/$target.h\""
				bad=1
				;;
			esac
		done
	done
done

# The parts of a folder in their order: each may use those before it.
parts() {
	case $1 in
	netns) echo netlink links subnets table networks ports figures host ;;
	images) echo files store overlay host root volumes collection transfer ;;
	runtime) echo seccomp spec namespaces process mounts oci state start criu container ;;
	fleet) echo spec state file logs events network start health figures monitor instance apply host ;;
	esac
}

for file in netns/*/*.[ch] images/*/*.[ch] runtime/*/*.[ch] fleet/*/*.[ch]; do
	folder=${file%%/*}
	part=${file#*/}
	part=${part%%/*}
	[ "$folder/$part" != images/pull ] || continue
	parts="$(parts "$folder") "
	case " $parts" in
	*" $part "*) ;;
	*)
		echo "$folder/$part is not in the order of parts (tests/layers.sh)"
		bad=1
		continue
		;;
	esac
	later=" ${parts#*"$part" }"
	for included in $(sed -n "s,^#include \"$folder/\([a-z]*\)/.*,\1,p" "$file"); do
		case $later in
		*" $included "*)
			echo "$file: $folder/$part comes before $folder/$included, so it may not use it"
			bad=1
			;;
		esac
	done
done

# What reads outside bytes is a library of its own below images/: it may use all of images/, which may not use it. Only the
# helper program, cli/pull/, is linked with it.
for file in images/*.[ch] images/*/*.[ch] cli/*.[ch] cli/*/*.[ch]; do
	[ -e "$file" ] || continue
	for included in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
		case $file:$included in
		images/pull/*:base/* | images/pull/*:images/*) ;;
		images/pull/*)
			echo "$file: images/pull/ may not include \"$included\""
			bad=1
			;;
		cli/pull/*:images/*) ;;
		*:images/pull/*)
			echo "$file: \"$included\" is for warren-pull only"
			bad=1
			;;
		esac
	done
done
if grep -nE '#include <(curl/|archive|openssl/|zlib|zstd|isa-l|igzip)' base/*.[ch] images/*.[ch] fleet/*.[ch] fleet/*/*.[ch] cli/*.[ch] cli/*/*.[ch] |
	grep -v '^images/files/checksum.c:.*openssl/\(md5\|sha\).h'; then
	echo "libraries of warren-pull stay in images/pull/, but for two checksums"
	bad=1
fi

# yajl stays behind the parser and the generator, so that it can be replaced there.
for file in $(grep -l 'yajl/' base/*.[ch] cgroups/*.[ch] netns/*.[ch] netns/*/*.[ch] images/*.[ch] images/*/*.[ch] runtime/*.[ch] runtime/*/*.[ch] fleet/*.[ch] fleet/*/*.[ch] cli/*.[ch] cli/*/*.[ch] 2>/dev/null); do
	case $file in
	base/json.c | base/encode.c | base/yajl_memory.*) ;;
	*)
		echo "$file: only base/json.c and base/encode.c may include yajl"
		bad=1
		;;
	esac
done

# One program could link all libraries: no name is exported twice. Those that begin with __ are the compiler's.
if [ -e "$build/libbase.a" ]; then
	twice=$(nm -A -g --defined-only "$build"/lib*.a | awk 'NF == 3 && $2 ~ /^[TDBRC]$/ && $3 !~ /^__/ {
		file = $1
		sub(/^.*\//, "", file)
		sub(/:[^:]*$/, "", file)
		if ($3 in seen)
			print seen[$3] " and " file ": both export " $3
		seen[$3] = file
	}')
	[ -z "$twice" ] || {
		echo "$twice"
		bad=1
	}
else
	echo "layers: exported names are not looked at: nothing is built in $build"
fi
[ $bad = 0 ] && echo "layers: every include goes down"
exit $bad
