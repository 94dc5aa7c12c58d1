/* What is done to units: start a scope, set properties, stop.
 *
 * systemd answers a method at once and says later, by a signal, how the job went that it made of it. The match for the
 * signal is there before the job is. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "cli/systemd/systemd.h"

#define EXISTING_WAIT_MS 5000 /* for a unit of the same name that is on its way out */
#define FORGOTTEN_WAIT_MS 5000
#define SELF_MAX ((size_t)65536)

static void message_drop(sd_bus_message **message)
{
	*message = sd_bus_message_unref(*message);
}
#define auto_message AUTO(message_drop) sd_bus_message

static void slot_drop(sd_bus_slot **slot)
{
	*slot = sd_bus_slot_unref(*slot);
}
#define auto_slot AUTO(slot_drop) sd_bus_slot

/* --- properties --------------------------------------------------------------------------------------------------- */

static int integer_append(sd_bus_message *message, char type, const char *value)
{
	long long wide = strtoll(value, NULL, 10);
	union {
		uint8_t y;
		int16_t n;
		uint16_t q;
		int32_t i;
		uint32_t u;
		int64_t x;
	} number = {0};

	/* systemd_property_check() has seen that it fits. */
	switch (type) {
	case 'y':
		number.y = (uint8_t)wide;
		break;
	case 'n':
		number.n = (int16_t)wide;
		break;
	case 'q':
		number.q = (uint16_t)wide;
		break;
	case 'i':
		number.i = (int32_t)wide;
		break;
	case 'u':
		number.u = (uint32_t)wide;
		break;
	default:
		number.x = wide;
	}
	return sd_bus_message_append_basic(message, type, &number);
}

static int basic_append(sd_bus_message *message, char type, const char *value)
{
	uint64_t natural;
	double real;
	int truth;

	switch (type) {
	case 's':
	case 'o':
		return sd_bus_message_append_basic(message, type, value);
	case 'b':
		truth = strcmp(value, "true") == 0;
		return sd_bus_message_append_basic(message, type, &truth);
	case 't':
		natural = strtoull(value, NULL, 10);
		return sd_bus_message_append_basic(message, type, &natural);
	case 'd':
		real = strtod(value, NULL);
		return sd_bus_message_append_basic(message, type, &real);
	default:
		return integer_append(message, type, value);
	}
}

static int pairs_append(sd_bus_message *message, const char *inner, const struct strings *values)
{
	int result = sd_bus_message_open_container(message, 'a', inner);

	for (size_t i = 0; result >= 0 && i + 1 < values->count; i += 2) {
		char types[3] = {inner[1], inner[2], '\0'};

		result = sd_bus_message_open_container(message, 'r', types);
		if (result >= 0)
			result = basic_append(message, types[0], values->items[i]);
		if (result >= 0)
			result = basic_append(message, types[1], values->items[i + 1]);
		if (result >= 0)
			result = sd_bus_message_close_container(message);
	}
	return result < 0 ? result : sd_bus_message_close_container(message);
}

static int array_append(sd_bus_message *message, const char *type, const struct strings *values)
{
	int result = sd_bus_message_open_container(message, 'a', type);

	for (size_t i = 0; result >= 0 && i < values->count; i++)
		result = basic_append(message, *type, values->items[i]);
	return result < 0 ? result : sd_bus_message_close_container(message);
}

static int value_append(sd_bus_message *message, const struct systemd_property *property)
{
	if (property->type[0] != 'a')
		return basic_append(message, property->type[0], property->values.items[0]);
	if (property->type[1] == '(')
		return pairs_append(message, property->type + 1, &property->values);
	return array_append(message, property->type + 1, &property->values);
}

/* (sv) */
static int property_append(sd_bus_message *message, const struct systemd_property *property)
{
	int result = sd_bus_message_open_container(message, 'r', "sv");

	if (result >= 0)
		result = sd_bus_message_append_basic(message, 's', property->name);
	if (result >= 0)
		result = sd_bus_message_open_container(message, 'v', property->type);
	if (result >= 0)
		result = value_append(message, property);
	if (result >= 0)
		result = sd_bus_message_close_container(message);
	return result < 0 ? result : sd_bus_message_close_container(message);
}

