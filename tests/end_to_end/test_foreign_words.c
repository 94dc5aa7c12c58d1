/* What the fingers of docker's users type: their words for our commands, port, inspect -f, ps --filter, rm -v, diff. */
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

struct said {
	const char *words[10];
	int status;
	const char *out; /* of a refusal: in its line */
};

static void assert_said(struct playground *here, const struct said *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		auto_run run = playground_warren(here, rows[i].words, &(struct run_options){0});
		const char *last = rows[i].words[1] ? rows[i].words[1] : "";

		cr_assert(run.status == rows[i].status, "%s %s: status %d: %s%s", rows[i].words[0], last, run.status,
			run.out, run.err);
		if (run.status == 0)
			cr_assert_str_eq(run.out, rows[i].out, "%s %s said %s", rows[i].words[0], last, run.out);
		else
			cr_assert(strstr(run.err, rows[i].out), "%s %s said %s", rows[i].words[0], last, run.err);
	}
}

TEST(foreign_words, lead_to_ours_or_say_what_there_is_instead, .fini = playground_rescue)
{
	NEEDS_A_FAST_PROCESSOR();
	static const struct said rows[] = {
		{{"unpause", "one"}, 0, "one\n"},
		{{"freeze", "one"}, 0, "one\n"},
		{{"container", "unpause", "one"}, 0, "one\n"},
		{{"ls", "-q"}, 0, "one\n"},
		{{"update", "--quiet", "--memory", "96M", "one"}, 0, ""},
		{{"inspect", "-f", "{{.spec.resources.memory}}", "one"}, 0, "100663296\n"},
		{{"images", "-q"}, 0, ""},
		{{"rmi", "nonesuch"}, 3, "nonesuch"},
		{{"build", "."}, 2, "warren: no command build; build images with any builder, and bring them by"},
		{{"compose", "up"}, 2, "a fleet file does that"},
		{{"container"}, 2, "unknown command container"},
		{{"destroy", "-f", "one"}, 0, "one\n"},
	};
	auto_playground here = playground_new();

	WARREN_OK(&here, "run", "-d", "--name", "one", "--network", "none", "host", "--", "sleep", "1000");
	WARREN_OK(&here, "pause", "one");
	assert_said(&here, rows, ARRAY_SIZE(rows));
}

TEST(foreign_words, port_and_inspect_give_single_facts, .fini = playground_rescue)
{
	NEEDS_A_FAST_PROCESSOR();
	static const struct said rows[] = {
		{{"port", "one"}, 0,
			"80/tcp -> 127.0.0.1:8080\n53/udp -> 0.0.0.0:5353\n"
			"90/tcp -> 127.0.0.1:9000\n91/tcp -> 127.0.0.1:9001\n"},
		{{"port", "one", "80"}, 0, "127.0.0.1:8080\n"},
		{{"port", "one", "91/tcp"}, 0, "127.0.0.1:9001\n"},
		{{"port", "one", "80/udp"}, 3, "warren: one: port 80/udp is not published\n"},
		{{"port", "one", "92"}, 3, "one: port 92 is not published"},
		{{"port", "one", "0"}, 2, "port \"0\""},
		{{"port", "one", "80/icmp"}, 2, "the protocol is tcp, udp or sctp"},
		{{"ps", "-q", "-f", "publish=8080", "-f", "exited="}, 0, "one\n"},
		{{"ps", "-q", "-f", "publish=80"}, 0, ""},
		{{"port", "two"}, 3, "no instance \"two\""},
		{{"inspect", "-f", "{{.Name}} {{.State.Status}} {{index .Config.Labels \"a.b\"}}", "one"}, 0,
			"one running c\n"},
		{{"inspect", "--format", "{{range .NetworkSettings.Ports}}{{.published}} {{end}}", "one"}, 0,
			"8080 5353 9000 \n"},
		{{"inspect", "-f", "{{.State.Running}}{{range .NetworkSettings.Networks}} {{len .IPAddress}}{{end}}",
			 "one"},
			0, "true 9\n"},
		{{"inspect", "-f",
			 "{{if .State.Running}}{{join .Config.Cmd \" \"}}{{else}}no{{end}} {{.HostConfig.NetworkMode}}",
			 "one"},
			0, "sleep 1000 default\n"},
		{{"inspect", "-f", "{{range .Mounts}}x{{else}}none{{end}}{{.Config.User}}{{.Config.WorkingDir}}",
			 "one"},
			0, "none\n"},
		{{"inspect", "--format", "json", "none"}, 3, "no instance \"none\""},
		{{"inspect", "-f", "{{.Stat}}", "one"}, 2, "did you mean \".state\"?"},
	};
	auto_playground here = playground_new();

	host_ip("link set lo up");
	WARREN_OK(&here, "run", "-d", "--name", "one", "-l", "a.b=c", "-p", "8080:80", "-p", "0.0.0.0:5353:53/udp",
		"-p", "9000-9001:90-91", "host", "--", "sleep", "1000");
	assert_said(&here, rows, ARRAY_SIZE(rows));
	auto_run pid = WARREN(&here, "inspect", "-f", "{{.State.Pid}}", "one");
	auto_free char *expected = text_format("%s\n", instance_fact(&here, "one", "pid"));

	cr_assert_str_eq(pid.out, expected);
	/* Where none of it is left the template is as good, and prints nothing. */
	WARREN_OK(&here, "kill", "one");
	instance_await_state(&here, "one", "stopped");
	auto_run gone = WARREN(&here, "inspect", "-f", "{{.State.Pid}}|{{.State.ExitCode}}", "one");
	cr_assert_str_eq(gone.out, "|137\n", "%s", gone.err);
}

