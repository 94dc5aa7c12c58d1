# Where packages come from: what the apt of this host has configured, and nothing of the project's own. Sourced.
# shellcheck shell=sh disable=SC2154

suite=bookworm

# One line for each of the host's sources that belongs to the suite and is Debian's (not some vendor's), as sources.list has them.
# shellcheck disable=SC2016 # apt's own variables
sources_list() {
	apt-get indextargets --format '$(CODENAME)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
		sed -n "s/^$suite\(-updates\|-security\)\{0,1\}|//p" | sort -u
}

sources_find() {
	sources=$(sources_list)
	[ -n "$sources" ] || {
		apt-get update -q >/dev/null 2>&1
		sources=$(sources_list)
	}
	[ -n "$sources" ] || {
		echo "the apt sources of this host offer no Debian $suite"
		return 1
	}
}

# The host's proxies and how it judges dates, for the apt inside.
sources_settings() {
	apt-config dump | grep -iE '^Acquire::(.*::Proxy[^ ]*|Check-[^ ]*) "' || true
}
