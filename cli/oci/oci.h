/* What the commands of `warren-oci` share: the OCI runtime command line that podman, docker, containerd and CRI-O
 * speak. It accepts what they pass to runc and crun, and refuses by name what would change a container if it were
 * ignored. */
#ifndef WARREN_CLI_OCI_H
#define WARREN_CLI_OCI_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/options.h"
#include "runtime/spec.h"

struct oci_cli {
	struct arena arena;
	const char *root;	    /* directory of the state directories */
	int root_dir;		    /* opened by oci_cli_open(); -1 */
	int log;		    /* our own descriptor of --log; -1 */
	int cgroups;		    /* enum container_cgroups */
	int systemd;		    /* our own descriptor of warren-systemd; -1 */
	int rootless;		    /* enum container_rootless */
	const char *criu;	    /* the program; NULL: the system's */
	char **arguments;	    /* argv, whole */
	struct optional listen_fds; /* sd_listen_fds(3): those that a service manager has opened for the container */
	const char *listen_names;
};

#define OCI_SPEC_VERSION "1.3.0"

/* Opens the state root, made when it is missing, so that help and wrong use need no root. */
MUST_CHECK int oci_cli_open(struct oci_cli *cli, struct error *err);

/* Call it after oci_cli_open(). Descriptors 3 … 2+count must be open and the caller's. */
MUST_CHECK int oci_check_preserved(const struct oci_cli *cli, int64_t count, struct error *err);

/* Takes note of LISTEN_FDS, while no descriptor is ours yet; puts it into a process. The descriptors are the first of
 * those to preserve. */
void oci_listen_read(struct oci_cli *cli);
void oci_listen_pass(const struct oci_cli *cli, struct spec_process *process);

/* For what makes a container: adds to the words of its command line what holds for all of them, executes this program
 * anew where that is needed (runtime_guard_enter()), and opens the state root. */
struct container_create_options;
MUST_CHECK int oci_prepare(struct oci_cli *cli, struct container_create_options *create, struct error *err);

/* Exit status of a process from waitpid(2)'s: 128 + signal for those that died of one. */
int oci_exit_status(int status);

/* The commands, each beside its options and its function. */
extern const struct command oci_create_command, oci_start_command, oci_run_command, oci_kill_command,
	oci_delete_command, oci_pause_command, oci_resume_command, oci_exec_command, oci_state_command,
	oci_list_command, oci_ps_command, oci_update_command, oci_events_command, oci_features_command,
	oci_spec_command, oci_checkpoint_command, oci_restore_command;

#endif
