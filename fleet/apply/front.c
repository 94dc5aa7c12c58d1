/* See front.h: who serves which name, written down and told to the front servers. */
#include "fleet/apply/front.h"
#include "fleet/network/addresses.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/instance/stop.h"
#include "fleet/state/front_directory.h"
#include "fleet/state/instance.h"

#define MAP_FILE "sites.conf"
#define PROXY_FILE "proxy.conf"
#define MAP_MAX_BYTES (16 << 20)
#define PORT_DEFAULT 80
#define READY_TIMEOUT_MS 5000
#define LOOK_MS 10
/* nginx tells its old workers to finish 100 ms after it has started the new ones. */
#define FINISH_MS 200

/* What a location of the front server says to hand a request over. */
static const char proxy_text[] = "# Written by warren; include it in a location.\n"
				 "if ($warren_site = \"\") { return 404; }\n"
				 "proxy_pass http://$warren_site;\n"
				 "proxy_http_version 1.1;\n"
				 "proxy_connect_timeout 5s;\n"
				 "proxy_set_header Host $host;\n"
				 "proxy_set_header X-Real-IP $remote_addr;\n"
				 "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
				 "proxy_set_header X-Forwarded-Proto $scheme;\n"
				 "proxy_set_header Upgrade $http_upgrade;\n"
				 "proxy_set_header Connection $warren_connection;\n";

/* --- who serves --------------------------------------------------------------------------------------------------- */

static const struct member *member_find(const struct wave *wave, const char *name)
{
	for (size_t i = 0; wave && i < wave->count; i++)
		if (!strcmp(wave->members[i].name, name))
			return &wave->members[i];
	return NULL;
}

static const char *server_of(const struct plan_step *step, const struct wave *wave)
{
	const struct member *member = member_find(wave, step->name);

	if (member && member->at_stand_in)
		return member->stand_in;
	/* Of a killed apply: it serves still. */
	return !member && step->stand_in && !step->up ? step->stand_in : step->name;
}

uint16_t site_port(const struct instance_spec *spec)
{
	if (spec->front_port.set)
		return (uint16_t)spec->front_port.value;
	return spec->ports.count ? spec->ports.items[0].target : PORT_DEFAULT;
}

static int compare_sites(const void *a, const void *b)
{
	const struct front_site *one = a, *other = b;
	int order = strcasecmp(one->host, other->host);

	return order ? order : strcmp(one->name, other->name);
}

struct sites {
	struct front_site *items;
	size_t count;
};

static void sites_collect(struct steps *steps, const struct wave *wave, struct arena *arena, struct sites *out)
{
	size_t total = 0;

	for (size_t i = steps->plan.leaving; i < steps->plan.count; i++)
		total += steps->plan.items[i].wanted->hosts.count;
	*out = (struct sites){.items = arena_new_array(arena, total, struct front_site)};
	for (size_t i = steps->plan.leaving; i < steps->plan.count; i++) {
		const struct plan_step *step = &steps->plan.items[i];
		const struct instance_spec *spec = step->wanted;
		struct in_addr address;

		if (!spec->hosts.count || spec->state == DESIRED_STOPPED ||
			!instance_address(steps->host, server_of(step, wave), &address))
			continue;
		for (size_t k = 0; k < spec->hosts.count; k++)
			out->items[out->count++] = (struct front_site){
				spec->hosts.items[k], spec->name, spec->base_name, address, site_port(spec)};
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), compare_sites);
}

/* --- the directory ------------------------------------------------------------------------------------------------ */

/* 1: it was another. */
static int file_keep(int dir, const char *name, const char *text, size_t length, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	const char *before;
	size_t before_length;

	if (file_read(&arena, dir, name, MAP_MAX_BYTES, &before, &before_length, &ignored) == 0 &&
		before_length == length && !memcmp(before, text, length))
		return 0;
	return file_replace(dir, name, 0644, FILE_ORDERED, text, length, err) < 0 ? -1 : 1;
}

static int files_write(struct host *host, const char *fleet, const struct text *map, struct error *err)
{
	auto_fd dir = front_directory(host, fleet, err);
	int proxy, sites;

	if (dir < 0 || (proxy = file_keep(dir, PROXY_FILE, proxy_text, strlen(proxy_text), err)) < 0 ||
		(sites = file_keep(dir, MAP_FILE, text_string(map), map->length, err)) < 0)
		return -1;
	return proxy || sites;
}

/* The fleet whose wanted instances have a front server, or NULL. */
static const char *fleet_with_front(const struct steps *steps)
{
	for (size_t i = steps->plan.leaving; i < steps->plan.count; i++)
		if (steps->plan.items[i].wanted->front)
			return steps->plan.items[i].wanted->fleet;
	return NULL;
}

