/* What the kernel is and can, and which rights we have. */
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "fleet/host/doctor.h"

#define NOT_TRIED "not tried"

#define CLOCK_OLDEST 1735689600 /* 2025-01-01: certificates and logs of an earlier "now" are of no use */

/* --- features ----------------------------------------------------------------------------------------------------- */

static void examine_version(struct examination *examination)
{
	bool old = !kernel_is_at_least(6, 1);
	struct finding *finding = finding_add(
		examination, old ? FINDING_WARNING : FINDING_OK, "Linux", kernel_release(), KERNEL_OLDEST " or newer");

	if (!old)
		return;
	finding->why = "older ones are not tested, whatever they can";
	finding->remedy = "run Linux " KERNEL_OLDEST " or newer";
}

static enum finding_state feature_state(const struct kernel_row *row, enum kernel_answer answer)
{
	if (answer == KERNEL_YES)
		return FINDING_OK;
	if (answer == KERNEL_UNKNOWN)
		return FINDING_UNKNOWN;
	return row->need == KERNEL_NEEDED ? FINDING_MISSING : FINDING_NOTE;
}

static void examine_feature(struct examination *examination, enum kernel_feature feature)
{
	static const char *const found[] = {
		[KERNEL_YES] = "there", [KERNEL_NO] = "not there", [KERNEL_UNKNOWN] = NOT_TRIED};
	const struct kernel_row *row = kernel_about(feature);
	enum kernel_answer answer = kernel_ask(feature);
	struct finding *finding = finding_add(examination, feature_state(row, answer), row->name, found[answer],
		arena_format(examination->arena, "Linux %s", row->since));

	finding->why = arena_format(examination->arena, "%s; without it: %s", row->purpose, row->without);
	if (answer == KERNEL_NO)
		finding->remedy = row->remedy;
	if (answer == KERNEL_UNKNOWN && examination->is_root)
		finding->remedy = "try again: asking takes CAP_SYS_ADMIN, /proc, some memory and some descriptors";
}

static void examine_security_modules(struct examination *examination)
{
	const char *list = knob_text(examination, "/sys/kernel/security/lsm");
	const char *enforcing = knob_text(examination, "/sys/fs/selinux/enforce");
	bool selinux = text_equal(enforcing, "1");
	struct finding *finding = finding_add(examination, selinux ? FINDING_WARNING : FINDING_OK, "security modules",
		selinux ? "SELinux enforces"
		: list	? list
			: "none to be seen",
		NULL);

	if (!selinux)
		return;
	finding->why = "instances get no SELinux labels from warren; a policy may refuse what they do";
	finding->remedy = "setenforce 0 to see whether it is in the way, then a policy of your own";
}

static void examine_clock(struct examination *examination)
{
	time_t now = time(NULL);
	char text[32] = "?";
	struct tm broken;
	struct timex state = {0};
	bool wrong = now < CLOCK_OLDEST;
	struct finding *finding;

	if (gmtime_r(&now, &broken))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &broken);
	finding = finding_add(examination, wrong ? FINDING_WARNING : FINDING_OK, "clock",
		arena_format(examination->arena, "%s%s", text,
			adjtimex(&state) == TIME_ERROR ? ", synchronised with none" : ""),
		NULL);
	if (wrong) {
		finding->why = "times in logs and records are the host's, and instances share its clock";
		finding->remedy = "set it: date -s …, or run an NTP client";
	}
}

void examine_kernel(struct examination *examination)
{
	examine_version(examination);
	for (int feature = 0; feature < KERNEL_FEATURES; feature++)
		examine_feature(examination, (enum kernel_feature)feature);
	examine_security_modules(examination);
	examine_clock(examination);
}

/* --- rights ------------------------------------------------------------------------------------------------------- */

/* What we do with them on the host; inside its own user namespace an instance's first process has all. Found out by
 * taking each away. */
static const struct {
	unsigned number;
	const char *name, *purpose;
	enum finding_state without;
} capabilities[] = {
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "mounts, namespaces, device rules", FINDING_MISSING},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN", "links, routes and the nftables table", FINDING_MISSING},
	{CAP_SETUID, "CAP_SETUID", "id maps", FINDING_MISSING},
	{CAP_SETGID, "CAP_SETGID", "id maps", FINDING_MISSING},
	{CAP_CHOWN, "CAP_CHOWN", "files and pipes that belong to an instance's users", FINDING_MISSING},
	{CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", "the same files, opened", FINDING_MISSING},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "an instance's namespaces, opened", FINDING_MISSING},
	{CAP_FOWNER, "CAP_FOWNER", "modes of files that belong to an instance's users", FINDING_WARNING},
	{CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE", "limits above our own (nofile), lower out-of-memory scores",
		FINDING_WARNING},
};

static uint64_t capabilities_effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

void examine_rights(struct examination *examination)
{
	uint64_t effective = capabilities_effective();
	struct finding *finding;

	if (!examination->is_root) {
		finding = finding_add(examination, FINDING_UNKNOWN, "root", "no", "yes");
		finding->why = "warren needs root for everything but validate, help and this; much cannot be looked at";
		finding->remedy = "run it as root: sudo warren doctor";
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		bool there = effective & UINT64_C(1) << capabilities[i].number;

		finding = finding_add(examination, there ? FINDING_OK : capabilities[i].without, capabilities[i].name,
			there ? "there" : "not there", NULL);
		finding->why = capabilities[i].purpose;
		if (!there)
			finding->remedy = "start warren from a root shell that has it: whoever started this one (a "
					  "container, a systemd unit's CapabilityBoundingSet=) took it away";
	}
}
