/* Tests of cgroups/systemd_*.c as far as no systemd is needed: names, properties, values, messages. What systemd makes
 * of them is shown by end_to_end/test_systemd.c. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "cgroups/systemd.h"
#include "tests/test.h"

/* --- names -------------------------------------------------------------------------------------------------------- */

TEST(systemd_name, has_slice_prefix_and_name)
{
	static const struct {
		const char *given;
		enum systemd_bus bus;
		const char *unit, *slice, *path;
	} cases[] = {
		{"machine.slice:libpod:1f", SYSTEMD_SYSTEM, "libpod-1f.scope", "machine.slice",
			"machine.slice/libpod-1f.scope"},
		{"a-b-c.slice:cri:x", SYSTEMD_SYSTEM, "cri-x.scope", "a-b-c.slice",
			"a.slice/a-b.slice/a-b-c.slice/cri-x.scope"},
		{":docker:x", SYSTEMD_SYSTEM, "docker-x.scope", "system.slice", "system.slice/docker-x.scope"},
		{":docker:x", SYSTEMD_USER, "docker-x.scope", "user.slice", "user.slice/docker-x.scope"},
		{"-.slice:docker:x", SYSTEMD_SYSTEM, "docker-x.scope", "-.slice", "docker-x.scope"},
		{"system.slice::x", SYSTEMD_SYSTEM, "x.scope", "system.slice", "system.slice/x.scope"},
		{"system.slice:p:x.scope", SYSTEMD_SYSTEM, "p-x.scope", "system.slice", "system.slice/p-x.scope"},
		{"system.slice:p:--x-", SYSTEMD_SYSTEM, "p---x-.scope", "system.slice", "system.slice/p---x-.scope"},
		{NULL, SYSTEMD_SYSTEM, "warren-oci-a\\x2bb.c.scope", "system.slice",
			"system.slice/warren-oci-a\\x2bb.c.scope"},
		{"", SYSTEMD_USER, "warren-oci-a\\x2bb.c.scope", "user.slice", "user.slice/warren-oci-a\\x2bb.c.scope"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct systemd_name name;
		struct error err;

		ASSERT_OK(systemd_name_parse(&arena, cases[i].given, "a+b.c", cases[i].bus, &name, &err));
		cr_expect_str_eq(name.unit, cases[i].unit);
		cr_expect_str_eq(name.slice, cases[i].slice);
		cr_expect_str_eq(name.path, cases[i].path);
	}
}

TEST(systemd_name, refuses_what_systemd_would_not_take)
{
	static const char *const shape = "systemd's cgroups are named slice:prefix:name";
	static const char *const dashes = "its dashes separate the slices above it";
	const struct {
		const char *given, *text;
	} cases[] = {
		{"/a/b", shape},
		{"x", shape},
		{"a.slice:b", shape},
		{"a.slice:b:c:d", shape},
		{":::", shape},
		{"a.slice:b:", "the name after the second colon is empty"},
		{"a.slice:b:c.slice", "name \"c.slice\": a slice holds other units and no processes"},
		{"a:b:c", "slice \"a\": the name of a slice ends in .slice"},
		{"a.scope:b:c", "ends in .slice"},
		{".slice:b:c", "ends in .slice"},
		{"-a.slice:b:c", dashes},
		{"a-.slice:b:c", dashes},
		{"a--b.slice:b:c", dashes},
		{"--.slice:b:c", dashes},
		{"a.slice/b.slice:b:c", "slice \"a.slice/b.slice\": systemd takes no '/' in a name"},
		{"../a.slice:b:c", "takes no '/'"},
		{"a.slice:b:../../x", "scope \"b-../../x.scope\": systemd takes no '/' in a name"},
		{"a.slice:b c:d", "takes only letters, digits and : - _ . \\ @ in a name, not byte 0x20"},
		{"a.slice:b:c+d", "takes no '+'"},
		{"a.slice:b:\xc3\xbc", "not byte 0xc3"},
		{"a.slice::.scope", "is not the name of a scope"},
		{"a.slice::.x", "is not the name of a scope"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct systemd_name name;
		struct error err;

		ASSERT_FAILS(systemd_name_parse(&arena, cases[i].given, "id", SYSTEMD_SYSTEM, &name, &err), ERROR_USAGE,
			cases[i].text);
		cr_expect(text_starts_with(err.text, "linux.cgroupsPath \""), "%s", err.text);
	}
}

TEST(systemd_name, has_at_most_255_bytes)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct systemd_name name;
	struct error err;
	char id[256];

	memset(id, 'x', 255);
	id[255] = '\0';
	ASSERT_FAILS(systemd_name_parse(&arena, NULL, id, SYSTEMD_SYSTEM, &name, &err), ERROR_USAGE, "at most 255");
	id[255 - strlen("warren-oci-.scope")] = '\0';
	ASSERT_OK(systemd_name_parse(&arena, NULL, id, SYSTEMD_SYSTEM, &name, &err));
	cr_assert(strlen(name.unit) == 255);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

#define SET(value_)                                                                                                    \
	(struct optional)                                                                                              \
	{                                                                                                              \
		.set = true, .value = value_                                                                           \
	}

static const struct systemd_property *find(const struct systemd_properties *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	return NULL;
}

/* "t 5", "ay 1 2"; "" when there is none. */
static const char *shown(struct arena *arena, const struct systemd_properties *list, const char *name)
{
	const struct systemd_property *property = find(list, name);
	const char *text = property ? property->type : "";

	for (size_t i = 0; property && i < property->values.count; i++)
		text = arena_format(arena, "%s %s", text, property->values.items[i]);
	return text;
}

struct expected {
	const char *name, *value;
};

static void assert_properties(const struct cgroup_limits *limits, const struct expected *expected)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct systemd_properties list = {0};
	size_t count = 0;
	struct error err;

	ASSERT_OK(systemd_properties_add_limits(&arena, &list, limits, &err));
	for (; expected[count].name; count++)
		cr_expect_str_eq(shown(&arena, &list, expected[count].name), expected[count].value, "%s: %s, not %s",
			expected[count].name, shown(&arena, &list, expected[count].name), expected[count].value);
	cr_expect(list.count == count, "%zu properties, not %zu", list.count, count);
	for (size_t i = 0; i < list.count; i++)
		ASSERT_OK(systemd_property_check(&list.items[i], &err));
}

#define ASSERT_PROPERTIES(limits, ...) assert_properties(limits, (const struct expected[]){__VA_ARGS__, {NULL, NULL}})

TEST(systemd_limits, become_properties)
{
	ASSERT_PROPERTIES(&((struct cgroup_limits){.memory_max = SET(1 << 20),
				  .memory_high = SET(1 << 19),
				  .memory_low = SET(4096),
				  .memory_min = SET(8192),
				  .swap_max = SET(0),
				  .pids_max = SET(50),
				  .cpu_weight = SET(200),
				  .io_weight = SET(300),
				  .oom_group = SET(1)}),
		{"MemoryMax", "t 1048576"}, {"MemoryHigh", "t 524288"}, {"MemoryLow", "t 4096"},
		{"MemoryMin", "t 8192"}, {"MemorySwapMax", "t 0"}, {"TasksMax", "t 50"}, {"CPUWeight", "t 200"},
		{"IOWeight", "t 300"}, {"OOMPolicy", "s kill"});
}

TEST(systemd_limits, of_disks_are_in_the_unit_of_the_kernels_cost_model)
{
	struct cgroup_io_device_weight device = {.major = 8, .minor = 16, .weight = 1000};

	ASSERT_PROPERTIES(&((struct cgroup_limits){.block_weight = SET(500), .device_weights = {&device, 1}}),
		{"IOWeight", "t 4950"}, {"IODeviceWeight", "a(st) /dev/block/8:16 10000"});
}

TEST(systemd_limits, that_are_lifted_are_infinity_and_protection_is_none)
{
	ASSERT_PROPERTIES(&((struct cgroup_limits){.memory_max = SET(-1),
				  .memory_low = SET(-1),
				  .swap_max = SET(-1),
				  .pids_max = SET(-1),
				  .cpu_quota_us = SET(-1)}),
		{"MemoryMax", "t 18446744073709551615"}, {"MemoryLow", "t 0"},
		{"MemorySwapMax", "t 18446744073709551615"}, {"TasksMax", "t 18446744073709551615"},
		{"CPUQuotaPerSecUSec", "t 18446744073709551615"});
}

TEST(systemd_limits, of_processors_are_whole_percents_and_never_less)
{
	ASSERT_PROPERTIES(&((struct cgroup_limits){.cpu_quota_us = SET(50000)}), {"CPUQuotaPerSecUSec", "t 500000"});
	ASSERT_PROPERTIES(&((struct cgroup_limits){.cpu_quota_us = SET(33333), .cpu_period_us = SET(100000)}),
		{"CPUQuotaPerSecUSec", "t 340000"}, {"CPUQuotaPeriodUSec", "t 100000"});
	ASSERT_PROPERTIES(&((struct cgroup_limits){.cpu_quota_us = SET(1000), .cpu_period_us = SET(1000000)}),
		{"CPUQuotaPerSecUSec", "t 10000"}, {"CPUQuotaPeriodUSec", "t 1000000"});
	ASSERT_PROPERTIES(&((struct cgroup_limits){.cpu_quota_us = SET(INT64_MAX / 1000)}),
		{"CPUQuotaPerSecUSec", "t 18446744073709551615"});
	ASSERT_PROPERTIES(&((struct cgroup_limits){.cpu_shares = SET(512)}), {"CPUWeight", "t 50"});
	ASSERT_PROPERTIES(
		&((struct cgroup_limits){.cpu_shares = SET(512), .cpu_weight = SET(7)}), {"CPUWeight", "t 7"});
	ASSERT_PROPERTIES(&((struct cgroup_limits){.cpu_shares = SET(512), .cpu_idle = SET(1)}), {"CPUWeight", "t 0"});
}

TEST(systemd_limits, of_single_processors_are_masks)
{
	ASSERT_PROPERTIES(&((struct cgroup_limits){.cpuset_cpus = "0-2,9", .cpuset_mems = "0"}),
		{"AllowedCPUs", "ay 7 2"}, {"AllowedMemoryNodes", "ay 1"});
	ASSERT_PROPERTIES(&((struct cgroup_limits){.cpuset_cpus = "16"}), {"AllowedCPUs", "ay 0 0 1"});
}

TEST(systemd_limits, refuses_processors_beyond_systemds)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct systemd_properties list = {0};
	struct error err;

	ASSERT_FAILS(
		systemd_properties_add_limits(&arena, &list, &((struct cgroup_limits){.cpuset_cpus = "0-8192"}), &err),
		ERROR_USAGE, "AllowedCPUs \"0-8192\"");
	ASSERT_FAILS(systemd_properties_add_limits(
			     &arena, &list, &((struct cgroup_limits){.cpuset_cpus = "0-4000000000"}), &err),
		ERROR_USAGE, "AllowedCPUs");
}

