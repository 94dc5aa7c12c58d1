/* What lies between an archive and an instance: see transfer.h. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/store/staging.h"
#include "images/transfer.h"

#define TREE "tree"

struct transfer_scratch {
	struct store store;
	struct staging staging;
	int tree;
};

void transfer_scratch_drop(struct transfer_scratch **scratch)
{
	if (!*scratch)
		return;
	fd_drop(&(*scratch)->tree);
	staging_drop(&(*scratch)->staging);
	store_drop(&(*scratch)->store);
	free(*scratch);
	*scratch = NULL;
}

struct transfer_scratch *transfer_scratch_make(const char *store_path, struct error *err)
{
	struct transfer_scratch *scratch AUTO(transfer_scratch_drop) = malloc(sizeof(*scratch));

	if (!scratch)
		memory_exhausted();
	*scratch = (struct transfer_scratch){.store = NO_STORE, .staging.dir = -1, .tree = -1};
	if (store_open(store_path, &scratch->store, err) < 0 ||
		staging_make(&scratch->store, &scratch->staging, err) < 0)
		return NULL;
	scratch->tree = dir_create(scratch->staging.dir, TREE, 0755, err);
	return scratch->tree < 0 ? NULL : take_ptr(&scratch);
}

int transfer_scratch_tree(const struct transfer_scratch *scratch)
{
	return scratch->tree;
}

const char *transfer_scratch_name(const struct transfer_scratch *scratch)
{
	return scratch->staging.name;
}

int transfer_scratch_open(const struct store *store, const char *name, struct error *err)
{
	auto_fd staging = -1;
	int tree;

	if (!staging_is_name(name))
		return fail(err, ERROR_USAGE, "\"%.60s\" is no staging directory", name);
	staging = openat(store->staging, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	tree = staging < 0 ? -1 : openat(staging, TREE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return tree < 0 ? fail_errno(err, "open the staging directory %s", name) : tree;
}
