#include "support/random_layout.h"

#include "support/oracle.h"

#include <string.h>

static uint64_t below(struct test_random *random, uint64_t limit)
{
    return test_random_below(random, limit);
}

/* ---- models ---------------------------------------------------------------------------------- */

static const char *const units[] = {"", "layers.0", "layers.1", "layers.2", "tail"};
static const char *const leaves[] = {"qkv",          "weight",       "bias", "experts.0.up",
                                     "experts.1.up", "experts.2.up", "down"};

enum { UNITS = sizeof units / sizeof *units, LEAVES = sizeof leaves / sizeof *leaves };

static enum reshard_role draw_role(struct test_random *random)
{
    switch (below(random, 16)) {
    case 0:
        return RESHARD_ROLE_FROZEN;
    case 1:
    case 2:
        return RESHARD_ROLE_BUFFER;
    case 3:
        return RESHARD_ROLE_TRANSIENT;
    case 4:
        return RESHARD_ROLE_OPAQUE;
    case 5:
        return RESHARD_ROLE_PER_RANK;
    default:
        return RESHARD_ROLE_PARAMETER;
    }
}

static struct reshard_shape draw_shape(struct test_random *random, uint64_t most)
{
    static const uint64_t sizes[] = {1, 2, 3, 4, 4, 6, 8, 8, 12, 5, 7, 9, 16};
    struct reshard_shape shape = {.ndim = (uint32_t)below(random, 4)};
    uint64_t elements = 1;

    for (uint32_t d = 0; d < shape.ndim; d++) {
        shape.size[d] = sizes[below(random, sizeof sizes / sizeof *sizes)];
        if (below(random, 60) == 0)
            shape.size[d] = 0;
        if (elements * shape.size[d] > most)
            shape.size[d] = 1;
        elements *= shape.size[d];
    }
    return shape;
}

static void must(enum reshard_status status)
{
    if (status) {
        fprintf(stderr, "a random model is refused: %s\n", reshard_status_name(status));
        abort();
    }
}

static void add_entry(struct reshard_model *model, struct test_random *random, uint64_t world,
                      uint64_t most, const enum reshard_dtype *unit_dtype, uint64_t number)
{
    static const enum reshard_dtype others[] = {RESHARD_DTYPE_I64, RESHARD_DTYPE_BOOL,
                                                RESHARD_DTYPE_C64, RESHARD_DTYPE_F64};
    struct reshard_shape shape = draw_shape(random, most);
    const enum reshard_role role = draw_role(random);
    const uint64_t unit = below(random, UNITS), leaf = below(random, LEAVES);
    enum reshard_dtype dtype = below(random, 12) ? unit_dtype[unit] : others[below(random, 4)];
    char fqn[64];

    (void)snprintf(fqn, sizeof fqn, "%s%s%s%s%d", units[unit], unit ? "." : "", leaves[leaf], "_",
                   (int)number);
    if (role == RESHARD_ROLE_OPAQUE) {
        shape = (struct reshard_shape){1, {below(random, 20)}};
        dtype = RESHARD_DTYPE_U8;
    } else if (role == RESHARD_ROLE_PER_RANK) {
        shape = (struct reshard_shape){2, {world, below(random, 4)}};
        shape.size[0] += below(random, 40) == 0;
    }
    must(reshard_model_add_role(model, fqn, units[unit], dtype, &shape, role,
                                RESHARD_OTHER_WORLD_REFUSE, NULL));
    if (reshard_role_is_parameter(role))
        oracle_add_slots(model, random, fqn);
}

struct reshard_model *random_model(struct test_random *random, uint64_t world, uint64_t elements)
{
    static const enum reshard_dtype floats[] = {RESHARD_DTYPE_F64, RESHARD_DTYPE_F32,
                                                RESHARD_DTYPE_F16, RESHARD_DTYPE_BF16};
    const uint64_t tensors = 1 + below(random, 9);
    enum reshard_dtype unit_dtype[UNITS];
    struct reshard_model *model;

    must(reshard_model_open(&model));
    for (int u = 0; u < UNITS; u++)
        unit_dtype[u] = floats[below(random, 4)];
    for (uint64_t t = 0; t < tensors; t++)
        add_entry(model, random, world, elements, unit_dtype, t);
    return model;
}

/* ---- layouts --------------------------------------------------------------------------------- */

