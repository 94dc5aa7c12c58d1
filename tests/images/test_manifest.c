/* images/store/manifest.c, media.c and image_details.c: the documents of an image, as they are and as they must not be.
 */
#include "images/store/manifest.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "tests/test.h"

#define DIGITS(digit) "sha256:" digit digit digit digit
#define A16 "aaaaaaaaaaaaaaaa"
#define B16 "bbbbbbbbbbbbbbbb"
#define C16 "cccccccccccccccc"
#define DIGEST_A DIGITS(A16)
#define DIGEST_B DIGITS(B16)
#define DIGEST_C DIGITS(C16)
#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."
#define OCI_LAYER OCI "layer.v1.tar+gzip"
#define ENTRY(type, digest, more) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":7" more "}"
#define PLATFORM(os, arch, more) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" more "}"
#define VARIANT(name) ",\"variant\":\"" name "\""
#define CONFIG ENTRY(OCI "config.v1+json", DIGEST_A, "")
#define MANIFEST(layers) "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" layers "]}"
#define INDEX(entries) "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

static int decode(
	struct arena *arena, const char *text, const char *media_type, struct manifest_document *out, struct error *err)
{
	return manifest_decode(arena, "manifest", text, strlen(text), media_type, out, err);
}

/* --- manifests ---------------------------------------------------------------------------------------------------- */

