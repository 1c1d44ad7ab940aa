#include "core/layout_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- encoding -------------------------------------------------------------------------------- */

/* Set a member; a value that could not be made, or set, is a failure that sticks. */
static void set(json_t *object, const char *member, json_t *value, bool *failed)
{
    if (!value || json_object_set_new(object, member, value))
        *failed = true;
}

static void append(json_t *array, json_t *value, bool *failed)
{
    if (!value || json_array_append_new(array, value))
        *failed = true;
}

static json_t *count_value(uint64_t count)
{
    return json_integer((json_int_t)count);
}

static json_t *mesh_value(const struct reshard_layout_options *options, bool *failed)
{
    const struct reshard_mesh mesh = reshard_layout_options_mesh(options);
    const bool shards =
        options->kind == RESHARD_LAYOUT_FSDP1 || options->kind == RESHARD_LAYOUT_FSDP2;
    json_t *value = json_object();

    for (int d = 0; value && d < RESHARD_MESH_DIMS; d++) {
        const bool always = d == (shards ? RESHARD_MESH_SHARD : RESHARD_MESH_REPLICATE);
        if (mesh.size[d] > 1 || always)
            set(value, reshard_mesh_dim_name((enum reshard_mesh_dim)d), count_value(mesh.size[d]),
                failed);
    }
    return value;
}

static json_t *setting_value(struct reshard_setting setting, bool *failed)
{
    json_t *value;

    if (setting.how == RESHARD_HOW_WHOLE)
        return json_string("whole");
    if (setting.how == RESHARD_HOW_CUT)
        return count_value(setting.number);
    value = json_object();
    if (value)
        set(value, setting.how == RESHARD_HOW_AT ? "at" : "of", count_value(setting.number),
            failed);
    return value;
}

static json_t *counts_value(const uint64_t *counts, uint32_t count, bool *failed)
{
    json_t *value = json_array();

    for (uint32_t i = 0; value && i < count; i++)
        append(value, count_value(counts[i]), failed);
    return value;
}

static json_t *boxes_value(const struct reshard_rule *rule, bool *failed)
{
    json_t *value = json_array();

    for (uint64_t i = 0; value && i < rule->box_count; i++) {
        const struct reshard_rank_box *given = &rule->box[i];
        json_t *box = json_object();
        if (box) {
            set(box, "rank", count_value(given->rank), failed);
            set(box, "begin", counts_value(given->box.begin, given->box.ndim, failed), failed);
            set(box, "end", counts_value(given->box.end, given->box.ndim, failed), failed);
        }
        append(value, box, failed);
    }
    return value;
}

static json_t *rule_value(const struct reshard_rule *rule, bool *failed)
{
    json_t *value = json_object();

    if (!value)
        return NULL;
    set(value, "pattern", json_string(rule->pattern), failed);
    if (rule->pipeline.how)
        set(value, "pipeline", setting_value(rule->pipeline, failed), failed);
    if (rule->shard.how)
        set(value, "shard", setting_value(rule->shard, failed), failed);
    if (rule->expert.how)
        set(value, "expert", setting_value(rule->expert, failed), failed);
    if (rule->tensor.how)
        set(value, "tensor", setting_value(rule->tensor, failed), failed);
    if (rule->section_count)
        set(value, "sections", counts_value(rule->section, rule->section_count, failed), failed);
    if (rule->box_count)
        set(value, "boxes", boxes_value(rule, failed), failed);
    return value;
}

static json_t *rules_value(const struct reshard_layout_options *options, bool *failed)
{
    json_t *value = json_array();

    for (uint32_t i = 0; value && i < options->rule_count; i++)
        append(value, rule_value(&options->rule[i], failed), failed);
    return value;
}

json_t *layout_json_encode(const struct reshard_layout_options *options)
{
    json_t *value = json_object();
    bool failed = false;

    if (!value)
        return NULL;
    set(value, "kind", json_string(reshard_layout_kind_name(options->kind)), &failed);
    set(value, "mesh", mesh_value(options, &failed), &failed);
    if (options->dim)
        set(value, "dim", count_value(options->dim), &failed);
    if (options->kind == RESHARD_LAYOUT_FSDP1) {
        set(value, "orig_params", json_boolean(options->orig_params), &failed);
        set(value, "forward",
            options->forward ? json_string(reshard_dtype_name(options->forward)) : json_null(),
            &failed);
    }
    if (options->owner)
        set(value, "owner", count_value(options->owner - 1), &failed);
    if (options->rule_count)
        set(value, "tensors", rules_value(options, &failed), &failed);
    if (!failed)
        return value;
    json_decref(value);
    return NULL;
}

