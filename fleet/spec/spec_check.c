/* What a specification must mean before anything is made from it: one function per key, in a table, whether the values
 * came from a file, from spec.json or from the flags of `run`.
 *
 * Each function stops at the first fault and says which item it was, so that a caller who has the file can point at it.
 */
#include "fleet/spec/spec_check.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/process.h"
#include "base/suggest.h"
#include "fleet/instance.h"
#include "fleet/spec/network_mode.h"

#define HOSTNAME_MAX_LENGTH 63	 /* uname(2) holds 64, but the first label is also a DNS name */
#define SITE_NAME_MAX_LENGTH 253 /* of a DNS name */
#define LOG_LEAST_BYTES 4096
#define DESCRIPTION_MAX_LENGTH 1024

/* --- who it is and what it runs ----------------------------------------------------------------------------------- */

static int check_name(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (!spec->name)
		return fail(err, ERROR_USAGE, "an instance needs a name");
	return name_check("instance name", spec->name, err);
}

static int check_image(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (!spec->image && !spec->rootfs)
		return fail(err, ERROR_USAGE,
			"one of \"image\" and \"rootfs\" is required; \"host\" is the built-in image");
	if (!spec->image)
		return 0;
	if (spec->rootfs)
		return fail(err, ERROR_USAGE, "\"image\" and \"rootfs\" exclude each other");
	if (!*spec->image)
		return fail(err, ERROR_USAGE, "image is empty; \"host\" is the built-in one");
	return line_check("image", spec->image, err);
}

static int check_rootfs(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (!spec->rootfs)
		return 0;
	if (path_check_absolute("rootfs", spec->rootfs, err) < 0)
		return -1;
	if (!spec->rootfs[1])
		return fail(err, ERROR_USAGE, "\"/\" is the host's own root; use the image \"host\"");
	return 0;
}

/* What must never be visible inside, asked for or not. */
static const char *const etc_refused[] = {"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-",
	"/etc/ssl/private", "/etc/sudoers", "/etc/sudoers.d", "/etc/krb5.keytab"};

static int check_etc_path(const char *path, struct error *err)
{
	if (path_check_absolute("path", path, err) < 0)
		return -1;
	if (!path_is_under(path, "/etc") || !strcmp(path, "/etc"))
		return fail(err, ERROR_USAGE, "path \"%s\": must lie below /etc", path);
	for (size_t i = 0; i < ARRAY_SIZE(etc_refused); i++)
		if (path_is_under(path, etc_refused[i]) || path_is_under(etc_refused[i], path))
			return fail(
				err, ERROR_USAGE, "path \"%s\": %s holds secrets of the host", path, etc_refused[i]);
	return 0;
}

static int check_etc_from_host(const struct instance_spec *spec, size_t *index, struct error *err)
{
	if (spec->etc_from_host.count && !text_equal(spec->image, IMAGE_HOST))
		return fail(err, ERROR_USAGE, "only the image \"host\" takes files from the host's /etc");
	CHECK_ITEMS(spec->etc_from_host, index, check_etc_path(spec->etc_from_host.items[*index], err));
}

static int check_program(const struct strings *words, size_t *index, struct error *err)
{
	if (words->count && !*words->items[0]) {
		*index = 0;
		return fail(err, ERROR_USAGE, "the program's name is empty");
	}
	return 0;
}

/* The host's /usr and a plain directory say nothing about a program; images of other kinds may. */
static int check_command(const struct instance_spec *spec, size_t *index, struct error *err)
{
	if (spec->entrypoint.count)
		return 0;
	if (!spec->command.count && (spec->rootfs || text_equal(spec->image, IMAGE_HOST)))
		return fail(err, ERROR_USAGE, "missing \"command\": %s has none of its own",
			spec->rootfs ? "a directory" : "the image \"host\"");
	return check_program(&spec->command, index, err);
}

static int check_entrypoint(const struct instance_spec *spec, size_t *index, struct error *err)
{
	return check_program(&spec->entrypoint, index, err);
}

static int check_variable(const char *name, struct error *err)
{
	if (!*name)
		return fail(err, ERROR_USAGE, "a name is empty");
	if (strchr(name, '='))
		return fail(err, ERROR_USAGE, "name \"%s\": '=' is not allowed", name);
	return line_check("name", name, err);
}

