/* What is mounted into an instance: where it may be, and what it must say. */
#include "fleet/spec/spec_check.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"

/* Places that the runtime fills itself, and whose content the instance's safety rests on. */
static const char *const targets_refused[] = {"/proc", "/sys", "/dev"};

static int check_target(const char *target, struct error *err)
{
	if (path_check_absolute("target", target, err) < 0)
		return -1;
	if (!target[1])
		return fail(err, ERROR_USAGE, "target \"/\": the root comes from \"image\" or \"rootfs\"");
	for (size_t i = 0; i < ARRAY_SIZE(targets_refused); i++)
		if (path_is_under(target, targets_refused[i]) && strcmp(target, "/dev/shm"))
			return fail(err, ERROR_USAGE, "target \"%s\": %s belongs to the instance's kernel files",
				target, targets_refused[i]);
	return 0;
}

static int check_volume(const struct volume *volume, struct error *err)
{
	bool tmpfs = volume->type == VOLUME_TMPFS;

	if (check_target(volume->target, err) < 0)
		return -1;
	if (tmpfs && volume->source)
		return fail(err, ERROR_USAGE, "%s: a tmpfs has no source", volume->target);
	if (!tmpfs && !volume->source)
		return fail(err, ERROR_USAGE, "%s: missing \"source\"", volume->target);
	if (!tmpfs && (volume->size_bytes || volume->mode))
		return fail(err, ERROR_USAGE, "%s: only a tmpfs has a size and a mode", volume->target);
	if (volume->type == VOLUME_BIND)
		return path_check_absolute("source", volume->source, err);
	return tmpfs ? 0 : name_check("volume", volume->source, err);
}

int check_volumes(const struct instance_spec *spec, size_t *index, struct error *err)
{
	for (*index = 0; *index < spec->volumes.count; ++*index) {
		const struct volume *volume = &spec->volumes.items[*index];

		if (check_volume(volume, err) < 0)
			return -1;
		for (size_t i = 0; i < *index; i++)
			if (!strcmp(spec->volumes.items[i].target, volume->target))
				return fail(err, ERROR_USAGE, "target \"%s\" is used twice", volume->target);
	}
	return 0;
}

static int check_config(const struct config_spec *config, struct error *err)
{
	if (check_target(config->target, err) < 0)
		return -1;
	if (!config->source == !config->content)
		return fail(
			err, ERROR_USAGE, "%s: exactly one of \"source\" and \"content\" is required", config->target);
	if (config->secret && config->content)
		return fail(err, ERROR_USAGE, "%s: a secret comes from a file (\"source\")", config->target);
	if (config->mode.set && config->mode.value > 0777)
		return fail(err, ERROR_USAGE, "%s: mode 0%jo: set-id bits are not allowed", config->target,
			(uintmax_t)config->mode.value);
	return config->source ? check_source_file(config->source, err) : 0;
}

int check_configs(const struct instance_spec *spec, size_t *index, struct error *err)
{
	for (*index = 0; *index < spec->configs.count; ++*index) {
		const char *target = spec->configs.items[*index].target;

		if (check_config(&spec->configs.items[*index], err) < 0)
			return -1;
		for (size_t i = 0; i < *index; i++)
			if (!strcmp(spec->configs.items[i].target, target))
				return fail(err, ERROR_USAGE, "target \"%s\" is used twice", target);
		for (size_t i = 0; i < spec->volumes.count; i++)
			if (!strcmp(spec->volumes.items[i].target, target))
				return fail(err, ERROR_USAGE, "target \"%s\" is a volume's too", target);
	}
	return 0;
}
