/* warren-oci --systemd-cgroup against a real systemd: what it knows of the scope, what the kernel does by it, and that
 * nothing of it stays. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "base/socket.h"
#include "tests/end_to_end/support_counter.h"
#include "tests/end_to_end/support_sweep.h"
#include "tests/test.h"

#define SLEEP "[\"/bin/sleep\", \"1000\"]"

static bool is_pure_v2(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

#define NEEDS_SYSTEMD()                                                                                                \
	NEEDS_ROOT();                                                                                                  \
	SKIP_UNLESS(access("/run/systemd/system", F_OK) == 0 && access("/run/dbus/system_bus_socket", F_OK) == 0,      \
		"needs systemd as PID 1, with D-Bus");                                                                 \
	SKIP_UNLESS(is_pure_v2(), "needs cgroup v2 alone");                                                            \
	SKIP_UNLESS(access(WARREN_SYSTEMD_PROGRAM, X_OK) == 0, "needs a build with libsystemd")

#define SYSTEMD_OCI(bundle, ...) OCI(bundle, "--systemd-cgroup", __VA_ARGS__)

/* A scope of the test's own, "p-<id>.scope"; its members of linux. rest: more of them, or "". */
static void scope_write(struct bundle *bundle, const char *slice, const char *args, const char *rest)
{
	auto_free char *system =
		text_format("\"cgroupsPath\": \"%s:p:%s\"%s%s", slice, bundle->id, *rest ? ", " : "", rest);

	BUNDLE_WRITE(bundle, .args = args, .system = system);
}

struct unit {
	char name[64];
	char cgroup[PATH_MAX]; /* directory */
};

static struct unit unit_of(const struct bundle *bundle, const char *slices)
{
	struct unit unit;

	snprintf(unit.name, sizeof(unit.name), "p-%s.scope", bundle->id);
	snprintf(unit.cgroup, sizeof(unit.cgroup), "/sys/fs/cgroup/%s/%s", slices, unit.name);
	return unit;
}

static void assert_property(const struct unit *unit, const char *property, const char *expected)
{
	auto_run show = RUN("systemctl", "show", "--value", "-p", property, unit->name);

	show.out[strcspn(show.out, "\n")] = '\0';
	cr_assert_str_eq(show.out, expected, "%s of %s: \"%s\", expected \"%s\" %s", property, unit->name, show.out,
		expected, show.err);
}

static void assert_file(const struct unit *unit, const char *file, const char *expected)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *path = text_format("%s/%s", unit->cgroup, file);
	const char *text;
	struct error err;

	ASSERT_OK(file_read(&arena, AT_FDCWD, path, 65536, &text, NULL, &err));
	cr_assert(strncmp(text, expected, strlen(expected)) == 0 && strcmp(text + strlen(expected), "\n") == 0,
		"%s: \"%s\", expected \"%s\"", path, text, expected);
}

static void assert_unit_gone(const struct unit *unit)
{
	assert_property(unit, "LoadState", "not-found");
	cr_assert(access(unit->cgroup, F_OK) < 0, "%s is still there", unit->cgroup);
}

static void slice_stop(const char *slice)
{
	auto_run run = RUN("systemctl", "stop", slice);

	ASSERT_STATUS(run, 0);
}

static void assert_container_status(struct bundle *bundle, const char *expected)
{
	auto_free char *line = text_format("\"status\": \"%s\"", expected);
	auto_run state = OCI(bundle, "state", "ID");

	ASSERT_STATUS(state, 0);
	cr_assert(strstr(state.out, line), "%s", state.out);
}

/* --- what systemd knows ------------------------------------------------------------------------------------------- */

