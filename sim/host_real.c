#include "sim/host_real.h"

static int real_wait(struct reshard_host *host, MPI_Request *request)
{
    (void)host;
    struct reshard_host *reality = reshard_host_real();
    return reality->ops->wait(reality, request);
}

static bool real_pause(struct reshard_host *host, uint32_t attempt)
{
    (void)host;
    return host_pause(reshard_host_real(), attempt);
}

static uint64_t real_started(struct reshard_host *host)
{
    (void)host;
    struct reshard_host *reality = reshard_host_real();
    return reality->ops->started(reality);
}

static void real_phase(struct reshard_host *base, const char *verb, const char *phase,
                       uint64_t bytes)
{
    const struct host_real *host = (const struct host_real *)base;
    record_event(host->record, host_real_seconds(host), verb, phase, bytes);
}

void host_real_open(struct host_real *out, struct record *record)
{
    static const struct reshard_host_ops ops = {
        .wait = real_wait, .pause = real_pause, .started = real_started, .phase = real_phase};
    *out = (struct host_real){{&ops}, record, MPI_Wtime()};
}

double host_real_seconds(const struct host_real *host)
{
    return MPI_Wtime() - host->begin;
}
