/* The fleet file: what it means when it is right, and the exact line that says what is wrong when it is not. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fleet/instance.h"
#include "fleet/spec.h"
#include "tests/test.h"

/* --- what is wrong ------------------------------------------------------------------------------------------------ */

struct wrong {
	const char *text, *message; /* the message without the file's name in front */
};

/* Texts as they are. */
static const struct wrong whole_files[] = {
	{"", "1:1: expected a value, found the end of the text"},
	{"{", "1:2: expected a key or '}', found the end of the text"},
	{"[]", "1:1: expected an object, found an array"},
	{"{\"version\": 1,}", "1:14: a comma must not stand before '}'"},
	{"{\"version\": 1 \"name\": \"f\"}", "1:15: expected ',' or '}', found a string"},
	{"null", "1:1: expected an object, found null"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {}} x", "1:46: expected the end of the text, found \"x\""},
	{"{\"name\": \"f\", \"instances\": {}}", "1:1: missing key \"version\""},
	{"{\"version\": 2, \"name\": \"f\", \"instances\": {}}", "1:13: \"version\": 2: this program knows version 1"},
	{"{\"version\": \"1\", \"name\": \"f\", \"instances\": {}}",
		"1:13: \"version\": expected a number, found a string"},
	{"{\"version\": 1.0, \"name\": \"f\", \"instances\": {}}",
		"1:13: \"version\": expected a whole number, found 1.0"},
	{"{\"version\": 1, \"instances\": {}}", "1:1: missing key \"name\""},
	{"{\"version\": 1, \"name\": \"f\"}", "1:1: missing key \"instances\""},
	{"{\"version\": 1, \"name\": \"F\", \"instances\": {}}",
		"1:24: \"name\": fleet name \"F\": must begin with a lower-case letter or a digit"},
	{"{\"version\": 1, \"name\": \"../f\", \"instances\": {}}",
		"1:24: \"name\": fleet name \"../f\": must begin with a lower-case letter or a digit"},
	{"{\"version\": 1, \"name\": \"\", \"instances\": {}}", "1:24: \"name\": fleet name is empty"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": []}",
		"1:42: \"instances\": expected an object, found an array"},
	{"{\"version\": 1, \"name\": \"f\", \"instance\": {}}",
		"1:29: unknown key \"instance\"; did you mean \"instances\"?"},
	{"{\"version\": 1, \"name\": \"f\", \"name\": \"g\", \"instances\": {}}",
		"1:29: repeated key \"name\" (first at line 1)"},
	{"{\"version\": 1, \"name\": \"f\", \"include\": [\"x\"], \"instances\": {}}",
		"1:29: \"include\": this text is no file, so there is nothing beside it"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {}, \"a\": {}}}",
		"1:52: repeated key \"a\" (first at line 1)"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": []}}",
		"1:48: \"a\": expected an object, found an array"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {}}}",
		"1:43: \"a\": one of \"image\" and \"rootfs\" is required; \"host\" is the built-in image"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"A\": {\"image\": \"host\", \"command\": \"x\"}}}",
		"1:43: instance name \"A\": must begin with a lower-case letter or a digit"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a/b\": {\"image\": \"host\", \"command\": \"x\"}}}",
		"1:43: instance name \"a/b\": only lower-case letters, digits and '-' are allowed"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"..\": {\"image\": \"host\", \"command\": \"x\"}}}",
		"1:43: instance name \"..\": must begin with a lower-case letter or a digit"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\\u0000b\": {\"image\": \"host\", \"command\": \"x\"}}}",
		"1:45: \\u0000 in a string: NUL is not allowed"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\\nb\": {\"image\": \"host\", \"command\": \"x\"}}}",
		"1:43: instance name \"a?b\": only lower-case letters, digits and '-' are allowed"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\", \"command\": \"x\", "
	 "\"replicas\": 1},\n"
	 "\"a-1\": {\"image\": \"host\", \"command\": \"x\"}}}",
		"2:1: instance \"a-1\" is also a replica of \"a\""},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\"}}}",
		"1:43: \"a\": missing \"command\": the image \"host\" has none of its own"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"command\": \"x\"}}}",
		"1:43: \"a\": one of \"image\" and \"rootfs\" is required; \"host\" is the built-in image"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"Net\": {}}, \"instances\": {}}",
		"1:42: network \"Net\": must begin with a lower-case letter or a digit"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"default\": {}}, \"instances\": {}}",
		"1:42: network \"default\" is built in"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"subnet\": \"10.1.0.0\"}}, \"instances\": {}}",
		"1:58: \"subnet\": subnet \"10.1.0.0\": write it like \"10.44.0.0/16\""},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"subnet\": \"10.1.0.1/16\"}}, \"instances\": {}}",
		"1:58: \"subnet\": subnet \"10.1.0.1/16\" has host bits set; did you mean \"10.1.0.0/16\"?"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"subnets\": [\"10.1.0.0/16\", \"10.1.2.0/24\"]}}, "
	 "\"instances\": {}}",
		"1:75: \"subnet\": 10.1.2.0/24 overlaps 10.1.0.0/16 of the network \"n\""},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"subnet\": \"10.1.0.0/16\", \"subnets\": "
	 "[\"10.2.0.0/16\"]}}, \"instances\": {}}",
		"1:84: \"subnets\": \"subnet\" says one already; name all of them here"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"services\": [\"tcp/0\"]}}, \"instances\": {}}",
		"1:61: \"services\": service \"tcp/0\": port: 0 is not between 1 and 65535"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"links\": [\"n\"]}}, \"instances\": {}}",
		"1:58: \"links\": \"n\" is the network itself; see \"isolated\""},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"metadata\": true, \"egress\": false}}, "
	 "\"instances\": {}}",
		"1:60: \"metadata\": that service lies outside; it needs \"egress\""},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"external\": true, \"mtu\": 1400}}, \"instances\": "
	 "{}}",
		"1:60: \"external\": the network \"n\" is made elsewhere, so nothing else can be said of it here"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"mtu\": 1279}}, \"instances\": {}}",
		"1:55: \"mtu\": 1279 is not between 1280 and 65535"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"subnet\": \"10.1.0.0/16\"}, \"m\": {\"subnet\": "
	 "\"10.1.2.0/24\"}}, \"instances\": {}}",
		"1:90: \"subnet\": 10.1.2.0/24 overlaps 10.1.0.0/16 of the network \"n\""},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"subnt\": \"10.1.0.0/16\"}}, \"instances\": {}}",
		"1:48: unknown key \"subnt\"; did you mean \"subnet\"?"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"allow\": [\"m\"]}}, \"instances\": {}}",
		"1:58: network \"m\" is not one of this file"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"allow\": [\"n\"]}}, \"instances\": {}}",
		"1:58: \"allow\": \"n\" is the network itself; see \"isolated\""},
	{"{\"version\": 1, \"name\": \"f\", \"volumes\": {\"D\": {}}, \"instances\": {}}",
		"1:41: volume \"D\": must begin with a lower-case letter or a digit"},
	{"{\"version\": 1, \"name\": \"f\", \"volumes\": {\"d\": {\"driver\": \"x\"}}, \"instances\": {}}",
		"1:47: unknown key \"driver\""},
	{"{\"version\": 1, \"name\": \"f\", \"volumes\": [\"d\"], \"instances\": {}}",
		"1:40: \"volumes\": expected an object, found an array"},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"defaults\": {\"memroy\": \"1M\"},\n"
	 "\"instances\": {}}",
		"2:14: unknown key \"memroy\""},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"profiles\": {\"web\": {\"resources\": {\"memory\": \"lots\"}}},\n"
	 "\"instances\": {}}",
		"2:46: \"memory\": \"lots\" is not a size such as 64M or 1.5G"},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"profiles\": {\"web\": {\"profiles\": [\"x\"]}},\n"
	 "\"instances\": {}}",
		"2:22: \"profiles\": a profile does not name profiles; instances and \"defaults\" do"},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"profiles\": {\"web\": {}},\n"
	 "\"instances\": {\"a\": {\"image\": \"host\", \"command\": \"x\", \"profiles\": [\"wep\"]}}}",
		"3:67: profile \"wep\" is not one of this file; did you mean \"web\"?"},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"profiles\": {\"system\": {}},\n"
	 "\"instances\": {}}",
		"2:14: profile \"system\" is built in: give yours another name and list it behind that one"},
	/* What a built-in profile says was said by whoever named it. */
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"instances\": {\"a\": {\"image\": \"host\", \"user\": \"www-data\", \"profiles\": [\"system\"]}}}",
		"2:71: \"boot\": an init runs as root, not as \"www-data\"; its services have users of their own"},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"instances\": {\"a\": {\"image\": \"host\", \"profiles\": [\"system\"], \"resources\": []}}}",
		"2:75: \"resources\": an array here, but an object in the layer below: write both the same way"},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"instances\": {\"a\": {\"image\": \"host\", \"command\": \"x\", \"profiles\": \"web\"}}}",
		"2:66: \"profiles\": expected an array, found a string"},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"defaults\": {\"environment\": [\"A=1\"]},\n"
	 "\"instances\": {\"a\": {\"image\": \"host\", \"command\": \"x\", \"environment\": {\"B\": \"1\"}}}}",
		"3:69: \"environment\": an object here, but an array in the layer below: write both the same way"},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"defaults\": {\"restart\": \"always\"},\n"
	 "\"instances\": {\"a\": {\"image\": \"host\", \"command\": \"x\",\n"
	 "\"+restart\": [\"no\"]}}}",
		"4:1: \"+restart\": \"restart\" is a string in the layer below, not an array"},
	{"{\"version\": 1, \"name\": \"f\",\n"
	 "\"defaults\": {\"resources\": {\"cpus\": 0.5, \"pids\": 0}},\n"
	 "\"instances\": {\"a\": {\"image\": \"host\", \"command\": \"x\",\n"
	 "\"resources\": {\"memory\": \"1M\"}}}}",
		"2:49: \"pids\": 0 is not between 1 and 4194304"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"depends_on\": [\"b\"]},\n"
	 "\"b\": {\"image\": \"host\", \"command\": \"x\", \"depends_on\": [\"c\"]},\n"
	 "\"c\": {\"image\": \"host\", \"command\": \"x\", \"depends_on\": [\"a\"]}}}",
		"2:54: \"depends_on\": instances depend on each other in a circle: a -> b -> c -> a"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"ports\": [\"80:80\"]},\n"
	 "\"b\": {\"image\": \"host\", \"command\": \"x\", \"ports\": [\"81:81\", \"0.0.0.0:80:8080\"]}}}",
		"3:59: \"ports\": 0.0.0.0:80->8080/tcp of b: port 80 is published by a already"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"replicas\": 2, \"ports\": [\"80-81:80-81\"]}}}",
		"2:65: \"ports\": 127.0.0.1:80-81->80-81/tcp of a-2: port 80 is published by a-1 already"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"ports\": [\"80-89:80-89\"]},\n"
	 "\"b\": {\"image\": \"host\", \"command\": \"x\", \"ports\": [\"85:85\"]}}}",
		"3:50: \"ports\": 127.0.0.1:85->85/tcp of b: port 85 is published by a already"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"ports\": [\"80:80/tcp+sticky\"]},\n"
	 "\"b\": {\"image\": \"host\", \"command\": \"x\", \"ports\": [\"80:80/tcp+balanced\"]}}}",
		"3:50: \"ports\": 127.0.0.1:80->80/tcp+balanced of b: port 80 is published by a already"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"address\": \"10.88.0.9\"},\n"
	 "\"b\": {\"image\": \"host\", \"command\": \"x\", \"address\": \"10.88.0.9\"}}}",
		"3:51: \"address\": a has it already"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"address\": \"10.99.0.9\"}}}",
		"2:51: \"address\": not inside 10.88.0.0/16 of the network \"default\""},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"subnet6\": \"fd01:1:1:1::/64\"}}, \"instances\": "
	 "{\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"network\": \"n\", \"address6\": \"fd01:1:1:2::9\"}}}",
		"2:68: \"address6\": not inside fd01:1:1:1::/64 of the network \"n\""},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {\"subnet6\": \"none\"}}, \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"network\": \"n\", \"address6\": \"fd01:1:1:2::9\"}}}",
		"2:68: \"address6\": the network \"n\" has no IPv6"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {}}, \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"network\": \"n\", \"address6\": \"fd01:1:1:2::9\"},\n"
	 "\"b\": {\"image\": \"host\", \"command\": \"x\", \"network\": \"n\", \"address6\": \"fd01:1:1:2::9\"}}}",
		"3:68: \"address6\": a has it already"},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\"m\": {\"subnet6\": \"fd01:1:1::/48\"},\n"
	 "\"n\": {\"subnet6\": \"fd01:1:1:7::/64\"}}, \"instances\": {\"a\": {\"image\": \"host\", \"command\": "
	 "\"x\"}}}",
		"2:18: \"subnet6\": fd01:1:1:7::/64 overlaps fd01:1:1::/48 of the network \"m\""},
	{"{\"version\": 1, \"name\": \"f\", \"networks\": {\n"
	 "\"n\": {\"subnet6\": \"fd01:1:1:7::1/64\"}}, \"instances\": {\"a\": {\"image\": \"host\", \"command\": "
	 "\"x\"}}}",
		"2:18: \"subnet6\": subnet \"fd01:1:1:7::1/64\" has host bits set; did you mean \"fd01:1:1:7::/64\"?"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"b\": {\"image\": \"host\", \"command\": \"x\"},\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"depends_on\": {\"b\": {\"condition\": \"healthy\"}}}}}",
		"3:60: \"depends_on\": b has no \"healthcheck\", so it never becomes healthy"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"hosts\": [\"x.example\", \"a.example\"]},\n"
	 "\"b\": {\"image\": \"host\", \"command\": \"x\", \"hosts\": [\"b.example\", \"A.example\"]}}}",
		"3:63: \"hosts\": \"A.example\" is a host name of a already"},
	{"{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
	 "\"a\": {\"image\": \"host\", \"command\": \"x\", \"replicas\": 2, \"hosts\": [\"a.example\", "
	 "\"a${index}.example\"]},\n"
	 "\"b\": {\"image\": \"host\", \"command\": \"x\", \"hosts\": [\"a2.example\"]}}}",
		"3:50: \"hosts\": \"a2.example\" is a host name of a-2 already"},
};