TEST(systemd_limits, of_disks_name_each_device)
{
	struct cgroup_io_max disks[] = {
		{.major = 8, .minor = 0, .rbps = SET(1000), .wiops = SET(-1)},
		{.major = 259, .minor = 3, .rbps = SET(2000)},
	};

	ASSERT_PROPERTIES(&((struct cgroup_limits){.io_max = {disks, 2}}),
		{"IOReadBandwidthMax", "a(st) /dev/block/8:0 1000 /dev/block/259:3 2000"},
		{"IOWriteIOPSMax", "a(st) /dev/block/8:0 18446744073709551615"});
}

/* What came as a file of the kernel would be lost at systemd's next write, too. */
TEST(systemd_limits, of_unified_files_are_properties_as_well_and_win)
{
	struct pair files[] = {{"memory.max", "max"}, {"memory.high", "4096\n"}, {"cpu.max", "20000 50000"},
		{"cpu.weight", "9"}, {"cpuset.cpus", "0"}, {"io.weight", "default 77"}, {"pids.max", "9"},
		{"memory.oom.group", "0"}, {"hugetlb.2MB.max", "0"}, {"memory.swap.max", "12k"}};

	ASSERT_PROPERTIES(&((struct cgroup_limits){.memory_max = SET(4096), .unified = {files, ARRAY_SIZE(files)}}),
		{"MemoryMax", "t 18446744073709551615"}, {"MemoryHigh", "t 4096"}, {"CPUQuotaPerSecUSec", "t 400000"},
		{"CPUQuotaPeriodUSec", "t 50000"}, {"CPUWeight", "t 9"}, {"AllowedCPUs", "ay 1"}, {"IOWeight", "t 77"},
		{"TasksMax", "t 9"}, {"OOMPolicy", "s continue"});
}

