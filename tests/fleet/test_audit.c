/* What an audit says of a specification; of running instances see end_to_end/test_audit.c. */
#include "base/cleanup.h"
#include "fleet/fleet.h"
#include "runtime/runtime.h"
#include "tests/test.h"

static struct audit audited_file(struct arena *arena, const char *text)
{
	struct fleet_file file;
	struct audit audit;
	struct error err;

	ASSERT_OK(fleet_file_decode(arena, "/f.json", text, strlen(text), &file, &err));
	ASSERT_OK(instance_spec_audit(
		arena, &file.instances.items[0], file.networks.count ? &file.networks.items[0] : NULL, &audit, &err));
	return audit;
}

/* One instance "a" with these keys beside image and command. */
static struct audit audited(struct arena *arena, const char *keys)
{
	auto_free char *text = text_format(
		"{\"version\": 1, \"name\": \"f\", \"volumes\": {\"data\": {}}, \"instances\": {\"a\": {\"image\": "
		"\"host\", \"command\": [\"x\"]%s%s}}}",
		*keys ? ", " : "", keys);

	return audited_file(arena, text);
}

/* The row of that topic; with `found`, the one that found that. */
static const struct audit_row *row_of(const struct audit *audit, const char *topic, const char *found)
{
	for (size_t i = 0; i < audit->rows.count; i++)
		if (!strcmp(audit->rows.items[i].topic, topic) &&
			(!found || !strcmp(audit->rows.items[i].found, found)))
			return &audit->rows.items[i];
	return NULL;
}

static void assert_row(const struct audit *audit, const char *topic, const char *found, enum audit_verdict verdict)
{
	const struct audit_row *row = row_of(audit, topic, found);

	cr_assert(row, "no row \"%s\", %s", topic, found ? found : "any");
	cr_assert(row->verdict == verdict, "%s: %s is %s", topic, row->found, audit_verdict_names[row->verdict]);
	cr_assert(!row->why == (verdict == AUDIT_OK), "%s: what is not ok says why", topic);
}

TEST(audit, leaves_nothing_open_by_default_and_names_what_is_weak)
{
	static const char *const weak[] = {"user", "root file system", "memory limit", "restarts", "health check"};
	AUTO(arena_drop) struct arena arena = {0};
	struct audit audit = audited(&arena, "");

	cr_assert(audit.counts[AUDIT_OPEN] == 0);
	for (size_t i = 0; i < ARRAY_SIZE(weak); i++)
		assert_row(&audit, weak[i], NULL, AUDIT_WEAK);
	/* One more where the kernel has AppArmor or SELinux, and nothing is asked of it. */
	size_t expected = ARRAY_SIZE(weak) + kernel_labels_programs();
	cr_assert(audit.counts[AUDIT_WEAK] == expected, "%zu", audit.counts[AUDIT_WEAK]);
	cr_assert(audit.counts[AUDIT_OK] + audit.counts[AUDIT_WEAK] == audit.rows.count);
	cr_assert(!audit.running);
}

TEST(audit, an_ephemeral_root_is_called_writable_until_the_end)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct audit audit = audited(&arena, "\"ephemeral\": true");

	assert_row(&audit, "root file system", "writable until its end", AUDIT_WEAK);
}

TEST(audit, a_hardened_instance_is_weak_nowhere)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct audit audit = audited(&arena,
		"\"read_only\": true, \"user\": \"www-data\", \"resources\": {\"memory\": \"64M\"},"
		"\"restart\": {\"policy\": \"on-failure\", \"max_retries\": 5}, \"healthcheck\": {\"tcp\": 80}");
	enum audit_verdict label = kernel_labels_programs() ? AUDIT_WEAK : AUDIT_OK;

	cr_assert(audit.counts[AUDIT_WEAK] == (label == AUDIT_WEAK) && audit.counts[AUDIT_OPEN] == 0);
	assert_row(&audit, "AppArmor or SELinux label", NULL, label);
	assert_row(&audit, "health check", "tcp port 80", AUDIT_OK);
	assert_row(&audit, "memory limit", "64M", AUDIT_OK);
}