/* Keys of one instance that is right but for them. They stand on the second line. */
#define INSTANCE_BEFORE                                                                                                \
	"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\", \"command\": [\"x\"],\n"
static const struct wrong instance_keys[] = {
	{"\"hostnam\": null", "2:1: unknown key \"hostnam\"; did you mean \"hostname\"?"},
	{"\"resources\": {\"memry\": null}", "2:15: unknown key \"memry\"; did you mean \"memory\"?"},
	{"\"healthcheck\": {\"tcp\": 80, \"intervall\": null}",
		"2:28: unknown key \"intervall\"; did you mean \"interval\"?"},
	{"\"memory\": \"64M\"", "2:1: unknown key \"memory\"; did you mean \"resources.memory\"?"},
	{"\"max_size\": \"1M\"", "2:1: unknown key \"max_size\"; did you mean \"logging.max_size\"?"},
	{"\"hostnam\": \"x\"", "2:1: unknown key \"hostnam\"; did you mean \"hostname\"?"},
	{"\"idle\": [3]", "2:9: \"idle\": expected a duration such as \"1m30s\", found an array"},
	{"\"idle\": {\"action\": \"freeze\"}", "2:9: \"idle\": missing \"after\""},
	{"\"idle\": \"10ms\"", "2:9: \"idle\": less than 1s; leave it out for an instance that never sleeps"},
	{"\"idle\": {\"after\": 0}", "2:19: \"after\": less than 1s; leave it out for an instance that never sleeps"},
	{"\"idle\": {\"after\": \"999ms\"}",
		"2:19: \"after\": less than 1s; leave it out for an instance that never sleeps"},
	{"\"idle\": {\"after\": 60, \"action\": \"hibernate\"}",
		"2:33: \"action\": \"hibernate\" is not one of freeze+reclaim, freeze, stop"},
	{"\"idle\": {\"after\": 60, \"action\": \"stop\"}",
		"2:33: \"action\": \"stop\": what calls a stopped instance is lost, as its network ends with it; "
		"\"freeze+reclaim\" keeps the connection and gives the memory back"},
	{"\"idle\": \"1m\", \"network\": \"host\"",
		"2:9: \"idle\": with the network \"host\" nobody can see who calls it: it takes a network of its own"},
	{"\"idle\": \"1m\", \"ports\": [\"80:80/tcp+socket\"]",
		"2:9: \"idle\": port 80 is in socket mode, past the instance's network: nobody can see who calls it"},
	{"\"update\": {\"order\": \"first\"}", "2:21: \"order\": \"first\" is not one of start-first, stop-first"},
	{"\"update\": {\"parallel\": 0}", "2:24: \"parallel\": 0 is not between 1 and 4094"},
	{"\"update\": {\"parallel\": \"0%\"}", "2:24: \"parallel\": 0 is not between 1 and 100"},
	{"\"update\": {\"canary\": \"101%\"}", "2:22: \"canary\": 101 is not between 0 and 100"},
	{"\"update\": {\"canary\": \"a few\"}",
		"2:22: \"canary\": \"a few\" is not a number of instances or a part such as \"10%\""},
	{"\"update\": {\"canary\": true}",
		"2:22: \"canary\": expected a number or a part such as \"10%\", found a boolean"},
	{"\"update\": {\"drain\": \"soon\"}",
		"2:21: \"drain\": \"soon\" is not a duration such as 10s, 1m30s or 250ms"},
	{"\"update\": {\"failure_action\": \"stop\"}",
		"2:30: \"failure_action\": \"stop\" is not one of rollback, pause, continue"},
	{"\"update\": {\"pause\": 1}", "2:12: unknown key \"pause\""},
	{"\"hosts\": [\"a.example\", \"b_.example\"]",
		"2:24: \"hosts\": \"b_.example\" is not a host name such as \"www.example.org\" or \"*.example.org\""},
	{"\"hosts\": [\"*\"]",
		"2:11: \"hosts\": \"*\" is not a host name such as \"www.example.org\" or \"*.example.org\""},
	{"\"hosts\": [\"a.*.example\"]",
		"2:11: \"hosts\": \"a.*.example\" is not a host name such as \"www.example.org\" or \"*.example.org\""},
	{"\"hosts\": [\"a.example\", \"A.Example\"]", "2:24: \"hosts\": \"A.Example\" is named twice"},
	{"\"hosts\": [\"\"]", "2:11: \"hosts\": \"\" is empty or longer than 253 characters"},
	{"\"front_port\": 0", "2:15: \"front_port\": 0 is not between 1 and 65535"},
	{"\"hooks\": {\"poststart\": [{\"path\": \"x\"}]}", "2:10: \"hooks\": path \"x\": must be an absolute path"},
	{"\"hooks\": {\"poststart\": [{}]}", "2:25: missing key \"path\""},
	{"\"hooks\": {\"prestrt\": []}", "2:11: unknown key \"prestrt\""},
	{"\"oci\": {\"linux\": {\"namespaces\": []}}", "2:19: \"namespaces\": they are the instance's own"},
	{"\"oci\": {\"linux\": {\"resources\": {\"pids\": {\"limit\": 5}}}}",
		"2:33: \"pids\": \"resources\" of the instance says it"},
	{"\"oci\": {\"proces\": {}}", "2:9: unknown key \"proces\"; did you mean \"process\"?"},
	{"\"oci\": {\"process\": {\"oomScoreAdj\": 5000}}",
		"2:36: \"oomScoreAdj\": 5000 is not between -1000 and 1000"},
	{"\"devices\": {}", "2:12: \"devices\": expected an array, found an object"},
	{"\"devices\": [3, \"/dev/fuse:::\"]", "2:16: \"/dev/fuse:::\": expected PATH[:TARGET][:rwm], such as "
					       "\"/dev/fuse\" or \"/dev/sdb1:/dev/data:r\""},
	{"\"devices\": [{\"target\": \"/dev/x\"}]", "2:13: missing key \"path\""},
	{"\"devices\": [\"dev/fuse\"]", "2:13: \"devices\": path \"dev/fuse\": must be an absolute path"},
	{"\"devices\": [\"/dev/fuse:/etc/x\"]", "2:13: \"devices\": target \"/etc/x\": must lie below /dev"},
	{"\"devices\": [\"/dev/fuse:/dev/null\"]",
		"2:13: \"devices\": target \"/dev/null\": every instance has /dev/null"},
	{"\"devices\": [\"/dev/fuse:/dev/pts/9\"]",
		"2:13: \"devices\": target \"/dev/pts/9\": every instance has /dev/pts"},
	{"\"devices\": [\"/dev/a\", \"/dev/b:/dev/a:r\"]", "2:23: \"devices\": target \"/dev/a\" is used twice"},
	{"\"devices\": [\"/dev/a\", \"/dev/b:/dev/a/b\"]",
		"2:23: \"devices\": target \"/dev/a/b\": \"/dev/a\" is a device too"},
	{"\"devices\": [{\"path\": \"/dev/a\", \"permissions\": \"rr\"}]",
		"2:13: \"devices\": /dev/a: permissions \"rr\": 'r' is there twice"},
	{"\"devices\": [{\"path\": \"/dev/a\", \"permissions\": \"\"}]",
		"2:13: \"devices\": /dev/a: permissions \"\": expected some of \"rwm\""},
	{"\"rootfs\": \"/srv/x\"", "1:58: \"image\": \"image\" and \"rootfs\" exclude each other"},
	{"\"etc_from_host\": [\"/etc/shadow\"]",
		"2:19: \"etc_from_host\": path \"/etc/shadow\": /etc/shadow holds secrets of the host"},
	{"\"etc_from_host\": [\"/etc\"]", "2:19: \"etc_from_host\": path \"/etc\": must lie below /etc"},
	{"\"etc_from_host\": [\"/home/x\"]", "2:19: \"etc_from_host\": path \"/home/x\": must lie below /etc"},
	{"\"etc_from_host\": [\"/etc/../root\"]", "2:19: \"etc_from_host\": path \"/etc/../root\": must not contain "
						  "\".\", \"..\", \"//\" or a slash at the end"},
	{"\"replicas\": 0", "2:13: \"replicas\": 0 is not between 1 and 4094"},
	{"\"replicas\": 4095", "2:13: \"replicas\": 4095 is not between 1 and 4094"},
	{"\"replicas\": \"2\"", "2:13: \"replicas\": expected a number, found a string"},
	{"\"replicas\": 1.5", "2:13: \"replicas\": expected a whole number, found 1.5"},
	{"\"state\": \"runing\"",
		"2:10: \"state\": \"runing\" is not one of running, stopped, paused; did you mean \"running\"?"},
	{"\"autostart\": \"yes\"", "2:14: \"autostart\": expected a boolean, found a string"},
	{"\"priority\": 1001", "2:13: \"priority\": 1001 is not between -1000 and 1000"},
	{"\"depends_on\": {\"b\": {}}", "2:21: \"depends_on\": \"b\" is not an instance of this file"},
	{"\"depends_on\": [\"a\"]", "2:16: \"depends_on\": a depends on itself"},
	{"\"depends_on\": {\"b\": {\"condition\": \"done\"}}",
		"2:21: \"depends_on\": \"b\": condition \"done\" is not \"started\" or \"healthy\""},
	{"\"depends_on\": 5", "2:15: \"depends_on\": expected an object or an array, found a number"},
	{"\"environment\": [\"A\"]", "2:17: \"A\": expected NAME=VALUE"},
	{"\"environment\": [\"A=1\", \"A=2\"]", "2:24: repeated name \"A\""},
	{"\"environment\": {\"A\": true}", "2:22: \"A\": expected a string, found a boolean"},
	{"\"environment\": {\"A=B\": \"1\"}", "2:24: \"environment\": name \"A=B\": '=' is not allowed"},
	{"\"environment\": {\"\": \"1\"}", "2:21: \"environment\": a name is empty"},
	{"\"environment\": {\"A\\u0007\": \"1\"}",
		"2:28: \"environment\": name \"A?\": control characters are not allowed (found 0x07)"},
	{"\"environment\": {\"A\": \"1\", \"A\": \"2\"}", "2:27: repeated key \"A\" (first at line 2)"},
	{"\"environment\": {\"A\": \"${nam}\"}",
		"2:22: \"${nam}\": only ${name} and ${index} are replaced; write \"$${\" for a plain \"${\""},
	{"\"environment\": {\"A\": \"${index\"}",
		"2:22: \"${\" without a closing brace; write \"$${\" for a plain \"${\""},
	{"\"environment\": {\"A\": \"x\\u0000y\"}", "2:24: \\u0000 in a string: NUL is not allowed"},
	{"\"env_file\": \"x\"", "2:13: \"env_file\": expected an array, found a string"},
	{"\"user\": \"a b\"", "2:9: \"user\": \"a b\": only letters, digits, '_', '.' and '-' are allowed"},
	{"\"user\": \"65536\"", "2:9: \"user\": 65536 is not between 0 and 65535"},
	{"\"user\": \"root:\"", "2:9: \"user\": group: the name is empty or longer than 63 characters"},
	{"\"user\": -1", "2:9: \"user\": \"-1\": only letters, digits, '_', '.' and '-' are allowed"},
	{"\"working_dir\": \"srv\"", "2:16: \"working_dir\": path \"srv\": must be an absolute path"},
	{"\"working_dir\": \"/srv/../etc\"", "2:16: \"working_dir\": path \"/srv/../etc\": must not contain \".\", "
					     "\"..\", \"//\" or a slash at the end"},
	{"\"hostname\": \"a_b\"", "2:13: \"hostname\": \"a_b\" is not a host name: letters, digits, and '-' inside, in "
				  "parts joined by '.'"},
	{"\"hostname\": \"\"", "2:13: \"hostname\": \"\" is empty or longer than 63 characters"},
	{"\"resources\": {\"cpus\": 0}", "2:23: \"cpus\": 0 is not between 0.001 and 65536"},
	{"\"resources\": {\"cpus\": 0.005}", "2:23: \"cpus\": less than 0.01"},
	{"\"resources\": {\"cpus\": \"half\"}",
		"2:23: \"cpus\": \"half\" is not a number of processors such as 0.5 or 2"},
	{"\"resources\": {\"cpu\": 1}", "2:15: unknown key \"cpu\"; did you mean \"cpus\"?"},
	{"\"resources\": {\"cpu_weight\": 0}", "2:29: \"cpu_weight\": 0 is not between 1 and 10000"},
	{"\"resources\": {\"cpuset\": \"3-1\"}", "2:25: \"cpuset\": \"3-1\" is not a list of processors such as 0-3,7"},
	{"\"resources\": {\"memory\": \"64X\"}", "2:25: \"memory\": \"64X\" is not a size such as 64M or 1.5G"},
	{"\"resources\": {\"memory\": \"-1\"}", "2:25: \"memory\": \"-1\" is not a size such as 64M or 1.5G"},
	{"\"resources\": {\"memory\": \"512K\"}", "2:25: \"memory\": less than 1M"},
	{"\"resources\": {\"memory\": 99999999999999999999}",
		"2:25: \"memory\": 99999999999999999999 is larger than any size"},
	{"\"resources\": {\"memory\": \"64M\", \"memory_high\": \"1G\"}",
		"2:47: \"memory_high\": 1G is more than \"memory\", 64M"},
	{"\"resources\": {\"swap\": \"1G\"}", "2:23: \"swap\": swap comes on top of memory: set \"memory\" too"},
	{"\"resources\": {\"pids\": 0}", "2:23: \"pids\": 0 is not between 1 and 4194304"},
	{"\"resources\": {\"pids\": \"many\"}", "2:23: \"pids\": expected a number or \"unlimited\", found many"},
	{"\"resources\": {\"io_weight\": 10001}", "2:28: \"io_weight\": 10001 is not between 1 and 10000"},
	{"\"resources\": {\"io_max\": [{\"device\": \"sda\"}]}",
		"2:37: \"device\": \"sda\" is not a device number such as \"8:0\""},
	{"\"resources\": {\"io_max\": [{\"device\": \"8:0\"}]}",
		"2:26: \"io_max\": 8:0 is not limited: name rbps, wbps, riops or wiops"},
	{"\"resources\": {\"io_max\": [{\"rbps\": \"1M\"}]}", "2:26: missing key \"device\""},
	{"\"resources\": {\"disk\": \"1K\"}", "2:23: \"disk\": less than 1M"},
	{"\"resources\": {\"egress\": \"10X\"}",
		"2:25: \"egress\": \"10X\" is not a rate such as 100M or 1.5G (bits per second)"},
	{"\"resources\": {\"ingress\": 100}",
		"2:26: \"ingress\": 100 is less than 64K bits per second; 100M are so many megabits"},
	{"\"network\": \"host\", \"resources\": {\"ingress\": \"2M\"}",
		"2:45: \"ingress\": with the network \"host\" there is no link of its own to limit"},
	{"\"resources\": {\"ingress\": \"2T\"}", "2:26: \"ingress\": 2T is more than 1T bits per second"},
	{"\"resources\": []", "2:14: \"resources\": expected an object, found an array"},
	{"\"ulimits\": {\"nofiles\": 5}",
		"2:24: \"ulimits\": unknown resource limit \"nofiles\"; did you mean RLIMIT_NOFILE?"},
	{"\"ulimits\": {\"nofile\": \"20:10\"}", "2:23: \"ulimits\": nofile: the soft limit is above the hard one"},
	{"\"ulimits\": {\"nofile\": \"x\"}", "2:23: \"nofile\": \"x\" is not a whole number"},
	{"\"ulimits\": {\"nofile\": {\"soft\": 5}}", "2:23: missing key \"hard\""},
	{"\"ulimits\": {\"nofile\": 5, \"NOFILE\": 6}", "2:36: \"ulimits\": NOFILE is limited twice"},
	{"\"ulimits\": []", "2:12: \"ulimits\": expected an object, found an array"},
	{"\"network\": \"shop\"", "2:12: \"network\": \"shop\" is not one of this file"},
	{"\"network\": \"shared:b\"", "2:12: \"network\": the instance \"b\" is not one of this file"},
	{"\"network\": \"shared:a\"", "2:12: \"network\": a would share its own network"},
	{"\"network\": \"shared:\"", "2:12: \"network\": instance name is empty"},
	{"\"network\": \"shard:b\"",
		"2:12: \"network\": network \"shard:b\": expected a name, host, none, shared:INSTANCE, macvlan:LINK, "
		"bridge:NAME or ns:/PATH; did you mean \"shared:\"?"},
	{"\"network\": \"macvlan:a/b\"",
		"2:12: \"network\": \"a/b\" is no name of a link: 1 to 15 letters, digits and . _ - @"},
	{"\"network\": \"bridge:br0\", \"address\": \"192.0.2.5\"",
		"2:37: \"address\": with the network \"bridge:br0\" it needs a prefix length, as in "
		"\"192.168.1.50/24\""},
	{"\"address\": \"10.88.0.5/16\"", "2:12: \"address\": no prefix length: the network \"default\" knows its "
					  "subnet; only macvlan and bridge "
					  "need one"},
	{"\"network\": \"ns:/run/netns/blue\", \"address\": \"192.0.2.5\"",
		"2:45: \"address\": with the network \"ns:/run/netns/blue\" there is no address to choose"},
	{"\"network\": \"ns:netns/blue\"",
		"2:12: \"network\": network namespace \"netns/blue\": must be an absolute path"},
	{"\"gateway\": \"10.88.0.1\"", "2:12: \"gateway\": with the network \"default\" there is no gateway to choose; "
				       "macvlan and bridge have one"},
	{"\"network\": \"macvlan:eth0\", \"gateway\": \"192.0.2.1\"",
		"2:39: \"gateway\": a gateway needs an \"address\" with a prefix length"},
	{"\"network\": \"macvlan:eth0\", \"address\": \"192.0.2.5/24\", \"gateway\": \"192.0.3.1\"",
		"2:66: \"gateway\": not inside the subnet of the \"address\""},
	{"\"network\": \"macvlan:eth0\", \"address\": \"192.0.2.5/24\", \"gateway\": \"192.0.2.5\"",
		"2:66: \"gateway\": that is the instance's own address"},
	{"\"network\": \"macvlan:eth0\", \"address\": \"192.0.2.5/33\"",
		"2:39: \"address\": \"192.0.2.5/33\": prefix length: 33 is not between 1 and 32"},
	{"\"network\": \"none\", \"aliases\": [\"b\"]",
		"2:31: \"aliases\": with the network \"none\" there is nobody to know it by another name"},
	{"\"aliases\": [\"localhost\"]", "2:13: \"aliases\": host name \"localhost\" is every instance's own"},
	{"\"network\": \"shared:b\", \"sysctls\": {\"net.core.somaxconn\": \"1\"}",
		"2:58: \"sysctls\": net.core.somaxconn is set by who made the network \"shared:b\""},
	{"\"network\": \"shared:b\", \"ports\": [\"80:80\"]",
		"2:34: \"ports\": with the network \"shared:b\" it is b that publishes ports"},
	{"\"network\": \"Net\"", "2:12: \"network\": network \"Net\": must begin with a lower-case letter or a digit"},
	{"\"network\": \"host\", \"address\": \"10.0.0.1\"",
		"2:31: \"address\": with the network \"host\" there is no address to choose"},
	{"\"network\": \"none\", \"ports\": [\"80:80\"]",
		"2:30: \"ports\": with the network \"none\" there are no ports to publish but in socket mode"},
	{"\"address6\": \"::1\"", "2:13: \"address6\": \"::1\" is not an IPv6 address"},
	{"\"address6\": \"10.88.0.1\"", "2:13: \"address6\": \"10.88.0.1\" is not an IPv6 address"},
	{"\"address6\": \"::ffff:10.88.0.1\"", "2:13: \"address6\": \"::ffff:10.88.0.1\" is not an IPv6 address"},
	{"\"network\": \"none\", \"address6\": \"fd00::1\"",
		"2:32: \"address6\": with the network \"none\" there is no address to choose"},
	{"\"address\": \"10.88.0\"", "2:12: \"address\": \"10.88.0\" is not an IPv4 address"},
	{"\"ports\": [\"80:80:80:80\"]",
		"2:11: port \"80:80:80:80\": write it like \"127.0.0.1:8080:80/tcp\" or \"[::]:8080:80\""},
	{"\"ports\": [\"80:99999\"]", "2:11: port \"80:99999\": the instance's port: 99999 is not between 1 and 65535"},
	{"\"ports\": [{\"published\": 80}]", "2:11: missing key \"target\""},
	{"\"ports\": [{\"target\": 80, \"protocol\": \"icmp\"}]",
		"2:38: \"protocol\": \"icmp\" is not one of tcp, udp, sctp"},
	{"\"ports\": [{\"target\": \"80-81\", \"published\": 80}]", "2:11: 1 published ports for 2 of the instance"},
	{"\"ports\": [\"80-89:80-89\", \"85:1\"]", "2:26: \"ports\": 127.0.0.1:85->1/tcp: port 85 is published twice"},
	{"\"ports\": [{\"target\": 0}]", "2:22: \"target\": 0 is not between 1 and 65535"},
	{"\"ports\": [\"80:80\", \"80:81\"]", "2:20: \"ports\": 127.0.0.1:80->81/tcp: port 80 is published twice"},
	{"\"ports\": \"80:80\"", "2:10: \"ports\": expected an array, found a string"},
	{"\"ports\": [{\"target\": 80, \"host_ip\": \"localhost\"}]",
		"2:37: \"host_ip\": \"localhost\" is not an IPv4 address"},
	{"\"volumes\": [\"/srv/a:/\"]", "2:13: volume \"/srv/a:/\": target: \"/\" is the instance's root itself"},
	{"\"volumes\": [\"/srv/a:/proc/x\"]",
		"2:13: \"volumes\": target \"/proc/x\": /proc belongs to the instance's kernel files"},
	{"\"volumes\": [\"data:/a\"]", "2:13: \"volumes\": \"data\" is not declared under \"volumes\" at the top"},
	{"\"volumes\": [{\"type\": \"bind\", \"target\": \"/a\"}]", "2:13: \"volumes\": /a: missing \"source\""},
	{"\"volumes\": [{\"type\": \"nfs\", \"target\": \"/a\"}]",
		"2:22: \"type\": \"nfs\" is not one of bind, volume, tmpfs"},
	{"\"volumes\": [\"/srv/a:/a/../b\"]", "2:13: volume \"/srv/a:/a/../b\": target \"/a/../b\": must not contain "
					      "\".\", \"..\", \"//\" or a slash at the end"},
	{"\"volumes\": [\"/srv/a:/a\", \"/srv/b:/a\"]", "2:26: \"volumes\": target \"/a\" is used twice"},
	{"\"volumes\": [{\"type\": \"bind\", \"source\": \"/srv\", \"target\": \"/a\", \"size\": \"1M\"}]",
		"2:13: \"volumes\": /a: only a tmpfs has a size and a mode"},
	{"\"volumes\": [\"/a\"]", "2:13: volume \"/a\": expected SOURCE:TARGET[:ro|rw][,noidmap]"},
	{"\"tmpfs\": [\"tmp\"]", "2:11: \"tmpfs\": target \"tmp\": must be an absolute path"},
	{"\"tmpfs\": [\"/x:size=big\"]", "2:11: \"big\" is not a size such as 64M or 1.5G"},
	{"\"tmpfs\": [\"/x:exec\"]", "2:11: \"exec\": expected size=SIZE or mode=MODE"},
	{"\"tmpfs\": [\"/x\", \"/x\"]", "2:17: \"tmpfs\": target \"/x\" is used twice"},
	{"\"tmpfs\": \"/x\"", "2:10: \"tmpfs\": expected an array, found a string"},
	{"\"tmpfs\": [{\"target\": \"/x\", \"mode\": 755}]",
		"2:36: \"mode\": expected a string such as \"0440\", found a number"},
	{"\"read_only\": 1", "2:14: \"read_only\": expected a boolean, found a number"},
	{"\"configs\": [{\"target\": \"/x\"}]",
		"2:13: \"configs\": /x: exactly one of \"source\" and \"content\" is required"},
	{"\"configs\": [{\"source\": \"a\", \"content\": \"b\", \"target\": \"/x\"}]",
		"2:13: \"configs\": /x: exactly one of \"source\" and \"content\" is required"},
	{"\"configs\": [{\"source\": \"a\"}]", "2:13: missing key \"target\""},
	{"\"configs\": [{\"content\": \"a\", \"target\": \"x\"}]",
		"2:13: \"configs\": target \"x\": must be an absolute path"},
	{"\"configs\": [{\"content\": \"a\", \"target\": \"/x\", \"mode\": \"4755\"}]",
		"2:13: \"configs\": /x: mode 04755: set-id bits are not allowed"},
	{"\"configs\": [{\"content\": \"a\", \"target\": \"/x\", \"mode\": \"9\"}]",
		"2:54: \"mode\": \"9\" is not an octal number such as 0644"},
	{"\"configs\": [{\"content\": \"a\", \"target\": \"/x\"}, {\"content\": \"b\", \"target\": \"/x\"}]",
		"2:47: \"configs\": target \"/x\" is used twice"},
	{"\"tmpfs\": [\"/x\"], \"configs\": [{\"content\": \"a\", \"target\": \"/x\"}]",
		"2:30: \"configs\": target \"/x\" is a volume's too"},
	{"\"secrets\": [{\"content\": \"a\", \"target\": \"/x\"}]",
		"2:14: \"content\": a secret comes from a file (\"source\"): this file and the records keep no "
		"secrets"},
	{"\"secrets\": [{\"target\": \"/x\"}]", "2:13: missing key \"source\""},
	{"\"healthcheck\": {\"htp\": \"x\"}", "2:17: unknown key \"htp\"; did you mean \"http\"?"},
	{"\"healthcheck\": {\"http\": \"https://:443/\"}",
		"2:25: \"http\": \"https://:443/\": for https use \"test\" with a program of the instance"},
	{"\"healthcheck\": {\"http\": \"http://x:0/\"}",
		"2:25: \"http\": \"http://x:0/\": port: 0 is not between 1 and 65535"},
	{"\"healthcheck\": {\"http\": \"http://x/a b\"}",
		"2:25: \"http\": \"http://x/a b\": expected http://[name][:port][/path]"},
	{"\"healthcheck\": {\"tcp\": 65536}", "2:24: \"tcp\": 65536 is not between 1 and 65535"},
	{"\"healthcheck\": {\"tcp\": 80, \"test\": \"true\"}",
		"2:16: \"healthcheck\": \"http\", \"tcp\" and \"test\" exclude each other; null takes away "
		"what a layer below says"},
	{"\"healthcheck\": {\"test\": [\"curl\", \"x\"]}", "2:25: \"test\": expected a line for the shell, [\"CMD\", "
							   "\"program\", …], [\"CMD-SHELL\", \"line\"] or [\"NONE\"]"},
	{"\"healthcheck\": {\"tcp\": 80, \"interval\": \"1ms\"}", "2:40: \"interval\": less than 100ms"},
	{"\"healthcheck\": {\"tcp\": 80, \"timeout\": \"0\"}", "2:39: \"timeout\": less than 1ms"},
	{"\"healthcheck\": {\"tcp\": 80, \"on_failure\": \"kill\"}",
		"2:42: \"on_failure\": \"kill\" is not one of restart, stop, none"},
	{"\"restart\": \"sometimes\"",
		"2:12: \"policy\": \"sometimes\" is not one of no, on-failure, always, unless-stopped"},
	{"\"restart\": {\"policy\": \"always\", \"delay\": \"10\"  , \"max_delay\": \"1s\"}",
		"2:63: \"max_delay\": less than \"delay\""},
	{"\"restart\": {\"delay\": \"soon\"}",
		"2:22: \"delay\": \"soon\" is not a duration such as 10s, 1m30s or 250ms"},
	{"\"restart\": {\"max_retries\": 0}", "2:28: \"max_retries\": 0 is not between 1 and 1000000"},
	{"\"restart\": {\"policy\": \"no\", \"max_retries\": 3}",
		"2:44: \"max_retries\": the policy \"no\" never tries again"},
	{"\"restart\": 5", "2:12: \"restart\": expected a string or an object, found a number"},
	{"\"stop_signal\": \"TREM\"", "2:16: \"stop_signal\": unknown signal \"TREM\"; did you mean TERM?"},
	{"\"stop_signal\": \"65\"", "2:16: \"stop_signal\": signal: 65 is not between 1 and 64"},
	{"\"stop_grace_period\": \"1x\"",
		"2:22: \"stop_grace_period\": \"1x\" is not a duration such as 10s, 1m30s or 250ms"},
	{"\"logging\": {\"driver\": \"syslog\"}",
		"2:23: \"driver\": \"syslog\" is not \"file\", \"journald\" or \"none\""},
	{"\"logging\": {\"max_size\": \"1K\"}", "2:25: \"max_size\": less than 4K"},
	{"\"logging\": {\"max_files\": 0}", "2:26: \"max_files\": 0 is not between 1 and 100"},
	{"\"userns\": {\"mode\": \"host\"}", "2:20: \"mode\": \"host\": root inside would be the host's root, and no "
					     "instance here is; for a container like that use warren-oci"},
	{"\"userns\": {\"mode\": \"nomap\"}",
		"2:20: \"mode\": \"nomap\" is not \"auto\": the range of ids is chosen, and kept"},
	{"\"userns\": {\"size\": 999}", "2:20: \"size\": 999 is not between 1000 and 65536"},
	{"\"userns\": {\"size\": 131072}", "2:20: \"size\": 131072 is not between 1000 and 65536"},
	{"\"userns\": {\"size\": 1000}, \"user\": \"1000\"", "2:35: \"user\": 1000 is not between 0 and 999"},
	{"\"cap_add\": [\"NET_ADMI\"]",
		"2:13: \"cap_add\": unknown capability \"NET_ADMI\"; did you mean CAP_NET_ADMIN?"},
	{"\"cap_add\": [\"KILL\"], \"cap_drop\": [\"KILL\"]", "2:13: \"cap_add\": \"KILL\" is in \"cap_drop\" too"},
	{"\"cap_drop\": \"ALL\"", "2:13: \"cap_drop\": expected an array, found a string"},
	{"\"security\": {\"seccomp\": \"off\"}", "2:25: \"seccomp\": \"off\" is not \"default\" or \"unconfined\""},
	{"\"security\": {\"landlock\": true}",
		"2:14: \"landlock\": no instance is put under Landlock: its rules could say nothing that the mounts do "
		"not, and exec could not join them; remove it"},
	{"\"security\": {\"apparmor\": \"a\\tb\"}",
		"2:26: \"apparmor\": AppArmor profile \"a?b\": control characters are not allowed (found 0x09)"},
	{"\"sysctls\": {\"kernel.pid_max\": \"1\"}",
		"2:31: \"sysctls\": kernel.pid_max belongs to the whole host, not to an instance"},
	{"\"sysctls\": {\"net.ipv4.x\": \"1\"}, \"network\": \"host\"",
		"2:27: \"sysctls\": net.ipv4.x would be the host's: the network is \"host\""},
	{"\"sysctls\": {\"net/../x\": \"1\"}",
		"2:25: \"sysctls\": \"net/../x\" is not the name of a sysctl such as net.core.somaxconn"},
	{"\"sysctls\": {\"net..x\": \"1\"}",
		"2:23: \"sysctls\": \"net..x\" is not the name of a sysctl such as net.core.somaxconn"},
	{"\"labels\": {\"a=b\": \"c\"}", "2:19: \"labels\": name \"a=b\": '=' is not allowed"},
	{"\"labels\": [\"a\"]", "2:12: \"a\": expected NAME=VALUE"},
	{"\"labels\": {\"a\": \"x\\ny\"}",
		"2:17: \"labels\": value \"x?y\": control characters are not allowed (found 0x0a)"},
	{"\"description\": \"a\\nb\"",
		"2:16: \"description\": text \"a?b\": control characters are not allowed (found 0x0a)"},
	{"\"protect\": \"no\"", "2:12: \"protect\": expected a boolean, found a string"},
	{"\"tmpfs\": [\"/x\"], \"+tmpfs\": [\"/y\"]", "2:18: \"+tmpfs\" and \"tmpfs\" exclude each other"},
	{"\"+tmpfs\": \"/y\"", "2:11: \"+tmpfs\": expected an array, found a string"},
	{"\"+tmpsf\": [\"/y\"]", "2:1: unknown key \"tmpsf\"; did you mean \"tmpfs\"?"},
};

