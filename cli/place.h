/*
 * Where the command's companions are: beside it in a build tree, in the usual places of an
 * installation (../libexec/reshard, ../share/reshard) otherwise. Found from the running file
 * itself, so both may be moved. A build tree may be anywhere, so the last place for the scenarios
 * is in the sources it was built from.
 */
#ifndef RESHARD_CLI_PLACE_H
#define RESHARD_CLI_PLACE_H

#include <stdbool.h>

/* The program that ranks run, in new memory; NULL when it is in neither place. */
char *place_rank_program(bool simulated);

/* The folder of the scenarios that come with reshard, in new memory; NULL when there is none. */
char *place_scenarios(void);

#endif
