/* Decisions to carry on (warn) and progress (debug). Nothing else writes to stderr below main().
 *
 * Text ("warren: …") to stderr, or to a file; or JSON lines as podman and containerd expect
 * ({"level":"warning","msg":"…","time":"…"}). The level and target are this program's only mutable globals. */
#ifndef WARREN_BASE_LOG_H
#define WARREN_BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* program must outlive the process. fd stays the caller's; it is duplicated close-on-exec when it is not 2. */
void log_setup(const char *program, enum log_level level, enum log_format format, int fd);
void log_error(const char *format, ...) PRINTF(1, 2);
void log_warn(const char *format, ...) PRINTF(1, 2);
void log_info(const char *format, ...) PRINTF(1, 2);
void log_debug(const char *format, ...) PRINTF(1, 2);

#endif
