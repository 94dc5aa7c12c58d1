/* What an instance takes from its image: defaults, where it says nothing itself, and volumes. An image never chooses
 * anything of the host's: no port is published, no path of the host mounted, no right given because it asks for it. */
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/state/image.h"
#include "fleet/state/instance.h"
#include "images/images.h"

#define STOP_SIGNAL_DEFAULT "TERM"

int instance_image_read(int store, int dir, const struct instance_spec *spec, struct arena *arena,
	struct image_config *out, struct error *err)
{
	return image_recall(store, dir, spec->image, arena, out, err);
}

static bool has_target(const struct instance_spec *spec, const char *target)
{
	for (size_t i = 0; i < spec->volumes.count; i++)
		if (text_equal(spec->volumes.items[i].target, target))
			return true;
	return false;
}

void instance_image_volumes(struct arena *arena, const struct image_config *image, struct instance_spec *spec)
{
	struct volume *all = arena_new_array(arena, spec->volumes.count + image->volumes.count, struct volume);
	size_t count = spec->volumes.count;

	if (count)
		memcpy(all, spec->volumes.items, count * sizeof(*all));
	for (size_t i = 0; i < image->volumes.count; i++)
		if (!has_target(spec, image->volumes.items[i].name))
			all[count++] = (struct volume){.type = VOLUME_NAMED,
				.source = image->volumes.items[i].value,
				.target = image->volumes.items[i].name,
				.idmap = true};
	spec->volumes.items = all;
	spec->volumes.count = count;
}

static void time_from_image(struct optional *time, int64_t ms)
{
	if (!time->set && ms > 0)
		*time = (struct optional){true, ms};
}

void instance_image_health(const struct image_config *image, struct instance_spec *spec)
{
	const struct image_check *check = image->check;
	struct health_spec *health = &spec->health;

	if (!check || !check->test.count || health->disable || health->http || health->tcp || health->test.count)
		return;
	health->test = check->test;
	time_from_image(&health->interval_ms, check->interval_ms);
	time_from_image(&health->timeout_ms, check->timeout_ms);
	time_from_image(&health->start_period_ms, check->start_period_ms);
	time_from_image(&health->retries, check->retries);
}

int instance_stop_signal(const struct instance_spec *spec, int dir)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_config image = {0};
	struct error ignored;
	int signal;

	if (!spec->stop_signal && spec->image && strcmp(spec->image, IMAGE_HOST) != 0)
		(void)!instance_image_read(-1, dir, spec, &arena, &image, &ignored);
	const char *const named[] = {spec->stop_signal, image.stop_signal, STOP_SIGNAL_DEFAULT};
	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		if (named[i] && signal_parse(named[i], &signal, &ignored) == 0)
			return signal;
	return SIGTERM;
}

bool instance_has_check(const struct instance_spec *spec, const struct image_config *image)
{
	struct instance_spec whole = *spec;

	if (image)
		instance_image_health(image, &whole);
	const struct health_spec *health = &whole.health;

	if (health->disable)
		return false;
	return health->http || health->tcp || (health->test.count && strcmp(health->test.items[0], "NONE") != 0);
}
