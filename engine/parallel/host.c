#include "parallel/host.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { PAUSES = 10, PAUSE_NANOSECONDS = 5000000 };

/* Ranks often outnumber processors in tests: whoever waits lets the others run. */
static int yielding_wait(struct reshard_host *host, MPI_Request *request)
{
    int done = 0, code;

    (void)host;
    while ((code = MPI_Test(request, &done, MPI_STATUS_IGNORE)) == MPI_SUCCESS && !done)
        sched_yield();
    return code;
}

static bool real_pause(struct reshard_host *host, uint32_t attempt)
{
    const uint64_t length = (uint64_t)PAUSE_NANOSECONDS << (attempt < PAUSES ? attempt : 0);
    struct timespec left = {(time_t)(length / 1000000000), (long)(length % 1000000000)};

    (void)host;
    while (attempt < PAUSES && nanosleep(&left, &left) && errno == EINTR)
        continue;
    return attempt < PAUSES;
}

static uint64_t started(struct reshard_host *host)
{
    int size = 1;

    (void)host;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    return (uint64_t)size;
}

struct reshard_host *reshard_host_real(void)
{
    static const struct reshard_host_ops ops = {
        .wait = yielding_wait, .pause = real_pause, .started = started};
    static const struct reshard_host host = {&ops};

    return (struct reshard_host *)&host;
}

enum reshard_status host_random(struct reshard_host *host, void *bytes, size_t count,
                                struct reshard_error *error)
{
    ssize_t done;

    if (host->ops->random) {
        host->ops->random(host, bytes, count);
        return RESHARD_OK;
    }
    do
        done = getrandom(bytes, count, 0);
    while (done < 0 && errno == EINTR);
    if (done != (ssize_t)count)
        return reshard_error_set(error, RESHARD_EIO, "cannot draw a token: %s",
                                 done < 0 ? strerror(errno) : "too few random bytes");
    return RESHARD_OK;
}

bool host_pause(struct reshard_host *host, uint32_t attempt)
{
    return host->ops->pause && host->ops->pause(host, attempt);
}

void host_charge(struct reshard_host *host, enum reshard_work work, uint64_t bytes)
{
    if (host->ops->charge)
        host->ops->charge(host, work, bytes);
}

void host_phase(struct reshard_host *host, const char *verb, const char *phase, uint64_t bytes)
{
    if (host->ops->phase)
        host->ops->phase(host, verb, phase, bytes);
}
