#include "parallel/save.h"

#include "core/argument.h"
#include "core/commit.h"
#include "core/index.h"
#include "core/leftover.h"
#include "core/store_counted.h"
#include "core/writer.h"
#include "parallel/absence.h"
#include "parallel/proof.h"
#include "parallel/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of 128 bits do not meet by chance; what takes so many is a fault of another kind. */
enum { DRAWS_MAX = 8 };

/* One save on its way. Paths are the same on all ranks. */
struct save {
    struct reshard_group *group;
    const struct reshard_state *state;
    const struct reshard_layout *layout; /* of what is saved: the state's own, unless some of it is
                                            not saved */
    const struct reshard_model *model;
    struct reshard_layout *own_layout; /* to be closed, or NULL */
    struct reshard_model *own_model;
    uint32_t *in_state; /* by tensor of the model: its number in the state's */
    const struct reshard_save_options *options;
    struct store_counted counted;
    struct store *store; /* the counted one */
    const char *directory;
    struct staging staging;
    char token[RESHARD_TOKEN_BYTES];
    struct arena_pieces pieces;
    uint64_t *contribution; /* by tensor: of this rank's memory */
    uint64_t *digest;       /* by tensor */
    bool *absent;           /* by tensor: a slot that is not there */
    uint64_t file_bytes;    /* of this rank's file; 0 when it writes none */
    uint64_t seal;
    uint64_t payload; /* bytes that this rank wrote */
    uint64_t diverged;
    char diverged_text[RESHARD_TENSOR_TEXT_MAX];
    char index_text[RESHARD_ERROR_TEXT_MAX]; /* rank 0: why there is no index, or "" */
};

/* What is saved, and by which layout: a checkpoint knows nothing of what it does not hold. Local.
 */
static enum reshard_status choose_tensors(struct save *save, struct reshard_error *error)
{
    const struct reshard_layout *layout = reshard_state_layout(save->state);
    const struct reshard_model *model = reshard_layout_model(layout);
    const uint32_t tensors = reshard_model_tensor_count(model);
    enum reshard_status status = RESHARD_OK;
    uint32_t count = 0;

    save->in_state = calloc((size_t)tensors + 1, sizeof *save->in_state);
    save->contribution = calloc((size_t)tensors + 1, sizeof *save->contribution);
    save->digest = calloc((size_t)tensors + 1, sizeof *save->digest);
    save->absent = calloc((size_t)tensors + 1, sizeof *save->absent);
    if (!save->in_state || !save->contribution || !save->digest || !save->absent)
        return RESHARD_ENOMEM;
    for (uint32_t t = 0; t < tensors; t++)
        if (reshard_role_is_saved(reshard_model_tensor(model, t)->role))
            save->in_state[count++] = t;
    save->layout = layout;
    save->model = model;
    if (count == tensors)
        return RESHARD_OK;
    status = reshard_model_copy(&save->own_model, model, true);
    if (!status)
        status = reshard_layout_open(&save->own_layout, save->own_model,
                                     reshard_layout_options(layout), error);
    save->model = save->own_model;
    save->layout = save->own_layout;
    return status;
}

/* Rank 0. What dead saves have left, of whatever name, goes first: the space may be needed. What
 * cannot be removed is in nobody's way otherwise. */
static void sweep(struct save *save)
{
    struct leftovers leftovers;

    (void)!leftovers_find(save->store, save->staging.parent,
                          (struct leftovers_options){.remove = true}, &leftovers, NULL);
    leftovers_release(&leftovers);
}

/* Rank 0. A directory with a token that nobody has. */
static enum reshard_status make_staging(struct save *save, struct reshard_error *error)
{
    unsigned char random[RESHARD_TOKEN_RANDOM];
    enum reshard_status status = RESHARD_EEXIST;

    for (int draw = 0; status == RESHARD_EEXIST && draw < DRAWS_MAX; draw++) {
        reshard_error_clear(error);
        status = host_random(group_host(save->group), random, sizeof random, error);
        token_print(random, save->token);
        if (!status)
            status = staging_make(&save->staging, save->store, save->token, error);
    }
    return status;
}

