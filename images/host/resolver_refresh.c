/* Keeping an instance's /etc/resolv.conf up to date: the host's name servers change with its network, an instance lives
 * for years.
 *
 * What we gave it last stands in a file of the instance's directory. What the instance has must still say the same, or
 * be absent (it is that of a layer below then); anything else somebody inside wrote, and it stays. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/host/skeleton.h"
#include "images/overlay/upper.h"

#define RESOLVER_PATH "/etc/resolv.conf"
#define GIVEN "resolver"
#define RESOLVER_MAX (64 << 10)

static int resolver_now(struct arena *arena, bool own_loopback, struct text *out, struct error *err)
{
	auto_fd host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (host < 0)
		return fail_errno(err, "open /");
	if (own_loopback)
		resolver_text(arena, host, out);
	else
		resolver_whole(arena, host, out);
	return 0;
}

/* "" when nothing is known of it. */
static const char *given_read(struct arena *arena, int instance)
{
	struct error ignored;
	const char *content;

	return file_read(arena, instance, GIVEN, RESOLVER_MAX, &content, NULL, &ignored) == 0 ? content : "";
}

int resolver_note(int instance, const char *text, size_t length, struct error *err)
{
	return file_replace(instance, GIVEN, 0600, FILE_VOLATILE, text, length, err);
}

int resolver_forget(int instance, struct error *err)
{
	if (unlinkat(instance, GIVEN, 0) < 0 && errno != ENOENT)
		return fail_errno(err, "remove " GIVEN);
	return 0;
}

/* Whether the upper layer has nothing of that name, or a plain file that says what was given, or (by a refresh that was
 * killed) what is now to be given. */
static bool resolver_is_ours(struct arena *arena, int upper, const char *given, const char *now)
{
	const struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
	auto_fd file = path_openat2(upper, &RESOLVER_PATH[1], &how);
	struct error ignored;
	struct stat about;
	const char *content;

	if (file < 0)
		return errno == ENOENT;
	if (fstat(file, &about) < 0 || !S_ISREG(about.st_mode) ||
		fd_read_all(arena, file, RESOLVER_MAX, &content, NULL, &ignored) < 0)
		return false;
	return text_equal(content, given) || text_equal(content, now);
}

int root_resolver_refresh(int instance, bool own_loopback, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text now = {0};
	const char *given = given_read(&arena, instance);
	auto_fd upper = -1;

	if (resolver_now(&arena, own_loopback, &now, err) < 0)
		return -1;
	if (text_equal(given, text_string(&now)))
		return 0;
	upper = upper_open(instance, err);
	if (upper < 0)
		return -1;
	if (!resolver_is_ours(&arena, upper, given, text_string(&now)))
		return 0;
	if (root_file_write(instance, RESOLVER_PATH, 0644, 0, 0, text_string(&now), now.length, err) < 0)
		return -1;
	return resolver_note(instance, text_string(&now), now.length, err);
}
