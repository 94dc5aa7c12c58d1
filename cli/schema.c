/* schema: what an editor needs to help with a fleet file. */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/cli.h"

static int schema_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);

	(void)context, (void)options, (void)count, (void)operands, (void)err;
	fleet_schema_encode(encoder);
	encoder_print(encoder, stdout);
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
