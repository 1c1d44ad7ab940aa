#include "verify/formula.h"

#include "verify/members.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_PER_RULE = 3, RULES_MAX = 4096, STARS_MAX = 8 };

static const char *const axis_names[VERIFY_AXES] = {
    [VERIFY_PIPELINE] = "pipeline", [VERIFY_REPLICATE] = "replicate", [VERIFY_SHARD] = "shard",
    [VERIFY_EXPERT] = "expert",     [VERIFY_TENSOR] = "tensor",
};

static const char no_memory[] = "";

static enum reshard_status wrong(struct reshard_error *error, const char *what)
{
    if (what == no_memory)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the manifest's layout");
    return reshard_error_set(error, RESHARD_EFORMAT, "manifest.json: layout: %s", what);
}

/* Note memory as the formula's own; passes NULL on. */
static void *keep(struct verify_formula *formula, void *memory)
{
    if (memory)
        formula->memory[formula->memory_count++] = memory;
    return memory;
}

/* --- rules ------------------------------------------------------------------------------------ */

/* "whole", a dimension, {"at": k} or {"of": n}; which of them an axis may have is not looked at. */
static bool parse_setting(const json_t *value, struct verify_setting *out)
{
    static const char *const at[] = {"at", NULL};
    static const char *const of[] = {"of", NULL};

    out->how = VERIFY_CUT;
    if (json_is_string(value)) {
        out->how = VERIFY_WHOLE;
        return strcmp(json_string_value(value), "whole") == 0;
    }
    if (json_is_integer(value))
        return verify_read_integer(value, &out->number);
    out->how = verify_has_members(value, at) ? VERIFY_AT : VERIFY_OF;
    if (out->how == VERIFY_AT)
        return verify_read_count(value, "at", &out->number);
    return verify_has_members(value, of) && verify_read_count(value, "of", &out->number);
}

static const char *parse_sections(struct verify_formula *formula, const json_t *array,
                                  struct verify_rule *rule)
{
    const size_t count = json_array_size(array);
    uint64_t *section = keep(formula, calloc(count + 1, sizeof *section));

    if (!section)
        return no_memory;
    if (count == 0 || count > UINT32_MAX)
        return "sections are no array of 2 to 16 sizes";
    for (size_t s = 0; s < count; ++s) {
        if (!verify_read_integer(json_array_get(array, s), &section[s]))
            return "a section is no size";
    }
    rule->section = section;
    rule->section_count = (uint32_t)count;
    return NULL;
}

static bool parse_bounds(const json_t *array, uint64_t bound[VERIFY_DIMS_MAX])
{
    if (!json_is_array(array) || json_array_size(array) > VERIFY_DIMS_MAX)
        return false;
    for (size_t d = 0; d < json_array_size(array); ++d) {
        if (!verify_read_integer(json_array_get(array, d), &bound[d]))
            return false;
    }
    return true;
}

static const char *parse_boxes(struct verify_formula *formula, const json_t *array,
                               struct verify_rule *rule)
{
    static const char *const members[] = {"rank", "begin", "end", NULL};
    const size_t count = json_array_size(array);
    struct verify_rank_box *box = keep(formula, calloc(count + 1, sizeof *box));

    if (!box)
        return no_memory;
    if (!json_is_array(array) || count == 0)
        return "boxes are no array, or an empty one";
    for (size_t b = 0; b < count; ++b) {
        const json_t *value = json_array_get(array, b);
        const json_t *begin = json_object_get(value, "begin");
        const json_t *end = json_object_get(value, "end");

        if (!verify_has_members(value, members) ||
            !verify_read_count(value, "rank", &box[b].rank) || !parse_bounds(begin, box[b].begin) ||
            !parse_bounds(end, box[b].end) || json_array_size(begin) != json_array_size(end))
            return "a box has not \"rank\", and \"begin\" and \"end\" of as many dimensions";
        box[b].ndim = (uint32_t)json_array_size(begin);
    }
    rule->box = box;
    rule->box_count = count;
    return NULL;
}

static bool is_pattern(const char *text)
{
    uint32_t stars = 0;

    for (const char *c = text; *c; ++c)
        stars += *c == '*';
    return *text && strlen(text) < VERIFY_NAME_MAX && stars <= STARS_MAX;
}

static const char *parse_rule(struct verify_formula *formula, const json_t *value,
                              struct verify_rule *rule)
{
    static const char *const members[] = {"pattern", "?pipeline", "?shard", "?expert",
                                          "?tensor", "?sections", "?boxes", NULL};
    const char *pattern = json_string_value(json_object_get(value, "pattern"));
    const json_t *sections = json_object_get(value, "sections");
    const json_t *boxes = json_object_get(value, "boxes");
    const char *fault = NULL;

    if (!verify_has_members(value, members) || !pattern)
        return "a rule has no pattern, or members that rules do not have";
    if (!is_pattern(pattern))
        return "a pattern has not 1 to 1023 bytes with at most 8 stars";
    rule->pattern = keep(formula, strdup(pattern));
    if (!rule->pattern)
        return no_memory;
    for (int axis = 0; axis < VERIFY_AXES; ++axis) {
        const json_t *setting = json_object_get(value, axis_names[axis]);

        if (setting && !parse_setting(setting, &rule->axis[axis]))
            return "a setting is no dimension, \"whole\", {\"at\": k} or {\"of\": n}";
    }
    if (sections)
        fault = parse_sections(formula, sections, rule);
    if (boxes && !fault)
        fault = parse_boxes(formula, boxes, rule);
    return fault;
}

