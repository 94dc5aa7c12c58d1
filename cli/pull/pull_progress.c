/* Bars and lines; see pull_progress.h. Layers that are done are written above the bars and stay; the bars below are
 * drawn anew, at most ten times a second. */
#include "cli/pull/pull_progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"

#define DRAW_EVERY_MS 100
#define DIGITS_SHOWN 12
#define COLUMNS_DEFAULT 80
#define COLUMNS_BESIDE_BAR 40 /* digest, sizes, blanks */
#define BAR_MIN 10
#define BAR_MAX 60

/* --- bars --------------------------------------------------------------------------------------------------------- */

static struct progress_bar *bar_find(struct progress *progress, size_t layer)
{
	for (size_t i = 0; i < PROGRESS_BARS_MAX; i++)
		if (progress->bars[i].used && progress->bars[i].layer == layer)
			return &progress->bars[i];
	return NULL;
}

static void digest_shorten(char shown[16], const char *digest)
{
	const char *colon = digest ? strchr(digest, ':') : NULL;

	snprintf(shown, 16, "%.*s", DIGITS_SHOWN, colon ? colon + 1 : "layer");
}

/* NULL: there are so many that this one is not shown. */
static struct progress_bar *bar_take(struct progress *progress, size_t layer, const char *digest)
{
	struct progress_bar *bar = bar_find(progress, layer);

	for (size_t i = 0; !bar && i < PROGRESS_BARS_MAX; i++)
		if (!progress->bars[i].used)
			bar = &progress->bars[i];
	if (!bar)
		return NULL;
	*bar = (struct progress_bar){.used = true, .layer = layer};
	digest_shorten(bar->digest, digest);
	return bar;
}

/* --- drawing ------------------------------------------------------------------------------------------------------ */

static int bar_width(const struct progress *progress)
{
	struct winsize size = {0};
	int columns = COLUMNS_DEFAULT, width;

	if (ioctl(fileno(progress->out), TIOCGWINSZ, &size) == 0 && size.ws_col)
		columns = size.ws_col;
	width = columns - COLUMNS_BESIDE_BAR;
	return width < BAR_MIN ? BAR_MIN : width > BAR_MAX ? BAR_MAX : width;
}

static void bar_draw(const struct progress *progress, const struct progress_bar *bar, int width)
{
	char bytes[24], total[24];
	int full;

	if (bar->waiting) {
		fprintf(progress->out, "%-12s  another process fetches it\n", bar->digest);
		return;
	}
	size_format((int64_t)bar->bytes, bytes);
	if (bar->total <= 0) {
		fprintf(progress->out, "%-12s  %s\n", bar->digest, bytes);
		return;
	}
	full = (int)((double)bar->bytes / (double)bar->total * width);
	full = full > width ? width : full;
	fprintf(progress->out, "%-12s  [%.*s%*s]  %s / %s\n", bar->digest, full,
		"============================================================", width - full, "", bytes,
		size_format(bar->total, total));
}

static void bars_erase(struct progress *progress)
{
	if (progress->drawn)
		fprintf(progress->out, "\r\033[%uA\033[J", progress->drawn);
	progress->drawn = 0;
}

static void bars_draw(struct progress *progress)
{
	int width = bar_width(progress);

	bars_erase(progress);
	for (size_t i = 0; i < PROGRESS_BARS_MAX; i++) {
		if (!progress->bars[i].used)
			continue;
		bar_draw(progress, &progress->bars[i], width);
		progress->drawn++;
	}
	fflush(progress->out);
	progress->drawn_ms = clock_ms();
}

/* --- what happens ------------------------------------------------------------------------------------------------- */

static void line_print(struct progress *progress, const char *digest, const char *what, uint64_t bytes)
{
	char shown[16], size[24];

	digest_shorten(shown, digest);
	bars_erase(progress);
	fprintf(progress->out, "%-12s  %s%s%s\n", shown, what, bytes ? " " : "",
		bytes ? size_format((int64_t)bytes, size) : "");
}

static void on_bar(struct progress *progress, size_t layer, const char *digest, uint64_t bytes, int64_t total)
{
	struct progress_bar *bar = bar_take(progress, layer, digest);

	if (!bar)
		return;
	bar->bytes = bytes;
	bar->total = total;
}

static void on_done(struct progress *progress, size_t layer, const char *digest, const char *what, uint64_t bytes)
{
	struct progress_bar *bar = bar_find(progress, layer);

	if (bar)
		bar->used = false;
	line_print(progress, digest, what, bytes);
	if (progress->terminal)
		bars_draw(progress);
}

static void on_waiting(struct progress *progress, size_t layer, const char *digest)
{
	struct progress_bar *bar = progress->terminal ? bar_take(progress, layer, digest) : NULL;

	if (bar)
		bar->waiting = true;
	else
		line_print(progress, digest, "waits for another process that fetches it", 0);
}

static void report(struct install_progress *install, enum install_event event, size_t layer, const char *digest,
	uint64_t bytes, int64_t total)
{
	struct progress *progress = (struct progress *)install;

	if (progress->silent)
		return;
	switch (event) {
	case INSTALL_PRESENT:
		on_done(progress, layer, digest, "is here already", 0);
		return;
	case INSTALL_DONE:
		on_done(progress, layer, digest, "unpacked", bytes);
		return;
	case INSTALL_WAITING:
		on_waiting(progress, layer, digest);
		break;
	case INSTALL_BEGIN:
	case INSTALL_BYTES:
		on_bar(progress, layer, digest, bytes, total);
		break;
	case INSTALL_SYNC:
		return;
	}
	if (progress->terminal && (event != INSTALL_BYTES || clock_ms() - progress->drawn_ms >= DRAW_EVERY_MS))
		bars_draw(progress);
}

void progress_begin(struct progress *progress, FILE *out, bool silent)
{
	const char *terminal = getenv("TERM");

	*progress = (struct progress){.install = {report},
		.out = out,
		.terminal = isatty(fileno(out)) && terminal && strcmp(terminal, "dumb") != 0,
		.silent = silent};
}

void progress_end(struct progress *progress)
{
	bars_erase(progress);
	fflush(progress->out);
}
