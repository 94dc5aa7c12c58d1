/* The connection: opening it, calling, waiting, and systemd's errors in our words. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/process.h"
#include "cli/systemd/systemd.h"

int fail_bus(struct error *err, int result, const char *what)
{
	errno = -result;
	return fail_errno(err, "%s", what);
}

static const char *bus_describe(enum systemd_bus which)
{
	return which == SYSTEMD_USER ? "the user's systemd (its bus is at $XDG_RUNTIME_DIR/bus)"
				     : "systemd (the system bus is at /run/dbus/system_bus_socket)";
}

int manager_connect(struct manager *manager, enum systemd_bus which, struct error *err)
{
	int result;

	if (manager->bus && manager->which == which)
		return 0;
	manager_drop(manager);
	manager->which = which;
	result = which == SYSTEMD_USER ? sd_bus_open_user(&manager->bus) : sd_bus_open_system(&manager->bus);
	if (result == -ENOMEDIUM) /* sd-bus: no XDG_RUNTIME_DIR, so no place to look */
		return fail(err, ERROR_SYSTEM, "no connection to %s: XDG_RUNTIME_DIR is not set", bus_describe(which));
	if (result < 0) {
		errno = -result;
		return fail_errno(err, "no connection to %s", bus_describe(which));
	}
	return 0;
}

void manager_drop(struct manager *manager)
{
	manager->bus = sd_bus_flush_close_unref(manager->bus);
}

static uint64_t time_left_us(const struct manager *manager)
{
	int64_t left = manager->deadline_ms - clock_ms();

	return left > 0 ? (uint64_t)left * 1000 : 1;
}

int manager_version(struct manager *manager, int *out, struct error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	char *text = NULL;
	int result;

	(void)sd_bus_set_method_call_timeout(manager->bus, time_left_us(manager));
	result = sd_bus_get_property_string(
		manager->bus, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "Version", &error, &text);
	if (result < 0)
		fail(err, ERROR_SYSTEM, "ask systemd for its version: %s",
			error.message ? error.message : strerror(-result));
	/* "252 (252.39-1~deb12u1)", "v245", "256~rc2" */
	else if (sscanf(text + (*text == 'v'), "%d", out) != 1)
		result = fail(err, ERROR_SYSTEM, "systemd says that it is version \"%.40s\"", text);
	free(text);
	sd_bus_error_free(&error);
	return result < 0 ? -1 : 0;
}

sd_bus_message *manager_method(struct manager *manager, const char *method, struct error *err)
{
	sd_bus_message *message = NULL;
	int result = sd_bus_message_new_method_call(
		manager->bus, &message, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, method);

	if (result < 0)
		fail_bus(err, result, method);
	return message;
}

static const struct {
	const char *name;
	enum error_kind kind;
} kinds[] = {
	{"org.freedesktop.systemd1.NoSuchUnit", ERROR_MISSING},
	{"org.freedesktop.systemd1.UnitExists", ERROR_BUSY},
	{"org.freedesktop.systemd1.UnitMasked", ERROR_BUSY},
	{"org.freedesktop.DBus.Error.PropertyReadOnly",
		ERROR_USAGE}, /* "Cannot set property X, or unknown property." */
	{"org.freedesktop.DBus.Error.InvalidArgs", ERROR_USAGE},
};

static int fail_call(struct error *err, const sd_bus_error *error, int result)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (sd_bus_error_has_name(error, kinds[i].name))
			return fail(err, kinds[i].kind, "%s", error->message ? error->message : error->name);
	return fail(err, ERROR_SYSTEM, "%s", error->message ? error->message : strerror(-result));
}

int manager_call(struct manager *manager, sd_bus_message *call, sd_bus_message **reply, struct error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int result = sd_bus_call(manager->bus, call, time_left_us(manager), &error, reply);

	if (result < 0)
		fail_call(err, &error, result);
	sd_bus_error_free(&error);
	return result < 0 ? -1 : 0;
}

/* Until there is something on the bus. The parent's end is an event that poll(2) always reports. */
static int bus_poll(struct manager *manager, struct error *err)
{
	int events = sd_bus_get_events(manager->bus), left;
	struct pollfd fds[] = {
		{.fd = sd_bus_get_fd(manager->bus), .events = (short)(events < 0 ? POLLIN : events)},
		{.fd = manager->parent},
	};

	left = clock_poll_ms(manager->deadline_ms);
	if (left == 0)
		return fail(err, ERROR_BUSY, "systemd has not finished in time");
	if (poll(fds, 2, left) < 0 && errno != EINTR)
		return fail_errno(err, "wait for systemd");
	if (fds[1].revents & (POLLHUP | POLLERR))
		_exit(1);
	return 0;
}

int manager_wait(struct manager *manager, const bool *done, struct error *err)
{
	while (!*done) {
		int result = sd_bus_process(manager->bus, NULL);

		if (result < 0)
			return fail_bus(err, result, "the connection to systemd");
		if (result == 0 && !*done && bus_poll(manager, err) < 0)
			return -1;
	}
	return 0;
}
