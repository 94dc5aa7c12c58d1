/* From what the user said to what the runtime does; in memory, without root. */
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/spec/spec_fields.h"
#include "fleet/start/compile.h"
#include "tests/test.h"

#define ID_BASE 1879113728u

static const struct compile_facts facts = {.id_base = ID_BASE, .cgroup_path = "warren/a", .hostname = "a"};

/* One instance "a" with the image host, the command x and these keys. */
static struct instance_spec instance(struct arena *arena, const char *keys)
{
	auto_free char *text =
		text_format("{\"version\": 1, \"name\": \"f\", \"volumes\": {\"data\": {}}, \"instances\": {\"a\": "
			    "{\"image\": \"host\", \"command\": [\"x\", \"y\"]%s%s}}}",
			*keys ? ", " : "", keys);
	struct fleet_file file;
	struct error err;

	ASSERT_OK(fleet_file_decode(arena, "/f.json", text, strlen(text), &file, &err));
	return file.instances.items[0];
}

static struct spec compiled(struct arena *arena, const char *keys)
{
	struct instance_spec from = instance(arena, keys);
	struct spec spec;
	struct error err;

	ASSERT_OK(instance_compile(arena, &from, &facts, &spec, &err));
	return spec;
}

static const char *variable(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->process.env.count; i++)
		if (!strncmp(spec->process.env.items[i], name, strlen(name)) &&
			spec->process.env.items[i][strlen(name)] == '=')
			return spec->process.env.items[i] + strlen(name) + 1;
	return NULL;
}

static const struct spec_mount *mounted(const struct spec *spec, const char *target)
{
	const struct spec_mount *found = NULL;

	for (size_t i = 0; i < spec->mounts.count; i++)
		if (!strcmp(spec->mounts.items[i].destination, target)) {
			cr_assert(!found, "%s is mounted twice", target);
			found = &spec->mounts.items[i];
		}
	return found;
}

TEST(compile, begins_with_the_safe_default)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec spec = compiled(&arena, "");
	const struct spec_process *process = &spec.process;

	cr_assert(process->args.count == 2);
	cr_assert_str_eq(process->args.items[1], "y");
	cr_assert_str_eq(process->cwd, "/");
	cr_assert(process->uid == 0 && process->gid == 0 && process->groups.count == 0 && !process->terminal);
	cr_assert(process->no_new_privileges && spec.seccomp && !spec.root_read_only);
	cr_assert(process->capabilities[CAPS_AMBIENT] == 0 && process->capabilities[CAPS_INHERITABLE] == 0);
	cr_assert(__builtin_popcountll(process->capabilities[CAPS_BOUNDING]) == 10);
	cr_assert(spec.namespaces.create[NS_USER] && spec.namespaces.create[NS_NET] && spec.namespaces.create[NS_PID]);
	cr_assert(spec.uid_maps.count == 1 && spec.uid_maps.items[0].inside == 0);
	cr_assert(spec.uid_maps.items[0].host == ID_BASE && spec.gid_maps.items[0].count == 65536);
	cr_assert_str_eq(spec.cgroup_path, "warren/a");
	cr_assert_str_eq(spec.hostname, "a");
	cr_assert(spec.limits.pids_max.set && spec.limits.pids_max.value == 512);
	cr_assert(!spec.limits.memory_max.set && !spec.limits.swap_max.set && !spec.limits.cpu_quota_us.set);
}

TEST(compile, gives_every_instance_tmp_and_run)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec spec = compiled(&arena, "");
	const struct spec_mount *tmp = mounted(&spec, "/tmp"), *run = mounted(&spec, "/run");

	cr_assert(tmp && run);
	cr_assert_str_eq(tmp->type, "tmpfs");
	cr_assert_str_eq(pairs_get(&tmp->data, "mode"), "1777");
	cr_assert_str_eq(pairs_get(&run->data, "mode"), "0755");
	cr_assert_str_eq(pairs_get(&run->data, "size"), "16777216");
	cr_assert(tmp->attr_set == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
}

