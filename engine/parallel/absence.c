#include "parallel/absence.h"

#include "parallel/schema.h"

#include <stdlib.h>

/* What ranks say, a bit a tensor each. Who holds elements of a slot outweighs who does not; an
 * empty slot, of which nobody does, is absent where anyone says so. */
struct sayings {
    uint64_t *absent;  /* by a rank that holds elements */
    uint64_t *present; /* likewise */
    uint64_t *empty;   /* absent, by a rank that holds none */
    uint64_t words;    /* of each of them */
};

static bool bit(const uint64_t *words, uint32_t t)
{
    return words[t / 64] >> t % 64 & 1;
}

static void fill(const struct reshard_state *state, const struct sayings *sayings)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(state));

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const bool absent = reshard_state_is_absent(state, t);
        const uint64_t mask = UINT64_C(1) << t % 64;
        if (reshard_state_bytes(state, t))
            (absent ? sayings->absent : sayings->present)[t / 64] |= mask;
        else if (absent)
            sayings->empty[t / 64] |= mask;
    }
}

/* Some have it and some have not. [collective] */
static enum reshard_status refuse(struct reshard_group *group, const struct reshard_state *state,
                                  uint32_t t, struct reshard_error *error)
{
    const struct reshard_tensor *tensor =
        reshard_model_tensor(reshard_layout_model(reshard_state_layout(state)), t);
    const bool mine = reshard_state_bytes(state, t) && reshard_state_is_absent(state, t);
    char ranks[256] = "", name[RESHARD_TENSOR_TEXT_MAX];
    const enum reshard_status status = schema_name_ranks(group, mine, ranks, sizeof ranks, error);

    if (status)
        return status;
    return reshard_error_set(error, RESHARD_EMISMATCH,
                             "%s is absent on rank %s, and there on others that hold some of it",
                             reshard_tensor_print(tensor, name, sizeof name), ranks);
}

enum reshard_status absence_agree(struct reshard_group *group, const struct reshard_state *state,
                                  bool *absent, struct reshard_error *error)
{
    const uint32_t tensors =
        reshard_model_tensor_count(reshard_layout_model(reshard_state_layout(state)));
    struct sayings sayings = {.words = (uint64_t)tensors / 64 + 1};
    uint64_t *words = calloc(3 * sayings.words, sizeof *words);
    enum reshard_status status =
        reshard_group_agree(group, words ? RESHARD_OK : RESHARD_ENOMEM, error);

    if (!status) {
        sayings.absent = words;
        sayings.present = words + sayings.words;
        sayings.empty = words + 2 * sayings.words;
        fill(state, &sayings);
        status =
            group_allreduce(group, words, (int)(3 * sayings.words), MPI_UINT64_T, MPI_BOR, error);
    }
    for (uint32_t t = 0; !status && t < tensors; t++) {
        if (bit(sayings.absent, t) && bit(sayings.present, t))
            status = refuse(group, state, t, error);
        absent[t] = bit(sayings.absent, t) || (!bit(sayings.present, t) && bit(sayings.empty, t));
    }
    free(words);
    return status;
}