TEST(manifest, a_manifest_of_either_family_is_read)
{
	static const char *const documents[][2] = {
		{MANIFEST(ENTRY(OCI_LAYER, DIGEST_B, "") "," ENTRY(OCI "layer.v1.tar+zstd", DIGEST_C, "")), NULL},
		{"{\"schemaVersion\":2,\"mediaType\":\"" DOCKER
		 "distribution.manifest.v2+json\",\"config\":" ENTRY(DOCKER "container.image.v1+json", DIGEST_A,
			 "") ",\"layers\":[" ENTRY(DOCKER "image.rootfs.diff.tar.gzip", DIGEST_B, "") "," ENTRY(DOCKER
			 "image.rootfs.foreign.diff.tar.gzip",
			 DIGEST_C, ",\"urls\":[\"http://other/\"]") "]}",
			DOCKER "distribution.manifest.v2+json; charset=utf-8"},
		{"{\"schemaVersion\":2,\"unknown\":[{}],\"artifactType\":\"x/y\",\"annotations\":null,"
		 "\"subject\":null,\"config\":" CONFIG ",\"layers\":[" ENTRY(
			 OCI_LAYER, DIGEST_B, ",\"data\":\"eA==\"") "," ENTRY(OCI "layer.v1.tar", DIGEST_C, "") "]}",
			"text/plain"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct manifest_document document;
		struct error err;

		ASSERT_OK(decode(&arena, documents[i][0], documents[i][1], &document, &err));
		cr_assert_eq(document.kind, MEDIA_MANIFEST);
		cr_assert_str_eq(document.manifest.config.digest, DIGEST_A);
		cr_assert_eq(document.manifest.layers.count, 2);
		cr_assert_str_eq(document.manifest.layers.items[1].digest, DIGEST_C);
		cr_assert_eq(document.manifest.layers.items[1].size, 7);
	}
}

TEST(manifest, what_is_required_and_missing_or_wrong_is_named)
{
	static const struct {
		const char *text, *media_type, *says;
	} cases[] = {
		{"", NULL, "manifest:1"},
		{"[]", NULL, "neither a manifest"},
		{"null", NULL, "neither a manifest"},
		{"{}", NULL, "neither a manifest"},
		{"{\"schemaVersion\":2}", NULL, "neither a manifest"},
		{"{\"config\":" CONFIG ",\"layers\":[]}", NULL, "schemaVersion"},
		{"{\"schemaVersion\":3,\"config\":" CONFIG ",\"layers\":[]}", NULL, "schemaVersion"},
		{"{\"schemaVersion\":\"2\",\"config\":" CONFIG ",\"layers\":[]}", NULL, "schemaVersion"},
		{"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, "schema 1"},
		{MANIFEST(""), DOCKER "distribution.manifest.v1+prettyjws", "schema 1"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG "}", NULL, "\"layers\""},
		{"{\"schemaVersion\":2,\"layers\":[]}", NULL, "\"config\""},
		{"{\"schemaVersion\":2,\"config\":{},\"layers\":[]}", NULL, "mediaType"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":{}}", NULL, "expected an array"},
		{MANIFEST("{\"digest\":\"" DIGEST_B "\",\"size\":1}"), NULL, "mediaType"},
		{MANIFEST("{\"mediaType\":\"x\",\"size\":1}"), NULL, "digest"},
		{MANIFEST("{\"mediaType\":\"x\",\"digest\":\"" DIGEST_B "\"}"), NULL, "size"},
		{MANIFEST("{\"mediaType\":\"x\",\"digest\":\"" DIGEST_B "\",\"size\":-1}"), NULL, "size"},
		{MANIFEST("{\"mediaType\":\"x\",\"digest\":\"" DIGEST_B "\",\"size\":1e3}"), NULL, "size"},
		{MANIFEST("{\"mediaType\":\"x\",\"digest\":\"" DIGEST_B "\",\"size\":9223372036854775807}"), NULL,
			"size"},
		{MANIFEST(ENTRY("x", "sha256:../../etc/passwd", "")), NULL, "64 lower-case hexadecimal"},
		{MANIFEST(ENTRY("x", "sha256:abc", "")), NULL, "64 lower-case hexadecimal"},
		{MANIFEST(ENTRY("x", "sha512:" A16 A16 A16 A16, "")), NULL, "64 lower-case hexadecimal"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"config\":" CONFIG ",\"layers\":[]}", NULL,
			"repeated key"},
		{"{\"schemaVersion\":2,\"manifests\":[],\"config\":" CONFIG ",\"layers\":[]}", NULL,
			"both a manifest and an index"},
		{"{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", NULL, "both a manifest and an index"},
		{MANIFEST(""), OCI "index.v1+json", "but it is a manifest"},
		{INDEX(""), DOCKER "distribution.manifest.v2+json", "but it is an index"},
		{"{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\",\"manifests\":[]}", NULL,
			"its own \"mediaType\""},
		{MANIFEST("") "x", NULL, "manifest:1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct manifest_document document;
		struct error err;

		ASSERT_FAILS(decode(&arena, cases[i].text, cases[i].media_type, &document, &err), ERROR_USAGE,
			cases[i].says);
	}
}

static const char *manifest_of(struct arena *arena, size_t layers)
{
	struct text text AUTO(text_drop) = {0};

	for (size_t i = 0; i < layers; i++)
		text_appendf(&text, "%s%s", i ? "," : "", ENTRY(OCI_LAYER, DIGEST_B, ""));
	return arena_format(arena, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}", CONFIG, text_string(&text));
}

TEST(manifest, so_many_layers_as_can_be_mounted_and_no_more)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct manifest_document document;
	struct error err;

	ASSERT_OK(decode(&arena, manifest_of(&arena, MANIFEST_LAYERS_MAX), NULL, &document, &err));
	ASSERT_FAILS(decode(&arena, manifest_of(&arena, MANIFEST_LAYERS_MAX + 1), NULL, &document, &err), ERROR_USAGE,
		"481 layers");
}

/* --- indexes ------------------------------------------------------------------------------------------------------ */

#define IMAGE OCI "manifest.v1+json"

TEST(manifest, the_best_fitting_platform_of_an_index_is_chosen)
{
	static const char entries[] =
		INDEX(ENTRY("application/vnd.in-toto+json", DIGEST_A, PLATFORM("linux", "amd64", "")) "," ENTRY(
			IMAGE, DIGEST_C, PLATFORM("unknown", "unknown", "")) "," ENTRY(IMAGE, "sha256:" A16 A16 A16 B16,
			PLATFORM("windows", "amd64", ",\"os.version\":\"10\"")) "," ENTRY(IMAGE,
			"sha256:" A16 A16 A16 C16, PLATFORM("linux", "amd64", VARIANT("v3"))) "," ENTRY(IMAGE, DIGEST_B,
			PLATFORM("linux", "amd64", "")) "," ENTRY(IMAGE, DIGEST_A,
			PLATFORM("linux", "amd64", "")) "," ENTRY(IMAGE, "sha256:" B16 B16 B16 A16,
			PLATFORM("linux", "arm", VARIANT("v5"))) "," ENTRY(IMAGE, "sha256:" B16 B16 A16 A16,
			PLATFORM("linux", "arm", VARIANT("v6"))) "," ENTRY(IMAGE, "sha256:" C16 C16 C16 A16,
			PLATFORM("linux", "arm64", VARIANT("v8"))) "," ENTRY("x/y", DIGEST_C, ""));
	static const char *const wanted[][2] = {
		{"linux/amd64", DIGEST_B},
		{"linux/amd64/v2", DIGEST_B},
		{"linux/amd64/v3", "sha256:" A16 A16 A16 C16},
		{"linux/arm/v7", "sha256:" B16 B16 A16 A16},
		{"arm", "sha256:" B16 B16 A16 A16},
		{"linux/arm/v5", "sha256:" B16 B16 B16 A16},
		{"linux/arm64", "sha256:" C16 C16 C16 A16},
		{"linux/arm64/v8", "sha256:" C16 C16 C16 A16},
		{"linux/arm64/v9", "sha256:" C16 C16 C16 A16},
	};
	AUTO(arena_drop) struct arena arena = {0};
	struct manifest_document document;
	struct platform platform;
	struct error err;

	ASSERT_OK(decode(&arena, entries, OCI "index.v1+json", &document, &err));
	cr_assert_eq(document.kind, MEDIA_INDEX);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct descriptor *chosen;

		ASSERT_OK(platform_parse(&arena, wanted[i][0], &platform, &err));
		chosen = index_choose(&arena, &document.index, &platform, &err);
		cr_assert(chosen, "%s: %s", wanted[i][0], err.text);
		cr_assert_str_eq(chosen->digest, wanted[i][1], "%s: %s", wanted[i][0], chosen->digest);
	}
	ASSERT_OK(platform_parse(&arena, "linux/arm/v4", &platform, &err));
	cr_assert_null(index_choose(&arena, &document.index, &platform, &err));
	ASSERT_OK(platform_parse(&arena, "riscv64", &platform, &err));
	cr_assert_null(index_choose(&arena, &document.index, &platform, &err));
	cr_assert_eq(err.kind, ERROR_MISSING);
	cr_assert_str_eq(err.text,
		"no image for linux/riscv64; there is one for windows/amd64, linux/amd64/v3, linux/amd64, "
		"linux/amd64, linux/arm/v5, linux/arm/v6, linux/arm64/v8");
}

TEST(manifest, an_entry_without_a_platform_is_taken_when_it_is_the_only_one)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct manifest_document document;
	struct platform platform = platform_of_host();
	struct error err;

	ASSERT_OK(decode(
		&arena, INDEX(ENTRY("x/y", DIGEST_A, "") "," ENTRY(IMAGE, DIGEST_B, "")), NULL, &document, &err));
	cr_assert_str_eq(index_choose(&arena, &document.index, &platform, &err)->digest, DIGEST_B);
	ASSERT_OK(decode(
		&arena, INDEX(ENTRY(IMAGE, DIGEST_A, "") "," ENTRY(IMAGE, DIGEST_B, "")), NULL, &document, &err));
	cr_assert_null(index_choose(&arena, &document.index, &platform, &err));
	cr_assert(strstr(err.text, "the index names no platform"), "%s", err.text);
	ASSERT_OK(decode(&arena, INDEX(""), NULL, &document, &err));
	cr_assert_null(index_choose(&arena, &document.index, &platform, &err));
}

