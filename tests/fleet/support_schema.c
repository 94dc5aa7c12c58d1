#include "tests/fleet/support_schema.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/test.h"

struct checking {
	const struct json *whole, *schema, *value;
};

static bool matches(const char *pattern, const char *text)
{
	regex_t regex;
	bool found;

	cr_assert(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) == 0, "%s", pattern);
	found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

static bool has_type(const struct json *value, const char *type)
{
	static const struct {
		const char *name;
		enum json_kind kind;
	} types[] = {{"null", JSON_NULL}, {"boolean", JSON_BOOL}, {"number", JSON_NUMBER}, {"integer", JSON_NUMBER},
		{"string", JSON_STRING}, {"array", JSON_ARRAY}, {"object", JSON_OBJECT}};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].name, type))
			return value->kind == types[i].kind && (strcmp(type, "integer") || !strchr(value->text, '.'));
	cr_assert_fail("type %s", type);
	return false;
}

static bool check_type(const struct checking *at, const struct json *rule)
{
	if (rule->kind == JSON_STRING)
		return has_type(at->value, rule->text);
	for (const struct json *type = rule->first; type; type = type->next)
		if (has_type(at->value, type->text))
			return true;
	return false;
}

static bool check_enum(const struct checking *at, const struct json *rule)
{
	for (const struct json *item = rule->first; item; item = item->next)
		if (item->kind == at->value->kind && (item->kind == JSON_NULL || !strcmp(item->text, at->value->text)))
			return true;
	return false;
}

static bool check_any_of(const struct checking *at, const struct json *rule)
{
	for (const struct json *item = rule->first; item; item = item->next)
		if (schema_allows(at->whole, item, at->value))
			return true;
	return false;
}

static bool check_pattern(const struct checking *at, const struct json *rule)
{
	return at->value->kind != JSON_STRING || matches(rule->text, at->value->text);
}

static bool check_minimum(const struct checking *at, const struct json *rule)
{
	return at->value->kind != JSON_NUMBER || strtod(at->value->text, NULL) >= strtod(rule->text, NULL);
}

static bool check_maximum(const struct checking *at, const struct json *rule)
{
	return at->value->kind != JSON_NUMBER || strtod(at->value->text, NULL) <= strtod(rule->text, NULL);
}

static bool check_items(const struct checking *at, const struct json *rule)
{
	if (at->value->kind == JSON_ARRAY)
		for (const struct json *item = at->value->first; item; item = item->next)
			if (!schema_allows(at->whole, rule, item))
				return false;
	return true;
}

static bool check_required(const struct checking *at, const struct json *rule)
{
	if (at->value->kind == JSON_OBJECT)
		for (const struct json *key = rule->first; key; key = key->next)
			if (!json_get(at->value, key->text))
				return false;
	return true;
}

static bool check_not(const struct checking *at, const struct json *rule)
{
	return !schema_allows(at->whole, rule, at->value);
}

static bool check_reference(const struct checking *at, const struct json *rule)
{
	const struct json *to;

	cr_assert(text_starts_with(rule->text, "#/$defs/"));
	to = json_get(json_get(at->whole, "$defs"), rule->text + strlen("#/$defs/"));
	cr_assert(to, "%s", rule->text);
	return schema_allows(at->whole, to, at->value);
}

/* The three words that share out an object's members. */
static bool member_allowed(const struct checking *at, const struct json *member)
{
	const struct json *known = json_get(at->schema, "properties"),
			  *rest = json_get(at->schema, "additionalProperties"),
			  *patterns = json_get(at->schema, "patternProperties");
	const struct json *own = known ? json_get(known, member->key) : NULL;

	if (own)
		return schema_allows(at->whole, own, member);
	for (const struct json *row = patterns ? patterns->first : NULL; row; row = row->next)
		if (matches(row->key, member->key))
			return schema_allows(at->whole, row, member);
	if (!rest)
		return true;
	return rest->kind == JSON_BOOL ? rest->boolean : schema_allows(at->whole, rest, member);
}

static bool members_allowed(const struct checking *at)
{
	const struct json *names = json_get(at->schema, "propertyNames");

	if (at->value->kind != JSON_OBJECT)
		return true;
	for (const struct json *member = at->value->first; member; member = member->next) {
		const struct json name = {.kind = JSON_STRING, .text = member->key};

		if ((names && !schema_allows(at->whole, names, &name)) || !member_allowed(at, member))
			return false;
	}
	return true;
}

static const struct {
	const char *word;
	bool (*check)(const struct checking *at, const struct json *rule); /* NULL: says nothing, or see above */
} words[] = {
	{"type", check_type},
	{"enum", check_enum},
	{"anyOf", check_any_of},
	{"not", check_not},
	{"pattern", check_pattern},
	{"minimum", check_minimum},
	{"maximum", check_maximum},
	{"items", check_items},
	{"required", check_required},
	{"$ref", check_reference},
	{"properties", NULL},
	{"patternProperties", NULL},
	{"additionalProperties", NULL},
	{"propertyNames", NULL},
	{"$schema", NULL},
	{"$defs", NULL},
	{"title", NULL},
	{"description", NULL},
};

static bool rule_allows(const struct checking *at, const struct json *rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].word, rule->key))
			return !words[i].check || words[i].check(at, rule);
	cr_assert_fail("unknown word %s", rule->key);
	return false;
}

bool schema_allows(const struct json *whole, const struct json *schema, const struct json *value)
{
	const struct checking at = {whole, schema, value};

	for (const struct json *rule = schema->first; rule; rule = rule->next)
		if (!rule_allows(&at, rule))
			return false;
	return members_allowed(&at);
}
