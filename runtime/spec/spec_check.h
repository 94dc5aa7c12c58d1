/* The rows of spec_check(), by subject. Each is checked before anything is made; the texts name the member of
 * config.json. Private to this part. */
#ifndef WARREN_RUNTIME_SPEC_CHECK_H
#define WARREN_RUNTIME_SPEC_CHECK_H

#include "base/error.h"
#include "runtime/spec.h"

typedef int spec_checker(const struct spec *spec, struct error *err);
MUST_CHECK int spec_check_rows(spec_checker *const *rows, size_t count, const struct spec *spec, struct error *err);

/* A namespace that is not the host's. */
bool spec_namespace_is_own(const struct spec *spec, enum spec_namespace ns);

/* Absolute, no component "..", no control characters. */
MUST_CHECK int spec_path_check(const char *what, const char *path, struct error *err);
/* Each is NAME=value. */
MUST_CHECK int spec_variables_check(const char *key, const struct strings *env, struct error *err);

/* spec_check_process.c: all of `process`. */
MUST_CHECK int spec_check_process(const struct spec *spec, struct error *err);
/* spec_check_namespaces.c: namespaces, and what is set in them: id maps, names, kernel parameters. */
MUST_CHECK int spec_check_namespaces(const struct spec *spec, struct error *err);
MUST_CHECK int spec_check_sysctls(const struct spec *spec, struct error *err);
/* spec_check_files.c: mounts, devices, masked paths. */
MUST_CHECK int spec_check_files(const struct spec *spec, struct error *err);

#endif
