/*
 * Tests that many ranks run together, on real MPI and on simulated ranks from the same source.
 * Check keeps its state in process globals, which simulated ranks share, so these suites have a
 * runner of their own: each rank carries its results in a struct.
 *
 * Every rank runs every test to its end; an expectation that fails is printed with its rank and
 * counted, and the test goes on, so that no rank leaves alone and makes the others wait. At the end
 * each rank prints "rank R passed" or how much failed.
 */
#ifndef RESHARD_TESTS_RANKS_H
#define RESHARD_TESTS_RANKS_H

#include "core/status.h"
#include "parallel/group.h"

#include <mpi.h>
#include <stdbool.h>

struct ranks {
    MPI_Comm comm; /* the world of the test */
    int rank;
    int size;
    int failures;
    const char *test;
    struct reshard_group_options options; /* for groups: waits as this world wants it */
    char scratch[256]; /* a directory that all ranks of the run share, removed at the end */
};

struct ranks_test {
    const char *name; /* a sentence */
    void (*run)(struct ranks *ranks);
};

/* Run them all and return main's exit status. The array ends with a NULL name. */
int ranks_main(int argc, char **argv, const struct ranks_test *tests);

/* A group of all ranks of the world, to be closed; counts what goes wrong. [collective] */
struct reshard_group *ranks_group(struct ranks *ranks);

/* Count and print an expectation that does not hold; returns whether it held. */
bool ranks_expect(struct ranks *ranks, bool holds, const char *text, const char *file, int line);

/* A status expected; the error's text is printed when it is another. */
bool ranks_expect_status(struct ranks *ranks, enum reshard_status actual,
                         enum reshard_status expected, const struct reshard_error *error,
                         const char *file, int line);

#define EXPECT(ranks, condition) ranks_expect((ranks), (condition), #condition, __FILE__, __LINE__)
#define EXPECT_STATUS(ranks, actual, expected, error)                                              \
    ranks_expect_status((ranks), (actual), (expected), (error), __FILE__, __LINE__)

/* Whether a value is the same on every rank of a communicator. [collective] */
bool ranks_same(MPI_Comm comm, long value);
bool ranks_same_text(MPI_Comm comm, const char *text);

/* Whether a save of that path has left its directory behind. */
bool ranks_left_over(const char *path);

/* A barrier that yields the processor on real MPI: MPICH spins, and ranks outnumber cores. */
void ranks_barrier(MPI_Comm comm);

#endif
