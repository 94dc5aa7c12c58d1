/* What the attacks' helper does inside a container: it says what it could do, by system calls alone where an attacker
 * may have replaced /proc. Nothing it opens for writing is written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/attacks/helper.h"

/* --- who am I ----------------------------------------------------------------------------------------------------- */

static unsigned long long set_of(int (*is_in)(int capability))
{
	unsigned long long set = 0;

	for (int capability = 0; capability < 64; capability++)
		if (is_in(capability) == 1)
			set |= 1ULL << capability;
	return set;
}

static int is_bounding(int capability)
{
	return prctl(PR_CAPBSET_READ, capability);
}

static int is_ambient(int capability)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0);
}

int inside_status(char **words)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};
	gid_t groups[64];
	int count = getgroups(64, groups);

	(void)words;
	syscall(SYS_capget, &header, data);
	printf("uid %u\ngid %u\n", getuid(), getgid());
	for (int i = 0; i < count; i++)
		printf("group %u\n", groups[i]);
	printf("inheritable %x%08x\n", data[1].inheritable, data[0].inheritable);
	printf("permitted %x%08x\n", data[1].permitted, data[0].permitted);
	printf("effective %x%08x\n", data[1].effective, data[0].effective);
	printf("bounding %llx\nambient %llx\n", set_of(is_bounding), set_of(is_ambient));
	printf("nnp %d\nseccomp %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_SECCOMP));
	return 0;
}

int inside_find_key(char **words)
{
	static const int keyrings[] = {KEY_SPEC_THREAD_KEYRING, KEY_SPEC_PROCESS_KEYRING, KEY_SPEC_SESSION_KEYRING};

	for (size_t i = 0; i < sizeof(keyrings) / sizeof(keyrings[0]); i++) {
		if (syscall(SYS_keyctl, KEYCTL_SEARCH, keyrings[i], "user", words[0], 0) < 0)
			continue;
		printf("found the caller's key\n");
		return 1;
	}
	printf("no key\n");
	return 0;
}

/* --- what may I --------------------------------------------------------------------------------------------------- */

static int say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done");
	fflush(stdout);
	return result < 0;
}

int inside_inject(char **words)
{
	char key = 'x';

	(void)words;
	say("TIOCSTI", ioctl(0, TIOCSTI, &key));
	say("TIOCSTI with high bits", syscall(SYS_ioctl, 0, 1UL << 32 | TIOCSTI, &key));
	/* As a process that has taken it over. */
	if (fork() == 0) {
		setsid();
		say("TIOCSCTTY", ioctl(0, TIOCSCTTY, 0));
		_exit(say("TIOCSTI", ioctl(0, TIOCSTI, &key)));
	}
	wait(NULL);
	return 0;
}

int inside_ioctl(char **words)
{
	int waiting;

	(void)words;
	say("plain", ioctl(0, FIONREAD, &waiting));
	say("high", syscall(SYS_ioctl, 0, 1UL << 32 | FIONREAD, &waiting));
	return 0;
}