TEST(systemd, scope_is_below_its_slices_with_its_limits_as_properties, .timeout = SLOWLY(120))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "wtest.slice/wtest-deep.slice");
	auto_free char *record = text_format("%s/%s/cgroup", bundle.state, bundle.id);
	auto_free char *noted = text_format("system:%s", unit.cgroup + strlen("/sys/fs/cgroup"));
	char link[PATH_MAX] = "";

	scope_write(&bundle, "wtest-deep.slice", SLEEP,
		"\"resources\": {\"memory\": {\"limit\": 67108864, \"swap\": 100663296, \"reservation\": 33554432}, "
		"\"pids\": {\"limit\": 50}, \"cpu\": {\"quota\": 33333, \"period\": 100000, \"shares\": 512, "
		"\"cpus\": \"0\"}, \"unified\": {\"memory.high\": \"50331648\", \"memory.oom.group\": \"1\"}}");
	auto_run run = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	cr_assert(readlink(record, link, sizeof(link) - 1) > 0);
	cr_assert_str_eq(link, noted);

	static const struct {
		const char *property, *value;
	} properties[] = {{"ActiveState", "active"}, {"Slice", "wtest-deep.slice"}, {"Delegate", "yes"},
		{"DefaultDependencies", "no"}, {"CollectMode", "inactive-or-failed"}, {"MemoryMax", "67108864"},
		{"MemorySwapMax", "33554432"}, {"MemoryLow", "33554432"}, {"MemoryHigh", "50331648"},
		{"TasksMax", "50"}, {"CPUQuotaPerSecUSec", "340ms"}, {"CPUQuotaPeriodUSec", "100ms"},
		{"CPUWeight", "50"}, {"AllowedCPUs", "0"}, {"TasksAccounting", "yes"}, {"MemoryAccounting", "yes"}};
	for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
		assert_property(&unit, properties[i].property, properties[i].value);

	static const struct {
		const char *file, *value;
	} files[] = {{"memory.max", "67108864"}, {"memory.swap.max", "33554432"}, {"memory.low", "33554432"},
		{"memory.high", "50331648"}, {"memory.oom.group", "1"}, {"pids.max", "50"}, {"cpu.max", "33333 100000"},
		{"cpu.weight", "50"}, {"cpuset.cpus", "0"}};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_file(&unit, files[i].file, files[i].value);

	auto_run deleted = OCI(&bundle, "delete", "--force", "ID");
	ASSERT_STATUS(deleted, 0);
	assert_unit_gone(&unit);
	slice_stop("wtest.slice");
}

TEST(systemd, default_scope_is_named_for_the_container, .timeout = SLOWLY(60))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	auto_free char *name = text_format("warren-oci-%s.scope", bundle.id);
	struct unit unit = {0};

	BUNDLE_WRITE(&bundle, .args = SLEEP);
	snprintf(unit.name, sizeof(unit.name), "%s", name);
	auto_run run = OCI(&bundle, "--cgroup-manager", "systemd", "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	assert_property(&unit, "ActiveState", "active");
	assert_property(&unit, "Slice", "system.slice");
}

TEST(systemd, annotations_are_properties, .timeout = SLOWLY(60))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");
	auto_free char *system = text_format("\"cgroupsPath\": \":p:%s\"", bundle.id);

	BUNDLE_WRITE(&bundle, .args = SLEEP, .system = system,
		.top = "\"annotations\": {\"org.systemd.property.TimeoutStopSec\": \"7\", "
		       "\"org.systemd.property.Description\": \"'a \\\"test\\\"'\", "
		       "\"org.systemd.property.Documentation\": \"['man:true(1)', 'man:false(1)']\"}");
	auto_run run = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	assert_property(&unit, "TimeoutStopUSec", "7s");
	assert_property(&unit, "Description", "a \"test\"");
	assert_property(&unit, "Documentation", "\"man:true(1)\" \"man:false(1)\"");
}

/* --- what the kernel does ----------------------------------------------------------------------------------------- */