/* The same, where the text has to say image and command itself. */
#define BARE_BEFORE "{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\n"
static const struct wrong bare_keys[] = {
	{"\"image\": 5, \"command\": [\"x\"]", "2:10: \"image\": expected a string, found a number"},
	{"\"image\": null, \"rootfs\": \"srv\", \"command\": [\"x\"]",
		"2:26: \"rootfs\": rootfs \"srv\": must be an absolute path"},
	{"\"image\": null, \"rootfs\": \"/\", \"command\": [\"x\"]",
		"2:26: \"rootfs\": \"/\" is the host's own root; use the image \"host\""},
	{"\"image\": \"\", \"command\": [\"x\"]", "2:10: \"image\": image is empty; \"host\" is the built-in one"},
	{"\"command\": 5, \"image\": \"host\"", "2:12: \"command\": expected an array or a string, found a number"},
	{"\"command\": [1], \"image\": \"host\"", "2:13: expected a string, found a number"},
	{"\"command\": [\"x\", null], \"image\": \"host\"", "2:18: expected a string, found null"},
	{"\"command\": \"a 'b\", \"image\": \"host\"", "2:12: \"command\": a single quote is not closed"},
	{"\"command\": [\"\"], \"image\": \"host\"", "2:13: \"command\": the program's name is empty"},
	{"\"command\": \"a \\\\\", \"image\": \"host\"", "2:12: \"command\": a backslash at the end"},
};
#define INSTANCE_AFTER "\n}}}"

