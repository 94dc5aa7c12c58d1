/* The network lock between dump and restore, where the network namespace stays.
 *
 * A dump with --tcp-established ends with the sockets gone. A packet of the other side would find none and be answered
 * by a reset, so CRIU puts rules in front that drop everything, and leaves them. In a network namespace that goes with
 * the container they go, too. In one that stays (an engine's), the restore would put a second pair of them beside the
 * first, remove one, and leave the connections dead behind the other. So we put rules of our own in front, take CRIU's
 * away, and remove ours when the restore is through. Both go by iptables-restore, as CRIU itself needs it, or by nft,
 * and each change is one transaction. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "runtime/criu/checkpoint.h"

#define TIMEOUT_MS 30000

/* What CRIU marks its own packets with, while it repairs a connection. */
#define REPAIR_MARK "0xc114"

static const char take_over[] = "*filter\n"
				":WARREN-LOCK - [0:0]\n"
				"-A WARREN-LOCK -m mark --mark " REPAIR_MARK " -j ACCEPT\n"
				"-A WARREN-LOCK -j DROP\n"
				"-I INPUT -j WARREN-LOCK\n"
				"-I OUTPUT -j WARREN-LOCK\n"
				"-D INPUT -j CRIU\n"
				"-D OUTPUT -j CRIU\n"
				"-F CRIU\n"
				"-X CRIU\n"
				"COMMIT\n";
static const char lift[] = "*filter\n"
			   "-D INPUT -j WARREN-LOCK\n"
			   "-D OUTPUT -j WARREN-LOCK\n"
			   "-F WARREN-LOCK\n"
			   "-X WARREN-LOCK\n"
			   "COMMIT\n";

static const struct {
	const char *restore, *save;
} tools[] = {
	{"/usr/sbin/iptables-restore", "/usr/sbin/iptables-save"},
	{"/usr/sbin/ip6tables-restore", "/usr/sbin/ip6tables-save"},
};

/* "inet CRIU-123": CRIU has one for each dump. */
#define NFT "/usr/sbin/nft"
#define NFT_OF_CRIU "table inet CRIU-"
#define NFT_OF_OURS "table inet WARREN-LOCK"
#define NFT_CHAIN(hook)                                                                                                \
	"add chain inet WARREN-LOCK " hook " { type filter hook " hook " priority 0; policy drop; }\n"                 \
	"add rule inet WARREN-LOCK " hook " meta mark " REPAIR_MARK " accept\n"

static int tool_run(
	const char *program, const char *const arguments[2], const char *input, struct text *output, struct error *err)
{
	const char *const argv[] = {program, arguments[0], arguments[1], NULL};
	const struct helper helper = {
		.argv = argv, .input = input, .input_length = input ? strlen(input) : 0, .timeout_ms = TIMEOUT_MS};
	int status;

	if (process_run(&helper, output, &status, err) < 0)
		return -1;
	if (status != 0)
		return fail(err, ERROR_SYSTEM, "%s: %.200s", program, text_string(output));
	return 0;
}

/* Only where the chain is: whoever has none has no lock, and nothing to be done. */
static int tool_change(const char *restore, const char *save, const char *chain, const char *rules, struct error *err)
{
	AUTO(text_drop) struct text output = {0};

	if (access(restore, X_OK) < 0)
		return 0;
	if (tool_run(save, (const char *const[]){"-tfilter", NULL}, NULL, &output, err) < 0)
		return -1;
	if (!strstr(text_string(&output), chain))
		return 0;
	text_clear(&output);
	return tool_run(restore, (const char *const[]){"--noflush", NULL}, rules, &output, err);
}

static int tools_change(const char *chain, const char *rules, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		if (tool_change(tools[i].restore, tools[i].save, chain, rules, err) < 0)
			return -1;
	return 0;
}

static int nft_list(struct text *output, struct error *err)
{
	return tool_run(NFT, (const char *const[]){"list", "tables"}, NULL, output, err);
}

static int nft_change(const char *rules, struct error *err)
{
	AUTO(text_drop) struct text output = {0};

	return tool_run(NFT, (const char *const[]){"-f", "-"}, rules, &output, err);
}

static int nft_take_over(struct error *err)
{
	AUTO(text_drop) struct text tables = {0};
	AUTO(text_drop) struct text rules = {0};
	const char *line;

	if (nft_list(&tables, err) < 0)
		return -1;
	text_append(&rules, "add " NFT_OF_OURS "\n" NFT_CHAIN("input") NFT_CHAIN("output"));
	for (line = text_string(&tables); (line = strstr(line, NFT_OF_CRIU)); line += strlen(NFT_OF_CRIU))
		text_appendf(&rules, "delete %.*s\n", (int)strcspn(line, "\n"), line);
	return nft_change(text_string(&rules), err);
}

static int nft_lift(struct error *err)
{
	AUTO(text_drop) struct text tables = {0};

	if (access(NFT, X_OK) < 0)
		return 0;
	if (nft_list(&tables, err) < 0)
		return -1;
	if (!strstr(text_string(&tables), NFT_OF_OURS))
		return 0;
	return nft_change("delete " NFT_OF_OURS "\n", err);
}

static int iptables_take_over(struct error *err)
{
	return tools_change(":CRIU ", take_over, err);
}

/* Whatever the dump was told: the restore may not know. */
static int all_lift(struct error *err)
{
	return tools_change(":WARREN-LOCK ", lift, err) < 0 || nft_lift(err) < 0 ? -1 : 0;
}

static int change(int netns, int (*work)(struct error *err), struct error *err)
{
	if (setns(netns, CLONE_NEWNET) < 0)
		return fail_errno(err, "enter the container's network namespace");
	return work(err);
}

/* Entering a namespace is for good, so a child does it. Its reason comes back through a pipe. */
static int change_in_child(int netns, int (*work)(struct error *err), struct error *err)
{
	auto_fd pidfd = -1;
	struct error failed = {0}, ignored;
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, "make a pipe");
	auto_fd ours = ends[0], theirs = ends[1];

	pid = process_clone(0, -1, &pidfd);
	if (pid < 0)
		return fail_errno(err, "make a process for the network lock");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(change(netns, work, &failed) < 0 && write_all(theirs, &failed, sizeof(failed)) == 0);
	}
	fd_drop(&theirs);
	if (read(ours, err, sizeof(*err)) == (ssize_t)sizeof(*err))
		return -1;
	if (process_reap(pidfd, &status, &ignored) == 0 && status != 0)
		return fail(err, ERROR_SYSTEM, "the process that does it died");
	return 0;
}

int checkpoint_lock_check(enum network_lock lock, struct error *err)
{
	if (lock == NETWORK_LOCK_NFTABLES && access(NFT, X_OK) < 0)
		return fail_errno(err, "--network-lock nftables needs " NFT);
	return 0;
}

int checkpoint_lock_take_over(int netns, enum network_lock lock, struct error *err)
{
	static int (*const works[])(struct error * err) = {
		[NETWORK_LOCK_IPTABLES] = iptables_take_over, [NETWORK_LOCK_NFTABLES] = nft_take_over};

	if (lock == NETWORK_LOCK_NOTHING)
		return 0;
	if (change_in_child(netns, works[lock], err) < 0)
		return blame(err, "take over the network lock");
	return 0;
}

int checkpoint_lock_lift(int netns, struct error *err)
{
	if (change_in_child(netns, all_lift, err) < 0)
		return blame(err, "lift the network lock");
	return 0;
}
