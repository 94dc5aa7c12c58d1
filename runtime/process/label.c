/* Labels of security modules for a program: proc_pid_attr(5). The kernel takes them in words of its own for each module
 * and applies them at the next execve. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/process/schedule.h"
#include "runtime/runtime.h"

#define SELINUX_MAGIC 0xf97cff8c
#define LABEL_MAX 4096

bool label_has_apparmor(void)
{
	auto_fd fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	char answer;

	return fd >= 0 && read(fd, &answer, 1) == 1 && answer == 'Y';
}

bool label_has_selinux(void)
{
	struct statfs status;

	return statfs("/sys/fs/selinux", &status) == 0 && (unsigned)status.f_type == SELINUX_MAGIC;
}

bool kernel_labels_programs(void)
{
	return label_has_apparmor() || label_has_selinux();
}

static int open_first(const char *const *files, struct error *err)
{
	for (; *files; files++) {
		int fd = open(*files, O_WRONLY | O_CLOEXEC);

		if (fd >= 0 || !files[1])
			return fd >= 0 ? fd : fail_errno(err, "open %s", *files);
	}
	return -1;
}

int label_open(const struct spec_process *process, int *fd, struct error *err)
{
	/* The second name is shared by all modules and means the first of them (Linux 5.8 has both). */
	static const char *const apparmor[] = {
		"/proc/thread-self/attr/apparmor/exec", "/proc/thread-self/attr/exec", NULL};
	static const char *const selinux[] = {"/proc/thread-self/attr/exec", NULL};

	*fd = -1;
	if (!process->apparmor_profile && !process->selinux_label)
		return 0;
	*fd = open_first(process->apparmor_profile ? apparmor : selinux, err);
	return *fd < 0 ? -1 : 0;
}

int label_write(const struct spec_process *process, int fd, struct error *err)
{
	const char *profile = process->apparmor_profile, *label = profile ? profile : process->selinux_label;
	char text[LABEL_MAX];
	int length;

	if (fd < 0)
		return 0;
	length = snprintf(text, sizeof(text), profile ? "exec %s" : "%s", label);
	if (length < 0 || (size_t)length >= sizeof(text))
		return fail(err, ERROR_USAGE, "%s is longer than %d bytes",
			profile ? "apparmorProfile" : "selinuxLabel", LABEL_MAX - 6);
	if (write_retried(fd, text, (size_t)length) < 0)
		return errno == ENOENT ? fail_errno(err, "apparmorProfile %s: no such profile is loaded", label)
				       : fail_errno(err, "%s %s", profile ? "apparmorProfile" : "selinuxLabel", label);
	return 0;
}
