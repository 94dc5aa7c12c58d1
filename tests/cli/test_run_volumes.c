/* What people write behind -v, --mount and --tmpfs. */
#include "cli/run_volumes.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "tests/test.h"

typedef int parser(struct arena *arena, const char *text, struct volume *out, struct error *err);

struct row {
	const char *text;
	struct volume volume;
};

static void assert_parsed(parser *parse, const struct row *rows, size_t count)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;

	for (size_t i = 0; i < count; i++) {
		const struct volume *wanted = &rows[i].volume;
		struct volume found;

		ASSERT_OK(parse(&arena, rows[i].text, &found, &err));
		cr_assert(found.type == wanted->type && text_equal(found.source, wanted->source) &&
				  text_equal(found.target, wanted->target) && found.read_only == wanted->read_only &&
				  found.idmap == wanted->idmap && found.size_bytes == wanted->size_bytes &&
				  found.mode == wanted->mode,
			"%s", rows[i].text);
	}
}

static void assert_refused(parser *parse, const char *const rows[][2], size_t count)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct volume found;
	struct error err;

	for (size_t i = 0; i < count; i++)
		ASSERT_FAILS(parse(&arena, rows[i][0], &found, &err), ERROR_USAGE, rows[i][1]);
}

TEST(run_volumes, mounts_are_keys_with_values)
{
	static const struct row rows[] = {
		{"type=bind,src=/srv/a,dst=/a", {VOLUME_BIND, "/srv/a", "/a", false, true, 0, 0}},
		{"dst=/a,src=/srv/a,type=bind,ro", {VOLUME_BIND, "/srv/a", "/a", true, true, 0, 0}},
		{"type=bind,source=/b:c,destination=/a,readonly=true,idmap=false",
			{VOLUME_BIND, "/b:c", "/a", true, false, 0, 0}},
		{"type=bind,source=/b,target=/a,ro=0,bind-propagation=rprivate,consistency=cached",
			{VOLUME_BIND, "/b", "/a", false, true, 0, 0}},
		{"src=data,dst=/a", {VOLUME_NAMED, "data", "/a", false, true, 0, 0}},
		{"type=volume,src=data,dst=/a,ro", {VOLUME_NAMED, "data", "/a", true, true, 0, 0}},
		{"type=tmpfs,dst=/t", {VOLUME_TMPFS, NULL, "/t", false, true, 0, 0}},
		{"type=tmpfs,dst=/t,tmpfs-size=1M,tmpfs-mode=0700",
			{VOLUME_TMPFS, NULL, "/t", false, true, 1 << 20, 0700}},
	};

	assert_parsed(mount_parse, rows, ARRAY_SIZE(rows));
}

TEST(run_volumes, mounts_that_make_no_sense_are_refused)
{
	static const char *const rows[][2] = {
		{"", "--mount \"\": unknown key \"\"; there are type, src, dst, ro, idmap, tmpfs-size and tmpfs-mode"},
		{"dst=/d", "src=… is missing: the volume's name"},
		{"type=bind,dst=/d", "src=… is missing: a path of the host"},
		{"type=bind,src=/srv", "dst=PATH is missing: where it is to be inside"},
		{"src=/srv,dst=/d", "src \"/srv\" is a path: say type=bind"},
		{"type=bnd,src=/srv,dst=/d", "type: \"bnd\": must be bind, volume or tmpfs"},
		{"type,src=/srv,dst=/d", "\"type\" needs a value: type=…"},
		{"typ=bind,src=/srv,dst=/d", "unknown key \"typ\"; did you mean \"type\"?; there are type, "},
		{"type=bind,src=/srv,dst=/d,ro=yes", "ro: \"yes\" is not true or false"},
		{"type=bind,src=/srv,dst=/d,bind-propagation=shared",
			"bind-propagation: \"shared\": mounts of the host and of instances do not pass over"},
		{"type=tmpfs,dst=/d,tmpfs-size=much", "tmpfs-size: \"much\" is not a size"},
		{"type=tmpfs,dst=/d,tmpfs-mode=9", "tmpfs-mode: "},
	};

	assert_refused(mount_parse, rows, ARRAY_SIZE(rows));
}

TEST(run_volumes, options_that_change_nothing_are_passed_over)
{
	static const struct row rows[] = {
		{"/srv/a:/a", {VOLUME_BIND, "/srv/a", "/a", false, true, 0, 0}},
		{"/srv/a:/a:z", {VOLUME_BIND, "/srv/a", "/a", false, true, 0, 0}},
		{"/srv/a:/a:ro,Z", {VOLUME_BIND, "/srv/a", "/a", true, true, 0, 0}},
		{"data:/a:cached,ro,noidmap,rprivate", {VOLUME_NAMED, "data", "/a", true, false, 0, 0}},
	};
	static const char *const refused[][2] = {
		{"/srv:/d:x", "volume \"/srv:/d:x\": unknown option \"x\"; known are ro, rw and noidmap"},
		{"/srv:/d:z,shared", "unknown option \"shared\""},
		{"/srv", "expected SOURCE:TARGET"},
		{"/srv:/d:ro:z", "expected SOURCE:TARGET"},
	};

	assert_parsed(volume_word_parse, rows, ARRAY_SIZE(rows));
	assert_refused(volume_word_parse, refused, ARRAY_SIZE(refused));
}

TEST(run_volumes, a_tmpfs_has_a_size_and_a_mode)
{
	static const struct row rows[] = {
		{"/t", {VOLUME_TMPFS, NULL, "/t", false, false, 0, 0}},
		{"/t:size=64k,mode=755", {VOLUME_TMPFS, NULL, "/t", false, false, 65536, 0755}},
		{"/t:rw,nosuid,size=65536k", {VOLUME_TMPFS, NULL, "/t", false, false, 64 << 20, 0}},
	};
	static const char *const refused[][2] = {
		{"/t:noexec", "--tmpfs \"/t:noexec\": expected PATH[:size=SIZE][,mode=MODE]"},
		{"/t:rwx", "expected PATH"},
		{"/t:size=q", "--tmpfs \"/t:size=q\": \"q\" is not a size such as 64M or 1.5G"},
	};

	assert_parsed(tmpfs_parse, rows, ARRAY_SIZE(rows));
	assert_refused(tmpfs_parse, refused, ARRAY_SIZE(refused));
}
