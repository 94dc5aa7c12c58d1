/* warren image import: the same image in every wrapping that other tools make of it. */
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_registry.h"
#include "tests/test.h"

/* What the playground sees of the images `four` and `single`. */
#define FOUR "index.html keep\nkeep/above\nfour\n"
#define BASE "index.html keep old\nkeep/below\nzero\n"

static const char wrap[] =
	"skopeo copy -q oci:images:four oci-archive:four.oci.tar\n"
	"skopeo copy -q oci:images:four docker-archive:four.docker.tar:site/four:7\n"
	"tar -C base -cf base.tar . ; zstd -q base.tar -o base.tar.zst; gzip -k base.tar; xz -k -0 base.tar\n"
	"mkdir two-level; tar -C base -cf - . | tar -C two-level -xf -\n";

static const char *path_of(struct playground *world, const char *name)
{
	const char *colon = strchr(name, ':');

	if (!colon)
		return arena_format(&world->arena, "%s/%s", world->directory.path, name);
	return arena_format(
		&world->arena, "%.*s%s/%s", (int)(colon + 1 - name), name, world->directory.path, colon + 1);
}

static void assert_imports(struct playground *playground, const char *source, const char *expected)
{
	struct playground world = *playground;
	auto_run imported = WARREN(&world, "image", "import", path_of(playground, source), "imported:1");
	auto_run seen = WARREN(&world, "run", "--rm", "--network", "none", "imported:1", "/bin/busybox", "sh", "-c",
		"cd /www; echo *; echo keep/*; cat index.html");

	cr_assert(imported.status == 0, "%s: status %d: %s%s", source, imported.status, imported.out, imported.err);
	cr_assert(seen.status == 0, "%s: status %d: %s", source, seen.status, seen.err);
	cr_assert_str_eq(seen.out, expected, "%s: %s", source, seen.out);
	WARREN_OK(&world, "image", "rm", "imported:1");
}

TEST(image_import, layouts_archives_tarballs_and_directories_are_the_same_image, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	static const struct {
		const char *source, *expected;
		bool every_day; /* each takes its second */
	} cases[] = {
		{"oci:images:four", FOUR, true},
		{"oci-archive:four.oci.tar", FOUR, false},
		{"four.oci.tar", FOUR, false},
		{"docker-archive:four.docker.tar", FOUR, false},
		{"four.docker.tar", FOUR, true},
		{"tar:base.tar", BASE, false},
		{"base.tar", BASE, false},
		{"base.tar.gz", BASE, false},
		{"base.tar.zst", BASE, true},
		{"base.tar.xz", BASE, true},
		{"dir:base", BASE, false},
		{"two-level", BASE, true},
	};
	auto_playground world = playground_new();

	images_make(world.directory.path);
	script_run(world.directory.path, wrap);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (cases[i].every_day || getenv("WARREN_TEST_ALL_POINTS"))
			assert_imports(&world, cases[i].source, cases[i].expected);
}

static const char podman_save[] = "podman='podman --root storage/root --runroot storage/run --storage-driver vfs'\n"
				  "skopeo copy -q oci:images:four docker-archive:in.tar:localhost/four:7\n"
				  "$podman load -q -i in.tar >/dev/null\n"
				  "$podman save -q -o saved.docker.tar localhost/four:7\n"
				  "$podman save -q --format oci-archive -o saved.oci.tar localhost/four:7\n";

TEST(image_import, what_podman_saves_is_taken, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();
	auto_run podman = RUN("sh", "-c", "command -v podman");

	SKIP_UNLESS(podman.status == 0, "needs podman");
	images_make(world.directory.path);
	script_run(world.directory.path, podman_save);
	assert_imports(&world, "saved.docker.tar", FOUR);
	assert_imports(&world, "saved.oci.tar", FOUR);
}

/* Unknown keys everywhere, a layer that is none, and nothing of what may be missing. */
static const char oddities[] =
	"blob() { hex=$(sha256sum \"$1\" | cut -d' ' -f1); size=$(stat -c %s \"$1\"); cp \"$1\" "
	"\"odd/blobs/sha256/$hex\"; }\n"
	"skopeo copy -q oci:images:single oci:odd:one\n"
	"manifest=$(jq -r '.manifests[0].digest' odd/index.json | cut -d: -f2)\n"
	"echo data > data; blob data\n"
	"jq -c --arg digest \"sha256:$hex\" '.subject = null | .artifactType = \"x/y\" | .extra = [{}] |\n"
	"    .layers[0].annotations = {\"a\": \"b\"} | .layers[0].data = \"eA==\" |\n"
	"    .layers += [{mediaType: \"application/x-odd\", digest: $digest, size: 5}]' \\\n"
	"    \"odd/blobs/sha256/$manifest\" > manifest; blob manifest\n"
	"printf '{\"schemaVersion\":2,\"unknown\":true,\"manifests\":[{\"mediaType\":\n"
	"    \"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%s}]}' \"$hex\" "
	"\"$size\" > odd/index.json\n"
	"mkdir artifact; cp -r odd/. artifact\n"
	"jq -c '.config.mediaType = \"application/vnd.cncf.helm.config.v1+json\"' manifest > helm; blob helm\n"
	"cp \"odd/blobs/sha256/$hex\" artifact/blobs/sha256/\n"
	"jq -c --arg digest \"sha256:$hex\" --argjson size \"$size\" '.manifests[0].digest = $digest | "
	".manifests[0].size = $size' \\\n"
	"    odd/index.json > artifact/index.json\n";

TEST(image_import, odd_things_are_passed_over_and_what_is_no_image_is_named, .fini = playground_rescue,
	.timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();

	images_make(world.directory.path);
	script_run(world.directory.path, oddities);
	auto_run odd = WARREN(&world, "image", "import", path_of(&world, "oci:odd"), "odd:1");
	auto_run helm = WARREN(&world, "image", "import", path_of(&world, "oci:artifact"), "helm:1");

	ASSERT_STATUS(odd, 0);
	cr_assert(strstr(odd.err, "layers[1] is passed over: \"application/x-odd\""), "%s", odd.err);
	ASSERT_STATUS(helm, 2);
	cr_assert(strstr(helm.err, "its config is of the type \"application/vnd.cncf.helm.config"), "%s", helm.err);
}
