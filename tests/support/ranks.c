#include "support/ranks.h"

#include "core/leftover.h"
#include "core/store.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool ranks_expect(struct ranks *ranks, bool holds, const char *text, const char *file, int line)
{
    if (!holds) {
        ranks->failures++;
        printf("%s:%d: rank %d: %s: does not hold: %s\n", file, line, ranks->rank, ranks->test,
               text);
    }
    return holds;
}

bool ranks_expect_status(struct ranks *ranks, enum reshard_status actual,
                         enum reshard_status expected, const struct reshard_error *error,
                         const char *file, int line)
{
    if (actual != expected) {
        ranks->failures++;
        printf("%s:%d: rank %d: %s: %s instead of %s: %s\n", file, line, ranks->rank, ranks->test,
               reshard_status_name(actual), reshard_status_name(expected),
               error ? error->text : "");
    }
    return actual == expected;
}

/* In simulation each MPI_Test costs simulated time, and a lone rank's never succeeds: block there.
 */
static void wait_for(MPI_Request *request)
{
#ifdef RESHARD_SIMULATED
    MPI_Wait(request, MPI_STATUS_IGNORE);
#else
    int done = 0;

    while (!done) {
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (!done)
            sched_yield();
    }
#endif
}

static struct reshard_host *test_host(void)
{
#ifdef RESHARD_SIMULATED
    static const struct reshard_host_ops ops = {.wait = NULL};
    static struct reshard_host host = {&ops};

    return &host;
#else
    return reshard_host_real();
#endif
}

struct reshard_group *ranks_group(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group = NULL;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    return group;
}

void ranks_barrier(MPI_Comm comm)
{
    MPI_Request request;

    MPI_Ibarrier(comm, &request);
    wait_for(&request);
}

bool ranks_same(MPI_Comm comm, long value)
{
    long extremes[2] = {value, -value};
    MPI_Request request;

    MPI_Iallreduce(MPI_IN_PLACE, extremes, 2, MPI_LONG, MPI_MAX, comm, &request);
    wait_for(&request);
    return extremes[0] == -extremes[1];
}

bool ranks_same_text(MPI_Comm comm, const char *text)
{
    unsigned long hash = 1469598103u;

    for (const char *c = text; *c; c++)
        hash = hash * 1099511628211u ^ (unsigned char)*c;
    return ranks_same(comm, (long)(hash & 0x7fffffff));
}

bool ranks_left_over(const char *path)
{
    const char *slash = strrchr(path, '/');
    char parent[512], begin[300], **names = NULL;
    uint64_t count = 0, found = 0;

    snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    snprintf(begin, sizeof begin, ".%s.", slash + 1);
    if (store_list(store_posix(), parent, &names, &count, NULL))
        return true;
    for (uint64_t i = 0; i < count; i++)
        found += leftover_is_name(names[i]) && strncmp(names[i], begin, strlen(begin)) == 0;
    store_names_free(names, count);
    return found > 0;
}

/* One directory for the run: rank 0 makes it and tells the others its name. */
static void open_scratch(struct ranks *ranks, const char *program)
{
    const char *slash = strrchr(program, '/');
    MPI_Request request;

    if (ranks->rank == 0) {
        snprintf(ranks->scratch, sizeof ranks->scratch, RESHARD_BINARY_DIR "/scratch-%.80s-XXXXXX",
                 slash ? slash + 1 : program);
        if (!mkdtemp(ranks->scratch)) {
            perror("scratch directory");
            ranks->scratch[0] = '\0';
        }
    }
    MPI_Ibcast(ranks->scratch, sizeof ranks->scratch, MPI_CHAR, 0, MPI_COMM_WORLD, &request);
    wait_for(&request);
}

int ranks_main(int argc, char **argv, const struct ranks_test *tests)
{
    struct ranks ranks = {.comm = MPI_COMM_WORLD, .test = "", .scratch = ""};
    int failures;

    ranks.options.host = test_host();
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &ranks.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks.size);
    open_scratch(&ranks, argv[0]);
    EXPECT(&ranks, ranks.scratch[0] != '\0');
    for (const struct ranks_test *test = tests; test->name; test++) {
        ranks.test = test->name;
        test->run(&ranks);
        ranks_barrier(MPI_COMM_WORLD);
    }
    ranks_barrier(MPI_COMM_WORLD);
    if (ranks.rank == 0 && ranks.scratch[0])
        (void)!store_remove(store_posix(), ranks.scratch, NULL);
    failures = ranks.failures;
    if (failures)
        printf("rank %d failed: %d expectations\n", ranks.rank, failures);
    else
        printf("rank %d passed\n", ranks.rank);
    fflush(stdout);
    MPI_Finalize();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
