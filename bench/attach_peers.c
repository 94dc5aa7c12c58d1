/* podman's netavark and the CNI plugins `bridge` and `portmap` (podman 3, cri-o, containerd): programs that read what
 * is wanted as JSON on their standard input. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bench/attach.h"

#define NETAVARK "/usr/lib/podman/netavark"
#define CNI_PLUGINS "/usr/lib/cni"
#define ANSWER_MAX 16384

/* A file without a name that holds the text, at its begin. */
static int file_of(const char *text)
{
	char path[] = "/tmp/bench-attach-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	unlink(path);
	if (fd >= 0 && (write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		fd_drop(&fd);
	return fd;
}

/* What it printed stays in answer. */
static bool program_run(char **words, char **environment, const char *input, char answer[ANSWER_MAX])
{
	auto_fd in = file_of(input);
	auto_fd out = file_of("");
	posix_spawn_file_actions_t actions;
	ssize_t length;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (posix_spawn(&pid, words[0], &actions, NULL, words, environment) != 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	posix_spawn_file_actions_destroy(&actions);
	length = pread(out, answer, ANSWER_MAX - 1, 0);
	answer[length > 0 ? length : 0] = '\0';
	if (status != 0)
		fprintf(stderr, "%s: status %x: %s\n", words[0], status, answer);
	return status == 0;
}

/* --- netavark ----------------------------------------------------------------------------------------------------- */

static bool netavark_open(void)
{
	return access(NETAVARK, X_OK) == 0;
}

static bool netavark_run(const char *verb, unsigned number, int netns)
{
	auto_free char *path = text_format("/proc/%d/fd/%d", getpid(), netns);
	auto_free char *wanted = text_format(
		"{\"container_id\":\"%064x\",\"container_name\":\"c%u\",\"port_mappings\":[{\"host_ip\":\"\",\"host_"
		"port\":%u,"
		"\"container_port\":80,\"protocol\":\"tcp\",\"range\":1}],\"networks\":{\"bench\":{\"interface_name\":"
		"\"eth0\",\"static_ips\":[\"10.99.%u.%u\"]}},\"network_info\":{\"bench\":{\"name\":\"bench\",\"id\":\"%"
		"064x\","
		"\"driver\":\"bridge\",\"network_interface\":\"nv0\",\"subnets\":[{\"subnet\":\"10.99.0.0/"
		"16\",\"gateway\":"
		"\"10.99.0.1\"}],\"ipv6_enabled\":false,\"internal\":false,\"dns_enabled\":false,\"ipam_options\":{"
		"\"driver\":"
		"\"host-local\"}}}}",
		number, number, FIRST_PORT + number, 1 + number / 200, 2 + number % 200, 0x77);
	char *words[] = {NETAVARK, "--config", scratch, (char *)verb, path, NULL}, answer[ANSWER_MAX];

	return program_run(words, environ, wanted, answer);
}

static bool netavark_attach(unsigned number, int netns)
{
	return netavark_run("setup", number, netns);
}

static bool netavark_detach(unsigned number, int netns)
{
	return netavark_run("teardown", number, netns);
}

const struct contestant netavark = {"netavark", netavark_open, netavark_attach, netavark_detach, -1};

/* --- CNI ---------------------------------------------------------------------------------------------------------- */

/* Answers of `bridge`, which `portmap` wants to be shown. */
static char *results[ATTACH_MAX + 1];

static bool cni_open(void)
{
	return access(CNI_PLUGINS "/bridge", X_OK) == 0 && access(CNI_PLUGINS "/portmap", X_OK) == 0;
}

static bool plugin_run(
	const char *plugin, const char *command, unsigned number, int netns, const char *conf, char answer[ANSWER_MAX])
{
	static char plugins[] = "CNI_PATH=" CNI_PLUGINS;
	auto_free char *program = text_format(CNI_PLUGINS "/%s", plugin);
	auto_free char *verb = text_format("CNI_COMMAND=%s", command);
	auto_free char *id = text_format("CNI_CONTAINERID=c%u", number);
	auto_free char *path = text_format("CNI_NETNS=/proc/%d/fd/%d", getpid(), netns);
	char *words[] = {program, NULL};
	char *environment[] = {verb, id, path, "CNI_IFNAME=eth0", plugins, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};

	return program_run(words, environment, conf, answer);
}

static char *bridge_conf(void)
{
	return text_format("{\"cniVersion\":\"0.4.0\",\"name\":\"bench\",\"type\":\"bridge\",\"bridge\":\"cni0\","
			   "\"isGateway\":true,\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\",\"subnet\":"
			   "\"10.98.0.0/16\",\"dataDir\":\"%s/cni\"}}",
		scratch);
}

static char *portmap_conf(unsigned number)
{
	return text_format("{\"cniVersion\":\"0.4.0\",\"name\":\"bench\",\"type\":\"portmap\",\"capabilities\":"
			   "{\"portMappings\":true},\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":%u,"
			   "\"containerPort\":80,\"protocol\":\"tcp\"}]},\"prevResult\":%s}",
		FIRST_PORT + number, results[number]);
}

static bool cni_attach(unsigned number, int netns)
{
	char answer[ANSWER_MAX];
	auto_free char *first = bridge_conf();

	if (!plugin_run("bridge", "ADD", number, netns, first, answer))
		return false;
	free(results[number]);
	results[number] = strdup(answer);
	auto_free char *second = portmap_conf(number);
	return plugin_run("portmap", "ADD", number, netns, second, answer);
}

static bool cni_detach(unsigned number, int netns)
{
	char answer[ANSWER_MAX];
	auto_free char *first = portmap_conf(number);
	auto_free char *second = bridge_conf();

	return plugin_run("portmap", "DEL", number, netns, first, answer) &&
	       plugin_run("bridge", "DEL", number, netns, second, answer);
}

const struct contestant cni = {"CNI bridge+portmap", cni_open, cni_attach, cni_detach, -1};
