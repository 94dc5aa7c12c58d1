/* Bad config.json: one line that says what, where, which value and what would be right; failure; and nothing is left or
 * touched, in whichever command reads it. And each limit: what is just allowed is taken, one more is refused. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/test.h"

/* What a row changes. */
static const char plain[] =
	"{\"ociVersion\": \"1.0.2\",\n"
	"\"process\": {\"user\": {\"uid\": 0, \"gid\": 0}, \"args\": [\"/bin/true\"], \"env\": [\"PATH=/bin\"], "
	"\"cwd\": "
	"\"/\"},\n"
	"\"root\": {\"path\": \"rootfs\"}, \"hostname\": \"box\",\n"
	"\"mounts\": [{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"}],\n"
	"\"linux\": {\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"uts\"}]}}\n";

struct bad {
	const char *from, *to; /* from NULL: all of it */
	size_t to_length;      /* it may hold NUL */
	const char *message;   /* without "warren-oci: " and the line break */
};

#define TEXT(to) to, sizeof(to) - 1
#define WHOLE(text) NULL, TEXT(text)
#define SWAP(from, to) from, TEXT(to)
#define PROCESS(members) SWAP("\"cwd\": \"/\"", "\"cwd\": \"/\", " members)
#define TOP(members) SWAP("\"hostname\": \"box\"", "\"hostname\": \"box\", " members)
#define MOUNT(object) SWAP("\"mounts\": [", "\"mounts\": [" object ", ")
#define LINUX(members) SWAP("\"linux\": {", "\"linux\": {" members ", ")
#define RESOURCES(members) LINUX("\"resources\": {" members "}")