static int check_environment(const struct instance_spec *spec, size_t *index, struct error *err)
{
	CHECK_ITEMS(spec->environment, index, check_variable(spec->environment.items[*index].name, err));
}

int check_source_file(const char *path, struct error *err)
{
	if (!*path)
		return fail(err, ERROR_USAGE, "the path is empty");
	return line_check("path", path, err);
}

static int check_env_file(const struct instance_spec *spec, size_t *index, struct error *err)
{
	CHECK_ITEMS(spec->env_file, index, check_source_file(spec->env_file.items[*index], err));
}

/* A number must be one of the instance's ids; a name is looked up in its own passwd at the start. */
static int check_user_part(const struct instance_spec *spec, const char *text, size_t length, struct error *err)
{
	static const char digits[] = "0123456789";
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	char part[64];
	int64_t id;

	if (!length || length >= sizeof(part))
		return fail(err, ERROR_USAGE, "the name is empty or longer than %zu characters", sizeof(part) - 1);
	memcpy(part, text, length);
	part[length] = '\0';
	if (part[strspn(part, letters)] || *part == '-')
		return fail(err, ERROR_USAGE, "\"%s\": only letters, digits, '_', '.' and '-' are allowed", part);
	return part[strspn(part, digits)] ? 0 : number_parse(part, 0, spec->id_count - 1, &id, err);
}

static int check_user(const struct instance_spec *spec, size_t *index, struct error *err)
{
	size_t length;

	(void)index;
	if (!spec->user)
		return 0;
	if (line_check("the name", spec->user, err) < 0)
		return -1;
	length = strcspn(spec->user, ":");
	if (check_user_part(spec, spec->user, length, err) < 0)
		return -1;
	if (!spec->user[length] ||
		check_user_part(spec, spec->user + length + 1, strlen(spec->user + length + 1), err) == 0)
		return 0;
	return blame(err, "group");
}

static int check_working_dir(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return spec->working_dir ? path_check_absolute("path", spec->working_dir, err) : 0;
}

static bool label_is_valid(const char *label, size_t length)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	if (!length || label[0] == '-' || label[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!strchr(letters, label[i]))
			return false;
	return true;
}

static int check_hostname(const struct instance_spec *spec, size_t *index, struct error *err)
{
	const char *name = spec->hostname, *end;

	(void)index;
	if (!name)
		return 0;
	if (!*name || strlen(name) > HOSTNAME_MAX_LENGTH)
		return fail(
			err, ERROR_USAGE, "\"%s\" is empty or longer than %d characters", name, HOSTNAME_MAX_LENGTH);
	for (const char *label = name;; label = end + 1) {
		end = strchrnul(label, '.');
		if (!label_is_valid(label, (size_t)(end - label)))
			return fail(err, ERROR_USAGE,
				"\"%s\" is not a host name: letters, digits, and '-' inside, in parts joined by '.'",
				name);
		if (!*end)
			return 0;
	}
}

/* "*.example.org" is a name too: everything below example.org. */
static int check_site_name(const char *name, struct error *err)
{
	const char *plain = text_starts_with(name, "*.") ? name + 2 : name;

	if (!*plain || strlen(plain) > SITE_NAME_MAX_LENGTH)
		return fail(
			err, ERROR_USAGE, "\"%s\" is empty or longer than %d characters", name, SITE_NAME_MAX_LENGTH);
	for (const char *label = plain, *end;; label = end + 1) {
		end = strchrnul(label, '.');
		if (end - label > HOSTNAME_MAX_LENGTH || !label_is_valid(label, (size_t)(end - label)))
			return fail(err, ERROR_USAGE,
				"\"%s\" is not a host name such as \"www.example.org\" or \"*.example.org\"", name);
		if (!*end)
			return 0;
	}
}

static int check_hosts(const struct instance_spec *spec, size_t *index, struct error *err)
{
	for (*index = 0; *index < spec->hosts.count; ++*index) {
		const char *name = spec->hosts.items[*index];

		if (check_site_name(name, err) < 0)
			return -1;
		for (size_t i = 0; i < *index; i++)
			if (!strcasecmp(spec->hosts.items[i], name))
				return fail(err, ERROR_USAGE, "\"%s\" is named twice", name);
	}
	return 0;
}

