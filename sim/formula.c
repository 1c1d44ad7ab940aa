#include "sim/formula.h"

#include "core/pattern.h"
#include "sim/suggest.h"
#include "sim/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A layout that is being read. What it has of `written` is borrowed from there. */
struct formula {
    const struct formula_place *place;
    const struct language_layout *written;
    struct reshard_layout_options options;
    struct reshard_rule *rule;
    uint64_t ranks; /* places of the mesh; 0 where it is not known */
};

static void complain(const struct formula *formula, const struct yaml_node *node,
                     const char *format, ...) __attribute__((format(printf, 3, 4)));
static void complain(const struct formula *formula, const struct yaml_node *node,
                     const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    yaml_error(formula->place->document, node, "%s", text);
}

/* ---- the mesh ---- */

/* Products beyond any number of ranks stay beyond. */
static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static bool shards(const struct formula *formula)
{
    return formula->options.kind == RESHARD_LAYOUT_FSDP1 ||
           formula->options.kind == RESHARD_LAYOUT_FSDP2;
}

/* The product of the sizes that are given, and "2 x 3 = 6" of it. */
static uint64_t given_places(const struct language_mesh *mesh, char *text, size_t size)
{
    const uint64_t sizes[] = {mesh->pipeline, mesh->replicate, mesh->shard, mesh->expert,
                              mesh->tensor};
    uint64_t product = 1;
    size_t used = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        if (sizes[i] == 0)
            continue;
        product = times(product, sizes[i]);
        used += (size_t)snprintf(text + used, size - used, "%s%" PRIu64, count++ ? " x " : "",
                                 sizes[i]);
    }
    if (count > 1)
        (void)snprintf(text + used, size - used, " = %" PRIu64, product);
    return product;
}

/* The size that is what is over when it is not given; NULL when all are given that could be. */
static uint64_t *open_size(struct formula *formula)
{
    const struct language_mesh *mesh = &formula->written->mesh;
    if (shards(formula) && mesh->shard == 0)
        return &formula->options.shard;
    return mesh->replicate == 0 ? &formula->options.replicate : NULL;
}

static void refuse_mesh(const struct formula *formula, const char *product, uint64_t busy,
                        bool open)
{
    const struct formula_place *place = formula->place;
    const struct language_layout *written = formula->written;
    char idle[64] = "";
    char ranks[48];
    const char *whose = place->ranks == place->world ? "the world has" : "the layout is for";
    if (open) {
        complain(formula, written->mesh.node->first, "%s does not divide the %s%s", product,
                 text_plural(busy, "rank", ranks, sizeof(ranks)),
                 written->idle ? " that are not idle" : "");
        return;
    }
    if (written->idle)
        (void)snprintf(idle, sizeof(idle), " and idle: %" PRIu64, written->idle);
    complain(formula, schema_place(written->node, "mesh"), "the mesh has %s places%s, but %s %s",
             product, idle, whose, text_plural(place->ranks, "rank", ranks, sizeof(ranks)));
}

/* All sizes, so that their product and the idle ranks are the ranks. */
static void build_mesh(struct formula *formula)
{
    const struct language_mesh *mesh = &formula->written->mesh;
    const uint64_t idle = formula->written->idle;
    const uint64_t ranks = formula->place->ranks;
    uint64_t *open = open_size(formula);
    char product[160] = "1";
    if (!shards(formula) && mesh->shard > 1) {
        complain(formula, yaml_get(mesh->node, "shard"),
                 "a %s layout shards nothing; leave 'shard' out", formula->written->kind);
        return;
    }
    if (idle >= ranks) {
        complain(formula, yaml_get(formula->written->node, "idle"),
                 "idle: %" PRIu64 " leaves none of the %" PRIu64 " ranks to hold anything", idle,
                 ranks);
        return;
    }
    const uint64_t busy = ranks - idle;
    const uint64_t given = given_places(mesh, product, sizeof(product));
    formula->options.pipeline = mesh->pipeline ? mesh->pipeline : 1;
    formula->options.replicate = mesh->replicate ? mesh->replicate : 1;
    formula->options.shard = mesh->shard ? mesh->shard : 1;
    formula->options.expert = mesh->expert ? mesh->expert : 1;
    formula->options.tensor = mesh->tensor ? mesh->tensor : 1;
    if (open ? busy % given != 0 : given != busy) {
        refuse_mesh(formula, product, busy, open != NULL);
        return;
    }
    if (open)
        *open = busy / given;
    formula->ranks = busy;
}

/* ---- settings ---- */

enum { MAY_CUT = 1, MAY_FIX = 2 };

static bool read_setting(const char *text, unsigned may, struct reshard_setting *out)
{
    if (strcmp(text, "whole") == 0) {
        out->how = RESHARD_HOW_WHOLE;
        return true;
    }
    if ((may & MAY_FIX) && strncmp(text, "at ", 3) == 0) {
        out->how = RESHARD_HOW_AT;
        return quantity_count(text + 3, &out->number);
    }
    if ((may & MAY_FIX) && strncmp(text, "of ", 3) == 0) {
        out->how = RESHARD_HOW_OF;
        return quantity_count(text + 3, &out->number) && out->number > 0;
    }
    out->how = RESHARD_HOW_CUT;
    return (may & MAY_CUT) && quantity_count(text, &out->number) && out->number < RESHARD_DIMS_MAX;
}

