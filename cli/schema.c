/* schema: what an editor needs to help with a fleet file. */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/cli.h"

static int schema_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	auto_free char *text = NULL;
	size_t length;

	(void)context, (void)options, (void)count, (void)operands, (void)err;
	fleet_schema_encode(encoder);
	text = encoder_take(encoder, &length);
	fwrite(text, 1, length, stdout);
	return 0;
}

const struct command schema_command = {
	.name = "schema",
	.operands = "",
	.summary = "print the JSON schema of fleet files, for editors",
	.example = "warren schema > ~/.config/warren-fleet.schema.json",
	.options = options_none,
	.run = schema_run,
};