/* An init mounts and makes control groups before anything else: as another user it can do neither. */
static int check_boot(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (spec->boot && spec->user && strcmp(spec->user, "root") && strcmp(spec->user, "0"))
		return fail(err, ERROR_USAGE,
			"an init runs as root, not as \"%s\"; its services have users of their own", spec->user);
	return 0;
}

/* --- network ------------------------------------------------------------------------------------------------------ */

/* A socket that is handed over needs no network. */
static int check_port_network(const struct instance_spec *spec, const struct port *port, struct error *err)
{
	struct network_mode mode = network_mode(spec->network);

	if (mode.kind == NETWORK_ROUTED)
		return 0;
	if (mode.kind == NETWORK_HOST)
		return fail(err, ERROR_USAGE, "with the network \"host\" there are no ports to publish");
	if (port->mode == PORT_SOCKET)
		return 0;
	if (mode.kind == NETWORK_SHARED)
		return fail(err, ERROR_USAGE, "with the network \"%s\" it is %s that publishes ports", spec->network,
			mode.of);
	return fail(err, ERROR_USAGE, "with the network \"%s\" there are no ports to publish but in socket mode",
		spec->network);
}

static int check_ports(const struct instance_spec *spec, size_t *index, struct error *err)
{
	char buffer[PORT_TEXT_SIZE];

	for (*index = 0; *index < spec->ports.count; ++*index) {
		const struct port *port = &spec->ports.items[*index];

		if (*index == INSTANCE_PORTS_MAX)
			return fail(err, ERROR_USAGE,
				"%zu ports; at most %d can be published, and a range counts as one", spec->ports.count,
				INSTANCE_PORTS_MAX);
		if (check_port_network(spec, port, err) < 0)
			return -1;
		for (size_t i = 0; i < *index; i++)
			if (ports_collide(port, &spec->ports.items[i]))
				return fail(err, ERROR_USAGE, "%s: port %u is published twice",
					port_format(port, buffer), port->published);
	}
	return 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int check_dependency(const struct instance_spec *spec, const struct dependency *on, struct error *err)
{
	if (name_check("instance", on->name, err) < 0)
		return -1;
	if (text_equal(on->name, spec->base_name))
		return fail(err, ERROR_USAGE, "%s depends on itself", on->name);
	if (strcmp(on->condition, "started") && strcmp(on->condition, "healthy"))
		return fail(err, ERROR_USAGE, "\"%s\": condition \"%s\" is not \"started\" or \"healthy\"", on->name,
			on->condition);
	return 0;
}

static int check_depends_on(const struct instance_spec *spec, size_t *index, struct error *err)
{
	for (*index = 0; *index < spec->depends_on.count; ++*index) {
		const struct dependency *on = &spec->depends_on.items[*index];

		if (check_dependency(spec, on, err) < 0)
			return -1;
		for (size_t i = 0; i < *index; i++)
			if (!strcmp(spec->depends_on.items[i].name, on->name))
				return fail(err, ERROR_USAGE, "\"%s\" is named twice", on->name);
	}
	return 0;
}

static int check_restart_delay(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return spec->restart.delay_ms < 1 ? fail(err, ERROR_USAGE, "less than 1ms") : 0;
}

static int check_restart_max_delay(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return spec->restart.max_delay_ms < spec->restart.delay_ms ? fail(err, ERROR_USAGE, "less than \"delay\"") : 0;
}

static int check_restart_max_retries(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (spec->restart.max_retries.set && spec->restart.policy == RESTART_NO)
		return fail(err, ERROR_USAGE, "the policy \"no\" never tries again");
	return 0;
}

static int check_stop_signal(const struct instance_spec *spec, size_t *index, struct error *err)
{
	int number;

	(void)index;
	return spec->stop_signal ? signal_parse(spec->stop_signal, &number, err) : 0;
}

static int check_log_driver(const struct instance_spec *spec, size_t *index, struct error *err)
{
	static const char *const drivers[] = {LOG_DRIVER_FILE, LOG_DRIVER_JOURNALD, LOG_DRIVER_NONE};

	(void)index;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(spec->logging.driver, drivers[i]))
			return 0;
	return fail(err, ERROR_USAGE, "\"%s\" is not \"file\", \"journald\" or \"none\"", spec->logging.driver);
}

static int check_log_size(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return spec->logging.max_size_bytes < LOG_LEAST_BYTES ? fail(err, ERROR_USAGE, "less than 4K") : 0;
}

