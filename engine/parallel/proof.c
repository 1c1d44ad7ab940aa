#include "parallel/proof.h"

#include "core/argument.h"
#include "parallel/absence.h"

#include "core/digest.h"
#include "core/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- cover ----------------------------------------------------------------------------------- */

/* MPI_SUM would wrap: words are added modulo 2^61-1, each by itself. */
static void add_words(void *in, void *inout, int *length, MPI_Datatype *type)
{
    const uint64_t *left = in;
    uint64_t *right = inout;

    (void)type;
    for (int i = 0; i < *length; i++)
        right[i] = plan_proof_add(left[i], right[i]);
}

static enum reshard_status add_all(struct reshard_group *group, uint64_t *words, int count,
                                   struct reshard_error *error)
{
    enum reshard_status status;
    MPI_Op op;

    MPI_Op_create(add_words, 1, &op);
    status = group_allreduce(group, words, count, MPI_UINT64_T, op, error);
    MPI_Op_free(&op);
    return status;
}

enum reshard_status proof_cover(struct reshard_group *group, const struct reshard_layout *layout,
                                struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    const uint64_t seed = reshard_model_hash(model);
    const struct plan_proof expected = plan_proof_expected(model, seed);
    struct plan_proof sum;
    enum reshard_status status =
        plan_proof_local(layout, reshard_group_rank(group), seed, &sum, error);

    status = reshard_group_agree(group, status, error);
    if (!status)
        status = add_all(group, sum.lane, 2, error);
    if (!status && memcmp(&sum, &expected, sizeof sum) != 0)
        status = reshard_error_set(error, RESHARD_ECOVER,
                                   "the ranks' pieces do not cover every element of the model "
                                   "exactly once");
    return status;
}

/* ---- contributions --------------------------------------------------------------------------- */

enum { DEVICE_BUFFER_BYTES = 1024 * 1024 };

/* A dense piece's contribution where the host cannot reach it, through a buffer. */
static enum reshard_status device_contribution(const struct reshard_device *device,
                                               const struct reshard_tensor *tensor,
                                               const struct reshard_box *box, const char *data,
                                               uint64_t bytes, uint64_t *out)
{
    char *buffer = malloc(DEVICE_BUFFER_BYTES);
    enum reshard_status status = buffer ? RESHARD_OK : RESHARD_ENOMEM;
    struct digest_stream digest;

    digest_stream_begin(&digest, &tensor->shape, box, reshard_dtype_bytes(tensor->dtype));
    for (uint64_t at = 0; !status && at < bytes; at += DEVICE_BUFFER_BYTES) {
        const uint64_t part = bytes - at < DEVICE_BUFFER_BYTES ? bytes - at : DEVICE_BUFFER_BYTES;
        status = device_read(device, buffer, data + at, part);
        if (!status)
            digest_stream_add(&digest, buffer, part);
    }
    *out = digest.value;
    free(buffer);
    return status;
}

enum reshard_status proof_contribution(const struct reshard_state *state, uint32_t tensor,
                                       uint64_t *out, uint64_t *bytes)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const struct reshard_tensor *entry = reshard_model_tensor(reshard_layout_model(layout), tensor);
    const struct reshard_device *device = reshard_state_device(state);
    const size_t size = reshard_dtype_bytes(entry->dtype);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    const char *data = reshard_state_data(state, tensor);
    enum reshard_status status =
        reshard_layout_boxes(layout, tensor, reshard_state_rank(state), &boxes);

    *out = 0;
    for (uint64_t i = 0; !status && i < boxes.count; i++) {
        const uint64_t part = reshard_box_count(&boxes.box[i]) * size;
        uint64_t value = 0;
        if (part == 0)
            continue;
        if (device)
            status = device_contribution(device, entry, &boxes.box[i], data, part, &value);
        else
            value = digest_contribution(&entry->shape, &boxes.box[i], size, data);
        *out ^= value;
        *bytes += part;
        data += part;
    }
    reshard_box_list_release(&boxes);
    return status;
}

enum reshard_status proof_unite(struct reshard_group *group, const struct reshard_layout *layout,
                                const uint64_t *contribution, uint64_t *digest,
                                struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(reshard_layout_model(layout));
    const uint64_t rank = reshard_group_rank(group);

    for (uint32_t t = 0; t < tensors; t++)
        digest[t] = reshard_layout_is_owner(layout, t, rank) ? contribution[t] : 0;
    return group_allreduce(group, digest, (int)tensors, MPI_UINT64_T, MPI_BXOR, error);
}