TEST(foreign_words, filters_choose_among_the_instances, .fini = playground_rescue)
{
	static const struct said rows[] = {
		{{"ps", "-q"}, 0, "one\nsite-1\nsite-2\n"},
		{{"ps", "-q", "--filter", "status=created"}, 0, "one\nsite-1\nsite-2\n"},
		{{"ps", "-q", "-f", "name=site-*"}, 0, "site-1\nsite-2\n"},
		{{"ps", "-q", "-f", "name=one", "-f", "name=site-2"}, 0, "one\nsite-2\n"},
		{{"ps", "-q", "-f", "name=site-*", "-f", "label=tier=b"}, 0, "site-2\n"},
		{{"ps", "-q", "-f", "ancestor=host", "-f", "state=running"}, 0, ""},
		{{"ps", "-q", "-f", "nmae=x"}, 2, "--filter nmae=x: the key is name"},
		{{"ps", "-q", "-f", "name"}, 2, "--filter name: as in state=running"},
		{{"rm", "-v", "-a"}, 0, "one\nsite-1\nsite-2\n"},
	};
	auto_playground here = playground_new();

	WARREN_OK(&here, "create", "--name", "one", "--network", "none", "host", "true");
	WARREN_OK(&here, "create", "--name", "site-1", "host", "true");
	WARREN_OK(&here, "create", "--name", "site-2", "-l", "tier=b", "host", "true");
	assert_said(&here, rows, ARRAY_SIZE(rows));
}

TEST(foreign_words, columns_of_listings_are_named_as_docker_does, .fini = playground_rescue)
{
	NEEDS_A_FAST_PROCESSOR();
	static const struct said rows[] = {
		{{"ps", "--format", "{{.ID}} {{.Names}}|{{.Image}}|{{.Status}}|{{.Command}}|{{.Labels}}|{{.Networks}}"},
			0, "one one|host|Created|sleep 1000|a=b,c=d|none\n"},
		{{"ps", "--format", "table {{.Names}}\\t{{.Image}}\\t{{.Ports}}"}, 0,
			"NAME  IMAGE  PORTS\none   host   -\n"},
		{{"ps", "--format", "{{json .}}"}, 0,
			"{\"name\":\"one\",\"state\":\"created\",\"image\":\"host\",\"restarts\":0,\"network\":"
			"\"none\","
			"\"monitored\":\"no\"}\n"},
		{{"ps", "--format", "{{json .Names}} {{.Uptime}}{{.uptime_ms}}{{.Ports}}."}, 0, "\"one\" .\n"},
		{{"ps", "--format", "{{.Sttus}}"}, 2,
			"no field \".Sttus\"; did you mean \".Status\"?; there are name, state, image, "},
		{{"ps", "-r", "--format", "{{.Sttus}}"}, 2, "no field \".Sttus\""},
		{{"images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}} {{.CreatedSince}}"}, 0, ""},
		{{"stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.NetIO}} {{.PIDs}}"}, 0,
			""},
		{{"start", "one"}, 0, "one\n"},
		{{"kill", "-s", "9", "one"}, 0, "one\n"},
		{{"wait", "one"}, 0, "137\n"},
	};
	auto_playground here = playground_new();

	WARREN_OK(&here, "create", "--name", "one", "-l", "a=b", "-l", "c=d", "--network", "none", "host", "--",
		"sleep", "1000");
	assert_said(&here, rows, ARRAY_SIZE(rows));
	auto_run ended = WARREN(&here, "ps", "--format", "{{.Status}}");
	cr_assert(text_starts_with(ended.out, "Exited (137) ") && text_ends_with(ended.out, " ago\n"), "%s%s",
		ended.out, ended.err);
	WARREN_OK(&here, "start", "one");
	auto_run up = WARREN(&here, "ps", "--format", "{{.Status}}");
	cr_assert(text_starts_with(up.out, "Up "), "%s%s", up.out, up.err);
}

