/* What starts before what. */
#include "base/cleanup.h"
#include "fleet/file/order.h"
#include "tests/test.h"

#define COUNT 4

/* Instances a to d; the rows say what each depends on. */
static void specs_fill(struct instance_spec specs[COUNT], struct dependency on[COUNT][COUNT],
	const char *const rows[COUNT], const struct instance_spec *pointers[COUNT])
{
	static const char *const names[COUNT] = {"a", "b", "c", "d"};

	for (size_t i = 0; i < COUNT; i++) {
		specs[i] = (struct instance_spec){.name = names[i], .base_name = names[i]};
		specs[i].depends_on.items = on[i];
		for (const char *p = rows[i]; *p; p++)
			on[i][specs[i].depends_on.count++] =
				(struct dependency){*p == 'x' ? "nonesuch" : names[*p - 'a'], "started"};
		pointers[i] = &specs[i];
	}
}

TEST(order, puts_each_one_level_above_what_it_depends_on)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec specs[COUNT];
	struct dependency on[COUNT][COUNT];
	const struct instance_spec *pointers[COUNT], *culprit;
	struct order order;
	struct error err;

	specs_fill(specs, on, (const char *const[]){"bc", "d", "x", ""}, pointers);
	ASSERT_OK(order_make(&arena, pointers, COUNT, &order, &culprit, &err));
	cr_assert(order_level(&order, &specs[0]) == 2);
	cr_assert(order_level(&order, &specs[1]) == 1);
	cr_assert(order_level(&order, &specs[2]) == 0, "what is not there counts for nothing");
	cr_assert(order_level(&order, &specs[3]) == 0);
}

TEST(order, names_the_whole_circle)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec specs[COUNT];
	struct dependency on[COUNT][COUNT];
	const struct instance_spec *pointers[COUNT], *culprit = NULL;
	struct order order;
	struct error err;

	specs_fill(specs, on, (const char *const[]){"b", "dc", "b", ""}, pointers);
	ASSERT_FAILS(order_make(&arena, pointers, COUNT, &order, &culprit, &err), ERROR_USAGE,
		"instances depend on each other in a circle: b -> c -> b");
	cr_assert(culprit == &specs[1]);
}

TEST(order, takes_replicas_as_one)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct dependency on = {"db", "started"};
	struct instance_spec specs[3] = {{.name = "site-1", .base_name = "site"},
		{.name = "site-2", .base_name = "site"}, {.name = "db-1", .base_name = "db"}};
	const struct instance_spec *pointers[] = {&specs[0], &specs[1], &specs[2]};
	struct order order;
	struct error err;

	for (int i = 0; i < 2; i++) {
		specs[i].depends_on.items = &on;
		specs[i].depends_on.count = 1;
	}
	ASSERT_OK(order_make(&arena, pointers, 3, &order, NULL, &err));
	cr_assert(order.count == 2);
	cr_assert(order_level(&order, &specs[1]) == 1 && order_level(&order, &specs[2]) == 0);
}

TEST(order, goes_thousands_deep)
{
	AUTO(arena_drop) struct arena arena = {0};
	enum { DEEP = SLOT_MAX };
	struct instance_spec *specs = arena_new_array(&arena, DEEP, struct instance_spec);
	const struct instance_spec **pointers = arena_new_array(&arena, DEEP, const struct instance_spec *);
	struct order order;
	struct error err;

	for (int i = 0; i < DEEP; i++) {
		struct dependency *on = arena_new(&arena, struct dependency);

		*on = (struct dependency){arena_format(&arena, "n%d", i + 1), "started"};
		specs[i].name = specs[i].base_name = arena_format(&arena, "n%d", i);
		specs[i].depends_on.items = on;
		specs[i].depends_on.count = 1;
		pointers[i] = &specs[i];
	}
	ASSERT_OK(order_make(&arena, pointers, DEEP, &order, NULL, &err));
	cr_assert(order_level(&order, &specs[0]) == DEEP - 1);
}