static void expect_wrong(const char *text, const char *message)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *expected = text_format("f.json:%s", message);
	struct fleet_file file;
	struct error err = {0};

	cr_assert(fleet_file_decode(&arena, "f.json", text, strlen(text), &file, &err) < 0, "accepted: %s", text);
	cr_assert(err.kind == ERROR_USAGE, "%s: kind %d", text, err.kind);
	cr_assert(text_equal(err.text, expected), "%s\n  said     %s\n  expected %s", text, err.text, expected);
}

static void expect_all_wrong(const char *before, const struct wrong *rows, size_t count, const char *after)
{
	for (size_t i = 0; i < count; i++) {
		auto_free char *text = text_format("%s%s%s", before, rows[i].text, after);

		expect_wrong(text, rows[i].message);
	}
}

TEST(fleet_file, refuses_wrong_files_with_the_place_and_the_reason)
{
	expect_all_wrong("", whole_files, ARRAY_SIZE(whole_files), "");
}

TEST(fleet_file, refuses_wrong_values_with_the_place_and_the_reason)
{
	expect_all_wrong(INSTANCE_BEFORE, instance_keys, ARRAY_SIZE(instance_keys), INSTANCE_AFTER);
	expect_all_wrong(BARE_BEFORE, bare_keys, ARRAY_SIZE(bare_keys), INSTANCE_AFTER);
}

