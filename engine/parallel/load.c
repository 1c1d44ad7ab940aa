#include "parallel/load.h"

#include "core/plan.h"
#include "core/reader.h"
#include "parallel/proof.h"
#include "parallel/replicas.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One load on its way. */
struct load {
    struct reshard_group *group;
    struct reshard_state *state;
    const struct reshard_layout *layout; /* the target */
    const struct reshard_model *model;
    const char *directory;
    struct store *store;
    enum reshard_part part;
    struct manifest manifest;
    struct reshard_layout *source;
    uint32_t *from;      /* by target tensor: the source tensor, or PLAN_SKIP */
    uint32_t *from_here; /* the same, but PLAN_SKIP too for what a replica will send */
    struct plan plan;
    uint64_t payload; /* bytes that this rank asked of the store */
};

/* ---- the manifest ---------------------------------------------------------------------------- */

static enum reshard_status read_text(struct reshard_group *group, struct store *store,
                                     const char *path, char **text, uint64_t *bytes,
                                     struct reshard_error *error)
{
    const bool first = reshard_group_rank(group) == 0;
    enum reshard_status status = RESHARD_OK;

    *text = NULL;
    *bytes = 0;
    if (first)
        status = store_read_file(store, path, MANIFEST_BYTES_MAX, text, bytes, error);
    status = group_agree(group, status, error);
    if (!status)
        status = group_broadcast(group, bytes, sizeof *bytes, error);
    if (status)
        return status;
    if (!first)
        *text = malloc(*bytes + 1);
    status = group_agree(group, *text ? RESHARD_OK : RESHARD_ENOMEM, error);
    return status ? status : group_broadcast(group, *text, *bytes, error);
}

enum reshard_status reshard_manifest_read(struct reshard_group *group, struct store *store,
                                          const char *directory, struct manifest *out,
                                          struct reshard_error *error)
{
    char *path = store_path(directory, MANIFEST_FILE), *text = NULL;
    enum reshard_status status = group_agree(group, path ? RESHARD_OK : RESHARD_ENOMEM, error);
    uint64_t bytes;

    *out = (struct manifest)MANIFEST_INIT;
    if (!status)
        status = read_text(group, store ? store : store_posix(), path, &text, &bytes, error);
    if (!status)
        status = group_agree(group, manifest_decode(out, text, bytes, path, error), error);
    if (status)
        manifest_release(out);
    free(text);
    free(path);
    return status;
}

/* ---- matching names -------------------------------------------------------------------------- */

/* All that does not match is listed at once, so that one look at the message mends it all. */
static enum reshard_status mismatch(struct reshard_error *error, const char *directory,
                                    const struct reshard_tensor *tensor, const char *what)
{
    char shape[224];

    (void)reshard_error_set(error, RESHARD_EMISMATCH, "%s does not fit the model:", directory);
    reshard_error_append(error, "\n  '%s'%s%s %s %s: %s", tensor->fqn,
                         tensor->slot[0] ? " slot " : "", tensor->slot,
                         reshard_dtype_name(tensor->dtype),
                         reshard_shape_print(&tensor->shape, shape, sizeof shape), what);
    return RESHARD_EMISMATCH;
}

static enum reshard_status match_tensor(struct load *load, uint32_t t, struct reshard_error *error)
{
    const struct reshard_tensor *wanted = reshard_model_tensor(load->model, t), *saved;
    char what[320], shape[224];

    if (reshard_model_find(load->manifest.model, wanted->fqn, wanted->slot, &load->from[t])) {
        load->from[t] = PLAN_SKIP;
        return mismatch(error, load->directory, wanted, "missing in the checkpoint");
    }
    saved = reshard_model_tensor(load->manifest.model, load->from[t]);
    if (saved->dtype == wanted->dtype && reshard_shape_equal(&saved->shape, &wanted->shape))
        return RESHARD_OK;
    snprintf(what, sizeof what, "the checkpoint has %s %s", reshard_dtype_name(saved->dtype),
             reshard_shape_print(&saved->shape, shape, sizeof shape));
    return mismatch(error, load->directory, wanted, what);
}

static enum reshard_status match_names(struct load *load, struct reshard_error *error)
{
    const uint32_t saved = reshard_model_tensor_count(load->manifest.model);
    bool *used = calloc((size_t)saved + 1, sizeof *used);
    enum reshard_status status = used ? RESHARD_OK : RESHARD_ENOMEM;