/* ---- decoding -------------------------------------------------------------------------------- */

/* Refuse a member of what is at `where`, or, with "", that itself. */
__attribute__((format(printf, 4, 5))) static enum reshard_status
refuse(struct layout_json_fault *fault, const char *where, const char *member, const char *format,
       ...)
{
    va_list arguments;

    snprintf(fault->where, sizeof fault->where, "%s%s%s", where, *member ? "." : "", member);
    va_start(arguments, format);
    vsnprintf(fault->reason, sizeof fault->reason, format, arguments);
    va_end(arguments);
    return RESHARD_EFORMAT;
}

/* An object that has no members but those of `known`, which NULL ends. */
static enum reshard_status check_members(const json_t *object, const char *where,
                                         const char *const *known, struct layout_json_fault *fault)
{
    /* jansson's iterators want a mutable object and do not change it. */
    json_t *const iterated = (json_t *)(uintptr_t)object;

    if (!json_is_object(object))
        return refuse(fault, where, "", "an object is needed");
    for (void *i = json_object_iter(iterated); i; i = json_object_iter_next(iterated, i)) {
        const char *const key = json_object_iter_key(i);
        const char *const *name = known;
        while (*name && strcmp(*name, key) != 0)
            name++;
        if (!*name)
            return refuse(fault, where, key, "no such member in this version");
    }
    return RESHARD_OK;
}

/* An integer of [minimum, 2^63). */
static enum reshard_status get_count(const json_t *object, const char *where, const char *member,
                                     json_int_t minimum, uint64_t *out,
                                     struct layout_json_fault *fault)
{
    const json_t *const value = json_object_get(object, member);

    if (!json_is_integer(value) || json_integer_value(value) < minimum)
        return refuse(fault, where, member, "an integer of at least %lld is needed",
                      (long long)minimum);
    *out = (uint64_t)json_integer_value(value);
    return RESHARD_OK;
}

static enum reshard_status get_mesh(const json_t *mesh, struct reshard_layout_options *out,
                                    struct layout_json_fault *fault)
{
    static const char *const known[] = {"pipeline", "replicate", "shard", "expert", "tensor", NULL};
    uint64_t *const sizes[] = {&out->pipeline, &out->replicate, &out->shard, &out->expert,
                               &out->tensor};
    enum reshard_status status = check_members(mesh, "layout.mesh", known, fault);

    for (int d = 0; d < RESHARD_MESH_DIMS; d++) {
        *sizes[d] = 1;
        if (!status && json_object_get(mesh, known[d]))
            status = get_count(mesh, "layout.mesh", known[d], 1, sizes[d], fault);
    }
    if (!status && out->shard != 1 && out->kind == RESHARD_LAYOUT_DDP)
        status = refuse(fault, "layout.mesh", "shard",
                        "ddp shards nothing: 1, or no such member, is needed");
    return status;
}

/* An integer, "whole", {"at": k} or {"of": n}. */
static enum reshard_status get_setting(const json_t *rule, const char *where, const char *member,
                                       struct reshard_setting *out, struct layout_json_fault *fault)
{
    static const char *const at[] = {"at", NULL}, *const of[] = {"of", NULL};
    const json_t *const value = json_object_get(rule, member);
    const bool is_at = json_object_get(value, "at") != NULL;
    char inner[80];

    if (!value)
        return RESHARD_OK;
    if (json_is_string(value) && strcmp(json_string_value(value), "whole") == 0) {
        out->how = RESHARD_HOW_WHOLE;
        return RESHARD_OK;
    }
    if (json_is_integer(value)) {
        out->how = RESHARD_HOW_CUT;
        return get_count(rule, where, member, 0, &out->number, fault);
    }
    if (!json_is_object(value))
        return refuse(
            fault, where, member,
            "a dimension, \"whole\", {\"at\": coordinate} or {\"of\": entries} is needed");
    snprintf(inner, sizeof inner, "%.60s.%s", where, member);
    out->how = is_at ? RESHARD_HOW_AT : RESHARD_HOW_OF;
    const enum reshard_status status = check_members(value, inner, is_at ? at : of, fault);
    return status
               ? status
               : get_count(value, inner, is_at ? "at" : "of", is_at ? 0 : 1, &out->number, fault);
}