/* ---- replicas -------------------------------------------------------------------------------- */

/*
 * All replicas of all shards are held against their owners by one sum a tensor: each replica adds
 * its contribution times a random weight of its own, and each owner subtracts its contribution
 * times the weights of its replicas, modulo the prime 2^61-1. Where all are equal the sum is 0; if
 * any is not, it is 0 in one case of 2^61. No communicator of replicas is needed, which would have
 * to be split off for every placement.
 */
#define PRIME ((UINT64_C(1) << 61) - 1)

static uint64_t multiply(uint64_t a, uint64_t b)
{
    return (uint64_t)((unsigned __int128)(a % PRIME) * (b % PRIME) % PRIME);
}

/* The weight of a holder's replica of a tensor: fixed numbers do, since damage does not know them
 * (splitmix64's mixing). */
static uint64_t weight(uint32_t tensor, uint64_t holder)
{
    uint64_t x = ((uint64_t)tensor << 32 | holder) + UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (x ^ x >> 31) % PRIME;
}

/* What a rank adds to the sum of a tensor. */
static uint64_t replica_word(const struct reshard_layout *layout, uint32_t tensor, uint64_t rank,
                             uint64_t contribution)
{
    const uint64_t shard = reshard_layout_shard_of(layout, tensor, rank);
    uint64_t replicas, owner, weights = 0;

    if (shard == RESHARD_SHARD_NONE)
        return 0;
    replicas = reshard_layout_replicas(layout, tensor, shard);
    owner = reshard_layout_owner(layout, tensor, shard);
    if (owner != rank)
        return multiply(weight(tensor, rank), contribution);
    for (uint64_t r = 0; r < replicas; r++) {
        const uint64_t holder = reshard_layout_holder(layout, tensor, shard, r);
        if (holder != owner)
            weights = plan_proof_add(weights, weight(tensor, holder));
    }
    return (PRIME - multiply(weights, contribution)) % PRIME;
}

/* Above all ranks; MPICH 4.0 takes the minimum of MPI_UINT64_T as if it had a sign. */
#define NO_RANK ((uint64_t)INT64_MAX)

/* Where it is known that replicas of a tensor differ: the lowest rank that has another than its
 * owner, as text. Costs a word a shard. [collective] */
static enum reshard_status name_replica(struct reshard_group *group,
                                        const struct reshard_layout *layout, uint32_t tensor,
                                        uint64_t contribution, char *text,
                                        struct reshard_error *error)
{
    const uint64_t rank = reshard_group_rank(group), shards = reshard_layout_shards(layout, tensor);
    const uint64_t shard = reshard_layout_shard_of(layout, tensor, rank);
    uint64_t *owners = calloc(shards, sizeof *owners), first = NO_RANK, owner = 0;
    enum reshard_status status =
        reshard_group_agree(group, owners ? RESHARD_OK : RESHARD_ENOMEM, error);
    char name[RESHARD_TENSOR_TEXT_MAX];

    if (!status && reshard_layout_is_owner(layout, tensor, rank))
        owners[shard] = contribution;
    if (!status)
        status = group_allreduce(group, owners, (int)shards, MPI_UINT64_T, MPI_BXOR, error);
    if (!status && shard != RESHARD_SHARD_NONE && owners[shard] != contribution)
        first = rank;
    if (!status)
        status = group_allreduce(group, &first, 1, MPI_UINT64_T, MPI_MIN, error);
    free(owners);
    if (!status && first != NO_RANK) {
        owner =
            reshard_layout_owner(layout, tensor, reshard_layout_shard_of(layout, tensor, first));
        reshard_tensor_print(reshard_model_tensor(reshard_layout_model(layout), tensor), name,
                             sizeof name);
        snprintf(text, RESHARD_TENSOR_TEXT_MAX,
                 "tensor %.400s: rank %" PRIu64 " does not hold what rank %" PRIu64 " does", name,
                 first, owner);
    }
    return status;
}

