#include "parallel/schema.h"

#include "core/digest.h"
#include "core/groups_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_NAMED_MAX = 8, ENTRY_TEXT_MAX = 768 };

/* Are all ranks' values the same? [collective] */
static enum reshard_status all_same(struct reshard_group *group, uint64_t value, bool *same,
                                    struct reshard_error *error)
{
    uint64_t extremes[2] = {value, ~value};
    const enum reshard_status status =
        group_allreduce(group, extremes, 2, MPI_UINT64_T, MPI_MAX, error);

    *same = extremes[0] == ~extremes[1];
    return status;
}

/* ---- where they differ ----------------------------------------------------------------------- */

/* The first entry of a list that is not the same on all ranks, or the lowest number of entries when
 * all of those are. Each step halves what is left. [collective] */
static enum reshard_status find_entry(struct reshard_group *group, const struct schema_list *list,
                                      uint64_t *out, struct reshard_error *error)
{
    uint64_t low = 0, high = list->count;
    enum reshard_status status = group_allreduce(group, &high, 1, MPI_UINT64_T, MPI_MIN, error);
    bool same = true;

    while (!status && low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        status = all_same(group, list->hash_of_first(list->of, middle), &same, error);
        if (same)
            low = middle;
        else
            high = middle - 1;
    }
    *out = low;
    return status;
}

/* What an entry is besides its name, dtype and shape: all that ranks must agree on is in its text.
 */
static const char *print_kind(const struct reshard_tensor *tensor, char *text, size_t size)
{
    static const char *const rows[] = {"per_rank (refused at another world)",
                                       "per_rank (kept at another world)",
                                       "per_rank (wrapped at another world)"};

    if (!reshard_tensor_is_slot(tensor))
        return tensor->role == RESHARD_ROLE_PER_RANK ? rows[tensor->other_world]
                                                     : reshard_role_name(tensor->role);
    if (tensor->block)
        snprintf(text, size, "slot (blockwise, of %" PRIu64 " elements)", tensor->block);
    else
        snprintf(text, size, "slot (%s)", reshard_slot_class_name(tensor->slot_class));
    return text;
}

/* The hash of a layout's model's first `count` entries. */
static uint64_t hash_of_first(const void *of, uint64_t count)
{
    const struct reshard_model *model = reshard_layout_model(of);
    uint64_t hash = 0;

    for (uint32_t t = 0; t < count; t++) {
        const uint64_t entry = reshard_model_tensor_hash(model, t);
        hash = digest_crc(hash, &entry, sizeof entry);
    }
    return hash;
}

/* What this rank has as that entry; where all entries agree, what else there is. */
static void describe(const void *of, uint64_t entry, char *text, size_t size)
{
    const struct reshard_layout *layout = of;
    const struct reshard_model *model = reshard_layout_model(layout);
    const struct reshard_layout_options *options = reshard_layout_options(layout);
    char name[RESHARD_TENSOR_TEXT_MAX], shape[224], kind[64];

    if (entry < reshard_model_tensor_count(model)) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, (uint32_t)entry);
        snprintf(text, size, "entry %" PRIu64 " is %s %s %s, %s of unit '%.64s'", entry,
                 reshard_tensor_print(tensor, name, sizeof name), reshard_dtype_name(tensor->dtype),
                 reshard_shape_print(&tensor->shape, shape, sizeof shape),
                 print_kind(tensor, kind, sizeof kind), reshard_model_unit(model, tensor->unit));
        return;
    }
    snprintf(text, size,
             "it has %" PRIu32 " tensors, %" PRIu32 " ties, layout %s of pipeline %" PRIu64
             ", replicate %" PRIu64 ", shard %" PRIu64 ", expert %" PRIu64 ", tensor %" PRIu64
             " with %" PRIu32 " rules (%016" PRIx64 ")",
             reshard_model_tensor_count(model), reshard_model_tie_count(model),
             reshard_layout_kind_name(options->kind), options->pipeline, options->replicate,
             options->shard, options->expert, options->tensor, options->rule_count,
             reshard_layout_options_hash(options));
}

/* ---- who differs ----------------------------------------------------------------------------- */