/* --- annotations -------------------------------------------------------------------------------------------------- */

TEST(systemd_annotations, are_read_as_gvariant_text)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"true", "b true"},
		{" false ", "b false"},
		{"boolean true", "b true"},
		{"5", "i 5"},
		{"-5", "i -5"},
		{"uint64 18446744073709551615", "t 18446744073709551615"},
		{"int16 -7", "n -7"},
		{"byte 255", "y 255"},
		{"1.5", "d 1.5"},
		{"double 2", "d 2"},
		{"'a b'", "s a b"},
		{"\"a'b\"", "s a'b"},
		{"'a\\'\\\\\\nb'", "s a'\\\nb"},
		{"@s 'x'", "s x"},
		{"objectpath '/a'", "o /a"},
		{"['a', 'b']", "as a b"},
		{"[ uint64 1 , 2 ]", "at 1 2"},
		{"@as []", "as"},
		{"@au [1]", "au 1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct systemd_property property = {.name = "Some"};
		struct systemd_properties list = {&property, 1};
		struct error err;

		ASSERT_OK(systemd_variant_parse(&arena, cases[i].text, &property, &err));
		cr_expect_str_eq(shown(&arena, &list, "Some"), cases[i].expected);
		ASSERT_OK(systemd_property_check(&property, &err));
	}
}

