/* The host image, handed on from test to test. Making it takes a hundred times what a start takes (seconds on an
 * emulated processor), and each playground is a store of its own; so where WARREN_TEST_SEED names a directory, a test
 * that went well leaves its layers there, and a later one takes them. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_SEED_H
#define WARREN_TESTS_END_TO_END_SUPPORT_SEED_H

/* Gives the store of a new `warren --root root` what another one left, if there is something. */
void seed_take(const char *root);
/* Leaves what it has for another; only after its last instance was removed. */
void seed_leave(const char *root);

#endif