static void draw_mesh(struct reshard_layout_options *options, struct test_random *random,
                      uint64_t world)
{
    static const uint64_t sizes[] = {1, 2, 2, 3, 4};
    uint64_t *const dims[] = {&options->pipeline, &options->replicate, &options->shard,
                              &options->expert, &options->tensor};
    uint64_t ranks = 1;

    for (int d = 0; d < 5; d++)
        *dims[d] = below(random, 4) ? 1 : 0;
    if (options->kind == RESHARD_LAYOUT_BOXES) {
        options->replicate = 1 + below(random, world);
        return;
    }
    for (uint64_t i = 0; i < 8; i++) {
        const uint64_t d = below(random, 5), size = sizes[below(random, 5)];
        if (*dims[d] > 1 || ranks * size > world || (d == 2 && options->kind == RESHARD_LAYOUT_DDP))
            continue;
        *dims[d] = size;
        ranks *= size;
    }
}

static struct reshard_setting draw_setting(struct test_random *random, bool coordinate,
                                           bool numbered, uint64_t size)
{
    const uint64_t which = below(random, 12);

    if (coordinate && which < 4)
        return (struct reshard_setting){RESHARD_HOW_AT, below(random, size + (which == 3))};
    if (coordinate && which < 8 && (numbered || below(random, 10) == 0))
        return (struct reshard_setting){RESHARD_HOW_OF, below(random, 8) ? 3 : below(random, 3)};
    if (which == 11)
        return (struct reshard_setting){RESHARD_HOW_WHOLE, 0};
    return (struct reshard_setting){RESHARD_HOW_CUT, below(random, 8) ? below(random, 2) : 2};
}

static void draw_pattern(struct test_random *random, const struct reshard_model *model, char *out,
                         size_t size)
{
    static const char *const patterns[] = {"*",        "*qkv*",        "*bias*",
                                           "*weight*", "layers.{i}.*", "*experts.{i}.*",
                                           "*down*",   "tail.*",       "layers.*.experts.{i}.*",
                                           "*_{i}",    "*{i}*",        "*_0"};
    const uint64_t t = below(random, reshard_model_tensor_count(model));

    if (below(random, 3))
        (void)snprintf(out, size, "%s",
                       patterns[below(random, sizeof patterns / sizeof *patterns)]);
    else
        (void)snprintf(out, size, "%s", reshard_model_tensor(model, (uint32_t)t)->fqn);
}

/* Any that is no slot. */
static const struct reshard_tensor *any_tensor(struct test_random *random,
                                               const struct reshard_model *model)
{
    const uint64_t t = below(random, reshard_model_tensor_count(model));

    return reshard_model_tensor(model, reshard_model_tensor(model, (uint32_t)t)->parameter);
}

/* The first tensor that a pattern is about, roughly: the one it names, or any. */
static const struct reshard_tensor *
draw_tensor(struct test_random *random, const struct reshard_model *model, const char *pattern)
{
    uint32_t index;

    if (!strchr(pattern, '*') && !reshard_model_find(model, pattern, "", &index))
        return reshard_model_tensor(model, index);
    return any_tensor(random, model);
}

/* Parts of a dimension, mostly multiples of `ways` and mostly of the right sum. */
static uint32_t draw_sections(struct test_random *random, uint64_t size, uint64_t ways,
                              uint64_t *section)
{
    const uint64_t unit = size % ways == 0 ? ways : 1;
    uint64_t left = size / unit, count = 0;

    while (left > 1 && count < 3) {
        const uint64_t part = 1 + below(random, left - 1);
        section[count++] = part * unit;
        left -= part;
    }
    section[count++] = (left ? left : 1) * unit + (below(random, 20) == 0);
    return count < 2 ? 0 : (uint32_t)count;
}

/* Boxes that cover the tensor, dealt out to sets of ranks; one in eight times with a fault. */
static uint64_t draw_boxes(struct test_random *random, const struct reshard_tensor *tensor,
                           uint64_t ranks, struct reshard_rank_box **out)
{
    enum { PARTS = 6 };
    struct reshard_box part[PARTS + 1];
    uint64_t set[64], count = 0;
    const uint64_t parts = oracle_partition(random, &tensor->shape, part, PARTS);
    const uint64_t sets = 1 + below(random, ranks < 4 ? ranks : 4), fault = below(random, 24);

    *out = calloc(PARTS * ranks + 2, sizeof **out);
    if (!*out || ranks > 64)
        abort();
    for (uint64_t r = 0; r < ranks; r++) /* each set has one rank at least; some ranks have none */
        set[r] = r < sets ? r : below(random, sets + 1);
    for (uint64_t p = 0; p < parts; p++) {
        const uint64_t its = below(random, sets);
        if (reshard_box_empty(&part[p]))
            continue;
        for (uint64_t r = ranks; r-- > 0;)
            if (set[r] == its)
                (*out)[count++] = (struct reshard_rank_box){r, part[p]};
    }
    if (fault == 0 && count)
        count--;
    if (fault == 1 && count) {
        (*out)[count] = (*out)[0];
        (*out)[count++].rank = below(random, ranks + 1);
    }
    if (fault == 2 && count && part[0].ndim && (*out)[0].box.end[0] > 0)
        (*out)[0].box.end[0]--;
    return count;
}

