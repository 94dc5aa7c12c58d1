#!/bin/sh
# Both columns: how the tests went on the host's kernel and in the machine, which were skipped where, and which ran on neither.
# usage: summary.sh NAMES-OF-ALL HOST-RESULTS MACHINE-RESULTS…
#
# Prints the table and the lists; the last line is "passed failed skipped" of both columns together. Fails when a test failed,
# or was skipped on both, or ran on neither: then nothing has shown that it is true anywhere.
set -u
names=$1 host=$2
shift 2

# Criterion's lines are "ok - suite::name  (0.00s)", "ok - suite::name  # SKIP why" and "not ok - …".
# Those that a filter left out are not among them.
results() {
	sed -n -E \
		-e "/# SKIP test was skipped/d" \
		-e "s/^ok - ([^ ]+) +# SKIP ?(.*)/$1\tskipped\t\1\t\2/p; t" \
		-e "s/^ok - ([^ ]+).*/$1\tpassed\t\1/p; t" \
		-e "s/^not ok - ([^ ]+).*/$1\tfailed\t\1/p"
}

{
	sed 's/^/all\tknown\t/' "$names"
	cat "$host"/*.tap 2>/dev/null | results host
	for machine; do
		cat "$machine"/*.tap 2>/dev/null | results machine
	done
} | LC_ALL=C awk -F'\t' '
	# A test that several machines of one kernel were given counts by its best answer but one: failed is failed.
	function better(new, old) {
		return old == "" || new == "failed" || (old == "skipped" && new == "passed")
	}
	$1 == "all" { known[$3] = 1; next }
	{
		known[$3] = 1
		if (better($2, state[$1, $3])) {
			state[$1, $3] = $2
			why[$1, $3] = $4
		}
	}
	function list(title, names,    i, n, sorted) {
		n = split(names, sorted, "\n")
		if (n < 2)
			return
		print n - 1 " " title
		fflush()
		for (i = 2; i <= n; i++)
			print "      " sorted[i] | "sort"
		close("sort")
	}
	END {
		for (name in known) {
			h = state["host", name]
			m = state["machine", name]
			count["host", h]++
			count["machine", m]++
			if (h == "skipped" && m == "passed")
				here = here "\n" name ": " why["host", name]
			else if (h == "passed" && m == "skipped" && why["machine", name] ~ /--full/)
				long = long "\n" name
			else if (h == "passed" && m == "skipped")
				there = there "\n" name ": " why["machine", name]
			else if (h == "skipped" && m == "skipped" && why["host", name] why["machine", name] ~ /--full/)
				later = later "\n" name ": " why["host", name]
			else if (h != "failed" && m != "failed" && h != "passed" && m != "passed")
				neither = neither "\n" name ": " (h == "skipped" ? "on this kernel " why["host", name] : "not run on this kernel") "; " \
					(m == "skipped" ? "in the machine " why["machine", name] : "not run in the machine")
			else if (h == "passed" && m == "")
				lost = lost "\n" name
			else if (m == "passed" && h == "")
				only = only "\n" name
			if (h == "failed")
				bad = bad "\n" name ": on this kernel"
			if (m == "failed")
				bad = bad "\n" name ": in the machine"
		}
		list("skipped on this kernel, passed in the machine:", here)
		list("skipped in the machine, passed on this kernel:", there)
		list("run in the machine only:", only)
		list("left to ./test.sh --full, which runs everything in the machine:", later)
		list("passed on this kernel, too long for an emulated processor (in the machine with ./test.sh --full):", long)
		list("FAIL  not run in the machine:", lost)
		list("FAIL  skipped or not run on both:", neither)
		list("FAIL  failed:", bad)
		printf "%-28s %12s %12s\n", "", "this kernel", "the machine"
		split("passed failed skipped", states, " ")
		for (i = 1; i <= 3; i++)
			printf "%-28s %12d %12d\n", states[i], count["host", states[i]], count["machine", states[i]]
		printf "%-28s %12d %12d\n", "not run", count["host", ""], count["machine", ""]
		print count["host", "passed"] + count["machine", "passed"], count["host", "failed"] + count["machine", "failed"],
			count["host", "skipped"] + count["machine", "skipped"]
		exit bad != "" || neither != "" || lost != ""
	}'