/* An array of integers of at least `minimum`, at most `most` of them, into `out`. */
static enum reshard_status get_counts(const json_t *object, const char *where, const char *member,
                                      json_int_t minimum, uint32_t most, uint64_t *out,
                                      uint32_t *count, struct layout_json_fault *fault)
{
    const json_t *const array = json_object_get(object, member);

    if (!json_is_array(array) || json_array_size(array) > most)
        return refuse(fault, where, member, "an array of at most %" PRIu32 " integers is needed",
                      most);
    *count = (uint32_t)json_array_size(array);
    for (uint32_t i = 0; i < *count; i++) {
        const json_t *const entry = json_array_get(array, i);
        if (!json_is_integer(entry) || json_integer_value(entry) < minimum)
            return refuse(fault, where, member,
                          "entry %" PRIu32 " must be an integer of at least %lld", i,
                          (long long)minimum);
        out[i] = (uint64_t)json_integer_value(entry);
    }
    return RESHARD_OK;
}

static enum reshard_status get_box(const json_t *entry, const char *where,
                                   struct reshard_rank_box *out, struct layout_json_fault *fault)
{
    static const char *const known[] = {"rank", "begin", "end", NULL};
    enum reshard_status status = check_members(entry, where, known, fault);
    uint32_t ends = 0;

    if (!status)
        status = get_count(entry, where, "rank", 0, &out->rank, fault);
    if (!status)
        status = get_counts(entry, where, "begin", 0, RESHARD_DIMS_MAX, out->box.begin,
                            &out->box.ndim, fault);
    if (!status)
        status = get_counts(entry, where, "end", 0, RESHARD_DIMS_MAX, out->box.end, &ends, fault);
    if (!status && ends != out->box.ndim)
        status = refuse(fault, where, "end", "%" PRIu32 " entries, but begin has %" PRIu32, ends,
                        out->box.ndim);
    return status;
}

static enum reshard_status get_boxes(const json_t *rule, const char *where,
                                     struct reshard_rule *out, struct layout_json_fault *fault)
{
    const json_t *const array = json_object_get(rule, "boxes");
    enum reshard_status status = RESHARD_OK;
    struct reshard_rank_box *box;
    char inner[96];

    if (!array)
        return RESHARD_OK;
    if (!json_is_array(array) || json_array_size(array) == 0)
        return refuse(fault, where, "boxes", "an array of at least one box is needed");
    out->box = box = calloc(json_array_size(array), sizeof *box);
    if (!box)
        return RESHARD_ENOMEM;
    out->box_count = json_array_size(array);
    for (size_t i = 0; !status && i < out->box_count; i++) {
        snprintf(inner, sizeof inner, "%.50s.boxes[%zu]", where, i);
        status = get_box(json_array_get(array, i), inner, &box[i], fault);
    }
    return status;
}

static enum reshard_status get_sections(const json_t *rule, const char *where,
                                        struct reshard_rule *out, struct layout_json_fault *fault)
{
    uint64_t *section;

    if (!json_object_get(rule, "sections"))
        return RESHARD_OK;
    out->section = section = calloc(RESHARD_SECTIONS_MAX, sizeof *section);
    if (!section)
        return RESHARD_ENOMEM;
    const enum reshard_status status = get_counts(rule, where, "sections", 1, RESHARD_SECTIONS_MAX,
                                                  section, &out->section_count, fault);
    if (!status && out->section_count < 2)
        return refuse(fault, where, "sections", "at least 2 are needed");
    return status;
}

static enum reshard_status get_rule(const json_t *rule, const char *where, struct reshard_rule *out,
                                    struct layout_json_fault *fault)
{
    static const char *const known[] = {"pattern", "pipeline", "shard", "expert",
                                        "tensor",  "sections", "boxes", NULL};
    const char *const pattern = json_string_value(json_object_get(rule, "pattern"));
    enum reshard_status status = check_members(rule, where, known, fault);

    if (!status && !pattern)
        status = refuse(fault, where, "pattern", "a string is needed");
    if (status)
        return status;
    out->pattern = strdup(pattern);
    if (!out->pattern)
        return RESHARD_ENOMEM;
    status = get_setting(rule, where, "pipeline", &out->pipeline, fault);
    if (!status)
        status = get_setting(rule, where, "shard", &out->shard, fault);
    if (!status)
        status = get_setting(rule, where, "expert", &out->expert, fault);
    if (!status)
        status = get_setting(rule, where, "tensor", &out->tensor, fault);
    if (!status)
        status = get_sections(rule, where, out, fault);
    return status ? status : get_boxes(rule, where, out, fault);
}

static enum reshard_status get_rules(const json_t *layout, struct reshard_layout_options *out,
                                     struct layout_json_fault *fault)
{
    const json_t *const array = json_object_get(layout, "tensors");
    enum reshard_status status = RESHARD_OK;
    struct reshard_rule *rule;
    char where[48];

