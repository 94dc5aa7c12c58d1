/* Templates, printed into memory. */
#include "cli/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/test.h"

static const char document[] =
	"{\"name\":\"blog\",\"pid\":4711,\"up\":true,\"nothing\":null,\"last_exit\":{\"status\":3},"
	"\"ports\":[{\"target\":80,\"published\":8080},{\"target\":443,\"published\":8443}],"
	"\"spec\":{\"labels\":{\"a.b\":\"c d\",\"x\":\"y\"},\"args\":[\"nginx\",\"-g\"]},\"text\":\"schön\"}";

static const char *const optional[] = {"address", "health", NULL};
static const struct template_alias aliases[] = {
	{"State.Pid", "pid"}, {"State.Health.Status", "health.state"}, {"Config.Labels", "spec.labels"}, {NULL, NULL}};

/* What is printed, or, of a refusal, its line. The caller frees it. */
static char *printed(const char *template)
{
	static const struct template_names names = {.optional = optional, .aliases = aliases};
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err = {0};
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	ASSERT_OK(json_parse(&arena, "document", document, strlen(document), JSON_PLAIN, &doc, &err));
	int result = template_print(&arena, template, doc.root, &names, out, &err);
	fclose(out);
	if (result == 0)
		return text;
	cr_assert(!*text && err.kind == ERROR_USAGE, "a refused template printed \"%s\"", text);
	free(text);
	return strdup(err.text);
}

struct row {
	const char *template, *expected;
};

static void assert_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		auto_free char *text = printed(rows[i].template);

		cr_assert(!strcmp(text, rows[i].expected), "%s gives \"%s\", expected \"%s\"", rows[i].template, text,
			rows[i].expected);
	}
}

TEST(template, prints_values_by_their_names)
{
	static const struct row rows[] = {
		{"plain", "plain\n"},
		{"{{.name}}", "blog\n"},
		{"{{ .Name }}:{{.PID}}\\t{{.up}}", "blog:4711\ttrue\n"},
		{"{{.LastExit.Status}} {{.last_exit.status}}", "3 3\n"},
		{"{{.ports.1.published}}", "8443\n"},
		{"{{.spec.args}}", "[\"nginx\",\"-g\"]\n"},
		{"{{.address}}|{{.health.state}}|{{.spec.none}}|{{.nothing}}|{{.ports.7}}", "||||\n"},
		{"{{.State.Pid}} {{.State.Health.Status}}", "4711 \n"},
		{"{{.Config.Labels.x}} {{index .Config.Labels \"a.b\"}}", "y c d\n"},
		{"{{$.text}} {{.text}}", "schön schön\n"},
	};

	assert_rows(rows, ARRAY_SIZE(rows));
}

TEST(template, knows_json_index_len_and_range)
{
	static const struct row rows[] = {
		{"{{json .ports}}", "[{\"target\":80,\"published\":8080},{\"target\":443,\"published\":8443}]\n"},
		{"{{json .name}} {{json .address}} {{json .nothing}}", "\"blog\" null null\n"},
		{"{{index .spec.labels \"a.b\"}}", "c d\n"},
		{"{{index .ports 0 \"published\"}}", "8080\n"},
		{"{{len .ports}} {{len .name}} {{len .address}} {{len .spec.labels}}", "2 4 0 2\n"},
		{"{{range .ports}}{{.target}}>{{.published}} {{end}}.", "80>8080 443>8443 .\n"},
		{"{{range .spec.args}}<{{.}}>{{end}}", "<nginx><-g>\n"},
		{"{{range .spec.labels}}{{.}};{{end}}", "c d;y;\n"},
		{"{{range .ports}}{{range $.spec.args}}{{.}}{{end}},{{end}}", "nginx-g,nginx-g,\n"},
		{"{{range .address}}{{.x}}{{end}}|{{range .name}}no{{end}}", "|\n"},
	};

	assert_rows(rows, ARRAY_SIZE(rows));
}

