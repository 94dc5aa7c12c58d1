#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/test.h"

TEST(error, fail_fills_the_value_and_returns_minus_one)
{
	struct error err;

	cr_assert_eq(fail(&err, ERROR_BUSY, "port %d is taken", 80), -1);
	cr_assert_eq(err.kind, ERROR_BUSY);
	cr_assert_eq(err.errnum, 0);
	cr_assert_str_eq(err.text, "port 80 is taken");
}

TEST(error, fail_errno_appends_the_reason_and_keeps_errno)
{
	struct error err;

	errno = ENOENT;
	cr_assert_eq(fail_errno(&err, "open %s", "/srv"), -1);
	cr_assert_eq(err.kind, ERROR_SYSTEM);
	cr_assert_eq(err.errnum, ENOENT);
	cr_assert_str_eq(err.text, "open /srv: No such file or directory");
	cr_assert_eq(errno, ENOENT);
}

TEST(error, a_call_that_the_kernel_lacks_says_what_would_be_right)
{
	struct error err;

	errno = ENOSYS;
	fail_errno(&err, "make namespaces");
	cr_assert_str_eq(err.text,
		"make namespaces: Function not implemented; Linux 6.1 or newer is needed, with no filter around that "
		"hides the call");
}

TEST(error, an_unknown_errno_is_shown_as_a_number)
{
	struct error err;

	errno = 4321;
	fail_errno(&err, "open");
	cr_assert_str_eq(err.text, "open: error 4321");
}

TEST(error, blame_puts_text_in_front_and_keeps_the_rest)
{
	struct error err;

	errno = EACCES;
	fail_errno(&err, "bind %s", "/srv/a");
	cr_assert_eq(blame(&err, "mounts[%d]", 2), -1);
	cr_assert_eq(blame(&err, "start %s", "web-17"), -1);
	cr_assert_str_eq(err.text, "start web-17: mounts[2]: bind /srv/a: Permission denied");
	cr_assert_eq(err.kind, ERROR_SYSTEM);
	cr_assert_eq(err.errnum, EACCES);
}

TEST(error, text_too_long_loses_its_middle)
{
	struct error err;
	char path[4000];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	errno = ENOENT;
	fail_errno(&err, "mount overlay: lowerdir=%s", path);
	cr_assert_eq(strlen(err.text), ERROR_TEXT_SIZE - 1);
	cr_assert_eq(strncmp(err.text, "mount overlay: lowerdir=xxx", 27), 0);
	cr_assert(strstr(err.text, "x…x"));
	cr_assert_str_eq(err.text + strlen(err.text) - 28, "x: No such file or directory");
}

TEST(error, text_far_too_long_still_ends_with_the_reason)
{
	struct error err;
	static char huge[100000];

	memset(huge, 'y', sizeof(huge) - 1);
	errno = EXDEV;
	fail_errno(&err, "%s", huge);
	cr_assert(strstr(err.text, "y: Invalid cross-device link"));
	blame(&err, "%s", huge);
	cr_assert(strstr(err.text, "y: Invalid cross-device link"));
}

TEST(error, cutting_never_splits_a_character)
{
	struct error err;
	char text[1024];

	for (size_t shift = 0; shift < 3; shift++) {
		size_t length = shift;

		memset(text, '-', shift);
		for (; length + 3 < sizeof(text) - 1; length += 3)
			memcpy(text + length, "€", 3);
		text[length] = '\0';
		fail(&err, ERROR_SYSTEM, "%s", text);
		cr_assert(strlen(err.text) < ERROR_TEXT_SIZE);
		cr_assert(strlen(err.text) > ERROR_TEXT_SIZE - 6);
		for (const char *p = err.text + shift; *p; p += 3)
			cr_assert(!strncmp(p, "€", 3) || !strncmp(p, "…", 3), "at %td: %s", p - err.text, p);
	}
}

TEST(error, control_characters_and_broken_utf8_become_question_marks)
{
	struct error err;

	fail(&err, ERROR_SYSTEM, "a\nb\x1b[31mc\x7f \xff\xfe é \xc2\x9b");
	cr_assert_str_eq(err.text, "a?b?[31mc? ?? é ?");
}

TEST(error, its_own_text_may_be_an_argument)
{
	struct error err;

	fail(&err, ERROR_SYSTEM, "first");
	fail(&err, ERROR_USAGE, "second, %s", err.text);
	cr_assert_str_eq(err.text, "second, first");
}

TEST(error, kinds_decide_the_exit_status)
{
	static const int expected[] = {
		[ERROR_NONE] = 0, [ERROR_USAGE] = 2, [ERROR_MISSING] = 3, [ERROR_BUSY] = 4, [ERROR_SYSTEM] = 1};

	for (int kind = ERROR_NONE; kind <= ERROR_SYSTEM; kind++)
		cr_assert_eq(error_exit_status(&(struct error){.kind = (enum error_kind)kind}), expected[kind]);
}

#ifdef NDEBUG
static const bool has_assertions = false;
#else
static const bool has_assertions = true;
#endif

TEST(error, failing_with_no_kind_is_a_bug)
{
	struct error err;
	int status;

	SKIP_UNLESS(has_assertions, "needs a build with assertions");
	pid_t child = fork();
	if (child == 0) {
		close(STDERR_FILENO);
		fail(&err, ERROR_NONE, "x");
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x", status);
}
