/* The options that `warren image pull` and its like have in common with the program that does it, warren-pull: one
 * table for both, so that what the one takes and explains, the other understands. */
#ifndef WARREN_CLI_IMAGE_PULL_OPTIONS_H
#define WARREN_CLI_IMAGE_PULL_OPTIONS_H

#include "base/options.h"

#define PULL_PROGRAM "warren-pull"

/* One struct for all commands, so that one function turns it into words again. */
struct pull_options {
	const char *store; /* --store and --error-fd are between the two programs */
	struct optional error_fd;
	const char *authfile, *creds, *cert_dir, *tls_verify, *platform, *output, *format, *message, *author;
	const char *lower; /* between the two programs: the directory that is the instance's root */
	struct strings changes;
	struct optional parallel, retries, retry_delay_ms, keep_bytes;
	bool quiet, json, delta;
};

#define PULL_COMMON_OPTIONS                                                                                            \
	OPTION_TEXT("store", 0, "DIR", NULL, struct pull_options, store),                                              \
		OPTION_INTEGER("error-fd", 0, "NUMBER", NULL, struct pull_options, error_fd, 3, 1024),                 \
		OPTION_FLAG("quiet", 'q', "print only digests", struct pull_options, quiet),                           \
		OPTION_FLAG("json", 0, "print JSON", struct pull_options, json)
#define PULL_SOURCE_OPTIONS                                                                                            \
	OPTION_TEXT("platform", 0, "OS/ARCH[/VARIANT]", "not this machine's platform but this one",                    \
		struct pull_options, platform),                                                                        \
		OPTION_INTEGER(                                                                                        \
			"parallel", 0, "NUMBER", "layers at once (default: 3)", struct pull_options, parallel, 1, 16)

static const struct option pull_table[] = {
	PULL_COMMON_OPTIONS,
	PULL_SOURCE_OPTIONS,
	OPTION_TEXT("authfile", 0, "FILE", "credentials, as podman login writes them", struct pull_options, authfile),
	OPTION_TEXT("creds", 0, "USER:PASSWORD", "credentials", struct pull_options, creds),
	OPTION_TEXT("cert-dir", 0, "DIR", "certificates: *.crt, and *.cert with *.key", struct pull_options, cert_dir),
	OPTION_TEXT("tls-verify", 0, "true|false",
		"false: take any certificate, and do without TLS where there is none", struct pull_options, tls_verify),
	OPTION_INTEGER("retry", 0, "NUMBER", "times that a failed request is made again (default: 4)",
		struct pull_options, retries, 0, 100),
	OPTION_DURATION("retry-delay", 0, "TIME", "before the first of these; it doubles (default: 500ms)",
		struct pull_options, retry_delay_ms),
	OPTION_SIZE("keep", 0, "SIZE", "larger layers go on where a killed pull had got to (default: 64M)",
		struct pull_options, keep_bytes),
	END_OF_OPTIONS,
};

static const struct option import_table[] = {
	PULL_COMMON_OPTIONS,
	PULL_SOURCE_OPTIONS,
	END_OF_OPTIONS,
};

static const struct option export_table[] = {
	OPTION_TEXT("store", 0, "DIR", NULL, struct pull_options, store),
	OPTION_TEXT("output", 'o', "FILE", "not standard output but this file", struct pull_options, output),
	OPTION_TEXT("format", 0, "oci-archive|root",
		"an image that others take (the default), or a tarball of its root", struct pull_options, format),
	END_OF_OPTIONS,
};

static const struct option verify_table[] = {
	OPTION_TEXT("store", 0, "DIR", NULL, struct pull_options, store),
	OPTION_FLAG("quiet", 'q', "say only what is damaged", struct pull_options, quiet),
	OPTION_FLAG("json", 0, "print JSON", struct pull_options, json),
	END_OF_OPTIONS,
};

static const struct option commit_table[] = {
	PULL_COMMON_OPTIONS,
	OPTION_TEXT("message", 'm', "TEXT", "for the image's history", struct pull_options, message),
	OPTION_TEXT("author", 'a', "TEXT", "who made the image", struct pull_options, author),
	OPTION_TEXTS("change", 'c', "INSTRUCTION",
		"CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR, as in a Dockerfile",
		struct pull_options, changes),
	END_OF_OPTIONS,
};

