/* What the processes of layer.h tell one another. Fixed records over sockets and pipes of one machine and one program;
 * what comes from a process that looks into outside bytes is checked before it is believed. */
#ifndef WARREN_IMAGES_PULL_UNPACK_H
#define WARREN_IMAGES_PULL_UNPACK_H

#include "images/pull/extract.h"
#include "images/pull/layer.h"

/* To the process that makes unpacking processes, with these descriptors. */
struct unpack_order {
	bool base;
	struct layer_limits limits;
};
enum unpack_descriptor {
	UNPACK_INPUT,	  /* packed bytes: the reading end of a pipe */
	UNPACK_DIRECTORY, /* to unpack into */
	UNPACK_RESULT,	  /* a socket: a struct error with the inflater's pidfd, then a struct unpack_report */
	UNPACK_ALIVE,	  /* the writing end of a pipe that both processes hold, and never use */
	UNPACK_LISTS,	  /* a memory file: paths, see below */
	UNPACK_DESCRIPTORS
};

/* The lists are paths, each with a letter in front and a NUL behind. */
#define UNPACK_OPAQUE 'o'
#define UNPACK_IMPLIED 'i'
#define UNPACK_LISTS_MAX (64 << 20)

struct unpack_report {
	struct error err; /* kind ERROR_NONE: all is well */
	/* from the extractor */
	struct layer_content content;
	uint64_t left_out;
	char left_out_first[EXTRACT_LEFT_OUT_MAX];
	bool overlay_marks;
	/* from the inflater */
	char diff_id[REFERENCE_DIGEST_SIZE];
	uint64_t tar_bytes;
	char compression[8];
};

/* The bodies of the processes; they do not return. */
_Noreturn void unpack_inflater(const struct unpack_order *order, const int fds[UNPACK_DESCRIPTORS]);
_Noreturn void unpack_extractor(const struct unpack_order *order, int tar, int directory, int lists, int report);

#endif
