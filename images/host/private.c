/* What of /etc no instance ever gets: the host's own identity, its accounts and its keys.
 *
 * The image is made from a white list, so nothing of this could enter it anyhow; the list is the second lock on that
 * door, and the first for etc_from_host, where a user may name any directory. */
#include "base/cleanup.h"
#include "base/path.h"
#include "images/host/skeleton.h"

static const char *const private_paths[] = {
	"/etc/passwd",
	"/etc/passwd-",
	"/etc/group",
	"/etc/group-",
	"/etc/shadow",
	"/etc/shadow-",
	"/etc/gshadow",
	"/etc/gshadow-",
	"/etc/subuid",
	"/etc/subgid",
	"/etc/subuid-",
	"/etc/subgid-",
	"/etc/.pwd.lock",
	"/etc/security/opasswd",
	"/etc/ssh",
	"/etc/ssl/private",
	"/etc/pki/tls/private",
	"/etc/letsencrypt/accounts",
	"/etc/sudoers",
	"/etc/sudoers.d",
	"/etc/polkit-1",
	"/etc/machine-id",
	"/etc/hostname",
	"/etc/hosts",
	"/etc/resolv.conf",
	"/etc/fstab",
	"/etc/crypttab",
	"/etc/mtab",
	"/etc/containers",
	"/etc/docker",
	"/etc/wireguard",
	"/etc/ipsec.secrets",
	"/etc/ppp",
	"/etc/krb5.keytab",
	"/etc/NetworkManager",
	"/etc/wpa_supplicant",
	"/etc/network",
	"/etc/udev",
	"/etc/initramfs-tools",
	"/etc/rc0.d",
	"/etc/rc1.d",
	"/etc/rc2.d",
	"/etc/rc3.d",
	"/etc/rc4.d",
	"/etc/rc5.d",
	"/etc/rc6.d",
	"/etc/rcS.d",
};

bool etc_is_private(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(private_paths); i++)
		if (path_is_under(path, private_paths[i]))
			return true;
	return false;
}