static void print_ranks(const uint64_t *marks, uint64_t world, char *text, size_t size)
{
    uint64_t count = 0;
    size_t used = 0;

    text[0] = '\0';
    for (uint64_t rank = 0; rank < world; rank++) {
        if (!(marks[rank / 64] >> rank % 64 & 1))
            continue;
        if (count++ < RANKS_NAMED_MAX)
            used += (size_t)snprintf(text + used, size - used, "%s%" PRIu64, count > 1 ? ", " : "",
                                     rank);
    }
    if (count > RANKS_NAMED_MAX)
        snprintf(text + used, size - used, " and %" PRIu64 " more", count - RANKS_NAMED_MAX);
}

enum reshard_status schema_name_ranks(struct reshard_group *group, bool mine, char *text,
                                      size_t size, struct reshard_error *error)
{
    const uint64_t rank = reshard_group_rank(group), world = reshard_group_world(group);
    const uint64_t words = (world + 63) / 64;
    uint64_t *marks = calloc(words, sizeof *marks);
    enum reshard_status status =
        reshard_group_agree(group, marks ? RESHARD_OK : RESHARD_ENOMEM, error);

    if (!status && mine)
        marks[rank / 64] |= UINT64_C(1) << rank % 64;
    if (!status)
        status = group_allreduce(group, marks, (int)words, MPI_UINT64_T, MPI_BOR, error);
    if (!status)
        print_ranks(marks, world, text, size);
    free(marks);
    return status;
}

enum reshard_status schema_explain(struct reshard_group *group, const struct group_value *value,
                                   struct reshard_error *error)
{
    const struct schema_list *list = value->of;
    struct reshard_error mine = RESHARD_ERROR_INIT;
    char ranks[256] = "", own[ENTRY_TEXT_MAX] = "", first[ENTRY_TEXT_MAX] = "";
    uint64_t first_hash = value->value, entry = 0;
    enum reshard_status status = group_broadcast(group, &first_hash, sizeof first_hash, error);

    if (!status)
        status = schema_name_ranks(group, value->value != first_hash, ranks, sizeof ranks, error);
    if (!status)
        status = find_entry(group, list, &entry, error);
    if (status)
        return status;
    list->describe(list->of, entry, own, sizeof own);
    memcpy(first, own, sizeof first);
    status = group_broadcast(group, first, sizeof first, error);
    if (status)
        return status;
    /* Of the ranks that differ some may have this very entry as rank 0 has it, and differ later. */
    if (strcmp(own, first) != 0)
        status = reshard_error_set(&mine, RESHARD_EMISMATCH,
                                   "%s differs from rank 0's on rank %s: %s, and on rank 0 %s",
                                   value->what, ranks, own, first);
    status = reshard_group_agree(group, status, &mine);
    if (!status) /* longer than its text, or a NaN of other bits */
        status = reshard_error_set(&mine, RESHARD_EMISMATCH,
                                   "%s differs from rank 0's on rank %s, %s: %s", value->what,
                                   ranks, list->rest, own);
    return reshard_error_set(error, status, "%s", mine.text);
}

static uint64_t groups_first(const void *of, uint64_t count)
{
    return groups_hash_of_first(of, count);
}

static void groups_describe(const void *of, uint64_t entry, char *text, size_t size)
{
    groups_fact_print(of, entry, text, size);
}

struct schema_list schema_list_groups(const struct reshard_groups *groups)
{
    return (struct schema_list){.of = groups,
                                .count = groups_fact_count(groups),
                                .hash_of_first = groups_first,
                                .describe = groups_describe,
                                .rest = "in what this does not show"};
}

enum reshard_status schema_agree(struct reshard_group *group, const struct reshard_state *state,
                                 struct reshard_error *error)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const uint64_t holders = reshard_layout_holders(layout);
    const uint64_t hashes[] = {reshard_model_hash(reshard_layout_model(layout)),
                               reshard_layout_options_hash(reshard_layout_options(layout))};
    const struct schema_list list = {.of = layout,
                                     .count =
                                         reshard_model_tensor_count(reshard_layout_model(layout)),
                                     .hash_of_first = hash_of_first,
                                     .describe = describe,
                                     .rest = "in ties or rules"};
    const struct group_value value = {.value = digest_crc(0, hashes, sizeof hashes),
                                      .what = "the model or layout",
                                      .explain = schema_explain,
                                      .of = &list};
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
    status = reshard_group_agree(group, status, error);
    return status ? status : group_agree_values(group, &value, 1, error);
}