enum reshard_status proof_replicas(struct reshard_group *group, const struct reshard_layout *layout,
                                   const bool *chosen, const uint64_t *contribution,
                                   uint64_t *diverged, char *text, struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(reshard_layout_model(layout));
    const uint64_t rank = reshard_group_rank(group);
    uint64_t *word = calloc((size_t)tensors + 1, sizeof *word);
    enum reshard_status status =
        reshard_group_agree(group, word ? RESHARD_OK : RESHARD_ENOMEM, error);
    uint32_t first = UINT32_MAX;

    *diverged = 0;
    text[0] = '\0';
    for (uint32_t t = 0; !status && t < tensors; t++)
        if (chosen[t])
            word[t] = replica_word(layout, t, rank, contribution[t]);
    if (!status)
        status = add_all(group, word, (int)tensors, error);
    for (uint32_t t = 0; !status && t < tensors; t++) {
        if (word[t] == 0)
            continue;
        (*diverged)++;
        if (first == UINT32_MAX)
            first = t;
    }
    free(word);
    if (!status && first != UINT32_MAX)
        status = name_replica(group, layout, first, contribution[first], text, error);
    return status;
}

/* ---- digests --------------------------------------------------------------------------------- */

/* What this rank's memory contributes to each of the chosen tensors. Local. */
static enum reshard_status contribute(const struct reshard_state *state, const bool *chosen,
                                      uint64_t *mine, uint64_t *bytes)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(state));
    enum reshard_status status = RESHARD_OK;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++)
        if (chosen[t])
            status = proof_contribution(state, t, &mine[t], bytes);
    return status;
}

enum reshard_status proof_digest(struct reshard_group *group, const struct reshard_state *state,
                                 const bool *chosen, uint64_t *digest, struct reshard_error *error)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const uint32_t tensors = reshard_model_tensor_count(reshard_layout_model(layout));
    uint64_t *mine = calloc(2 * ((size_t)tensors + 1), sizeof *mine), bytes = 0, diverged = 0;
    enum reshard_status status = mine ? contribute(state, chosen, mine, &bytes) : RESHARD_ENOMEM;
    char text[RESHARD_TENSOR_TEXT_MAX];

    host_charge(group_host(group), RESHARD_WORK_DIGEST, bytes);
    status = reshard_group_agree(group, status, error);
    if (!status)
        status = proof_unite(group, layout, mine, mine + tensors, error);
    if (!status)
        status = proof_replicas(group, layout, chosen, mine, &diverged, text, error);
    if (!status && diverged)
        status = reshard_error_set(error, RESHARD_EDIGEST, "%s (%" PRIu64 " tensors differ)", text,
                                   diverged);
    for (uint32_t t = 0; !status && t < tensors; t++)
        if (chosen[t])
            digest[t] = mine[tensors + t];
    free(mine);
    return status;
}

/* Room for marks of what is chosen and of what is absent. Local. */
static enum reshard_status make_marks(const struct reshard_state *state, enum reshard_part part,
                                      bool **out, struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(state));

    *out = calloc(2 * ((size_t)reshard_model_tensor_count(model) + 1), sizeof **out);
    return *out ? reshard_state_check(state, part, error) : RESHARD_ENOMEM;
}

enum reshard_status reshard_state_digest(struct reshard_group *group,
                                         const struct reshard_state *state, enum reshard_part part,
                                         uint64_t *digest, struct reshard_error *error)
{
    const struct reshard_model *model;
    bool *chosen = NULL, *absent;
    enum reshard_status status;
    uint32_t tensors;

    reshard_error_clear(error);
    status = CHECK_ARGUMENTS(error, ARGUMENT(state), ARGUMENT(digest));
    if (!status)
        status = make_marks(state, part, &chosen, error);
    status = group_begin(group, GROUP_DIGEST, status, error);
    if (status) {
        free(chosen);
        return status;
    }
    model = reshard_layout_model(reshard_state_layout(state));
    tensors = reshard_model_tensor_count(model);
    absent = chosen + tensors + 1;
    status = absence_agree(group, state, absent, error);
    for (uint32_t t = 0; !status && t < tensors; t++) {
        const bool wanted = reshard_part_has(part, reshard_model_tensor(model, t));
        chosen[t] = wanted && !absent[t];
        if (wanted && absent[t])
            digest[t] = 0;
    }
    if (!status)
        status = proof_digest(group, state, chosen, digest, error);
    free(chosen);
    group_end(group);
    return status;
}