static const struct bad table[] = {
	{WHOLE(""), "config.json:1:1: expected a value, found the end of the text"},
	{WHOLE(" \n"), "config.json:2:1: expected a value, found the end of the text"},
	{WHOLE("null"), "config.json:1:1: expected an object, found null"},
	{WHOLE("[]"), "config.json:1:1: expected an object, found an array"},
	{WHOLE("\"x\""), "config.json:1:1: expected an object, found a string"},
	{WHOLE("7"), "config.json:1:1: expected an object, found a number"},
	{WHOLE("{"), "config.json:1:2: expected a key or '}', found the end of the text"},
	{WHOLE("{\"ociVersion\": }"), "config.json:1:16: expected a value, found '}'"},
	{WHOLE("{'ociVersion': 1}"),
		"config.json:1:2: expected a key or '}', found ''' (strings stand in double quotes)"},
	{SWAP("]}}\n", "]}}\n{}"), "config.json:6:1: expected the end of the text, found '{'"},
	{SWAP("]}}\n", "]}}x"), "config.json:5:80: expected the end of the text, found \"x\""},
	{SWAP("]}}\n", "]}"), "config.json:5:79: expected ',' or '}', found the end of the text"},
	{WHOLE("{\"a\": tru}"), "config.json:1:7: unknown word \"tru\""},
	{SWAP("\"box\"", "\"b\\u0000x\""), "config.json:3:43: \\u0000 in a string: NUL is not allowed"},
	{SWAP("\"box\"", "\"b\000x\""), "config.json:3:43: control character 0x00 in a string"},
	{SWAP("\"box\"", "\"b\377x\""), "config.json:3:43: byte 0xff is not UTF-8"},
	{SWAP("\"box\"", "\"b\\ud800x\""), "config.json:3:43: \\ud800 in a string: half of a surrogate pair"},
	{SWAP("\"box\"", "\"b\nx\""), "config.json:3:41: the string is not closed on its line"},
	{SWAP("\"box\"", "\"box"), "config.json:3:41: the string is not closed on its line"},
	{SWAP("\"box\"", "\"b\\qx\""), "config.json:3:43: unknown escape \\q in a string"},
	{TOP("\"hostname\": \"box\""), "config.json:3:48: repeated key \"hostname\" (first at line 3)"},
	{SWAP("\"uid\": 0", "\"uid\": 0, \"uid\": 0"), "config.json:2:32: repeated key \"uid\" (first at line 2)"},
	{SWAP("\"namespaces\":", "\"namespaces\": [], \"namespaces\":"),
		"config.json:5:29: repeated key \"namespaces\" (first at line 5)"},
	{SWAP("\"ociVersion\": \"1.0.2\",", ""), "config.json:1:1: missing key \"ociVersion\""},
	{SWAP("\"process\":", "\"process_\":"), "config.json:1:1: missing key \"process\""},
	{SWAP("\"root\": {\"path\": \"rootfs\"},", ""), "config.json:1:1: missing key \"root\""},
	{SWAP("\"linux\":", "\"linux_\":"), "config.json:1:1: missing key \"linux\""},
	{SWAP("\"args\": [\"/bin/true\"],", ""), "config.json:2:12: missing key \"args\""},
	{SWAP(", \"cwd\": \"/\"", ""), "config.json:2:12: missing key \"cwd\""},
	{SWAP("\"path\": \"rootfs\"", ""), "config.json:3:9: missing key \"path\""},
	{SWAP("\"1.0.2\"", "1.0"), "config.json:1:16: \"ociVersion\": expected a string, found a number"},
	{SWAP("\"1.0.2\"", "\"2.0.0\""), "config.json:1:16: \"ociVersion\": \"2.0.0\" is not a version of 1.x"},
	{SWAP("\"1.0.2\"", "\"\""), "config.json:1:16: \"ociVersion\": \"\" is not a version of 1.x"},
	{SWAP("{\"path\": \"rootfs\"}", "\"rootfs\""), "config.json:3:9: \"root\": expected an object, found a string"},
	{SWAP("\"rootfs\"", "7"), "config.json:3:18: \"path\": expected a string, found a number"},
	{SWAP("\"rootfs\"", "null"), "config.json:3:9: missing key \"path\""},
	{SWAP("\"rootfs\"", "\"\""), "config.json: root.path is empty"},
	{SWAP("[\"/bin/true\"]", "\"/bin/true\""), "config.json:2:51: \"args\": expected an array, found a string"},
	{SWAP("[\"/bin/true\"]", "[]"), "config.json: process.args: no program to execute"},
	{SWAP("[\"/bin/true\"]", "[\"\"]"), "config.json: process.args[0]: is an empty string"},
	{SWAP("[\"/bin/true\"]", "[7]"), "config.json:2:52: expected a string, found a number"},
	{SWAP("[\"/bin/true\"]", "[\"a\", null]"), "config.json:2:57: expected a string, found null"},
	{SWAP("{\"user\": {\"uid\": 0, \"gid\": 0}, \"args\": [\"/bin/true\"], \"env\": [\"PATH=/bin\"], \"cwd\": "
	      "\"/\"}",
		 "\"/bin/true\""),
		"config.json:2:12: \"process\": expected an object, found a string"},
	{SWAP("[\"PATH=/bin\"]", "{\"PATH\": \"/bin\"}"),
		"config.json:2:73: \"env\": expected an array, found an object"},
	{SWAP("[\"PATH=/bin\"]", "[\"PATH\"]"), "config.json: process.env[0] \"PATH\": is not NAME=value"},
	{SWAP("[\"PATH=/bin\"]", "[\"=x\"]"), "config.json: process.env[0] \"=x\": is not NAME=value"},
	{SWAP("[\"PATH=/bin\"]", "[\"\"]"), "config.json: process.env[0] \"\": is not NAME=value"},
	{SWAP("\"cwd\": \"/\"", "\"cwd\": \"tmp\""), "config.json: process.cwd \"tmp\": must be an absolute path"},
	{SWAP("\"cwd\": \"/\"", "\"cwd\": \"\""), "config.json: process.cwd \"\": must be an absolute path"},
	{SWAP("\"cwd\": \"/\"", "\"cwd\": \"/../x\""), "config.json: process.cwd \"/../x\": must not contain \"..\""},
	{SWAP("\"cwd\": \"/\"", "\"cwd\": 1"), "config.json:2:95: \"cwd\": expected a string, found a number"},
	{SWAP("\"uid\": 0", "\"uid\": \"0\""), "config.json:2:29: \"uid\": expected a number, found a string"},
	{SWAP("\"uid\": 0", "\"uid\": -1"), "config.json:2:29: \"uid\": -1 is not between 0 and 4294967294"},
	{SWAP("\"uid\": 0", "\"uid\": 4294967295"),
		"config.json:2:29: \"uid\": 4294967295 is not between 0 and 4294967294"},
	{SWAP("\"uid\": 0", "\"uid\": 4294967296"),
		"config.json:2:29: \"uid\": 4294967296 is not between 0 and 4294967294"},
	{SWAP("\"uid\": 0", "\"uid\": 1.5"), "config.json:2:29: \"uid\": expected a whole number, found 1.5"},
	{SWAP("\"uid\": 0", "\"uid\": 1e3"), "config.json:2:29: \"uid\": expected a whole number, found 1e3"},
	{SWAP("\"uid\": 0", "\"uid\": 99999999999999999999"),
		"config.json:2:29: \"uid\": 99999999999999999999 is not between 0 and 4294967294"},
	{SWAP("\"uid\": 0", "\"uid\": true"), "config.json:2:29: \"uid\": expected a number, found a boolean"},
	{SWAP("\"gid\": 0", "\"gid\": 4294967295"),
		"config.json:2:39: \"gid\": 4294967295 is not between 0 and 4294967294"},
	{SWAP("\"gid\": 0", "\"gid\": 0, \"umask\": 512"), "config.json:2:51: \"umask\": 512 is not between 0 and 511"},
	{SWAP("\"gid\": 0", "\"gid\": 0, \"additionalGids\": [4294967295]"),
		"config.json:2:61: 4294967295 is not between 0 and 4294967294"},
	{SWAP("\"gid\": 0", "\"gid\": 0, \"additionalGids\": \"5\""),
		"config.json:2:60: \"additionalGids\": expected an array, found a string"},
	{PROCESS("\"terminal\": \"yes\""), "config.json:2:112: \"terminal\": expected a boolean, found a string"},
	{PROCESS("\"terminal\": 1"), "config.json:2:112: \"terminal\": expected a boolean, found a number"},
	{PROCESS("\"consoleSize\": {\"height\": 65536, \"width\": 1}"),
		"config.json:2:126: \"height\": 65536 is not between 0 and 65535"},
	{PROCESS("\"capabilities\": [\"CAP_KILL\"]"),
		"config.json:2:116: \"capabilities\": expected an object, found an array"},
	{PROCESS("\"capabilities\": {\"bounding\": \"CAP_KILL\"}"),
		"config.json:2:129: \"bounding\": expected an array, found a string"},
	{PROCESS("\"capabilities\": {\"bounding\": [1]}"), "config.json:2:130: expected a string, found a number"},
	{PROCESS("\"rlimits\": {}"), "config.json:2:111: \"rlimits\": expected an array, found an object"},
	{PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 1}]"),
		"config.json:2:112: missing key \"hard\""},
	{PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_FILES\", \"soft\": 1, \"hard\": 1}]"),
		"config.json:2:12: \"process\": rlimits[0]: unknown resource limit \"RLIMIT_FILES\""},
	{PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 2, \"hard\": 1}]"),
		"config.json: process.rlimits[0]: RLIMIT_NOFILE: soft limit 2 is above the hard limit 1"},
	{PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": -1, \"hard\": 1}]"),
		"config.json:2:146: \"soft\": -1 is not between 0 and 18446744073709551615"},
	{PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 1, \"hard\": 1}, {\"type\": \"RLIMIT_NOFILE\", "
		 "\"soft\": 2, \"hard\": 2}]"),
		"config.json: process.rlimits[1]: RLIMIT_NOFILE is set twice"},
	{PROCESS("\"oomScoreAdj\": 1001"), "config.json:2:115: \"oomScoreAdj\": 1001 is not between -1000 and 1000"},
	{PROCESS("\"oomScoreAdj\": -1001"), "config.json:2:115: \"oomScoreAdj\": -1001 is not between -1000 and 1000"},
	{PROCESS("\"noNewPrivileges\": \"true\""),
		"config.json:2:119: \"noNewPrivileges\": expected a boolean, found a string"},
	{PROCESS("\"scheduler\": {\"policy\": \"SCHED_FAST\"}"),
		"config.json:2:113: \"scheduler\": policy \"SCHED_FAST\" is unknown"},
	{PROCESS("\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"nice\": 20}"),
		"config.json:2:147: \"nice\": 20 is not between -20 and 19"},
	{PROCESS("\"ioPriority\": {\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 8}"),
		"config.json:2:155: \"priority\": 8 is not between 0 and 7"},
	{SWAP("\"box\"", "\"hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh\""),
		"config.json: hostname: 65 bytes, at most 64"},
	{MOUNT("7"), "config.json:4:12: expected an object, found a number"},
	{MOUNT("{\"type\": \"tmpfs\"}"), "config.json:4:12: missing key \"destination\""},
	{MOUNT("{\"destination\": \"tmp\", \"type\": \"tmpfs\"}"),
		"config.json: mounts[0]: destination \"tmp\": must be an absolute path"},
	{MOUNT("{\"destination\": \"/../tmp\", \"type\": \"tmpfs\"}"),
		"config.json: mounts[0]: destination \"/../tmp\": must not contain \"..\""},
	{MOUNT("{\"destination\": \"\", \"type\": \"tmpfs\"}"),
		"config.json: mounts[0]: destination \"\": must be an absolute path"},
	{MOUNT("{\"destination\": \"/x\", \"type\": \"tmpfs\", \"options\": \"ro\"}"),
		"config.json:4:62: \"options\": expected an array, found a string"},
	{MOUNT("{\"destination\": \"/x\", \"type\": \"tmpfs\", \"options\": [\"remount\"]}"),
		"config.json:4:12: remount: no entry before this one mounts anything on /x"},
	{MOUNT("{\"destination\": \"/x\"}"), "config.json: mounts[0]: type is missing"},
	{MOUNT("{\"destination\": \"/x\", \"type\": \"bind\"}"), "config.json: mounts[0]: source is missing"},
	{MOUNT("{\"destination\": \"/x\", \"type\": \"bind\", \"source\": \"/nonexistent\"}"),
		"mount: /nonexistent on /x: No such file or directory"},
	{MOUNT("{\"destination\": \"/x\", \"type\": \"bind\", \"source\": \"/tmp\", \"options\": [\"size=1\"]}"),
		"config.json:4:12: option \"size\" of /x means nothing to a bind mount"},
	{MOUNT("{\"destination\": \"/x\", \"type\": \"nofs\"}"),
		"make file systems: nofs on /x: mount nofs: No such device"},
	{SWAP("[{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"}]", "{}"),
		"config.json:4:11: \"mounts\": expected an array, found an object"},
	{MOUNT("{\"destination\": \"/\", \"type\": \"tmpfs\"}"),
		"config.json: mounts[0]: destination \"/\": is the root itself, see root.path"},
	{SWAP("[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"uts\"}]", "[]"),
		"config.json: linux.namespaces: a mount namespace is missing; without one all mounts would be the "
		"host's"},
	{SWAP("{\"type\": \"pid\"}", "{\"type\": \"pidd\"}"),
		"config.json:5:54: \"type\": \"pidd\" is not one of user, mount, pid, uts, ipc, network, cgroup, time; "
		"did you mean \"pid\"?"},
	{SWAP("{\"type\": \"pid\"}", "{\"type\": \"mount\"}"), "config.json:5:45: namespace \"mount\" is listed twice"},
	{SWAP("{\"type\": \"pid\"}", "{}"), "config.json:5:45: missing key \"type\""},
	{SWAP("{\"type\": \"pid\"}", "{\"type\": \"network\", \"path\": \"/nonexistent\"}"),
		"namespaces: join the network namespace /nonexistent: No such file or directory"},
	{SWAP("{\"type\": \"pid\"}", "{\"type\": \"network\", \"path\": \"/etc/passwd\"}"),
		"namespaces: join the network namespace /etc/passwd: it is no network namespace"},
	{SWAP("{\"type\": \"pid\"}", "{\"type\": \"network\", \"path\": \"net\"}"),
		"config.json: linux.namespaces: path \"net\" of network: must be absolute"},
	{SWAP("{\"type\": \"pid\"}", "{\"type\": \"network\", \"path\": \"/proc/self/ns/uts\"}"),
		"namespaces: join the network namespace /proc/self/ns/uts: it is no network namespace"},
	{SWAP("{\"type\": \"pid\"}", "{\"type\": \"user\"}"),
		"config.json: linux.uidMappings: a new user namespace needs them"},
	{LINUX("\"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]"),
		"config.json: linux.uidMappings: id maps need a user namespace"},
	{SWAP("{\"type\": \"pid\"}, {\"type\": \"uts\"}]",
		 "{\"type\": \"user\"}, {\"type\": \"uts\"}], \"uidMappings\": [{\"containerID\": 0, \"hostID\": 1, "
		 "\"size\": 0}], \"gidMappings\": [{\"containerID\": 0, \"hostID\": 1, \"size\": 1}]"),
		"config.json: linux.uidMappings[0]: size 0"},
	{SWAP("{\"type\": \"pid\"}, {\"type\": \"uts\"}]",
		 "{\"type\": \"user\"}, {\"type\": \"uts\"}], \"uidMappings\": [{\"containerID\": 0, \"hostID\": "
		 "4294967290, \"size\": 10}], \"gidMappings\": [{\"containerID\": 0, \"hostID\": 1, \"size\": 1}]"),
		"config.json: linux.uidMappings[0]: 10 ids from 0 (inside) and 4294967290 (host) end beyond "
		"4294967294"},
	{SWAP("{\"type\": \"pid\"}, {\"type\": \"uts\"}]",
		 "{\"type\": \"user\"}, {\"type\": \"uts\"}], \"uidMappings\": [{\"containerID\": 0, \"hostID\": 1, "
		 "\"size\": 5}, {\"containerID\": 4, \"hostID\": 100, \"size\": 5}], \"gidMappings\": "
		 "[{\"containerID\": 0, \"hostID\": 1, \"size\": 1}]"),
		"config.json: linux.uidMappings[1]: container ids overlap those of [0]"},
	{LINUX("\"maskedPaths\": [\"../..\"]"), "config.json: linux.maskedPaths \"../..\": must be an absolute path"},
	{LINUX("\"maskedPaths\": [\"/../..\"]"), "config.json: linux.maskedPaths \"/../..\": must not contain \"..\""},
	{LINUX("\"maskedPaths\": \"/proc/kcore\""),
		"config.json:5:26: \"maskedPaths\": expected an array, found a string"},
	{LINUX("\"readonlyPaths\": [\"proc/sys\"]"),
		"config.json: linux.readonlyPaths \"proc/sys\": must be an absolute path"},
	{LINUX("\"readonlyPaths\": [\"/a/../b\"]"),
		"config.json: linux.readonlyPaths \"/a/../b\": must not contain \"..\""},
	{LINUX("\"maskedPaths\": [\"\"]"), "config.json: linux.maskedPaths \"\": must be an absolute path"},
	{LINUX("\"devices\": [{\"type\": \"c\", \"path\": \"/dev/../../x\", \"major\": 1, \"minor\": 3}]"),
		"config.json: linux.devices[0]: path \"/dev/../../x\": must not contain \"..\""},
	{LINUX("\"devices\": [{\"type\": \"c\", \"path\": \"dev/x\", \"major\": 1, \"minor\": 3}]"),
		"config.json: linux.devices[0]: path \"dev/x\": must be an absolute path"},
	{LINUX("\"devices\": [{\"type\": \"x\", \"path\": \"/dev/x\", \"major\": 1, \"minor\": 3}]"),
		"config.json:5:23: type \"x\": must be c, b, u or p"},
	{LINUX("\"devices\": [{\"type\": \"c\", \"path\": \"/dev/x\"}]"),
		"config.json:5:23: major and minor are missing"},
	{LINUX("\"devices\": [{\"type\": \"c\", \"path\": \"/dev/x\", \"major\": 4096, \"minor\": 0}]"),
		"config.json:5:64: \"major\": 4096 is not between 0 and 4095"},
	{LINUX("\"devices\": [{\"type\": \"c\", \"path\": \"/dev/x\", \"major\": 1, \"minor\": 1048576}]"),
		"config.json:5:76: \"minor\": 1048576 is not between 0 and 1048575"},
	{LINUX("\"devices\": [{\"type\": \"c\", \"path\": \"/dev/x\", \"major\": -1, \"minor\": 0}]"),
		"config.json:5:64: \"major\": -1 is not between 0 and 4095"},
	{LINUX("\"sysctl\": {\"kernel.hostname\": \"x\"}"),
		"config.json: linux.sysctl: kernel.hostname: is set by \"hostname\""},
	{LINUX("\"sysctl\": {\"vm.swappiness\": \"1\"}"),
		"config.json: linux.sysctl: vm.swappiness: belongs to the host and not to a namespace"},
	{LINUX("\"sysctl\": {\"kernel.shmmax\": \"1\"}"),
		"config.json: linux.sysctl: kernel.shmmax: needs a namespace of its own: ipc"},
	{LINUX("\"sysctl\": {\"net/../kernel/core_pattern\": \"x\"}"),
		"config.json: linux.sysctl: net/../kernel/core_pattern: name must be letters, digits, '_' and '-' "
		"separated by single dots"},
	{LINUX("\"sysctl\": {\"net.ipv4.ip_forward\": 1}"),
		"config.json:5:45: \"net.ipv4.ip_forward\": expected a string, found a number"},
	{LINUX("\"sysctl\": [\"x\"]"), "config.json:5:21: \"sysctl\": expected an object, found an array"},
	{LINUX("\"cgroupsPath\": \"../x\""),
		"config.json: linux.cgroupsPath \"../x\": must not contain \".\" or \"..\""},
	{LINUX("\"cgroupsPath\": \"/a/../../b\""),
		"config.json: linux.cgroupsPath \"/a/../../b\": must not contain \".\" or \"..\""},
	{LINUX("\"cgroupsPath\": 5"), "config.json:5:26: \"cgroupsPath\": expected a string, found a number"},
	{LINUX("\"cgroupsPath\": \"a:b:c\""),
		"linux.cgroupsPath \"a:b:c\": is a name for systemd, and no path; use --systemd-cgroup"},
	{LINUX("\"rootfsPropagation\": \"sharred\""), "config.json:5:32: \"rootfsPropagation\": \"sharred\" is not one "
						      "of private, shared, slave, unbindable, or these with an r"},
	{LINUX("\"rootfsPropagation\": 1"),
		"config.json:5:32: \"rootfsPropagation\": expected a string, found a number"},
	{LINUX("\"personality\": {\"domain\": \"LINUX64\"}"),
		"config.json:5:26: \"personality\": domain \"LINUX64\": must be LINUX or LINUX32"},
	{LINUX("\"timeOffsets\": {\"monotonic\": {\"secs\": 1}}"),
		"config.json: linux.timeOffsets: needs a new time namespace"},
	{RESOURCES("\"memory\": {\"limit\": \"1M\"}"),
		"config.json:5:45: \"limit\": expected a number, found a string"},
	{RESOURCES("\"memory\": {\"limit\": -2}"),
		"config.json:5:45: \"limit\": -2 is not between -1 and 9223372036854775807"},
	{RESOURCES("\"memory\": {\"limit\": 9223372036854775808}"),
		"config.json:5:45: \"limit\": 9223372036854775808 is not between -1 and 9223372036854775807"},
	{RESOURCES("\"memory\": {\"limit\": 1.5}"), "config.json:5:45: \"limit\": expected a whole number, found 1.5"},
	{RESOURCES("\"memory\": 5"), "config.json:5:35: \"memory\": expected an object, found a number"},
	{RESOURCES("\"pids\": {\"limit\": \"5\"}"), "config.json:5:43: \"limit\": expected a number, found a string"},
	{RESOURCES("\"pids\": {\"limit\": -2}"),
		"config.json:5:43: \"limit\": -2 is not between -1 and 9223372036854775807"},
	{RESOURCES("\"pids\": {\"limit\": 1e2}"), "config.json:5:43: \"limit\": expected a whole number, found 1e2"},
	{RESOURCES("\"cpu\": {\"shares\": 1}"), "cpu_shares: 1 is not within 2 and 262144"},
	{RESOURCES("\"cpu\": {\"shares\": 262145}"),
		"config.json:5:43: \"shares\": 262145 is not between 0 and 262144"},
	{RESOURCES("\"cpu\": {\"period\": 999}"), "cpu_period_us: 999 is not within 1000 and 1000000"},
	{RESOURCES("\"cpu\": {\"period\": 1000001}"),
		"config.json:5:43: \"period\": 1000001 is not between 0 and 1000000"},
	{RESOURCES("\"cpu\": {\"quota\": 1}"),
		"cpu_quota_us: 1 is not within 1000 and 9223372036854775 (or -1: no limit)"},
	{RESOURCES("\"cpu\": {\"cpus\": \"a-b\"}"),
		"config.json:5:32: \"cpu\": cpus: \"a-b\" is not a list of processors such as 0-3,7"},
	{RESOURCES("\"cpu\": {\"mems\": \"1-0\"}"),
		"config.json:5:32: \"cpu\": mems: \"1-0\" is not a list of processors such as 0-3,7"},
	{RESOURCES("\"cpu\": {\"cpus\": 0}"), "config.json:5:41: \"cpus\": expected a string, found a number"},
	{RESOURCES("\"blockIO\": {\"weight\": 9}"),
		"config.json:5:36: \"blockIO\": weight 9: must be between 10 and 1000"},
	{RESOURCES("\"blockIO\": {\"weight\": 1001}"), "config.json:5:47: \"weight\": 1001 is not between 0 and 1000"},
	{RESOURCES("\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": 8, \"minor\": 0, \"rate\": \"x\"}]}"),
		"config.json:5:96: \"rate\": expected a number, found a string"},
	{RESOURCES("\"devices\": [{\"allow\": true, \"type\": \"x\"}]"),
		"config.json:5:37: type \"x\": must be a, b or c"},
	{RESOURCES("\"devices\": [{\"allow\": true, \"access\": \"rwx\"}]"),
		"config.json:5:37: access: 'x' is none of r, w, m"},
	{RESOURCES("\"devices\": [{\"allow\": \"yes\"}]"),
		"config.json:5:47: \"allow\": expected a boolean, found a string"},
	{RESOURCES("\"unified\": {\"memory.max\": 5}"),
		"config.json:5:51: \"memory.max\": expected a string, found a number"},
	{RESOURCES("\"memory\": {\"limit\": 5000000, \"swap\": 4000000}"),
		"config.json:5:35: \"memory\": swap 4000000: is memory and swap together and cannot be below the limit "
		"5000000"},
	{LINUX("\"seccomp\": {}"), "config.json:5:22: missing key \"defaultAction\""},
	{LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_MAYBE\"}"),
		"config.json:5:22: \"seccomp\": defaultAction: unknown seccomp action \"SCMP_ACT_MAYBE\""},
	{LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [\"SCMP_ARCH_Z80\"]}"),
		"config.json:5:22: \"seccomp\": unknown seccomp architecture \"SCMP_ARCH_Z80\""},
	{LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": [\"SECCOMP_FILTER_FLAG_X\"]}"),
		"config.json:5:22: \"seccomp\": unknown seccomp flag \"SECCOMP_FILTER_FLAG_X\""},
	{LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [], \"action\": "
	       "\"SCMP_ACT_ERRNO\"}]}"),
		"config.json:5:22: \"seccomp\": syscalls[0]: names is empty: it must hold at least one"},
	{LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"], "
	       "\"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 6, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}]}]}"),
		"config.json:5:138: \"index\": 6 is not between 0 and 5"},
	{LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"], "
	       "\"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 0, \"value\": 1, \"op\": \"EQ\"}]}]}"),
		"config.json:5:22: \"seccomp\": syscalls[0]: args[0]: unknown seccomp operator \"EQ\""},
	{LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"], "
	       "\"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 70000}]}"),
		"config.json:5:131: \"errnoRet\": 70000 is not between 0 and 65535"},
	{LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_NOTIFY\"}"),
		"config.json: linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is for single calls"},
	{LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"], "
	       "\"action\": \"SCMP_ACT_NOTIFY\"}]}"),
		"config.json: linux.seccomp.syscalls[0]: SCMP_ACT_NOTIFY: needs a listenerPath"},
	{TOP("\"hooks\": []"), "config.json:3:57: \"hooks\": expected an object, found an array"},
	{TOP("\"hooks\": {\"prestart\": {}}"), "config.json:3:70: \"prestart\": expected an array, found an object"},
	{TOP("\"hooks\": {\"prestart\": [{}]}"), "config.json:3:71: missing key \"path\""},
	{TOP("\"hooks\": {\"prestart\": [{\"path\": \"bin/x\"}]}"),
		"config.json: hooks.prestart[0].path \"bin/x\": must be absolute"},
	{TOP("\"hooks\": {\"prestart\": [{\"path\": \"/nonexistent\"}]}"),
		"prestart: hook /nonexistent: run /nonexistent: No such file or directory"},
	{TOP("\"hooks\": {\"prestart\": [{\"path\": \"/bin/true\", \"timeout\": 0}]}"),
		"config.json:3:104: \"timeout\": 0 is not between 1 and 2147483647"},
	{TOP("\"hooks\": {\"prestart\": [{\"path\": \"/bin/true\", \"timeout\": -5}]}"),
		"config.json:3:104: \"timeout\": -5 is not between 1 and 2147483647"},
	{TOP("\"hooks\": {\"prestart\": [{\"path\": \"/bin/true\", \"env\": [\"X\"]}]}"),
		"config.json: hooks.prestart[0]: env[0] \"X\": is not NAME=value"},
	{TOP("\"hooks\": {\"createRuntime\": [{\"path\": \"/bin/false\"}]}"),
		"createRuntime: hook /bin/false: exit status 1"},
	{TOP("\"annotations\": []"), "config.json:3:63: \"annotations\": expected an object, found an array"},
	{TOP("\"annotations\": {\"a\": 5}"), "config.json:3:69: \"a\": expected a string, found a number"},
	{TOP("\"annotations\": {\"\": \"x\"}"), "config.json: annotations: a key is empty (its value is \"x\")"},
	{TOP("\"annotations\": {\"a\": \"x\", \"a\": \"y\"}"),
		"config.json:3:74: repeated key \"a\" (first at line 3)"},
	{TOP("\"windows\": {\"x\": 1}"), "config.json:3:59: \"windows\": this is a Linux runtime"},
};