int inside_open(char **words)
{
	for (; *words; words++) {
		int fd = open(*words, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

		say(*words, fd);
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

int inside_device(char **words)
{
	mode_t kind = *words[0] == 'b' ? S_IFBLK : S_IFCHR;
	dev_t number = makedev((unsigned)atoi(words[1]), (unsigned)atoi(words[2]));

	unlink("/node");
	if (mknod("/node", kind | 0600, number) < 0)
		return say("mknod", -1);
	say("reading", open("/node", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	say("writing", open("/node", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	return 0;
}

int inside_call(char **words)
{
	return say(words[0], syscall(atoi(words[0]), 0, 0, 0, 0, 0, 0));
}

int inside_socket(char **words)
{
	return say("socket", socket(atoi(words[0]), SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}

/* mkdir has number 39 for i386, and 83 for the others. The name must lie below 4 GiB for i386. */
static long make_as_i386(const char *path)
{
#ifdef __x86_64__
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result = 39;

	strncpy(low, path, 4095);
	__asm__ volatile("int $0x80" : "+a"(result) : "b"(low), "c"(0755L) : "memory", "r8", "r9", "r10", "r11");
	return result;
#else
	(void)path;
	return -ENOSYS;
#endif
}

int inside_make(char **words)
{
	long result;

	if (strcmp(words[0], "i386") == 0) {
		result = make_as_i386(words[1]);
		errno = result < 0 ? (int)-result : 0;
		return say(words[0], result);
	}
	if (strcmp(words[0], "x32") == 0)
		return say(words[0], syscall(0x40000000 + 83, words[1], 0755));
	return say(words[0], mkdir(words[1], 0755));
}

/* --- looking at those who come ------------------------------------------------------------------------------------ */

struct prey {
	dev_t device; /* of the runtime's program */
	ino_t inode;
	bool found;
};

/* Everything in these roots is busybox or this program: what is neither has come from the host, be it a copy in memory.
 */
static bool is_foreign(const char *path)
{
	static const char *const own[] = {"/bin/busybox", "/proc/self/exe"};
	struct stat status, ours;

	if (stat(path, &status) < 0)
		return false;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (stat(own[i], &ours) == 0 && status.st_dev == ours.st_dev && status.st_ino == ours.st_ino)
			return false;
	return true;
}

static void found(struct prey *prey, const char *what, const char *where)
{
	printf("%s %s\n", what, where);
	fflush(stdout);
	prey->found = true;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* CVE-2019-5736: held open for reading, and for writing as soon as nobody executes it any more. */
static void hunt_exe(struct prey *prey, const char *pid)
{
	char path[300];
	struct stat status;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && status.st_dev == prey->device && status.st_ino == prey->inode) {
		char own[64];
		double end = now() + 0.5;

		snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
		while (now() < end && !prey->found) {
			int written = open(own, O_WRONLY | O_CLOEXEC);

			if (written >= 0)
				found(prey, "opened for writing:", path);
			else if (errno != ETXTBSY)
				break;
		}
	}
	close(fd);
}

/* CVE-2016-9962: before it is a program of the container's, nobody inside may get hold of it. */
static void hunt_ptrace(struct prey *prey, const char *pid)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	if (ptrace(PTRACE_SEIZE, atoi(pid), 0, 0) < 0)
		return;
	ptrace(PTRACE_INTERRUPT, atoi(pid), 0, 0);
	waitpid(atoi(pid), NULL, __WALL);
	if (is_foreign(path))
		found(prey, "traced while it is the runtime:", path);
	ptrace(PTRACE_DETACH, atoi(pid), 0, 0);
}

static void hunt_files(struct prey *prey, const char *pid)
{
	static const char *const names[] = {"root", "cwd", "mem"};
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	if (!is_foreign(path))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/%s/%s", pid, names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		close(fd);
		found(prey, "opened of the runtime:", path);
	}
}

static void everybody_hunt(struct prey *prey, void (*hunt)(struct prey *prey, const char *pid))
{
	DIR *proc = opendir("/proc");

	for (struct dirent *entry; proc && (entry = readdir(proc));)
		if (atoi(entry->d_name) > 1 && atoi(entry->d_name) != getpid())
			hunt(prey, entry->d_name);
	if (proc)
		closedir(proc);
}

int inside_watch(char **words)
{
	static const struct {
		const char *word;
		void (*hunt)(struct prey *prey, const char *pid);
	} ways[] = {{"exe", hunt_exe}, {"ptrace", hunt_ptrace}, {"files", hunt_files}};
	struct prey prey = {.device = strtoul(words[1], NULL, 10), .inode = strtoul(words[2], NULL, 10)};
	double end = now() + atof(words[3]);

	printf("ready\n");
	fflush(stdout);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		while (strcmp(words[0], ways[i].word) == 0 && now() < end && !prey.found)
			everybody_hunt(&prey, ways[i].hunt);
	return prey.found;
}