static enum reshard_status begin_staging(struct save *save, struct reshard_error *error)
{
    const enum reshard_status status = staging_check(&save->staging, save->store, error);

    if (status)
        return status;
    sweep(save);
    return make_staging(save, error);
}

/* That this rank's path leads to the directory that rank 0 made. Local. */
static enum reshard_status join_staging(struct save *save, struct reshard_error *error)
{
    enum reshard_status status;
    uint32_t attempt = 0;

    do {
        reshard_error_clear(error);
        status = staging_join(&save->staging, save->store, save->token, error);
    } while (status == RESHARD_EMISMATCH && host_pause(group_host(save->group), attempt++));
    return status;
}

/* Rank 0 makes the directory, and all ranks prove that it is theirs, too. [collective] */
static enum reshard_status stage(struct save *save, struct reshard_error *error)
{
    const bool first = reshard_group_rank(save->group) == 0;
    enum reshard_status status =
        reshard_group_agree(save->group, first ? begin_staging(save, error) : RESHARD_OK, error);

    if (!status)
        status = group_broadcast(save->group, save->token, sizeof save->token, error);
    if (!status)
        status = reshard_group_agree(save->group, join_staging(save, error), error);
    return status;
}

/* Which slots are absent, by the tensors that are saved. [collective] */
static enum reshard_status agree_absence(struct save *save, struct reshard_error *error)
{
    const enum reshard_status status = absence_agree(save->group, save->state, save->absent, error);

    /* What is saved has numbers no higher than in the state. */
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(save->model); t++)
        save->absent[t] = save->absent[save->in_state[t]];
    return status;
}

/* What the manifest will be refused for otherwise, once all is written. Local. */
static enum reshard_status check_groups(const struct save *save, struct reshard_error *error)
{
    const struct reshard_groups *groups = save->options->groups;
    const enum reshard_status status =
        groups ? reshard_groups_check(groups, save->model, error) : RESHARD_OK;

    if (status)
        reshard_error_prefix(error, "the param groups to save");
    return status;
}

static enum reshard_status check_memory(const struct save *save, struct reshard_error *error)
{
    const enum reshard_status status = reshard_state_check(save->state, RESHARD_PART_ALL, error);

    return status ? status : reshard_state_check_ties(save->state, NULL, error);
}

/* What each rank sees for itself of what it was called with. Local. */
static enum reshard_status check_call(struct save *save, const char *directory,
                                      struct reshard_error *error)
{
    const enum reshard_status status = staging_open(&save->staging, directory, error);

    return status ? status : notes_check(save->options->note, save->options->note_count, error);
}

/* That all ranks mean the same by it. [collective] */
static enum reshard_status agree_options(const struct save *save, struct reshard_error *error)
{
    const struct reshard_save_options *options = save->options;
    const struct schema_list groups = schema_list_groups(options->groups);
    const struct group_value values[] = {
        {.value = options->step, .what = "the step to save"},
        {.value = (uint64_t)options->replicas, .what = "the policy for replicas"},
        {.value = options->index, .what = "whether to write an index"},
        {.value = options->groups ? reshard_groups_hash(options->groups) : 0,
         .what = "what the param groups to save hold",
         .explain = schema_explain,
         .of = &groups},
        {.value = notes_hash(options->note, options->note_count),
         .what = "what the notes to save say"}};

    return group_agree_values(save->group, values, sizeof values / sizeof *values, error);
}

/* All that must hold before anything is written. [collective] */
static enum reshard_status prepare(struct save *save, const char *directory,
                                   struct reshard_error *error)
{
    enum reshard_status status =
        reshard_group_agree(save->group, check_call(save, directory, error), error);

