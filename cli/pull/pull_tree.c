/* The commands unpack-tree and pack-tree of warren-pull, for `warren cp` with an archive: between a pipe and a staging
 * directory of the store. An archive is unpacked as a layer is, by the same processes and the same rules. */
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/pull/pull.h"
#include "images/pull/export_sink.h"
#include "images/pull/tar_write.h"
#include "images/transfer.h"

#define PIECE (128 << 10)

static int input_feed(struct layer_unpack *unpack, struct error *err)
{
	static char piece[PIECE];
	ssize_t length;

	while ((length = read_retried(STDIN_FILENO, piece, sizeof(piece))) > 0)
		if (layer_feed(unpack, piece, (size_t)length, err) < 0)
			return -1;
	return length < 0 ? fail_errno(err, "read the archive") : 0;
}

static int tree_unpack(struct pull *pull, int tree, struct error *err)
{
	const struct layer_request request = {.size = -1, .directory = tree, .base = true};
	struct layer_unpack *unpack AUTO(layer_unpack_drop) = layer_unpack_start(&pull->unpackers, &request, err);
	struct layer_result result;

	if (!unpack || input_feed(unpack, err) < 0 || layer_unpack_finish(unpack, &pull->arena, &result, err) < 0)
		return blame(err, "unpack the archive");
	if (result.left_out)
		log_warn("%llu things of the archive were left out (%s)", (unsigned long long)result.left_out,
			result.left_out_first);
	return 0;
}

int tree_unpack_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct pull *pull = context;
	auto_fd tree = -1;

	(void)count; /* one, as the table of commands says */
	if (pull_begin(pull, options, err) < 0)
		return -1;
	tree = transfer_scratch_open(&pull->store, operands[0], err);
	return tree < 0 ? -1 : tree_unpack(pull, tree, err);
}

int tree_pack_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct tar_write how = {.without_top = true};
	struct pull *pull = context;
	auto_fd tree = -1;
	int result;

	(void)count; /* one, as the table of commands says */
	if (pull_begin(pull, options, err) < 0)
		return -1;
	tree = transfer_scratch_open(&pull->store, operands[0], err);
	if (tree < 0)
		return -1;
	how.sink = export_sink_open(STDOUT_FILENO);
	result = export_sink_close(how.sink, tar_write_tree(&how, &tree, 1, err), err);
	return result < 0 ? blame(err, "write the archive") : 0;
}