TEST(systemd, limits_act, .timeout = SLOWLY(120))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");

	/* One endless line. */
	scope_write(&bundle, "system.slice", "[\"/bin/grep\", \"x\", \"/dev/zero\"]",
		"\"resources\": {\"memory\": {\"limit\": 16777216, \"swap\": 16777216}}");
	auto_run hog = SYSTEMD_OCI(&bundle, "run", "ID");
	ASSERT_STATUS(hog, 137);
	assert_unit_gone(&unit);

	scope_write(&bundle, "system.slice",
		"[\"/bin/sh\", \"-c\", \"sleep 1000 & sleep 1000 & sleep 1000 & sleep 1000\"]",
		"\"resources\": {\"pids\": {\"limit\": 3}}");
	auto_run forks = SYSTEMD_OCI(&bundle, "run", "ID");
	cr_assert(forks.status != 0 && strstr(forks.err, "fork"), "%d %s", forks.status, forks.err);
	assert_unit_gone(&unit);
}

/* The helper that keeps the scope until then is a process, too. */
TEST(systemd, limit_of_one_process_leaves_room_for_the_container, .timeout = SLOWLY(120))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");

	scope_write(&bundle, "system.slice", SLEEP, "\"resources\": {\"pids\": {\"limit\": 1}}");
	auto_run run = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	assert_property(&unit, "TasksMax", "1");
	assert_file(&unit, "pids.max", "1");
	assert_file(&unit, "pids.current", "1");
	auto_run exec = OCI(&bundle, "exec", "ID", "true");
	cr_assert(exec.status != 0, "a second process was let in");
}

#define BLOCKED_DEVICE                                                                                                 \
	"\"devices\": [{\"path\": \"/dev/probe\", \"type\": \"c\", \"major\": 10, \"minor\": 229, \"fileMode\": 438}]"

static void assert_device_is_refused(struct bundle *bundle)
{
	auto_run exec = OCI(bundle, "exec", "ID", "sh", "-c", "cat </dev/probe");

	cr_assert(exec.status != 0 && strstr(exec.err, "Operation not permitted"), "%d %s", exec.status, exec.err);
}

/* systemd writes to the cgroup what it has in its books, so they must be the same. */
TEST(systemd, reload_undoes_no_limit, .timeout = SLOWLY(120))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");
	static const struct {
		const char *file, *value;
	} files[] = {{"memory.max", "67108864"}, {"memory.swap.max", "0"}, {"pids.max", "50"}, {"cpu.weight", "50"},
		{"cpu.max", "50000 100000"}, {"cpuset.cpus", "0"}};

	scope_write(&bundle, "system.slice", SLEEP,
		BLOCKED_DEVICE ", \"resources\": {\"memory\": {\"limit\": 67108864, \"swap\": 67108864}, "
			       "\"pids\": {\"limit\": 50}, \"unified\": {\"cpu.max\": \"50000 100000\"}, "
			       "\"cpu\": {\"shares\": 512, \"cpus\": \"0\"}}");
	auto_run run = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	for (int i = 0; i < 2; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(files); j++)
			assert_file(&unit, files[j].file, files[j].value);
		assert_device_is_refused(&bundle);
		if (i == 0) {
			auto_run reload = RUN("systemctl", "daemon-reload");
			auto_run neighbour = RUN("systemd-run", "--scope", "-q", "-p", "CPUQuota=50%", "true");

			ASSERT_STATUS(reload, 0);
			ASSERT_STATUS(neighbour, 0);
		}
	}
}

TEST(systemd, update_changes_the_unit_and_the_cgroup, .timeout = SLOWLY(120))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");

	scope_write(&bundle, "system.slice", SLEEP,
		"\"resources\": {\"memory\": {\"limit\": 67108864}, \"cpu\": {\"quota\": 50000, \"period\": 200000}}");
	auto_run run = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run update =
		OCI(&bundle, "update", "--memory", "33554432", "--pids-limit", "20", "--cpu-quota", "100000", "ID");
	ASSERT_STATUS(update, 0);
	for (int i = 0; i < 2; i++) {
		assert_property(&unit, "MemoryMax", "33554432");
		assert_property(&unit, "TasksMax", "20");
		assert_property(&unit, "CPUQuotaPerSecUSec", "500ms");
		assert_file(&unit, "memory.max", "33554432");
		assert_file(&unit, "pids.max", "20");
		assert_file(&unit, "cpu.max", "100000 200000");
		auto_run reload = RUN("systemctl", "daemon-reload");
		ASSERT_STATUS(reload, 0);
	}
}