/* --- bundles ------------------------------------------------------------------------------------------------------ */

struct bench {
	struct bundle bundle;
	char *cgroup, *before;
};

static void bench_drop(struct bench *bench)
{
	bundle_drop(&bench->bundle);
	free(bench->cgroup);
	free(bench->before);
}

/* The state directory has had a container, and the root all that is mounted on: from here on nothing may change. */
static void bench_open(struct bench *bench)
{
	static const char *const places[] = {"proc", "x"};

	remains_seclude();
	remains_adopt();
	bench->bundle = bundle_new();
	bench->cgroup = text_format("warren-oci/%s", bench->bundle.id);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_free char *place = text_format("%s/rootfs/%s", bench->bundle.path, places[i]);

		cr_assert(mkdir(place, 0755) == 0);
	}
	run_write_file(bench->bundle.path, "config.json", 0644, plain);
	auto_run run = OCI(&bench->bundle, "run", "ID");
	cr_assert(run.status == 0 && !*run.err, "%s", run.err);
	bench->before = remains_describe(bench->bundle.directory.path, bench->cgroup);
}

static void text_replace(struct text *out, const char *from, const char *to, size_t to_length)
{
	const char *place = from ? strstr(plain, from) : plain;

	cr_assert(place, "nowhere: %s", from);
	text_append_bytes(out, plain, (size_t)(place - plain));
	text_append_bytes(out, to, to_length);
	text_append(out, from ? place + strlen(from) : "");
}

