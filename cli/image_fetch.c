/* Images that are fetched because somebody wants to run them. */
#include <string.h>

#include "cli/cli.h"
#include "cli/image_pull.h"
#include "images/images.h"

int pull_policy_parse(const char *text, enum pull_policy *out, struct error *err)
{
	static const char *const names[] = {
		[PULL_MISSING] = "missing", [PULL_ALWAYS] = "always", [PULL_NEVER] = "never"};

	*out = PULL_MISSING;
	for (size_t i = 0; text && i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(text, names[i])) {
			*out = (enum pull_policy)i;
			return 0;
		}
	return text ? fail(err, ERROR_USAGE, "--pull \"%s\": expected missing, always or never", text) : 0;
}

static int image_fetch(struct cli *cli, const char *image, enum pull_policy policy, struct error *err)
{
	const char *digest;

	if (!strcmp(image, IMAGE_HOST))
		return 0;
	if (image_meaning(cli->host.lib, image, &cli->arena, &digest, err) < 0)
		return -1;
	if (policy == PULL_NEVER)
		return 0; /* whoever needs it says that it is missing */
	return digest && policy == PULL_MISSING ? 0 : pull_start(cli->host.lib_path, image, err);
}

int images_fetch(struct cli *cli, const struct strings *images, enum pull_policy policy, struct error *err)
{
	if (cli_open(cli, err) < 0)
		return -1;
	for (size_t i = 0; i < images->count; i++)
		if (image_fetch(cli, images->items[i], policy, err) < 0)
			return -1;
	return 0;
}
