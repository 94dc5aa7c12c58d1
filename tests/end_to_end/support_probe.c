/* Before Criterion gets to see the command line, a constructor looks whether this process is a probe. */
#include "tests/end_to_end/support_probe.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/end_to_end/support_place.h"

#define SILENCE_MS 1500 /* longer than the second after which a lost SYN is sent again */
#define FORKS_MAX 5000
#define PLACES_MAX 32

void probe_wrong(struct probe_count *count, const char *name, const char *what)
{
	printf("%s: %s\n", name, what);
	count->wrong++;
}

void probe_check(struct probe_count *count, const char *name, long result, int expected_errno)
{
	int got = result < 0 ? errno : 0;

	count->tried++;
	if (got == expected_errno)
		return;
	printf("%s: %s instead of %s\n", name, got ? strerrorname_np(got) : "done",
		expected_errno ? strerrorname_np(expected_errno) : "done");
	count->wrong++;
}

int probe_count_print(const struct probe_count *count)
{
	printf("%d tried, %d wrong\n", count->tried, count->wrong);
	return count->wrong != 0;
}

/* --- who and where ------------------------------------------------------------------------------------------------ */

static void print_link(const char *name, const char *path)
{
	char target[256];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	printf("%s %.*s\n", name, length < 0 ? 0 : (int)length, target);
}

static void print_status_lines(void)
{
	static const char *const keys[] = {
		"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:", "Groups:"};
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	while (status && fgets(line, sizeof(line), status)) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			size_t length = strlen(keys[i]);

			if (strncmp(line, keys[i], length))
				continue;
			printf("%.*s %s", (int)length - 1, keys[i], line + length + strspn(line + length, "\t "));
		}
	}
	if (status)
		fclose(status);
}

static void print_file(const char *name, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		printf("%s %s", name, line);
	if (file)
		fclose(file);
}

static void print_addresses(void)
{
	struct ifaddrs *all, *one;
	char text[INET6_ADDRSTRLEN];

	if (getifaddrs(&all) < 0)
		return;
	for (one = all; one; one = one->ifa_next) {
		int family = one->ifa_addr ? one->ifa_addr->sa_family : AF_UNSPEC;

		if (family == AF_INET)
			inet_ntop(family, &((struct sockaddr_in *)one->ifa_addr)->sin_addr, text, sizeof(text));
		else if (family == AF_INET6)
			inet_ntop(family, &((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr, text, sizeof(text));
		else
			continue;
		printf("address %s %s\n", one->ifa_name, text);
	}
	freeifaddrs(all);
}

static void print_processes(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (!*end)
			printf("process %ld\n", pid);
	}
	if (proc)
		closedir(proc);
}

static int probe_identity(void)
{
	static const char *const namespaces[] = {"mnt", "pid", "uts", "ipc", "net", "cgroup", "user"};
	char name[64], path[64];

	gethostname(name, sizeof(name));
	printf("hostname %s\nids %u %u\n", name, getuid(), getgid());
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", namespaces[i]);
		snprintf(name, sizeof(name), "namespace-%s", namespaces[i]);
		print_link(name, path);
	}
	print_status_lines();
	print_file("uid_map", "/proc/self/uid_map");
	print_file("gid_map", "/proc/self/gid_map");
	print_file("cgroup", "/proc/self/cgroup");
	print_addresses();
	print_processes();
	return 0;
}

static int probe_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[512];

	while (dir && (entry = readdir(dir))) {
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		if (length > 0 && atoi(entry->d_name) != dirfd(dir))
			printf("%s %.*s\n", entry->d_name, (int)length, target);
	}
	if (dir)
		closedir(dir);
	return 0;
}

/* --- network ------------------------------------------------------------------------------------------------------ */

const char *probe_connect_word(int error)
{
	static const struct {
		int error;
		const char *word;
	} words[] = {{0, "connected"}, {ECONNREFUSED, "refused"}, {EHOSTUNREACH, "unreachable"},
		{ENETUNREACH, "unreachable"}, {ETIMEDOUT, "silent"}, {EPERM, "forbidden"}, {EACCES, "forbidden"}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (words[i].error == error)
			return words[i].word;
	}
	return strerrorname_np(error);
}

