/* A store of the test's own, and a process inside an instance's root: what the tests of this folder stand on. */
#ifndef WARREN_TESTS_IMAGES_INSIDE_H
#define WARREN_TESTS_IMAGES_INSIDE_H

#include "base/cleanup.h"
#include "base/file.h"
#include "images/images.h"
#include "tests/test.h"

#define ID_BASE 900000000u

/* A directory of its own below $WARREN_TEST_STORE (default /var/tmp), with run/, store/ and store/instances/. The
 * session is open. */
struct place {
	char *path;
	int dir, run;
	struct image_session session;
	bool gives_seed; /* the image is as it was made: another test may have it */
};
void place_open(struct place *place);
void place_drop(struct place *place);
/* Also image_prepare("host"). */
void place_open_with_host(struct place *place);

/* place_file() where nobody needs the path. */
void place_put(const struct place *place, const char *path, mode_t mode, const char *content);

/* store/instances/NAME, opened. */
int place_instance(const struct place *place, const char *name);
/* Writes a file below the place's directory, parents made; returns its absolute path (malloc()ed). */
char *place_file(const struct place *place, const char *path, mode_t mode, const char *content);

/* A child in new user and mount namespaces (0 → ID_BASE, 65536 ids) that waits. */
struct inside {
	int pidfd, socket, userns;
};
void inside_open(struct inside *inside);
void inside_drop(struct inside *inside);

/* Sends the parts; the child attaches them, makes them its root, mounts a tmpfs on /run, becomes uid 0 with all
 * capabilities and runs probe(). The test fails when probe did not return. */
void inside_run(
	struct inside *inside, const struct root_parts *parts, void (*probe)(const void *), const void *argument);

/* In probe(): fails the test with the condition's text. */
#define INSIDE(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: inside: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);      \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

/* What the file holds, in a static buffer; "" when it cannot be read. */
const char *content_of(const char *path);

/* Lines of the host's mount table that name overlays or the place. */
char *host_mounts(const struct place *place);

#endif
