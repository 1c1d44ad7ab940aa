#include "core/formula.h"

#include "core/argument.h"
#include "core/digest.h"
#include "core/pattern.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
    [RESHARD_LAYOUT_FSDP1] = "fsdp1",
    [RESHARD_LAYOUT_FSDP2] = "fsdp2",
    [RESHARD_LAYOUT_DDP] = "ddp",
    [RESHARD_LAYOUT_BOXES] = "boxes",
};

const char *reshard_layout_kind_name(enum reshard_layout_kind kind)
{
    return kind_names[kind];
}

bool reshard_layout_kind_from_name(const char *name, enum reshard_layout_kind *out)
{
    for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++) {
        if (strcmp(kind_names[i], name) == 0) {
            *out = (enum reshard_layout_kind)i;
            return true;
        }
    }
    return false;
}

/* ---- options --------------------------------------------------------------------------------- */

static uint64_t at_least_one(uint64_t size)
{
    return size ? size : 1;
}

struct reshard_mesh reshard_layout_options_mesh(const struct reshard_layout_options *options)
{
    return (struct reshard_mesh){{
        [RESHARD_MESH_PIPELINE] = at_least_one(options->pipeline),
        [RESHARD_MESH_REPLICATE] = at_least_one(options->replicate),
        [RESHARD_MESH_SHARD] = at_least_one(options->shard),
        [RESHARD_MESH_EXPERT] = at_least_one(options->expert),
        [RESHARD_MESH_TENSOR] = at_least_one(options->tensor),
    }};
}

static enum reshard_status copy_rule(struct reshard_rule *out, const struct reshard_rule *rule)
{
    char *pattern = strdup(rule->pattern);
    uint64_t *section = calloc((size_t)rule->section_count + 1, sizeof *section);
    struct reshard_rank_box *box = calloc(rule->box_count + 1, sizeof *box);

    *out = *rule;
    out->pattern = pattern;
    out->section = section;
    out->box = box;
    if (!pattern || !section || !box)
        return RESHARD_ENOMEM;
    for (uint32_t i = 0; i < rule->section_count; i++)
        section[i] = rule->section[i];
    for (uint64_t i = 0; i < rule->box_count; i++)
        box[i] = rule->box[i];
    return RESHARD_OK;
}

enum reshard_status reshard_layout_options_copy(struct reshard_layout_options *out,
                                                const struct reshard_layout_options *options)
{
    struct reshard_rule *rule = NULL;
    enum reshard_status status = RESHARD_OK;
    struct reshard_mesh mesh;

    if (!out || !options)
        return RESHARD_EINVAL;
    mesh = reshard_layout_options_mesh(options);
    *out = *options;
    out->pipeline = mesh.size[RESHARD_MESH_PIPELINE];
    out->replicate = mesh.size[RESHARD_MESH_REPLICATE];
    out->shard = mesh.size[RESHARD_MESH_SHARD];
    out->expert = mesh.size[RESHARD_MESH_EXPERT];
    out->tensor = mesh.size[RESHARD_MESH_TENSOR];
    if (out->world == 0)
        out->world = reshard_mesh_ranks(&mesh);
    out->rule = NULL;
    if (options->rule_count == 0)
        return RESHARD_OK;
    out->rule = rule = calloc(options->rule_count, sizeof *rule);
    if (!rule)
        return RESHARD_ENOMEM;
    for (uint32_t i = 0; !status && i < options->rule_count; i++)
        status = copy_rule(&rule[i], &options->rule[i]);
    if (status)
        reshard_layout_options_release(out);
    return status;
}

void reshard_layout_options_release(struct reshard_layout_options *options)
{
    for (uint32_t i = 0; options->rule && i < options->rule_count; i++) {
        free((char *)options->rule[i].pattern);
        free((uint64_t *)options->rule[i].section);
        free((struct reshard_rank_box *)options->rule[i].box);
    }
    free((struct reshard_rule *)options->rule);
    options->rule = NULL;
    options->rule_count = 0;
}

static uint64_t hash_rule(uint64_t hash, const struct reshard_rule *rule)
{
    const struct reshard_setting *const settings[] = {&rule->pipeline, &rule->shard, &rule->expert,
                                                      &rule->tensor};

    const uint64_t counts[] = {rule->section_count, rule->box_count};

    hash = digest_crc(hash, rule->pattern, strlen(rule->pattern) + 1);
    for (int i = 0; i < 4; i++) {
        const uint64_t numbers[] = {(uint64_t)settings[i]->how, settings[i]->number};
        hash = digest_crc(hash, numbers, sizeof numbers);
    }
    hash = digest_crc(hash, counts, sizeof counts);
    hash = digest_crc(hash, rule->section, rule->section_count * sizeof *rule->section);
    for (uint64_t i = 0; i < rule->box_count; i++) {
        const struct reshard_box *box = &rule->box[i].box;
        const uint64_t numbers[] = {rule->box[i].rank, box->ndim};
        hash = digest_crc(hash, numbers, sizeof numbers);
        hash = digest_crc(hash, box->begin, box->ndim * sizeof box->begin[0]);
        hash = digest_crc(hash, box->end, box->ndim * sizeof box->end[0]);
    }
    return hash;
}

