/* Many machines are made from one directory, and all of them run on one kernel; what tells them apart comes from here.
 *
 * machine-id(5) and the name are written once, at the creation: they are the machine's from then on, and its
 * administrator may change them. The boot id is another one at each start: the kernel knows only the host's
 * (random(4)), by which journald could not tell one run of the instance from the next. */
#include "fleet/state/identity.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"

#define ID_BYTES 16
#define NAME_LENGTH_MAX 63
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* A random UUID (version 4, RFC 9562), in hexadecimal; dashes or not. */
static int uuid_make(bool dashes, char out[40], struct error *err)
{
	unsigned char bytes[ID_BYTES];
	size_t length = 0;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return fail_errno(err, "getrandom");
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		if (dashes && (i == 4 || i == 6 || i == 8 || i == 10))
			out[length++] = '-';
		length += (size_t)snprintf(out + length, 3, "%02x", bytes[i]);
	}
	memcpy(out + length, "\n", 2);
	return 0;
}

int identity_write(int dir, const struct instance_spec *spec, struct error *err)
{
	auto_free char *name = text_format("%s\n", spec->hostname ? spec->hostname : spec->name);
	char id[40];

	if (uuid_make(false, id, err) < 0 ||
		root_file_write(dir, "/etc/machine-id", 0444, 0, 0, id, strlen(id), err) < 0)
		return -1;
	return root_file_write(dir, "/etc/hostname", 0644, 0, 0, name, strlen(name), err);
}

int identity_boot_add(struct arena *arena, struct config_file_list *files, struct error *err)
{
	struct config_file *items = arena_new_array(arena, files->count + 1, struct config_file);
	char id[40];

	if (uuid_make(true, id, err) < 0)
		return -1;
	if (files->count)
		memcpy(items, files->items, files->count * sizeof(*items));
	items[files->count] = (struct config_file){
		.target = BOOT_ID, .content = arena_string(arena, id), .length = strlen(id), .mode = 0444};
	files->items = items;
	files->count++;
	return 0;
}

const char *stand_in_name(struct arena *arena, const char *name)
{
	static const char ending[] = "-next";

	return arena_format(arena, "%.*s%s", (int)(NAME_LENGTH_MAX - strlen(ending)), name, ending);
}
