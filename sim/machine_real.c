#include "sim/host_real.h"
#include "sim/machine.h"

#include <stdlib.h>

struct machine {
    struct host_real host;
    struct record record;
};

enum reshard_status machine_open(struct machine **out, const struct job *job, uint64_t rank,
                                 struct reshard_error *error)
{
    *out = NULL;
    if (job->simulated)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "the job is for a simulated cluster; this program runs on MPI");
    struct machine *machine = calloc(1, sizeof(*machine));
    if (!machine)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the rank's machine");
    machine->record = (struct record)RECORD_INIT(rank);
    host_real_open(&machine->host, &machine->record);
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
    (void)machine;
    reshard_environment_from_process(out);
}

struct reshard_host *machine_host(struct machine *machine)
{
    return &machine->host.host;
}

struct store *machine_store(struct machine *machine)
{
    (void)machine;
    return store_posix();
}

const struct record *machine_record(const struct machine *machine)
{
    return &machine->record;
}

double machine_seconds(const struct machine *machine)
{
    return host_real_seconds(&machine->host);
}
