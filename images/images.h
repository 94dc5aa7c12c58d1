/* Root file systems and volumes of instances.
 *
 * Everything here ends in detached mounts: descriptors that the instance's first process attaches inside its own mount
 * namespace. Nothing ever appears in the host's mount table. Ids on disk are container ids; an idmapped clone of the
 * instance's directory serves them to whatever id range the instance has, with no chown. See docs/images.md. */
#ifndef WARREN_IMAGES_IMAGES_H
#define WARREN_IMAGES_IMAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/decode.h"
#include "base/error.h"
#include "base/text.h"

/* --- kernels ------------------------------------------------------------------------------------------------------ */

/* A process that builds roots opens one session first. Kernels before 6.13 cannot put an overlay over detached mounts:
 * there the session has a private mount namespace with a small scratch tmpfs (made before any directory descriptor is
 * opened: open_tree(2) accepts only mounts of the caller's own namespace), and lower layers are attached in it for the
 * moment of the mount. Newer ones need nothing. */
struct image_session {
	bool detached_layers; /* overlay takes descriptors of detached mounts (probed once per boot, remembered in
				 `run`) */
	int scratch;	      /* directory of the private tmpfs, or -1 */
	int outside;	      /* the mount namespace the session left, entered again by drop; 0: none */
	int store;	      /* the store's directory, opened inside the session's namespace */
};
/* run: directory for the remembered probe (/run/warren). store_path: /var/lib/warren, made when missing (0700). On
 * older kernels it unshares the caller's mount namespace (slave of the one it leaves) until the session is dropped, so
 * directories whose mounts are cloned must be opened in between; the drop moves the working directory to "/". */
MUST_CHECK int image_session_open(int run, const char *store_path, struct image_session *out, struct error *err);
void image_session_drop(struct image_session *session);

/* --- images ------------------------------------------------------------------------------------------------------- */

#define IMAGE_HOST "host"

/* What docker calls a health check: asked of an instance that says nothing else. Times in milliseconds, 0: not said. */
struct image_check {
	struct strings test; /* "CMD" …, "CMD-SHELL" … */
	int64_t interval_ms, timeout_ms, start_period_ms, retries;
};

/* What an image says about itself: defaults for an instance, never more. All empty for `host`. */
struct image_config {
	struct strings entrypoint, command;
	struct pairs environment;
	const char *user, *working_dir, *stop_signal;
	struct pairs volumes;	      /* path → name of the volume that the instance has for it */
	struct strings exposed_ports; /* "80/tcp" */
	struct pairs labels;
	struct image_check *check;   /* NULL: none */
	const char *name;	     /* "docker.io/library/debian:12"; NULL for `host` */
	const char *manifest_digest; /* "sha256:…", and of its config */
	const char *config_digest;
	/* Keys in the store, the uppermost first: of the instance's snapshots, then of its image. Below them, for
	 * `host` and a plain directory, lies that. */
	struct strings layers;
	/* Of its image, too, below one that hides them all: not mounted, and kept for a commit. */
	struct strings hidden_layers;
	/* What becomes of the upper layer with this inode, which is not the instance's any more: the layer of that key,
	 * or NULL: nothing. 0: nothing is pending. */
	uint64_t pending_inode;
	const char *pending_layer;
};

/* Makes sure that the built-in image is there and fits the host: builds its skeleton when that is missing or older than
 * the host's packages (dpkg status, this program's version): under the store, staged and renamed, single flight by
 * flock. `name` is "host"; another is ERROR_MISSING. *config is emptied. */
MUST_CHECK int image_prepare(
	int store, const char *name, struct arena *arena, struct image_config *config, struct error *err);

/* The image of a new instance: what the name means now is written into the instance's directory (below the store's
 * instances/), and its layers stay in the store for as long as that is there, whatever becomes of the name. `host` is
 * prepared. The volumes that the image asks for get names that follow from `owner` (the same one gets the same names),
 * or random ones when that is NULL. An image that is not in the store: ERROR_MISSING `image "x" is not here`. */
MUST_CHECK int image_assign(int store, int instance, const char *name, const char *owner, struct arena *arena,
	struct image_config *config, struct error *err);