static void config_write(const struct bench *bench, const char *bytes, size_t length)
{
	auto_free char *path = text_format("%s/config.json", bench->bundle.path);
	auto_fd fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	cr_assert(fd >= 0 && write_all(fd, bytes, length) == 0);
}

static void config_change(const struct bench *bench, const char *from, const char *to, size_t to_length)
{
	AUTO(text_drop) struct text config = {0};

	text_replace(&config, from, to, to_length);
	config_write(bench, config.data ? config.data : "", config.length);
}

/* Of the refused container neither record nor cgroup. False when something is. */
static bool is_clean(const struct bench *bench)
{
	auto_free char *record = text_format("%s/%s", bench->bundle.state, bench->bundle.id);

	return access(record, F_OK) < 0 && errno == ENOENT && bundle_cgroups(&bench->bundle) == 0;
}

static int refused_check(struct bench *bench, const char *command, size_t row, const char *message)
{
	auto_run run = OCI(&bench->bundle, command, "ID");
	auto_free char *wanted = text_format("warren-oci: %s\n", message);

	if (run.status == 1 && text_equal(run.err, wanted) && !*run.out && is_clean(bench))
		return 0;
	fprintf(stderr, "row %zu, %s: status %d%s, wanted: %s   said: %s\n", row, command, run.status,
		is_clean(bench) ? "" : ", SOMETHING LEFT", wanted, run.err);
	return 1;
}