TEST(systemd_annotations, are_refused_by_name)
{
	static const struct {
		const char *name, *value, *text;
	} cases[] = {
		{"TasksMax", "", "a value is missing"},
		{"TasksMax", "five", "\"five\""},
		{"TasksMax", "uint64 -1", "TasksMax"},
		{"TasksMax", "uint64 5 5", "\"5\" follows the value"},
		{"TasksMax", "byte 256", "256"},
		{"TasksMax", "uint64 '5'", "not of the type before it"},
		{"Slice", "'a.slice'", "is set by the runtime"},
		{"PIDs", "[uint32 1]", "is set by the runtime"},
		{"Some", "'a", "the string has no end"},
		{"Some", "'\\u0041'", "a backslash stands before one of"},
		{"Some", "['a'", "the array has no end"},
		{"Some", "['a', 5]", "not of the type before it"},
		{"Some", "[]", "an empty array has a type before it"},
		{"Some", "[['a']]", "a value is missing"},
		{"Some", "('a', 5)", "a value is missing"},
		{"Some", "@a(sv) []", "type \"a(sv)\" is not supported here"},
		{"Some", "@as 5", "is not supported here"},
		{"A", "true", "a name has 3 to 64 letters"},
		{"Some-thing", "true", "letters and nothing else"},
		{"TimeoutStopSec", "'5'", "is a number of seconds"},
		{"TimeoutStopSec", "-5", "-5 seconds"},
		{"TimeoutStopSec", "1e30", "seconds"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct pair pair = {arena_format(&arena, "org.systemd.property.%s", cases[i].name), cases[i].value};
		struct pairs annotations = {&pair, 1};
		struct systemd_properties list = {0};
		struct error err;

		ASSERT_FAILS(systemd_properties_add_annotations(&arena, &list, &annotations, &err), ERROR_USAGE,
			cases[i].text);
		cr_expect(strstr(err.text, pair.name), "%s", err.text);
	}
}

TEST(systemd_annotations, become_properties_and_replace_ours)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct pair pairs[] = {{"org.systemd.property.TimeoutStopSec", "1.5"},
		{"org.systemd.property.CollectMode", "'inactive'"}, {"io.podman.annotations.init", "FALSE"},
		{"org.systemd.property.RuntimeMaxUSec", "uint64 7"}};
	struct pairs annotations = {pairs, ARRAY_SIZE(pairs)};
	struct systemd_properties list = {0};
	struct error err;

	systemd_property_set(&arena, &list, "CollectMode", "s", "inactive-or-failed", 236);
	ASSERT_OK(systemd_properties_add_annotations(&arena, &list, &annotations, &err));
	cr_assert(list.count == 3);
	cr_assert_str_eq(shown(&arena, &list, "TimeoutStopUSec"), "t 1500000");
	cr_assert_str_eq(shown(&arena, &list, "CollectMode"), "s inactive");
	cr_assert_str_eq(shown(&arena, &list, "RuntimeMaxUSec"), "t 7");
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

TEST(systemd_message, arrives_as_it_was_sent)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct systemd_request request = {
		.verb = SYSTEMD_SET, .bus = SYSTEMD_USER, .unit = "a\\x2d\"b.scope", .timeout_ms = 5000};
	struct systemd_request got;
	struct error err;
	size_t length;

	systemd_property_set(&arena, &request.properties, "MemoryMax", "t", "18446744073709551615", 0);
	systemd_property_set(&arena, &request.properties, "AllowedCPUs", "y", "3", 244);
	request.unit = "a\\x2db.scope";
	auto_free char *text = systemd_request_encode(&request, &length);
	ASSERT_OK(systemd_request_decode(&arena, text, length, &got, &err));
	cr_assert(got.verb == SYSTEMD_SET && got.bus == SYSTEMD_USER && got.timeout_ms == 5000);
	cr_assert_str_eq(got.unit, request.unit);
	cr_assert(got.properties.count == 2 && got.properties.items[1].since == 244);
	cr_assert_str_eq(shown(&arena, &got.properties, "MemoryMax"), "t 18446744073709551615");
}

