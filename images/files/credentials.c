/* File system ids of the thread: see credentials.h. Where ids are mapped, the host's id 0 has no place, and whatever it
 * makes there fails with EOVERFLOW: so the maker is the instance's root. The switch drops the file capabilities from
 * the effective set (capabilities(7)), which are raised again. */
#include "images/files/credentials.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static int capabilities_get(struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capget, &header, data);
}

static int capabilities_set(const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capset, &header, data);
}

int filesystem_ids_take(uid_t uid, struct error *err)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (uid == 0)
		return 0;
	if (capabilities_get(data) < 0)
		return fail_errno(err, "capget");
	setfsgid(uid);
	setfsuid(uid);
	if (capabilities_set(data) < 0)
		return fail_errno(err, "capset");
	return 0;
}

/* Back to id 0: the kernel raises the file capabilities by itself. */
void filesystem_ids_restore(uid_t uid)
{
	int saved = errno;

	if (uid != 0) {
		setfsuid(0);
		setfsgid(0);
	}
	errno = saved;
}