static void nothing_changed(struct bench *bench)
{
	config_write(bench, plain, sizeof(plain) - 1);
	auto_free char *difference = remains_await(bench->bundle.directory.path, bench->cgroup, bench->before);
	cr_assert(!difference, "%s", difference);
}

/* From one row to the next: all of them, but where a run takes its time. */
static size_t step_between_rows(void)
{
#ifdef WARREN_SANITIZED
	size_t few = 6;
#else
	size_t few = WARREN_TEST_SLOW > 1 ? 8 : 1;
#endif
	return getenv("WARREN_TEST_ALL_POINTS") ? 1 : few;
}

/* In create; and in run, which is the same up to there, every eighth. */
TEST(oci_bad_config, is_refused_in_one_line_and_leaves_nothing, .timeout = SLOWLY(600))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	AUTO(bench_drop) struct bench bench = {0};
	size_t faults = 0;

	bench_open(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(table); i += step_between_rows()) {
		config_change(&bench, table[i].from, table[i].to, table[i].to_length);
		faults += (size_t)refused_check(&bench, "create", i, table[i].message);
		if (getenv("WARREN_TEST_ALL_POINTS") || i % 8 == 0)
			faults += (size_t)refused_check(&bench, "run", i, table[i].message);
	}
	cr_assert(faults == 0, "%zu of %zu rows", faults, ARRAY_SIZE(table));
	nothing_changed(&bench);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* A config with `count` of something. */
