/* As much of JSON schema (draft 2020-12) as the fleet file's own uses; a word that it does not know is a failure of the
 * test, so that no rule is passed over. */
#ifndef WARREN_TESTS_FLEET_SUPPORT_SCHEMA_H
#define WARREN_TESTS_FLEET_SUPPORT_SCHEMA_H

#include <stdbool.h>

#include "base/json.h"

bool schema_allows(const struct json *whole, const struct json *schema, const struct json *value);

#endif
