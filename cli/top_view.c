/* The lines of `top`: which, in which order, and the frame around them. */
#include "cli/top_view.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/figures.h"
#include "cli/screen.h"
#include "cli/table.h"

#define HEAD_ROWS 3 /* two lines about the host, and the table's own */
#define FOOT_ROWS 1
#define REVERSE_VIDEO "\033[7m"
#define PLAIN "\033[0m"

/* One line: an instance, or the sum of a fleet. */
struct line {
	const struct instance_stats *stats;
	struct instance_stats sum; /* stats points here when it is a sum */
	size_t count;
};

struct lines {
	struct line *items;
	size_t count;
};

void top_view_init(struct top_view *view)
{
	*view = (struct top_view){.rows = 24};
}

/* --- which -------------------------------------------------------------------------------------------------------- */

static bool text_matches(const char *filter, const char *text)
{
	if (!text)
		return false;
	return strpbrk(filter, "*?[") ? fnmatch(filter, text, 0) == 0 : strstr(text, filter) != NULL;
}

static bool is_shown(const struct top_view *view, const struct instance_stats *stats)
{
	return !*view->filter || text_matches(view->filter, stats->name) || text_matches(view->filter, stats->fleet);
}

static void sum_optional(struct optional *sum, struct optional more)
{
	if (more.set)
		*sum = (struct optional){true, sum->value + more.value};
}

static void sum_add(struct instance_stats *sum, const struct instance_stats *one)
{
	struct cgroup_stats *cgroup = &sum->cgroup;

	sum_optional(&sum->cpu_permille, one->cpu_permille);
	sum_optional(&cgroup->cpu_limit_milli, one->cgroup.cpu_limit_milli);
	sum_optional(&cgroup->memory_bytes, one->cgroup.memory_bytes);
	sum_optional(&cgroup->memory_used_bytes, one->cgroup.memory_used_bytes);
	sum_optional(&cgroup->memory_limit_bytes, one->cgroup.memory_limit_bytes);
	sum_optional(&cgroup->pids, one->cgroup.pids);
	sum_optional(&sum->in_bytes, one->in_bytes);
	sum_optional(&sum->out_bytes, one->out_bytes);
	sum_optional(&sum->read_bytes, one->read_bytes);
	sum_optional(&sum->write_bytes, one->write_bytes);
	sum->restarts += one->restarts;
	if (one->health > sum->health)
		sum->health = one->health; /* the worst of them */
}

static struct line *fleet_line(struct lines *lines, const char *fleet)
{
	for (size_t i = 0; i < lines->count; i++)
		if (text_equal(lines->items[i].sum.fleet, fleet))
			return &lines->items[i];
	struct line *line = &lines->items[lines->count++];

	line->sum.fleet = fleet;
	line->sum.name = fleet ? fleet : "(no fleet)";
	line->stats = &line->sum;
	return line;
}

static void lines_fill(struct lines *lines, const struct top_view *view, const struct stats_sample *sample)
{
	for (size_t i = 0; i < sample->count; i++) {
		const struct instance_stats *stats = &sample->items[i];

		if (!is_shown(view, stats))
			continue;
		if (!view->by_fleet) {
			lines->items[lines->count++] = (struct line){.stats = stats, .count = 1};
			continue;
		}
		struct line *line = fleet_line(lines, stats->fleet);

		sum_add(&line->sum, stats);
		line->count++;
	}
}

/* --- order -------------------------------------------------------------------------------------------------------- */

static int64_t value_of(struct optional figure)
{
	return figure.set ? figure.value : -1;
}

static int64_t sum_of(struct optional a, struct optional b)
{
	return a.set || b.set ? (a.set ? a.value : 0) + (b.set ? b.value : 0) : -1;
}

static int64_t sort_value(const struct instance_stats *stats, enum top_sort sort)
{
	switch (sort) {
	case TOP_CPU:
		return value_of(stats->cpu_permille);
	case TOP_MEMORY:
		return value_of(stats_memory_used(stats));
	case TOP_PIDS:
		return value_of(stats->cgroup.pids);
	case TOP_NET:
		return sum_of(stats->in_bytes, stats->out_bytes);
	case TOP_DISK:
		return sum_of(stats->read_bytes, stats->write_bytes);
	case TOP_RESTARTS:
		return stats->restarts;
	case TOP_NAME:
	case TOP_SORTS:
		break;
	}
	return 0;
}

