/* Users and groups of the host image. */
#include "images/host/accounts.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/files/everybody.h"

#define PASSWD_MASTER "/usr/share/base-passwd/passwd.master"
#define GROUP_MASTER "/usr/share/base-passwd/group.master"
#define SYSUSERS "/usr/lib/sysusers.d"
#define FILE_MAX (1 << 20)
#define ACCOUNTS_MAX 4096
#define DECLARATIONS_MAX 1024
#define STATIC_IDS 100	     /* Debian policy 9.2.2: 0-99 are the same everywhere */
#define DYNAMIC_ID_FIRST 999 /* counted down, as adduser and systemd-sysusers do */

/* Where base-passwd is missing. */
static const char passwd_builtin[] = "root:*:0:0:root:/root:/bin/bash\n"
				     "daemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
				     "bin:*:2:2:bin:/bin:/usr/sbin/nologin\n"
				     "mail:*:8:8:mail:/var/mail:/usr/sbin/nologin\n"
				     "www-data:*:33:33:www-data:/var/www:/usr/sbin/nologin\n"
				     "nobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
static const char group_builtin[] = "root:*:0:\ndaemon:*:1:\nbin:*:2:\nadm:*:4:\ntty:*:5:\ndisk:*:6:\nmail:*:8:\n"
				    "www-data:*:33:\nshadow:*:42:\nutmp:*:43:\nstaff:*:50:\nusers:*:100:\n"
				    "nogroup:*:65534:\n";

/* --- parsed lists ------------------------------------------------------------------------------------------------- */

static const struct account *account_by_id(const struct account_list *list, uint32_t id)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].id == id)
			return &list->items[i];
	return NULL;
}

static const struct account *account_by_name(const struct account_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	return NULL;
}

static void account_add(struct account_list *list, const char *name, uint32_t id)
{
	if (list->count < ACCOUNTS_MAX)
		list->items[list->count++] = (struct account){name, id};
}

struct account_list accounts_parse(struct arena *arena, const char *text)
{
	struct account_list list = {.items = arena_new_array(arena, ACCOUNTS_MAX, struct account)};
	struct strings lines = strings_split(arena, text, '\n');

	for (size_t i = 0; i < lines.count; i++) {
		struct strings fields = strings_split(arena, lines.items[i], ':');
		struct error ignored;
		int64_t id;

		if (fields.count >= 3 && *fields.items[0] &&
			number_parse(fields.items[2], 0, UINT32_MAX - 1, &id, &ignored) == 0)
			account_add(&list, fields.items[0], (uint32_t)id);
	}
	return list;
}

static uint32_t translate(const struct account_list *from, const struct account_list *to, uint32_t id)
{
	const struct account *there = account_by_id(from, id), *here;

	if (id < STATIC_IDS)
		return id;
	here = there ? account_by_name(to, there->name) : NULL;
	return here ? here->id : 0;
}

uint32_t accounts_user(const struct accounts *accounts, uint32_t host_id)
{
	return translate(&accounts->host_users, &accounts->users, host_id);
}

uint32_t accounts_group(const struct accounts *accounts, uint32_t host_id)
{
	return translate(&accounts->host_groups, &accounts->groups, host_id);
}

/* --- the files' text ---------------------------------------------------------------------------------------------- */

static const char *host_text(struct arena *arena, int host, const char *path, const char *otherwise)
{
	const char *content;
	size_t length;

	if (!everybody_read(arena, host, path, FILE_MAX, &content, &length, NULL) || strlen(content) != length)
		return otherwise;
	return content;
}

/* The master files have "*" where ours say that the password is in /etc/shadow. */
static void master_append(struct text *text, const char *master)
{
	const char *star;

	while (*master) {
		size_t length = strcspn(master, "\n");

		star = memmem(master, length, ":*:", 3);
		if (star)
			text_appendf(text, "%.*s:x:%.*s\n", (int)(star - master), master,
				(int)(length - (size_t)(star - master) - 3), star + 3);
		master += length + (master[length] == '\n');
	}
}

static void group_add(struct accounts *accounts, const char *name, uint32_t id)
{
	if (account_by_name(&accounts->groups, name))
		return;
	account_add(&accounts->groups, name, id);
	text_appendf(&accounts->group, "%s:x:%u:\n", name, id);
}

static void user_add(struct accounts *accounts, const char *name, uint32_t uid, uint32_t gid, const char *comment,
	const char *home, const char *shell)
{
	if (account_by_name(&accounts->users, name))
		return;
	account_add(&accounts->users, name, uid);
	text_appendf(&accounts->passwd, "%s:x:%u:%u:%s:%s:%s\n", name, uid, gid, comment, home, shell);
}

static void shadow_make(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->users.count; i++)
		text_appendf(&accounts->shadow, "%s:*:19000:0:99999:7:::\n", accounts->users.items[i].name);
}

/* --- sysusers.d(5): users that packages declare in /usr ----------------------------------------------------------- */

#define DECLARATION_FIELDS 6
struct declaration {
	const char *fields[DECLARATION_FIELDS]; /* type, name, id, comment, home, shell; NULL: absent */
};