    if (!status)
        status = schema_agree(save->group, save->state, error);
    if (!status)
        status = reshard_group_agree(save->group, choose_tensors(save, error), error);
    if (!status)
        status = agree_options(save, error);
    if (!status && save->options->step > INT64_MAX)
        status = reshard_error_set(error, RESHARD_EINVAL, "a step must be below 2^63");
    if (!status)
        status = agree_absence(save, error);
    if (!status)
        status = reshard_group_agree(save->group, check_groups(save, error), error);
    if (!status)
        status = reshard_group_agree(save->group, check_memory(save, error), error);
    if (!status)
        status = proof_cover(save->group, save->layout, error);
    if (!status)
        status = stage(save, error);
    return status;
}

/* This rank's file. Local. */
static enum reshard_status write_file(struct save *save, struct reshard_error *error)
{
    const uint64_t rank = reshard_group_rank(save->group);
    struct container_identity identity = {
        .step = save->options->step, .writer = rank, .world = reshard_group_world(save->group)};
    const uint32_t tensors = reshard_model_tensor_count(save->model);
    const void **local = calloc((size_t)tensors + 1, sizeof *local);
    enum reshard_status status = RESHARD_ENOMEM;
    char name[MANIFEST_NAME_BYTES], *path = NULL;

    memcpy(identity.token, save->token, sizeof identity.token);
    manifest_file_name(rank, name);
    path = store_path(save->staging.path, name);
    if (!local || !path)
        goto cleanup;
    for (uint32_t t = 0; t < tensors; t++)
        local[t] = reshard_state_data(save->state, save->in_state[t]);
    for (uint64_t i = 0; i < save->pieces.count; i++)
        save->payload +=
            save->pieces.piece[i].count *
            reshard_dtype_bytes(
                reshard_model_tensor(save->model, save->pieces.piece[i].tensor)->dtype);
    host_charge(group_host(save->group), RESHARD_WORK_TO_HOST, save->payload);
    host_charge(group_host(save->group), RESHARD_WORK_DIGEST, save->payload);
    host_phase(group_host(save->group), "save", "stage", save->payload);
    status = writer_write(save->store, path, save->model, &save->pieces, &identity, local,
                          reshard_state_device(save->state), &save->file_bytes, &save->seal, error);
    host_phase(group_host(save->group), "save", "write", save->payload);

cleanup:
    free(local);
    free(path);
    return status;
}

/* What this rank holds and does not write: only its contribution is wanted. Local. */
static enum reshard_status digest_replicas(struct save *save)
{
    const uint64_t rank = reshard_group_rank(save->group);
    enum reshard_status status = RESHARD_OK;
    uint64_t bytes = 0;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(save->model); t++)
        if (!save->absent[t] && !reshard_layout_is_owner(save->layout, t, rank))
            status =
                proof_contribution(save->state, save->in_state[t], &save->contribution[t], &bytes);
    host_charge(group_host(save->group), RESHARD_WORK_DIGEST, bytes);
    return status;
}

/* Not by the descriptor that it was written through, but by the path that readers take. Local. */
static enum reshard_status check_file(const struct save *save, struct reshard_error *error)
{
    char name[MANIFEST_NAME_BYTES];

    manifest_file_name(reshard_group_rank(save->group), name);
    return commit_check_file(&save->staging, save->store, name, save->file_bytes, error);
}

static enum reshard_status write_pieces(struct save *save, struct reshard_error *error)
{
    enum reshard_status status =
        arena_pieces_of(&save->pieces, save->layout, reshard_group_rank(save->group), save->absent);

    if (!status && save->pieces.count > 0)
        status = write_file(save, error);
    if (!status && save->file_bytes > 0)
        status = check_file(save, error);
    for (uint64_t i = 0; !status && i < save->pieces.count; i++)
        save->contribution[save->pieces.piece[i].tensor] ^= save->pieces.piece[i].contribution;
    return status ? status : digest_replicas(save);
}

