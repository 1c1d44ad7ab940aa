#include "sim/host_sim.h"

#include <simgrid/actor.h>
#include <simgrid/engine.h>

static void sim_charge(struct reshard_host *base, enum reshard_work work, uint64_t bytes)
{
    const struct host_sim *host = (const struct host_sim *)base;
    const double bandwidth =
        work == RESHARD_WORK_DIGEST ? HOST_SIM_DIGEST_BANDWIDTH : host->device_bandwidth;
    if (bandwidth > 0 && bytes > 0)
        sg_actor_sleep_for((double)bytes / bandwidth);
}

static void sim_phase(struct reshard_host *base, const char *verb, const char *phase,
                      uint64_t bytes)
{
    const struct host_sim *host = (const struct host_sim *)base;
    record_event(host->record, simgrid_get_clock(), verb, phase, bytes);
}

/* SplitMix64: all states follow one another in one cycle. */
static uint64_t draw(uint64_t *state)
{
    uint64_t word = *state += UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

static void sim_random(struct reshard_host *base, void *bytes, size_t count)
{
    struct host_sim *host = (struct host_sim *)base;
    for (size_t i = 0; i < count; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)draw(&host->drawn);
}

void host_sim_open(struct host_sim *out, struct record *record, double device_bandwidth,
                   uint64_t seed)
{
    static const struct reshard_host_ops ops = {
        .charge = sim_charge, .phase = sim_phase, .random = sim_random};
    *out = (struct host_sim){{&ops}, record, device_bandwidth, seed};
}
