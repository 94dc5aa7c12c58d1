/* config.json: every refusal with its text. */
#include "base/cleanup.h"
#include "tests/runtime/support_config.h"
#include "tests/test.h"

static const struct {
	struct pieces pieces;
	const char *text; /* the message's end, after "config.json:line:column: " where there is one */
} refusals[] = {
	/* whole */
	{{.top = "\"ociVersion\": \"2.0.0\""}, "\"ociVersion\": \"2.0.0\" is not a version of 1.x"},
	{{.top = "\"ociVersion\": 1"}, "\"ociVersion\": expected a string, found a number"},
	{{.top = "\"hostname\": \"x\""}, "missing key \"ociVersion\""},
	{{.top = "\"ociVersion\": \"1.0.2\", \"hostname\": \"a\", \"hostname\": \"b\""},
		"repeated key \"hostname\" (first at line 1)"},
	{{.process = "null"}, "missing key \"process\""},
	{{.process = "\"sh\""}, "\"process\": expected an object, found a string"},
	{{.root = "null"}, "missing key \"root\""},
	{{.root = "{}"}, "missing key \"path\""},
	{{.root = "{\"path\": \"\"}"}, "root.path is empty"},
	{{.system = "null"}, "missing key \"linux\""},
	{{.top = "\"ociVersion\": \"1.0.2\", \"windows\": {\"x\": 1}"}, "\"windows\": this is a Linux runtime"},
	{{.top = "\"ociVersion\": \"1.0.2\", \"vm\": {\"hypervisor\": {\"path\": \"/x\"}}"},
		"\"vm\": virtual machines are not supported"},
	/* process */
	{{.process = "{\"cwd\": \"/\"}"}, "missing key \"args\""},
	{{.process = "{\"args\": [\"x\"]}"}, "missing key \"cwd\""},
	{{.process = "{\"args\": \"x\", \"cwd\": \"/\"}"}, "\"args\": expected an array, found a string"},
	{{.process = "{\"args\": 1, \"cwd\": \"/\"}"}, "\"args\": expected an array, found a number"},
	{{.process = "{\"args\": [1], \"cwd\": \"/\"}"}, "expected a string, found a number"},
	{{.process = "{\"args\": [], \"cwd\": \"/\"}"}, "process.args: no program to execute"},
	{{.process = "{\"args\": [\"x\"], \"cwd\": \"tmp\"}"}, "process.cwd \"tmp\": must be an absolute path"},
	{{.process = PROCESS("\"env\": [\"NAME\"]")}, "process.env[0] \"NAME\": is not NAME=value"},
	{{.process = PROCESS("\"terminal\": \"yes\"")}, "\"terminal\": expected a boolean, found a string"},
	{{.process = PROCESS("\"user\": {\"uid\": \"0\"}")}, "\"uid\": expected a number, found a string"},
	{{.process = PROCESS("\"user\": {\"uid\": -1}")}, "\"uid\": -1 is not between 0 and 4294967294"},
	{{.process = PROCESS("\"user\": {\"uid\": 4294967295}")},
		"\"uid\": 4294967295 is not between 0 and 4294967294"},
	{{.process = PROCESS("\"user\": {\"uid\": 4294967296}")},
		"\"uid\": 4294967296 is not between 0 and 4294967294"},
	{{.process = PROCESS("\"user\": {\"gid\": 1.5}")}, "\"gid\": expected a whole number, found 1.5"},
	{{.process = PROCESS("\"user\": {\"uid\": 1e3}")}, "\"uid\": expected a whole number, found 1e3"},
	{{.process = PROCESS("\"user\": {\"umask\": 512}")}, "\"umask\": 512 is not between 0 and 511"},
	{{.process = PROCESS("\"user\": {\"additionalGids\": [-5]}")}, "-5 is not between 0 and 4294967294"},
	{{.process = PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 1, \"hard\": 2}, {\"type\": "
			     "\"RLIMIT_NOFILE\", "
			     "\"soft\": 1, \"hard\": 2}]")},
		"process.rlimits[1]: RLIMIT_NOFILE is set twice"},
	{{.process = PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_FOO\", \"soft\": 1, \"hard\": 2}]")},
		"\"process\": rlimits[0]: unknown resource limit \"RLIMIT_FOO\""},
	{{.process = PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": -1, \"hard\": 2}]")},
		"\"soft\": -1 is not between 0 and 18446744073709551615"},
	{{.process = PROCESS("\"oomScoreAdj\": 1001")}, "\"oomScoreAdj\": 1001 is not between -1000 and 1000"},
	/* mounts */
	{{.top = "\"ociVersion\": \"1.0.2\", \"mounts\": {}"}, "\"mounts\": expected an array, found an object"},
	{{.top = "\"ociVersion\": \"1.0.2\", \"mounts\": [{\"type\": \"tmpfs\"}]"}, "missing key \"destination\""},
	{{.top = MOUNT("\"type\": \"tmpfs\", \"options\": [\"remount\"]")},
		"remount: no entry before this one mounts anything on /x"},
	{{.top = MOUNT("\"type\": \"tmpfs\"}, {\"destination\": \"/x\", \"options\": [\"remount\", \"tmpcopyup\"]")},
		"remount: \"tmpcopyup\" comes too late"},
	{{.top = MOUNT("\"source\": \"/a\", \"type\": \"bind\"}, {\"destination\": \"/x\", \"options\": [\"remount\", "
		       "\"size=5\"]")},
		"option \"size\" of /x means nothing to a bind mount"},
	{{.top = MOUNT("\"source\": \"/a\", \"type\": \"bind\"}, {\"destination\": \"/x\", \"options\": [\"remount\"], "
		       "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 5, \"size\": 1}]")},
		"remount: the id maps of a mount cannot be changed"},
	{{.top = MOUNT("\"source\": \"/a\", \"options\": [\"rbind\", \"size=5\"]")},
		"option \"size\" of /x means nothing to a bind mount"},
	{{.top = MOUNT("\"source\": \"/a\", \"type\": \"bind\", \"uidMappings\": [{\"containerID\": 0}]")},
		"missing key \"hostID\""},
	{{.top = MOUNT("\"source\": \"/a\", \"type\": \"bind\", \"uidMappings\": [{\"containerID\": 0, \"hostID\": 5, "
		       "\"size\": 1}]")},
		"mounts[0]: uidMappings and gidMappings go together"},
	{{.top = MOUNT("\"type\": \"tmpfs\", \"uidMappings\": [{\"containerID\": 0, \"hostID\": 5, \"size\": 1}], "
		       "\"gidMappings\": [{\"containerID\": 0, \"hostID\": 5, \"size\": 1}]")},
		"mounts[0]: idmap is for bind mounts"},
	{{.top = MOUNT("\"source\": \"/a\", \"options\": [\"bind\", \"idmap\"]")},
		"mounts[0]: idmap needs a user namespace, or uidMappings and gidMappings"},
	{{.top = "\"ociVersion\": \"1.0.2\", \"mounts\": [{\"destination\": \"/../../x\", \"type\": \"tmpfs\"}]"},
		"mounts[0]: destination \"/../../x\": must not contain \"..\""},
	/* hooks */
	{{.top = "\"ociVersion\": \"1.0.2\", \"hooks\": {\"prestart\": [{\"path\": \"x\"}]}"},
		"hooks.prestart[0].path \"x\": must be absolute"},
	{{.top = "\"ociVersion\": \"1.0.2\", \"hooks\": {\"poststop\": [{\"path\": \"/x\", \"timeout\": 0}]}"},
		"\"timeout\": 0 is not between 1 and 2147483647"},
	/* linux */
	{{.system = "{}"},
		"linux.namespaces: a mount namespace is missing; without one all mounts would be the host's"},
	{{.system = "{\"namespaces\": []}"}, "linux.namespaces: a mount namespace is missing"},
	{{.system = "{\"namespaces\": [{\"type\": \"net\"}]}"},
		"\"net\" is not one of user, mount, pid, uts, ipc, network, cgroup, time"},
	{{.system = "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"mount\"}]}"},
		"namespace \"mount\" is listed twice"},
	{{.system = LINUX("\"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]")},
		"linux.uidMappings: id maps need a user namespace"},
	{{.system = LINUX("\"devices\": [{\"type\": \"c\", \"path\": \"/dev/x\"}]")}, "major and minor are missing"},
	{{.system = LINUX("\"devices\": [{\"type\": \"char\", \"path\": \"/dev/x\"}]")},
		"type \"char\": must be c, b, u or p"},
	{{.system = LINUX("\"devices\": [{\"type\": \"c\", \"path\": \"../../x\", \"major\": 1, \"minor\": 3}]")},
		"linux.devices[0]: path \"../../x\": must be an absolute path"},
	{{.system = LINUX("\"maskedPaths\": [\"../..\"]")}, "linux.maskedPaths \"../..\": must be an absolute path"},
	{{.system = LINUX("\"sysctl\": {\"kernel.core_pattern\": \"|/x\"}")},
		"linux.sysctl: kernel.core_pattern: belongs to the host and not to a namespace"},
	{{.system = LINUX("\"sysctl\": {\"net.core.somaxconn\": 5}")},
		"\"net.core.somaxconn\": expected a string, found a number"},
	{{.system = LINUX("\"rootfsPropagation\": \"both\"")},
		"\"rootfsPropagation\": \"both\" is not one of private, shared, slave, unbindable, or these with an r"},
	{{.system = LINUX("\"cgroupsPath\": \"/../..\"")},
		"linux.cgroupsPath \"/../..\": must not contain \".\" or \"..\""},
	{{.system = LINUX("\"mountLabel\": \"x\"")}, "\"mountLabel\": \"x\": this kernel has no SELinux in use"},
	{{.system = LINUX("\"intelRdt\": {\"closID\": \"a/b\"}")},
		"\"intelRdt\": closID \"a/b\": is no name of a group"},
	{{.system = LINUX("\"intelRdt\": {\"closID\": \"mon_groups\"}")},
		"\"intelRdt\": closID \"mon_groups\": is no name of a group"},
	{{.system = LINUX("\"intelRdt\": {\"memBwSchema\": \"L3:0=1\"}")},
		"\"intelRdt\": memBwSchema: must be one line and begin with MB:"},
	{{.system = LINUX("\"netDevices\": [\"eth0\"]")}, "\"netDevices\": expected an object, found an array"},
	/* resources */
	{{.system = RESOURCES("\"memory\": {\"limit\": \"1M\"}")}, "\"limit\": expected a number, found a string"},
	{{.system = RESOURCES("\"memory\": {\"limit\": -5}")},
		"\"limit\": -5 is not between -1 and 9223372036854775807"},
	{{.system = RESOURCES("\"memory\": {\"limit\": 10, \"swap\": 5}")},
		"\"memory\": swap 5: is memory and swap together and cannot be below the limit 10"},
	{{.system = RESOURCES("\"memory\": {\"swap\": 5}")},
		"\"memory\": swap 5: is memory and swap together and needs a memory limit"},
	{{.system = RESOURCES("\"memory\": {\"swappiness\": 101}")}, "\"swappiness\": 101 is not between 0 and 100"},
	{{.system = RESOURCES("\"memory\": {\"kernel\": 10}")},
		"\"kernel\": the kernel has no limits of kernel memory since 5.16"},
	{{.system = RESOURCES("\"pids\": {}")}, "missing key \"limit\""},
	{{.system = RESOURCES("\"cpu\": {\"shares\": 262145}")}, "\"shares\": 262145 is not between 0 and 262144"},
	{{.system = RESOURCES("\"cpu\": {\"cpus\": \"0-x\"}")}, "\"cpu\": cpus: "},
	{{.system = RESOURCES("\"blockIO\": {\"weight\": 5}")}, "\"blockIO\": weight 5: must be between 10 and 1000"},
	{{.system = RESOURCES("\"blockIO\": {\"weightDevice\": [{\"major\": 8}]}")}, "missing key \"minor\""},
	{{.system = RESOURCES("\"blockIO\": {\"weightDevice\": [{\"major\": 8, \"minor\": 0, \"weight\": 5}]}")},
		"\"blockIO\": weightDevice[0]: weight 5: must be between 10 and 1000"},
	{{.system = RESOURCES("\"blockIO\": {\"leafWeight\": 100}")},
		"\"leafWeight\": the kernel has no leaf weights since 5.0, where the CFQ scheduler went"},
	{{.system = RESOURCES("\"hugepageLimits\": [{\"pageSize\": \"2MB\"}]")}, "missing key \"limit\""},
	{{.system = RESOURCES("\"hugepageLimits\": [{\"pageSize\": \"../x\", \"limit\": 1}]")},
		"pageSize \"../x\": must be as in 64KB, 2MB or 1GB"},
	{{.system = RESOURCES("\"network\": {\"classID\": -5}")}, "\"classID\": -5 is not between 0 and 4294967295"},
	{{.system = RESOURCES("\"network\": {\"priorities\": [{\"name\": \"a b\", \"priority\": 1}]}")},
		"\"network\": \"a b\" is no name of a device"},
	{{.system = RESOURCES("\"rdma\": {\"mlx 5\": {\"hcaHandles\": 1}}")}, "\"mlx 5\": is no name of a device"},
	{{.system = RESOURCES("\"rdma\": {\"mlx\": {\"hcaHandles\": -1}}")}, "-1 is not between 0 and 4294967295"},
	{{.system = RESOURCES("\"devices\": [{\"allow\": true, \"access\": \"rx\"}]")},
		"access: 'x' is none of r, w, m"},
	{{.system = RESOURCES("\"devices\": [{\"allow\": true, \"type\": \"d\"}]")}, "type \"d\": must be a, b or c"},
	{{.system = RESOURCES("\"devices\": [{\"type\": \"c\"}]")}, "missing key \"allow\""},
	/* seccomp */
	{{.system = LINUX("\"seccomp\": {}")}, "missing key \"defaultAction\""},
	{{.system = LINUX("\"seccomp\": {\"defaultAction\": \"ALLOW\"}")},
		"\"seccomp\": defaultAction: unknown seccomp action \"ALLOW\""},
	{{.system = SECCOMP("\"architectures\": [\"SCMP_ARCH_VAX\"]")},
		"\"seccomp\": unknown seccomp architecture \"SCMP_ARCH_VAX\""},
	{{.system = SECCOMP("\"syscalls\": [{\"names\": [\"write\"], \"action\": \"SCMP_ACT_NOTIFY\"}]")},
		"linux.seccomp.syscalls[0]: SCMP_ACT_NOTIFY: needs a listenerPath"},
	{{.system = SECCOMP("\"listenerMetadata\": \"x\"")},
		"linux.seccomp.listenerMetadata: is of use only with listenerPath"},
	{{.system = SECCOMP("\"listenerPath\": \"/run/x\", \"syscalls\": [{\"names\": [\"mkdir\", \"write\"], "
			    "\"action\": \"SCMP_ACT_NOTIFY\"}]")},
		"linux.seccomp.syscalls[0]: SCMP_ACT_NOTIFY: cannot be used for write and sendmsg"},
	{{.system = LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_NOTIFY\", \"listenerPath\": \"/run/x\"}")},
		"linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is for single calls"},
	{{.system = SECCOMP(
		  "\"syscalls\": [{\"names\": [\"x\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": "
		  "6, \"value\": 0, "
		  "\"op\": \"SCMP_CMP_EQ\"}]}]")},
		"\"index\": 6 is not between 0 and 5"},
	{{.system = SECCOMP(
		  "\"syscalls\": [{\"names\": [\"x\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": "
		  "0, \"value\": 0, "
		  "\"op\": \"==\"}]}]")},
		"\"seccomp\": syscalls[0]: args[0]: unknown seccomp operator \"==\""},
};

