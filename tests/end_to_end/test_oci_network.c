/* warren-oci from the outside: linux.netDevices. A network namespace of the test's own plays the host, with pairs of
 * virtual devices in it; what comes back from a container that ended is the kernel's doing, and of virtual ones nothing
 * does. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

/* Runs a script in a new network namespace: $OCI is the program with its options, $ID the container. */
static struct run_result on_host(struct bundle *bundle, const char *script)
{
	auto_free char *whole =
		text_format("set -e; OCI='%s --root %s'; ID=%s; "
			    "ip link add e2e0 type veth peer name e2e1; ip link set e2e0 mtu 1400 address "
			    "02:00:00:00:00:07; ip addr add 10.9.8.7/24 dev e2e0; "
			    "ip addr add fd00:77::1/64 dev e2e0 nodad; ip link set e2e1 up; ip link set e2e0 up; %s",
			WARREN_OCI_PROGRAM, bundle->state, bundle->id, script);
	const char *argv[] = {"unshare", "--net", "sh", "-c", whole, NULL};
	struct run_options how = {.directory = bundle->path};

	return run_program(argv, &how);
}

#define SHOW "busybox ip addr show"

TEST(oci_network, devices_move_in_with_another_name_and_their_addresses)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = SHOW " inner9", .system = "\"netDevices\": {\"e2e0\": {\"name\": \"inner9\"}}");
	auto_run run = on_host(&bundle,
		"$OCI run $ID; for i in $(seq 1000); do ip link show e2e1 > one 2>&1 || break; sleep 0.01; done; "
		"ip -br link");
	ASSERT_STATUS(run, 0);
	static const char *const expected[] = {
		"mtu 1400", "02:00:00:00:00:07", "inet 10.9.8.7/24", "inet6 fd00:77::1/64", "inner9", ",UP"};
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		cr_assert(strstr(run.out, expected[i]), "%s is missing in %s%s", expected[i], run.out, run.err);
	/* The pair has ended with the container. */
	cr_assert(!strstr(run.out, "e2e0@") && !strstr(run.out, "e2e1@"), "%s", run.out);
}

TEST(oci_network, devices_keep_their_name_and_reach_namespaces_of_others_and_users_of_their_own)
{
	static const char *const systems[] = {
		"\"netDevices\": {\"e2e0\": {}}",
		("\"netDevices\": {\"e2e0\": {\"name\": \"\"}}, \"uidMappings\": [{\"containerID\": 0, \"hostID\": "
		 "0, \"size\": 65536}], \"gidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 65536}]"),
		"\"netDevices\": {\"e2e0\": {}}",
	};
	static const char *const namespaces[] = {
		NULL,
		("[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"network\"}, {\"type\": \"user\"}, "
		 "{\"type\": \"ipc\"}, {\"type\": \"uts\"}]"),
		("[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"uts\"}, {\"type\": \"network\", \"path\": "
		 "\"/proc/self/fd/7\"}]"),
	};
	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(systems); i++) {
		auto_bundle bundle = bundle_new();

		BUNDLE_WRITE(&bundle, .script = SHOW " e2e0", .system = systems[i], .namespaces = namespaces[i]);
		auto_run run = on_host(
			&bundle, i == 2 ? "unshare --net sleep 100 & P=$!; while [ $(readlink /proc/$P/ns/net) = "
					  "$(readlink /proc/self/ns/net) ]; do sleep 0.01; done; "
					  "sed -i s,/proc/self/fd/7,/proc/$P/ns/net, config.json; $OCI run $ID; kill $P"
					: "$OCI run $ID");
		ASSERT_STATUS(run, 0);
		cr_assert(strstr(run.out, "e2e0@") && strstr(run.out, "inet 10.9.8.7/24"), "%zu: %s%s", i, run.out,
			run.err);
	}
}

TEST(oci_network, devices_that_cannot_move_are_refused_before_anything_has_moved)
{
	NEEDS_A_FAST_PROCESSOR();
	static const struct {
		const char *system, *namespaces, *text;
	} cases[] = {
		{"\"netDevices\": {\"e2e0\": {}, \"nonesuch\": {}}", NULL, "nonesuch: this host has no such device"},
		{"\"netDevices\": {\"e2e0\": {}, \"e2e1\": {\"name\": \"lo\"}}", NULL,
			"e2e1: the container has a device lo already"},
		{"\"netDevices\": {\"e2e0\": {\"name\": \"x\"}, \"e2e1\": {\"name\": \"x\"}}", NULL,
			"two become \"x\""},
		{"\"netDevices\": {\"e2e0\": {\"name\": \"a/b\"}}", NULL, "\"a/b\": is no name of a network device"},
		{"\"netDevices\": {\"e2e0\": {\"name\": \"eth%d\"}}", NULL, "is no name of a network device"},
		{"\"netDevices\": {\"e2e0\": {\"name\": \"0123456789abcdef\"}}", NULL,
			"is no name of a network device"},
		{"\"netDevices\": {\"\": {}}", NULL, "is no name of a network device"},
		{"\"netDevices\": {\"e2e0\": {}}", "[{\"type\": \"mount\"}, {\"type\": \"uts\"}]",
			"linux.netDevices: needs a network namespace of the container's own"},
	};
	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_bundle bundle = bundle_new();

		BUNDLE_WRITE(&bundle, .script = "true", .system = cases[i].system, .namespaces = cases[i].namespaces);
		auto_run run =
			on_host(&bundle, "ip -o -4 addr > before; $OCI run $ID && exit 9; ip -o -4 addr > after; "
					 "cmp before after; $OCI list -q");
		ASSERT_STATUS(run, 0);
		cr_assert(strstr(run.err, cases[i].text), "%zu: %s", i, run.err);
		cr_assert_str_eq(run.out, "", "%zu: %s", i, run.out);
	}
}

TEST(oci_network, devices_come_back_when_create_fails_later)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(
		&bundle, .args = "[\"/bin/nonesuch\"]", .system = "\"netDevices\": {\"e2e0\": {\"name\": \"inner9\"}}");
	auto_run run = on_host(&bundle, "$OCI run $ID && exit 9; ip addr show e2e0");
	ASSERT_STATUS(run, 0);
	static const char *const expected[] = {
		"mtu 1400", "02:00:00:00:00:07", "inet 10.9.8.7/24", "inet6 fd00:77::1/64", ",UP"};
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		cr_assert(strstr(run.out, expected[i]), "%s is missing in %s%s", expected[i], run.out, run.err);
}
