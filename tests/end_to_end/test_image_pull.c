/* warren image pull: from Debian's docker-registry, of images that skopeo has pushed. */
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_registry.h"
#include "tests/test.h"

#define INSECURE "--tls-verify=false"
#define PULL(name) WARREN(&world, "image", "pull", INSECURE, REGISTRY "/" name)
#define RUN_IN(image, ...) WARREN(&world, "run", "--rm", "--network", "none", REGISTRY "/" image, __VA_ARGS__)

#define ASSERT_SAYS(run, text) cr_assert(strstr((run).err, text), "%s", (run).err)

static void push(const char *directory, const char *words)
{
	auto_free char *script = text_format("skopeo copy -q --dest-tls-verify=false %s", words);

	script_run(directory, script);
}

/* By the port that the image exposes, as its users would come. */
static void assert_serves(struct playground *playground, const char *image, const char *expected)
{
	struct playground world = *playground;
	auto_run started = WARREN(&world, "run", "-d", "-P", "--name", "web", image);
	const char *at = strstr(started.err, "published 127.0.0.1:");
	char address[64] = "";

	ASSERT_STATUS(started, 0);
	cr_assert(at && strstr(at, "->8080/tcp\n"), "%s", started.err);
	at += strlen("published ");
	snprintf(address, sizeof(address), "http://%.*s/", (int)strcspn(at, "-"), at);
	auto_run got =
		RUN("curl", "-s", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "-m", "20", address);
	cr_assert_str_eq(got.out, expected, "%s", got.err);
	WARREN_OK(&world, "rm", "-f", "web");
}

TEST(image_pull, images_of_every_make_come_run_and_serve, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();
	const char *directory = world.directory.path;

	images_make(directory);
	auto_registry registry = registry_start(directory, NULL);
	push(directory,
		"--dest-compress-format zstd --dest-compress-level 3 oci:images:single docker://" REGISTRY "/zstd:1");
	push(directory, "oci:images:four docker://" REGISTRY "/site/four:7");
	push(directory, "--format v2s2 oci:images:single docker://" REGISTRY "/docker:1");
	push(directory, "--all oci:images:two docker://" REGISTRY "/two:1");
	{
		auto_run pulled = PULL("site/four:7"), again = PULL("site/four:7");
		auto_run seen = RUN_IN("site/four:7", "/bin/busybox", "sh", "-c",
			"cd /www; echo *; echo keep/*; cat index.html; busybox stat -c %u:%g index.html; echo "
			"$GREETING");

		ASSERT_STATUS(pulled, 0);
		cr_assert(strstr(pulled.out, REGISTRY "/site/four:7  sha256:"), "%s", pulled.out);
		ASSERT_SAYS(pulled, "unpacked");
		ASSERT_STATUS(again, 0);
		cr_assert(strstr(again.out, "(as before)"), "%s", again.out);
		ASSERT_SAYS(again, "is here already");
		ASSERT_STATUS(seen, 0);
		cr_assert_str_eq(
			seen.out, "index.html keep\nkeep/above\nfour\n33:33\nhello\n", "%s%s", seen.out, seen.err);
		assert_serves(&world, REGISTRY "/site/four:7", "four\n");
	}
	{
		auto_run zstd = PULL("zstd:1"), docker = PULL("docker:1"), two = PULL("two:1");
		auto_run seen = RUN_IN("two:1", "/bin/busybox", "cat", "/www/old/file");
		auto_run manifest = RUN("curl", "-s", "-H", "Accept: application/vnd.oci.image.manifest.v1+json",
			"http://" REGISTRY "/v2/zstd/manifests/1");

		cr_assert(strstr(manifest.out, ".tar+zstd\""), "the registry has no zstd: %s", manifest.out);
		ASSERT_STATUS(zstd, 0);
		ASSERT_STATUS(docker, 0);
		ASSERT_STATUS(two, 0);
		ASSERT_STATUS(seen, 0);
		cr_assert_str_eq(seen.out, "gone\n");
	}
	{
		auto_run other =
			WARREN(&world, "image", "pull", INSECURE, "--platform", "linux/s390x", REGISTRY "/two:1");
		auto_run none =
			WARREN(&world, "image", "pull", INSECURE, "--platform", "linux/mips", REGISTRY "/two:1");

		ASSERT_STATUS(other, 0);
		ASSERT_STATUS(none, 3);
		ASSERT_SAYS(none, "no image for linux/mips; there is one for linux/s390x");
	}
}

