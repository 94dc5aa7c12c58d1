/* manual: the page warren(8), from the tables of the commands and what is said here. */
#include "cli/manual.h"

static const struct manual_section sections[] = {
	{"DESCRIPTION",
		"warren runs hundreds to thousands of isolated server instances on one Linux host, on one shared "
		"kernel, without a daemon. An instance has processes, a network, a root directory, users and limits of "
		"its own.\n"
		"One JSON file describes a whole host: see warren-fleet(5). Single instances are made with run and "
		"create. The image host is the programs of this machine itself, read-only; others are fetched from "
		"registries or imported.\n"
		"With every running instance stays one small process, its monitor. Nothing else of warren runs. Every "
		"command may be killed at any moment: the next one finishes or undoes.\n"
		"Where several instances can be named, so can patterns (\"site-*\"), labels (--label) and all (--all). "
		"Options may stand before and after operands, but for run, create and exec, where what follows the "
		"image "
		"or the name belongs to the program that is started."},
	{"EXIT STATUS",
		"0: done. 1: failed. 2: wrong use. 3: no such thing. 4: busy, or there already.\n"
		"plan alone: 0: no change, 2: changes wait, 1: any error.\n"
		"run and exec in the foreground pass on the status of the program, 128 and the signal's number when a "
		"signal ended it; 125: warren failed, 126: the program cannot be executed, 127: there is none of that "
		"name."},
	{"FILES", "/run/warren: what is gone with a reboot: sockets, locks, the networks' state.\n"
		  "/var/lib/warren: instances, images, volumes, fleets.\n"
		  "/var/log/warren: logs of instances.\n"
		  "All of it belongs to root alone. --root DIR keeps everything below DIR instead."},
	{"SEE ALSO", "warren-fleet(5), warren-oci(8)"},
	{0},
};

const struct manual warren_manual = {
	.program = "warren",
	.title = "WARREN",
	.purpose = "run many isolated server instances on one Linux host",
	.section = 8,
	.sections = sections,
};
