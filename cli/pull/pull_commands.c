/* The commands pull and import of warren-pull: a source each, and from there on the same way. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "cli/pull/pull.h"
#include "cli/pull/pull_progress.h"
#include "images/pull/registry.h"
#include "images/store/registries.h"

/* --- the result --------------------------------------------------------------------------------------------------- */

static void result_print_json(const char *name, const struct install_result *result)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "name", name);
	encode_string(encoder, "digest", result->digest);
	encode_uint64(encoder, "layers", result->layers);
	encode_uint64(encoder, "layers_fetched", result->layers_fetched);
	encode_uint64(encoder, "bytes_fetched", result->bytes_fetched);
	encode_bool(encoder, "changed", result->changed);
	encode_object_end(encoder);
	encoder_print(encoder, stdout);
}

static void result_print(struct pull *pull, const struct reference *name, const struct install_result *result)
{
	const char *full = reference_full(&pull->arena, name);

	if (pull->options->json)
		result_print_json(full, result);
	else if (pull->options->quiet)
		puts(result->digest);
	else
		printf("%s  %s%s\n", full, result->digest, result->changed ? "" : "  (as before)");
}

int pull_install(struct pull *pull, struct source *source, const struct reference *name,
	const struct platform *platform, struct error *err)
{
	struct progress progress;
	struct install_request request = {.source = source,
		.name = name,
		.platform = platform,
		.parallel = pull->options->parallel.set ? (unsigned)pull->options->parallel.value : 0,
		.progress = &progress.install};
	struct install_result result;
	int installed;

	progress_begin(&progress, stderr, pull->options->quiet || pull->options->json);
	installed = image_install(&pull->store, &pull->unpackers, &request, &pull->arena, &result, err);
	progress_end(&progress);
	source_drop(&source);
	if (installed < 0)
		return -1;
	result_print(pull, name, &result);
	return 0;
}

static int platform_choose(struct pull *pull, struct platform *out, struct error *err)
{
	*out = platform_of_host();
	return pull->options->platform ? platform_parse(&pull->arena, pull->options->platform, out, err) : 0;
}

/* --- pull --------------------------------------------------------------------------------------------------------- */

/* What the options and the host's file say of one registry. */
struct pull_settings {
	struct registries registries;
	bool verify_said, verify;
};

static int verify_parse(const struct pull_options *options, struct pull_settings *out, struct error *err)
{
	const char *text = options->tls_verify;

	out->verify_said = text != NULL;
	out->verify = !text || strcmp(text, "true") == 0;
	if (!text || out->verify || strcmp(text, "false") == 0)
		return 0;
	return fail(err, ERROR_USAGE, "--tls-verify=%.40s: must be true or false", text);
}

static bool is_insecure(const struct pull_settings *settings, const struct reference *reference)
{
	if (settings->verify_said)
		return !settings->verify;
	return strings_contain(&settings->registries.insecure, reference->registry);
}

static int registry_options_make(struct pull *pull, const struct reference *reference,
	const struct pull_settings *settings, struct registry_options *out, struct error *err)
{
	const struct pull_options *options = pull->options;

	*out = (struct registry_options){.policy = RETRY_DEFAULT,
		.may_be_plain = is_insecure(settings, reference),
		.keep_bytes = options->keep_bytes.set ? options->keep_bytes.value : REGISTRY_KEEP_BYTES};
	if (options->retries.set)
		out->policy.attempts = (unsigned)options->retries.value + 1;
	if (options->retry_delay_ms.set)
		out->policy.base_ms = options->retry_delay_ms.value;
	if (platform_choose(pull, &out->platform, err) < 0)
		return -1;
	if (options->creds)
		return credentials_parse(&pull->arena, options->creds, &out->credentials, err) < 0
			       ? blame(err, "--creds")
			       : 0;
	return credentials_find(&pull->arena, reference, options->authfile, &out->credentials, err);
}

static int image_pull(struct pull *pull, const char *text, const struct pull_settings *settings, struct error *err)
{
	struct registry_options options;
	struct reference reference;
	struct http http;
	int result;

	if (reference_parse(&pull->arena, text, settings->registries.home, &reference, err) < 0 ||
		registry_options_make(pull, &reference, settings, &options, err) < 0 ||
		http_open(&http, pull->options->cert_dir, options.may_be_plain, err) < 0)
		return -1;
	result = pull_install(
		pull, source_open_registry(&http, &reference, &options), &reference, &options.platform, err);
	http_close(&http);
	return result;
}

int pull_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct pull *pull = context;
	struct pull_settings settings = {0};

	if (verify_parse(options, &settings, err) < 0 || pull_begin(pull, options, err) < 0 ||
		registries_read(&pull->arena, &settings.registries, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (image_pull(pull, operands[i], &settings, err) < 0)
			return -1;
	return 0;
}

int new_name_resolve(struct arena *arena, const char *text, struct reference *out, struct error *err)
{
	if (reference_resolve(arena, text, out, err) < 0)
		return -1;
	return out->digest ? fail(err, ERROR_USAGE, "image name \"%s\": a digest follows from the content; give a tag",
				     text)
			   : 0;
}

/* --- import ------------------------------------------------------------------------------------------------------- */

int import_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct pull *pull = context;
	struct platform platform;
	struct reference name;
	struct source *source;

	(void)count; /* two, as the table of commands says */
	if (new_name_resolve(&pull->arena, operands[1], &name, err) < 0)
		return -1;
	if (pull_begin(pull, options, err) < 0 || platform_choose(pull, &platform, err) < 0)
		return -1;
	source = source_open_local(operands[0], &platform, err);
	return source ? pull_install(pull, source, &name, &platform, err) : -1;
}
