/* Any bytes as an image's /etc/passwd: HOME stays "/", or becomes an absolute path that fits, of a line with that uid.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/process/home.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char home[HOME_SIZE + 1] = "/";
	auto_fd fd = memfd_create("passwd", MFD_CLOEXEC);

	home[HOME_SIZE] = 'x';
	FUZZ_ASSERT(fd >= 0 && write_all(fd, data, size) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	home_read(fd, 1000, home);
	FUZZ_ASSERT(home[HOME_SIZE] == 'x' && *home == '/' && strlen(home) < HOME_SIZE);
	FUZZ_ASSERT(strcmp(home, "/") == 0 || memmem(data, size, ":1000:", 6));
	return 0;
}
