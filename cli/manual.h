/* What the manual page warren(8) says beside the tables of the commands. */
#ifndef WARREN_CLI_MANUAL_H
#define WARREN_CLI_MANUAL_H

#include "base/options.h"

extern const struct manual warren_manual;

#endif
