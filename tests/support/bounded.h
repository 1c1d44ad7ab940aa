/*
 * What a parser may use, whatever its input claims: 64 MiB of memory and 2 s of CPU time for 1 MiB
 * (FORMAT.md section 4). It is run in a child under such limits (that of time has some room:
 * tests/CMakeLists.txt), so that the verdict does not depend on how busy the machine is. One file
 * for a parser's rows: test_bounds.c.
 */
#ifndef SUPPORT_BOUNDED_H
#define SUPPORT_BOUNDED_H

#include "core/status.h"

#include <stddef.h>

enum { BOUNDED_INPUT = 1 << 20, BOUNDED_BYTES = 64 << 20, BOUNDED_SECONDS = RESHARD_BOUND_SECONDS };

/* An input that was made to cost much. `make` fills a buffer of BOUNDED_INPUT bytes and says how
 * many it used; `parse` reads them, or `path`, where they are then in a file. */
struct bounded_case {
    const char *name;
    size_t (*make)(char *text);
    enum reshard_status (*parse)(const char *text, size_t bytes, const char *directory,
                                 struct reshard_error *error);
    enum reshard_status status; /* that must come of it */
    const char *words;          /* in the error's text */
};

/* Run one case; NULL when it keeps the bounds and ends as it must, else what is wrong, in static
 * memory. `directory` is an empty one that the case may fill. */
const char *bounded_run(const struct bounded_case *bounded, const char *directory);

#endif