#define REQUEST(rest) "{\"version\":1,\"bus\":\"system\",\"timeoutMs\":5," rest "}"

TEST(systemd_message, is_refused_when_it_is_not_whole_and_right)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "request"},
		{"[]", "object"},
		{"{}", "\"version\""},
		{"{\"version\":2,\"bus\":\"system\",\"timeoutMs\":5,\"verb\":\"stop\",\"unit\":\"x.scope\"}",
			"version"},
		{REQUEST("\"verb\":\"kill\",\"unit\":\"x.scope\""), "kill"},
		{REQUEST("\"verb\":\"stop\""), "unit"},
		{REQUEST("\"verb\":\"stop\",\"unit\":\"x.service\""), "is not the name of a scope"},
		{REQUEST("\"verb\":\"stop\",\"unit\":\"../x.scope\""), "takes no '/'"},
		{REQUEST("\"verb\":\"stop\",\"unit\":\"x.scope\",\"pid\":1"), "pid"},
		{REQUEST("\"verb\":\"stop\",\"unit\":\"x.scope\",\"unit\":\"y.scope\""), "unit"},
		{REQUEST("\"verb\":\"set\",\"unit\":\"x.scope\",\"properties\":[{\"name\":\"Some\"}]"), "type"},
		{REQUEST("\"verb\":\"set\",\"unit\":\"x.scope\",\"properties\":[{\"name\":\"Some\",\"type\":\"t\"}]"),
			"0 values of type \"t\""},
		{REQUEST("\"verb\":\"set\",\"unit\":\"x.scope\",\"properties\":[{\"name\":\"Some\",\"type\":\"t\","
			 "\"values\":[\"0x1\"]}]"),
			"property Some"},
		{REQUEST("\"verb\":\"set\",\"unit\":\"x.scope\",\"properties\":[{\"name\":\"Some\",\"type\":\"a(st)\","
			 "\"values\":[\"a\"]}]"),
			"1 values of type \"a(st)\""},
		{REQUEST("\"verb\":\"set\",\"unit\":\"x.scope\",\"properties\":[{\"name\":\"Some\",\"type\":\"a{sv}\"}"
			 "]"),
			"not supported"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct systemd_request request;
		struct error err;

		ASSERT_FAILS(systemd_request_decode(&arena, cases[i].text, strlen(cases[i].text), &request, &err),
			ERROR_USAGE, cases[i].error);
	}
}

