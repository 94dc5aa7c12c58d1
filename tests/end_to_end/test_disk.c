/* What instances leave on disk, by the words of `warren`: --disk, --ephemeral, volume inspect. */
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

TEST(disk, a_size_is_kept_or_refused_with_the_way_out, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground world = playground_new();
	auto_run little = WARREN(&world, "create", "--disk", "1K", "--name", "one", "host", "true");
	auto_run sized = WARREN(
		&world, "run", "--rm", "--disk", "64M", "--network", "none", "host", "df", "-k", "--output=size", "/");

	ASSERT_STATUS(little, 2);
	cr_assert(strstr(little.err, "disk"), "%s", little.err);
	if (sized.status == 0) {
		cr_assert(strstr(sized.out, " 65536"), "%s", sized.out);
		return;
	}
	ASSERT_STATUS(sized, 2);
	cr_assert(strstr(sized.err, "disk: "), "%s", sized.err);
	auto_run list = WARREN(&world, "list", "-q");
	cr_assert_str_eq(list.out, "", "nothing was made");
}

TEST(disk, an_ephemeral_instance_keeps_its_volumes_only, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	static const char script[] = "test ! -e /root/mark || echo kept; echo x >/root/mark; echo x >>/data/marks";
	auto_playground world = playground_new();

	WARREN_OK(&world, "create", "--ephemeral", "--name", "one", "--network", "none", "-v", "data:/data", "host",
		"--", "sh", "-c", script);
	for (int i = 0; i < 2; i++) {
		WARREN_OK(&world, "start", "one");
		instance_await_state(&world, "one", "stopped");
	}
	auto_run logs = WARREN(&world, "logs", "one");
	auto_run volume = WARREN(&world, "volume", "inspect", "data");
	auto_run none = WARREN(&world, "volume", "inspect", "data", "other");
	auto_free char *marks = text_format("%s/lib/volumes/data/marks", world.root);
	auto_run content = RUN("cat", marks);

	cr_assert_str_eq(logs.out, "");
	cr_assert_str_eq(content.out, "x\nx\n", "%s%s", content.out, content.err);
	ASSERT_STATUS(volume, 0);
	cr_assert(strstr(volume.out, "/lib/volumes/data\"") && strstr(volume.out, "\"one\""), "%s", volume.out);
	cr_assert(none.status != 0 && !*none.out && strstr(none.err, "no volume \"other\""), "%s", none.err);
	WARREN_OK(&world, "rm", "one");
	WARREN_OK(&world, "volume", "rm", "data");
}
