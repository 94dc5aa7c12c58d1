#include "tests/end_to_end/support_refusal.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "tests/test.h"

/* They wait, and their manual pages say that a signal may end that; openat2(2) wants to be asked again after EAGAIN.
 * getrandom(2) of so few bytes is not interrupted. */
static bool must_be_retried(long call, int error)
{
	static const long waiting[] = {SYS_read, SYS_write, SYS_sendmsg, SYS_recvmsg, SYS_sendto, SYS_recvfrom,
		SYS_accept4, SYS_waitid, SYS_wait4, SYS_ppoll, SYS_flock, SYS_openat2,
#ifdef SYS_poll
		SYS_poll
#endif
	};

	if (error == EAGAIN)
		return call == SYS_openat2;
	for (size_t i = 0; error == EINTR && i < ARRAY_SIZE(waiting); i++)
		if (waiting[i] == call)
			return true;
	return false;
}

/* What the error of such a call says has a name of its own: another has the lock, or the time is out. */
static bool has_meaning(long call, int error)
{
	return error == EAGAIN && (call == SYS_flock || call == SYS_recvmsg);
}

/* Those fail for one reason only, whatever they are made to say. */
static bool is_for_memory(long call)
{
	return call == SYS_mmap || call == SYS_mremap || call == SYS_brk;
}

/* What is known of a monitor that had no memory to say it itself. */
static const char died[] = " died while starting it\n";

/* Warnings may stand before it. */
static const char *last_line(const char *said)
{
	size_t length = strlen(said);
	const char *line = said + length;

	if (!length || said[length - 1] != '\n')
		return "";
	for (line--; line > said && line[-1] != '\n'; line--)
		;
	return line;
}

const char *refusal_judge(const struct step_result *result, const char *program, int error)
{
	const char *line = last_line(result->err);

	if (result->timed_out)
		return "did not end";
	if (result->status >= 128)
		return "ended by a signal";
	if (is_for_memory(result->call) && (text_equal(line, "out of memory\n") || strstr(line, died)))
		return NULL;
	if (!text_starts_with(line, program) || strstr(line, "warning"))
		return "did not say why in one line";
	if (must_be_retried(result->call, error))
		return "did not try again";
	if (has_meaning(result->call, error))
		return NULL;
	return strstr(result->err, strerror(error)) ? NULL : "does not name the error";
}