/* Volumes that nobody named, but an image: */
#define VOLUME_ANONYMOUS "anon-"
/* The same for an instance that has one: of what image_assign() wrote; `host` is prepared again when it changed. name
 * NULL: of an instance with a plain root directory, which has only layers of its own. */
MUST_CHECK int image_recall(
	int store, int instance, const char *name, struct arena *arena, struct image_config *config, struct error *err);

/* --- held images (held.c) ----------------------------------------------------------------------------------------- */

/* The digest of the manifest that the name means now, NULL: none. */
MUST_CHECK int image_meaning(int store, const char *name, struct arena *arena, const char **digest, struct error *err);
/* What the name means now stays in the store for as long as a file <digits of its digest>.json lies in `holder`, which
 * is the directory fleets/<fleet>/images below the store: the file is written here, and removed by the holder. */
MUST_CHECK int image_hold(int store, const char *name, int holder, struct error *err);
/* Makes sure that NAME@DIGEST means something: by a name that is here, else by what is held. ERROR_MISSING: neither. */
MUST_CHECK int image_return(int store, const char *name, const char *digest, int holder, struct error *err);

/* --- snapshots ---------------------------------------------------------------------------------------------------- */

/* All of them for an instance whose lock is held; `instance` is its directory, below the store's instances/. */

/* Keeps the instance's root as it is now, under a name, or (NULL) for whoever gets *config. Of one that does not run
 * (`running` false) what it wrote becomes a layer as it is: some system calls, whatever its size. Of one that runs,
 * frozen, it is copied, sharing blocks where the file system can. Killed in between, the next start or snapshot
 * finishes. ERROR_BUSY: the name is taken. */
MUST_CHECK int root_snapshot(int store, int instance, const char *name, bool running, struct arena *arena,
	struct image_config *config, struct error *err);
/* Of one that does not run: its root is as it was then; what was written since is deleted. ERROR_MISSING. */
MUST_CHECK int root_restore(int store, int instance, const char *name, struct error *err);
/* ERROR_MISSING. Layers that nobody needs any more are deleted by images_prune(). */
MUST_CHECK int root_snapshot_remove(int instance, const char *name, struct error *err);
/* What it holds. ERROR_MISSING. */
MUST_CHECK int root_snapshot_find(
	int instance, const char *name, struct arena *arena, struct image_config *out, struct error *err);
struct snapshot {
	const char *name;
	int64_t created_ms;
	size_t layers;
};
struct snapshot_list {
	struct snapshot *items; /* the oldest first */
	size_t count;
};
MUST_CHECK int root_snapshots(int instance, struct arena *arena, struct snapshot_list *out, struct error *err);
/* The root of a new instance: that of the snapshot, nothing written above it. Volumes of the image get new names and
 * the content of the old ones. */
MUST_CHECK int root_inherit(
	int store, int instance, const struct image_config *snapshot, struct arena *arena, struct error *err);

/* Where the directory with the network's hosts file is attached inside an instance. Every root made here has it, also a
 * read-only one, and /etc/hosts is a link to the file "hosts" in it; with nothing attached that file names localhost.
 */
#define IMAGE_HOSTS_DIRECTORY "/etc/hosts.d"

/* --- the root of an instance -------------------------------------------------------------------------------------- */

struct root_request {
	const char *image;		     /* a name, or NULL with rootfs */
	const struct strings *layers;	     /* image_config's, of the image; NULL or empty for `host` */
	const char *rootfs;		     /* absolute path of a plain directory used as the lower layer, or NULL */
	const struct strings *etc_from_host; /* absolute paths below /etc; only with `host` */
	int instance;			     /* the instance's directory, opened inside the session; holds u/ and w/ */
	int userns;			     /* user namespace with written maps, or -1: no id map */
	uid_t id_base;			     /* host id of the instance's root (0 without userns) */
	bool read_only;
	/* What is written is thrown away: each root_mount() begins with what root_create() and the like made, and
	 * nothing of it is ever synced. */
	bool ephemeral;
};

/* Detached mounts for the child to attach, in this order, on paths inside the instance's root; the first is the root
 * itself ("/"). */