TEST(compile, mounts_tmpfs_after_what_it_lies_in_and_leaves_volumes_to_the_caller)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec spec = compiled(&arena, "\"tmpfs\": [\"/z/y\", {\"target\": \"/z\", \"size\": \"1M\", \"mode\": "
					    "\"0700\", \"read_only\": true}, \"/dev/shm:size=2M\"],"
					    "\"volumes\": [\"/srv/x:/tmp\", \"data:/d\"]");
	const struct spec_mount *z = mounted(&spec, "/z"), *y = mounted(&spec, "/z/y"),
				*shm = mounted(&spec, "/dev/shm");

	cr_assert(z && y && z < y);
	cr_assert(z->attr_set & MOUNT_ATTR_RDONLY);
	cr_assert_str_eq(pairs_get(&z->data, "mode"), "0700");
	cr_assert_str_eq(pairs_get(&y->data, "mode"), "1777");
	cr_assert(shm && shm > mounted(&spec, "/dev"));
	cr_assert_str_eq(pairs_get(&shm->data, "size"), "2097152");
	cr_assert(!mounted(&spec, "/tmp") && !mounted(&spec, "/d") && mounted(&spec, "/run"));
}

TEST(compile, merges_the_environment_from_the_least_to_the_most_particular)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct pair image_pairs[] = {{"PATH", "/image"}, {"LANG", "C"}, {"A", "image"}};
	struct image_config image = {.environment = {image_pairs, 3}};
	struct image_user user = {.uid = 33, .gid = 34, .groups = {35}, .group_count = 1, .home = "/var/www"};
	struct compile_facts own = facts;
	char path[] = "/tmp/warren-test-XXXXXX";
	struct spec spec;
	struct error err;
	auto_fd fd = mkstemp(path);

	cr_assert(write(fd, "A=file\nB=file\n", 14) == 14);
	auto_free char *keys =
		text_format("\"env_file\": [\"%s\"], \"environment\": {\"B\": \"own\"}, \"working_dir\": \"/w\"", path);
	struct instance_spec from = instance(&arena, keys);
	from.terminal = true;
	own.image = &image;
	own.user = &user;
	ASSERT_OK(instance_compile(&arena, &from, &own, &spec, &err));
	unlink(path);
	cr_assert_str_eq(variable(&spec, "PATH"), "/image");
	cr_assert_str_eq(variable(&spec, "LANG"), "C");
	cr_assert_str_eq(variable(&spec, "A"), "file");
	cr_assert_str_eq(variable(&spec, "B"), "own");
	cr_assert_str_eq(variable(&spec, "HOME"), "/var/www");
	cr_assert_str_eq(variable(&spec, "HOSTNAME"), "a");
	cr_assert_str_eq(variable(&spec, "TERM"), "xterm");
	cr_assert_str_eq(variable(&spec, "container"), "warren");
	cr_assert(spec.process.uid == 33 && spec.process.gid == 34 && spec.process.groups.items[0] == 35);
	cr_assert_str_eq(spec.process.cwd, "/w");
	cr_assert(spec.process.terminal);
	ASSERT_FAILS(instance_compile(&arena, &from, &own, &spec, &err), ERROR_MISSING, "env_file: /tmp/warren-test-");
}

TEST(compile, takes_the_image_s_program_as_docker_does)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *entrypoint[] = {"entry"}, *command[] = {"image-command"};
	struct image_config image = {
		.entrypoint = {entrypoint, 1}, .command = {command, 1}, .working_dir = "/image", .user = ""};
	struct compile_facts own = facts;
	struct instance_spec from;
	struct spec spec;
	struct error err;

	own.image = &image;
	instance_spec_init(&arena, &from, false);
	from.name = "a";
	from.image = "other";
	ASSERT_OK(instance_compile(&arena, &from, &own, &spec, &err));
	cr_assert(spec.process.args.count == 2);
	cr_assert_str_eq(spec.process.args.items[1], "image-command");
	cr_assert_str_eq(spec.process.cwd, "/image");
	strings_add(&arena, &from.command, "own");
	ASSERT_OK(instance_compile(&arena, &from, &own, &spec, &err));
	cr_assert_str_eq(spec.process.args.items[0], "entry");
	cr_assert_str_eq(spec.process.args.items[1], "own");
	from.command = (struct strings){0};
	strings_add(&arena, &from.entrypoint, "own-entry");
	ASSERT_OK(instance_compile(&arena, &from, &own, &spec, &err));
	cr_assert(spec.process.args.count == 1, "an own entrypoint puts the image's command aside");
	from.entrypoint = (struct strings){0};
	image = (struct image_config){0};
	ASSERT_FAILS(instance_compile(&arena, &from, &own, &spec, &err), ERROR_USAGE,
		"no command: the image other has none of its own");
}