static int check_log_files(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (spec->logging.max_files < 1 || spec->logging.max_files > 100)
		return fail(err, ERROR_USAGE, "not between 1 and 100");
	return 0;
}

/* --- what is said of it ------------------------------------------------------------------------------------------- */

int label_check(const struct pair *label, struct error *err)
{
	return check_variable(label->name, err) < 0 ? -1 : line_check("value", label->value, err);
}

static int check_labels(const struct instance_spec *spec, size_t *index, struct error *err)
{
	CHECK_ITEMS(spec->labels, index, label_check(&spec->labels.items[*index], err));
}

static int check_description(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (!spec->description)
		return 0;
	if (strlen(spec->description) > DESCRIPTION_MAX_LENGTH)
		return fail(err, ERROR_USAGE, "longer than %d bytes", DESCRIPTION_MAX_LENGTH);
	return line_check("text", spec->description, err);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* member: the key inside the object that the key is. */
static const struct {
	const char *key, *member;
	spec_checker *check;
} checks[] = {
	{"name", NULL, check_name},
	{"image", NULL, check_image},
	{"rootfs", NULL, check_rootfs},
	{"etc_from_host", NULL, check_etc_from_host},
	{"depends_on", NULL, check_depends_on},
	{"command", NULL, check_command},
	{"entrypoint", NULL, check_entrypoint},
	{"environment", NULL, check_environment},
	{"env_file", NULL, check_env_file},
	{"user", NULL, check_user},
	{"working_dir", NULL, check_working_dir},
	{"hostname", NULL, check_hostname},
	{"boot", NULL, check_boot},
	{"resources", "cpus", check_cpus},
	{"resources", "cpuset", check_cpuset},
	{"resources", "memory", check_memory},
	{"resources", "memory_high", check_memory_high},
	{"resources", "memory_low", check_memory_low},
	{"resources", "disk", check_disk},
	{"resources", "swap", check_swap},
	{"resources", "io_max", check_io_max},
	{"resources", "egress", check_egress},
	{"resources", "ingress", check_ingress},
	{"ulimits", NULL, check_ulimits},
	{"network", NULL, spec_network_check},
	{"address", NULL, spec_address_check},
	{"address6", NULL, spec_address6_check},
	{"gateway", NULL, spec_gateway_check},
	{"aliases", NULL, spec_aliases_check},
	{"ports", NULL, check_ports},
	{"hosts", NULL, check_hosts},
	{"volumes", NULL, check_volumes},
	{"configs", NULL, check_configs},
	{"devices", NULL, check_devices},
	{"healthcheck", NULL, check_health_kind},
	{"healthcheck", "http", check_health_http},
	{"healthcheck", "tcp", check_health_tcp},
	{"healthcheck", "test", check_health_test},
	{"healthcheck", "interval", check_health_interval},
	{"healthcheck", "start_interval", check_health_start_interval},
	{"healthcheck", "timeout", check_health_timeout},
	{"restart", "delay", check_restart_delay},
	{"restart", "max_delay", check_restart_max_delay},
	{"restart", "max_retries", check_restart_max_retries},
	{"idle", NULL, check_idle},
	{"idle", "after", check_idle_after},
	{"idle", "action", check_idle_action},
	{"stop_signal", NULL, check_stop_signal},
	{"logging", "driver", check_log_driver},
	{"logging", "max_size", check_log_size},
	{"logging", "max_files", check_log_files},
	{"cap_add", NULL, check_cap_add},
	{"cap_drop", NULL, check_cap_drop},
	{"security", "seccomp", check_seccomp},
	{"security", "apparmor", check_apparmor},
	{"security", "selinux", check_selinux},
	{"sysctls", NULL, check_sysctls},
	{"labels", NULL, check_labels},
	{"description", NULL, check_description},
	{"hooks", NULL, check_hooks},
};

int instance_spec_find_fault(const struct instance_spec *spec, struct spec_fault *fault, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		*fault = (struct spec_fault){checks[i].key, checks[i].member, NO_INDEX};
		if (checks[i].check(spec, &fault->index, err) < 0)
			return -1;
	}
	return 0;
}

int instance_spec_check(const struct instance_spec *spec, struct error *err)
{
	struct spec_fault fault;

	if (instance_spec_find_fault(spec, &fault, err) == 0)
		return 0;
	return blame(err, "%s%s%s", fault.key, fault.member ? "." : "", fault.member ? fault.member : "");
}
