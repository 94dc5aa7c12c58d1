/* Instances as the user sees them, and fleets of them.
 *
 * One directory per instance, no index, no database, no daemon. Facts lie in records (temp + rename); whether something
 * runs is asked of the kernel each time. One small monitor process stays with each running instance; every command
 * works when it is dead.
 *
 * What a function gives lies in the arena that it is given. Of a name that is none each fails with ERROR_MISSING and a
 * guess, of a damaged record with the file and what is wrong in it.
 *
 * Commands include this. Each header below is the face of the folder of its name, whose own headers are private; spec.h
 * is that of file/, too. */
#ifndef WARREN_FLEET_FLEET_H
#define WARREN_FLEET_FLEET_H

#include "fleet/apply.h"
#include "fleet/figures.h"
#include "fleet/health.h"
#include "fleet/host.h"
#include "fleet/instance.h"
#include "fleet/logs.h"
#include "fleet/network.h"
#include "fleet/spec.h"

#endif