#define ROOT_PARTS_MAX 80
struct root_part {
	const char *target; /* absolute, inside the root; borrowed from the request, volume or config */
	int mount;	    /* detached mount, ours until root_parts_drop() */
	bool is_file;	    /* the mount point is a file, not a directory */
};
/* spent: clones that the parts were made from. Closing one waits for a grace period of the kernel (40 to 80 us each, a
 * multiple under load), so it is left to root_parts_drop(), called when nobody waits any more. All zero: empty. */
#define ROOT_SPENT_MAX 8
struct root_parts {
	struct root_part items[ROOT_PARTS_MAX];
	size_t count;
	int spent[ROOT_SPENT_MAX];
	size_t spent_count;
};
void root_parts_drop(struct root_parts *parts);

/* Prepares u/ and w/ of a new instance and what is copied from the host for it (etc_from_host), as container ids.
 * Called once at creation, before any start. Files of /etc that follow from the instance (hostname) are written by the
 * caller through root_file_write(). */
MUST_CHECK int root_create(const struct image_session *session, const struct root_request *request, struct error *err);
/* For a read-only root, where nobody can make one later: an empty directory or file at target in the upper layer,
 * unless there is something already. Before the start; targets below the host's /usr are passed over. */
MUST_CHECK int root_mount_point_make(const struct image_session *session, const struct root_request *request,
	const char *target, bool is_file, struct error *err);
/* Writes a generated file into the upper layer (container id 0:0 unless given), making parents; inside root only, links
 * never followed. */
MUST_CHECK int root_file_write(int instance, const char *path, mode_t mode, uid_t uid, gid_t gid, const char *content,
	size_t length, struct error *err);
/* The same for a symbolic link of the instance's root user. */
MUST_CHECK int root_link_write(int instance, const char *path, const char *target, struct error *err);

/* The host's name servers that instances can reach: none on its loopback addresses. */
void host_name_servers(struct arena *arena, struct strings *out);
/* Before a start: /etc/resolv.conf says what the host's says now, unless somebody inside has changed it. own_loopback:
 * the instance's loopback addresses are its own, so name servers there are left out. */
MUST_CHECK int root_resolver_refresh(int instance, bool own_loopback, struct error *err);

/* The overlay of lower layers + u/ (or read-only: without an upper), then for `host` /usr as a lower-only overlay (a
 * read-only super block: an instance that keeps CAP_SYS_ADMIN can clear a mount's read-only flag, not this), its
 * nosuid,nodev flags, and an empty /usr/local over it; masks for /usr/src, /usr/lib/modules, /usr/lib/debug. */
MUST_CHECK int root_mount(const struct image_session *session, const struct root_request *request,
	struct root_parts *parts, struct error *err);

/* After the end of an ephemeral one: deletes what it wrote. Absent is fine. */
MUST_CHECK int root_reset(int instance, struct error *err);

/* Removes u/ and w/ (the instance directory itself stays), and the limit of its disk space. */
MUST_CHECK int root_remove(int instance, struct error *err);

/* --- disk space --------------------------------------------------------------------------------------------------- */

/* By project quotas of the store's file system: dir is a directory on it, opened for reading. */
enum disk_quota {
	DISK_QUOTA_ON,
	DISK_QUOTA_OFF,		  /* the file system could */
	DISK_QUOTA_NO_FILESYSTEM, /* it could not */
	DISK_QUOTA_NO_KERNEL,
	DISK_QUOTA_UNKNOWN, /* the caller may not ask */
};
enum disk_quota disk_quota_state(int dir);
#define DISK_QUOTA_REMEDY                                                                                              \
	"ext4: tune2fs -O project,quota on the unmounted disk, then mount it with prjquota; xfs: mount it with "       \
	"prjquota"
/* Whether an instance of this store can have a limit. ERROR_USAGE with what is missing. */
MUST_CHECK int disk_limit_check(int store, struct error *err);
/* What the instance has in its upper layer, and in the snapshots taken of it while it was stopped, takes at most so
 * many bytes from now on, and a file for each 4 KiB of them; running or not. It is not told when it has more already:
 * it can write no more. 0: no limit. */