TEST(fleet_file, refuses_names_of_64_characters)
{
	static const char name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	auto_free char *instance = text_format("{\"version\": 1, \"name\": \"f\", \"instances\": {\n\"%s\": "
					       "{\"image\": \"host\", \"command\": \"x\"}}}",
		name);
	auto_free char *instance_message = text_format("2:1: instance name \"%s\": longer than 63 characters", name);
	auto_free char *replica = text_format("{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
					      "\"%s\": {\"image\": \"host\", \"command\": \"x\", \"replicas\": 1}}}",
		name + 2);
	auto_free char *replica_message =
		text_format("2:1: instance name \"%s-1\": longer than 63 characters", name + 2);
	auto_free char *host_name = text_format(INSTANCE_BEFORE "\"hostname\": \"%s\"" INSTANCE_AFTER, name);
	auto_free char *host_name_message =
		text_format("2:13: \"hostname\": \"%s\" is empty or longer than 63 characters", name);

	expect_wrong(instance, instance_message);
	expect_wrong(replica, replica_message);
	expect_wrong(host_name, host_name_message);
}

TEST(fleet_file, refuses_more_ports_than_one_instance_can_have)
{
	AUTO(text_drop) struct text file = {0};

	text_append(&file, INSTANCE_BEFORE "\"ports\": [\n");
	for (int i = 1; i <= INSTANCE_PORTS_MAX; i++)
		text_appendf(&file, "\"%d:80\",", 8000 + i);
	text_append(&file, "\n\"9000:80\"]" INSTANCE_AFTER);
	expect_wrong(
		text_string(&file), "4:1: \"ports\": 65 ports; at most 64 can be published, and a range counts as one");
}