/* --- the later commands ------------------------------------------------------------------------------------------- */

TEST(systemd, later_commands_need_no_option, .timeout = SLOWLY(120))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");

	scope_write(&bundle, "system.slice", SLEEP, "");
	auto_run create = SYSTEMD_OCI(&bundle, "create", "ID");
	ASSERT_STATUS(create, 0);
	assert_container_status(&bundle, "created");
	auto_run start = OCI(&bundle, "start", "ID");
	ASSERT_STATUS(start, 0);
	auto_run exec = OCI(&bundle, "exec", "-d", "ID", "sleep", "999");
	ASSERT_STATUS(exec, 0);
	assert_file(&unit, "pids.current", "2");
	auto_run ps = OCI(&bundle, "ps", "ID");
	cr_assert(
		ps.status == 0 && strstr(ps.out, "sleep 1000") && strstr(ps.out, "sleep 999"), "%s%s", ps.out, ps.err);
	auto_run events = OCI(&bundle, "events", "--stats", "ID");
	cr_assert(events.status == 0 && strstr(events.out, "\"pids\""), "%s%s", events.out, events.err);

	auto_run pause = OCI(&bundle, "pause", "ID");
	ASSERT_STATUS(pause, 0);
	assert_container_status(&bundle, "paused");
	auto_run resume = OCI(&bundle, "resume", "ID");
	ASSERT_STATUS(resume, 0);
	assert_container_status(&bundle, "running");
	auto_run kill = OCI(&bundle, "kill", "--all", "ID", "KILL");
	ASSERT_STATUS(kill, 0);
	auto_run deleted = OCI(&bundle, "delete", "--force", "ID");
	ASSERT_STATUS(deleted, 0);
	assert_unit_gone(&unit);
}

/* A name is free for the next container as soon as delete returns, in whatever state it was. */
TEST(systemd, delete_makes_the_name_free_at_once, .timeout = SLOWLY(240))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");
	static const char *const verbs[] = {"create", "run", "pause"};

	scope_write(&bundle, "system.slice", SLEEP, "");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		auto_run made = i == 0 ? SYSTEMD_OCI(&bundle, "create", "ID") : SYSTEMD_OCI(&bundle, "run", "-d", "ID");
		ASSERT_STATUS(made, 0);
		if (i == 2) {
			auto_run pause = OCI(&bundle, "pause", "ID");
			ASSERT_STATUS(pause, 0);
		}
		auto_run deleted = OCI(&bundle, "delete", "--force", "ID");
		ASSERT_STATUS(deleted, 0);
		assert_unit_gone(&unit);
	}
}