static const char *parse_rules(struct verify_formula *formula, const json_t *array)
{
    const size_t count = json_array_size(array);
    struct verify_rule *rule;

    if (!json_is_array(array) || count == 0 || count > RULES_MAX)
        return "its rules are no array of 1 to 4096";
    formula->memory = calloc(KEPT_PER_RULE * count + 1, sizeof(void *));
    if (!formula->memory)
        return no_memory;
    rule = keep(formula, calloc(count, sizeof *rule));
    if (!rule)
        return no_memory;
    for (size_t r = 0; r < count; ++r) {
        const char *fault = parse_rule(formula, json_array_get(array, r), &rule[r]);

        if (fault)
            return fault;
    }
    formula->layout.rule = rule;
    formula->layout.rule_count = (uint32_t)count;
    return NULL;
}

/* --- the formula ------------------------------------------------------------------------------ */

static bool parse_mesh(const json_t *mesh, uint64_t size[VERIFY_AXES])
{
    static const char *const sizes[] = {"?pipeline", "?replicate", "?shard",
                                        "?expert",   "?tensor",    NULL};

    if (!verify_has_members(mesh, sizes))
        return false;
    for (int axis = 0; axis < VERIFY_AXES; ++axis) {
        size[axis] = 1;
        if (json_object_get(mesh, axis_names[axis]) &&
            !verify_read_count(mesh, axis_names[axis], &size[axis]))
            return false;
    }
    return true;
}

static bool parse_kind(const json_t *layout, enum verify_layout_kind *out)
{
    static const char *const names[] = {[VERIFY_FSDP1] = "fsdp1",
                                        [VERIFY_FSDP2] = "fsdp2",
                                        [VERIFY_DDP] = "ddp",
                                        [VERIFY_BOXES] = "boxes"};
    const char *kind = json_string_value(json_object_get(layout, "kind"));

    for (int k = VERIFY_FSDP1; k <= VERIFY_BOXES && kind; ++k) {
        *out = (enum verify_layout_kind)k;
        if (strcmp(kind, names[k]) == 0)
            return true;
    }
    return false;
}

static const char *parse_flat(struct verify_layout *layout, const json_t *value)
{
    const json_t *forward = json_object_get(value, "forward");

    if (!json_is_boolean(json_object_get(value, "orig_params")))
        return "orig_params is no boolean";
    layout->orig_params = json_is_true(json_object_get(value, "orig_params"));
    layout->forward = RESHARD_DTYPE_NONE;
    if (json_is_null(forward))
        return NULL;
    if (json_is_string(forward))
        layout->forward = reshard_dtype_from_name(json_string_value(forward));
    return layout->forward == RESHARD_DTYPE_NONE ? "forward is no dtype and not null" : NULL;
}

static const char *parse_dim(struct verify_layout *layout, const json_t *value)
{
    uint64_t dim = 0;

    if (!json_object_get(value, "dim"))
        return NULL;
    if (!verify_read_count(value, "dim", &dim) || dim == 0 || dim > UINT32_MAX)
        return "dim is no dimension, or 0, which is said by leaving it away";
    layout->dim = (uint32_t)dim;
    return NULL;
}

static const char *parse_owner(struct verify_layout *layout, const json_t *value)
{
    uint64_t owner = 0;

    layout->owner = -1;
    if (!json_object_get(value, "owner"))
        return NULL;
    if (!verify_read_count(value, "owner", &owner))
        return "owner is no coordinate";
    layout->owner = (int64_t)owner;
    return NULL;
}

enum reshard_status verify_formula_parse(struct verify_formula *out, const json_t *value,
                                         struct reshard_error *error)
{
    static const char *const flat[] = {"kind",   "mesh",     "orig_params", "forward",
                                       "?owner", "?tensors", NULL};
    static const char *const cut[] = {"kind", "mesh", "?dim", "?owner", "?tensors", NULL};
    static const char *const plain[] = {"kind", "mesh", "?owner", "?tensors", NULL};
    struct verify_layout *layout = &out->layout;
    const json_t *rules = json_object_get(value, "tensors");
    const char *fault;

    if (!parse_kind(value, &layout->kind))
        return wrong(error, "the kind is not fsdp1, fsdp2, ddp or boxes");
    if (!verify_has_members(value, layout->kind == VERIFY_FSDP1   ? flat
                                   : layout->kind == VERIFY_FSDP2 ? cut
                                                                  : plain))
        return wrong(error, "members that its kind does not have, or lacks some");
    if (!parse_mesh(json_object_get(value, "mesh"), layout->mesh))
        return wrong(error, "the mesh is no object of sizes");
    fault = layout->kind == VERIFY_FSDP1 ? parse_flat(layout, value) : parse_dim(layout, value);
    if (!fault)
        fault = parse_owner(layout, value);
    if (!fault && rules)
        fault = parse_rules(out, rules);
    return fault ? wrong(error, fault) : RESHARD_OK;
}

void verify_formula_close(struct verify_formula *formula)
{
    for (size_t m = 0; m < formula->memory_count; ++m)
        free(formula->memory[m]);
    free(formula->memory);
    formula->memory = NULL;
    formula->memory_count = 0;
}
