/* Names of signals. */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/process.h"
#include "base/suggest.h"

/* Signal 1 … of the kernel; sigabbrev_np(3) needs no table of ours (glibc 2.32). */
static const char *name_at(const void *context, size_t i)
{
	(void)context;
	return sigabbrev_np((int)i + 1);
}

/* "RTMIN", "RTMIN+3", "RTMAX-2"; -1 when it is none of them. */
static int realtime_parse(const char *name)
{
	struct error ignored;
	int64_t offset = 0;
	int base = !strncmp(name, "RTMIN", 5) ? SIGRTMIN : !strncmp(name, "RTMAX", 5) ? SIGRTMAX : -1;
	char sign = base < 0 ? '\0' : name[5];

	if (base < 0 || (sign && sign != (base == SIGRTMIN ? '+' : '-')))
		return -1;
	if (sign && number_parse(name + 6, 0, SIGRTMAX - SIGRTMIN, &offset, &ignored) < 0)
		return -1;
	return base == SIGRTMIN ? base + (int)offset : base - (int)offset;
}

static int name_parse(const char *name)
{
	const char *known;

	for (size_t i = 0; (known = name_at(NULL, i)); i++)
		if (!strcmp(name, known))
			return (int)i + 1;
	return realtime_parse(name);
}

int signal_parse(const char *text, int *out, struct error *err)
{
	char upper[16] = "";
	const char *name = upper, *guess;
	int64_t number;

	if (isdigit((unsigned char)*text)) {
		if (number_parse(text, 1, SIGRTMAX, &number, err) < 0)
			return blame(err, "signal");
		*out = (int)number;
		return 0;
	}
	for (size_t i = 0; text[i] && i < sizeof(upper) - 1; i++)
		upper[i] = (char)toupper((unsigned char)text[i]);
	if (!strncmp(name, "SIG", 3))
		name += 3;
	*out = strlen(text) < sizeof(upper) ? name_parse(name) : -1;
	if (*out > 0)
		return 0;
	guess = *name ? suggest(name, name_at, NULL) : NULL;
	if (guess)
		return fail(err, ERROR_USAGE, "unknown signal \"%s\"; did you mean %s?", text, guess);
	return fail(err, ERROR_USAGE, "unknown signal \"%s\"", text);
}

const char *signal_name(int signal, char buffer[16])
{
	const char *name = signal > 0 ? sigabbrev_np(signal) : NULL;

	if (name)
		snprintf(buffer, 16, "%s", name);
	else if (signal == SIGRTMIN)
		snprintf(buffer, 16, "RTMIN");
	else if (signal > SIGRTMIN && signal <= SIGRTMAX)
		snprintf(buffer, 16, "RTMIN+%d", signal - SIGRTMIN);
	else
		snprintf(buffer, 16, "%d", signal);
	return buffer;
}
