#include "sim/room.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

enum reshard_status room_needed(const struct job *job, uint64_t *out, struct reshard_error *error)
{
    struct reshard_layout *layout = NULL;
    const enum reshard_status status =
        reshard_layout_open(&layout, job->model, &job->layout, error);
    *out = 0;
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(job->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(job->model, t);
        const uint64_t bytes = tensor->count * reshard_dtype_bytes(tensor->dtype);
        uint64_t held = UINT64_MAX;
        if (__builtin_mul_overflow(bytes, reshard_layout_replicas_most(layout, t), &held) ||
            __builtin_add_overflow(*out, held, out))
            *out = UINT64_MAX;
    }
    reshard_layout_close(layout);
    return status;
}

uint64_t room_descriptors_needed(const struct job *job)
{
    enum {
        SIMULATED = 2, /* a rank that saves: its file, and the same for direct transfers */
        REAL = 4,      /* the launcher's pipes to a rank, and its socket */
        BESIDES = 64,  /* libraries, logs, the launcher itself */
    };
    return BESIDES + job->ranks * (job->simulated ? SIMULATED : REAL);
}

uint64_t room_descriptors_free(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return UINT64_MAX;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : UINT64_MAX;
}

uint64_t room_free(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    uint64_t kib = UINT64_MAX / 1024;
    char line[128];
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
            break;
    if (file)
        (void)fclose(file);
    return kib * 1024;
}