/* The largest first; equal ones stay as people sort names. */
static bool is_before(const struct top_view *view, const struct line *a, const struct line *b)
{
	int64_t one = sort_value(a->stats, view->sort), other = sort_value(b->stats, view->sort);

	return view->reversed ? one < other : one > other;
}

static void lines_merge(const struct top_view *view, struct line *items, struct line *spare, size_t half, size_t count)
{
	size_t a = 0, b = half;

	memcpy(spare, items, count * sizeof(*items));
	for (size_t i = 0; i < count; i++)
		items[i] = b == count || (a < half && !is_before(view, &spare[b], &spare[a])) ? spare[a++] : spare[b++];
}

static void lines_sort(const struct top_view *view, struct line *items, struct line *spare, size_t count)
{
	if (count < 2)
		return;
	lines_sort(view, items, spare, count / 2);
	lines_sort(view, items + count / 2, spare, count - count / 2);
	lines_merge(view, items, spare, count / 2, count);
}

static void lines_reverse(struct lines *lines)
{
	for (size_t i = 0; i < lines->count / 2; i++) {
		struct line swap = lines->items[i];

		lines->items[i] = lines->items[lines->count - 1 - i];
		lines->items[lines->count - 1 - i] = swap;
	}
}

static struct lines lines_make(struct arena *arena, const struct top_view *view, const struct stats_sample *sample)
{
	struct lines lines = {.items = arena_new_array(arena, sample->count + 1, struct line)};
	struct line *spare = arena_new_array(arena, sample->count + 1, struct line);

	lines_fill(&lines, view, sample);
	if (view->sort != TOP_NAME)
		lines_sort(view, lines.items, spare, lines.count);
	else if (view->reversed)
		lines_reverse(&lines);
	/* They have been moved. */
	for (size_t i = 0; view->by_fleet && i < lines.count; i++)
		lines.items[i].stats = &lines.items[i].sum;
	return lines;
}

/* --- as a table --------------------------------------------------------------------------------------------------- */

enum {
	NAME,
	COUNT,
	CPU,
	CPU_LIMIT,
	MEMORY,
	MEMORY_SHARE,
	PRESSURE,
	IN,
	OUT,
	READ,
	WRITE,
	PIDS,
	RESTARTS,
	HEALTH,
	FLEET
};

#define NUMBER(title_, drop_)                                                                                          \
	{                                                                                                              \
		.title = title_, .key = "", .kind = COLUMN_NUMBER, .drop = drop_                                       \
	}
static const struct column instance_columns[] = {
	[NAME] = {.title = "NAME", .key = ""},
	[COUNT] = {.title = "", .key = "", .json_only = true},
	[CPU] = NUMBER("CPU%", 0),
	[CPU_LIMIT] = NUMBER("OF-LIMIT", 3),
	[MEMORY] = NUMBER("MEMORY", 0),
	[MEMORY_SHARE] = NUMBER("MEM%", 9),
	[PRESSURE] = {.title = "PRESSURE", .key = "", .drop = 3},
	[IN] = NUMBER("IN/S", 8),
	[OUT] = NUMBER("OUT/S", 7),
	[READ] = NUMBER("READ/S", 4),
	[WRITE] = NUMBER("WRITE/S", 5),
	[PIDS] = NUMBER("PIDS", 10),
	[RESTARTS] = NUMBER("RESTARTS", 1),
	[HEALTH] = {.title = "HEALTH", .key = "", .drop = 6},
	[FLEET] = {.title = "FLEET", .key = "", .drop = 2},
};
static const struct column fleet_columns[] = {
	[NAME] = {.title = "FLEET", .key = ""},
	[COUNT] = NUMBER("RUNNING", 11),
	[CPU] = NUMBER("CPU%", 0),
	[CPU_LIMIT] = NUMBER("OF-LIMITS", 3),
	[MEMORY] = NUMBER("MEMORY", 0),
	[MEMORY_SHARE] = NUMBER("MEM%", 9),
	[PRESSURE] = {.title = "", .key = "", .json_only = true},
	[IN] = NUMBER("IN/S", 8),
	[OUT] = NUMBER("OUT/S", 7),
	[READ] = NUMBER("READ/S", 4),
	[WRITE] = NUMBER("WRITE/S", 5),
	[PIDS] = NUMBER("PIDS", 10),
	[RESTARTS] = NUMBER("RESTARTS", 1),
	[HEALTH] = {.title = "WORST", .key = "", .drop = 6},
	[FLEET] = {.title = "", .key = "", .json_only = true},
};