TEST(oci_refusals, refuses_each_mistake_with_its_own_message)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct error err = {0};
		struct spec spec;

		cr_assert(config_decode(&arena, &refusals[i].pieces, &spec, &err) < 0, "%zu accepted: %s", i,
			refusals[i].text);
		cr_assert(err.kind == ERROR_USAGE && strstr(err.text, refusals[i].text),
			"%zu: got \"%s\", expected \"%s\"", i, err.text, refusals[i].text);
		cr_assert(text_starts_with(err.text, "config.json"), "%s", err.text);
	}
}

TEST(oci_refusals, refuses_what_is_no_single_json_document)
{
	static const struct {
		const char *text;
		size_t length; /* 0: strlen */
		const char *expected;
	} cases[] = {
		{"", 0, "config.json:1:1: "},
		{"null", 0, "expected an object, found null"},
		{"[]", 0, "expected an object, found an array"},
		{"{} {}", 0, "config.json:1:4: "},
		{"{}x", 0, "config.json:1:3: "},
		{"{\"ociVersion\": \"1.0.2\xff\"}", 0, "config.json:1:"},
		{"{\"ociVersion\": \"1.0\\u0000.2\"}", 0, "config.json:1:"},
		{"{\"ociVersion\": \"1.0\0.2\"}", 24, "config.json:1:"},
		{"{\"ociVersion\": \"1.0.2\"", 0, "config.json:1:"},
		{"// comment\n{}", 0, "config.json:1:1: "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct error err = {0};
		struct spec spec;

		cr_assert(config_decode_text(&arena, cases[i].text,
				  cases[i].length ? cases[i].length : strlen(cases[i].text), &spec, &err) < 0,
			"%zu accepted", i);
		cr_assert(strstr(err.text, cases[i].expected), "%zu: %s", i, err.text);
	}
}