/* A cut of a dimension that a tensor has and that divides by so many, the last one first; none
 * where that is not found
 * at once. */
static struct reshard_setting draw_cut(struct test_random *random,
                                       const struct reshard_tensor *tensor, uint64_t ways)
{
    for (int tries = 0; tensor->shape.ndim > 0 && tries < 4; tries++) {
        const uint64_t d = tries % 2 ? below(random, tensor->shape.ndim) : tensor->shape.ndim - 1;
        if (tensor->shape.size[d] % ways == 0)
            return (struct reshard_setting){RESHARD_HOW_CUT, d};
    }
    return (struct reshard_setting){RESHARD_HOW_DEFAULT, 0};
}

/* One that suits one tensor: the others seldom suit all that they are about, least of all what is
 * flat and must divide. */
static void draw_suited(struct random_layout *out, struct test_random *random,
                        const struct reshard_model *model, uint32_t r)
{
    struct reshard_rule *rule = &out->rule[r];
    const struct reshard_mesh mesh = reshard_layout_options_mesh(&out->options);
    const uint64_t ways = mesh.size[RESHARD_MESH_TENSOR];
    const struct reshard_tensor *tensor = any_tensor(random, model);

    (void)snprintf(out->pattern[r], sizeof out->pattern[r], "%s", tensor->fqn);
    *rule = (struct reshard_rule){.pattern = out->pattern[r]};
    rule->tensor = draw_cut(random, tensor, ways);
    if (below(random, 4) == 0)
        rule->expert = draw_cut(random, tensor, mesh.size[RESHARD_MESH_EXPERT]);
    if (rule->tensor.how == RESHARD_HOW_CUT && below(random, 3) == 0)
        rule->section_count =
            draw_sections(random, tensor->shape.size[rule->tensor.number], ways, out->section[r]);
    rule->section = rule->section_count ? out->section[r] : NULL;
    if (!rule->tensor.how && !rule->expert.how)
        rule->tensor.how = RESHARD_HOW_WHOLE;
}

static void draw_rule(struct random_layout *out, struct test_random *random,
                      const struct reshard_model *model, uint32_t r)
{
    struct reshard_rule *rule = &out->rule[r];
    const struct reshard_mesh mesh = reshard_layout_options_mesh(&out->options);
    const struct reshard_tensor *tensor;

    draw_pattern(random, model, out->pattern[r], sizeof out->pattern[r]);
    *rule = (struct reshard_rule){.pattern = out->pattern[r]};
    const bool numbered = strstr(rule->pattern, "{i}") != NULL;
    tensor = draw_tensor(random, model, rule->pattern);
    if (below(random, 4) == 0) {
        rule->pipeline = draw_setting(random, true, numbered, mesh.size[RESHARD_MESH_PIPELINE]);
        if (rule->pipeline.how == RESHARD_HOW_CUT && below(random, 30))
            rule->pipeline = (struct reshard_setting){RESHARD_HOW_WHOLE, 0};
    }
    if (below(random, 3) == 0)
        rule->shard = draw_setting(random, false, numbered, 1);
    if (below(random, 3) == 0)
        rule->expert = draw_setting(random, true, numbered, mesh.size[RESHARD_MESH_EXPERT]);
    if (below(random, 2) == 0)
        rule->tensor = draw_setting(random, false, numbered, 1);
    if (below(random, 4) == 0 && rule->tensor.number < tensor->shape.ndim)
        rule->section_count = draw_sections(random, tensor->shape.size[rule->tensor.number],
                                            mesh.size[RESHARD_MESH_TENSOR], out->section[r]);
    rule->section = rule->section_count ? out->section[r] : NULL;
    if (below(random, out->options.kind == RESHARD_LAYOUT_BOXES ? 1 : 12) == 0) {
        rule->box_count = draw_boxes(random, tensor, reshard_mesh_ranks(&mesh), &out->box[r]);
        rule->box = rule->box_count ? out->box[r] : NULL;
        (void)snprintf(out->pattern[r], sizeof out->pattern[r], "%s", tensor->fqn);
    }
    if (!rule->pipeline.how && !rule->shard.how && !rule->expert.how && !rule->tensor.how &&
        !rule->section_count && !rule->box_count)
        rule->shard.how = RESHARD_HOW_WHOLE;
}

