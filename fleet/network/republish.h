/* The host's part of the network, with the ports of all that run. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_NETWORK_REPUBLISH_H
#define WARREN_FLEET_NETWORK_REPUBLISH_H

#include "fleet/state/instance.h"

/* The host's part of the network is up; if its table had to be made anew, the ports of all running instances are in it
 * again. The slot of whoever asks is taken, so nobody takes it down from here on. */
MUST_CHECK int host_network_up(struct host *host, struct error *err);
/* The same when somebody has undone parts of it that are not the table. */
MUST_CHECK int host_network_mend(struct host *host, struct error *err);
/* The ports of one that runs. What cannot be is a warning. */
void instance_publish_again(struct instance *instance, struct net_session *session);

#endif