/* The unit is made anew, with what the config.json says of it. */
TEST(systemd, restore_is_into_a_scope_of_the_same_name, .timeout = SLOWLY(180))
{
	NEEDS_SYSTEMD();
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");
	auto_free char *system = text_format(
		"\"cgroupsPath\": \"system.slice:p:%s\", \"resources\": {\"pids\": {\"limit\": 77}}", bundle.id);
	char images[192];

	counter_write(&bundle, NULL);
	BUNDLE_WRITE(&bundle, .script = COUNTER, .mounts = DATA, .system = system);
	auto_run run = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	count_await(&bundle, 2);
	auto_run checkpoint = OCI(&bundle, "checkpoint", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	assert_unit_gone(&unit);
	int before = count_now(&bundle);
	auto_run restore = SYSTEMD_OCI(&bundle, "restore", "-d", "--image-path", images, "ID");
	ASSERT_STATUS(restore, 0);
	assert_goes_on(&bundle, before);
	assert_property(&unit, "ActiveState", "active");
	assert_property(&unit, "TasksMax", "77");
	assert_file(&unit, "pids.max", "77");
	auto_run list = OCI(&bundle, "ps", "-f", "json", "ID");
	ASSERT_STATUS(list, 0);
	auto_free char *procs = text_format("%s/cgroup.procs", unit.cgroup);
	auto_run members = RUN("wc", "-l", procs);
	cr_assert(atoi(members.out) > 0, "%s%s", members.out, members.err);
	auto_run gone = OCI(&bundle, "delete", "--force", "ID");
	ASSERT_STATUS(gone, 0);
	assert_unit_gone(&unit);
}

TEST(systemd, scope_ends_with_its_container, .timeout = SLOWLY(60))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");
	auto_free char *inside = text_format("0::/system.slice/%s\n", unit.name);

	scope_write(&bundle, "system.slice", "[\"/bin/sh\", \"-c\", \"cat /proc/self/cgroup; exit 7\"]", "");
	for (int i = 0; i < 3; i++) {
		auto_run run = SYSTEMD_OCI(&bundle, "run", "ID");

		ASSERT_STATUS(run, 7);
		cr_assert_str_eq(run.out, "0::/\n", "%s %s", run.out, inside);
		assert_unit_gone(&unit);
	}
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

TEST(systemd, unit_of_another_container_is_refused_and_left_alone, .timeout = SLOWLY(60))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");

	scope_write(&bundle, "system.slice", SLEEP, "");
	auto_run first = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(first, 0);
	auto_run second = SYSTEMD_OCI(&bundle, "run", "-d", "other");
	ASSERT_REFUSED(second, unit.name);
	cr_assert(strstr(second.err, "a unit of that name is active"), "%s", second.err);
	auto_run forced = OCI(&bundle, "delete", "--force", "other");
	ASSERT_STATUS(forced, 0);
	assert_property(&unit, "ActiveState", "active");
	assert_container_status(&bundle, "running");
}

TEST(systemd, malformed_names_and_properties_are_refused_and_leave_nothing, .timeout = SLOWLY(120))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	static const struct {
		const char *path, *annotation, *text;
	} cases[] = {
		{"/warren/x", NULL, "systemd's cgroups are named slice:prefix:name"},
		{"a--b.slice:p:x", NULL, "its dashes separate the slices above it"},
		{"system.slice:p:x.slice", NULL, "a slice holds other units and no processes"},
		{"system.slice:p:../x", NULL, "systemd takes no '/'"},
		{":p:x", "\"org.systemd.property.TasksMax\": \"many\"", "annotation org.systemd.property.TasksMax"},
		{":p:x", "\"org.systemd.property.NoSuchThing\": \"true\"",
			"start unit p-x.scope: Cannot set property NoSuchThing"},
		{":p:x", "\"org.systemd.property.TasksMax\": \"'many'\"", "start unit p-x.scope: "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *system = text_format("\"cgroupsPath\": \"%s\"", cases[i].path);
		auto_free char *top =
			text_format("\"annotations\": {%s}", cases[i].annotation ? cases[i].annotation : "");

		BUNDLE_WRITE(&bundle, .args = SLEEP, .system = system, .top = top);
		auto_run run = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
		ASSERT_REFUSED(run, cases[i].text);
		auto_run list = OCI(&bundle, "list", "-q");
		cr_assert_str_eq(list.out, "");
	}
}