    if (!array)
        return RESHARD_OK;
    if (!json_is_array(array) || json_array_size(array) == 0 ||
        json_array_size(array) > RESHARD_RULES_MAX)
        return refuse(fault, "layout", "tensors", "an array of 1 to %d rules is needed",
                      RESHARD_RULES_MAX);
    out->rule = rule = calloc(json_array_size(array), sizeof *rule);
    if (!rule)
        return RESHARD_ENOMEM;
    out->rule_count = (uint32_t)json_array_size(array);
    for (uint32_t i = 0; !status && i < out->rule_count; i++) {
        snprintf(where, sizeof where, "layout.tensors[%" PRIu32 "]", i);
        status = get_rule(json_array_get(array, i), where, &rule[i], fault);
    }
    return status;
}

/* orig_params and forward. */
static enum reshard_status get_flat(const json_t *layout, struct reshard_layout_options *out,
                                    struct layout_json_fault *fault)
{
    const json_t *const orig_params = json_object_get(layout, "orig_params");
    const json_t *const forward = json_object_get(layout, "forward");

    if (!json_is_boolean(orig_params))
        return refuse(fault, "layout", "orig_params", "true or false is needed");
    out->orig_params = json_is_true(orig_params);
    if (json_is_null(forward))
        return RESHARD_OK;
    if (!json_is_string(forward))
        return refuse(fault, "layout", "forward", "a string is needed");
    out->forward = reshard_dtype_from_name(json_string_value(forward));
    if (out->forward == RESHARD_DTYPE_NONE)
        return refuse(fault, "layout", "forward", "'%.64s' is no dtype",
                      json_string_value(forward));
    return RESHARD_OK;
}

static enum reshard_status get_kind(const json_t *layout, struct reshard_layout_options *out,
                                    struct layout_json_fault *fault)
{
    static const char *const known[] = {"kind", "mesh", "owner", "tensors", NULL};
    static const char *const known_fsdp1[] = {"kind",  "mesh",    "orig_params", "forward",
                                              "owner", "tensors", NULL};
    static const char *const known_fsdp2[] = {"kind", "mesh", "dim", "owner", "tensors", NULL};
    const char *const kind = json_string_value(json_object_get(layout, "kind"));

    if (!json_is_object(layout))
        return refuse(fault, "layout", "", "an object is needed");
    if (!kind)
        return refuse(fault, "layout", "kind", "a string is needed");
    if (!reshard_layout_kind_from_name(kind, &out->kind))
        return refuse(fault, "layout", "kind",
                      "'%.64s' is no layout; fsdp1, fsdp2, ddp and boxes are", kind);
    return check_members(layout, "layout",
                         out->kind == RESHARD_LAYOUT_FSDP1   ? known_fsdp1
                         : out->kind == RESHARD_LAYOUT_FSDP2 ? known_fsdp2
                                                             : known,
                         fault);
}

static enum reshard_status get_numbers(const json_t *layout, struct reshard_layout_options *out,
                                       struct layout_json_fault *fault)
{
    enum reshard_status status = RESHARD_OK;
    uint64_t dim = 0, owner = 0;

    if (json_object_get(layout, "dim"))
        status = get_count(layout, "layout", "dim", 1, &dim, fault);
    if (!status && dim >= RESHARD_DIMS_MAX)
        return refuse(fault, "layout", "dim", "tensors have at most %d dimensions",
                      RESHARD_DIMS_MAX);
    out->dim = (uint32_t)dim;
    if (!status && json_object_get(layout, "owner")) {
        status = get_count(layout, "layout", "owner", 0, &owner, fault);
        out->owner = owner + 1;
    }
    return status;
}

enum reshard_status layout_json_decode(const json_t *layout, struct reshard_layout_options *out,
                                       struct layout_json_fault *fault)
{
    enum reshard_status status;

    *out = (struct reshard_layout_options){.world = 0};
    *fault = (struct layout_json_fault){"layout", "out of memory"};
    status = get_kind(layout, out, fault);
    if (!status && out->kind == RESHARD_LAYOUT_FSDP1)
        status = get_flat(layout, out, fault);
    if (!status)
        status = get_mesh(json_object_get(layout, "mesh"), out, fault);
    if (!status)
        status = get_numbers(layout, out, fault);
    if (!status)
        status = get_rules(layout, out, fault);
    if (status) {
        reshard_layout_options_release(out);
        *out = (struct reshard_layout_options){.world = 0};
    }
    return status;
}
