/* The host image, handed on from test to test. Making it takes a hundred times what a start takes (seconds on an
 * emulated processor), and each test has a store of its own; so where WARREN_TEST_SEED names a directory below /tmp and
 * below /var/tmp, a test that went well leaves its layers in the one on its own file system, and a later one takes them.
 */
#ifndef WARREN_TESTS_SEED_H
#define WARREN_TESTS_SEED_H

/* Makes the store, with what another test left, if there is something. near: "/tmp" or "/var/tmp"; store: the path that
 * is made, its parent is there. */
void seed_take(const char *near, const char *store);
/* Leaves what the store has for another; only after its last instance was removed. */
void seed_leave(const char *near, const char *store);

#endif
