#include "base/log.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "tests/test.h"

/* What was logged since the last call. */
static const char *logged(int fd)
{
	static char content[4096];
	ssize_t length = read(fd, content, sizeof(content) - 1);

	content[length < 0 ? 0 : length] = '\0';
	return content;
}

TEST(log, levels_decide_what_is_written_as_text)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	log_setup("warren", LOG_WARN, LOG_TEXT, ends[1]);
	log_error("cannot %s", "start");
	log_warn("no swap");
	log_info("started");
	log_debug("step 1");
	cr_assert_str_eq(logged(ends[0]), "warren: cannot start\nwarren: warning: no swap\n");
	log_setup("warren-oci", LOG_DEBUG, LOG_TEXT, ends[1]);
	log_info("started");
	log_debug("step 1");
	cr_assert_str_eq(logged(ends[0]), "warren-oci: started\nwarren-oci: debug: step 1\n");
	log_setup("warren", LOG_WARN, LOG_TEXT, STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
}

TEST(log, a_message_is_one_line_and_errno_stays)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	log_setup("warren", LOG_WARN, LOG_TEXT, ends[1]);
	errno = EXDEV;
	log_error("bad name \"a\nwarren: all is well\"");
	cr_assert_eq(errno, EXDEV);
	cr_assert_str_eq(logged(ends[0]), "warren: bad name \"a?warren: all is well\"\n");
	log_setup("warren", LOG_WARN, LOG_TEXT, STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
}

TEST(log, json_lines_are_as_podman_and_containerd_expect)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err;
	const char *line;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	log_setup("warren-oci", LOG_WARN, LOG_JSON, ends[1]);
	log_warn("say \"%s\"", "é\\");
	line = logged(ends[0]);
	cr_assert(line[strlen(line) - 1] == '\n' && strchr(line, '\n') == line + strlen(line) - 1, "%s", line);
	ASSERT_OK(json_parse(&arena, "line", line, strlen(line), JSON_PLAIN, &doc, &err));
	cr_assert_eq(doc.root->count, 3);
	cr_assert_str_eq(json_get(doc.root, "level")->text, "warning");
	cr_assert_str_eq(json_get(doc.root, "msg")->text, "say \"é\\\"");
	cr_assert_eq(strlen(json_get(doc.root, "time")->text), strlen("2026-11-22T10:39:58Z"));
	log_setup("warren", LOG_WARN, LOG_TEXT, STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
}

TEST(log, its_descriptor_is_its_own_and_does_not_survive_exec)
{
	int ends[2];
	int copy;

	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	copy = fcntl(ends[1], F_DUPFD, 3); /* the number that the log's will get */
	close(copy);
	log_setup("warren", LOG_WARN, LOG_TEXT, ends[1]);
	close(ends[1]);
	log_error("x");
	cr_assert_str_eq(logged(ends[0]), "warren: x\n");
	cr_assert_eq(fcntl(copy, F_GETFD), FD_CLOEXEC);
	log_setup("warren", LOG_WARN, LOG_TEXT, STDERR_FILENO);
	cr_assert_eq(fcntl(copy, F_GETFD), -1);
	close(ends[0]);
}
