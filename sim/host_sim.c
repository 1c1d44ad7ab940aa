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

void host_sim_open(struct host_sim *out, struct record *record, double device_bandwidth)
{
    static const struct reshard_host_ops ops = {.charge = sim_charge, .phase = sim_phase};
    *out = (struct host_sim){{&ops}, record, device_bandwidth};
}