static void build_setting(const struct formula *formula, const struct language_rule *written,
                          const char *key, const char *text, unsigned may,
                          struct reshard_setting *out)
{
    static const char *const wanted[] = {
        [MAY_CUT] = "a dimension to cut, such as 0, or whole",
        [MAY_FIX] = "whole, at K (coordinate K), or of N (it is entry {i} of N)",
        [MAY_CUT | MAY_FIX] = "a dimension to cut, such as 0, or whole, at K (coordinate K), or of "
                              "N (it is entry {i} of N)",
    };
    if (!text || read_setting(text, may, out))
        return;
    *out = (struct reshard_setting){RESHARD_HOW_DEFAULT, 0};
    complain(formula, yaml_get(written->node, key), "'%s' must be %s, not '%s'", key, wanted[may],
             text);
}

/* ---- boxes ---- */

static const char *skip_spaces(const char *text)
{
    return text + strspn(text, " ");
}

/* A number, of which at least one digit is there; NULL when there is none. */
static const char *read_bound(const char *text, uint64_t *out)
{
    char digits[24];
    text = skip_spaces(text);
    const size_t length = strspn(text, "0123456789");
    if (length == 0 || length >= sizeof(digits))
        return NULL;
    memcpy(digits, text, length);
    digits[length] = '\0';
    return quantity_count(digits, out) ? skip_spaces(text + length) : NULL;
}

/* "0:4, 0:8" up to the end or a semicolon; NULL when it is no box. */
static const char *read_box(const char *text, struct reshard_box *out)
{
    *out = (struct reshard_box){0};
    do {
        if (out->ndim == RESHARD_DIMS_MAX)
            return NULL;
        const uint32_t d = out->ndim++;
        text = read_bound(out->ndim > 1 ? text + 1 : text, &out->begin[d]);
        if (!text || *text != ':')
            return NULL;
        text = read_bound(text + 1, &out->end[d]);
        if (!text || out->begin[d] >= out->end[d])
            return NULL;
    } while (*text == ',');
    return *text == ';' || *text == '\0' ? text : NULL;
}

/* All boxes of a rank, into out->box behind those that are there; false for a text that has none.
 */
static bool read_boxes(const char *text, uint64_t rank, struct reshard_rule *out)
{
    struct reshard_rank_box *box = (struct reshard_rank_box *)out->box;
    if (*skip_spaces(text) == '\0')
        return true;
    for (;;) {
        box[out->box_count].rank = rank;
        text = read_box(text, &box[out->box_count].box);
        if (!text)
            return false;
        out->box_count++;
        if (*text == '\0')
            return true;
        text++;
    }
}

/* No more boxes than semicolons, and one more for each text. */
static uint64_t boxes_most(const struct schema_list *texts)
{
    const char *const *text = texts->item;
    uint64_t count = texts->count;
    for (uint64_t i = 0; i < texts->count; i++)
        for (const char *at = text[i] ? text[i] : ""; *at; at++)
            count += *at == ';';
    return count;
}

static enum reshard_status build_boxes(const struct formula *formula,
                                       const struct language_rule *written,
                                       struct reshard_rule *out)
{
    const struct schema_list *texts = &written->boxes;
    const char *const *text = texts->item;
    const struct yaml_node *list = yaml_get(written->node, "boxes");
    if (texts->count == 0)
        return RESHARD_OK;
    if (formula->ranks && texts->count != formula->ranks)
        complain(formula, list->key,
                 "'boxes' has %" PRIu64 " texts, but the layout has %" PRIu64
                 " ranks: there is one for each, \"\" for a rank without boxes",
                 texts->count, formula->ranks);
    out->box = calloc(boxes_most(texts), sizeof(*out->box));
    if (!out->box)
        return RESHARD_ENOMEM;
    const struct yaml_node *node = list->first;
    for (uint64_t i = 0; i < texts->count; i++, node = node->next)
        if (text[i] && !read_boxes(text[i], i, out))
            complain(formula, node,
                     "'%s' are no boxes: write BEGIN:END for each dimension, ',' between "
                     "dimensions and ';' between boxes, as in '0:4, 0:8; 6:8, 0:8'",
                     text[i]);
    if (out->box_count == 0 && yaml_error_count(formula->place->document) == 0)
        complain(formula, list->key, "none of the ranks has a box");
    return RESHARD_OK;
}

/* ---- rules ---- */

