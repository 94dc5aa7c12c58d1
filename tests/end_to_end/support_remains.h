/* What commands leave on a host: everything that a killed one could leave, as text to compare. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_REMAINS_H
#define WARREN_TESTS_END_TO_END_SUPPORT_REMAINS_H

/* A network and a mount table of our own: those of others come and go. */
void remains_seclude(void);
/* From now on what any of our commands leaves running becomes our child, so that none can hide; and the mount table is
 * our own. */
void remains_adopt(void);
/* Waits a while for such processes and the links of instances (w…) to end; then, one a line: those that are left, every
 * file and directory below `state` (but the content of layers), control groups of that name or below it, links, routes
 * of both families, addresses of lo, packet filter rules, mounts and the sysctls that let packets pass and routers be
 * believed. malloc()ed. */
char *remains_describe(const char *state, const char *cgroup);
/* Until that is as it was before: namespaces of ended processes die, and their links with them, a moment later. NULL;
 * or after a while the first line that differs, with a sign in front: '+' left behind, '-' missing. malloc()ed. */
char *remains_await(const char *state, const char *cgroup, const char *before);
/* The first line that is in only one of two such texts, with that sign. malloc()ed. */
char *remains_difference(const char *before, const char *after);
/* Takes leave of those that have ended: a pid namespace ends only when all of its processes are reaped. To be called
 * while no child of our own is awaited. */
void remains_reap(void);
/* Ends the processes that are left, so that a test can go on after having found some. */
void remains_end(void);

#endif