static const struct option root_export_table[] = {
	OPTION_TEXT("store", 0, "DIR", NULL, struct pull_options, store),
	OPTION_TEXT("lower", 0, "DIR", NULL, struct pull_options, lower),
	OPTION_TEXT("output", 'o', "FILE", "not standard output but this file", struct pull_options, output),
	OPTION_FLAG("delta", 0, "only what it wrote, as a layer of an image", struct pull_options, delta),
	END_OF_OPTIONS,
};

static const struct option root_diff_table[] = {
	OPTION_TEXT("store", 0, "DIR", NULL, struct pull_options, store),
	OPTION_TEXT("lower", 0, "DIR", NULL, struct pull_options, lower),
	OPTION_FLAG("json", 0, "print JSON", struct pull_options, json),
	END_OF_OPTIONS,
};

/* What both programs' struct command have; `run` is each one's own. */
#define PULL_COMMAND                                                                                                   \
	.name = "pull", .operands = "[options] NAME…", .summary = "fetch images from registries",                      \
	.example = "warren image pull debian:12\nwarren image pull --tls-verify=false localhost:5000/site:7",          \
	.options = pull_table, .options_size = sizeof(struct pull_options), .operands_min = 1,                         \
	.operands_max = SIZE_MAX
#define IMPORT_COMMAND                                                                                                 \
	.name = "import", .operands = "[options] SOURCE NAME",                                                         \
	.summary = "take an image from a layout, an archive, a tarball or a directory",                                \
	.example = "warren image import oci:./layout:12 debian:12\nwarren image import site.tar.zst site:7\n"          \
		   "podman save site | warren image import - site:7",                                                  \
	.options = import_table, .options_size = sizeof(struct pull_options), .operands_min = 2, .operands_max = 2
#define EXPORT_COMMAND                                                                                                 \
	.name = "export", .operands = "[options] NAME", .summary = "write an image into an archive",                   \
	.example = "warren image export -o site.tar site:7\nwarren image export --format root site:7 | tar t",         \
	.options = export_table, .options_size = sizeof(struct pull_options), .operands_min = 1, .operands_max = 1
#define VERIFY_COMMAND                                                                                                 \
	.name = "verify", .operands = "[options] [NAME…]",                                                             \
	.summary = "read images again and say whether they are still what was unpacked",                               \
	.example = "warren image verify\nwarren image verify debian:12", .options = verify_table,                      \
	.options_size = sizeof(struct pull_options), .operands_max = SIZE_MAX
#define COMMIT_COMMAND                                                                                                 \
	.name = "commit", .operands = "[options] INSTANCE IMAGE[:TAG]",                                                \
	.summary = "make an image of an instance: its own, and what it wrote above that",                              \
	.example = "warren commit -m 'with modules' blog blog:2\nwarren commit -c 'CMD [\"nginx\"]' blog blog:3",      \
	.options = commit_table, .options_size = sizeof(struct pull_options), .operands_min = 2, .operands_max = 2
#define ROOT_EXPORT_OPTIONS                                                                                            \
	.operands = "[options] INSTANCE", .summary = "write an instance's root into a tarball",                        \
	.example = "warren export -o blog.tar blog\nwarren export --delta blog | tar t", .options = root_export_table, \
	.options_size = sizeof(struct pull_options), .operands_min = 1, .operands_max = 1
#define ROOT_EXPORT_WORD "export-instance" /* what warren-pull calls it */
#define ROOT_DIFF_OPTIONS                                                                                              \
	.operands = "[options] INSTANCE", .summary = "print what an instance has made of its root",                    \
	.example = "warren diff blog", .options = root_diff_table, .options_size = sizeof(struct pull_options),        \
	.operands_min = 1, .operands_max = 1
#define ROOT_DIFF_WORD "diff-instance"

/* For `warren cp` with an archive: standard input into a staging directory, and one to standard output. */
static const struct option tree_table[] = {
	OPTION_TEXT("store", 0, "DIR", NULL, struct pull_options, store),
	END_OF_OPTIONS,
};
#define TREE_COMMAND                                                                                                   \
	.operands = "STAGING", .options = tree_table, .options_size = sizeof(struct pull_options), .operands_min = 1,  \
	.operands_max = 1
#define TREE_UNPACK_COMMAND                                                                                            \
	.name = "unpack-tree", .summary = "an archive into a staging directory of the store", TREE_COMMAND
#define TREE_PACK_COMMAND .name = "pack-tree", .summary = "a staging directory of the store as an archive", TREE_COMMAND

#endif
