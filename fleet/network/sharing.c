/* Who shares the network of another, and what becomes of it when that one is started anew.
 *
 * A namespace cannot be exchanged under a running process, so a sharer is restarted. Who shares is written down by the
 * sharer, in live/<owner>/sharers/<name>, and is true only if the sharer's own specification still says so: an entry
 * that is not is removed by whoever meets it. */
#include "fleet/network/sharing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/spec/network_mode.h"

#define NOTE "shares"

/* --- the note ----------------------------------------------------------------------------------------------------- */

int sharing_note(int dir, const struct instance_spec *spec, struct error *err)
{
	struct network_mode mode = network_mode(spec->network);

	if (unlinkat(dir, NOTE, 0) < 0 && errno != ENOENT)
		return fail_errno(err, "remove " NOTE);
	if (mode.kind != NETWORK_SHARED)
		return 0;
	return symlinkat(mode.of, dir, NOTE) < 0 ? fail_errno(err, "write " NOTE) : 0;
}

bool sharing_is_noted(const struct host *host, const char *name)
{
	char path[96], owner[64];

	snprintf(path, sizeof(path), "%s/" NOTE, name);
	return readlinkat(host->instances, path, owner, sizeof(owner)) > 0;
}

/* --- who shares --------------------------------------------------------------------------------------------------- */

int sharing_register(const struct instance *owner, const char *sharer, struct error *err)
{
	auto_fd dir = dir_create(owner->live, SHARERS, 0700, err);
	auto_fd file = dir < 0 ? -1 : openat(dir, sharer, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (dir < 0)
		return -1;
	return file < 0 ? fail_errno(err, "note that %s shares the network", sharer) : 0;
}

int sharing_cut(const struct instance *owner, unsigned slot, struct error *err)
{
	AUTO(net_session_drop) struct net_session *session = NULL;

	if (owner->live < 0 || faccessat(owner->live, SHARERS, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	session = net_session_open(err);
	return session ? endpoint_detach(session, slot, err) : -1;
}