TEST(systemd_message, of_an_answer_names_an_absolute_cgroup_or_an_error)
{
	static const struct {
		const char *text;
		bool right;
	} cases[] = {
		{"{\"version\":1,\"kind\":\"none\",\"cgroup\":\"/a/b.scope\"}", true},
		{"{\"version\":1,\"kind\":\"none\"}", true},
		{"{\"version\":1,\"kind\":\"busy\",\"error\":\"x\"}", true},
		{"{\"version\":1,\"kind\":\"none\",\"error\":\"x\"}", false},
		{"{\"version\":1,\"kind\":\"busy\"}", false},
		{"{\"version\":1,\"kind\":\"none\",\"cgroup\":\"/\"}", false},
		{"{\"version\":1,\"kind\":\"none\",\"cgroup\":\"a\"}", false},
		{"{\"version\":1,\"kind\":\"none\",\"cgroup\":\"/a/../b\"}", false},
		{"{\"version\":1,\"kind\":\"none\",\"cgroup\":\"/a/..\"}", false},
		{"{\"version\":1,\"kind\":\"none\",\"cgroup\":\"/a\\nb\"}", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct systemd_answer answer;
		struct error err;
		int result = systemd_answer_decode(&arena, cases[i].text, strlen(cases[i].text), &answer, &err);

		cr_expect((result == 0) == cases[i].right, "%s: %s", cases[i].text, result ? err.text : "taken");
	}
}

/* --- the helper --------------------------------------------------------------------------------------------------- */

/* As the runtime hands it to itself: this program has no helper beside it. */
static int helper_give(void)
{
	char number[16];
	int program = open(WARREN_SYSTEMD_PROGRAM, O_PATH | O_CLOEXEC);

	snprintf(number, sizeof(number), "%d", program);
	setenv("WARREN_SYSTEMD_FD", number, 1);
	return program;
}

#define NEEDS_HELPER()                                                                                                 \
	auto_fd given = helper_give();                                                                                 \
	SKIP_UNLESS(given >= 0, "needs a build with libsystemd")

TEST(systemd_helper, is_missing_by_name)
{
	struct error err;

	SKIP_UNLESS(access("/usr/local/libexec/warren/warren-systemd", F_OK) < 0, "needs no installed warren-systemd");
	unsetenv("WARREN_SYSTEMD_FD");
	ASSERT_FAILS(systemd_helper_find(&err), ERROR_MISSING, "the program warren-systemd is neither beside this one");
	cr_assert(!systemd_helper_is_there());
}

/* A number of the environment is no reason to execute what happens to be behind it. */
TEST(systemd_helper, is_no_other_program_that_is_open)
{
	struct error err;
	auto_fd other = open("/bin/true", O_PATH | O_CLOEXEC);
	char number[16];

	SKIP_UNLESS(access("/usr/local/libexec/warren/warren-systemd", F_OK) < 0, "needs no installed warren-systemd");
	snprintf(number, sizeof(number), "%d", other);
	setenv("WARREN_SYSTEMD_FD", number, 1);
	ASSERT_FAILS(systemd_helper_find(&err), ERROR_MISSING, "warren-systemd");
	setenv("WARREN_SYSTEMD_FD", "0x3", 1);
	ASSERT_FAILS(systemd_helper_find(&err), ERROR_MISSING, "warren-systemd");
}

TEST(systemd_helper, answers_what_it_cannot_do_and_ends_with_the_socket)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(systemd_helper_drop) struct systemd_helper helper = SYSTEMD_HELPER_NONE;
	struct systemd_request request = {
		.verb = SYSTEMD_STOP, .bus = SYSTEMD_SYSTEM, .unit = "warren-test-nonesuch.scope", .timeout_ms = 5000};
	struct error err = {0};

	NEEDS_HELPER();
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonesuch/bus", 1);
	ASSERT_OK(systemd_helper_start(&helper, &err));
	for (int i = 0; i < 2; i++)
		ASSERT_FAILS(systemd_helper_ask(&helper, &arena, &request, NULL, &err), ERROR_SYSTEM,
			"stop unit warren-test-nonesuch.scope: no connection to systemd (the system bus is at "
			"/run/dbus/system_bus_socket): No such file or directory");
	request.unit = "nonesuch";
	ASSERT_FAILS(systemd_helper_ask(&helper, &arena, &request, NULL, &err), ERROR_USAGE, "not the name of a scope");
}

/* Whoever could write the file would be root at the next container. */
TEST(systemd_helper, is_not_executed_when_others_may_write_it)
{
	char name[64], number[16];
	struct error err;

	snprintf(name, sizeof(name), "/tmp/warren-test-%d", getpid());
	cr_assert(mkdir(name, 0700) == 0);
	auto_free char *path = text_format("%s/warren-systemd", name);
	FILE *file = fopen(path, "we");
	cr_assert(file && fclose(file) == 0 && chmod(path, 0777) == 0);
	auto_fd fd = open(path, O_RDONLY);
	snprintf(number, sizeof(number), "%d", fd);
	setenv("WARREN_SYSTEMD_FD", number, 1);
	ASSERT_FAILS(systemd_helper_find(&err), ERROR_SYSTEM, "writable by nobody else");
	cr_assert(chmod(path, 0600) == 0);
	ASSERT_FAILS(systemd_helper_find(&err), ERROR_SYSTEM, "is not a program");
	unlink(path);
	rmdir(name);
}