static int connect_begin(const struct place *place)
{
	int fd = socket(place->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	errno = 0;
	if (fd >= 0)
		connect(fd, &place->any, place->length);
	return fd;
}

/* begin_error: errno of connect(2). Silence until the deadline counts as a time-out. */
static const char *connect_end(int fd, int begin_error, int64_t deadline_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	int error = begin_error;
	socklen_t size = sizeof(error);

	if (begin_error == EINPROGRESS) {
		int64_t left = deadline_ms - clock_ms();

		if (poll(&ready, 1, left > 0 ? (int)left : 0) == 0)
			error = ETIMEDOUT;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	}
	return probe_connect_word(error);
}

const char *probe_connect(const char *text)
{
	struct place place;

	if (!place_parse(text, &place))
		return "no place";
	auto_fd fd = connect_begin(&place);

	return connect_end(fd, errno, clock_ms() + SILENCE_MS);
}

/* All at once, so that the silent ones are waited for together. */
static int probe_connect_all(int count, char **words)
{
	int64_t deadline_ms = clock_ms() + SILENCE_MS;
	int fds[PLACES_MAX], errors[PLACES_MAX];
	struct place place;

	if (count > PLACES_MAX)
		return 2;
	for (int i = 0; i < count; i++) {
		if (!place_parse(words[i], &place))
			return 2;
		fds[i] = connect_begin(&place);
		errors[i] = errno;
	}
	for (int i = 0; i < count; i++) {
		printf("%s %s\n", words[i], connect_end(fds[i], errors[i], deadline_ms));
		close(fds[i]);
	}
	return 0;
}

static int probe_send_all(int count, char **words)
{
	struct place place;

	for (int i = 0; i < count; i++) {
		if (!place_parse(words[i], &place))
			return 2;
		auto_fd fd = socket(place.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		sendto(fd, "x", 1, 0, &place.any, place.length);
		printf("%s tried\n", words[i]);
	}
	return 0;
}

static int probe_abstract(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t length = strlen(name);

	memcpy(address.sun_path + 1, name, length);
	length += offsetof(struct sockaddr_un, sun_path) + 1;
	errno = 0;
	connect(fd, (struct sockaddr *)&address, (socklen_t)length);
	puts(probe_connect_word(errno));
	return 0;
}

/* By both families where the kernel has both. */
static int listener_of_both(int port)
{
	struct place all;
	int fd = place_make("::", port, &all) ? socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

	if (fd < 0 && place_make("0.0.0.0", port, &all))
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && bind(fd, &all.any, all.length) == 0 && listen(fd, 16) == 0 ? fd : -1;
}

static int probe_serve(int port)
{
	int fd = listener_of_both(port);

	if (fd < 0)
		return 1;
	puts("serving");
	fflush(stdout);
	for (;;)
		close(accept(fd, NULL, NULL));
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

static int probe_fork(void)
{
	int count = 0, error = 0;
	pid_t pid;

	while (count < FORKS_MAX && (pid = fork()) >= 0) {
		if (pid == 0)
			for (;;)
				pause();
		count++;
	}
	error = errno;
	printf("%d processes, then %s\n", count, strerror(error));
	fflush(stdout);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	return 0;
}

/* Nobody can take more from the machine than this; it is told how far it got. */
static int probe_inotify(void)
{
	int count = 0;

	while (count < FORKS_MAX && inotify_init1(IN_CLOEXEC) >= 0)
		count++;
	printf("%d, then %s\n", count, strerrorname_np(errno));
	return 0;
}

static int probe_spin(void)
{
	volatile unsigned long turns = 1;

	while (turns)
		turns |= 1;
	return 0;
}

static int probe_touch(void)
{
	enum { STEP = 1 << 20 };

	for (;;) {
		char *memory = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			return 1;
		memset(memory, 1, STEP);
	}
}

/* --- which -------------------------------------------------------------------------------------------------------- */

static int probe_run(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} plain[] = {{"identity", probe_identity}, {"calls", probe_calls}, {"files", probe_files},
		{"admin", probe_admin}, {"system", probe_system}, {"descriptors", probe_descriptors},
		{"fork", probe_fork}, {"inotify", probe_inotify}, {"spin", probe_spin}, {"touch", probe_touch}};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (!strcmp(argv[0], plain[i].name))
			return plain[i].run();
	}
	if (!strcmp(argv[0], "connect"))
		return probe_connect_all(argc - 1, argv + 1);
	if (!strcmp(argv[0], "send"))
		return probe_send_all(argc - 1, argv + 1);
	if (!strcmp(argv[0], "abstract") && argc == 2)
		return probe_abstract(argv[1]);
	if (!strcmp(argv[0], "serve") && argc == 2)
		return probe_serve(atoi(argv[1]));
	if (!strcmp(argv[0], "passed"))
		return probe_passed(argc - 1, argv + 1);
	return 2;
}

__attribute__((constructor)) static void probe_main(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "--probe"))
		return;
	int status = probe_run(argc - 2, argv + 2);
	fflush(stdout);
	_exit(status);
}