TEST(foreign_words, signals_checks_and_files_of_variables, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	auto_free char *good = text_format("%s/good.env", here.directory.path),
		       *bad = text_format("%s/bad.env", here.directory.path),
		       *bad_line = text_format("--env-file: %s:2: expected NAME=VALUE", bad);
	const struct said rows[] = {
		{{"-v"}, 0, "warren " WARREN_VERSION "\n"},
		{{"exec", "--env-file", good, "-e", "Y=z", "one", "printenv", "X"}, 0, "of the file\n"},
		{{"exec", "--env-file", good, "-e", "Y=z", "one", "printenv", "Y"}, 0, "z\n"},
		{{"exec", "--env-file", bad, "one", "true"}, 2, bad_line},
		{{"run", "--env-file", bad, "host", "true"}, 2, bad_line},
		{{"create", "--env-file", bad, "host", "true"}, 2, bad_line},
		{{"healthcheck", "-q", "one"}, 0, ""},
		{{"healthcheck", "none"}, 3, "no instance \"none\""},
		{{"kill", "-NONE", "one"}, 2, "unknown option -NONE"},
		{{"kill", "-URG", "one"}, 0, "one\n"},
		{{"kill", "-9", "one"}, 0, "one\n"},
		{{"wait", "one"}, 0, "137\n"},
		{{"image", "prune", "-f"}, 0, "0 names, 0 layers, 0 downloads: 0B\n"},
		{{"ps", "-q"}, 0, "one\n"},
	};

	run_write_file(here.directory.path, "good.env", 0600, "# variables\nX=of the file\nY=of the file\n");
	run_write_file(here.directory.path, "bad.env", 0600, "X=1\nwrong\n");
	WARREN_OK(&here, "run", "-d", "--name", "one", "-e", "X=1", "--network", "none", "--health-cmd", "true", "host",
		"--", "sleep", "1000");
	assert_said(&here, rows, ARRAY_SIZE(rows));
}

TEST(foreign_words, mounts_and_swap_are_said_in_dockers_way, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	auto_free char *bind = text_format("type=bind,src=%s/shown,dst=/srv/a,ro", here.directory.path),
		       *relabelled = text_format("%s/shown:/srv/b:ro,z", here.directory.path);
	const struct said rows[] = {
		{{"run", "--rm", "--mount", bind, "host", "cat", "/srv/a/file"}, 0, "shown\n"},
		{{"run", "--rm", "--mount", bind, "host", "touch", "/srv/a/file"}, 1, "Read-only file system"},
		{{"run", "--rm", "-v", relabelled, "host", "cat", "/srv/b/file"}, 0, "shown\n"},
		{{"run", "--rm", "--mount", "src=data,target=/d", "host", "touch", "/d/x"}, 0, ""},
		{{"run", "--rm", "-v", "data:/d:Z", "host", "ls", "/d"}, 0, "x\n"},
		{{"create", "--name", "one", "--mount", "type=tmpfs,dst=/t,tmpfs-size=1M,tmpfs-mode=0700", "host",
			 "true"},
			0, "one\n"},
		{{"inspect", "-f", "{{json .spec.tmpfs}}", "one"}, 0,
			"[{\"target\":\"/t\",\"size\":1048576,\"mode\":\"0700\"}]\n"},
		{{"run", "--mount", "dst=/d", "host", "true"}, 2,
			"--mount \"dst=/d\": src=… is missing: the volume's name"},
		{{"run", "--mount", "type=tmpfs,src=/srv,dst=/d", "host", "true"}, 2, "/d: a tmpfs has no source"},
		{{"create", "--name", "two", "-m", "64M", "--memory-swap", "96M", "host", "true"}, 0, "two\n"},
		{{"inspect", "-f", "{{.spec.resources.memory}} {{.spec.resources.swap}}", "two"}, 0,
			"67108864 33554432\n"},
		{{"update", "-q", "-m", "32M", "--memory-swap", "32M", "two"}, 0, ""},
		{{"inspect", "-f", "{{.spec.resources.memory}} {{.spec.resources.swap}}", "two"}, 0, "33554432 0\n"},
		{{"run", "--memory-swap", "96M", "host", "true"}, 2,
			"--memory-swap 96M: is memory and swap together, and "},
		{{"run", "-m", "1G", "--memory-swap", "-1", "host", "true"}, 2, "--swap SIZE"},
	};

	run_write_file(here.directory.path, "shown/file", 0644, "shown\n");
	assert_said(&here, rows, ARRAY_SIZE(rows));
}

/* Who follows wants what comes; --since has more. */
TEST(foreign_words, events_are_followed_from_now_on, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	WARREN_OK(&here, "create", "--name", "one", "--network", "none", "host", "true");
	auto_run now = WARREN(&here, "events", "-f", "--until", "+100ms");
	auto_run before = WARREN(&here, "events", "-f", "--since", "1h", "--until", "+100ms");
	auto_run all = WARREN(&here, "events");

	cr_assert(now.status == 0 && !*now.out, "%s%s", now.out, now.err);
	cr_assert(before.status == 0 && strstr(before.out, " create  one\n"), "%s%s", before.out, before.err);
	cr_assert_str_eq(all.out, before.out);
}

