# A docker daemon on the runtime under test, with everything it keeps below one directory: for docker and swarm.
# shellcheck shell=sh
# shellcheck disable=SC2154 # scratch, slow: lib.sh

# docker_configure DIRECTORY: writes its daemon.json, and a program DIRECTORY/docker that talks to it.
docker_configure() {
	mkdir -p "$1"
	cat >"$1/daemon.json" <<-JSON
		{
		  "runtimes": {"warren-oci": {"path": "$RUNTIME"}},
		  "default-runtime": "warren-oci",
		  "default-ulimits": {
		    "nofile": {"Name": "nofile", "Soft": 4096, "Hard": 4096},
		    "nproc": {"Name": "nproc", "Soft": 4096, "Hard": 4096}
		  },
		  "exec-opts": ["native.cgroupdriver=cgroupfs"],
		  "data-root": "$1/data",
		  "exec-root": "$1/exec",
		  "pidfile": "$1/pid",
		  "hosts": ["unix://$1/socket"]
		}
	JSON
	printf '#!/bin/sh\nexec timeout %s /usr/bin/docker -H unix://%s/socket "$@"\n' $((60 * slow)) "$1" >"$1/docker"
	chmod +x "$1/docker"
}

# docker_start DIRECTORY [WORD…]: starts it in this network namespace and waits for its answer. The words come before it. Its clients
# keep what they know of a user in HOME.
docker_start() {
	directory=$1
	shift
	HOME=$directory "$@" /usr/sbin/dockerd --config-file "$directory/daemon.json" >"$directory/log" 2>&1 &
	echo $! >"$directory/started"
	tries=$((600 * slow))
	until "$directory/docker" version >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || {
			tail -n 20 "$directory/log"
			return 1
		}
		sleep 0.1
	done
}