TEST(compile, drops_capabilities_before_it_adds)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec some =
		compiled(&arena, "\"cap_drop\": [\"all\"], \"cap_add\": [\"net_bind_service\", \"CAP_NET_RAW\"]");
	struct spec less = compiled(&arena, "\"cap_drop\": [\"KILL\"]");
	struct spec all = compiled(&arena, "\"cap_add\": [\"ALL\"]");
	uint64_t expected = UINT64_C(1) << CAP_NET_BIND_SERVICE | UINT64_C(1) << CAP_NET_RAW;

	cr_assert(some.process.capabilities[CAPS_BOUNDING] == expected);
	cr_assert(some.process.capabilities[CAPS_EFFECTIVE] == expected);
	cr_assert(some.process.capabilities[CAPS_PERMITTED] == expected && !some.process.capabilities[CAPS_AMBIENT]);
	cr_assert(!(less.process.capabilities[CAPS_BOUNDING] & UINT64_C(1) << CAP_KILL));
	cr_assert(all.process.capabilities[CAPS_BOUNDING] == capabilities_all());
}

TEST(compile, guards_set_id_bits_where_a_host_directory_can_be_written)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec plain = compiled(&arena, ""), guarded = compiled(&arena, "\"volumes\": [\"/srv/x:/x\"]");
	struct spec reading = compiled(&arena, "\"volumes\": [\"/srv/x:/x:ro\"]");
	struct spec unconfined =
		compiled(&arena, "\"security\": {\"seccomp\": \"unconfined\", \"no_new_privileges\": false}");

	cr_assert(guarded.seccomp->rules.count != plain.seccomp->rules.count);
	cr_assert(reading.seccomp->rules.count == plain.seccomp->rules.count);
	cr_assert(!unconfined.seccomp && !unconfined.process.no_new_privileges);
}

static void assert_beyond_the_default(const struct spec *boot, const struct spec *usual)
{
	uint64_t more = UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SYS_BOOT | UINT64_C(1) << CAP_SETFCAP;
	const uint64_t *has = boot->process.capabilities, *had = usual->process.capabilities;

	cr_assert((has[CAPS_BOUNDING] ^ had[CAPS_BOUNDING]) == more, "%jx", (uintmax_t)has[CAPS_BOUNDING]);
	cr_assert(has[CAPS_EFFECTIVE] == has[CAPS_BOUNDING] && !has[CAPS_AMBIENT] && !has[CAPS_INHERITABLE]);
	cr_assert(boot->masked_paths.count == usual->masked_paths.count);
	cr_assert(boot->read_only_paths.count == usual->read_only_paths.count);
	cr_assert(mounted(boot, "/sys")->attr_set & MOUNT_ATTR_RDONLY);
	cr_assert(mounted(usual, "/sys/fs/cgroup")->attr_set & MOUNT_ATTR_RDONLY);
	cr_assert(!(mounted(boot, "/sys/fs/cgroup")->attr_set & MOUNT_ATTR_RDONLY));
	cr_assert(memcmp(&boot->namespaces.create, &usual->namespaces.create, sizeof(usual->namespaces.create)) == 0);
}

