/* A scene in which everybody dials everybody, over both families and with both protocols, and what came of it. */
#ifndef WARREN_TESTS_SUPPORT_MATRIX_H
#define WARREN_TESTS_SUPPORT_MATRIX_H

#include "tests/netns/support_world.h"

/* Where processes are. a and b are on an isolated network with egress, c and d on an open one without, e on a third
 * one, which c's and d's network allows in, and which may use one service of the host's and the cloud's metadata. */
enum place { HOST, OUTSIDE, DMZ, A, B, C, D, E, PLACES };
#define FIRST_GUEST A

enum outcome { REACHES, REFUSED, UNREACHABLE, SILENT };

/* What is dialled, and whom a server sees. SERVER: the server's own address; CLIENT: the client's; HOSTS: any of the
 * host's. GATEWAY: by which instances know the host. */
enum address { NONE, SERVER, CLIENT, HOSTS, WAN, DMZ_WIRE, LOOPBACK, GATEWAY, METADATA, NOBODY, ADDRESSES };

enum ip_family { IPV4, IPV6, FAMILIES };
enum protocol { TCP, UDP, PROTOCOLS };

struct row {
	const char *why;
	enum place from;
	enum address to;
	uint16_t port;
	enum outcome outcome;
	enum place server;   /* who answers */
	enum address source; /* whom the server sees */
};

/* What is published over each family and with each protocol; NULL: not over that one. */
struct published {
	enum place place;
	const char *text[FAMILIES];
	const char *option; /* "+balanced", or "" */
};

struct scene {
	struct world world;
	struct arena arena;
	struct guest guests[PLACES - FIRST_GUEST];
	struct network alone;
	int netns[PLACES];
	int servers[PLACES][FAMILIES][PROTOCOLS];
	struct ip_address addresses[FAMILIES][ADDRESSES];
	struct ip_address own[FAMILIES][PLACES];
	bool has[FAMILIES];
};

void scene_open(struct scene *scene, const struct published *published, size_t count);
void scene_close(struct scene *scene);

/* Tries every row at once, over each family that the host has and with each protocol. The number of attempts that did
 * not come out as their row says; those are told on stderr. count: of all attempts. */
size_t scene_try(struct scene *scene, const struct row *rows, size_t row_count, size_t *count);

#endif