TEST(systemd, missing_bus_is_said_in_one_line, .timeout = SLOWLY(60))
{
	NEEDS_ROOT();
	SKIP_UNLESS(is_pure_v2(), "needs cgroup v2 alone");
	SKIP_UNLESS(access(WARREN_SYSTEMD_PROGRAM, X_OK) == 0, "needs a build with libsystemd");
	auto_bundle bundle = bundle_new();
	const char *const words[] = {"--systemd-cgroup", "run", "-d", "ID", NULL};
	const char *const env[] = {"PATH=/usr/bin:/bin", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonesuch/bus", NULL};

	scope_write(&bundle, "system.slice", SLEEP, "");
	auto_run run = bundle_oci(&bundle, words, &(struct run_options){.env = env});
	ASSERT_REFUSED(run, "no connection to systemd");
	cr_assert(strstr(run.err, bundle.id), "%s", run.err);
	auto_run list = OCI(&bundle, "list", "-q");
	cr_assert_str_eq(list.out, "");
}

/* Without a bus a container that was made with one must still go. */
TEST(systemd, delete_works_though_the_bus_is_gone, .timeout = SLOWLY(60))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	struct unit unit = unit_of(&bundle, "system.slice");
	const char *const words[] = {"delete", "--force", "ID", NULL};
	const char *const env[] = {"PATH=/usr/bin:/bin", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonesuch/bus", NULL};

	scope_write(&bundle, "system.slice", SLEEP, "");
	auto_run run = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run deleted = bundle_oci(&bundle, words, &(struct run_options){.env = env});
	ASSERT_STATUS(deleted, 0);
	cr_assert(strstr(deleted.err, "no connection to systemd"), "%s", deleted.err);
	cr_assert(access(unit.cgroup, F_OK) < 0);
}

TEST(systemd, on_cgroup_v1_is_refused_by_name)
{
	NEEDS_ROOT();
	SKIP_UNLESS(!is_pure_v2(), "needs cgroup v1");
	SKIP_UNLESS(access(WARREN_SYSTEMD_PROGRAM, X_OK) == 0, "needs a build with libsystemd");
	auto_bundle bundle = bundle_new();

	scope_write(&bundle, "system.slice", SLEEP, "");
	auto_run run = SYSTEMD_OCI(&bundle, "run", "-d", "ID");
	ASSERT_REFUSED(run, "cgroups by systemd need cgroup v2 alone, and this host has controllers on v1");
	auto_run path = OCI(&bundle, "run", "-d", "ID");
	ASSERT_REFUSED(path, "is a name for systemd, and no path; use --systemd-cgroup");
	auto_run list = OCI(&bundle, "list", "-q");
	cr_assert_str_eq(list.out, "");
}

TEST(systemd, is_a_feature_when_the_helper_is_beside_the_program)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_run features = RUN(WARREN_OCI_PROGRAM, "features");
	bool there = access(WARREN_SYSTEMD_PROGRAM, X_OK) == 0;
	struct json_doc doc;
	struct error err;

	ASSERT_OK(json_parse(&arena, "features", features.out, features.out_length, JSON_PLAIN, &doc, &err));
	cr_assert(json_get(json_get(json_get(doc.root, "linux"), "cgroup"), "systemd")->boolean == there);
}

TEST(systemd, missing_helper_is_said_in_one_line)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *alone = text_format("%s/warren-oci", bundle.directory.path);
	auto_run copy = RUN("cp", WARREN_OCI_PROGRAM, alone);

	SKIP_UNLESS(access("/usr/local/libexec/warren/warren-systemd", F_OK) < 0, "needs no installed warren-systemd");
	ASSERT_STATUS(copy, 0);
	scope_write(&bundle, "system.slice", SLEEP, "");
	auto_run run =
		RUN(alone, "--root", bundle.state, "--systemd-cgroup", "run", "--bundle", bundle.path, bundle.id);
	ASSERT_REFUSED(run, "the program warren-systemd is neither beside this one nor in");
}

/* --- a user's systemd --------------------------------------------------------------------------------------------- */

#define USER "1" /* daemon, as any Debian has it; a user without a name has no manager */
#define USER_ID 1
#define USER_BUS "/run/user/" USER "/bus"
#define USER_BUS_UNIT "/usr/lib/systemd/user/dbus.socket"