/* What a pattern that matches no tensor was meant to be. */
static void refuse_pattern(const struct formula *formula, const struct yaml_node *key)
{
    const struct reshard_model *model = formula->place->model;
    struct suggestion suggestion = suggestion_for(key->text);
    uint32_t tensor = 0;
    if (reshard_model_find(model, key->text, "", &tensor) == RESHARD_OK) {
        complain(formula, key, "'%s' is a second name of '%s', by which rules go", key->text,
                 reshard_model_tensor(model, tensor)->fqn);
        return;
    }
    for (uint32_t t = 0; !strchr(key->text, '*') && t < reshard_model_tensor_count(model); t++)
        suggestion_offer(&suggestion, reshard_model_tensor(model, t)->fqn);
    if (suggestion.best)
        complain(formula, key, "the model has no tensor '%s'; did you mean '%s'?", key->text,
                 suggestion.best);
    else
        complain(formula, key, "the model has no tensor '%s'", key->text);
}

static void check_pattern(const struct formula *formula, const struct yaml_node *key)
{
    const struct reshard_model *model = formula->place->model;
    struct pattern_match match;
    if (!pattern_is_valid(key->text)) {
        complain(formula, key, "a pattern is not empty, and has at most one {i} and %d stars",
                 PATTERN_STARS_MAX);
        return;
    }
    for (uint32_t t = 0; model && t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (!reshard_tensor_is_slot(tensor) && pattern_matches(key->text, tensor->fqn, &match))
            return;
    }
    if (model)
        refuse_pattern(formula, key);
}

static enum reshard_status build_rule(const struct formula *formula,
                                      const struct language_rule *written, struct reshard_rule *out)
{
    const struct yaml_node *key = written->node->key;
    out->pattern = key->text;
    check_pattern(formula, key);
    if (written->node->kind == YAML_MAPPING && written->node->count == 0)
        complain(formula, key,
                 "'%s' says nothing: give pipeline, shard, expert, tensor, sections or boxes",
                 key->text);
    build_setting(formula, written, "pipeline", written->pipeline, MAY_FIX, &out->pipeline);
    build_setting(formula, written, "shard", written->shard, MAY_CUT, &out->shard);
    build_setting(formula, written, "expert", written->expert, MAY_CUT | MAY_FIX, &out->expert);
    build_setting(formula, written, "tensor", written->tensor, MAY_CUT, &out->tensor);
    out->section = written->sections.item;
    out->section_count = (uint32_t)written->sections.count;
    return build_boxes(formula, written, out);
}

static enum reshard_status build_rules(struct formula *formula)
{
    const struct schema_list *written = &formula->written->tensors;
    const struct language_rule *rule = written->item;
    enum reshard_status status = RESHARD_OK;
    if (written->count > RESHARD_RULES_MAX) {
        complain(formula, yaml_get(formula->written->node, "tensors")->key,
                 "a layout has at most %d rules", RESHARD_RULES_MAX);
        return RESHARD_OK;
    }
    formula->rule = calloc(written->count + 1, sizeof(*formula->rule));
    if (!formula->rule)
        return RESHARD_ENOMEM;
    formula->options.rule = formula->rule;
    formula->options.rule_count = (uint32_t)written->count;
    for (uint64_t i = 0; !status && i < written->count; i++)
        status = build_rule(formula, &rule[i], &formula->rule[i]);
    return status;
}

/* ---- the whole ---- */

static void build_options(struct formula *formula)
{
    const struct language_layout *written = formula->written;
    const struct yaml_node *node = written->node;
    struct reshard_layout_options *options = &formula->options;
    options->world = formula->place->world;
    (void)reshard_layout_kind_from_name(written->kind, &options->kind);
    options->dim = (uint32_t)written->dim;
    options->orig_params = written->orig_params;
    options->forward = written->forward;
    options->owner = yaml_get(node, "owner") ? written->owner + 1 : 0;
    if (options->dim > 0 && options->kind != RESHARD_LAYOUT_FSDP2)
        complain(formula, yaml_get(node, "dim"),
                 "'dim' is fsdp2's; tensors of other layouts are cut by rules");
    if (options->orig_params && options->kind != RESHARD_LAYOUT_FSDP1)
        complain(formula, yaml_get(node, "orig_params"),
                 "'orig_params' is fsdp1's; only there are parameters flat");
    if (options->forward != RESHARD_DTYPE_NONE && !options->orig_params)
        complain(formula, yaml_get(node, "forward"),
                 "'forward' sets the alignment that orig_params: true brings; add it, or leave "
                 "'forward' out");
}

enum reshard_status formula_build(struct reshard_layout_options *out,
                                  const struct formula_place *place,
                                  const struct language_layout *written)
{
    struct formula formula = {.place = place, .written = written};
    const uint64_t before = yaml_error_count(place->document);
    *out = (struct reshard_layout_options){0};
    build_options(&formula);
    build_mesh(&formula);
    enum reshard_status status = build_rules(&formula);
    if (!status && yaml_error_count(place->document) > before)
        status = RESHARD_EINVAL;
    if (!status)
        status = reshard_layout_options_copy(out, &formula.options);
    for (uint32_t i = 0; formula.rule && i < formula.options.rule_count; i++)
        free((struct reshard_rank_box *)formula.rule[i].box);
    free(formula.rule);
    return status;
}