/* Every tensor's digest, and that no replica is dropped that holds something else. [collective] */
static enum reshard_status prove(struct save *save, struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(save->model);
    bool *chosen = malloc((size_t)tensors + 1);
    enum reshard_status status =
        reshard_group_agree(save->group, chosen ? RESHARD_OK : RESHARD_ENOMEM, error);

    for (uint32_t t = 0; !status && t < tensors; t++)
        chosen[t] = !save->absent[t];
    if (!status)
        status = proof_unite(save->group, save->layout, save->contribution, save->digest, error);
    if (!status)
        status = proof_replicas(save->group, save->layout, chosen, save->contribution,
                                &save->diverged, save->diverged_text, error);
    if (!status && save->diverged && save->options->replicas == RESHARD_REPLICAS_REFUSE)
        status = reshard_error_set(error, RESHARD_EMISMATCH,
                                   "replicas differ, so one of them would be lost: %s (%" PRIu64
                                   " tensors differ)",
                                   save->diverged_text, save->diverged);
    free(chosen);
    return status;
}

/* What rank 0 has to know of each rank's file. */
struct file_record {
    uint64_t bytes;
    uint64_t seal;
};

static enum reshard_status list_files(const struct file_record *records, struct manifest *manifest)
{
    manifest->file = calloc(manifest->world, sizeof *manifest->file);
    if (!manifest->file)
        return RESHARD_ENOMEM;
    for (uint64_t rank = 0; rank < manifest->world; rank++) {
        struct manifest_file *file = &manifest->file[manifest->file_count];
        if (records[rank].bytes == 0)
            continue;
        *file = (struct manifest_file){
            .writer = rank, .bytes = records[rank].bytes, .seal = records[rank].seal};
        manifest_file_name(rank, file->name);
        manifest->file_count++;
    }
    return RESHARD_OK;
}

/* The derived index, into the checkpoint that is whole without it: so the save has not failed if
 * there is none, and the report says why. */
static void write_index(struct save *save, const struct manifest *manifest)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const enum reshard_status status =
        index_write(save->store, save->directory, manifest, save->layout, &error);

    if (status)
        snprintf(save->index_text, sizeof save->index_text, "%s",
                 error.text[0] ? error.text : reshard_status_text(status));
}

/*
 * Rank 0, once every file is durable. The manifest and the staging directory's entries are synced
 * before the rename, so that whoever sees the checkpoint's name sees all of it; the parent after,
 * so that the name lasts. If only that last sync fails, the checkpoint is visible and whole, but a
 * power loss may still take it: neither success nor failure, hence a status of its own.
 */
static enum reshard_status publish(struct save *save, const struct file_record *records,
                                   struct reshard_error *error)
{
    struct manifest manifest = {.step = save->options->step,
                                .world = reshard_group_world(save->group),
                                .layout = *reshard_layout_options(save->layout),
                                .model = (struct reshard_model *)save->model,
                                .digest = save->digest,
                                .absent = save->absent,
                                .groups = (struct reshard_groups *)save->options->groups,
                                .note = (struct reshard_note *)save->options->note,
                                .note_count = save->options->note_count};
    enum reshard_status status = list_files(records, &manifest);

    memcpy(manifest.token, save->token, sizeof manifest.token);
    if (!status)
        status = commit_publish(&save->staging, save->store, &manifest, error);
    if (!status && save->options->index)
        write_index(save, &manifest);
    free(manifest.file);
    return status;
}

/* From durable files to a visible checkpoint. [collective] */
static enum reshard_status commit(struct save *save, struct reshard_error *error)
{
    const bool first = reshard_group_rank(save->group) == 0;
    const struct file_record mine = {save->file_bytes, save->seal};
    struct file_record *records =
        first ? calloc(reshard_group_world(save->group), sizeof *records) : NULL;
    enum reshard_status status = first && !records ? RESHARD_ENOMEM : RESHARD_OK;

    /* By one rank of each node, now that all files are there: what this node has entered into the
     * directory is for it to make durable. */
    if (!status && reshard_group_local_rank(save->group) == 0)
        status = store_sync_directory(save->store, save->staging.path, error);
    status = reshard_group_agree(save->group, status, error);
    if (!status)
        status = prove(save, error);
    if (!status)
        status = group_gather(save->group, &mine, records, (int)sizeof mine, error);
    if (!status)
        status = reshard_group_agree(save->group,
                                     first ? publish(save, records, error) : RESHARD_OK, error);
    free(records);
    return status;
}