TEST(manifest, a_platform_is_three_plain_words)
{
	static const char *const bad[] = {"", "/", "linux/", "linux/a/b/c", "linux/a b", "linux/../x", "windows/amd64"};
	AUTO(arena_drop) struct arena arena = {0};
	struct platform platform;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ASSERT_FAILS(platform_parse(&arena, bad[i], &platform, &err), ERROR_USAGE, "platform");
	ASSERT_OK(platform_parse(&arena, "linux/arm/v7", &platform, &err));
	cr_assert_str_eq(platform_format(&arena, &platform), "linux/arm/v7");
}

/* --- configs ------------------------------------------------------------------------------------------------------ */

#define ROOTFS(ids) "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" ids "]}"
#define DETAILS(more) "{\"architecture\":\"amd64\",\"os\":\"linux\"," ROOTFS("\"" DIGEST_B "\"") more "}"

static int decode_details(struct arena *arena, const char *text, struct image_details *out, struct error *err)
{
	return image_details_decode(arena, "config", text, strlen(text), out, err);
}

TEST(manifest, a_config_says_what_to_run)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_details details;
	struct error err;

	ASSERT_OK(decode_details(&arena,
		DETAILS(",\"config\":{\"Entrypoint\":[\"/e\",\"x\"],\"Cmd\":\"word\",\"Env\":[\"A=1\",\"B\",\"C=\"],"
			"\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}},\"Volumes\":{\"/"
			"data\":{}},\"User\":\"www:www\","
			"\"WorkingDir\":\"/srv\",\"StopSignal\":\"SIGQUIT\",\"Labels\":{\"a\":\"b\"},\"OnBuild\":null,"
			"\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5000000000,\"Retries\":3},"
			"\"ArgsEscaped\":true},\"history\":[{\"empty_layer\":true}],\"variant\":\"v2\""),
		&details, &err));
	cr_assert_eq(details.entrypoint.count, 2);
	cr_assert_str_eq(details.command.items[0], "word");
	cr_assert_eq(details.environment.count, 2, "a bare name is passed over");
	cr_assert_str_eq(details.environment.items[1], "C=");
	cr_assert_str_eq(details.exposed_ports.items[1], "53/udp");
	cr_assert_str_eq(details.volumes.items[0], "/data");
	cr_assert_str_eq(details.user, "www:www");
	cr_assert_str_eq(details.working_dir, "/srv");
	cr_assert_str_eq(details.stop_signal, "SIGQUIT");
	cr_assert_str_eq(pairs_get(&details.labels, "a"), "b");
	cr_assert_eq(details.health->interval_ns, 5000000000);
	cr_assert_eq(details.health->retries, 3);
	cr_assert_str_eq(details.platform.variant, "v2");
	cr_assert_str_eq(details.diff_ids.items[0], DIGEST_B);
}

