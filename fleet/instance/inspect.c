/* The `inspect` document: what was wanted, what is, what the kernel has. */
#include <arpa/inet.h>

#include "base/encode.h"
#include "fleet/fleet.h"
#include "fleet/logs/logs.h"

/* Times as people and scripts read them; 0: never, left out. */
static void encode_time(struct encoder *encoder, const char *key, int64_t real_ms)
{
	char text[25];

	if (!real_ms)
		return;
	log_time_format(real_ms, text);
	encode_string(encoder, key, text);
}

static void encode_optional(struct encoder *encoder, const char *key, struct optional value)
{
	if (value.set)
		encode_integer(encoder, key, value.value);
}

static void encode_address6(struct encoder *encoder, const char *key, const struct in6_addr *address)
{
	const struct ip_address any = ip_from_v6(address);
	char text[INET6_ADDRSTRLEN];

	if (!ip_is_any(&any))
		encode_string(encoder, key, ip_format(&any, text));
}

static void encode_address(struct encoder *encoder, const char *key, struct in_addr address)
{
	char text[INET_ADDRSTRLEN];

	if (address.s_addr)
		encode_string(encoder, key, inet_ntop(AF_INET, &address, text, sizeof(text)));
}

static void encode_ports(struct encoder *encoder, const struct instance_status *status)
{
	char address[INET6_ADDRSTRLEN];

	encode_array_begin(encoder, "ports");
	for (size_t i = 0; i < status->port_count; i++) {
		const struct port *port = &status->ports[i];

		encode_object_begin(encoder, NULL);
		encode_string(encoder, "host_ip", ip_format(&port->host_ip, address));
		encode_integer(encoder, "published", port->published);
		encode_integer(encoder, "target", port->target);
		if (port->following) {
			encode_integer(encoder, "published_last", port->published + port->following);
			encode_integer(encoder, "target_last", port->target + port->following);
		}
		encode_string(encoder, "protocol", port_protocol_names[port->protocol]);
		encode_string(encoder, "mode", port_mode_names[port->mode]);
		encode_string(encoder, "balance", port_balance_names[port->balance]);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
}

static void encode_last(struct encoder *encoder, const struct exit_record *last)
{
	if (last->reason == END_NONE)
		return;
	encode_object_begin(encoder, "last_exit");
	encode_string(encoder, "reason", end_reason_names[last->reason]);
	encode_integer(encoder, "status", last->status);
	encode_time(encoder, "at", last->at_ms);
	encode_string(encoder, "detail", last->detail);
	encode_object_end(encoder);
}

static void encode_health_result(struct encoder *encoder, const struct health_result *result)
{
	encode_object_begin(encoder, NULL);
	encode_time(encoder, "at", result->at_ms);
	encode_integer(encoder, "took_ms", result->took_ms);
	encode_bool(encoder, "well", result->well);
	if (result->status >= 0)
		encode_integer(encoder, "status", result->status);
	encode_string(encoder, "output", result->output);
	encode_object_end(encoder);
}

static void encode_health_status(struct encoder *encoder, const struct health_status *health)
{
	if (health->state == HEALTH_NONE)
		return;
	encode_object_begin(encoder, "health");
	encode_string(encoder, "state", health_state_names[health->state]);
	encode_time(encoder, "since", health->since_ms);
	encode_integer(encoder, "failing_streak", health->failing_streak);
	encode_array_begin(encoder, "results");
	for (size_t i = 0; i < health->results.count; i++)
		encode_health_result(encoder, &health->results.items[i]);
	encode_array_end(encoder);
	encode_object_end(encoder);
}

static void encode_end(struct encoder *encoder, const struct end_report *end)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "reason", end_reason_names[end->reason]);
	encode_integer(encoder, "status", end->status);
	encode_time(encoder, "at", end->at_ms);
	encode_integer(encoder, "lived_ms", end->lived_ms);
	if (end->oom_kills)
		encode_integer(encoder, "oom_kills", end->oom_kills);
	encode_integer(encoder, "restarts", end->restarts);
	encode_string(encoder, "detail", end->detail);
	encode_strings(encoder, "log", &end->log);
	encode_object_end(encoder);
}

void instance_ends_encode(struct encoder *encoder, const char *key, const struct end_list *ends)
{
	encode_array_begin(encoder, key);
	for (size_t i = 0; i < ends->count; i++)
		encode_end(encoder, &ends->items[i]);
	encode_array_end(encoder);
}

static void encode_limits(struct encoder *encoder, const struct cgroup_limits *limits)
{
	const struct {
		const char *key;
		struct optional value;
	} rows[] = {
		{"memory_max_bytes", limits->memory_max},
		{"memory_high_bytes", limits->memory_high},
		{"memory_low_bytes", limits->memory_low},
		{"swap_max_bytes", limits->swap_max},
		{"pids_max", limits->pids_max},
		{"cpu_quota_us", limits->cpu_quota_us},
		{"cpu_period_us", limits->cpu_period_us},
		{"cpu_weight", limits->cpu_weight},
		{"io_weight", limits->io_weight},
	};

	encode_object_begin(encoder, "limits_in_kernel");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		encode_optional(encoder, rows[i].key, rows[i].value);
	encode_string(encoder, "cpuset_cpus", limits->cpuset_cpus);
	encode_object_end(encoder);
}

static void encode_processes(struct encoder *encoder, const struct instance_status *status)
{
	if (status->init.pid)
		encode_integer(encoder, "pid", status->init.pid);
	encode_bool(encoder, "monitored", status->monitored);
	if (status->monitor)
		encode_integer(encoder, "monitor_pid", status->monitor);
}

static void encode_identity(struct encoder *encoder, const struct instance_status *status)
{
	if (status->slot) {
		encode_integer(encoder, "slot", status->slot);
		encode_integer(encoder, "id_base", status->id_base);
	}
	encode_address(encoder, "address", status->address);
	encode_address6(encoder, "address6", &status->address6);
	encode_string(encoder, "cgroup", status->cgroup_path);
}

void instance_status_encode(
	struct encoder *encoder, const struct instance_status *status, const struct cgroup_limits *in_kernel)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "name", status->name);
	encode_string(encoder, "state", instance_state_word(status));
	encode_string(encoder, "desired", desired_state_names[status->desired]);
	encode_string(encoder, "damage", status->damage);
	encode_processes(encoder, status);
	encode_identity(encoder, status);
	encode_ports(encoder, status);
	encode_time(encoder, "created", status->created_ms);
	encode_time(encoder, "started", status->started_ms);
	encode_integer(encoder, "restarts", status->restarts);
	encode_integer(encoder, "log_dropped_bytes", status->log_dropped_bytes);
	encode_health_status(encoder, &status->health);
	encode_last(encoder, &status->last);
	if (status->ends)
		instance_ends_encode(encoder, "ends", status->ends);
	if (in_kernel)
		encode_limits(encoder, in_kernel);
	if (status->spec)
		instance_spec_encode(encoder, "spec", status->spec);
	encode_object_end(encoder);
}