/* What warren-systemd says, asked by that user. */
static void user_ask(const char *request, char answer[4096])
{
	struct error err;
	int ends[2], status;
	ssize_t length;
	pid_t pid;

	ASSERT_OK(socket_pair(ends, &err));
	pid = fork();
	if (pid == 0) {
		char *const argv[] = {"warren-systemd", NULL};
		char *const env[] = {"XDG_RUNTIME_DIR=/run/user/" USER, NULL};

		if (setgid(USER_ID) == 0 && setuid(USER_ID) == 0 && dup2(ends[1], 0) == 0)
			execve(WARREN_SYSTEMD_PROGRAM, argv, env);
		_exit(127);
	}
	close(ends[1]);
	cr_assert(socket_send(ends[0], request, strlen(request), NULL, 0) == 0);
	length = socket_receive(ends[0], answer, 4095, NULL, NULL);
	answer[length > 0 ? length : 0] = '\0';
	close(ends[0]);
	cr_assert(waitpid(pid, &status, 0) == pid && status == 0, "%d", status);
}

/* Where the directories of users are mounted when they log in; the tests have a mount namespace of their own. */
static void mounts_of_init_enter(void)
{
	auto_fd mounts = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);

	cr_assert(mounts >= 0 && unshare(CLONE_FS) == 0 && setns(mounts, CLONE_NEWNS) == 0);
}

/* The manager says that it is ready and makes the socket, in this order on a slow processor. */
static void user_bus_await(void)
{
	int64_t deadline_ms = clock_ms() + SLOWLY(5000);

	while (access(USER_BUS, F_OK) < 0) {
		if (clock_ms() > deadline_ms) {
			auto_run status = RUN("systemctl", "status", "--no-pager", "user@" USER ".service");

			cr_assert(false, USER_BUS " never came: %s%s", status.out, status.err);
		}
		poll(NULL, 0, 20);
	}
}

TEST(systemd, of_a_user_makes_scopes_below_the_users_slice, .timeout = SLOWLY(60))
{
	NEEDS_SYSTEMD();
	SKIP_UNLESS(access(USER_BUS_UNIT, F_OK) == 0, "needs the D-Bus of users (dbus-user-session)");
	mounts_of_init_enter();
	auto_run started = RUN("systemctl", "start", "user@" USER ".service");
	char answer[4096];

	ASSERT_STATUS(started, 0);
	user_bus_await();
	user_ask("{\"version\":1,\"verb\":\"start\",\"bus\":\"user\",\"unit\":\"wtest.scope\",\"timeoutMs\":30000,"
		 "\"properties\":[{\"name\":\"Slice\",\"type\":\"s\",\"values\":[\"user.slice\"]}]}",
		answer);
	cr_assert(strstr(answer, "\"cgroup\":\"/user.slice/user-" USER ".slice/user@" USER
				 ".service/user.slice/wtest.scope\""),
		"%s", answer);
	user_ask("{\"version\":1,\"verb\":\"stop\",\"bus\":\"user\",\"unit\":\"wtest.scope\",\"timeoutMs\":30000}",
		answer);
	cr_assert(strstr(answer, "\"kind\":\"none\""), "%s", answer);
	auto_run stopped = RUN("systemctl", "stop", "user@" USER ".service");
	ASSERT_STATUS(stopped, 0);
}

/* --- many, and killed --------------------------------------------------------------------------------------------- */

#define MANY 20

TEST(systemd, twenty_start_and_end_at_once, .timeout = SLOWLY(240))
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	char ids[MANY][48];
	pid_t pids[MANY];

	BUNDLE_WRITE(&bundle, .args = SLEEP, .system = "\"resources\": {\"pids\": {\"limit\": 10}}");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++) {
			snprintf(ids[i], sizeof(ids[i]), "%s-%d", bundle.id, i);
			pids[i] = fork();
			if (pids[i] == 0) {
				auto_run run = round ? OCI(&bundle, "delete", "--force", ids[i])
						     : SYSTEMD_OCI(&bundle, "run", "-d", ids[i]);

				if (run.status)
					fprintf(stderr, "%s: %s", ids[i], run.err);
				_exit(run.status);
			}
		}
		for (int i = 0; i < MANY; i++) {
			int status;

			cr_assert(waitpid(pids[i], &status, 0) == pids[i] && status == 0, "%s: %d", ids[i], status);
		}
		auto_free char *pattern = text_format("warren-oci-%s-*", bundle.id);
		auto_run units = RUN("systemctl", "list-units", "--no-legend", "--plain", pattern);
		int lines = 0;
		for (const char *at = units.out; *at; at++)
			lines += *at == '\n';
		cr_assert(lines == (round ? 0 : MANY), "%d units: %s", lines, units.out);
	}
}