struct limit {
	const char *name;
	void (*make)(struct text *out, size_t count);
	size_t most;
	const char *message; /* of one more */
};

static void repeat(struct text *out, const char *piece, size_t count)
{
	for (size_t i = 0; i < count; i++)
		text_append(out, piece);
}

static void wrap(
	struct text *out, const char *from, const char *before, const char *piece, size_t count, const char *after)
{
	AUTO(text_drop) struct text to = {0};

	text_append(&to, before);
	repeat(&to, piece, count);
	text_append(&to, after);
	text_replace(out, from, text_string(&to), to.length);
}

static void bytes_make(struct text *out, size_t count)
{
	text_append(out, plain);
	while (out->length + 4096 < count)
		repeat(out, " ", 4096);
	repeat(out, " ", count - out->length);
}

/* The object itself is the first level. */
static void depth_make(struct text *out, size_t count)
{
	AUTO(text_drop) struct text to = {0};

	text_append(&to, "\"hostname\": \"box\", \"x\": ");
	repeat(&to, "[", count - 1);
	repeat(&to, "]", count - 1);
	text_replace(out, "\"hostname\": \"box\"", text_string(&to), to.length);
}

static void members_make(struct text *out, size_t count)
{
	wrap(out, "\"hostname\": \"box\"", "\"hostname\": \"box\", \"x\": [", "0,", count - 1, "0]");
}

