/* A bundle of a static busybox with a state root of its own, for tests of `warren-oci`. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_BUNDLE_H
#define WARREN_TESTS_END_TO_END_SUPPORT_BUNDLE_H

#include "base/text.h"
#include "tests/end_to_end/support_run.h"

struct bundle {
	struct run_directory directory; /* holds bundle/ and state/ */
	char path[96], state[96];
	char id[32]; /* a container id that no other test uses */
};

/* What a config.json says beyond the plain one; NULL: nothing more. Texts are JSON members ("\"a\": 1, \"b\": 2"). */
struct bundle_config {
	const char *script;	/* for busybox sh -c; NULL: args */
	const char *args;	/* JSON array */
	const char *process;	/* members of process; may hold "cwd" when no_cwd */
	const char *root;	/* further members of root */
	const char *mounts;	/* further mounts, JSON objects */
	const char *namespaces; /* JSON array; NULL: all new but user and time */
	const char *system;	/* members of linux */
	const char *top;	/* members of the whole */
	bool no_cwd;
};

struct bundle bundle_new(void);
/* Kills and deletes the container if it is still there, then removes all. */
void bundle_drop(struct bundle *bundle);
#define auto_bundle AUTO(bundle_drop) struct bundle

void bundle_write(struct bundle *bundle, const struct bundle_config *config);
#define BUNDLE_WRITE(bundle, ...) bundle_write(bundle, &(struct bundle_config){__VA_ARGS__})

/* warren-oci --root STATE words…; "ID" stands for the bundle's id, run in the bundle's directory. */
struct run_result bundle_oci(struct bundle *bundle, const char *const words[], const struct run_options *options);
#define OCI(bundle, ...) bundle_oci(bundle, (const char *const[]){__VA_ARGS__, NULL}, NULL)

/* Cgroup v2 alone, at its usual place. */
bool host_is_v2(void);
/* Number of cgroup directories of that id in all hierarchies, and of lines in our mountinfo. */
int bundle_cgroups(const struct bundle *bundle);
int host_mount_count(void);

#endif
