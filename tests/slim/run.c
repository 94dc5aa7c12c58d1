/* One test, in the process that was forked for it.
 *
 * A failed assertion goes back to where the step (init, body, fini) was called, so that fini runs in any case. Only the
 * test's own thread can do so: a process that the test has forked, and a thread, leave the process at once, and what
 * they found is counted all the same. */
#include "tests/slim/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct slim_verdict *mine;
static pid_t owner;
static jmp_buf way_out;

static void __attribute__((format(printf, 4, 0)))
failure_say(const char *file, int line, const char *what, const char *format, va_list arguments)
{
	char message[4096];

	mine->failures++;
	vsnprintf(message, sizeof(message), format, arguments);
	fprintf(stderr, "[----] %s:%d: Assertion Failed: %s\n", file, line, what);
	if (message[0] && message[1])
		fprintf(stderr, "[----]  %s\n", message);
}

_Noreturn static void step_leave(void)
{
	if (gettid() != owner)
		_exit(EXIT_FAILURE);
	longjmp(way_out, 1);
}

void slim_fail(const char *file, int line, const char *what, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	failure_say(file, line, what, format, arguments);
	va_end(arguments);
	step_leave();
}

void slim_note(const char *file, int line, const char *what, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	failure_say(file, line, what, format, arguments);
	va_end(arguments);
}

void cr_skip_test(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(mine->why_skipped, sizeof(mine->why_skipped), format, arguments);
	va_end(arguments);
	mine->state = SLIM_SKIPPED;
	step_leave();
}

/* Whether it came to its end. A forked process that does is one that forgot to exit: it must not run what follows. */
static bool step_run(void (*step)(void))
{
	if (setjmp(way_out))
		return false;
	step();
	if (gettid() == owner)
		return true;
	mine->failures++;
	fprintf(stderr, "[----] a process that the test has forked came to the end of the test\n");
	_exit(EXIT_FAILURE);
}

void slim_run(const struct slim_test *test, struct slim_verdict *verdict)
{
	mine = verdict;
	owner = gettid();
	if (!test->init || step_run(test->init))
		step_run(test->body);
	if (test->fini)
		step_run(test->fini);
	if (mine->state != SLIM_SKIPPED)
		mine->state = SLIM_ENDED;
	exit(EXIT_SUCCESS);
}
