#include "parallel/load.h"

#include "core/argument.h"
#include "core/digest.h"
#include "core/groups_match.h"
#include "core/plan.h"
#include "core/reader.h"
#include "parallel/proof.h"
#include "parallel/replicas.h"
#include "parallel/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One load on its way. */
struct load {
    struct reshard_group *group;
    struct reshard_state *state;
    const struct reshard_layout *layout; /* the target */
    const struct reshard_model *model;
    const char *directory;
    const struct reshard_load_options *options;
    struct store *store;
    struct manifest manifest;
    struct reshard_layout *source;
    struct match match;
    struct reshard_groups *groups; /* the loader's as they will be, or NULL: not asked for */
    uint64_t values_kept;
    uint64_t values_added;
    uint32_t *from_here; /* as match.from, but PLAN_SKIP too for what a replica will send */
    bool *chosen;        /* by target tensor: it is loaded */
    bool *absent;        /* by target tensor: the checkpoint says that there is none */
    struct plan plan;
    bool once;              /* each byte is read by one rank, and spread to its replicas */
    uint64_t *contribution; /* by target tensor: of what was read, where memory cannot tell */
    uint64_t payload;       /* bytes that this rank asked of the store */
    uint64_t lacking;       /* bytes that its replicas owe it */
    uint64_t sent;
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
    status = reshard_group_agree(group, status, error);
    if (!status)
        status = group_broadcast(group, bytes, sizeof *bytes, error);
    if (status)
        return status;
    if (!first)
        *text = malloc(*bytes + 1);
    status = reshard_group_agree(group, *text ? RESHARD_OK : RESHARD_ENOMEM, error);
    return status ? status : group_broadcast(group, *text, *bytes, error);
}

enum reshard_status reshard_manifest_read(struct reshard_group *group, struct store *store,
                                          const char *directory, struct manifest *out,
                                          struct reshard_error *error)
{
    char *path = directory ? store_path(directory, MANIFEST_FILE) : NULL, *text = NULL;
    enum reshard_status status;
    uint64_t bytes;

    reshard_error_clear(error);
    if (out)
        *out = (struct manifest)MANIFEST_INIT;
    status = CHECK_ARGUMENTS(error, ARGUMENT(directory), ARGUMENT(out));
    status =
        group_begin(group, GROUP_MANIFEST_READ, status || path ? status : RESHARD_ENOMEM, error);
    if (status) {
        free(path);
        return status;
    }
    status = read_text(group, store ? store : store_posix(), path, &text, &bytes, error);
    if (!status)
        status = reshard_group_agree(group, manifest_decode(out, text, bytes, path, error), error);
    if (status)
        manifest_release(out);
    free(text);
    free(path);
    group_end(group);
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

static bool part_has(int part, const struct reshard_tensor *tensor)
{
    return reshard_part_has((enum reshard_part)part, tensor);
}

/* What is absent is not read: that there is none is all that is loaded of it. Local. */
static enum reshard_status choose(struct load *load, struct reshard_error *error)
{
    struct match *match = &load->match;
    enum reshard_status status = RESHARD_OK;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(load->model); t++) {
        load->absent[t] = match->from[t] != MATCH_SKIP && load->manifest.absent[match->from[t]];
        if (load->absent[t]) {
            match->cast_count -= match->cast[t];
            match->from[t] = MATCH_SKIP;
        }
        load->chosen[t] = match->from[t] != MATCH_SKIP;
        if (load->chosen[t])
            status = reshard_state_check_tensor(load->state, t, error);
    }
    return status;
}

/* The groups are the optimizer's. */
static bool wants_groups(const struct load *load)
{
    return load->options->groups && load->options->part != RESHARD_PART_MODEL;
}

/* What the loader's groups will be: the caller's own change only once all else has been loaded.
 * Local. */
static enum reshard_status match_groups(struct load *load, struct reshard_error *error)
{
    enum reshard_status status;

