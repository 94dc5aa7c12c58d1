/* spec.json and back, and what a specification is before anybody said anything. */
#include "base/cleanup.h"
#include "fleet/spec.h"
#include "tests/test.h"

static char *encoded(const struct instance_spec *spec)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	size_t length;

	instance_spec_encode(encoder, NULL, spec);
	return encoder_take(encoder, &length);
}

static int decode(struct arena *arena, const char *text, struct instance_spec *out, struct error *err)
{
	struct json_doc doc;

	if (json_parse(arena, "spec.json", text, strlen(text), JSON_PLAIN, &doc, err) < 0)
		return -1;
	return instance_spec_decode(arena, &doc, doc.root, out, err);
}

/* Everything that can be said, said by a file and by flags only. */
static const char everything[] =
	"{\"version\": 1, \"name\": \"f\", \"volumes\": {\"data\": {}}, \"networks\": {\"n\": {}}, \"instances\": {"
	"\"z\": {\"image\": \"host\", \"command\": \"x\"},"
	"\"a\": {\"image\": \"host\", \"replicas\": 2, \"etc_from_host\": [\"/etc/nginx\"], \"state\": \"paused\","
	"\"autostart\": false, \"priority\": -7, \"depends_on\": [\"z\"], \"command\": [\"a\", \"\", \"b c\"],"
	"\"entrypoint\": [\"e\"], \"environment\": {\"A\": \"\", \"B\": \"x\\ny\"}, \"env_file\": [\"/e\"], \"user\": "
	"\"1:2\","
	"\"working_dir\": \"/w\", \"hostname\": \"h.example\", \"resources\": {\"cpus\": 0.123, \"cpu_weight\": 7, "
	"\"cpuset\": \"0-3,7\","
	"\"memory\": \"64M\", \"memory_high\": \"1M\", \"memory_low\": 1, \"swap\": 0, \"pids\": \"unlimited\", "
	"\"io_weight\": 9, \"disk\": \"3G\","
	"\"io_max\": [{\"device\": \"8:16\", \"rbps\": 1, \"wbps\": 2, \"riops\": 3, \"wiops\": 4}]},"
	"\"ulimits\": {\"nofile\": \"1:unlimited\", \"core\": 0}, \"network\": \"n\", \"address\": \"10.9.0.${index}\","
	"\"ports\": [\"8${index}:80\", {\"target\": 53, \"host_ip\": \"0.0.0.0\", \"protocol\": \"udp\"}],"
	"\"tmpfs\": [{\"target\": \"/t\", \"size\": \"1M\", \"mode\": \"0700\", \"read_only\": true}],"
	"\"volumes\": [\"/srv:/s:ro\", {\"type\": \"volume\", \"source\": \"data\", \"target\": \"/d\", \"idmap\": "
	"false}],"
	"\"read_only\": true, \"ephemeral\": true, \"secrets\": [{\"source\": \"/k\", \"target\": \"/k\"}],"
	"\"configs\": [{\"content\": \"\", \"target\": \"/c\", \"mode\": \"0644\"}, {\"source\": \"/f\", \"target\": "
	"\"/f\"}],"
	"\"healthcheck\": {\"test\": \"a b\", \"interval\": \"2s\", \"timeout\": \"3s\", \"retries\": 4, "
	"\"start_period\": \"5s\", \"start_interval\": \"600ms\", \"on_failure\": \"none\", \"disable\": true},"
	"\"restart\": {\"policy\": \"unless-stopped\", \"delay\": \"1s\", \"max_delay\": \"2m\", \"max_retries\": 3},"
	"\"stop_signal\": \"SIGQUIT\", \"stop_grace_period\": \"1m1ms\", \"logging\": {\"driver\": \"none\", "
	"\"max_size\": \"5K\","
	"\"max_files\": 1}, \"cap_add\": [\"NET_RAW\"], \"cap_drop\": [\"ALL\"], \"security\": {\"seccomp\": "
	"\"unconfined\","
	"\"no_new_privileges\": false}, \"sysctls\": {\"net.core.somaxconn\": 5}, \"labels\": {\"a\": \"\"},"
	"\"userns\": {\"mode\": \"auto\", \"size\": 2000},"
	"\"idle\": {\"after\": \"1m\", \"action\": \"freeze\"},"
	"\"devices\": [\"/dev/fuse\", \"/dev/kvm:/dev/v/k:r\"],"
	"\"description\": \"d\", \"protect\": true}}}";

