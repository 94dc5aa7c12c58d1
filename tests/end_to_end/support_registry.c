#include "tests/end_to_end/support_registry.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/test.h"

#define LISTEN_MS SLOWLY(20000)
#define AGAIN_MS 20

void script_run(const char *directory, const char *script)
{
	const struct run_options options = {.directory = directory, .timeout_ms = SLOWLY(120000)};
	auto_run run = run_program((const char *const[]){"sh", "-eu", "-c", script, NULL}, &options);

	cr_assert(run.status == 0, "status %d: %s%s", run.status, run.out, run.err);
}

static bool is_installed(const char *program)
{
	auto_free char *script = text_format("command -v %s", program);
	auto_run run = RUN("sh", "-c", script);

	return run.status == 0;
}

static const char make[] =
	"umask 022\n"
	"mkdir -p base/bin base/etc base/www/old base/www/keep first last odd\n"
	"cp \"$(command -v busybox)\" base/bin/busybox\n"
	"ln -s busybox base/bin/sh\n"
	"echo root:x:0:0::/:/bin/sh > base/etc/passwd\n"
	"echo www:x:33:33::/www:/bin/sh >> base/etc/passwd\n"
	"echo gone > base/www/old/file; echo below > base/www/keep/below; echo zero > base/www/index.html\n"
	"echo four > first/index.html; chown 33:33 first/index.html\n"
	"echo above > last/above\n"
	"umoci init --layout images\n"
	"umoci new --image images:single\n"
	"umoci insert --image images:single base /\n"
	"umoci tag --image images:single four\n"
	"umoci insert --image images:four first /www\n"
	"umoci insert --image images:four --whiteout /www/old\n"
	"umoci insert --image images:four --opaque last /www/keep\n"
	"umoci config --image images:four --config.exposedports 8080 --config.env GREETING=hello --config.workingdir "
	"/www \\\n"
	"    --config.cmd /bin/busybox --config.cmd httpd --config.cmd -f --config.cmd -p --config.cmd 8080\n"
	"umoci new --image images:other\n"
	"umoci config --image images:other --architecture s390x\n"
	"umoci insert --image images:other last /\n"
	"entry() { jq -c --arg name \"$1\" --argjson platform \"$2\" '.manifests[] |\n"
	"    select(.annotations[\"org.opencontainers.image.ref.name\"] == $name) |\n"
	"    {mediaType, digest, size, platform: $platform}' images/index.json; }\n"
	"here=$(jq -c '{os, architecture}' \"images/blobs/sha256/$(jq -r .config.digest \"images/blobs/sha256/$(\n"
	"    entry single null | jq -r .digest | cut -d: -f2)\" | cut -d: -f2)\")\n"
	"printf '{\"schemaVersion\":2,\"manifests\":[%s,%s]}' \"$(entry other "
	"'{\"os\":\"linux\",\"architecture\":\"s390x\"}')\" \\\n"
	"    \"$(entry single \"$here\")\" > two\n"
	"hex=$(sha256sum two | cut -d' ' -f1)\n"
	"jq --arg digest \"sha256:$hex\" --argjson size \"$(stat -c %s two)\" '.manifests += [{\n"
	"    mediaType: \"application/vnd.oci.image.index.v1+json\", digest: $digest, size: $size,\n"
	"    annotations: {\"org.opencontainers.image.ref.name\": \"two\"}}]' images/index.json > index\n"
	"mv index images/index.json; mv two \"images/blobs/sha256/$hex\"\n";

void images_make(const char *directory)
{
	static const char *const programs[] = {"skopeo", "umoci", "jq", "docker-registry", "busybox"};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		SKIP_UNLESS(is_installed(programs[i]), "needs %s", programs[i]);
	script_run(directory, make);
}

/* --- the registry ------------------------------------------------------------------------------------------------- */

static void config_write(const char *directory, const char *settings)
{
	auto_free char *text = text_format("version: 0.1\n"
					   "log: {level: error}\n"
					   "storage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}\n"
					   "http:\n  addr: " REGISTRY "\n%s",
		directory, settings ? settings : "");

	run_write_file(directory, "registry.yml", 0644, text);
}

static pid_t registry_spawn(const char *directory, const char *log)
{
	auto_free char *config = text_format("%s/registry.yml", directory);
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, 1);
		dup2(fd, 2);
		execlp("docker-registry", "docker-registry", "serve", config, NULL);
		_exit(127);
	}
	close(fd);
	return pid;
}

/* Until somebody takes a connection: there is no other event that tells. */
static bool listens(pid_t pid)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(5000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int64_t deadline = clock_deadline_ms(LISTEN_MS);

	while (clock_ms() < deadline && waitpid(pid, NULL, WNOHANG) == 0) {
		auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return true;
		poll(NULL, 0, AGAIN_MS);
	}
	return false;
}

struct registry registry_start(const char *directory, const char *settings)
{
	auto_free char *log = text_format("%s/registry.log", directory);
	struct registry registry = {.directory = directory};

	config_write(directory, settings);
	registry.pid = registry_spawn(directory, log);
	cr_assert(listens(registry.pid), "the registry does not listen");
	return registry;
}

void registry_stop(struct registry *registry)
{
	if (registry->pid <= 0)
		return;
	kill(registry->pid, SIGKILL);
	waitpid(registry->pid, NULL, 0);
	registry->pid = 0;
}