TEST(compile, gives_an_init_what_it_needs_and_no_more)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec usual = compiled(&arena, ""), boot = compiled(&arena, "\"profiles\": [\"system\"]");
	struct spec told = compiled(&arena, "\"profiles\": [\"system\"], \"cap_add\": [\"NET_ADMIN\"],"
					    "\"cap_drop\": [\"SETFCAP\"], \"tmpfs\": [\"/run:size=128M,mode=0755\"]");

	assert_beyond_the_default(&boot, &usual);
	cr_assert(boot.process.terminal && !boot.process.no_new_privileges && boot.seccomp);
	cr_assert_str_eq(variable(&boot, "container"), "warren");
	cr_assert_str_eq(variable(&boot, "TERM"), "dumb");
	cr_assert_str_eq(pairs_get(&mounted(&boot, "/run")->data, "size"), "67108864");
	cr_assert_str_eq(pairs_get(&mounted(&boot, "/tmp")->data, "size"), "67108864");
	cr_assert_str_eq(pairs_get(&mounted(&told, "/run")->data, "size"), "134217728");
	cr_assert(told.process.capabilities[CAPS_BOUNDING] >> CAP_NET_ADMIN & 1);
	cr_assert(told.process.capabilities[CAPS_BOUNDING] >> CAP_SYS_ADMIN & 1);
	cr_assert(!(told.process.capabilities[CAPS_BOUNDING] >> CAP_SETFCAP & 1));
}

static const char *sysctl(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->sysctls.count; i++)
		if (!strcmp(spec->sysctls.items[i].name, name))
			return spec->sysctls.items[i].value;
	return NULL;
}

TEST(compile, gives_a_share_of_what_the_kernel_counts_for_the_whole_host)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec plain = compiled(&arena, "");
	struct spec asked = compiled(&arena, "\"sysctls\": {\"user.max_inotify_instances\": \"7\"}");
	struct spec init = compiled(&arena, "\"profiles\": [\"system\"]");

	cr_assert_str_eq(sysctl(&plain, "user.max_inotify_instances"), "32");
	cr_assert_null(sysctl(&plain, "user.max_net_namespaces"));
	cr_assert_str_eq(sysctl(&asked, "user.max_inotify_instances"), "7");
	cr_assert_str_eq(sysctl(&init, "user.max_inotify_instances"), "64");
	cr_assert_str_eq(sysctl(&init, "user.max_net_namespaces"), "256");
}

TEST(compile, shares_or_cuts_the_network_when_told)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec host = compiled(&arena, "\"network\": \"host\""), none = compiled(&arena, "\"network\": \"none\"");
	const struct spec_mount *sys = mounted(&host, "/sys");

	cr_assert(!host.namespaces.create[NS_NET] && none.namespaces.create[NS_NET]);
	cr_assert(sys->bind && sys->recursive && (sys->attr_set_recursive & MOUNT_ATTR_RDONLY));
	cr_assert_str_eq(sys->source, "/sys");
	cr_assert_str_eq(mounted(&none, "/sys")->type, "sysfs");
}

TEST(compile, works_without_ids_of_its_own)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec from = instance(&arena, "");
	struct compile_facts own = facts;
	struct spec spec;
	struct error err;

	own.id_base = 0;
	own.hostname = NULL;
	ASSERT_OK(instance_compile(&arena, &from, &own, &spec, &err));
	cr_assert(!spec.namespaces.create[NS_USER] && !spec.uid_maps.count);
	cr_assert_str_eq(spec.hostname, "a");
}

TEST(compile, turns_resources_into_limits)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec spec = compiled(&arena, "\"resources\": {\"cpus\": 1.5, \"cpu_weight\": 5, \"cpuset\": \"0\", "
					    "\"memory\": \"64M\", \"memory_high\": \"32M\","
					    "\"memory_low\": \"16M\", \"pids\": \"unlimited\", \"io_weight\": 7, "
					    "\"io_max\": [{\"device\": \"8:1\", \"rbps\": \"1M\"}]}");
	struct spec capped = compiled(&arena, "\"resources\": {\"memory\": \"64M\", \"swap\": 0}");
	const struct cgroup_limits *limits = &spec.limits;

	cr_assert(limits->cpu_quota_us.value == 150000 && limits->cpu_period_us.value == 100000);
	cr_assert(limits->cpu_weight.value == 5 && limits->io_weight.value == 7 && limits->pids_max.value == -1);
	cr_assert(limits->memory_max.value == 64 << 20 && limits->memory_high.value == 32 << 20);
	cr_assert(limits->memory_low.value == 16 << 20);
	cr_assert(limits->swap_max.set && limits->swap_max.value == 64 << 20, "as much swap as memory");
	cr_assert(capped.limits.swap_max.set && capped.limits.swap_max.value == 0);
	cr_assert_str_eq(limits->cpuset_cpus, "0");
	cr_assert(limits->io_max.count == 1 && limits->io_max.items[0].minor == 1);
	cr_assert(limits->io_max.items[0].rbps.value == 1 << 20 && !limits->io_max.items[0].wbps.set);
}