TEST(fleet_file, refuses_more_instances_than_the_host_has_slots)
{
	expect_wrong("{\"version\": 1, \"name\": \"f\",\n"
		     "\"defaults\": {\"image\": \"host\", \"command\": \"x\", \"replicas\": 4000},\n"
		     "\"instances\": {\"a\": {},\n\"b\": {}}}",
		"4:1: more than 4094 instances in all");
}

TEST(fleet_file, refuses_replicas_that_would_fill_the_memory)
{
	size_t size = 900000;
	auto_free char *filler = malloc(size + 1);

	memset(filler, 'x', size);
	filler[size] = '\0';
	auto_free char *text = text_format("{\"version\": 1, \"name\": \"f\", \"instances\": {\n"
					   "\"a\": {\"image\": \"host\", \"command\": \"x\", \"replicas\": 4000, "
					   "\"environment\": {\"A\": \"%s\"}}}}",
		filler);
	expect_wrong(text, "2:1: with all replicas the file would need more than 256 MiB");
}

TEST(fleet_file, refuses_a_megabyte_and_one_byte_more)
{
	AUTO(arena_drop) struct arena arena = {0};
	static const char right[] = "{\"version\": 1, \"name\": \"f\", \"instances\": {}}";
	size_t size = (size_t)1 << 20;
	auto_free char *text = malloc(size + 1);
	struct fleet_file file;
	struct error err;

	memset(text, ' ', size + 1);
	memcpy(text, right, strlen(right));
	ASSERT_OK(fleet_file_decode(&arena, "f.json", text, size, &file, &err));
	ASSERT_FAILS(fleet_file_decode(&arena, "f.json", text, size + 1, &file, &err), ERROR_USAGE,
		"f.json: larger than 1048576 bytes");
}

