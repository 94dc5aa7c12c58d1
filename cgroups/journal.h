/* What a change of limits has overwritten, file by file, so that one that fails midway can be taken back; private to
 * this folder.
 *
 * Everything is noted as the kernel shows it and written back in the opposite order: each state on the way back was a
 * legal one on the way there. */
#ifndef WARREN_CGROUPS_JOURNAL_H
#define WARREN_CGROUPS_JOURNAL_H

#include "cgroups/cgroups.h"

/* Notes what `line`, which is about to be written to the file, will overwrite there. The directory stays borrowed, file
 * and line are copied. A file that cannot be read (it triggers something, or is not there) is not noted. NULL: does
 * nothing. */
void journal_note(struct cgroup_journal *journal, int dir, const char *file, const char *line);

#endif