static void argument_make(struct text *out, size_t count)
{
	wrap(out, "[\"/bin/true\"]", "[\"/bin/true\", \"", "a", count, "\"]");
}

static void groups_make(struct text *out, size_t count)
{
	wrap(out, "\"gid\": 0", "\"gid\": 0, \"additionalGids\": [", "1,", count - 1, "1]");
}

static void hostname_make(struct text *out, size_t count)
{
	wrap(out, "\"box\"", "\"", "h", count, "\"");
}

static void path_make(struct text *out, size_t count)
{
	static const char *const ends[] = {"", "/", "/p", "/pp"};
	auto_free char *after = text_format("%s\"], ", ends[count % 4]);

	wrap(out, "\"linux\": {", "\"linux\": {\"maskedPaths\": [\"", "/ppp", count / 4, after);
}

static void number_make(struct text *out, const char *from, const char *before, size_t number, const char *after)
{
	auto_free char *to = text_format("%s%zu%s", before, number, after);

	text_replace(out, from, to, strlen(to));
}

static void uid_make(struct text *out, size_t count)
{
	number_make(out, "\"uid\": 0", "\"uid\": ", count, "");
}

static void umask_make(struct text *out, size_t count)
{
	number_make(out, "\"gid\": 0", "\"gid\": 0, \"umask\": ", count, "");
}