static void line_row(struct table *table, const struct line *line)
{
	struct arena *arena = table->arena;
	struct cell *row = table_row(table);
	const struct instance_stats *stats = line->stats;
	struct optional used = stats_memory_used(stats);

	row[NAME].text = stats->name;
	row[COUNT] = cell_count(arena, (struct optional){true, (int64_t)line->count});
	row[CPU] = cell_decimal(arena, stats->cpu_permille, 1);
	row[CPU_LIMIT] = cell_decimal(arena, figures_share(stats->cpu_permille, stats->cgroup.cpu_limit_milli), 1);
	row[MEMORY] = cell_bytes_of(arena, used, stats->cgroup.memory_limit_bytes);
	row[MEMORY_SHARE] = cell_decimal(arena, figures_share(used, stats->cgroup.memory_limit_bytes), 1);
	row[PRESSURE].text = figures_pressure(arena, &stats->cgroup);
	row[IN] = cell_bytes(arena, stats->in_bytes);
	row[OUT] = cell_bytes(arena, stats->out_bytes);
	row[READ] = cell_bytes(arena, stats->read_bytes);
	row[WRITE] = cell_bytes(arena, stats->write_bytes);
	row[PIDS] = cell_count(arena, stats->cgroup.pids);
	row[RESTARTS] = cell_count(arena, (struct optional){true, stats->restarts});
	row[HEALTH].text = stats->health == HEALTH_NONE ? NULL : health_state_names[stats->health];
	row[FLEET].text = stats->fleet;
}

static void table_fill(
	struct table *table, struct arena *arena, const struct top_view *view, const struct lines *lines, size_t count)
{
	table_init(table, arena, view->by_fleet ? fleet_columns : instance_columns, ARRAY_SIZE(instance_columns));
	for (size_t i = view->first; i < lines->count && i < view->first + count; i++)
		line_row(table, &lines->items[i]);
}

void top_view_list(struct arena *arena, const struct top_view *view, const struct stats_sample *sample, FILE *out)
{
	struct lines lines = lines_make(arena, view, sample);
	struct table table;
	struct error ignored;

	table_fill(&table, arena, view, &lines, lines.count);
	if (table_print(&table, &(struct table_options){0}, out, &ignored) < 0)
		return; /* only a template can be wrong */
}

/* --- the frame ---------------------------------------------------------------------------------------------------- */

static const char *const sort_names[] = {
	[TOP_CPU] = "cpu",
	[TOP_MEMORY] = "memory",
	[TOP_NAME] = "name",
	[TOP_PIDS] = "pids",
	[TOP_NET] = "network",
	[TOP_DISK] = "disk",
	[TOP_RESTARTS] = "restarts",
};

static const char *size_text(struct arena *arena, struct optional bytes)
{
	struct cell cell = cell_bytes(arena, bytes);

	return cell.text ? cell.text : "-";
}

static void host_lines(struct arena *arena, const struct top_view *view, const struct stats_sample *sample,
	const struct lines *lines, const struct top_host *host, struct text *out)
{
	struct instance_stats all = {0};

	for (size_t i = 0; i < sample->count; i++)
		sum_add(&all, &sample->items[i]);
	struct cell cpu = cell_decimal(arena, all.cpu_permille, 1);
	struct optional host_percent = {host->processors_milli.set, host->processors_milli.value / 10};

	text_appendf(out, "warren top %s  %zu running", host->time, sample->count);
	if (*view->filter)
		text_appendf(out, ", %zu %s like \"%s\"", lines->count, view->by_fleet ? "fleets of those" : "of them",
			view->filter);
	text_appendf(out, "  by %s%s%s\n", sort_names[view->sort], view->reversed ? ", reversed" : "",
		view->paused ? "  PAUSED" : "");
	text_appendf(out, "cpu %s%% of %lld%%  memory %s, limits %s, host %s of %s free\n", cpu.text ? cpu.text : "-",
		(long long)host_percent.value, size_text(arena, stats_memory_used(&all)),
		size_text(arena, all.cgroup.memory_limit_bytes), size_text(arena, host->memory_available_bytes),
		size_text(arena, host->memory_bytes));
}

