# Stages with their times, and what the machine took, for tests/fresh/run. Sourced.
# shellcheck shell=sh disable=SC2154

# stage NAME COMMAND…: its output goes to a file; the first that fails ends the run.
stage() {
	stage_name=$1
	shift
	stage_log=$logs/$stage_name.log
	begin=$(date +%s)
	"$@" >"$stage_log" 2>&1
	status=$?
	seconds=$(($(date +%s) - begin))
	[ $status = 0 ] || stage_failed
	printf 'ok    %-24s %4s s%s\n' "$stage_name" "$seconds" "$(stage_remark)"
	total=$((${total:-0} + seconds))
}

# What a stage wants to be said beside its time is a line "remark …" of its output.
stage_remark() {
	sed -n 's/^remark \(.*\)/  (\1)/p; s/.*\(booted in [0-9.]* s\).*/  (\1)/p' "$stage_log" | tr -d '\n'
}

stage_failed() {
	echo "FAIL  $stage_name ($seconds s)${without:+, without$without}: the end of its output:"
	tail -40 "$stage_log" | sed 's/^/      /'
	mkdir -p "$cache/failed"
	cp "$logs"/*.log "$cache/failed/"
	echo "FAIL  $stage_name${without:+, without$without} (all output: $cache/failed)"
	exit 1
}

# packages_added BEFORE AFTER TITLE
packages_added() {
	comm -13 "$1" "$2" >"$work/added"
	awk -v title="$3" '{ kib += $3 } END { printf "%s: %d packages, %.0f MB\n", title, NR, kib / 1024 }' "$work/added"
	awk '{ printf "      %-36s %-32s %8.1f MB\n", $1, $2, $3 / 1024 }' "$work/added"
}

report() {
	echo
	packages_added /dev/null "$work/packages.bare" "bare Debian $suite"
	packages_added "$work/packages.bare" "$work/packages.quickstart" "added by quickstart.sh"
	packages_added "$work/packages.quickstart" "$work/packages.test" "added by test.sh"
	echo
	awk '{ printf "the machine after %s.sh, with the build: %.0f MB\n", $1, $2 / 1024 }' "$work/images"
	echo "all stages: $((total / 60)) min $((total % 60)) s"
}
