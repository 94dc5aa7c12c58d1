/* The record of a container: claimed by one rename, read without trust, its status asked from the kernel. */
#include "runtime/state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#define FACTS "facts.json"
#define CGROUP_LINK "cgroup"
#define PROCESS_LINK "process"
#define SCOPE_OF_SYSTEM "system:"
#define SCOPE_OF_USER "user:"
#define HIDDEN ".new-"
#define CONTAINERS_MAX 65536
#define FACTS_MAX ((size_t)8 << 20)

const char *const container_status_names[] = {"creating", "created", "running", "paused", "stopped", NULL};

/* --- facts.json --------------------------------------------------------------------------------------------------- */

struct stored_facts {
	int version;
	const char *id, *bundle, *root, *owner, *oci_version, *boot;
	int64_t created_ms;
	struct pairs annotations;
	bool own_id_range, terminal, own_resctrl;
};

static const struct field facts_fields[] = {
	INTEGER("version", struct stored_facts, version, 1, 1, REQUIRED),
	STRING("id", struct stored_facts, id, REQUIRED),
	STRING("bundle", struct stored_facts, bundle, REQUIRED),
	STRING("root", struct stored_facts, root, REQUIRED),
	STRING("owner", struct stored_facts, owner, 0),
	STRING("ociVersion", struct stored_facts, oci_version, REQUIRED),
	STRING("boot", struct stored_facts, boot, REQUIRED),
	INTEGER("created", struct stored_facts, created_ms, 0, INT64_MAX, REQUIRED),
	PAIRS("annotations", struct stored_facts, annotations, 0),
	BOOL("ownIdRange", struct stored_facts, own_id_range, 0),
	BOOL("terminal", struct stored_facts, terminal, 0),
	BOOL("ownResctrl", struct stored_facts, own_resctrl, 0),
	END_OF_FIELDS,
};

static char *facts_encode(const struct container_facts *facts, size_t *length)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	struct stored_facts stored = {
		.version = 1,
		.id = facts->id,
		.bundle = facts->bundle,
		.root = facts->root,
		.owner = facts->owner,
		.oci_version = facts->oci_version,
		.boot = facts->boot,
		.created_ms = facts->created_ms,
		.annotations = facts->annotations,
		.own_id_range = facts->own_id_range,
		.terminal = facts->terminal,
		.own_resctrl = facts->own_resctrl,
	};

	encode_object(encoder, NULL, facts_fields, &stored);
	return encoder_take(encoder, length);
}

static int facts_parse(struct arena *arena, const struct state_texts *texts, const char *id,
	struct container_facts *out, struct error *err)
{
	struct stored_facts stored = {0};
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};

	if (json_parse(arena, FACTS, texts->facts, texts->facts_length, JSON_PLAIN, &doc, err) < 0)
		return -1;
	if (decode_object(&decoder, doc.root, facts_fields, &stored, err) < 0)
		return -1;
	if (!text_equal(stored.id, id))
		return fail(err, ERROR_USAGE, FACTS ": is of container \"%s\"", stored.id);
	out->bundle = stored.bundle;
	out->root = stored.root;
	out->owner = stored.owner;
	out->oci_version = stored.oci_version;
	out->boot = stored.boot;
	out->created_ms = stored.created_ms;
	out->annotations = stored.annotations;
	out->own_id_range = stored.own_id_range;
	out->terminal = stored.terminal;
	out->own_resctrl = stored.own_resctrl;
	return 0;
}

/* --- claiming a name ---------------------------------------------------------------------------------------------- */

static int file_make(int dir, const char *name, const char *content, size_t length, struct error *err)
{
	auto_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write_all(fd, content, length) < 0)
		return fail_errno(err, "write %s", name);
	return 0;
}