TEST(manifest, of_a_config_nearly_everything_may_be_missing)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_details details;
	struct error err;

	ASSERT_OK(decode_details(&arena, DETAILS(""), &details, &err));
	ASSERT_OK(decode_details(&arena, DETAILS(",\"config\":null"), &details, &err));
	ASSERT_OK(decode_details(&arena,
		DETAILS(",\"config\":{\"Cmd\":null,\"Env\":null,\"Volumes\":null,\"Labels\":null,\"Entrypoint\":null}"),
		&details, &err));
	cr_assert_eq(details.command.count, 0);
	cr_assert_null(details.health);
}

TEST(manifest, a_config_without_what_it_must_have_is_refused_by_name)
{
	static const char *const cases[][2] = {
		{"{\"os\":\"linux\"," ROOTFS("") "}", "\"architecture\""},
		{"{\"architecture\":\"amd64\"," ROOTFS("") "}", "\"os\""},
		{"{\"os\":\"linux\",\"architecture\":\"amd64\"}", "\"rootfs\""},
		{"{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\"}}", "\"diff_ids\""},
		{"{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"x\",\"diff_ids\":[]}}",
			"must be \"layers\""},
		{"{\"os\":\"linux\",\"architecture\":\"amd64\"," ROOTFS("\"sha256:x\"") "}", "64 lower-case"},
		{DETAILS(",\"config\":[]"), "expected an object"},
		{DETAILS(",\"config\":{\"Env\":\"A=1\"}"), "expected an array"},
		{DETAILS(",\"config\":{\"Env\":[1]}"), "expected a string"},
		{DETAILS(",\"config\":{\"Cmd\":1}"), "expected an array"},
		{DETAILS(",\"config\":{\"Volumes\":[\"/x\"]}"), "expected an object"},
		{DETAILS(",\"config\":{\"User\":0}"), "expected a string"},
		{DETAILS(",\"config\":{\"User\":\"a\\u0000b\"}"), "config:1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct image_details details;
		struct error err;

		ASSERT_FAILS(decode_details(&arena, cases[i][0], &details, &err), ERROR_USAGE, cases[i][1]);
	}
}

/* --- together ----------------------------------------------------------------------------------------------------- */

static int join(
	struct arena *arena, const char *manifest, const char *ids, struct image_layers *layers, struct error *err)
{
	struct manifest_document document;
	struct image_details details;
	const char *config = arena_format(arena,
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
		ids);

	log_setup("test", LOG_ERROR, LOG_TEXT, STDERR_FILENO);
	if (decode(arena, manifest, NULL, &document, err) < 0 || decode_details(arena, config, &details, err) < 0)
		return -1;
	return image_layers_join(arena, "it", &document.manifest, &details, layers, err);
}

TEST(manifest, layers_of_unknown_types_are_passed_over_with_or_without_a_diff_id)
{
	static const char manifest[] = MANIFEST(ENTRY(OCI_LAYER, DIGEST_A, "") "," ENTRY(
		"application/x-odd", DIGEST_B, "") "," ENTRY(OCI_LAYER, DIGEST_C, ""));
	static const char *const ids[] = {
		"\"" DIGEST_A "\",\"" DIGEST_C "\"", "\"" DIGEST_A "\",\"" DIGEST_B "\",\"" DIGEST_C "\""};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct image_layers layers;
		struct error err;

		ASSERT_OK(join(&arena, manifest, ids[i], &layers, &err));
		cr_assert_eq(layers.count, 2);
		cr_assert_str_eq(layers.items[1].blob->digest, DIGEST_C);
		cr_assert_str_eq(layers.items[1].diff_id, DIGEST_C);
	}
}