/* Asks only when it matters. */
static int version_get(
	struct manager *manager, const struct systemd_properties *properties, int *out, struct error *err)
{
	*out = INT_MAX;
	for (size_t i = 0; i < properties->count; i++)
		if (properties->items[i].since)
			return manager_version(manager, out, err);
	return 0;
}

/* a(sv), with this process as the first member when it is for a new scope. */
static int properties_append(
	sd_bus_message *message, const struct systemd_properties *properties, int version, bool join, struct error *err)
{
	int result = sd_bus_message_open_container(message, 'a', "(sv)");

	for (size_t i = 0; result >= 0 && i < properties->count; i++) {
		const struct systemd_property *property = &properties->items[i];

		if (property->since > version)
			continue;
		result = property_append(message, property);
		if (result < 0)
			return fail_bus(err, result, property->name);
	}
	if (result >= 0 && join)
		result = sd_bus_message_append(message, "(sv)", "PIDs", "au", 1, (uint32_t)getpid());
	if (result >= 0)
		result = sd_bus_message_close_container(message);
	return result < 0 ? fail_bus(err, result, "write the properties") : 0;
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

struct job {
	const char *path; /* NULL: not known yet */
	bool done;
	char result[32];
};

/* JobRemoved(u id, o job, s unit, s result) */
static int on_job_removed(sd_bus_message *message, void *context, sd_bus_error *ignored)
{
	struct job *job = context;
	const char *path, *unit, *result;
	uint32_t id;

	(void)ignored;
	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (job->path && strcmp(path, job->path) == 0) {
		snprintf(job->result, sizeof(job->result), "%s", result);
		job->done = true;
	}
	return 0;
}

static int signal_match(struct manager *manager, const char *signal, sd_bus_message_handler_t handler, void *context,
	sd_bus_slot **slot, struct error *err)
{
	int result = sd_bus_match_signal(
		manager->bus, slot, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, signal, handler, context);

	return result < 0 ? fail_bus(err, result, "listen to systemd") : 0;
}

static int job_await(struct manager *manager, struct job *job, sd_bus_message *reply, struct error *err)
{
	int result = sd_bus_message_read(reply, "o", &job->path);

	if (result < 0)
		return fail_bus(err, result, "read systemd's answer");
	if (manager_wait(manager, &job->done, err) < 0)
		return -1;
	if (strcmp(job->result, "done") != 0)
		return fail(err, ERROR_SYSTEM, "its job ended as \"%s\"; journalctl -u may say why", job->result);
	return 0;
}

/* Makes the call, whose answer is a job, and waits for that. */
static int job_run(struct manager *manager, sd_bus_message *call, struct error *err)
{
	struct job job = {0};
	auto_message *reply = NULL;
	auto_slot *slot = NULL;

	if (signal_match(manager, "JobRemoved", on_job_removed, &job, &slot, err) < 0)
		return -1;
	if (manager_call(manager, call, &reply, err) < 0)
		return -1;
	return job_await(manager, &job, reply, err);
}

/* --- a unit's end ------------------------------------------------------------------------------------------------- */

struct forgetting {
	const char *unit;
	bool done;
};

/* UnitRemoved(s unit, o path) */
static int on_unit_removed(sd_bus_message *message, void *context, sd_bus_error *ignored)
{
	struct forgetting *forgetting = context;
	const char *unit, *path;

	(void)ignored;
	if (sd_bus_message_read(message, "so", &unit, &path) >= 0 && strcmp(unit, forgetting->unit) == 0)
		forgetting->done = true;
	return 0;
}

/* A method of one argument, the unit's name. */
static int unit_call(
	struct manager *manager, const char *method, const char *unit, sd_bus_message **reply, struct error *err)
{
	auto_message *call = manager_method(manager, method, err);
	int result;

	if (!call)
		return -1;
	result = sd_bus_message_append(call, "s", unit);
	if (result < 0)
		return fail_bus(err, result, method);
	return manager_call(manager, call, reply, err);
}

static int unit_state(struct manager *manager, const char *unit, char state[32], struct error *err)
{
	auto_message *reply = NULL;
	auto_free char *text = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	const char *path;
	int result;

	if (unit_call(manager, "GetUnit", unit, &reply, err) < 0)
		return -1;
	result = sd_bus_message_read(reply, "o", &path);
	if (result >= 0)
		result = sd_bus_get_property_string(manager->bus, MANAGER_NAME, path, "org.freedesktop.systemd1.Unit",
			"ActiveState", &error, &text);
	sd_bus_error_free(&error);
	if (result < 0) /* it has gone between the two calls */
		return fail(err, ERROR_MISSING, "unit %s is gone", unit);
	snprintf(state, 32, "%s", text);
	return 0;
}

/* Signals about units come to those only who asked for them. */
static int subscribe(struct manager *manager, struct error *err)
{
	auto_message *call = manager_method(manager, "Subscribe", err);

	return call && manager_call(manager, call, NULL, err) == 0 ? 0 : -1;
}

/* Waits until systemd has forgotten a unit that is not active any more: a new one of its name is refused until then.
 * ERROR_BUSY when it is active, or still there when the time is out. */
static int unit_await_forgotten(struct manager *manager, const char *unit, int64_t timeout_ms, struct error *err)
{
	struct forgetting forgetting = {.unit = unit};
	int64_t whole = manager->deadline_ms, mine = clock_deadline_ms(timeout_ms);
	auto_slot *slot = NULL;
	struct error ignored;
	char state[32];
	int result;

	if (signal_match(manager, "UnitRemoved", on_unit_removed, &forgetting, &slot, err) < 0 ||
		subscribe(manager, err) < 0)
		return -1;
	if (unit_state(manager, unit, state, err) < 0)
		return err->kind == ERROR_MISSING ? 0 : -1;
	if (strcmp(state, "active") == 0 || strcmp(state, "activating") == 0)
		return fail(err, ERROR_BUSY, "a unit of that name is %s", state);
	if (strcmp(state, "failed") == 0 && unit_call(manager, "ResetFailedUnit", unit, NULL, &ignored) < 0 &&
		ignored.kind == ERROR_MISSING)
		return 0;
	manager->deadline_ms = mine < whole ? mine : whole;
	result = manager_wait(manager, &forgetting.done, err);
	manager->deadline_ms = whole;
	return result;
}

/* --- start -------------------------------------------------------------------------------------------------------- */

/* StartTransientUnit(s name, s mode, a(sv) properties, a(sa(sv)) auxiliary units) */
static int scope_try(struct manager *manager, const struct systemd_request *request, int version, struct error *err)
{
	auto_message *call = manager_method(manager, "StartTransientUnit", err);
	int result;

	if (!call)
		return -1;
	result = sd_bus_message_append(call, "ss", request->unit, "fail");
	if (result < 0)
		return fail_bus(err, result, "StartTransientUnit");
	if (properties_append(call, &request->properties, version, true, err) < 0)
		return -1;
	result = sd_bus_message_append(call, "a(sa(sv))", 0);
	if (result < 0)
		return fail_bus(err, result, "StartTransientUnit");
	return job_run(manager, call, err);
}

/* Our own line of /proc/self/cgroup: as it is seen from here, whatever root systemd has. */
static int own_cgroup(struct arena *arena, const char *unit, const char **out, struct error *err)
{
	const char *text;
	struct strings lines;
	const char *name;

	if (file_read(arena, AT_FDCWD, "/proc/self/cgroup", SELF_MAX, &text, NULL, err) < 0)
		return -1;
	lines = strings_split(arena, text, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		if (!text_starts_with(lines.items[i], "0::"))
			continue;
		*out = lines.items[i] + 3;
		name = strrchr(*out, '/');
		if (name && strcmp(name + 1, unit) == 0)
			return 0;
		return fail(err, ERROR_SYSTEM, "it was started, but this process is in cgroup %s", *out);
	}
	return fail(err, ERROR_SYSTEM, "this kernel shows no cgroup v2");
}

static int scope_start(struct manager *manager, struct arena *arena, const struct systemd_request *request,
	struct systemd_answer *answer, struct error *err)
{
	int version;

	if (version_get(manager, &request->properties, &version, err) < 0)
		return -1;
	if (scope_try(manager, request, version, err) < 0) {
		struct error busy;

		if (err->kind != ERROR_BUSY)
			return -1;
		/* The one before may have ended a moment ago. */
		if (unit_await_forgotten(manager, request->unit, EXISTING_WAIT_MS, &busy) < 0 ||
			scope_try(manager, request, version, &busy) < 0) {
			*err = busy;
			return -1;
		}
	}
	return own_cgroup(arena, request->unit, &answer->cgroup, err);
}

/* --- set, stop ---------------------------------------------------------------------------------------------------- */

/* systemd writes to the cgroup before it looks at the next message, so an answer to this one means that it has. */
static int writes_await(struct manager *manager, struct error *err)
{
	auto_message *call = NULL;
	int result = sd_bus_message_new_method_call(
		manager->bus, &call, MANAGER_NAME, MANAGER_PATH, "org.freedesktop.DBus.Peer", "Ping");

	return result < 0 ? fail_bus(err, result, "Ping") : manager_call(manager, call, NULL, err);
}

/* SetUnitProperties(s name, b runtime, a(sv) properties) */
static int properties_set(struct manager *manager, const struct systemd_request *request, struct error *err)
{
	auto_message *call = manager_method(manager, "SetUnitProperties", err);
	int version, result;

	if (!call || version_get(manager, &request->properties, &version, err) < 0)
		return -1;
	result = sd_bus_message_append(call, "sb", request->unit, 1);
	if (result < 0)
		return fail_bus(err, result, "SetUnitProperties");
	if (properties_append(call, &request->properties, version, false, err) < 0 ||
		manager_call(manager, call, NULL, err) < 0)
		return -1;
	return writes_await(manager, err);
}

/* StopUnit(s name, s mode) */
static int unit_stop(struct manager *manager, const struct systemd_request *request, struct error *err)
{
	auto_message *call = manager_method(manager, "StopUnit", err);
	struct error slow;
	int result;

	if (!call)
		return -1;
	result = sd_bus_message_append(call, "ss", request->unit, "replace");
	if (result < 0)
		return fail_bus(err, result, "StopUnit");
	if (job_run(manager, call, err) < 0)
		return err->kind == ERROR_MISSING ? 0 : -1;
	/* Stopped it is; somebody who holds on to it, as a tool that watches units, must not make this fail. */
	if (unit_await_forgotten(manager, request->unit, FORGOTTEN_WAIT_MS, &slow) < 0)
		log_debug("%s: %s", request->unit, slow.text);
	return 0;
}

int units_do(struct manager *manager, struct arena *arena, const struct systemd_request *request,
	struct systemd_answer *answer, struct error *err)
{
	static const char *const words[] = {"start", "set the properties of", "stop"};
	int result = -1;

	manager->deadline_ms = clock_deadline_ms(request->timeout_ms);
	if (manager_connect(manager, (enum systemd_bus)request->bus, err) < 0)
		return blame(err, "%s unit %s", words[request->verb], request->unit);
	switch ((enum systemd_verb)request->verb) {
	case SYSTEMD_START:
		result = scope_start(manager, arena, request, answer, err);
		break;
	case SYSTEMD_SET:
		result = properties_set(manager, request, err);
		break;
	case SYSTEMD_STOP:
		result = unit_stop(manager, request, err);
		break;
	}
	return result < 0 ? blame(err, "%s unit %s", words[request->verb], request->unit) : 0;
}
