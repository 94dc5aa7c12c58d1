/* Who has which volume, and what is deleted when. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/collection.h"
#include "images/images.h"
#include "support_host.h"

TEST(volumes, one_that_an_instance_has_is_not_deleted_and_one_that_only_an_image_asked_for_goes_by_itself)
{
	struct test_host test;
	struct volume volume = {.type = VOLUME_NAMED, .source = "data", .target = "/data", .idmap = true};
	struct volume_list list;
	struct strings removed;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "one", "true");
	spec.volumes.items = &volume;
	spec.volumes.count = 1;
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	mkdirat(test.host.lib, "volumes", 0700);
	mkdirat(test.host.lib, "volumes/data", 0755);
	mkdirat(test.host.lib, "volumes/other", 0755);
	mkdirat(test.host.lib, "volumes/" VOLUME_ANONYMOUS "0123456789abcdef", 0755);
	ASSERT_OK(host_volumes(&test.host, &test.arena, &list, &err));
	cr_assert_eq(list.count, 3);
	cr_assert(list.items[0].anonymous);
	cr_assert_str_eq(list.items[1].name, "data");
	cr_assert_str_eq(list.items[1].instances.items[0], "one");
	ASSERT_FAILS(host_volume_remove(&test.host, "data", &err), ERROR_BUSY, "belongs to the instance one");
	ASSERT_FAILS(host_volume_remove(&test.host, "none", &err), ERROR_MISSING, "no volume \"none\"");
	ASSERT_FAILS(host_volume_remove(&test.host, "../run", &err), ERROR_USAGE, "volume");
	ASSERT_OK(host_volumes_prune(&test.host, &test.arena, false, &removed, &err));
	cr_assert_eq(removed.count, 1, "named ones stay");
	ASSERT_OK(host_volume_remove(&test.host, "other", &err));
	ASSERT_OK(instance_remove(&test.host, "one", true, &err));
	ASSERT_OK(host_volume_remove(&test.host, "data", &err));
	ASSERT_OK(host_volumes(&test.host, &test.arena, &list, &err));
	cr_assert_eq(list.count, 0);
	test_host_close(&test);
}
