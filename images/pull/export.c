/* Writing what the store holds to a descriptor. */
#include "images/pull/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/export_sink.h"
#include "images/pull/instance.h"
#include "images/pull/tar_write.h"
#include "images/store/manifest.h"

#define BUFFER (256 << 10)

/* Headers are 512 bytes each: gathered, or there would be a system call for each. */
struct fd_sink {
	struct sink sink; /* first */
	int fd;
	size_t length;
	uint8_t buffer[BUFFER];
};

static int buffer_flush(struct fd_sink *to, struct error *err)
{
	size_t length = to->length;

	to->length = 0;
	return length && write_all(to->fd, to->buffer, length) < 0 ? fail_errno(err, "write") : 0;
}

static int fd_write(struct sink *sink, const void *bytes, size_t length, struct error *err)
{
	struct fd_sink *to = (struct fd_sink *)sink;

	if (to->length + length > BUFFER && buffer_flush(to, err) < 0)
		return -1;
	if (length > BUFFER)
		return write_all(to->fd, bytes, length) < 0 ? fail_errno(err, "write") : 0;
	memcpy(to->buffer + to->length, bytes, length);
	to->length += length;
	return 0;
}

struct sink *export_sink_open(int fd)
{
	struct fd_sink *sink = malloc(sizeof(*sink));

	if (!sink)
		memory_exhausted();
	sink->sink.write = fd_write;
	sink->fd = fd;
	sink->length = 0;
	return &sink->sink;
}

int export_sink_close(struct sink *sink, int result, struct error *err)
{
	if (result == 0)
		result = buffer_flush((struct fd_sink *)sink, err);
	free(sink);
	return result;
}

int export_root(const int *directories, size_t count, int out, struct error *err)
{
	struct tar_write how = {.sink = export_sink_open(out)};

	return export_sink_close(how.sink, tar_write_tree(&how, directories, count, err), err);
}

int export_delta(int upper, int out, struct error *err)
{
	struct tar_write how = {.sink = export_sink_open(out), .layer = true, .left_out = instance_generated_files};

	return export_sink_close(how.sink, tar_write_tree(&how, &upper, 1, err), err);
}

int export_image_root(const struct store *store, const struct image_record *image, int out, struct error *err)
{
	size_t count = image->layers.count, opened = 0;
	int directories[MANIFEST_LAYERS_MAX], result = -1;

	if (!count || count > MANIFEST_LAYERS_MAX)
		return fail(err, ERROR_SYSTEM, "%s has %zu layers", image->name, count);
	while (opened < count) {
		directories[opened] = layer_open(store, image->layers.items[count - 1 - opened], err);
		if (directories[opened] < 0)
			break;
		opened++;
	}
	if (opened == count)
		result = export_root(directories, count, out, err);
	while (opened)
		fd_drop(&directories[--opened]);
	return result;
}
