/* What `top` shows follows from the sample and from what was typed. */
#include "cli/top_view.h"

#include "base/cleanup.h"
#include "cli/screen.h"
#include "tests/test.h"

static struct instance_stats items[] = {
	{.name = "db", .fleet = "shop", .cpu_permille = {true, 900}, .cgroup = {.memory_bytes = {true, 512 << 20}}},
	{.name = "site-1",
		.fleet = "shop",
		.cpu_permille = {true, 100},
		.cgroup = {.memory_bytes = {true, 64 << 20}},
		.in_bytes = {true, 5000},
		.restarts = 3},
	{.name = "site-2",
		.fleet = "shop",
		.cpu_permille = {true, 300},
		.cgroup = {.memory_bytes = {true, 32 << 20}},
		.health = HEALTH_UNHEALTHY},
	{.name = "tool", .cpu_permille = {true, 500}, .cgroup = {.memory_bytes = {true, 1 << 20}}},
};
static const struct stats_sample sample = {items, ARRAY_SIZE(items)};
static const struct top_host host = {
	.processors_milli = {true, 2000}, .memory_bytes = {true, 4LL << 30}, .time = "12:00:00"};

/* The first words of the list's lines. */
static const char *shown(struct arena *arena, struct top_view *view)
{
	AUTO(text_drop) struct text frame = {0}, names = {0};

	top_view_draw(arena, view, &sample, &host, &frame);
	struct strings lines = strings_split(arena, text_string(&frame), '\n');

	for (size_t i = 3; i + 1 < lines.count; i++)
		if (*lines.items[i])
			text_appendf(&names, "%.*s ", (int)strcspn(lines.items[i], " "), lines.items[i]);
	return arena_string(arena, text_string(&names));
}

static void type(struct top_view *view, const char *keys)
{
	for (; *keys; keys++)
		cr_assert(top_view_key(view, *keys));
}

#define EXPECT(names) cr_assert_str_eq(shown(&arena, &view), names, "%s", shown(&arena, &view))

TEST(top_view, sorts_by_key_and_the_same_key_again_turns_it_round)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct top_view view;

	top_view_init(&view);
	EXPECT("db tool site-2 site-1 ");
	type(&view, "c");
	EXPECT("site-1 site-2 tool db ");
	type(&view, "m");
	EXPECT("db site-1 site-2 tool ");
	type(&view, "n");
	EXPECT("db site-1 site-2 tool ");
	type(&view, "n");
	EXPECT("tool site-2 site-1 db ");
	type(&view, "t");
	EXPECT("site-1 db site-2 tool ");
	type(&view, "r");
	EXPECT("site-1 db site-2 tool ");
	cr_assert(!top_view_key(&view, 'q'));
}

TEST(top_view, filters_by_part_pattern_and_fleet)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct top_view view;

	top_view_init(&view);
	type(&view, "n/site\r");
	EXPECT("site-1 site-2 ");
	type(&view, "/*-2\r");
	EXPECT("site-2 ");
	type(&view, "/shoq\177p\r");
	EXPECT("db site-1 site-2 ");
	type(&view, "/q");
	cr_assert(view.typing, "letters are letters while a filter is typed");
	cr_assert(top_view_key(&view, SCREEN_KEY_ESCAPE));
	EXPECT("db site-1 site-2 tool ");
}

TEST(top_view, adds_fleets_up)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text frame = {0};
	struct top_view view;

	top_view_init(&view);
	type(&view, "f");
	EXPECT("shop (no ");
	top_view_draw(&arena, &view, &sample, &host, &frame);
	cr_assert(strstr(text_string(&frame), "shop              3  130.0"), "%s", text_string(&frame));
	cr_assert(strstr(text_string(&frame), "608M"), "%s", text_string(&frame));
	cr_assert(strstr(text_string(&frame), "unhealthy"));
	cr_assert(strstr(text_string(&frame), "cpu 180.0% of 200%"), "the host's line: all of them");
}

TEST(top_view, scrolls_no_further_than_the_list)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct top_view view;

	top_view_init(&view);
	view.rows = 6; /* two lines of the list */
	type(&view, "n");
	EXPECT("db site-1 ");
	type(&view, "j");
	EXPECT("site-1 site-2 ");
	cr_assert(top_view_key(&view, SCREEN_KEY_PAGE_DOWN) && top_view_key(&view, SCREEN_KEY_DOWN));
	EXPECT("site-2 tool ");
	cr_assert(top_view_key(&view, SCREEN_KEY_PAGE_UP) && top_view_key(&view, SCREEN_KEY_UP));
	EXPECT("db site-1 ");
	view.rows = 1;
	EXPECT("db ");
}

/* However many lines there are, the frame fills the screen: what was there before is overwritten. */
TEST(top_view, a_frame_has_as_many_lines_as_the_screen)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct top_view view;

	top_view_init(&view);
	for (view.rows = 6; view.rows < 40; view.rows += 11) {
		AUTO(text_drop) struct text frame = {0};
		unsigned lines = 1;

		top_view_draw(&arena, &view, &sample, &host, &frame);
		for (const char *at = text_string(&frame); *at; at++)
			lines += *at == '\n';
		cr_assert(lines == view.rows, "%u of %u", lines, view.rows);
	}
}