    for (uint32_t t = 0; used && t < reshard_model_tensor_count(load->model); t++) {
        load->from[t] = PLAN_SKIP;
        if (!reshard_part_has(load->part, reshard_model_tensor(load->model, t)))
            continue;
        status = reshard_first_failure(status, match_tensor(load, t, error));
        if (load->from[t] != PLAN_SKIP)
            used[load->from[t]] = true;
    }
    for (uint32_t s = 0; used && s < saved; s++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(load->manifest.model, s);
        if (!used[s] && reshard_part_has(load->part, tensor))
            status = reshard_first_failure(
                status, mismatch(error, load->directory, tensor, "unknown to the model"));
    }
    free(used);
    return status;
}

/* ---- planning -------------------------------------------------------------------------------- */

/* The layout of the checkpoint. If it cannot be, the manifest is at fault, not the caller. */
static enum reshard_status open_source(struct load *load, struct reshard_error *error)
{
    const enum reshard_status status =
        reshard_layout_open(&load->source, load->manifest.model, &load->manifest.layout, error);

    if (status != RESHARD_EINVAL && status != RESHARD_EOVERFLOW)
        return status;
    reshard_error_prefix(error, "%s/" MANIFEST_FILE ": layout", load->directory);
    if (error)
        error->status = RESHARD_EFORMAT;
    return RESHARD_EFORMAT;
}

/* Which source tensors fill which of ours, and the moves that this rank makes. Local. */
static enum reshard_status make_plan(struct load *load, struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(load->model);
    enum reshard_status status = reshard_state_check(load->state, load->part, error);

    if (status)
        return status;
    load->from = calloc((size_t)tensors + 1, sizeof *load->from);
    load->from_here = calloc((size_t)tensors + 1, sizeof *load->from_here);
    if (!load->from || !load->from_here)
        return RESHARD_ENOMEM;
    status = match_names(load, error);
    if (!status)
        status = open_source(load, error);
    if (status)
        return status;
    for (uint32_t t = 0; t < tensors; t++)
        load->from_here[t] = replicas_is_owner(load->state, t) ? load->from[t] : PLAN_SKIP;
    return plan_build(&load->plan, load->source, load->layout, load->from_here,
                      reshard_group_rank(load->group), error);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static uint64_t move_bytes(const struct load *load, const struct plan_move *move)
{
    return reshard_box_count(&move->box) *
           reshard_dtype_bytes(reshard_model_tensor(load->model, move->target_tensor)->dtype);
}

/* The moves are sorted by the rank that wrote them: each file is opened once. Local. */
static enum reshard_status read_pieces(struct load *load, struct reshard_error *error)
{
    struct reader *reader = NULL;
    enum reshard_status status = RESHARD_OK;

    for (uint64_t i = 0; !status && i < load->plan.count; i++) {
        const struct plan_move *move = &load->plan.move[i];
        if (i == 0 || move->holder != load->plan.move[i - 1].holder) {
            reader_close(reader);
            status = reader_open(&reader, load->store, load->directory, &load->manifest,
                                 move->holder, error);
        }
        if (!status)
            status = reader_move(reader, move, reshard_state_data(load->state, move->target_tensor),
                                 error);
        load->payload += move_bytes(load, move);
    }
    reader_close(reader);
    host_phase(group_host(load->group), "load", "read", load->payload);
    host_charge(group_host(load->group), RESHARD_WORK_TO_DEVICE, load->payload);
    return status;
}

/* ---- the proof ------------------------------------------------------------------------------- */

/* Look for the damage among the pieces that this rank read of one tensor. Local. */
static enum reshard_status find_damage(const struct load *load, uint32_t target_tensor,
                                       struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    for (uint64_t i = 0; !status && i < load->plan.count; i++) {
        const struct plan_move *move = &load->plan.move[i];
        struct reader *reader;
        if (move->target_tensor != target_tensor)
            continue;
        status = reader_open(&reader, load->store, load->directory, &load->manifest, move->holder,
                             error);
        if (!status)
            status = reader_check(reader, move, error);
        reader_close(reader);
    }
    return status;
}

/* A tensor whose digest is wrong: which file did it, or, if all files are whole, say so. */
static enum reshard_status name_damage(struct load *load, uint32_t t, uint64_t digest,
                                       struct reshard_error *error)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(load->model, t);
    enum reshard_status status = group_agree(load->group, find_damage(load, t, error), error);

    if (status || digest == load->manifest.digest[load->from[t]])
        return status;
    return reshard_error_set(error, RESHARD_EDIGEST,
                             "%s: tensor '%s'%s%s has the digest %016" PRIx64
                             " in memory, but %016" PRIx64
                             " was recorded, and no piece of it is damaged in the files",
                             load->directory, tensor->fqn, tensor->slot[0] ? " slot " : "",
                             tensor->slot, digest, load->manifest.digest[load->from[t]]);
}

