/* From unpacked to visible: the look of implied directories, one sync of the file system, then the renames, from the
 * bottom up. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/pull/installation.h"

void content_format(const struct layer_content *content, char text[CONTENT_TEXT_SIZE])
{
	snprintf(text, CONTENT_TEXT_SIZE, "crc1 %llu %llu %llu %016llx", (unsigned long long)content->files,
		(unsigned long long)content->directories, (unsigned long long)content->bytes,
		(unsigned long long)content->sum);
}

static int directory_of(const struct installation *installation, const struct installed_layer *layer, struct error *err)
{
	int fd;

	if (layer->state == LAYER_THERE)
		return layer_open(installation->store, layer->key, err);
	fd = openat(installation->staging.dir, layer->entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_errno(err, "open an unpacked layer") : fd;
}

static int lower_open(const struct installation *installation, size_t count, int *fds, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		fds[i] = directory_of(installation, &installation->layers[i], err);
		if (fds[i] < 0)
			return -1;
	}
	return 0;
}

static int look_adopt(struct installation *installation, size_t index, struct error *err)
{
	struct installed_layer *layer = &installation->layers[index];
	auto_fd directory = directory_of(installation, layer, err);
	int fds[MANIFEST_LAYERS_MAX], result = -1;

	if (directory < 0)
		return -1;
	for (size_t i = 0; i < index; i++)
		fds[i] = -1;
	if (lower_open(installation, index, fds, err) == 0)
		result = layer_adopt(directory, &layer->result.implied, fds, index, err);
	for (size_t i = 0; i < index; i++)
		fd_drop(&fds[i]);
	return result;
}

/* Can it become visible now? One that implies directories only when all below it are at hand. */
static bool is_ready(const struct installation *installation, size_t index)
{
	if (installation->layers[index].state != LAYER_UNPACKED)
		return false;
	if (!installation->layers[index].result.implied.count)
		return true;
	for (size_t i = 0; i < index; i++)
		if (installation->layers[i].state < LAYER_UNPACKED)
			return false;
	return true;
}

static int looks_adopt(struct installation *installation, bool *ready, size_t *count, struct error *err)
{
	*count = 0;
	for (size_t i = 0; i < installation->count; i++) {
		struct installed_layer *layer = &installation->layers[i];

		ready[i] = is_ready(installation, i);
		*count += ready[i];
		if (ready[i] && layer->result.implied.count && look_adopt(installation, i, err) < 0)
			return blame(err, "layer %zu", i + 1);
	}
	return 0;
}

static int layer_show(struct installation *installation, struct installed_layer *layer, struct error *err)
{
	const struct layer_result *result = &layer->result;
	bool chained = result->implied.count != 0;
	char content[CONTENT_TEXT_SIZE];
	struct layer_meta meta = {
		.diff_id = result->diff_id,
		.chain_id = chained ? layer->chain_id : NULL,
		.archive_bytes = result->tar_bytes,
		.compressed_bytes = result->packed_bytes,
		.disk_bytes = result->content.disk_bytes,
		.file_bytes = result->content.bytes,
		.entries = result->content.files + result->content.directories + 1,
		.tree_hash = content,
		.implied = result->implied,
	};

	content_format(&result->content, content);
	layer_key(chained ? layer->chain_id : result->diff_id, layer->key);
	if (layer_commit(&installation->staging, layer->entry, layer->key, &meta, err) < 0)
		return blame(err, "layer %zu", layer->blob.index + 1);
	layer->state = LAYER_THERE;
	installation->fetched++;
	installation->bytes_fetched += result->packed_bytes;
	if (layer->partial.fd >= 0)
		partial_done(&layer->partial);
	return 0;
}

int layers_commit(struct installation *installation, struct error *err)
{
	bool ready[MANIFEST_LAYERS_MAX] = {false};
	size_t count;

	if (looks_adopt(installation, ready, &count, err) < 0)
		return -1;
	if (count) {
		install_report(installation, INSTALL_SYNC, NULL, 0);
		if (store_sync(installation->store, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < installation->count; i++) {
		struct installed_layer *layer = &installation->layers[i];

		if (ready[i] && layer_show(installation, layer, err) < 0)
			return -1;
		partial_drop(&layer->partial); /* also of one that has to wait: nobody shall wait for it */
	}
	return 0;
}
