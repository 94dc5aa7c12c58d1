/* The built-in image `host`, built by sparse.c: a layer like others, made of the host's own files. */
#ifndef WARREN_IMAGES_HOST_IMAGE_H
#define WARREN_IMAGES_HOST_IMAGE_H

#include "images/images.h"

/* /etc/hosts is a link to IMAGE_HOSTS_LINK; this is what it leads to while nothing is mounted there. */
#define IMAGE_HOSTS_LINK "hosts.d/hosts"
#define IMAGE_HOSTS_TEXT "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"

#define LAYERS "layers"
#define LAYER_NAME_SIZE 64
/* In a layer of the host image: the root's directory, the one laid over /usr, and the file whose links count users. */
#define HOST_ROOT "root"
#define HOST_USR "usr"
#define HOST_HELD "held"

/* The layer that is the host image now, held for the instance by a hard link in its directory: for as long as that link
 * exists the layer is not removed. */
MUST_CHECK int host_layer_hold(int store, int instance, char layer[LAYER_NAME_SIZE], struct error *err);
/* Lets go of every layer but `keep` (NULL: of all). */
MUST_CHECK int host_layers_release(int instance, const char *keep, struct error *err);

/* Removes what killed makers of it left in tmp/, unless somebody is making it now, who does the same. */
MUST_CHECK int host_leftovers_remove(int store, struct error *err);
/* Copies etc_from_host into the upper layer. */
MUST_CHECK int etc_copy(int upper, const struct strings *paths, struct error *err);

#endif
