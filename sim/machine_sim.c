#include "core/digest.h"
#include "sim/host_sim.h"
#include "sim/machine.h"
#include "sim/store_sim.h"

#include <simgrid/engine.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT_MAX = 24 };

/* Simulated ranks share the process's environment, so each has one of its own, as strings. */
struct place {
    char rank[NUMBER_TEXT_MAX];
    char world[NUMBER_TEXT_MAX];
    char local_rank[NUMBER_TEXT_MAX];
    char local_world[NUMBER_TEXT_MAX];
};

struct machine {
    struct host_sim host;
    struct store_sim store;
    struct record record;
    struct place place;
};

static void print_number(char text[NUMBER_TEXT_MAX], uint64_t value)
{
    (void)snprintf(text, NUMBER_TEXT_MAX, "%" PRIu64, value);
}

/* Ranks fill the nodes in order, the last node with what is left. */
static void place_fill(struct place *place, const struct job *job, uint64_t rank)
{
    const uint64_t per_node = job->cluster.ranks_per_node;
    const uint64_t first = rank - rank % per_node;
    const uint64_t left = job->ranks - first;
    print_number(place->rank, rank);
    print_number(place->world, job->ranks);
    print_number(place->local_rank, rank % per_node);
    print_number(place->local_world, left < per_node ? left : per_node);
}

/* Of what a rank draws at random: the digest of what tells it from all others. */
static uint64_t seed_of(const struct job *job, uint64_t rank)
{
    const uint64_t numbers[] = {job->seed, job->world, rank};
    return digest_crc(digest_crc(0, job->scenario, strlen(job->scenario)), numbers, sizeof numbers);
}

enum reshard_status machine_open(struct machine **out, const struct job *job, uint64_t rank,
                                 struct reshard_error *error)
{
    *out = NULL;
    if (!job->simulated || job->cluster.ranks_per_node == 0)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "the job describes no simulated cluster; this program needs one");
    if (rank >= job->ranks)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "the job is for %" PRIu64 " ranks, and this is rank %" PRIu64,
                                 job->ranks, rank);
    struct machine *machine = calloc(1, sizeof(*machine));
    if (!machine)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the rank's machine");
    machine->record = (struct record)RECORD_INIT(rank);
    host_sim_open(&machine->host, &machine->record, job->cluster.device_to_host,
                  seed_of(job, rank));
    place_fill(&machine->place, job, rank);
    enum reshard_status status = store_sim_open(&machine->store, store_posix(),
                                                (uint32_t)job->cluster.storage_servers, error);
    if (status) {
        machine_close(machine);
        return status;
    }
    *out = machine;
    return RESHARD_OK;
}

void machine_close(struct machine *machine)
{
    if (!machine)
        return;
    record_release(&machine->record);
    free(machine);
}

void machine_environment(const struct machine *machine, struct reshard_environment *out)
{
    *out = (struct reshard_environment){
        .master_addr = "node-0",
        .master_port = "29500",
        .rank = machine->place.rank,
        .world_size = machine->place.world,
        .local_rank = machine->place.local_rank,
        .local_world_size = machine->place.local_world,
    };
}

struct reshard_host *machine_host(struct machine *machine)
{
    return &machine->host.host;
}

struct store *machine_store(struct machine *machine)
{
    return &machine->store.store;
}

const struct record *machine_record(const struct machine *machine)
{
    return &machine->record;
}

double machine_seconds(const struct machine *machine)
{
    (void)machine;
    return simgrid_get_clock();
}