MUST_CHECK int root_disk_limit(int instance, int64_t bytes, struct error *err);
/* What it takes now, and the limit, if there is one. Unset where nobody counts: disk_quota_state(). */
void root_disk_used(int instance, struct optional *used_bytes, struct optional *limit_bytes);

/* --- volumes, tmpfs, configs -------------------------------------------------------------------------------------- */

enum volume_type { VOLUME_BIND, VOLUME_NAMED, VOLUME_TMPFS };
struct volume {
	enum volume_type type;
	const char *source; /* absolute host path, or the volume's name */
	const char *target; /* absolute, inside */
	bool read_only;
	bool idmap;	    /* default true; false: ids are the instance's own range */
	int64_t size_bytes; /* tmpfs; 0: 16 MiB */
	unsigned mode;	    /* tmpfs; 0: 01777 */
};
/* "src:dst[:ro|rw][,noidmap]"; a source without a slash is a named volume. One that begins with "./" is relative to
 * what volume_anchor() will say. */
MUST_CHECK int volume_parse(struct arena *arena, const char *text, struct volume *out, struct error *err);
/* Makes the source "./…" of a bind absolute, below that directory (an absolute path); others stay as they are. ".." in
 * it is refused. */
MUST_CHECK int volume_anchor(struct arena *arena, const char *directory, struct volume *volume, struct error *err);
/* Refused sources: /, /proc, /sys, /dev, /run, our own state and what lies above it; a path with links is resolved
 * first. Checked before anything is made. */
MUST_CHECK int volume_check(const struct volume *volume, const char *store_path, struct error *err);
/* Adds the detached mount. Bind sources are cloned and idmapped (a file system that cannot: refused by its name, with
 * the way out `idmap: false`); read-only ones become a read-only super block when `lock_read_only` (instances that keep
 * CAP_SYS_ADMIN), where source is a directory. nosuid and nodev always. Named volumes are made below <store>/volumes
 * when missing. */
MUST_CHECK int volume_mount(const struct image_session *session, const struct volume *volume, int userns, uid_t id_base,
	bool lock_read_only, struct root_parts *parts, struct error *err);
/* Makes a volume before anybody has it. ERROR_BUSY: it is there. */
MUST_CHECK int volume_create(int store, const char *name, const struct pairs *labels, struct error *err);
/* Makes a named volume that nobody has had yet, of an instance of an image, with what the image has at the target. */
MUST_CHECK int volume_seed(const struct image_session *session, const struct root_request *request, const char *name,
	const char *target, struct error *err);
/* Deletes a volume of the store with all in it. Absent is fine. */
MUST_CHECK int volume_delete(int store, const char *name, struct error *err);
/* True when some volume is a writable bind: the instance's filter then refuses set-id bits. */
bool volumes_need_setid_guard(const struct volume *volumes, size_t count);

/* A tmpfs holding generated or copied files (configs, secrets), each owned as given, mode 0400 unless given; attached
 * file by file, read-only. */
struct config_file {
	const char *target; /* absolute, inside */
	const char *content;
	size_t length;
	uid_t uid; /* inside */
	gid_t gid;
	unsigned mode;
};
MUST_CHECK int configs_mount(const struct image_session *session, const struct config_file *files, size_t count,
	int userns, uid_t id_base, struct root_parts *parts, struct error *err);

/* A device of the host for the instance: a node of its own with these numbers, owned by the instance's root. Who may
 * use it is for the control group's rules besides. */
struct device_node {
	const char *target; /* absolute, inside */
	bool block;
	uint32_t major, minor;
	unsigned mode; /* permissions alone */
};
MUST_CHECK int device_nodes_mount(const struct image_session *session, const struct device_node *nodes, size_t count,
	int userns, uid_t id_base, struct root_parts *parts, struct error *err);

/* --- looking inside ----------------------------------------------------------------------------------------------- */

/* "user", "user:group", "1000", "1000:1000" → ids; names are looked up in the /etc/passwd and /etc/group below root (by
 * descriptor, bounded, numeric ids never looked up). Supplementary groups of a named user come too. */
struct image_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[32];
	size_t group_count;
	const char *home; /* "/" when unknown */
};
MUST_CHECK int image_user_find(
	struct arena *arena, int root, const char *user, struct image_user *out, struct error *err);

#endif