TEST(template, knows_conditions_and_functions_of_texts)
{
	static const struct row rows[] = {
		{"{{if .name}}yes{{end}} {{if .address}}no{{end}}.", "yes .\n"},
		{"{{if .up}}up{{else}}down{{end}} {{if .nothing}}{{.name}}{{else}}none{{end}}", "up none\n"},
		{"{{if not .up}}down{{else}}up{{end}}", "up\n"},
		{"{{if eq .name \"blog\"}}a{{end}}{{if ne .name \"blog\"}}b{{end}}{{if eq .pid 4711}}c{{end}}", "ac\n"},
		{"{{if eq .up true}}a{{end}}{{if eq .address \"\"}}b{{end}}{{if eq .ports.0.target "
		 ".ports.1.target}}c{{end}}",
			"ab\n"},
		{"{{range .ports}}{{if eq .target 443}}{{.published}}{{else}}-{{end}}{{end}}", "-8443\n"},
		{"{{range .address}}x{{else}}no{{end}} {{range .ports}}x{{else}}no{{end}}", "no xx\n"},
		{"{{if .up}}{{if .address}}a{{else}}b{{end}}c{{else}}d{{end}}", "bc\n"},
		{"{{join .spec.args \" \"}}|{{join .spec.args \"\\n\"}}|{{join .name \",\"}}|{{join .address \",\"}}",
			"nginx -g|nginx\n-g|blog|\n"},
		{"{{upper .name}} {{lower .Name}}{{upper .address}}", "BLOG blog\n"},
		{"{{range .spec.args}}{{println .}}{{end}}", "nginx\n-g\n\n"},
		{"{{.name}}{{\"\\t\"}}{{\"a b\"}}", "blog\ta b\n"},
	};

	assert_rows(rows, ARRAY_SIZE(rows));
}

TEST(template, refuses_what_it_does_not_know_and_prints_nothing)
{
	static const struct row rows[] = {
		{"{{.nmae}}", "--format: no member \".nmae\"; did you mean \".name\"?; {{json .}} shows all there are"},
		{"{{.name}} {{.State.Zero}}", "--format: no member \".State\"; {{json .}} shows all there are"},
		{"{{.name", "--format: \"{{.name\" has no closing }}"},
		{"{{}}", "--format: nothing between {{ and }}"},
		{"{{template .name}}",
			"--format: \"template\" is not known here; {{.name}}, {{json .name}}, {{index .name \"key\"}}, "
			"{{len .name}}, {{join .name \" \"}}, {{upper .name}}, {{range .name}}…{{end}} and "
			"{{if .name}}…{{else}}…{{end}} are"},
		{"{{json}}", "--format: json: as in {{json .ports}}"},
		{"{{index .ports}}", "--format: index: as in {{index .ports 0}}"},
		{"{{json name}}", "--format: \"name\" begins with no \".\""},
		{"{{.a..b}}", "--format: no member \".a\"; {{json .}} shows all there are"},
		{"{{.spec..b}}", "--format: a name is missing behind a \".\""},
		{"{{.name .pid}}", "--format: \".pid\": one value at a time"},
		{"{{end}}", "--format: {{end}} without a {{range}} or {{if}}"},
		{"{{else}}", "--format: {{else}} without a {{range}} or {{if}}"},
		{"{{if .name}}", "--format: {{if}} without its {{end}}"},
		{"{{if .name}}{{else}}{{else}}{{end}}", "--format: {{else}} twice"},
		{"{{if .name}}{{else if .pid}}{{end}}", "--format: {{else if …}} is not known here"},
		{"{{if}}x{{end}}",
			"--format: if: as in {{if .health}}, {{if not .health}} or {{if eq .state \"running\"}}"},
		{"{{if .nmae}}x{{end}}",
			"--format: no member \".nmae\"; did you mean \".name\"?; {{json .}} shows all there are"},
		{"{{range .ports}}", "--format: {{range}} without its {{end}}"},
		{"{{range .address}}{{define}}{{end}}",
			"--format: \"define\" is not known here; {{.name}}, {{json .name}}, {{index .name \"key\"}}, "
			"{{len .name}}, {{join .name \" \"}}, {{upper .name}}, {{range .name}}…{{end}} and "
			"{{if .name}}…{{else}}…{{end}} are"},
		{"{{index .spec.labels \"a}}", "--format: a quote is not closed"},
	};

	assert_rows(rows, ARRAY_SIZE(rows));
}

/* Eight ranges over a long text's items would make more than any memory holds. */
TEST(template, is_bounded)
{
	auto_free char *deep = printed("{{range .ports}}{{range $.ports}}{{range $.ports}}{{range $.ports}}{{range "
				       "$.ports}}{{range $.ports}}{{range $.ports}}{{range $.ports}}{{range $.ports}}"
				       "x{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}");

	cr_assert_str_eq(deep, "--format: more than 8 blocks in one another");
}
