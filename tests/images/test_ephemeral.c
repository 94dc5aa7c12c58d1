/* Roots that forget what was written. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/overlay/upper.h"
#include "support_inside.h"

struct passing {
	struct place place;
	struct inside inside;
	struct root_request request;
	int dir;
};

static void passing_open(struct passing *passing)
{
	struct error err;

	*passing = (struct passing){.dir = -1};
	place_open_with_host(&passing->place);
	inside_open(&passing->inside);
	passing->dir = place_instance(&passing->place, "one");
	passing->request = (struct root_request){
		.image = IMAGE_HOST, .instance = passing->dir, .id_base = ID_BASE, .ephemeral = true};
	ASSERT_OK(root_create(&passing->place.session, &passing->request, &err));
	ASSERT_OK(root_file_write(passing->dir, "/root/given", 0644, 0, 0, "given", 5, &err));
}

static void passing_drop(struct passing *passing)
{
	inside_drop(&passing->inside);
	fd_drop(&passing->dir);
	place_drop(&passing->place);
}

static void passing_run(struct passing *passing, void (*probe)(const void *))
{
	AUTO(root_parts_drop) struct root_parts parts = {0};
	struct error err;

	inside_drop(&passing->inside);
	inside_open(&passing->inside);
	passing->request.userns = passing->inside.userns;
	ASSERT_OK(root_mount(&passing->place.session, &passing->request, &parts, &err));
	inside_run(&passing->inside, &parts, probe, NULL);
}

/* The same at each start. */
static void writes_everywhere(const void *argument)
{
	struct stat about;
	auto_fd fd = -1;

	(void)argument;
	INSIDE(stat("/", &about) == 0 && about.st_uid == 0 && (about.st_mode & 07777) == 0755);
	INSIDE(access("/root/written", F_OK) < 0 && errno == ENOENT);
	INSIDE(strcmp(content_of("/root/given"), "given") == 0);
	fd = open("/root/written", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	INSIDE(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0);
	INSIDE(unlink("/root/given") == 0 && unlink("/etc/hostname") == 0);
}

static bool exists(int dir, const char *path)
{
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

TEST(ephemeral, each_start_finds_the_root_as_it_was_made, .timeout = SLOWLY(60))
{
	struct passing passing;
	struct error err;

	passing_open(&passing);
	/* The second time over what the first left, as after a crash of the host. */
	passing_run(&passing, writes_everywhere);
	cr_assert(exists(passing.dir, PASSING "/" UPPER "/root/written"));
	passing_run(&passing, writes_everywhere);
	cr_assert(!exists(passing.dir, UPPER "/root/written") && exists(passing.dir, UPPER "/root/given"));
	ASSERT_OK(root_reset(passing.dir, &err));
	cr_assert(!exists(passing.dir, PASSING));
	ASSERT_OK(root_reset(passing.dir, &err));
	passing_drop(&passing);
}

TEST(ephemeral, one_that_runs_has_no_snapshot, .timeout = SLOWLY(60))
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_config config = {0};
	struct passing passing;
	struct error err;
	int store;

	passing_open(&passing);
	store = passing.place.session.store;
	passing_run(&passing, writes_everywhere);
	ASSERT_FAILS(root_snapshot(store, passing.dir, "s", true, &arena, &config, &err), ERROR_USAGE,
		"what it writes is not kept");
	ASSERT_OK(root_snapshot(store, passing.dir, "s", false, &arena, &config, &err));
	passing.request.layers = &config.layers;
	passing_run(&passing, writes_everywhere);
	passing_drop(&passing);
}