/* Words divided by blanks; one in double quotes may hold blanks. "-" stands for absent. */
static const char *field_next(struct arena *arena, const char **rest)
{
	const char *start = *rest + strspn(*rest, " \t");
	bool quoted = *start == '"';
	size_t length = quoted ? strcspn(start + 1, "\"") : strcspn(start, " \t");
	const char *field = arena_bytes(arena, start + quoted, length);

	*rest = start + quoted + length;
	if (quoted && **rest)
		(*rest)++;
	return *field && strcmp(field, "-") != 0 ? field : NULL;
}

static struct declaration declaration_parse(struct arena *arena, const char *line)
{
	struct declaration declaration;

	for (size_t i = 0; i < DECLARATION_FIELDS; i++)
		declaration.fields[i] = field_next(arena, &line);
	return declaration;
}

/* What ends in a line of passwd(5) holds neither its separators nor anything unexpected in a name. */
static bool field_is_clean(const char *field)
{
	struct error ignored;

	return !field || (line_check("field", field, &ignored) == 0 && !strchr(field, ':'));
}

static bool name_is_clean(const char *name)
{
	return name && strlen(name) <= 32 && !strchr("-0123456789", name[0]) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(name);
}

/* A number, or the next free one ("-", a path, and all else). */
static uint32_t declared_id(const struct accounts *accounts, const char *text)
{
	struct error ignored;
	int64_t id;

	if (text && number_parse(text, 0, 65534, &id, &ignored) == 0 &&
		!account_by_id(&accounts->users, (uint32_t)id) && !account_by_id(&accounts->groups, (uint32_t)id))
		return (uint32_t)id;
	for (id = DYNAMIC_ID_FIRST; id > STATIC_IDS; id--)
		if (!account_by_id(&accounts->users, (uint32_t)id) && !account_by_id(&accounts->groups, (uint32_t)id))
			break;
	return (uint32_t)id;
}

static void declaration_apply(struct accounts *accounts, const struct declaration *declaration)
{
	const char *const *fields = declaration->fields;
	const struct account *group;
	uint32_t id;

	if (!name_is_clean(fields[1]) || !field_is_clean(fields[3]) || !field_is_clean(fields[4]) ||
		!field_is_clean(fields[5]))
		return;
	if (fields[0][0] == 'u' && account_by_name(&accounts->users, fields[1]))
		return;
	group = account_by_name(&accounts->groups, fields[1]);
	id = group ? group->id : declared_id(accounts, fields[2]);
	group_add(accounts, fields[1], id);
	if (fields[0][0] == 'u')
		user_add(accounts, fields[1], id, id, fields[3] ? fields[3] : "", fields[4] ? fields[4] : "/",
			fields[5] ? fields[5] : "/usr/sbin/nologin");
}

static bool declares_account(const struct declaration *declaration)
{
	const char *type = declaration->fields[0];

	return type && (type[0] == 'u' || type[0] == 'g');
}

static void sysusers_read(struct arena *arena, int host, const char *name, struct accounts *accounts)
{
	auto_free char *path = text_format("%s/%s", SYSUSERS, name);
	struct strings lines = strings_split(arena, host_text(arena, host, path, ""), '\n');

	for (size_t i = 0; i < lines.count && i < DECLARATIONS_MAX; i++) {
		struct declaration declaration = declaration_parse(arena, lines.items[i]);

		if (declares_account(&declaration))
			declaration_apply(accounts, &declaration);
	}
}

static int sysusers_add(struct arena *arena, int host, struct accounts *accounts, struct error *err)
{
	struct strings names = {0};
	auto_fd dir = everybody_open(host, SYSUSERS, O_RDONLY | O_DIRECTORY);

	if (dir < 0)
		return 0;
	if (dir_list(arena, dir, DECLARATIONS_MAX, &names, err) < 0)
		return blame(err, "list %s", SYSUSERS);
	for (size_t i = 0; i < names.count; i++)
		if (text_ends_with(names.items[i], ".conf"))
			sysusers_read(arena, host, names.items[i], accounts);
	return 0;
}

int accounts_make(struct arena *arena, int host, struct accounts *out, struct error *err)
{
	*out = (struct accounts){0};
	master_append(&out->passwd, host_text(arena, host, PASSWD_MASTER, passwd_builtin));
	master_append(&out->group, host_text(arena, host, GROUP_MASTER, group_builtin));
	out->users = accounts_parse(arena, text_string(&out->passwd));
	out->groups = accounts_parse(arena, text_string(&out->group));
	out->host_users = accounts_parse(arena, host_text(arena, host, "/etc/passwd", ""));
	out->host_groups = accounts_parse(arena, host_text(arena, host, "/etc/group", ""));
	if (sysusers_add(arena, host, out, err) < 0)
		return -1;
	shadow_make(out);
	return 0;
}

void accounts_drop(struct accounts *accounts)
{
	text_drop(&accounts->passwd);
	text_drop(&accounts->group);
	text_drop(&accounts->shadow);
}