TEST(spec_encode, gives_back_everything_it_wrote)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec, again;
	struct fleet_file file;
	struct error err;

	ASSERT_OK(fleet_file_decode(&arena, "/f.json", everything, strlen(everything), &file, &err));
	spec = file.instances.items[2];
	cr_assert_str_eq(spec.name, "a-2");
	spec.terminal = spec.interactive = spec.remove = true;
	auto_free char *text = encoded(&spec);
	ASSERT_OK(decode(&arena, text, &again, &err));
	auto_free char *same = encoded(&again);
	cr_assert_str_eq(text, same);
	cr_assert(again.terminal && again.interactive && again.remove && again.index == 2 && again.protect);
	cr_assert(again.id_count == 2000);
	cr_assert(again.idle.after_ms == 60000 && again.idle.action == IDLE_FREEZE);
	cr_assert(again.devices.count == 2 && !strcmp(again.devices.items[0].permissions, "rw") &&
		  !strcmp(again.devices.items[1].target, "/dev/v/k"));
	cr_assert(again.ephemeral && again.resources.disk_bytes.value == INT64_C(3) << 30);
	cr_assert(again.restart.max_delay_ms == 120000 && again.stop_grace_ms == 60001);
	cr_assert(again.volumes.count == 3 && again.volumes.items[2].type == VOLUME_TMPFS &&
		  !again.volumes.items[1].idmap);
	cr_assert(again.configs.count == 3 && again.configs.items[2].secret && !*again.configs.items[0].content);
	cr_assert(again.ulimits.items[0].limit.rlim_max == RLIM_INFINITY && again.resources.pids.value == -1);
}

TEST(spec_encode, gives_back_what_flags_made)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *command[] = {"bash"};
	struct instance_spec spec, again;
	struct error err;

	instance_spec_init(&arena, &spec, false);
	spec.name = "blog"; /* nothing else says who it is */
	spec.image = "host";
	spec.command = (struct strings){command, 1};
	auto_free char *text = encoded(&spec);
	ASSERT_OK(decode(&arena, text, &again, &err));
	auto_free char *same = encoded(&again);
	cr_assert_str_eq(text, same);
	cr_assert(!again.fleet && again.restart.policy == RESTART_NO);
	cr_assert_str_eq(again.base_name, "blog");
}

TEST(spec_encode, keeps_no_secret)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file;
	struct error err;

	ASSERT_OK(fleet_file_decode(&arena, "/f.json", everything, strlen(everything), &file, &err));
	auto_free char *text = encoded(&file.instances.items[1]);
	cr_assert(strstr(text, "\"secrets\": [") && strstr(text, "\"source\": \"/k\""), "%s", text);
}

static const struct {
	const char *text, *message;
} damaged[] = {
	{"", "spec.json:1:1: expected a value, found the end of the text"},
	{"{}", "spec.json:1:1: missing key \"name\""},
	{"{\"version\": 1, \"name\": \"a\"}", "spec.json:1:1: missing key \"base_name\""},
	{"{\"name\": \"a\", \"base_name\": \"a\"}", "spec.json:1:1: missing key \"version\""},
	{"{\"version\": 2, \"name\": \"a\", \"base_name\": \"a\"}",
		"spec.json:1:13: \"version\": 2: written by a newer version of this program"},
	{"{\"version\": 1, \"name\": \"../a\", \"base_name\": \"a\", \"image\": \"host\", \"command\": \"x\"}",
		"spec.json: name: instance name \"../a\": must begin with a lower-case letter or a digit"},
	{"{\"version\": 1, \"name\": \"a\", \"base_name\": \"a\", \"image\": \"host\"}",
		"spec.json: command: missing \"command\": the image \"host\" has none of its own"},
	{"{\"version\": 1, \"name\": \"a\", \"base_name\": \"a\", \"image\": \"host\", \"command\": \"x\", "
	 "\"resources\": {\"cpus\": 0.001}}",
		"spec.json: resources.cpus: less than 0.01"},
};

TEST(spec_encode, refuses_damaged_records)
{
	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct instance_spec spec;
		struct error err;

		cr_assert(decode(&arena, damaged[i].text, &spec, &err) < 0, "accepted: %s", damaged[i].text);
		cr_assert_str_eq(err.text, damaged[i].message, "%s\n  said %s", damaged[i].text, err.text);
	}
}

TEST(spec_encode, passes_over_keys_of_later_versions)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;
	struct error err;

	ASSERT_OK(decode(&arena,
		"{\"version\": 1, \"name\": \"a\", \"base_name\": \"a\", \"image\": \"host\", \"command\": \"x\", "
		"\"later\": {}}",
		&spec, &err));
}