    if (!wants_groups(load))
        return RESHARD_OK;
    status = reshard_groups_copy(&load->groups, load->options->groups);
    return status ? status
                  : groups_match(load->groups, load->manifest.groups, &load->options->match,
                                 load->directory, &load->values_kept, &load->values_added, error);
}

/* Which source tensors fill which of ours. Local. */
static enum reshard_status match(struct load *load, struct reshard_error *error)
{
    const size_t tensors = (size_t)reshard_model_tensor_count(load->model) + 1;
    enum reshard_status status;

    load->from_here = calloc(tensors, sizeof *load->from_here);
    load->chosen = calloc(tensors, sizeof *load->chosen);
    load->absent = calloc(tensors, sizeof *load->absent);
    load->contribution = calloc(tensors, sizeof *load->contribution);
    if (!load->from_here || !load->chosen || !load->absent || !load->contribution)
        return RESHARD_ENOMEM;
    status = match_tensors(&load->match, load->model, &load->manifest, load->options->groups,
                           &load->options->match, part_has, (int)load->options->part,
                           load->directory, error);
    if (!status || status == RESHARD_EMISMATCH) /* all that does not fit is said at once */
        status = reshard_first_failure(status, match_groups(load, error));
    if (!status)
        status = choose(load, error);
    return status ? status : open_source(load, error);
}

static uint64_t local_bytes(const struct load *load, uint32_t t)
{
    return reshard_layout_local_count(load->layout, t, reshard_group_rank(load->group)) *
           reshard_dtype_bytes(reshard_model_tensor(load->model, t)->dtype);
}

/* What decides who reads: bytes of all ranks, and of the rank that has most. */
struct reading {
    uint64_t held; /* under the target layout */
    uint64_t owned;
    uint64_t lacking; /* what replicas owe */
};

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/*
 * Read each byte once and spread it, or have each replica read for itself? What is read goes
 * through the storage, which all share, and over the reader's own link; what is spread goes over
 * the link of the rank that lacks most. Where both take as long, the storage is spared.
 */
static bool once_is_faster(const struct reading *sum, const struct reading *most, double storage,
                           double network)
{
    const double each = larger((double)sum->held / storage, (double)most->held / network);
    const double once = larger((double)sum->owned / storage, (double)most->owned / network) +
                        (double)most->lacking / network;

    return once <= each;
}

/* [collective] */
static enum reshard_status choose_reading(struct load *load, struct reshard_error *error)
{
    const struct reshard_load_options *options = load->options;
    struct reading sum = {0, 0, 0}, most;
    enum reshard_status status;

    for (uint32_t t = 0; t < reshard_model_tensor_count(load->model); t++) {
        const uint64_t bytes = load->chosen[t] ? local_bytes(load, t) : 0;
        sum.held += bytes;
        if (reshard_layout_is_owner(load->layout, t, reshard_group_rank(load->group)))
            sum.owned += bytes;
    }
    load->lacking = sum.lacking = sum.held - sum.owned;
    load->once = options->reading != RESHARD_READ_EACH;
    if (options->reading != RESHARD_READ_CHEAPEST || options->storage_rate <= 0 ||
        options->network_rate <= 0)
        return RESHARD_OK;
    most = sum;
    status = group_allreduce(load->group, &most, 3, MPI_UINT64_T, MPI_MAX, error);
    if (!status)
        status = group_allreduce(load->group, &sum, 3, MPI_UINT64_T, MPI_SUM, error);
    load->once = once_is_faster(&sum, &most, options->storage_rate, options->network_rate);
    return status;
}

/* The moves that this rank makes. Local. */
static enum reshard_status make_plan(struct load *load, struct reshard_error *error)
{
    const struct plan_sides sides = {load->source, load->layout, load->from_here, true};
    const uint64_t rank = reshard_group_rank(load->group);

