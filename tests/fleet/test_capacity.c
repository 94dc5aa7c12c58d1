/* How many more fit: the arithmetic, and the same of a real host. */
#include "fleet/host/capacity.h"

#include "base/cleanup.h"
#include "support_host.h"

#define MIB (1LL << 20)
#define OWN (768 * 1024)

static const struct capacity_bound *bound_of(const struct capacity *capacity, const char *resource)
{
	size_t i = 0;

	while (i < capacity->bounds.count && !text_equal(capacity->bounds.items[i].resource, resource))
		i++;
	cr_assert(i < capacity->bounds.count, "no bound %s", resource);
	return &capacity->bounds.items[i];
}

static const struct capacity_facts facts = {
	.memory_bytes = 4096 * MIB,
	.memory_free_bytes = 1024 * MIB,
	.processors_milli = 2000,
	.cpu_used_milli = 500,
	.memory_promised_bytes = 3968 * MIB,
	.cpu_promised_milli = 2500,
	.disk_bytes = 1000 * MIB,
	.disk_free_bytes = 100 * MIB,
	.slots_taken = 94,
	.pid_max = 32768,
	.pids_now = 768,
};

TEST(capacity, is_reckoned_by_use_and_by_what_is_promised)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct capacity capacity = {0};
	struct capacity_need need = {.memory_bytes = 16 * MIB - OWN,
		.cpu_milli = 10,
		.pids = 4,
		.memory_limit_bytes = {true, 64 * MIB - OWN},
		.cpu_limit_milli = {true, 100}};

	capacity_reckon(&arena, &facts, &need, &capacity);
	capacity_conclude(&capacity);
	cr_assert(bound_of(&capacity, "memory in use")->fits == 64);
	cr_assert(bound_of(&capacity, "memory limits")->fits == 2);
	cr_assert(bound_of(&capacity, "processors in use")->fits == 150);
	cr_assert(bound_of(&capacity, "processor limits")->fits == 0, "promised more than there is already");
	cr_assert(bound_of(&capacity, "processes")->fits == 8000);
	cr_assert(bound_of(&capacity, "slots")->fits == 4000);
	cr_assert(bound_of(&capacity, "disk in use")->fits == -1, "takes none: any number");
	cr_assert(capacity.fits[CAPACITY_USED] == 64);
	cr_assert_str_eq(capacity.first[CAPACITY_USED], "memory in use");
	cr_assert(capacity.fits[CAPACITY_PROMISED] == 0);
	cr_assert_str_eq(capacity.first[CAPACITY_PROMISED], "processor limits");
	cr_assert(capacity.fits[CAPACITY_SETTING] == -1 && !capacity.first[CAPACITY_SETTING]);
}

TEST(capacity, suggests_smaller_limits_only_where_that_is_safe)
{
	/* 15 % of its limit. */
	cr_assert(capacity_suggest(64 * MIB, 6 * MIB, 9 * MIB + 1) == 12 * MIB);
	cr_assert(capacity_suggest(64 * MIB, 6 * MIB, 33 * MIB) == 0, "it has been above half");
	cr_assert(capacity_suggest(0, 6 * MIB, 9 * MIB) == 0, "no limit");
	cr_assert(capacity_suggest(64 * MIB, 20 * MIB, 0) == 0, "no peak is known");
	cr_assert(capacity_suggest(64 * MIB, 8 * MIB, 0) == 20 * MIB, "twice as careful without a peak");
	cr_assert(capacity_suggest(16 * MIB, 1, 1) == 4 * MIB);
	cr_assert(capacity_suggest(5 * MIB, 1, 1) == 0, "not worth it");
}

TEST(capacity, of_a_host_names_who_could_do_with_less)
{
	struct test_host test;
	struct capacity capacity;
	struct capacity_request like = {.like = "web"}, nobody = {.like = "nobody"}, none = {0};
	struct error err;

	test_host_open(&test);
	ASSERT_FAILS(host_capacity(&test.arena, &test.host, &none, &capacity, &err), ERROR_BUSY, "no instance runs");
	ASSERT_FAILS(host_capacity(&test.arena, &test.host, &nobody, &capacity, &err), ERROR_MISSING, "nobody");
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	spec.resources.memory_bytes = (struct optional){true, 256 * MIB};
	spec.resources.cpus_milli = (struct optional){true, 500};
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	ASSERT_FAILS(host_capacity(&test.arena, &test.host, &like, &capacity, &err), ERROR_BUSY, "web does not run");
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	ASSERT_OK(host_capacity(&test.arena, &test.host, &like, &capacity, &err));
	cr_assert(capacity.running == 1 && capacity.fits[CAPACITY_USED] >= 0);
	cr_assert(bound_of(&capacity, "slots")->taken == 1);
	if (test.host.cgroups.available[CGROUP_MEMORY]) {
		cr_assert(bound_of(&capacity, "memory limits")->each == 256 * MIB + OWN);
		cr_assert(capacity.waste.count == 1);
		cr_assert(capacity.waste.items[0].suggested_bytes < 128 * MIB);
	}
	cr_assert(bound_of(&capacity, "user.max_net_namespaces")->each == 2, "the doctor's formulae");
	struct capacity_request own = {.memory_bytes = {true, 1LL << 40}};

	ASSERT_OK(host_capacity(&test.arena, &test.host, &own, &capacity, &err));
	cr_assert(capacity.fits[CAPACITY_USED] == 0);
	cr_assert_str_eq(capacity.first[CAPACITY_USED], "memory in use");
	test_host_close(&test);
}
