#include "parallel/proof.h"

#include "core/digest.h"
#include "core/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash_options(uint64_t hash, const struct reshard_layout_options *options)
{
    const uint64_t numbers[] = {(uint64_t)options->kind, options->replicate, options->shard,
                                options->orig_params, (uint64_t)options->forward};

    return digest_crc(hash, numbers, sizeof numbers);
}

enum reshard_status proof_agree_layout(struct reshard_group *group,
                                       const struct reshard_state *state,
                                       struct reshard_error *error)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const uint64_t holders = reshard_layout_holders(layout);
    enum reshard_status status = RESHARD_OK;

    if (holders != reshard_group_world(group))
        status =
            reshard_error_set(error, RESHARD_EMISMATCH,
                              "the layout is for %" PRIu64 " ranks, but the group has %" PRIu64,
                              holders, reshard_group_world(group));
    else if (reshard_state_rank(state) != reshard_group_rank(group))
        status = reshard_error_set(error, RESHARD_EMISMATCH,
                                   "the state is rank %" PRIu64 "'s, but this is rank %" PRIu64,
                                   reshard_state_rank(state), reshard_group_rank(group));
    status = group_agree(group, status, error);
    if (!status)
        status = group_agree_value(group,
                                   hash_options(reshard_model_hash(reshard_layout_model(layout)),
                                                reshard_layout_options(layout)),
                                   "the model or layout", error);
    return status;
}

/* MPI_SUM would wrap: the lanes are added modulo 2^61-1, each by itself. */
static void add_lanes(void *in, void *inout, int *length, MPI_Datatype *type)
{
    const uint64_t *left = in;
    uint64_t *right = inout;

    (void)type;
    for (int i = 0; i < *length; i++)
        right[i] = plan_proof_add(left[i], right[i]);
}

enum reshard_status proof_cover(struct reshard_group *group, const struct reshard_layout *layout,
                                struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    const uint64_t seed = reshard_model_hash(model);
    const struct plan_proof expected = plan_proof_expected(model, seed);
    struct plan_proof sum;
    MPI_Op op;
    enum reshard_status status =
        plan_proof_local(layout, reshard_group_rank(group), seed, &sum, error);

    status = group_agree(group, status, error);
    if (status)
        return status;
    MPI_Op_create(add_lanes, 1, &op);
    status = group_allreduce(group, group_comm(group), sum.lane, 2, MPI_UINT64_T, op, error);
    MPI_Op_free(&op);
    if (!status && memcmp(&sum, &expected, sizeof sum) != 0)
        status = reshard_error_set(error, RESHARD_ECOVER,
                                   "the ranks' pieces do not cover every element of the model "
                                   "exactly once");
    return status;
}

/* The ranks that together hold once what `mask` cuts: this rank's replica set. */
static enum reshard_status replica_set_comm(struct reshard_group *group,
                                            const struct reshard_layout *layout, uint32_t mask,
                                            MPI_Comm *out, struct reshard_error *error)
{
    const uint64_t key[] = {'S', mask, reshard_layout_options(layout)->replicate,
                            reshard_layout_options(layout)->shard};

    return group_subset(group, digest_crc(0, key, sizeof key),
                        reshard_layout_replica_set(layout, mask, reshard_group_rank(group)), out,
                        error);
}

/* Exclusive-or, over the replica set, the entries of all tensors that `mask` cuts. */
static enum reshard_status reduce_mask(struct reshard_group *group,
                                       const struct reshard_layout *layout, uint32_t mask,
                                       uint64_t *contribution, uint64_t *packed,
                                       struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(reshard_layout_model(layout));
    enum reshard_status status;
    uint32_t count = 0;
    MPI_Comm comm;

    for (uint32_t t = 0; t < tensors; t++)
        if (reshard_layout_cut_mask(layout, t) == mask)
            packed[count++] = contribution[t];
    if (count == 0)
        return RESHARD_OK;
    status = replica_set_comm(group, layout, mask, &comm, error);
    if (status)
        return status;
    status = group_allreduce(group, comm, packed, (int)count, MPI_UINT64_T, MPI_BXOR, error);
    count = 0;
    for (uint32_t t = 0; t < tensors; t++)
        if (reshard_layout_cut_mask(layout, t) == mask)
            contribution[t] = packed[count++];
    return status;
}

enum reshard_status proof_reduce(struct reshard_group *group, const struct reshard_layout *layout,
                                 uint64_t *contribution, struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(reshard_layout_model(layout));
    uint64_t *packed = calloc((size_t)tensors + 1, sizeof *packed);
    enum reshard_status status = group_agree(group, packed ? RESHARD_OK : RESHARD_ENOMEM, error);

    /* What no dimension cuts (mask 0) is whole on each rank already. */
    for (uint32_t mask = 1; !status && mask < 1u << RESHARD_MESH_DIMS_MAX; mask++)
        status = reduce_mask(group, layout, mask, contribution, packed, error);
    free(packed);
    return status;
}

/* The contribution of this rank's packed memory of one tensor. */
static enum reshard_status tensor_contribution(const struct reshard_state *state, uint32_t t,
                                               uint64_t *out)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const struct reshard_tensor *tensor = reshard_model_tensor(reshard_layout_model(layout), t);
    const size_t size = reshard_dtype_bytes(tensor->dtype);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    const char *data = reshard_state_data(state, t);
    enum reshard_status status;

    *out = 0;
    status = reshard_layout_boxes(layout, t, reshard_state_rank(state), &boxes);
    for (uint64_t i = 0; !status && i < boxes.count; i++) {
        const uint64_t count = reshard_box_count(&boxes.box[i]);
        if (count == 0)
            continue;
        *out ^= digest_contribution(&tensor->shape, &boxes.box[i], size, data);
        data += count * size;
    }
    reshard_box_list_release(&boxes);
    return status;
}

enum reshard_status reshard_state_digest(struct reshard_group *group,
                                         const struct reshard_state *state, enum reshard_part part,
                                         uint64_t *digest, struct reshard_error *error)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const struct reshard_model *model = reshard_layout_model(layout);
    const uint32_t tensors = reshard_model_tensor_count(model);
    uint64_t *mine = calloc(tensors + 1, sizeof *mine), bytes = 0;
    enum reshard_status status = mine ? reshard_state_check(state, part, error) : RESHARD_ENOMEM;

    for (uint32_t t = 0; !status && t < tensors; t++) {
        if (!reshard_part_has(part, reshard_model_tensor(model, t)))
            continue;
        status = tensor_contribution(state, t, &mine[t]);
        bytes += reshard_state_bytes(state, t);
    }
    host_charge(group_host(group), RESHARD_WORK_DIGEST, bytes);
    status = group_agree(group, status, error);
    if (!status)
        status = proof_reduce(group, layout, mine, error);
    for (uint32_t t = 0; !status && t < tensors; t++)
        if (reshard_part_has(part, reshard_model_tensor(model, t)))
            digest[t] = mine[t];
    free(mine);
    return status;
}
