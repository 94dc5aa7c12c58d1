/* Kernel parameters of the container's own namespaces. */
#ifndef WARREN_RUNTIME_SYSCTLS_H
#define WARREN_RUNTIME_SYSCTLS_H

#include "base/error.h"
#include "runtime/spec.h"

/* Child side. proc: our own proc mount, -1 when the container has none (a detached one is made). */
MUST_CHECK int sysctls_write(const struct spec *spec, int proc, struct error *err);

#endif