/* A copy: an exec tomorrow goes by the rules the container was made with, whatever happens to the bundle. */
static int config_copy(int dir, const char *config, struct error *err)
{
	auto_fd in = open(config, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_fd out = openat(dir, STATE_CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t done;

	if (in < 0 || out < 0)
		return fail_errno(err, "copy %s", config);
	do
		done = sendfile(out, in, NULL, 1 << 24);
	while (done == 1 << 24);
	return done < 0 ? fail_errno(err, "copy %s", config) : 0;
}

static int record_fill(int dir, const struct container_facts *facts, const char *config, struct error *err)
{
	size_t length;
	auto_free char *text = facts_encode(facts, &length);

	if (facts->cgroup_path && symlinkat(facts->cgroup_path, dir, CGROUP_LINK) < 0)
		return fail_errno(err, "write " CGROUP_LINK);
	if (file_make(dir, FACTS, text, length, err) < 0)
		return -1;
	return config_copy(dir, config, err);
}

/* A new directory under a hidden name, locked. */
static int hidden_make(int root, char name[32], struct error *err)
{
	for (int i = 0; i < 100; i++) {
		auto_fd dir = -1;

		snprintf(name, 32, HIDDEN "%d.%d", getpid(), i);
		if (mkdirat(root, name, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return fail_errno(err, "make a record in the state directory");
		}
		dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0 && errno == ENOENT) /* swept away before it was locked */
			continue;
		if (dir < 0) {
			fail_errno(err, "open a record in the state directory");
			unlinkat(root, name, AT_REMOVEDIR);
			return -1;
		}
		if (lock_exclusive(dir, 0, err) == 0)
			return take_fd(&dir);
		unlinkat(root, name, AT_REMOVEDIR);
		return -1;
	}
	return fail(err, ERROR_BUSY, "make a record in the state directory: no free name");
}

int state_claim(int root, const struct container_facts *facts, const char *config, struct error *err)
{
	char hidden[32];
	struct error ignored;
	auto_fd dir = hidden_make(root, hidden, err);

	if (dir < 0)
		return -1;
	if (record_fill(dir, facts, config, err) == 0) {
		if (renameat2(root, hidden, root, facts->id, RENAME_NOREPLACE) == 0)
			return take_fd(&dir);
		if (errno == EEXIST)
			fail(err, ERROR_BUSY, "container \"%s\" already exists", facts->id);
		else
			fail_errno(err, "name the record of container \"%s\"", facts->id);
	}
	if (tree_remove(root, hidden, &ignored) < 0)
		log_warn("%s", ignored.text);
	return -1;
}

int state_note_cgroup(int dir, const char *path, struct error *err)
{
	if (unlinkat(dir, CGROUP_LINK, 0) < 0 && errno != ENOENT)
		return fail_errno(err, "note the cgroup");
	if (path && symlinkat(path, dir, CGROUP_LINK) < 0)
		return fail_errno(err, "note the cgroup");
	return 0;
}

int state_note_facts(int dir, const struct container_facts *facts, struct error *err)
{
	size_t length;
	auto_free char *text = facts_encode(facts, &length);

	return file_replace(dir, FACTS, 0600, FILE_VOLATILE, text, length, err);
}

int state_note_scope(int dir, const struct container_facts *facts, struct error *err)
{
	auto_free char *text =
		text_format("%s%s", facts->scope_of_user ? SCOPE_OF_USER : SCOPE_OF_SYSTEM, facts->cgroup_path);

	return symlinkat(text, dir, CGROUP_LINK) < 0 ? fail_errno(err, "note the scope") : 0;
}

int state_note_process(int dir, const struct process_id *id, struct error *err)
{
	char text[64];

	snprintf(text, sizeof(text), "%d:%llu", id->pid, (unsigned long long)id->start_time);
	if (symlinkat(text, dir, PROCESS_LINK) < 0)
		return fail_errno(err, "note the first process");
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* What says something of the moment, and nothing of the record. */
static bool is_of_the_moment(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == EINTR || errnum == EAGAIN;
}

/* The link's text in the arena; NULL when there is none, or something else in its place. */
static int link_text(struct arena *arena, int dir, const char *name, const char **out, struct error *err)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(dir, name, text, sizeof(text));

	*out = NULL;
	if (length < 0 && errno != ENOENT && errno != EINVAL)
		return fail_errno(err, "read the link %s", name);
	if (length > 0 && length < (ssize_t)sizeof(text))
		*out = arena_bytes(arena, text, (size_t)length);
	return 0;
}

/* "123:456789": what is no such thing is no process. */
static struct process_id process_parse(struct arena *arena, const char *text)
{
	struct strings parts = {0};
	struct error ignored;
	int64_t pid;
	uint64_t start;

	if (text)
		parts = strings_split(arena, text, ':');
	if (parts.count != 2 || number_parse(parts.items[0], 1, INT_MAX, &pid, &ignored) < 0 ||
		number_parse_u64(parts.items[1], UINT64_MAX, &start, &ignored) < 0)
		return (struct process_id){0};
	return (struct process_id){.pid = (pid_t)pid, .start_time = start};
}

/* "system:/system.slice/x.scope": the prefix is no path, as those have no colon. */
static void cgroup_parse(const char *text, struct container_facts *out)
{
	out->cgroup_path = text;
	out->scope_of_user = text && text_starts_with(text, SCOPE_OF_USER "/");
	if (!out->scope_of_user && !(text && text_starts_with(text, SCOPE_OF_SYSTEM "/")))
		return;
	out->cgroup_path = strchr(text, '/');
	out->scope = strrchr(text, '/') + 1;
}

bool state_is_removed(int dir)
{
	struct stat status;

	return fstat(dir, &status) == 0 && status.st_nlink == 0;
}

static int fail_missing(struct error *err, const char *id)
{
	return fail(err, ERROR_MISSING, "container \"%s\" does not exist", id);
}

int state_open(int root, const char *id, bool lock, struct error *err)
{
	auto_fd dir = -1;

	if (id_check(id, err) < 0)
		return -1;
	dir = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT)
		return fail_missing(err, id);
	if (dir < 0)
		return fail_errno(err, "open the record of container \"%s\"", id);
	if (lock && lock_exclusive(dir, STATE_LOCK_WAIT_MS, err) < 0)
		return blame(err, "container \"%s\" is being changed", id);
	if (state_is_removed(dir)) /* by whom we have waited for */
		return fail_missing(err, id);
	return take_fd(&dir);
}

static int fail_damaged(struct error *err, const char *id)
{
	blame(err, "the record of container \"%s\" is damaged", id);
	err->kind = ERROR_USAGE;
	return -1;
}

static void links_parse(
	struct arena *arena, const struct state_texts *texts, const char *id, struct container_facts *out)
{
	*out = (struct container_facts){.id = arena_string(arena, id), .init = process_parse(arena, texts->process)};
	cgroup_parse(texts->cgroup, out);
}

int state_parse(struct arena *arena, const struct state_texts *texts, const char *id, struct container_facts *out,
	struct error *err)
{
	links_parse(arena, texts, id, out);
	return facts_parse(arena, texts, id, out, err) < 0 ? fail_damaged(err, id) : 0;
}

int state_read(struct arena *arena, int dir, const char *id, struct container_facts *out, struct error *err)
{
	struct state_texts texts;

	*out = (struct container_facts){.id = arena_string(arena, id)};
	if (link_text(arena, dir, CGROUP_LINK, &texts.cgroup, err) < 0 ||
		link_text(arena, dir, PROCESS_LINK, &texts.process, err) < 0)
		return blame(err, "container \"%s\"", id);
	if (file_read(arena, dir, FACTS, FACTS_MAX, &texts.facts, &texts.facts_length, err) == 0)
		return state_parse(arena, &texts, id, out, err);
	links_parse(arena, &texts, id, out);
	if (err->kind == ERROR_SYSTEM && is_of_the_moment(err->errnum))
		return blame(err, "container \"%s\"", id);
	return fail_damaged(err, id);
}

/* 1, 0, or -1. */
static int is_held_for_start(int dir, struct error *err)
{
	auto_fd lock = openat(dir, STATE_START_LOCK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int held = lock >= 0 ? ofd_lock_is_held(lock) : 0;

	if (held < 0 || (lock < 0 && errno != ENOENT))
		return fail_errno(err, "look at " STATE_START_LOCK);
	return held;
}

int state_status(
	int dir, const struct container_facts *facts, bool locked, enum container_status *out, struct error *err)
{
	int answer;

	if (boot_id_read(err) < 0)
		return -1;
	*out = CONTAINER_STOPPED;
	if (!text_equal(facts->boot, boot_id()))
		return 0;
	if (!facts->init.pid) {
		if (!locked && lock_is_held(dir, "."))
			*out = CONTAINER_CREATING;
		return 0;
	}
	answer = process_look(&facts->init, err);
	if (answer <= 0)
		return answer;
	answer = is_held_for_start(dir, err);
	if (answer < 0)
		return -1;
	*out = answer ? CONTAINER_CREATED : CONTAINER_RUNNING;
	return 0;
}

/* --- the state directory ------------------------------------------------------------------------------------------ */

/* Under a hidden name first, so that nobody ever sees half of it. What a record usually holds goes by name; a directory
 * that is not empty then is removed as a tree. */
int state_remove(int root, int dir, const char *id, struct error *err)
{
	static const char *const files[] = {
		PROCESS_LINK, STATE_START_SOCKET, STATE_START_LOCK, STATE_CONFIG, FACTS, CGROUP_LINK};
	char hidden[32];

	snprintf(hidden, sizeof(hidden), HIDDEN "%d.end", getpid());
	if (renameat(root, id, root, hidden) == 0)
		id = hidden;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (unlinkat(dir, files[i], 0) < 0 && errno != ENOENT)
			break;
	if (unlinkat(root, id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return tree_remove(root, id, err);
}

int state_names(struct arena *arena, int root, struct strings *names, struct error *err)
{
	struct strings all;
	struct error ignored;

	*names = (struct strings){0};
	if (dir_list(arena, root, CONTAINERS_MAX, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count; i++)
		if (id_check(all.items[i], &ignored) == 0)
			strings_add(arena, names, all.items[i]);
	return 0;
}

/* A process of its maker's number is there. */
static bool has_maker(struct arena *arena, const char *name)
{
	struct strings parts = strings_split(arena, name + strlen(HIDDEN), '.');
	struct error ignored;
	int64_t pid;

	if (number_parse(parts.items[0], 1, INT_MAX, &pid, &ignored) < 0)
		return false;
	return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

/* A directory whose maker lives is locked, but for the moment between mkdir and flock: the very young of those who live
 * are spared. */
static bool is_abandoned(struct arena *arena, int root, const char *name)
{
	struct stat status;

	if (fstatat(root, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode))
		return false;
	if (time(NULL) - status.st_mtime <= 2 && has_maker(arena, name))
		return false;
	return !lock_is_held(root, name);
}

void state_sweep(int root)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings all;
	struct error err;

	if (dir_list(&arena, root, CONTAINERS_MAX, &all, &err) < 0)
		return;
	for (size_t i = 0; i < all.count; i++) {
		if (!text_starts_with(all.items[i], HIDDEN) || !is_abandoned(&arena, root, all.items[i]))
			continue;
		if (tree_remove(root, all.items[i], &err) < 0)
			log_warn("%s", err.text);
	}
}

/* --- what hooks and `state` show ---------------------------------------------------------------------------------- */

char *state_hook_json(const struct container_facts *facts, const char *status, pid_t pid, size_t *length)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "ociVersion", facts->oci_version);
	encode_string(encoder, "id", facts->id);
	encode_string(encoder, "status", status);
	if (pid > 0)
		encode_integer(encoder, "pid", pid);
	encode_string(encoder, "root", facts->root);
	encode_string(encoder, "bundle", facts->bundle);
	encode_pairs(encoder, "annotations", &facts->annotations);
	encode_object_end(encoder);
	return encoder_take(encoder, length);
}
