/* The end of a run: what it took from the host is given back, and how it ended is written down.
 *
 * The order is the reverse of the start's (published ports first), and run.json goes last: whoever is killed in between
 * leaves it, so that the next command does all of it again. Every step is harmless when it was done before. */
#include "fleet/events/events.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/figures/usage.h"
#include "fleet/health/health.h"
#include "fleet/monitor/finish.h"
#include "fleet/network/published.h"
#include "fleet/network/sharing.h"
#include "fleet/start/hooks.h"
#include "images/images.h"

/* --- why it ended ------------------------------------------------------------------------------------------------- */

/* A shell passes its child's death on as 128 + signal, so an exit with 137 counts as a death by SIGKILL. */
static bool was_killed(int wait_status, int signal)
{
	return (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == signal) ||
	       (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 128 + signal);
}

static int shell_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* How an init ended that called reboot(2): in a pid namespace the kernel kills it, by SIGHUP when it is to start again,
 * by SIGINT when it is to stay off (reboot(2), since Linux 3.4). */
static int reboot_signal(const struct end *end)
{
	if (!end->boot || end->wait_status < 0 || !WIFSIGNALED(end->wait_status))
		return 0;
	return WTERMSIG(end->wait_status) == SIGHUP || WTERMSIG(end->wait_status) == SIGINT ? WTERMSIG(end->wait_status)
											    : 0;
}

static enum end_reason end_reason(const struct end *end)
{
	if (reboot_signal(end))
		return reboot_signal(end) == SIGHUP && end->desired != DESIRED_STOPPED ? END_REBOOT : END_STOPPED;
	if (end->halted)
		return end->halted == HALT_TO_START ? END_RESTART : END_HOST;
	if (end->killed_by && end->wait_status >= 0 && was_killed(end->wait_status, end->killed_by))
		return END_KILLED;
	if (end->unwell)
		return END_UNHEALTHY;
	if (end->desired == DESIRED_STOPPED)
		return end->killed_by == SIGKILL ? END_KILLED : END_STOPPED;
	if (end->oom_kills > 0 && (end->wait_status < 0 || was_killed(end->wait_status, SIGKILL)))
		return END_OUT_OF_MEMORY;
	if (end->wait_status < 0)
		return END_HOST;
	return WIFSIGNALED(end->wait_status) ? END_SIGNAL : END_EXITED;
}

struct exit_record end_judge(const struct end *end)
{
	return (struct exit_record){
		.reason = end_reason(end),
		.status = reboot_signal(end)	 ? 0
			  : end->wait_status < 0 ? 128 + SIGKILL
						 : shell_status(end->wait_status),
		.at_ms = clock_real_ms(),
		.oom_kills = end->oom_kills > 0 ? end->oom_kills : 0,
	};
}

/* struct pidfd_info of linux/pidfd.h, first version; older headers lack it, older kernels answer ENOTTY or leave the
 * bit unset. */
struct pidfd_information {
	uint64_t mask, cgroup_id;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_INFORMATION_EXIT (1u << 3)
#define PIDFD_GET_INFORMATION _IOWR(0xFF, 11, struct pidfd_information)
#define REAPED_TIMEOUT_MS 200

int pidfd_exit_status(int pidfd)
{
	struct pidfd_information information = {.mask = PIDFD_INFORMATION_EXIT};
	/* POLLHUP: its parent has reaped it, from then on the kernel tells. */
	struct pollfd reaped = {.fd = pidfd};

	if (pidfd < 0 || poll(&reaped, 1, REAPED_TIMEOUT_MS) != 1 ||
		ioctl(pidfd, PIDFD_GET_INFORMATION, &information) < 0 || !(information.mask & PIDFD_INFORMATION_EXIT))
		return -1;
	return information.exit_code;
}

/* --- giving back -------------------------------------------------------------------------------------------------- */

static void keep_first(struct error *first, const struct error *next)
{
	if (first->kind == ERROR_NONE)
		*first = *next;
}

static void processes_end(struct instance *instance, const char *path, struct error *first)
{
	struct cgroup cgroup;
	struct error err;

	if (cgroup_open(&instance->host->cgroups, path, &cgroup, &err) < 0) {
		if (err.kind != ERROR_MISSING)
			keep_first(first, &err);
		return;
	}
	if (cgroup_is_populated(&cgroup) && cgroup_kill(&cgroup, &err) < 0)
		keep_first(first, &err);
	cgroup_drop(&cgroup);
	if (cgroup_remove(&instance->host->cgroups, path, INSTANCE_END_TIMEOUT_MS, false, &err) < 0)
		keep_first(first, &err);
}

static void network_release(struct instance *instance, const struct run *run, struct error *first)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;
	struct record record;

	struct run now = {.ports = run->ports, .port_count = run->port_count};

	if (record_read(&arena, instance->dir, &record, &err) < 0 || !record.network)
		return;
	struct endpoint endpoint = record_endpoint(&record);

	if (run_ports_read(&arena, instance->live, &now) || now.port_count) {
		AUTO(net_session_drop) struct net_session *own = NULL;
		struct net_session *session = host_network(instance->host, &own, &err);

		const struct published published = {.host = instance->host,
			.session = session,
			.endpoint = &endpoint,
			.ports = now.ports,
			.count = now.port_count};

		if (!session || published_close(&published, &err) < 0)
			keep_first(first, &err);
	}
	if (hosts_remove(&instance->host->net, record.network, &endpoint, &err) < 0)
		keep_first(first, &err);
	if (sharing_cut(instance, record.slot, &err) < 0)
		keep_first(first, &err);
}

int run_release(struct instance *instance, const struct run *run, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error first = {0};

	network_release(instance, run, &first);
	processes_end(instance, instance_cgroup_path(&arena, instance->host, instance->name), &first);
	if (first.kind == ERROR_NONE)
		return 0;
	*err = first;
	return blame(err, "clean up after %s", instance->name);
}

int run_finish(struct instance *instance, const struct run *run, const struct exit_record *exit, struct error *err)
{
	struct error record_err = {0};
	struct exit_record with_count = *exit;
	int released;

	usage_note(instance, run, true); /* while its counters are there */
	released = run_release(instance, run, err);

	/* Processes first: nobody writes any more. */
	if (root_reset(instance->dir, &record_err) < 0)
		log_warn("%s: what it wrote is still there: %s", instance->name, record_err.text);
	with_count.restarts = run->restarts;
	if (exit_write(instance->dir, &with_count, &record_err) < 0) {
		log_warn("%s: its end could not be recorded: %s", instance->name, record_err.text);
		if (released == 0)
			*err = record_err;
		released = -1;
	}
	ends_note(instance, run, &with_count);
	instance_event_end(instance, &with_count);
	/* A cgroup that would not go is tried again by the next start or remove, which look for it. */
	killed_forget(instance->live);
	health_forget(instance->live);
	halted_forget(instance->live);
	run_forget(instance->live);
	instance_poststop_run(instance);
	return released;
}
