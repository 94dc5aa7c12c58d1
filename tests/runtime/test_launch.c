/* Tests of runtime/launch.c and runtime/child.c: a first process from a specification to its end. */
#include "tests/runtime/support_runtime.h"

TEST(launch, runs_a_program_in_a_root_directory)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct error err;
	char output[4096];

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(&box, "echo pid $$; id -u; cat /proc/1/comm; ls /dev /; exit 7");
	int status = sandbox_run(&box, NULL, output, sizeof(output), &err);
	cr_assert(status == 7, "%d %s %s", status, err.text, output);
	cr_assert(strstr(output, "pid 1\n0\nsh\n"), "%s", output);
}

TEST(launch, runs_a_program_in_a_user_namespace)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct error err;
	char output[4096];

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	sandbox_script(&box, "cat /proc/self/uid_map; id -u; ls -l /dev; echo > /etc/x; ls -ln /etc");
	int status = sandbox_run(&box, NULL, output, sizeof(output), &err);
	cr_assert(status == 0, "%d %s %s", status, err.text, output);
	cr_assert(strstr(output, "0     700000      65536\n0\n"), "%s", output);
}
