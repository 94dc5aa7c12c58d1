/* The forms of `network`, as a table. A name of ours has no colon, so they cannot be taken for one another. */
#include "fleet/spec/network_mode.h"

#include <net/if.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/suggest.h"
#include "base/text.h"
#include "netns/netns.h"

static int check_nothing(const char *of, struct error *err)
{
	(void)of, (void)err;
	return 0;
}

static int check_instance(const char *of, struct error *err)
{
	return name_check("instance name", of, err);
}

/* As dev_valid_name() of the kernel, and printable. */
static int check_link(const char *of, struct error *err)
{
	static const char *const good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@";
	size_t length = strlen(of);

	if (length == 0 || length >= IFNAMSIZ || strspn(of, good) != length || !strcmp(of, ".") || !strcmp(of, ".."))
		return fail(err, ERROR_USAGE, "\"%.64s\" is no name of a link: 1 to %d letters, digits and . _ - @", of,
			IFNAMSIZ - 1);
	return 0;
}

static int check_path(const char *of, struct error *err)
{
	return path_check_absolute("network namespace", of, err);
}

static const struct {
	const char *word; /* one that ends in a colon is a prefix */
	enum network_kind kind;
	int (*check)(const char *of, struct error *err);
} forms[] = {
	{"host", NETWORK_HOST, check_nothing},
	{"none", NETWORK_NONE, check_nothing},
	{"shared:", NETWORK_SHARED, check_instance},
	{"macvlan:", NETWORK_MACVLAN, check_link},
	{"bridge:", NETWORK_BRIDGE, check_link},
	{"ns:", NETWORK_BY_PATH, check_path},
};

static bool form_fits(size_t form, const char *network)
{
	return text_ends_with(forms[form].word, ":") ? text_starts_with(network, forms[form].word)
						     : text_equal(network, forms[form].word);
}

struct network_mode network_mode(const char *network)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (form_fits(i, network))
			return (struct network_mode){forms[i].kind, network + strlen(forms[i].word)};
	return (struct network_mode){NETWORK_ROUTED, network};
}

static const char *next_form(const void *context, size_t i)
{
	(void)context;
	return i < ARRAY_SIZE(forms) ? forms[i].word : NULL;
}

static int fail_form(const char *network, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *prefix = arena_bytes(&arena, network, strcspn(network, ":") + 1);
	const char *guess = suggest(prefix, next_form, NULL);

	return fail(err, ERROR_USAGE,
		"network \"%.64s\": expected a name, host, none, shared:INSTANCE, macvlan:LINK, "
		"bridge:NAME or ns:/PATH%s%s%s",
		network, guess ? "; did you mean \"" : "", guess ? guess : "", guess ? "\"?" : "");
}

int network_mode_check(const char *network, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (form_fits(i, network))
			return forms[i].check(network + strlen(forms[i].word), err);
	if (strchr(network, ':'))
		return fail_form(network, err);
	return name_check("network", network, err);
}

bool network_is_built_in(const char *name)
{
	return text_equal(name, NETWORK_DEFAULT) || text_equal(name, "host") || text_equal(name, "none");
}

bool network_is_routed(const char *network)
{
	return network_mode(network).kind == NETWORK_ROUTED;
}

bool network_is_lan(const char *network)
{
	enum network_kind kind = network_mode(network).kind;

	return kind == NETWORK_MACVLAN || kind == NETWORK_BRIDGE;
}

bool network_is_joined(const char *network)
{
	enum network_kind kind = network_mode(network).kind;

	return kind == NETWORK_SHARED || kind == NETWORK_BY_PATH;
}
