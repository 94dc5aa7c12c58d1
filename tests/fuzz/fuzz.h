/* The entry of a fuzz target. A broken promise ends the program by FUZZ_ASSERT(), also where assert() is switched off.
 */
#ifndef WARREN_TESTS_FUZZ_H
#define WARREN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_ASSERT(condition)                                                                                         \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                        \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/* Called by libFuzzer for each input; gives 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