static enum reshard_status fill_report(struct save *save, struct reshard_report *report,
                                       struct reshard_error *error)
{
    uint64_t sums[3] = {save->payload, save->file_bytes != 0, save->counted.operations};
    enum reshard_status status =
        group_allreduce(save->group, sums, 3, MPI_UINT64_T, MPI_SUM, error);

    if (!status && save->options->index)
        status = group_broadcast(save->group, save->index_text, sizeof save->index_text, error);
    *report = (struct reshard_report){.step = save->options->step,
                                      .files = sums[1],
                                      .bytes_moved = sums[0],
                                      .metadata_operations = sums[2],
                                      .tensors = reshard_model_tensor_count(save->model),
                                      .diverged = save->diverged};
    memcpy(report->diverged_text, save->diverged_text, sizeof report->diverged_text);
    memcpy(report->index_text, save->index_text, sizeof report->index_text);
    for (uint32_t t = 0; t < report->tensors; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(save->model, t);
        report->tensors_absent += save->absent[t];
        if (!save->absent[t])
            report->bytes_unique += tensor->count * reshard_dtype_bytes(tensor->dtype);
    }
    return status;
}

/* Who else has space where there was none, from rank 0 to all. [collective] */
static enum reshard_status name_leftovers(struct save *save, struct reshard_error *error)
{
    struct reshard_error more = {RESHARD_ENOSPC, ""};
    struct leftovers leftovers;
    enum reshard_status status;

    if (reshard_group_rank(save->group) == 0) {
        (void)!leftovers_find(save->store, save->staging.parent,
                              (struct leftovers_options){.measure = true}, &leftovers, NULL);
        leftovers_append(&leftovers, save->staging.parent, &more);
        leftovers_release(&leftovers);
    }
    status = group_broadcast(save->group, &more, sizeof more, error);
    if (!status)
        reshard_error_append(error, "%s", more.text);
    return status;
}

/* [collective] */
static enum reshard_status give_up(struct save *save, enum reshard_status failure,
                                   struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    if (reshard_group_rank(save->group) == 0)
        staging_discard(&save->staging, save->store);
    if (failure == RESHARD_ENOSPC)
        status = name_leftovers(save, error);
    return status ? status : failure;
}

enum reshard_status reshard_save(struct reshard_group *group, const struct reshard_state *state,
                                 const char *directory, const struct reshard_save_options *options,
                                 struct reshard_report *report, struct reshard_error *error)
{
    static const struct reshard_save_options defaults = {0};
    struct save save = {.group = group,
                        .state = state,
                        .directory = directory,
                        .options = options ? options : &defaults,
                        .pieces = ARENA_PIECES_INIT};
    struct reshard_report sink;
    enum reshard_status status;

    reshard_error_clear(error);
    status = CHECK_ARGUMENTS(error, ARGUMENT(state), ARGUMENT(directory));
    status = group_begin(group, GROUP_SAVE, status, error);
    if (status)
        return status;
    store_counted_init(&save.counted, save.options->store ? save.options->store : store_posix());
    save.store = &save.counted.store;
    status = prepare(&save, directory, error);
    if (!status)
        status = reshard_group_agree(group, write_pieces(&save, error), error);
    if (!status)
        status = commit(&save, error);
    host_phase(group_host(group), "save", "commit", 0);
    if (!status)
        status = fill_report(&save, report ? report : &sink, error);
    else
        status = give_up(&save, status, error);
    arena_pieces_release(&save.pieces);
    reshard_layout_close(save.own_layout);
    reshard_model_close(save.own_model);
    free(save.in_state);
    free(save.contribution);
    free(save.absent);
    free(save.digest);
    staging_close(&save.staging);
    group_end(group);
    return status;
}