/* --- what it means ------------------------------------------------------------------------------------------------ */

static struct fleet_file decoded(struct arena *arena, const char *text)
{
	struct fleet_file file;
	struct error err;

	ASSERT_OK(fleet_file_decode(arena, "/srv/fleet/f.json", text, strlen(text), &file, &err));
	return file;
}

static const struct instance_spec *named(const struct fleet_file *file, const char *name)
{
	for (size_t i = 0; i < file->instances.count; i++)
		if (!strcmp(file->instances.items[i].name, name))
			return &file->instances.items[i];
	cr_assert_fail("no instance %s", name);
	return NULL;
}

TEST(fleet_file, gives_the_documented_defaults)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena,
		"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\", \"command\": \"x\"}}}");
	const struct instance_spec *a = named(&file, "a");

	cr_assert_str_eq(a->fleet, "f");
	cr_assert_str_eq(a->base_name, "a");
	cr_assert(a->index == 0 && a->state == DESIRED_RUNNING && a->autostart && a->priority == 0);
	cr_assert(a->resources.pids.set && a->resources.pids.value == 512 && !a->resources.memory_bytes.set);
	cr_assert_str_eq(a->network, "default");
	cr_assert(
		a->restart.policy == RESTART_ALWAYS && a->restart.delay_ms == 100 && a->restart.max_delay_ms == 60000);
	cr_assert(!a->restart.max_retries.set && a->stop_grace_ms == 10000);
	cr_assert_null(a->stop_signal, "the image's, else TERM");
	cr_assert_str_eq(a->logging.driver, "file");
	cr_assert(a->logging.max_size_bytes == 10 << 20 && a->logging.max_files == 3);
	cr_assert(a->no_new_privileges && !a->read_only && !a->protect && !a->terminal);
	cr_assert_str_eq(a->seccomp, "default");
}

TEST(fleet_file, merges_defaults_below_profiles_below_the_instance)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena,
		"{\"version\": 1, \"name\": \"f\","
		"\"defaults\": {\"image\": \"host\", \"command\": \"x\", \"profiles\": [\"one\"], \"user\": "
		"\"www-data\","
		"               \"resources\": {\"memory\": \"1M\", \"pids\": 1, \"cpus\": 1}, \"tmpfs\": [\"/a\"]},"
		"\"profiles\": {\"one\": {\"resources\": {\"memory\": \"2M\", \"pids\": 2}, \"+tmpfs\": [\"/b\"]},"
		"               \"two\": {\"resources\": {\"memory\": \"3M\"}, \"user\": null}},"
		"\"instances\": {\"a\": {}, \"b\": {\"+profiles\": [\"two\"], \"resources\": {\"memory\": \"4M\"}, "
		"\"+tmpfs\": [\"/c\"]},"
		"                \"c\": {\"profiles\": [\"two\"], \"tmpfs\": []}}}");
	const struct instance_spec *a = named(&file, "a"), *b = named(&file, "b"), *c = named(&file, "c");

	cr_assert(a->resources.memory_bytes.value == 2 << 20 && a->resources.pids.value == 2);
	cr_assert(a->resources.cpus_milli.value == 1000 && a->volumes.count == 2);
	cr_assert_str_eq(a->user, "www-data");
	cr_assert(b->resources.memory_bytes.value == 4 << 20 && b->resources.pids.value == 2 && b->volumes.count == 3);
	cr_assert_str_eq(b->volumes.items[2].target, "/c");
	cr_assert(!b->user);
	cr_assert(c->resources.memory_bytes.value == 3 << 20 && c->resources.pids.value == 1 && c->volumes.count == 0);
}

TEST(fleet_file, has_a_profile_for_instances_that_boot_an_init)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena,
		"{\"version\": 1, \"name\": \"f\", \"defaults\": {\"rootfs\": \"/srv/debian\"},"
		"\"profiles\": {\"small\": {\"resources\": {\"pids\": 200}, \"command\": [\"/sbin/runit\"]}},"
		"\"instances\": {\"a\": {\"profiles\": [\"system\"]}, \"b\": {\"profiles\": [\"system\", \"small\"],"
		"                \"security\": {\"no_new_privileges\": true}}}}");
	const struct instance_spec *a = named(&file, "a"), *b = named(&file, "b");

	cr_assert(a->boot && a->resources.pids.value == 4096 && a->stop_grace_ms == 100000);
	cr_assert_str_eq(a->command.items[0], "/sbin/init");
	cr_assert_str_eq(a->stop_signal, "RTMIN+3");
	cr_assert(!a->no_new_privileges && !a->user);
	cr_assert_str_eq(a->seccomp, "default");
	cr_assert(b->boot && b->resources.pids.value == 200 && b->no_new_privileges);
	cr_assert_str_eq(b->command.items[0], "/sbin/runit");
}

TEST(fleet_file, numbers_replicas_from_one_even_when_there_is_one)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena,
		"{\"version\": 1, \"name\": \"f\", \"defaults\": {\"image\": \"host\", \"command\": \"x\"},"
		"\"instances\": {\"a\": {\"replicas\": 1}, \"b\": {\"replicas\": 3, \"ports\": [\"808${index}:80\"],"
		"\"environment\": {\"WHO\": \"${name} is ${index}, not $${index}\"}}, \"c\": {}}}");

	cr_assert(file.instances.count == 5);
	cr_assert(named(&file, "a-1")->index == 1);
	cr_assert_str_eq(named(&file, "b-3")->base_name, "b");
	cr_assert_str_eq(pairs_get(&named(&file, "b-3")->environment, "WHO"), "b-3 is 3, not ${index}");
	cr_assert(named(&file, "b-2")->ports.items[0].published == 8082);
	cr_assert(named(&file, "c")->index == 0);
}

static enum port_balance balance_of(const struct fleet_file *file, const char *name, size_t port)
{
	return named(file, name)->ports.items[port].balance;
}