void random_layout_open(struct random_layout *out, struct test_random *random,
                        const struct reshard_model *model, uint64_t world)
{
    static const enum reshard_layout_kind kinds[] = {
        RESHARD_LAYOUT_FSDP1, RESHARD_LAYOUT_FSDP1, RESHARD_LAYOUT_FSDP1, RESHARD_LAYOUT_FSDP2,
        RESHARD_LAYOUT_FSDP2, RESHARD_LAYOUT_FSDP2, RESHARD_LAYOUT_DDP,   RESHARD_LAYOUT_BOXES};
    static const enum reshard_dtype forwards[] = {RESHARD_DTYPE_NONE, RESHARD_DTYPE_BF16,
                                                  RESHARD_DTYPE_F32, RESHARD_DTYPE_F64};
    struct reshard_layout_options *options = &out->options;

    memset(out, 0, sizeof *out);
    options->kind = kinds[below(random, 8)];
    options->world = world;
    draw_mesh(options, random, world);
    if (options->kind == RESHARD_LAYOUT_FSDP2)
        options->dim = below(random, 3) ? 0 : (uint32_t)below(random, 3);
    if (options->kind == RESHARD_LAYOUT_FSDP1) {
        options->orig_params = below(random, 2);
        options->forward = forwards[below(random, 4)];
    }
    if (below(random, 3) == 0)
        options->owner = below(random, 2 + (options->replicate ? options->replicate : 1));
    options->rule_count = (uint32_t)below(random, RANDOM_RULES_MAX);
    options->rule = options->rule_count ? out->rule : NULL;
    for (uint32_t r = 0; r < options->rule_count; r++) {
        if (options->kind != RESHARD_LAYOUT_BOXES && below(random, 2))
            draw_suited(out, random, model, r);
        else
            draw_rule(out, random, model, r);
    }
}

void random_layout_close(struct random_layout *layout)
{
    for (int r = 0; r < RANDOM_RULES_MAX; r++)
        free(layout->box[r]);
}

/* ---- to see what failed ---------------------------------------------------------------------- */

static void print_setting(const char *name, const struct reshard_setting *setting)
{
    static const char *const hows[] = {"default", "whole", "cut", "at", "of"};

    if (setting->how)
        printf(" %s=%s:%d", name, hows[setting->how], (int)setting->number);
}

static void print_rule(const struct reshard_rule *rule)
{
    char text[128];

    printf("  rule '%s'", rule->pattern);
    print_setting("pipeline", &rule->pipeline);
    print_setting("shard", &rule->shard);
    print_setting("expert", &rule->expert);
    print_setting("tensor", &rule->tensor);
    for (uint32_t i = 0; i < rule->section_count; i++)
        printf("%s%d", i ? "," : " sections=", (int)rule->section[i]);
    for (uint64_t i = 0; i < rule->box_count; i++)
        printf(" %d:%s", (int)rule->box[i].rank,
               reshard_box_print(&rule->box[i].box, text, sizeof text));
    printf("\n");
}

void random_layout_print(const struct random_layout *layout, const struct reshard_model *model)
{
    const struct reshard_layout_options *o = &layout->options;
    char name[RESHARD_TENSOR_TEXT_MAX], shape[128];

    printf("%s world %d: P %d R %d S %d E %d T %d dim %d orig %d forward %d owner %d\n",
           reshard_layout_kind_name(o->kind), (int)o->world, (int)o->pipeline, (int)o->replicate,
           (int)o->shard, (int)o->expert, (int)o->tensor, (int)o->dim, o->orig_params, o->forward,
           (int)o->owner);
    for (uint32_t r = 0; r < o->rule_count; r++)
        print_rule(&o->rule[r]);
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        printf("  %d %s %s %s %s unit '%s' %s %d\n", (int)t,
               reshard_tensor_print(tensor, name, sizeof name), reshard_dtype_name(tensor->dtype),
               reshard_shape_print(&tensor->shape, shape, sizeof shape),
               reshard_role_name(tensor->role), reshard_model_unit(model, tensor->unit),
               reshard_slot_class_name(tensor->slot_class), (int)tensor->block);
    }
    (void)fflush(stdout);
}