TEST(image_pull, what_is_not_to_be_had_is_said_in_one_line, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();

	images_make(world.directory.path);
	auto_registry registry = registry_start(world.directory.path, NULL);
	auto_run plain = WARREN(&world, "image", "pull", REGISTRY "/a:1"), missing = PULL("a:1"), bad = PULL("../a");
	auto_run gone = WARREN(&world, "image", "pull", "--retry", "0", INSECURE, "127.0.0.1:5001/a:1");
	auto_run partly = WARREN(&world, "image", "pull", "--tls-verify=perhaps", REGISTRY "/a:1");

	ASSERT_STATUS(plain, 1);
	ASSERT_SAYS(plain, "needs --tls-verify=false");
	ASSERT_STATUS(missing, 3);
	ASSERT_SAYS(missing, "warren: " REGISTRY "/a:1: there is no such image");
	ASSERT_STATUS(bad, 2);
	ASSERT_STATUS(gone, 1);
	ASSERT_SAYS(gone, "Failed to connect");
	ASSERT_STATUS(partly, 2);
	ASSERT_SAYS(partly, "must be true or false");
}

static const char secure_make[] = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
				  "-keyout key.pem -out cert.pem \\\n"
				  "    -subj /CN=registry -addext subjectAltName=IP:127.0.0.1 2>/dev/null\n"
				  "mkdir certs; cp cert.pem certs/ca.crt\n"
				  "htpasswd -Bbn -C 4 me secret > users\n";

TEST(image_pull, a_registry_wants_tls_and_a_password, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();
	const char *directory = world.directory.path;
	auto_free char *certs = text_format("%s/certs", directory), *login = text_format("%s/auth.json", directory);
	auto_free char *settings = text_format("  tls: {certificate: %s/cert.pem, key: %s/key.pem}\n"
					       "auth: {htpasswd: {realm: here, path: %s/users}}\n",
		directory, directory, directory);

	images_make(directory);
	script_run(directory, secure_make);
	auto_registry registry = registry_start(directory, settings);
	push(directory, "--dest-creds me:secret oci:images:single docker://" REGISTRY "/a:1");
	script_run(directory, "skopeo login --tls-verify=false --authfile auth.json -u me -p secret " REGISTRY);

	auto_run unknown = WARREN(&world, "image", "pull", "--creds", "me:secret", REGISTRY "/a:1");
	auto_run nobody = WARREN(&world, "image", "pull", "--cert-dir", certs, REGISTRY "/a:1");
	auto_run wrong = WARREN(&world, "image", "pull", "--cert-dir", certs, "--creds", "me:other", REGISTRY "/a:1");
	auto_run right = WARREN(&world, "image", "pull", "--cert-dir", certs, "--creds", "me:secret", REGISTRY "/a:1");
	auto_run file = WARREN(&world, "image", "pull", "--cert-dir", certs, "--authfile", login, REGISTRY "/a:1");
	auto_run unchecked = WARREN(&world, "image", "pull", INSECURE, "--authfile", login, REGISTRY "/a:1");

	ASSERT_STATUS(unknown, 1);
	ASSERT_SAYS(unknown, "--cert-dir");
	ASSERT_STATUS(nobody, 1);
	ASSERT_SAYS(nobody, "wants a name and a password");
	ASSERT_STATUS(wrong, 1);
	ASSERT_SAYS(wrong, "may not be read");
	ASSERT_STATUS(right, 0);
	ASSERT_STATUS(file, 0);
	ASSERT_STATUS(unchecked, 0);
}

TEST(image_pull, the_host_says_where_short_names_lead, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();
	auto_free char *path = text_format("%s/registries.json", world.directory.path);

	images_make(world.directory.path);
	auto_registry registry = registry_start(world.directory.path, NULL);
	push(world.directory.path, "oci:images:single docker://" REGISTRY "/short:1");
	run_write_file(world.directory.path, "registries.json", 0644,
		"{ \"default\": \"" REGISTRY "\", \"insecure\": [\"" REGISTRY "\"] }");
	setenv("WARREN_REGISTRIES", path, 1);
	auto_run first = WARREN(&world, "run", "--rm", "--network", "none", "short:1", "/bin/busybox", "echo", "here");
	auto_run second =
		WARREN(&world, "run", "--rm", "--network", "none", "short:1", "/bin/busybox", "echo", "again");
	auto_run missing = WARREN(&world, "run", "--rm", "--network", "none", "missing:1", "/bin/busybox", "true");
	auto_run pulled = WARREN(&world, "image", "pull", "-q", "short:1");

	ASSERT_STATUS(first, 0);
	cr_assert_str_eq(first.out, "here\n", "what is fetched on the way is not said on standard output");
	ASSERT_SAYS(first, "unpacked");
	ASSERT_STATUS(second, 0);
	cr_assert_str_eq(second.err, "", "nobody is asked for what is here");
	ASSERT_STATUS(missing, 3);
	ASSERT_SAYS(missing, "there is no such image");
	ASSERT_STATUS(pulled, 0);
	cr_assert(text_starts_with(pulled.out, "sha256:"), "%s", pulled.out);
}