uint64_t reshard_layout_options_hash(const struct reshard_layout_options *options)
{
    const struct reshard_mesh mesh = reshard_layout_options_mesh(options);
    const uint64_t numbers[] = {
        (uint64_t)options->kind,    options->world, options->dim, options->orig_params,
        (uint64_t)options->forward, options->owner};
    uint64_t hash = digest_crc(0, numbers, sizeof numbers);

    hash = digest_crc(hash, mesh.size, sizeof mesh.size);
    for (uint32_t i = 0; i < options->rule_count; i++)
        hash = hash_rule(hash, &options->rule[i]);
    return hash;
}

/* ---- options, checked ------------------------------------------------------------------------ */

static enum reshard_status check_mesh(const struct reshard_layout_options *options,
                                      struct reshard_error *error)
{
    const struct reshard_mesh mesh = reshard_layout_options_mesh(options);
    const uint64_t ranks = reshard_mesh_ranks(&mesh);

    if (ranks == 0 || options->world > RESHARD_MESH_RANKS_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "a mesh of pipeline %" PRIu64 ", replicate %" PRIu64
                                 ", shard %" PRIu64 ", expert %" PRIu64 ", tensor %" PRIu64
                                 " in a world of %" PRIu64
                                 " ranks is too large; at most %d ranks are supported",
                                 mesh.size[0], mesh.size[1], mesh.size[2], mesh.size[3],
                                 mesh.size[4], options->world, RESHARD_MESH_RANKS_MAX);
    if (options->world && options->world < ranks)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "the mesh has %" PRIu64 " places, but the world only %" PRIu64
                                 " ranks",
                                 ranks, options->world);
    if (options->owner > mesh.size[RESHARD_MESH_REPLICATE])
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "the owner is replica %" PRIu64 ", but the last one is %" PRIu64,
                                 options->owner - 1, mesh.size[RESHARD_MESH_REPLICATE] - 1);
    return RESHARD_OK;
}

static enum reshard_status check_kind(const struct reshard_layout_options *options,
                                      struct reshard_error *error)
{
    const bool cuts =
        options->kind == RESHARD_LAYOUT_FSDP1 || options->kind == RESHARD_LAYOUT_FSDP2;

    if (options->kind > RESHARD_LAYOUT_BOXES)
        return reshard_error_set(error, RESHARD_EINVAL, "unknown kind of layout %d",
                                 (int)options->kind);
    if (!cuts && options->shard > 1)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "a %s layout shards nothing, but its mesh has shard: %" PRIu64,
                                 reshard_layout_kind_name(options->kind), options->shard);
    if (options->kind == RESHARD_LAYOUT_BOXES &&
        (options->pipeline > 1 || options->expert > 1 || options->tensor > 1))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "the mesh of a boxes layout is its ranks, as replicate, alone");
    if (options->kind != RESHARD_LAYOUT_FSDP1 && (options->orig_params || options->forward))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "orig_params and forward are for fsdp1; this layout is %s",
                                 reshard_layout_kind_name(options->kind));
    if (options->kind != RESHARD_LAYOUT_FSDP2 && options->dim)
        return reshard_error_set(error, RESHARD_EINVAL, "dim is for fsdp2; this layout is %s",
                                 reshard_layout_kind_name(options->kind));
    if (options->dim >= RESHARD_DIMS_MAX)
        return reshard_error_set(error, RESHARD_EINVAL, "dim is %u, but tensors have at most %d",
                                 options->dim, RESHARD_DIMS_MAX);
    if (options->forward && reshard_dtype_kind(options->forward) != RESHARD_KIND_FLOAT)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "forward must be f64, f32, f16 or bf16, not %s",
                                 reshard_dtype_name(options->forward));
    return RESHARD_OK;
}

/* What a manifest, which is JSON, can say. A rule need not match any tensor, so what tensors bound
 * is not bounded yet. */
#define NUMBER_MAX ((uint64_t)INT64_MAX)

static enum reshard_status check_setting(const struct reshard_rule *rule, enum reshard_mesh_dim dim,
                                         struct reshard_setting setting,
                                         struct reshard_error *error)
{
    const bool may_fix = dim == RESHARD_MESH_PIPELINE || dim == RESHARD_MESH_EXPERT;
    const char *name = reshard_mesh_dim_name(dim);

    if (setting.how > RESHARD_HOW_OF || (setting.how >= RESHARD_HOW_AT && !may_fix) ||
        (setting.how == RESHARD_HOW_CUT && dim == RESHARD_MESH_PIPELINE))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "rule '%s': %s cannot be set so: only pipeline and expert fix a "
                                 "coordinate, and only shard, expert and tensor cut a dimension",
                                 rule->pattern, name);
    if (setting.how == RESHARD_HOW_CUT && setting.number >= RESHARD_DIMS_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "rule '%s': %s cuts dimension %" PRIu64
                                 "; tensors have at most %d",
                                 rule->pattern, name, setting.number, RESHARD_DIMS_MAX);
    if (setting.how >= RESHARD_HOW_CUT && setting.number > NUMBER_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "rule '%s': %s has %" PRIu64 "; numbers must be below 2^63",
                                 rule->pattern, name, setting.number);
    if (setting.how == RESHARD_HOW_OF && (setting.number == 0 || !strstr(rule->pattern, "{i}")))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "rule '%s': %s is one of %" PRIu64
                                 " entries: at least 1 is needed, and a pattern with {i}, which "
                                 "counts them",
                                 rule->pattern, name, setting.number);
    return RESHARD_OK;
}