static void foot_line(const struct top_view *view, size_t shown, size_t count, struct text *out)
{
	if (view->typing) {
		text_appendf(out, "filter: %s_", view->filter);
		return;
	}
	text_appendf(out, "%zu-%zu of %zu  q quit  / filter  space pause  f fleets  sort: c m n p t d r",
		shown ? view->first + 1 : 0, view->first + shown, count);
}

static size_t list_rows(const struct top_view *view)
{
	return view->rows > HEAD_ROWS + FOOT_ROWS + 1 ? view->rows - HEAD_ROWS - FOOT_ROWS : 1;
}

static void table_append(const struct table *table, struct text *out)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);
	struct error ignored;

	if (!file)
		memory_exhausted();
	if (table_print(table, &(struct table_options){0}, file, &ignored) < 0)
		text_append(out, ignored.text);
	fclose(file);
	size_t head = strcspn(text, "\n");

	text_append(out, REVERSE_VIDEO);
	text_append_bytes(out, text, head);
	text_append(out, PLAIN);
	text_append_bytes(out, text + head, length - head);
	free(text);
}

void top_view_draw(struct arena *arena, struct top_view *view, const struct stats_sample *sample,
	const struct top_host *host, struct text *out)
{
	struct lines lines = lines_make(arena, view, sample);
	size_t rows = list_rows(view), most = lines.count > rows ? lines.count - rows : 0;
	struct table table;

	if (view->first > most)
		view->first = most;
	host_lines(arena, view, sample, &lines, host, out);
	table_fill(&table, arena, view, &lines, rows);
	table.width = view->columns;
	table_append(&table, out);
	for (size_t i = table.row_count; i < rows; i++)
		text_append(out, "\n");
	foot_line(view, table.row_count, lines.count, out);
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static void filter_key(struct top_view *view, int key)
{
	size_t length = strlen(view->filter);

	if (key == SCREEN_KEY_ESCAPE)
		view->filter[0] = '\0';
	if (key == SCREEN_KEY_ESCAPE || key == '\r' || key == '\n')
		view->typing = false;
	else if ((key == '\b' || key == 0x7F) && length)
		view->filter[length - 1] = '\0';
	else if (key > ' ' && key < 0x7F && length + 1 < sizeof(view->filter))
		view->filter[length] = (char)key, view->filter[length + 1] = '\0';
	view->first = 0;
}

/* The same key again turns the order round. */
static void sort_by(struct top_view *view, enum top_sort sort)
{
	view->reversed = view->sort == sort && !view->reversed;
	view->sort = sort;
	view->first = 0;
}

static void scroll(struct top_view *view, int64_t by)
{
	view->first = by < 0 && view->first < (size_t)-by ? 0 : view->first + (size_t)by;
}

static bool sort_key(struct top_view *view, int key)
{
	static const struct {
		char key;
		enum top_sort sort;
	} keys[] = {{'c', TOP_CPU}, {'P', TOP_CPU}, {'m', TOP_MEMORY}, {'M', TOP_MEMORY}, {'n', TOP_NAME},
		{'N', TOP_NAME}, {'p', TOP_PIDS}, {'t', TOP_NET}, {'d', TOP_DISK}, {'r', TOP_RESTARTS}};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (key == keys[i].key) {
			sort_by(view, keys[i].sort);
			return true;
		}
	return false;
}

static void other_key(struct top_view *view, int key)
{
	int64_t page = (int64_t)list_rows(view);

	switch (key) {
	case '/':
		view->typing = true;
		view->filter[0] = '\0';
		break;
	case SCREEN_KEY_ESCAPE:
		view->filter[0] = '\0';
		break;
	case ' ':
		view->paused = !view->paused;
		break;
	case 'f':
		view->by_fleet = !view->by_fleet;
		view->first = 0;
		break;
	case 'j':
	case SCREEN_KEY_DOWN:
		scroll(view, 1);
		break;
	case 'k':
	case SCREEN_KEY_UP:
		scroll(view, -1);
		break;
	case SCREEN_KEY_PAGE_DOWN:
		scroll(view, page);
		break;
	case SCREEN_KEY_PAGE_UP:
		scroll(view, -page);
		break;
	}
}

bool top_view_key(struct top_view *view, int key)
{
	if (view->typing) {
		filter_key(view, key);
		return true;
	}
	if (key == 'q' || key == 'Q')
		return false;
	if (!sort_key(view, key))
		other_key(view, key);
	return true;
}
