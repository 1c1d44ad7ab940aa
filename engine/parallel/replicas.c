#include "parallel/replicas.h"

#include "core/digest.h"

#include <stdlib.h>
#include <string.h>

/*
 * Tensors that the same mesh dimensions cut have the same replicas. All of them are spread through
 * one buffer: each replica puts in what it owns and zeros for the rest, and a bitwise or gives
 * everybody everything. Owners alternate from tensor to tensor, so this is an allgather in effect,
 * at any number of small tensors, with one message pattern and bounded memory.
 */
struct spread {
    struct reshard_group *group;
    struct reshard_state *state;
    MPI_Comm replicas; /* the ranks that hold what this one holds */
    uint64_t *buffer;
    uint64_t filled;
    uint64_t part_count;
    struct {
        uint32_t tensor;
        uint64_t begin; /* byte within the packed local memory */
        uint64_t bytes;
    } part[1024];
};

bool replicas_is_owner(const struct reshard_state *state, uint32_t tensor)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const uint64_t rank = reshard_state_rank(state);

    return reshard_layout_owner(layout, tensor, reshard_layout_shard_of(layout, tensor, rank)) ==
           rank;
}

static enum reshard_status spread_flush(struct spread *spread, struct reshard_error *error)
{
    const int words = (int)((spread->filled + sizeof(uint64_t) - 1) / sizeof(uint64_t));
    const char *next = (const char *)spread->buffer;
    enum reshard_status status;

    if (spread->filled == 0)
        return RESHARD_OK;
    memset((char *)spread->buffer + spread->filled, 0,
           (size_t)words * sizeof(uint64_t) - spread->filled);
    status = group_allreduce(spread->group, spread->replicas, spread->buffer, words, MPI_UINT64_T,
                             MPI_BOR, error);
    for (uint64_t i = 0; !status && i < spread->part_count; i++) {
        char *const memory = reshard_state_data(spread->state, spread->part[i].tensor);
        memcpy(memory + spread->part[i].begin, next, spread->part[i].bytes);
        next += spread->part[i].bytes;
    }
    spread->filled = spread->part_count = 0;
    return status;
}

static enum reshard_status spread_tensor(struct spread *spread, uint32_t tensor,
                                         struct reshard_error *error)
{
    const char *const memory = reshard_state_data(spread->state, tensor);
    const uint64_t bytes = reshard_state_bytes(spread->state, tensor);
    const bool owner = replicas_is_owner(spread->state, tensor);
    enum reshard_status status = RESHARD_OK;
    uint64_t part;

    for (uint64_t begin = 0; !status && begin < bytes; begin += part) {
        const uint64_t room = REPLICAS_BUFFER_BYTES - spread->filled;
        char *const place = (char *)spread->buffer + spread->filled;
        part = bytes - begin < room ? bytes - begin : room;
        if (owner)
            memcpy(place, memory + begin, part);
        else
            memset(place, 0, part);
        spread->part[spread->part_count].tensor = tensor;
        spread->part[spread->part_count].begin = begin;
        spread->part[spread->part_count].bytes = part;
        spread->part_count++;
        spread->filled += part;
        if (spread->filled == REPLICAS_BUFFER_BYTES ||
            spread->part_count == sizeof spread->part / sizeof *spread->part)
            status = spread_flush(spread, error);
    }
    return status;
}

/* The ranks that hold the same shard of what `mask` cuts: this rank's fellow replicas. */
static enum reshard_status replicas_comm(struct spread *spread, uint32_t mask, uint64_t shard,
                                         struct reshard_error *error)
{
    const struct reshard_layout_options *options =
        reshard_layout_options(reshard_state_layout(spread->state));
    const uint64_t key[] = {'R', mask, options->replicate, options->shard};

    return group_subset(spread->group, digest_crc(0, key, sizeof key), shard, &spread->replicas,
                        error);
}

/* Spread the tensors of one mask, if there are any and they have replicas. */
static enum reshard_status spread_mask(struct spread *spread, uint32_t mask, enum reshard_part part,
                                       struct reshard_error *error)
{
    const struct reshard_layout *layout = reshard_state_layout(spread->state);
    const struct reshard_model *model = reshard_layout_model(layout);
    const uint64_t rank = reshard_group_rank(spread->group);
    enum reshard_status status = RESHARD_OK;
    bool opened = false;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        if (reshard_layout_cut_mask(layout, t) != mask ||
            !reshard_part_has(part, reshard_model_tensor(model, t)) ||
            reshard_layout_shards(layout, t) == reshard_layout_holders(layout))
            continue;
        if (!opened)
            status = replicas_comm(spread, mask, reshard_layout_shard_of(layout, t, rank), error);
        opened = true;
        if (!status)
            status = spread_tensor(spread, t, error);
    }
    if (!status)
        status = spread_flush(spread, error);
    return status;
}

enum reshard_status replicas_spread(struct reshard_group *group, struct reshard_state *state,
                                    enum reshard_part part, struct reshard_error *error)
{
    struct spread *spread = calloc(1, sizeof *spread);
    enum reshard_status status = RESHARD_ENOMEM;

    if (spread) {
        spread->group = group;
        spread->state = state;
        spread->buffer = malloc(REPLICAS_BUFFER_BYTES);
        status = spread->buffer ? RESHARD_OK : RESHARD_ENOMEM;
    }
    status = group_agree(group, status, error);
    for (uint32_t mask = 0; !status && mask < 1u << RESHARD_MESH_DIMS_MAX; mask++)
        status = spread_mask(spread, mask, part, error);
    if (spread)
        free(spread->buffer);
    free(spread);
    return status;
}
