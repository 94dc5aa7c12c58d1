/* A whole config.json of few pieces, and what it becomes. */
#ifndef WARREN_TESTS_SUPPORT_CONFIG_H
#define WARREN_TESTS_SUPPORT_CONFIG_H

#include "base/arena.h"
#include "base/error.h"
#include "runtime/spec.h"

/* Each the default when NULL. */
struct pieces {
	const char *top, *process, *root, *system;
};

const char *config_text(struct arena *arena, const struct pieces *pieces);
/* Of the bundle /bundle. */
MUST_CHECK int config_decode(struct arena *arena, const struct pieces *pieces, struct spec *spec, struct error *err);
MUST_CHECK int config_decode_text(
	struct arena *arena, const char *text, size_t length, struct spec *spec, struct error *err);

#define NAMESPACES "\"namespaces\": [{\"type\": \"mount\"}]"
#define OWN_USERS                                                                                                      \
	"\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"user\"}],"                                               \
	"\"uidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}],"                                \
	"\"gidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}]"
#define PROCESS(more) "{\"args\": [\"/bin/true\"], \"cwd\": \"/\", " more "}"
#define LINUX(more) "{" NAMESPACES ", " more "}"
#define RESOURCES(more) LINUX("\"resources\": {" more "}")
#define MOUNT(more) "\"ociVersion\": \"1.0.2\", \"mounts\": [{\"destination\": \"/x\", " more "}]"
#define SECCOMP(more) LINUX("\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ERRNO\", " more "}")

#endif