static void sweep_systemd(struct sweep sweep)
{
	NEEDS_SYSTEMD();
	auto_bundle bundle = bundle_new();
	auto_free char *cgroup = text_format("system.slice/warren-oci-%s.scope", bundle.id);
	const char *const program[] = {WARREN_OCI_PROGRAM, "--root", bundle.state, "--systemd-cgroup"};
	const char *const words[] = {"ID", bundle.id};
	const char *const list[] = {"list", "--format", "json"};

	cr_assert(unshare(CLONE_NEWNET) == 0);
	BUNDLE_WRITE(&bundle, .args = SLEEP, .system = "\"resources\": {\"pids\": {\"limit\": 10}}");
	memcpy(sweep.program, program, sizeof(program));
	memcpy(sweep.words, words, sizeof(words));
	memcpy(sweep.list, list, sizeof(list));
	sweep.directory = bundle.path;
	sweep.state = bundle.state;
	sweep.cgroup = cgroup;
	sweep.state_key = "status";
	sweep.width = WARREN_TEST_SLOW > 1 ? 1 : 8; /* times WARREN_TEST_SLOW */
	sweep_run(&sweep);
}

#define KILL_TEST(name, ...)                                                                                           \
	TEST(systemd_kill, name, .timeout = SLOWLY(1200))                                                              \
	{                                                                                                              \
		NEEDS_A_FAST_PROCESSOR();                                                                              \
		sweep_systemd((struct sweep){.clear = {"delete", "--force", "ID"}, __VA_ARGS__});                      \
	}

#define KILLED_CREATE .command = {"create", "ID"}, .again = {"create", "ID"}, .states = "creating created stopped"
KILL_TEST(create_alone, KILLED_CREATE, .where = STEP_COMMAND)
KILL_TEST(create_with_all_it_made, KILLED_CREATE, .where = STEP_ALL)
KILL_TEST(delete, .before = {"run", "-d", "ID"}, .again = {"run", "-d", "ID"}, .command = {"delete", "--force", "ID"},
	.states = "running stopped")

/* --- no cgroup at all --------------------------------------------------------------------------------------------- */

TEST(cgroups_disabled, container_stays_in_the_callers)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = SLEEP);
	auto_run run = OCI(&bundle, "--cgroup-manager", "disabled", "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	cr_assert(bundle_cgroups(&bundle) == 0);
	auto_run ps = OCI(&bundle, "ps", "ID");
	ASSERT_REFUSED(ps, "has no cgroup");
	auto_run pause = OCI(&bundle, "pause", "ID");
	ASSERT_REFUSED(pause, "has no cgroup to freeze");
	auto_run exec = OCI(&bundle, "exec", "ID", "true");
	ASSERT_STATUS(exec, 0);
	auto_run deleted = OCI(&bundle, "delete", "--force", "ID");
	ASSERT_STATUS(deleted, 0);
}

TEST(cgroups_disabled, limits_are_refused_by_name)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = SLEEP, .system = "\"resources\": {\"memory\": {\"limit\": 67108864}}");
	auto_run run = OCI(&bundle, "--cgroup-manager", "disabled", "run", "-d", "ID");
	ASSERT_REFUSED(run, "linux.resources.memory.limit: needs a cgroup, and --cgroup-manager disabled makes none");
	BUNDLE_WRITE(&bundle, .args = SLEEP, .system = "\"resources\": {\"pids\": {\"limit\": -1}}");
	auto_run unlimited = OCI(&bundle, "--cgroup-manager", "disabled", "run", "-d", "ID");
	ASSERT_STATUS(unlimited, 0);
}