TEST(fleet_file, replicas_that_publish_the_same_port_share_it)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena,
		"{\"version\": 1, \"name\": \"f\", \"defaults\": {\"image\": \"host\", \"command\": \"x\"}, "
		"\"instances\": {"
		"\"a\": {\"replicas\": 3, \"weight\": 5, \"ports\": [\"80:80\", \"81${index}:81\", "
		"\"82:82/udp+sticky\"]},"
		"\"one\": {\"replicas\": 1, \"ports\": [\"90:90\"]},"
		"\"b\": {\"ports\": [\"91:91/tcp+balanced\"]}, \"c\": {\"ports\": [\"91:91/tcp+balanced\"]}}}");

	for (size_t i = 0; i < 3; i++) {
		auto_free char *name = text_format("a-%zu", i + 1);

		cr_assert(balance_of(&file, name, 0) == PORT_BALANCED && balance_of(&file, name, 1) == PORT_ALONE);
		cr_assert(balance_of(&file, name, 2) == PORT_STICKY && named(&file, name)->weight == 5);
	}
	cr_assert(balance_of(&file, "b", 0) == PORT_BALANCED && named(&file, "b")->weight == 1);
}

TEST(fleet_file, sorts_by_dependency_then_priority_then_as_written)
{
	static const char *const expected[] = {"early", "d", "db", "late", "site", "front"};
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena,
		"{\"version\": 1, \"name\": \"f\", \"defaults\": {\"image\": \"host\", \"command\": \"x\"}, "
		"\"instances\": {"
		"\"front\": {\"depends_on\": [\"site\"], \"priority\": 1000}, \"site\": {\"depends_on\": {\"db\": {}}},"
		"\"late\": {\"priority\": -1}, \"d\": {}, \"db\": {}, \"early\": {\"priority\": 5}}}");

	cr_assert(file.instances.count == ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		cr_assert_str_eq(file.instances.items[i].name, expected[i]);
}

TEST(fleet_file, takes_sources_relative_to_the_file)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena,
		"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\", \"command\": \"x\","
		"\"env_file\": [\"a.env\", \"/etc/b.env\"], \"configs\": [{\"source\": \"../c\", \"target\": \"/c\"}],"
		"\"secrets\": [{\"source\": \"/etc/key\", \"target\": \"/key\"}]}}}");
	const struct instance_spec *a = named(&file, "a");
	struct error err;

	cr_assert_str_eq(a->env_file.items[0], "/srv/fleet/a.env");
	cr_assert_str_eq(a->env_file.items[1], "/etc/b.env");
	cr_assert_str_eq(a->configs.items[0].source, "/srv/fleet/../c");
	cr_assert(!a->configs.items[0].secret && a->configs.items[1].secret);
	/* The directory need not be there for that; to be applied the files must. */
	ASSERT_OK(instance_spec_check(a, &err));
}

/* The one instance of the file as spec.json has it. */
static char *instance_text(struct arena *arena, const char *keys)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	auto_free char *text = text_format("{\"version\": 1, \"name\": \"f\", \"volumes\": {\"data\": null},"
					   "\"networks\": {\"n\": null}, \"instances\": {\"a\": {%s}}}",
		keys);
	struct fleet_file file = decoded(arena, text);
	size_t length;

	instance_spec_encode(encoder, NULL, named(&file, "a"));
	return encoder_take(encoder, &length);
}

TEST(fleet_file, reads_the_short_and_the_long_form_alike)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *brief = instance_text(&arena,
		"\"image\": \"host\", \"network\": \"n\", \"command\": \"a 'b c'\", \"environment\": [\"A=1\"],"
		"\"ports\": [\"0.0.0.0:80:8080/udp\"], \"volumes\": [\"/srv/x:/x:ro\", \"data:/d\"],"
		"\"tmpfs\": [\"/t:size=1M,mode=0755\"], \"ulimits\": {\"nofile\": \"5:unlimited\", \"nproc\": 7},"
		"\"restart\": \"on-failure\", \"user\": 33, \"depends_on\": []");
	auto_free char *complete = instance_text(&arena,
		"\"image\": \"host\", \"network\": \"n\", \"command\": [\"a\", \"b c\"], \"environment\": {\"A\": 1},"
		"\"ports\": [{\"target\": 8080, \"published\": \"80\", \"host_ip\": \"0.0.0.0\", \"protocol\": "
		"\"udp\"}],"
		"\"volumes\": [{\"type\": \"tmpfs\", \"target\": \"/t\", \"size\": 1048576, \"mode\": \"755\"},"
		"{\"type\": \"bind\", \"source\": \"/srv/x\", \"target\": \"/x\", \"read_only\": true},"
		"{\"type\": \"volume\", \"source\": \"data\", \"target\": \"/d\"}],"
		"\"ulimits\": {\"nofile\": {\"soft\": 5, \"hard\": \"unlimited\"}, \"nproc\": \"7\"},"
		"\"restart\": {\"policy\": \"on-failure\"}, \"user\": \"33\", \"depends_on\": {}");

	cr_assert_str_eq(brief, complete);
}

TEST(fleet_file, warns_of_memory_high_without_swap_once_for_all_replicas)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file =
		decoded(&arena, "{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\", "
				"\"command\": \"x\", \"replicas\": 3,\n"
				"\"resources\": {\"memory\": \"64M\", \"memory_high\": \"32M\", \"swap\": 0}}}}");

	cr_assert(file.warnings.count == 1, "%zu warnings", file.warnings.count);
	cr_assert_str_eq(file.warnings.items[0], "/srv/fleet/f.json:2:14: \"resources\": \"memory_high\" without swap: "
						 "above it the instance is slowed down "
						 "until it stands still");
}

TEST(fleet_file, decodes_networks)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena,
		"{\"version\": 1, \"name\": \"f\", \"networks\": {\"open\": {}, \"shut\": {\"subnet\": "
		"\"10.44.0.0/16\","
		"\"isolated\": true, \"egress\": false, \"allow\": [\"open\", \"default\"]}}, \"instances\": {}}");
	const struct network_spec *open = &file.networks.items[0], *shut = &file.networks.items[1];

	cr_assert(file.networks.count == 2);
	cr_assert(!open->subnet && !open->isolated && open->egress && !open->allow.count);
	cr_assert_str_eq(shut->subnet, "10.44.0.0/16");
	cr_assert(shut->isolated && !shut->egress && shut->allow.count == 2);
}

/* --- the file itself ---------------------------------------------------------------------------------------------- */

struct scratch {
	char path[32];
	char *file;
};

static struct scratch scratch_make(const char *text, mode_t mode)
{
	struct scratch scratch = {.path = "/tmp/warren-test-XXXXXX"};

	cr_assert(mkdtemp(scratch.path));
	scratch.file = text_format("%s/f.json", scratch.path);
	auto_fd fd = open(scratch.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
	return scratch;
}

static void scratch_drop(struct scratch *scratch)
{
	unlink(scratch->file);
	rmdir(scratch->path);
	free(scratch->file);
}

TEST(fleet_file, refuses_a_file_that_everybody_may_write)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(scratch_drop) struct scratch scratch = scratch_make("{}", 0666);
	auto_free char *expected =
		text_format("%s: everybody may write it (mode 0666); run: chmod o-w %s", scratch.file, scratch.file);
	struct fleet_file file;
	struct error err;

	ASSERT_FAILS(fleet_file_read(&arena, scratch.file, &file, &err), ERROR_USAGE, expected);
}

TEST(fleet_file, refuses_what_is_not_a_file)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(scratch_drop) struct scratch scratch = scratch_make("{}", 0600);
	struct fleet_file file;
	struct error err;

	ASSERT_FAILS(fleet_file_read(&arena, scratch.path, &file, &err), ERROR_USAGE, ": not a regular file");
	unlink(scratch.file);
	ASSERT_FAILS(fleet_file_read(&arena, scratch.file, &file, &err), ERROR_MISSING, "f.json: no such file");
	cr_assert(mkfifo(scratch.file, 0600) == 0);
	ASSERT_FAILS(fleet_file_read(&arena, scratch.file, &file, &err), ERROR_USAGE, "f.json: not a regular file");
}

TEST(fleet_file, refuses_sources_that_are_not_there)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(scratch_drop)
	struct scratch scratch = scratch_make(
		"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\", \"command\": \"x\",\n"
		"\"configs\": [{\"content\": \"x\", \"target\": \"/x\"},\n"
		"{\"source\": \"f.json\", \"target\": \"/y\"},\n{\"source\": \"nonesuch\", \"target\": \"/z\"}]}}}",
		0600);
	auto_free char *expected =
		text_format("%s:4:1: \"configs\": %s/nonesuch: no such file", scratch.file, scratch.path);
	struct fleet_file file;
	struct error err;

	ASSERT_FAILS(fleet_file_read(&arena, scratch.file, &file, &err), ERROR_USAGE, expected);
}