TEST(foreign_words, volumes_are_made_and_found_by_their_labels, .fini = playground_rescue)
{
	static const struct said rows[] = {
		{{"volume", "create", "data"}, 0, "data\n"},
		{{"volume", "create", "data"}, 0, "data\n"},
		{{"volume", "create", "--label", "a=b", "data"}, 4, "volume data: it is there already"},
		{{"volume", "create", "--label", "tier=db", "two", "three"}, 0, "two\nthree\n"},
		{{"volume", "ls", "-q", "-l", "tier=db"}, 0, "three\ntwo\n"},
		{{"volume", "ls", "-q", "-l", "tier=web"}, 0, ""},
		{{"volume", "create", "../x"}, 2, "volume \"../x\""},
		{{"run", "--rm", "-v", "data:/d", "host", "touch", "/d/x"}, 0, ""},
		{{"volume", "rm", "none"}, 3, "no volume \"none\""},
		{{"volume", "rm", "-f", "none", "data"}, 0, "data\n"},
		{{"volume", "prune", "-f"}, 0, ""},
		{{"volume", "prune", "-a"}, 0, "three\ntwo\n"},
	};
	auto_playground here = playground_new();

	assert_said(&here, rows, ARRAY_SIZE(rows));
}

/* --- diff --------------------------------------------------------------------------------------------------------- */

#define OF_A_DIRECTORY                                                                                                 \
	"C /etc\nC /etc/a\nA /etc/a/n\nD /etc/a/y\nC /etc/x\nA /new\nA /new/f\nA /new/g\\033[31m\nC /srv\nD /srv/z\n"

/* A directory that was removed and made anew hides what was below; what is outside of /etc and /bin has only gone. */
static const char changing[] = "echo more >>/etc/x; busybox rm -r /etc/a; busybox mkdir /etc/a /new; echo 1 >/new/f; "
			       "echo n >/etc/a/n; busybox rm /srv/z; : >\"$(printf '/new/g\\033[31m')\"";

static const char *root_make(struct playground *here)
{
	auto_run made = run_program(
		(const char *[]){"sh", "-ec",
			"mkdir -p t/etc/a t/bin t/srv t/dev t/proc t/sys t/run t/tmp; echo x >t/etc/x; echo y "
			">t/etc/a/y; "
			"echo z >t/srv/z; cp /bin/busybox t/bin/; ln -s busybox t/bin/sh; ln -s busybox t/bin/printf",
			NULL},
		&(struct run_options){.directory = here->directory.path});

	ASSERT_STATUS(made, 0);
	return arena_format(&here->arena, "%s/t", here->directory.path);
}

static void assert_diff(struct playground *here, const char *name, const char *expected)
{
	auto_run diff = WARREN(here, "diff", name);

	cr_assert(diff.status == 0 && !strcmp(diff.out, expected), "%s\n%s", diff.out, diff.err);
}

TEST(foreign_words, diff_says_what_an_instance_has_changed, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/bin/busybox", X_OK) == 0, "needs busybox");
	auto_playground here = playground_new();
	const char *root = root_make(&here);

	WARREN_OK(&here, "create", "--name", "one", "--network", "none", "--rootfs", root, "sh", "-c", changing);
	assert_diff(&here, "one", "");
	WARREN_OK(&here, "start", "one");
	WARREN_OK(&here, "wait", "one");
	assert_diff(&here, "one", OF_A_DIRECTORY);
	/* What is in a snapshot is as much its own. */
	WARREN_OK(&here, "snapshot", "create", "one", "s");
	assert_diff(&here, "one", OF_A_DIRECTORY);
	auto_run json = WARREN(&here, "diff", "--json", "one");
	cr_assert(strstr(json.out, "\"kind\": \"D\",\n    \"path\": \"/srv/z\""), "%s%s", json.out, json.err);

	/* The image `host`: copies of the host's /etc are no change. */
	WARREN_OK(&here, "create", "--name", "two", "--network", "none", "host", "--", "sh", "-c",
		"echo >>/etc/passwd; echo 1 >/root/new-of-warrens-test");
	assert_diff(&here, "two", "");
	WARREN_OK(&here, "start", "two");
	WARREN_OK(&here, "wait", "two");
	assert_diff(&here, "two", "C /etc\nC /etc/passwd\nC /root\nA /root/new-of-warrens-test\n");
	auto_run none = WARREN(&here, "diff", "three");
	cr_assert(none.status == 3 && strstr(none.err, "no instance \"three\""), "%s", none.err);
}