    for (uint32_t t = 0; t < reshard_model_tensor_count(load->model); t++)
        load->from_here[t] = !load->once || reshard_layout_is_owner(load->layout, t, rank)
                                 ? load->match.from[t]
                                 : PLAN_SKIP;
    return plan_build(&load->plan, &sides, rank, error);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static uint64_t move_bytes(const struct load *load, const struct plan_move *move)
{
    return reshard_box_count(&move->box) *
           reshard_dtype_bytes(
               reshard_model_tensor(load->manifest.model, move->source_tensor)->dtype);
}

/* One move. What memory cannot prove afterwards, being cast or of another world, is proved here. */
static enum reshard_status read_move(struct load *load, struct reader *reader,
                                     const struct plan_move *move, struct reshard_error *error)
{
    const uint32_t t = move->target_tensor;
    const struct reader_target target = {reshard_state_data(load->state, t),
                                         reshard_state_device(load->state),
                                         reshard_model_tensor(load->model, t)->dtype};
    enum reshard_status status;

    load->payload += move_bytes(load, move);
    if (load->match.cast[t])
        return reader_cast(reader, move, &target, &load->contribution[t], error);
    status = reader_move(reader, move, &target, error);
    if (!status && load->match.wrapped[t])
        status = reader_check(reader, move, error);
    return status;
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
                                 load->source, move->holder, error);
        }
        if (!status)
            status = read_move(load, reader, move, error);
    }
    reader_close(reader);
    host_phase(group_host(load->group), "load", "read", load->payload);
    host_charge(group_host(load->group), RESHARD_WORK_TO_DEVICE, load->payload);
    return status;
}

/* From those that have read to their replicas, and to ties' second names. [collective] */
static enum reshard_status spread(struct load *load, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    if (load->once)
        status = replicas_spread(load->group, load->state, load->chosen, load->options->budget,
                                 &load->sent, error);
    host_phase(group_host(load->group), "load", "spread", load->sent);
    if (!status)
        status = reshard_group_agree(load->group,
                                     reshard_state_fill_ties(load->state, load->chosen), error);
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
        status = reader_open(&reader, load->store, load->directory, &load->manifest, load->source,
                             move->holder, error);
        if (!status)
            status = reader_check(reader, move, error);
        reader_close(reader);
    }
    return status;
}

/* A tensor whose digest is wrong: which file did it, or, if all files are whole, say so.
 * [collective] */
static enum reshard_status name_damage(struct load *load, uint32_t t, uint64_t digest,
                                       struct reshard_error *error)
{
    const enum reshard_status status =
        reshard_group_agree(load->group, find_damage(load, t, error), error);
    char name[RESHARD_TENSOR_TEXT_MAX];

    if (status)
        return status;
    return reshard_error_set(
        error, RESHARD_EDIGEST,
        "%s: tensor %s has the digest %016" PRIx64 " in memory, but %016" PRIx64
        " was recorded, and no piece of it is damaged in the files",
        load->directory,
        reshard_tensor_print(reshard_model_tensor(load->model, t), name, sizeof name), digest,
        load->manifest.digest[load->match.from[t]]);
}

/* What this rank's memory contributes to each tensor. Of what was cast, reading has told already
 * what the files' elements contribute; memory tells whether replicas are equal. Local. */
static enum reshard_status contribute(const struct load *load, uint64_t *memory)
{
    enum reshard_status status = RESHARD_OK;
    uint64_t bytes = 0;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(load->model); t++) {
        if (!load->chosen[t])
            continue;
        status = proof_contribution(load->state, t, &memory[t], &bytes);
        if (!load->match.cast[t])
            load->contribution[t] = memory[t];
    }
    host_charge(group_host(load->group), RESHARD_WORK_DIGEST, bytes);
    return status;
}

/* The first tensor whose digest is not the recorded one, or UINT32_MAX. */
static uint32_t first_wrong(const struct load *load, const uint64_t *digest)
{
    for (uint32_t t = 0; t < reshard_model_tensor_count(load->model); t++)
        if (load->chosen[t] && !load->match.wrapped[t] &&
            digest[t] != load->manifest.digest[load->match.from[t]])
            return t;
    return UINT32_MAX;
}