TEST(manifest, layers_and_diff_ids_must_agree_in_number)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_layers layers;
	struct error err;

	ASSERT_FAILS(join(&arena, MANIFEST(ENTRY(OCI_LAYER, DIGEST_A, "")), "", &layers, &err), ERROR_USAGE,
		"the manifest has 1 layers, the config 0");
	ASSERT_FAILS(
		join(&arena, MANIFEST(""), "\"" DIGEST_A "\"", &layers, &err), ERROR_USAGE, "0 layers, the config 1");
}

TEST(manifest, what_is_no_image_and_what_is_encrypted_is_refused_by_its_type)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_layers layers;
	struct error err;

	ASSERT_FAILS(join(&arena, MANIFEST(ENTRY(OCI "layer.v1.tar+gzip+encrypted", DIGEST_A, "")), "\"" DIGEST_A "\"",
			     &layers, &err),
		ERROR_USAGE, "layers[0] is encrypted");
	ASSERT_FAILS(join(&arena,
			     "{\"schemaVersion\":2,\"config\":" ENTRY(
				     "application/vnd.cncf.helm.config.v1+json", DIGEST_A, "") ",\"layers\":[]}",
			     "", &layers, &err),
		ERROR_USAGE, "no image of a container: its config is of the type \"application/vnd.cncf.helm");
}