void front_write(struct steps *steps, const struct wave *wave)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text map = {0};
	const char *fleet = fleet_with_front(steps);
	struct sites sites;
	struct error err;
	int changed;

	if (!fleet)
		return;
	sites_collect(steps, wave, &arena, &sites);
	front_encode(&map, sites.items, sites.count);
	changed = files_write(steps->host, fleet, &map, &err);
	if (changed < 0)
		log_warn("the map of the front servers: %s", err.text);
	steps->front_changed |= changed > 0;
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

#define WORKERS_MAX 256

/* Processes of which nginx' master is the parent; 0 when they cannot be read. */
static size_t workers_read(pid_t master, int64_t out[WORKERS_MAX])
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *path = arena_format(&arena, "/proc/%d/task/%d/children", master, master), *text;
	struct error ignored;
	size_t count = 0;

	if (file_read(&arena, AT_FDCWD, path, 65536, &text, NULL, &ignored) < 0)
		return 0;
	struct strings words = strings_split(&arena, text, ' ');

	for (size_t i = 0; i < words.count && count < WORKERS_MAX; i++)
		if (number_parse(words.items[i], 1, INT32_MAX, &out[count], &ignored) == 0)
			count++;
	return count;
}

static bool is_among(int64_t pid, const int64_t *pids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static bool has_new_worker(pid_t master, const int64_t *before, size_t count)
{
	int64_t now[WORKERS_MAX];
	size_t now_count = workers_read(master, now);

	for (size_t i = 0; i < now_count; i++)
		if (!is_among(now[i], before, count))
			return true;
	return false;
}

/* One that was started a moment ago reads the file anyway, but does not listen to signals yet. */
static int master_tell(const struct process_id *master, struct error *err)
{
	int64_t before[WORKERS_MAX], deadline_ms = clock_ms() + READY_TIMEOUT_MS;
	auto_fd pidfd = process_open(master, err);

	if (pidfd < 0)
		return -1;
	while (!process_catches(master->pid, SIGHUP) && clock_ms() < deadline_ms)
		if (poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, LOOK_MS) > 0)
			return fail(err, ERROR_SYSTEM, "it has ended");
	size_t count = workers_read(master->pid, before);
	if (process_signal(pidfd, SIGHUP, err) < 0)
		return -1;
	while (!has_new_worker(master->pid, before, count)) {
		if (clock_ms() >= deadline_ms)
			return fail(err, ERROR_SYSTEM, "it does not take its new configuration; see its log");
		poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

static bool is_nginx(pid_t pid)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *path = arena_format(&arena, "/proc/%d/comm", pid), *text;
	struct error ignored;

	return file_read(&arena, AT_FDCWD, path, 64, &text, NULL, &ignored) == 0 && !strcmp(text, "nginx\n");
}

/* Its first process is a shell or an init: nginx finds its master itself. */
static int front_exec_reload(struct host *host, const char *name, struct error *err)
{
	const char *words[] = {"nginx", "-s", "reload"};
	struct exec_options options = {.args = {.items = words, .count = ARRAY_SIZE(words)}};
	int status;

	if (instance_exec(host, name, &options, &status, err) < 0)
		return -1;
	return status == 0 ? 0 : fail(err, ERROR_SYSTEM, "`nginx -s reload` inside ended with status %d", status);
}

/* False: it does not run, and reads the map when it starts. */
static bool front_tell(struct host *host, const char *name)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_status status;
	struct error err;

	if (instance_status_read(&arena, host, name, &status, &err) < 0 || status.state != INSTANCE_RUNNING)
		return false;
	if ((is_nginx(status.init.pid) ? master_tell(&status.init, &err) : front_exec_reload(host, name, &err)) < 0)
		log_warn("the front server %s was not told who serves which name: %s", name, err.text);
	return true;
}

void front_reload(struct steps *steps, const struct wave *wave)
{
	bool told = false;

	if (!steps->front_changed)
		return;
	steps->front_changed = false;
	for (size_t i = steps->plan.leaving; i < steps->plan.count; i++)
		if (steps->plan.items[i].wanted->front)
			told |= front_tell(steps->host, steps->plan.items[i].name);
	for (size_t i = 0; wave && i < wave->count; i++)
		if (wave->members[i].to->front && wave->members[i].at_stand_in)
			told |= front_tell(steps->host, wave->members[i].stand_in);
	if (told)
		poll(NULL, 0, FINISH_MS);
}
