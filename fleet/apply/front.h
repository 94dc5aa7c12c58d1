/* The front door: which host name leads to which instance, for the front servers of a fleet. Only fleet/ includes this
 * header. See docs/front-door.md.
 *
 * fleets/<name>/front/ holds configuration that nginx includes; every instance that says "front" sees it, read-only, at
 * FRONT_TARGET. The directory is shared and its files are replaced, so what is written shows inside at once, and the
 * server is told to read it again. */
#ifndef WARREN_FLEET_APPLY_FRONT_H
#define WARREN_FLEET_APPLY_FRONT_H

#include "fleet/apply/wave.h"
#include "fleet/state/front_directory.h"

/* Writes the map as the host is now, if the wanted instances have a front server and the map is another than before.
 * wave (may be NULL): those whose stand-ins serve. Failures are logged: the front goes on with what it has. */
void front_write(struct steps *steps, const struct wave *wave);
/* Tells the front servers that run, when something was written since the last time, and waits until they have taken it.
 */
void front_reload(struct steps *steps, const struct wave *wave);

/* Where a site is found: its front_port, the first target of its ports, or 80. */
uint16_t site_port(const struct instance_spec *spec);

/* The text of the map. sites: sorted by host name, then by name. Pure: for tests. */
struct front_site {
	const char *host, *name, *base_name;
	struct in_addr address;
	uint16_t port;
};
void front_encode(struct text *out, const struct front_site *sites, size_t count);

#endif