/* The owners' digests against those recorded, and replicas against their owners. [collective] */
static enum reshard_status prove(struct load *load, struct reshard_error *error)
{
    const size_t tensors = (size_t)reshard_model_tensor_count(load->model) + 1;
    uint64_t *memory = calloc(2 * tensors, sizeof *memory), diverged = 0;
    uint64_t *const digest = memory ? memory + tensors : NULL;
    enum reshard_status status = memory ? contribute(load, memory) : RESHARD_ENOMEM;
    char text[RESHARD_TENSOR_TEXT_MAX];
    uint32_t wrong;

    status = reshard_group_agree(load->group, status, error);
    if (!status)
        status = proof_unite(load->group, load->layout, load->contribution, digest, error);
    if (!status) {
        wrong = first_wrong(load, digest);
        if (wrong != UINT32_MAX)
            status = name_damage(load, wrong, digest[wrong], error);
    }
    if (!status)
        status =
            proof_replicas(load->group, load->layout, load->chosen, memory, &diverged, text, error);
    if (!status && diverged)
        status = reshard_error_set(error, RESHARD_EDIGEST,
                                   "%s: after the load, %s (%" PRIu64 " tensors differ)",
                                   load->directory, text, diverged);
    host_phase(group_host(load->group), "load", "prove", 0);
    free(memory);
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
        reshard_group_agree(load->group, marks ? RESHARD_OK : RESHARD_ENOMEM, error);

    for (uint64_t i = 0; !status && i < load->plan.count; i++)
        marks[load->plan.move[i].holder / 64] |= UINT64_C(1) << load->plan.move[i].holder % 64;
    if (!status)
        status = group_allreduce(load->group, marks, (int)words, MPI_UINT64_T, MPI_BOR, error);
    *files = 0;
    for (uint64_t i = 0; !status && i < words; i++)
        *files += (uint64_t)__builtin_popcountll(marks[i]);
    free(marks);
    return status;
}

/* Groups and entries of the checkpoint that nobody asked for. */
static uint64_t groups_unread(const struct load *load)
{
    const struct reshard_groups *saved = load->manifest.groups;

    if (!saved || wants_groups(load) || load->options->part == RESHARD_PART_MODEL)
        return 0;
    return (uint64_t)reshard_groups_count(saved) + reshard_groups_entry_count(saved);
}

static enum reshard_status fill_report(struct load *load, struct reshard_report *report,
                                       struct reshard_error *error)
{
    uint64_t sums[3] = {load->payload, load->sent, load->once ? load->lacking : 0};
    enum reshard_status status =
        group_allreduce(load->group, sums, 3, MPI_UINT64_T, MPI_SUM, error);

    *report = (struct reshard_report){.step = load->manifest.step,
                                      .bytes_moved = sums[0],
                                      .bytes_sent = sums[1],
                                      .bytes_lacking = sums[2],
                                      .tensors_cast = load->match.cast_count,
                                      .tensors_kept = load->match.kept,
                                      .tensors_unread = load->match.unread,
                                      .values_kept = load->values_kept,
                                      .values_added = load->values_added,
                                      .groups_unread = groups_unread(load)};
    for (uint32_t t = 0; t < reshard_model_tensor_count(load->model); t++) {
        const struct reshard_tensor *saved;
        report->tensors_absent += load->absent[t];
        if (!load->chosen[t])
            continue;
        /* Rows that wrap around are as many as there are ranks here. */
        saved = reshard_model_tensor(load->manifest.model, load->match.from[t]);
        report->tensors++;
        report->bytes_unique +=
            reshard_model_tensor(load->model, t)->count * reshard_dtype_bytes(saved->dtype);
    }
    return status ? status : count_files(load, &report->files, error);
}

