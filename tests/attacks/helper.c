/* The words of the attacks' helper. */
#include "tests/attacks/helper.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	int (*run)(char **words);
	int operands_min;
} words[] = {
	{"as-pid", host_as_pid, 2},
	{"console", host_console, 1},
	{"exchange", host_exchange, 2},
	{"opens", host_opens, 1},
	{"repeat", host_repeat, 3},
	{"terminal", host_terminal, 1},
	{"with-fds", host_with_fds, 2},
	{"with-key", host_with_key, 2},
	{"mapped-uid", host_mapped_uid, 1},
	{"status", inside_status, 0},
	{"find-key", inside_find_key, 1},
	{"inject", inside_inject, 0},
	{"open", inside_open, 1},
	{"device", inside_device, 3},
	{"make", inside_make, 2},
	{"ioctl", inside_ioctl, 0},
	{"watch", inside_watch, 4},
	{"call", inside_call, 1},
	{"socket", inside_socket, 1},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, argv[1]) != 0)
			continue;
		if (argc - 2 < words[i].operands_min)
			break;
		return words[i].run(argv + 2);
	}
	fprintf(stderr, "attack-helper: %s: no such word, or too few operands\n", argc > 1 ? argv[1] : "");
	return 2;
}
