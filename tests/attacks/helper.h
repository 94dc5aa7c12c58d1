/* The helper of the attacks: one static program, so that it runs in any root. Each of its words is a function that gets
 * what follows the word, ends the list with NULL, and returns an exit status. */
#ifndef WARREN_TESTS_ATTACKS_HELPER_H
#define WARREN_TESTS_ATTACKS_HELPER_H

/* On the host. */
int host_as_pid(char **words);	   /* PID COMMAND…: runs it with that pid, which must be free */
int host_console(char **words);	   /* SOCKET: takes one terminal, says what it is, copies what comes out of it */
int host_exchange(char **words);   /* A B: changes the two names for one another until it is ended */
int host_opens(char **words);	   /* DIRECTORY…: says "ready", then what is opened in them, until it is ended */
int host_repeat(char **words);	   /* ROUNDS SECONDS COMMAND…: "{}" in it becomes the number of the round */
int host_terminal(char **words);   /* COMMAND…: with a terminal; says whether somebody typed into that */
int host_with_fds(char **words);   /* PATH COMMAND…: with descriptors 3 to 19 on it */
int host_with_key(char **words);   /* NAME COMMAND…: with a key of that name in its session keyring */
int host_mapped_uid(char **words); /* PID: the uid of that process */

/* Inside. */
int inside_status(char **words);   /* who it is and what it may, by system calls alone */
int inside_find_key(char **words); /* NAME: whether the keyrings have such a key */
int inside_inject(char **words);   /* types into the terminal that is its standard input */
int inside_open(char **words);	   /* PATH…: opens each for writing, writes nothing */
int inside_device(char **words);   /* c|b MAJOR MINOR: makes the node and opens it */
int inside_make(char **words);	   /* native|i386|x32 DIRECTORY: mkdir by that kind of system call */
int inside_ioctl(char **words);	   /* an ioctl number with bits above the lowest 32 */
int inside_watch(char **words);	   /* exe|ptrace|files DEVICE INODE SECONDS: looks at every process that comes */
int inside_call(char **words);	   /* NUMBER: that system call, with nothing but zeros */
int inside_socket(char **words);   /* FAMILY: makes a socket of it */

#endif