/* Every replica set's digest of every tensor against the recorded one. [collective] */
static enum reshard_status prove(struct load *load, struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(load->model);
    uint64_t *digest = calloc((size_t)tensors + 1, sizeof *digest);
    enum reshard_status status =
        group_agree(load->group, digest ? RESHARD_OK : RESHARD_ENOMEM, error);
    uint32_t bad = UINT32_MAX; /* the first tensor that any rank finds wrong */

    if (!status)
        status = reshard_state_digest(load->group, load->state, load->part, digest, error);
    for (uint32_t t = 0; !status && t < tensors && bad == UINT32_MAX; t++)
        if (load->from[t] != PLAN_SKIP && digest[t] != load->manifest.digest[load->from[t]])
            bad = t;
    if (!status)
        status = group_allreduce(load->group, group_comm(load->group), &bad, 1, MPI_UINT32_T,
                                 MPI_MIN, error);
    if (!status && bad != UINT32_MAX)
        status = group_agree(load->group, name_damage(load, bad, digest[bad], error), error);
    host_phase(group_host(load->group), "load", "prove", 0);
    free(digest);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* The distinct files that were read: each rank marks those that its plan names, and the marks are
 * united. */
static enum reshard_status count_files(struct load *load, uint64_t *files,
                                       struct reshard_error *error)
{
    const uint64_t world = load->manifest.world, words = (world + 63) / 64;
    uint64_t *marks = calloc(words, sizeof *marks);
    enum reshard_status status =
        group_agree(load->group, marks ? RESHARD_OK : RESHARD_ENOMEM, error);

    for (uint64_t i = 0; !status && i < load->plan.count; i++)
        marks[load->plan.move[i].holder / 64] |= UINT64_C(1) << load->plan.move[i].holder % 64;
    if (!status)
        status = group_allreduce(load->group, group_comm(load->group), marks, (int)words,
                                 MPI_UINT64_T, MPI_BOR, error);
    *files = 0;
    for (uint64_t i = 0; !status && i < words; i++)
        *files += (uint64_t)__builtin_popcountll(marks[i]);
    free(marks);
    return status;
}

static enum reshard_status fill_report(struct load *load, struct reshard_report *report,
                                       struct reshard_error *error)
{
    enum reshard_status status;

    *report = (struct reshard_report){.step = load->manifest.step, .bytes_moved = load->payload};
    for (uint32_t t = 0; t < reshard_model_tensor_count(load->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(load->model, t);
        if (load->from[t] == PLAN_SKIP)
            continue;
        report->tensors++;
        report->bytes_unique += tensor->count * reshard_dtype_bytes(tensor->dtype);
    }
    status = group_allreduce(load->group, group_comm(load->group), &report->bytes_moved, 1,
                             MPI_UINT64_T, MPI_SUM, error);
    return status ? status : count_files(load, &report->files, error);
}

static enum reshard_status run(struct load *load, struct reshard_report *report,
                               struct reshard_error *error)
{
    struct reshard_report sink;
    enum reshard_status status = proof_agree_layout(load->group, load->state, error);

    if (!status)
        status = group_agree_value(load->group, (uint64_t)load->part, "the part to load", error);
    if (!status && load->part > RESHARD_PART_OPTIMIZER)
        status =
            reshard_error_set(error, RESHARD_EINVAL, "%d is no part of a state", (int)load->part);
    if (!status)
        status = reshard_manifest_read(load->group, load->store, load->directory, &load->manifest,
                                       error);
    if (!status)
        status = group_agree(load->group, make_plan(load, error), error);
    host_phase(group_host(load->group), "load", "plan", 0);
    if (!status)
        status = group_agree(load->group, read_pieces(load, error), error);
    if (!status)
        status = replicas_spread(load->group, load->state, load->part, error);
    if (!status)
        status = prove(load, error);
    return status ? status : fill_report(load, report ? report : &sink, error);
}

enum reshard_status reshard_load(struct reshard_group *group, struct reshard_state *state,
                                 const char *directory, const struct reshard_load_options *options,
                                 struct reshard_report *report, struct reshard_error *error)
{
    struct load load = {.group = group,
                        .state = state,
                        .layout = reshard_state_layout(state),
                        .model = reshard_layout_model(reshard_state_layout(state)),
                        .directory = directory,
                        .store = options && options->store ? options->store : store_posix(),
                        .part = options ? options->part : RESHARD_PART_ALL,
                        .manifest = MANIFEST_INIT,
                        .plan = PLAN_INIT};
    enum reshard_status status;

    reshard_error_clear(error);
    status = run(&load, report, error);

    plan_release(&load.plan);
    reshard_layout_close(load.source);
    manifest_release(&load.manifest);
    free(load.from);
    free(load.from_here);
    return status;
}

/* ---- the latest ------------------------------------------------------------------------------ */

/* How far a checkpoint is: by training step, of equals by when it was committed. */
struct progress {
    uint64_t step;
    uint64_t committed;
};

/* Rank 0: that of a directory. ENOENT and EFORMAT: it holds no valid manifest. */
static enum reshard_status read_progress(struct store *store, const char *root, const char *name,
                                         struct progress *out, struct reshard_error *error)
{
    char *directory = store_path(root, name), *text = NULL;
    char *path = directory ? store_path(directory, MANIFEST_FILE) : NULL;
    struct manifest manifest = MANIFEST_INIT;
    enum reshard_status status = path ? RESHARD_OK : RESHARD_ENOMEM;
    uint64_t bytes;

    if (!status)
        status = store_read_file(store, path, MANIFEST_BYTES_MAX, &text, &bytes, error);
    if (!status)
        status = manifest_decode(&manifest, text, bytes, path, error);
    if (!status)
        status = store_modified(store, path, &out->committed, error);
    out->step = manifest.step;
    manifest_release(&manifest);
    free(text);
    free(path);
    free(directory);
    return status;
}

static bool is_further(const struct progress *a, const struct progress *b)
{
    return a->step != b->step ? a->step > b->step : a->committed >= b->committed;
}

/* The index of the best of the names, or `count`. A directory that cannot be read, for another
 * reason than that it is no checkpoint, is an error: an older one in its stead would lose work
 * silently. */
static enum reshard_status choose_latest(struct store *store, const char *root, char **names,
                                         uint64_t count, uint64_t *best,
                                         struct reshard_error *error)
{
    struct progress furthest = {0, 0}, progress;

    *best = count;
    for (uint64_t i = 0; i < count; i++) {
        struct reshard_error mine = RESHARD_ERROR_INIT;
        enum reshard_status status;
        if (names[i][0] == '.')
            continue;
        status = read_progress(store, root, names[i], &progress, &mine);
        if (status == RESHARD_ENOENT || status == RESHARD_EFORMAT)
            continue;
        if (status)
            return reshard_error_set(error, status, "%s", mine.text);
        if (*best == count || is_further(&progress, &furthest)) {
            furthest = progress;
            *best = i;
        }
    }
    return RESHARD_OK;
}

static enum reshard_status find_latest(struct store *store, const char *root, char *name,
                                       uint64_t size, struct reshard_error *error)
{
    char **names = NULL;
    uint64_t count = 0, best = 0;
    enum reshard_status status = store_list(store, root, &names, &count, error);

    if (!status)
        status = choose_latest(store, root, names, count, &best, error);
    if (!status && best == count)
        status = reshard_error_set(error, RESHARD_ENOENT, "%s: holds no whole checkpoint", root);
    if (!status && strlen(names[best]) >= size)
        status = reshard_error_set(error, RESHARD_EOVERFLOW,
                                   "%s: the name '%s' needs %zu bytes, and %" PRIu64 " are given",
                                   root, names[best], strlen(names[best]) + 1, size);
    if (!status)
        memcpy(name, names[best], strlen(names[best]) + 1);
    store_names_free(names, count);
    return status;
}

enum reshard_status reshard_latest_find(struct reshard_group *group, struct store *store,
                                        const char *root, char *name, uint64_t size,
                                        struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    reshard_error_clear(error);
    memset(name, 0, size);
    if (reshard_group_rank(group) == 0)
        status = find_latest(store ? store : store_posix(), root, name, size, error);
    status = group_agree(group, status, error);
    return status ? status : group_broadcast(group, name, size, error);
}