static enum reshard_status check_sections(const struct reshard_rule *rule,
                                          struct reshard_error *error)
{
    if (rule->section_count == 1 || rule->section_count > RESHARD_SECTIONS_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "rule '%s': %u sections; 2 to %d are possible", rule->pattern,
                                 rule->section_count, RESHARD_SECTIONS_MAX);
    for (uint32_t i = 0; i < rule->section_count; i++)
        if (rule->section[i] == 0 || rule->section[i] > NUMBER_MAX)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "rule '%s': section %u has size %" PRIu64
                                     "; it must be at least 1, and below 2^63",
                                     rule->pattern, i, rule->section[i]);
    return RESHARD_OK;
}

static enum reshard_status check_given_boxes(const struct reshard_rule *rule,
                                             struct reshard_error *error)
{
    for (uint64_t i = 0; i < rule->box_count; i++) {
        const struct reshard_rank_box *given = &rule->box[i];
        bool fits = given->rank <= NUMBER_MAX && given->box.ndim <= RESHARD_DIMS_MAX;
        for (uint32_t d = 0; fits && d < given->box.ndim; d++)
            fits = given->box.begin[d] <= NUMBER_MAX && given->box.end[d] <= NUMBER_MAX;
        if (!fits)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "rule '%s': box %" PRIu64 " has more than %d dimensions, or a "
                                     "number that is not below 2^63",
                                     rule->pattern, i, RESHARD_DIMS_MAX);
    }
    return RESHARD_OK;
}

static enum reshard_status check_rule(const struct reshard_rule *rule, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    if (!pattern_is_valid(rule->pattern))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%s' is no pattern: it must be UTF-8 and not empty, and may "
                                 "have {i} once and * up to %d times",
                                 rule->pattern, PATTERN_STARS_MAX);
    if (!rule->pipeline.how && !rule->shard.how && !rule->expert.how && !rule->tensor.how &&
        !rule->section_count && !rule->box_count)
        return reshard_error_set(error, RESHARD_EINVAL, "rule '%s' says nothing", rule->pattern);
    status = check_setting(rule, RESHARD_MESH_PIPELINE, rule->pipeline, error);
    if (!status)
        status = check_setting(rule, RESHARD_MESH_SHARD, rule->shard, error);
    if (!status)
        status = check_setting(rule, RESHARD_MESH_EXPERT, rule->expert, error);
    if (!status)
        status = check_setting(rule, RESHARD_MESH_TENSOR, rule->tensor, error);
    if (!status)
        status = check_sections(rule, error);
    return status ? status : check_given_boxes(rule, error);
}

/* What the rules point to is there. */
static enum reshard_status check_pointers(const struct reshard_layout_options *options,
                                          struct reshard_error *error)
{
    const struct reshard_rule *rule = options->rule;
    enum reshard_status status = RESHARD_OK;

    if (options->rule_count > 0)
        status = CHECK_ARGUMENTS(error, ARGUMENT(options->rule));
    for (uint32_t i = 0; !status && i < options->rule_count; i++) {
        status = CHECK_ARGUMENTS(error, ARGUMENT(rule[i].pattern));
        if (!status && rule[i].section_count > 0)
            status = CHECK_ARGUMENTS(error, ARGUMENT(rule[i].section));
        if (!status && rule[i].box_count > 0)
            status = CHECK_ARGUMENTS(error, ARGUMENT(rule[i].box));
    }
    return status;
}

static enum reshard_status check_counts(const struct reshard_layout_options *options,
                                        struct reshard_error *error)
{
    uint32_t wild = 0;

    if (options->rule_count > RESHARD_RULES_MAX)
        return reshard_error_set(error, RESHARD_EINVAL, "%u rules; at most %d are supported",
                                 options->rule_count, RESHARD_RULES_MAX);
    for (uint32_t i = 0; i < options->rule_count; i++)
        wild += pattern_is_wild(options->rule[i].pattern);
    if (wild > RESHARD_RULES_WILD_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%u rules have a * or {i}; at most %d such are supported", wild,
                                 RESHARD_RULES_WILD_MAX);
    return RESHARD_OK;
}

enum reshard_status formula_check(const struct reshard_layout_options *options,
                                  struct reshard_error *error)
{
    enum reshard_status status = check_pointers(options, error);

    if (!status)
        status = check_kind(options, error);
    if (!status)
        status = check_mesh(options, error);
    if (!status)
        status = check_counts(options, error);
    for (uint32_t i = 0; !status && i < options->rule_count; i++)
        status = check_rule(&options->rule[i], error);
    return status;
}