/* All ranks ask for the same. [collective] */
static enum reshard_status agree_options(struct load *load, struct reshard_error *error)
{
    const struct reshard_load_options *options = load->options;
    const double rates[] = {options->storage_rate, options->network_rate};
    const struct schema_list groups = schema_list_groups(options->groups);
    char text[64];
    const struct group_value values[] = {
        {.value = (uint64_t)options->part, .what = "the part to load"},
        {.value = match_options_hash(&options->match),
         .what = "what the load is lenient about",
         .text = ""},
        {.value = (uint64_t)options->reading, .what = "the way to read"},
        {.value = digest_crc(0, rates, sizeof rates), .what = "the rates to expect", .text = text},
        {.value = options->budget, .what = "the budget"},
        {.value = options->groups ? reshard_groups_hash(options->groups) : 0,
         .what = "what the param groups to fill hold",
         .explain = schema_explain,
         .of = &groups},
    };
    enum reshard_status status;

    snprintf(text, sizeof text, "%.17g and %.17g", rates[0], rates[1]);
    status = group_agree_values(load->group, values, sizeof values / sizeof *values, error);
    if (!status && options->part > RESHARD_PART_OPTIMIZER)
        status = reshard_error_set(error, RESHARD_EINVAL, "%d is no part of a state",
                                   (int)options->part);
    if (!status && options->reading > RESHARD_READ_CHEAPEST)
        status =
            reshard_error_set(error, RESHARD_EINVAL, "%d is no way to read", (int)options->reading);
    return status;
}

/* What is no tensor's memory, once all of that is there and proven. Local. */
static void take_facts(struct load *load)
{
    for (uint32_t t = 0; t < reshard_model_tensor_count(load->model); t++)
        if (load->absent[t] || load->chosen[t])
            reshard_state_set_absent(load->state, t, load->absent[t]);
    if (load->groups)
        reshard_groups_swap(load->options->groups, load->groups);
}

static enum reshard_status run(struct load *load, struct reshard_report *report,
                               struct reshard_error *error)
{
    struct reshard_report sink;
    enum reshard_status status = schema_agree(load->group, load->state, error);

    if (!status)
        status = agree_options(load, error);
    if (!status)
        status = reshard_manifest_read(load->group, load->store, load->directory, &load->manifest,
                                       error);
    if (!status)
        status = reshard_group_agree(load->group, match(load, error), error);
    if (!status)
        status = choose_reading(load, error);
    if (!status)
        status = reshard_group_agree(load->group, make_plan(load, error), error);
    host_phase(group_host(load->group), "load", "plan", 0);
    if (!status)
        status = reshard_group_agree(load->group, read_pieces(load, error), error);
    if (!status)
        status = spread(load, error);
    if (!status)
        status = prove(load, error);
    if (!status)
        status = fill_report(load, report ? report : &sink, error);
    if (!status)
        take_facts(load);
    return status;
}

enum reshard_status reshard_load(struct reshard_group *group, struct reshard_state *state,
                                 const char *directory, const struct reshard_load_options *options,
                                 struct reshard_report *report, struct reshard_error *error)
{
    static const struct reshard_load_options defaults = {0};
    struct load load = {.group = group,
                        .state = state,
                        .directory = directory,
                        .options = options ? options : &defaults,
                        .manifest = MANIFEST_INIT,
                        .match = MATCH_INIT,
                        .plan = PLAN_INIT};
    enum reshard_status status;

    reshard_error_clear(error);
    status = CHECK_ARGUMENTS(error, ARGUMENT(state), ARGUMENT(directory));
    if (!status)
        status = match_check_options(&load.options->match, error);
    status = group_begin(group, GROUP_LOAD, status, error);
    if (status)
        return status;
    load.layout = reshard_state_layout(state);
    load.model = reshard_layout_model(load.layout);
    load.store = load.options->store ? load.options->store : store_posix();
    status = run(&load, report, error);

    plan_release(&load.plan);
    reshard_layout_close(load.source);
    manifest_release(&load.manifest);
    match_release(&load.match);
    reshard_groups_close(load.groups);
    free(load.from_here);
    free(load.chosen);
    free(load.absent);
    free(load.contribution);
    group_end(group);
    return status;
}
