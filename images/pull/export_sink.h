/* A buffered sink to a descriptor. */
#ifndef WARREN_IMAGES_PULL_EXPORT_SINK_H
#define WARREN_IMAGES_PULL_EXPORT_SINK_H

#include "images/pull/source.h"

struct sink *export_sink_open(int fd) __attribute__((returns_nonnull)); /* fd is borrowed */
/* Writes what is left when result is 0, and frees it; gives result, or -1. */
MUST_CHECK int export_sink_close(struct sink *sink, int result, struct error *err);

#endif