TEST(audit, knows_every_key_that_opens_something)
{
	static const struct {
		const char *keys, *topic, *found;
		enum audit_verdict verdict;
	} rows[] = {
		{"\"network\": \"host\"", "network namespace", "the host's", AUDIT_OPEN},
		{"\"security\": {\"seccomp\": \"unconfined\"}", "system calls", "all", AUDIT_OPEN},
		{"\"security\": {\"no_new_privileges\": false}", "no_new_privs", "off", AUDIT_WEAK},
		{"\"security\": {\"no_new_privileges\": false}", "set-id programs", "count inside", AUDIT_WEAK},
		{"\"cap_add\": [\"NET_RAW\"]", "capability beyond the default", "NET_RAW", AUDIT_WEAK},
		{"\"cap_add\": [\"SYS_TIME\"]", "capability beyond the default", "SYS_TIME", AUDIT_WEAK},
		{"\"cap_add\": [\"ALL\"]", "all capabilities", "yes", AUDIT_OPEN},
		{"\"cap_add\": [\"SYS_ADMIN\"]", "kernel files", NULL, AUDIT_WEAK},
		{"\"resources\": {\"pids\": \"unlimited\"}", "number of processes", "no limit", AUDIT_OPEN},
		{"\"ports\": [\"8080:80\"]", "published port", "127.0.0.1:8080->80/tcp", AUDIT_OK},
		{"\"ports\": [\"0.0.0.0:8080:80\"]", "published port", "0.0.0.0:8080->80/tcp", AUDIT_WEAK},
		{"\"volumes\": [\"/srv/www:/www\"]", "directory of the host", "/srv/www on /www", AUDIT_OK},
		{"\"volumes\": [\"/srv/www:/www\"]", "writable mounts", "/www(volume)", AUDIT_OK},
		{"\"volumes\": [\"data:/data:ro\"]", "writable mounts", "only its own", AUDIT_OK},
		{"\"volumes\": [\"/etc/ssl:/ssl:ro\"]", "directory of the host", "/etc/ssl on /ssl, read-only",
			AUDIT_WEAK},
		{"\"volumes\": [\"/etc:/e\"]", "directory of the host", "/etc on /e", AUDIT_OPEN},
		{"\"volumes\": [\"/usr:/u\"]", "directory of the host", "/usr on /u", AUDIT_OPEN},
		{"\"volumes\": [\"/var:/v:ro\"]", "directory of the host", "/var on /v, read-only", AUDIT_WEAK},
		{"\"volumes\": [\"/run/docker.sock:/s:ro\"]", "socket of the host", "/run/docker.sock on /s, read-only",
			AUDIT_OPEN},
		{"\"restart\": {\"policy\": \"always\", \"max_retries\": 6}", "restarts", "always, without end",
			AUDIT_WEAK},
		{"\"restart\": \"no\"", "restarts", "no", AUDIT_OK},
		{"\"resources\": {\"cpus\": 0.5}", "processors", "0.50", AUDIT_OK},
		{"\"logging\": {\"driver\": \"none\"}", "log", "none", AUDIT_OK},
		{"\"user\": \"0:0\"", "user", "root", AUDIT_WEAK},
		{"\"user\": \"33\"", "user", "33", AUDIT_OK},
		{"\"healthcheck\": {\"http\": \"http://:80/\"}", "health check", "http://:80/", AUDIT_OK},
		{"\"healthcheck\": {\"test\": [\"CMD\", \"true\"]}", "health check", "its own test", AUDIT_OK},
		{"\"healthcheck\": {\"disable\": true}", "health check", "none", AUDIT_WEAK},
	};
	AUTO(arena_drop) struct arena arena = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct audit audit = audited(&arena, rows[i].keys);

		assert_row(&audit, rows[i].topic, rows[i].found, rows[i].verdict);
		cr_assert((audit.counts[AUDIT_OPEN] > 0) == (rows[i].verdict == AUDIT_OPEN), "%s", rows[i].keys);
	}
}

TEST(audit, tells_who_else_is_on_the_network)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct audit open = audited_file(&arena,
		"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {}}, \"instances\": {\"a\": {\"image\": "
		"\"host\", \"command\": \"x\", \"network\": \"n\"}}}");
	struct audit isolated = audited_file(&arena,
		"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"isolated\": true}}, \"instances\": {\"a\": "
		"{\"image\": \"host\", \"command\": \"x\", \"network\": \"n\"}}}");
	struct audit none = audited(&arena, "\"network\": \"none\"");
	struct audit lan = audited(&arena, "\"network\": \"macvlan:eth0\"");
	struct audit joined = audited(&arena, "\"network\": \"ns:/run/netns/blue\"");

	assert_row(&open, "other instances", "those of the network n", AUDIT_WEAK);
	assert_row(&lan, "other instances", "the network behind the host's link eth0", AUDIT_WEAK);
	assert_row(&joined, "other instances", "the namespace /run/netns/blue", AUDIT_WEAK);
	assert_row(&joined, "network namespace", "its own", AUDIT_OK);
	assert_row(&isolated, "other instances", "not seen on the network n", AUDIT_OK);
	assert_row(&none, "other instances", "not seen on the network none", AUDIT_OK);
}

/* Everything that "system" opens beyond the default, and not one row more. Who makes this list longer must know why. */
TEST(audit, shows_what_the_profile_system_opens)
{
	static const char *const opened[][2] = {
		{"capability beyond the default", "SYS_ADMIN"},
		{"capability beyond the default", "SYS_BOOT"},
		{"capability beyond the default", "SETFCAP"},
		{"no_new_privs", "off"},
		{"set-id programs", "count inside"},
		{"system calls", "filter for an init"},
		{"kernel files", "26 masked, 5 read-only"},
		{"writable mounts", "/sys/fs/cgroup(cgroup)"},
	};
	AUTO(arena_drop) struct arena arena = {0};
	struct audit usual = audited(&arena, ""), boot = audited(&arena, "\"profiles\": [\"system\"]");

	for (size_t i = 0; i < ARRAY_SIZE(opened); i++)
		assert_row(&boot, opened[i][0], opened[i][1], AUDIT_WEAK);
	cr_assert_str_eq(row_of(&boot, "system calls", NULL)->why,
		"beyond the default: fsconfig fsmount fsopen fspick listmount mount mount_setattr move_mount open_tree "
		"open_tree_attr pivot_root statmount umount2 listns setns name_to_handle_at reboot setdomainname "
		"sethostname; clone and unshare of all namespaces but user and time");
	cr_assert(boot.counts[AUDIT_OPEN] == 0);
	cr_assert(boot.counts[AUDIT_WEAK] == usual.counts[AUDIT_WEAK] + ARRAY_SIZE(opened), "%zu",
		boot.counts[AUDIT_WEAK]);
}