TEST(compile, cuts_a_default_limit_but_refuses_one_that_was_asked_for)
{
	AUTO(arena_drop) struct arena arena = {0};
	static const struct ulimit_spec nofile = {"nofile", {1024, 65536}};
	struct instance_spec from = instance(&arena, "\"ulimits\": {\"nofile\": \"10:50000\"}");
	struct spec_rlimit limit;
	struct error err;

	ASSERT_OK(ulimit_fit(&from, &nofile, 20000, &limit, &err));
	cr_assert(limit.resource == RLIMIT_NOFILE && limit.limit.rlim_cur == 1024 && limit.limit.rlim_max == 20000);
	ASSERT_OK(ulimit_fit(&from, &nofile, 512, &limit, &err));
	cr_assert(limit.limit.rlim_cur == 512 && limit.limit.rlim_max == 512);
	ASSERT_OK(ulimit_fit(&from, &nofile, RLIM_INFINITY, &limit, &err));
	cr_assert(limit.limit.rlim_max == 65536);
	ASSERT_OK(ulimit_fit(&from, &from.ulimits.items[0], 50000, &limit, &err));
	cr_assert(limit.limit.rlim_max == 50000);
	ASSERT_FAILS(ulimit_fit(&from, &from.ulimits.items[0], 49999, &limit, &err), ERROR_USAGE,
		"ulimits: nofile 50000 cannot be had: our own hard limit is 49999 and we lack CAP_SYS_RESOURCE");
}

TEST(compile, limits_open_files_once)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec plain = compiled(&arena, ""),
		    own = compiled(&arena, "\"ulimits\": {\"RLIMIT_NOFILE\": 5, \"core\": 0}");

	cr_assert(plain.process.rlimits.count == 1 && plain.process.rlimits.items[0].resource == RLIMIT_NOFILE);
	cr_assert(own.process.rlimits.count == 2 && own.process.rlimits.items[0].limit.rlim_max == 5);
	cr_assert(own.process.rlimits.items[1].resource == RLIMIT_CORE);
}

TEST(compile, reads_configs_and_secrets_at_the_start)
{
	AUTO(arena_drop) struct arena arena = {0};
	char path[] = "/tmp/warren-test-XXXXXX";
	struct image_user user = {.uid = 33, .gid = 34};
	struct config_file_list files;
	struct error err;
	auto_fd fd = mkstemp(path);

	cr_assert(write(fd, "s\0t", 3) == 3);
	auto_free char *keys =
		text_format("\"configs\": [{\"content\": \"text\", \"target\": \"/c\", \"mode\": \"0444\"}],"
			    "\"secrets\": [{\"source\": \"%s\", \"target\": \"/k\"}]",
			path);
	struct instance_spec from = instance(&arena, keys);
	ASSERT_OK(instance_configs_read(&arena, &from, &user, &files, &err));
	cr_assert(files.count == 2 && files.items[0].mode == 0444 && files.items[0].length == 4);
	cr_assert_str_eq(files.items[0].content, "text");
	cr_assert(files.items[1].mode == 0400 && files.items[1].uid == 33 && files.items[1].gid == 34);
	cr_assert(files.items[1].length == 3 && !memcmp(files.items[1].content, "s\0t", 3));
	unlink(path);
	ASSERT_FAILS(instance_configs_read(&arena, &from, &user, &files, &err), ERROR_MISSING,
		"secret /k: /tmp/warren-test-");
}