static void score_make(struct text *out, size_t count)
{
	number_make(out, "\"cwd\": \"/\"", "\"cwd\": \"/\", \"oomScoreAdj\": ", count, "");
}

static void shares_make(struct text *out, size_t count)
{
	number_make(out, "\"linux\": {", "\"linux\": {\"resources\": {\"cpu\": {\"shares\": ", count, "}}, ");
}

static const struct limit limits[] = {
	{"bytes", bytes_make, (size_t)8 << 20, "config.json: larger than 8388608 bytes"},
	{"levels", depth_make, 64, "config.json:3:116: nested deeper than 64 levels"},
	{"members", members_make, 65536, "config.json:3:131126: an array with more than 65536 members"},
	{"argument", argument_make, 131071, "config.json: process.args[1]: 131072 bytes, at most 131071"},
	{"groups", groups_make, 65536, "config.json:2:131133: an array with more than 65536 members"},
	{"hostname", hostname_make, 64, "config.json: hostname: 65 bytes, at most 64"},
	{"path", path_make, 4095, "config.json: linux.maskedPaths: path of 4096 bytes, at most 4095"},
	{"uid", uid_make, 4294967294, "config.json:2:29: \"uid\": 4294967295 is not between 0 and 4294967294"},
	{"umask", umask_make, 511, "config.json:2:51: \"umask\": 512 is not between 0 and 511"},
	{"oomScoreAdj", score_make, 1000, "config.json:2:115: \"oomScoreAdj\": 1001 is not between -1000 and 1000"},
	{"shares", shares_make, 262144, "config.json:5:43: \"shares\": 262145 is not between 0 and 262144"},
};

static void limit_write(const struct bench *bench, const struct limit *limit, size_t count)
{
	AUTO(text_drop) struct text config = {0};

	limit->make(&config, count);
	config_write(bench, config.data, config.length);
}

TEST(oci_bad_config, what_is_just_allowed_runs_and_one_more_is_refused, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	AUTO(bench_drop) struct bench bench = {0};
	int faults = 0;

	bench_open(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		limit_write(&bench, &limits[i], limits[i].most);
		auto_run run = OCI(&bench.bundle, "run", "ID");
		if (run.status || *run.err || !is_clean(&bench)) {
			fprintf(stderr, "%s: status %d: %.300s\n", limits[i].name, run.status, run.err);
			faults++;
		}
		limit_write(&bench, &limits[i], limits[i].most + 1);
		faults += refused_check(&bench, "run", i, limits[i].message);
	}
	cr_assert(faults == 0, "%d faults", faults);
	nothing_changed(&bench);
}
