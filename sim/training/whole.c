#include "sim/training/whole.h"

#include "core/form.h"
#include "core/pattern.h"
#include "parallel/exchange.h"
#include "sim/training/walk.h"

#include <stdlib.h>
#include <string.h>

struct whole {
    struct reshard_state *live;
    struct reshard_layout *layout; /* under which all is whole */
    struct reshard_state *state;   /* of what was fetched; NULL before */
    void **memory;                 /* by tensor: of that state, or NULL */
};

/* --- The layout ---------------------------------------------------------------------------- */

/* What a rule says of where a tensor is, without cuts. Boxes are anywhere. */
static struct reshard_rule uncut_rule(const struct reshard_rule *rule)
{
    struct reshard_rule uncut = {
        .pattern = rule->pattern, .pipeline = rule->pipeline, .expert = rule->expert};
    if (uncut.expert.how == RESHARD_HOW_CUT)
        uncut.expert = (struct reshard_setting){RESHARD_HOW_WHOLE, 0};
    return uncut;
}

static struct reshard_rule anywhere_rule(const struct reshard_rule *rule)
{
    return (struct reshard_rule){.pattern = rule->pattern,
                                 .pipeline = {RESHARD_HOW_WHOLE, 0},
                                 .expert = {RESHARD_HOW_WHOLE, 0}};
}

/* Rules that have the first word come first: whose boxes are given has no other place. `out` has
 * room for two of each; returned is how many there are. */
static uint32_t uncut_rules(const struct reshard_layout_options *options, struct reshard_rule *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < options->rule_count; i++)
        if (options->rule[i].box_count > 0)
            out[count++] = anywhere_rule(&options->rule[i]);
    for (uint32_t i = 0; i < options->rule_count; i++) {
        const struct reshard_rule uncut = uncut_rule(&options->rule[i]);
        if (uncut.pipeline.how != RESHARD_HOW_DEFAULT || uncut.expert.how != RESHARD_HOW_DEFAULT)
            out[count++] = uncut;
    }
    return count;
}

/* The live mesh, on which a tensor is whole wherever there may be some of it: at its stage of the
 * pipeline and its expert's coordinate. Too many rules are left out, and all is whole everywhere.
 */
static enum reshard_status open_uncut(struct reshard_layout **out,
                                      const struct reshard_layout *live,
                                      struct reshard_error *error)
{
    const struct reshard_layout_options *from = reshard_layout_options(live);
    struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_DDP,
                                             .world = from->world,
                                             .pipeline = from->pipeline,
                                             .replicate = from->replicate * from->shard,
                                             .expert = from->expert,
                                             .tensor = from->tensor};
    struct reshard_rule *rule = calloc(2 * (size_t)from->rule_count + 1, sizeof(*rule));
    enum reshard_status status;
    *out = NULL;
    if (rule == NULL)
        return RESHARD_ENOMEM;
    options.rule = rule;
    options.rule_count = uncut_rules(from, rule);
    if (options.rule_count > RESHARD_RULES_MAX)
        status = reshard_form_layout(out, live, RESHARD_FORM_FULL, false, error);
    else
        status = reshard_layout_open(out, reshard_layout_model(live), &options, error);
    free(rule);
    return status;
}

/* --- Opening ------------------------------------------------------------------------------- */

static uint32_t tensor_count(const struct whole *whole)
{
    return reshard_model_tensor_count(reshard_layout_model(whole->layout));
}

enum reshard_status whole_open(struct whole **out, struct reshard_state *live,
                               struct reshard_error *error)
{
    struct whole *whole = calloc(1, sizeof(*whole));
    enum reshard_status status = RESHARD_ENOMEM;
    *out = NULL;
    if (whole != NULL) {
        whole->live = live;
        status = open_uncut(&whole->layout, reshard_state_layout(live), error);
    }
    if (!status) {
        whole->memory = calloc((size_t)tensor_count(whole) + 1, sizeof(*whole->memory));
        status = whole->memory != NULL ? RESHARD_OK : RESHARD_ENOMEM;
    }
    if (status) {
        whole_close(whole);
        return status;
    }
    *out = whole;
    return RESHARD_OK;
}

static void whole_clear(struct whole *whole)
{
    reshard_state_close(whole->state);
    whole->state = NULL;
    for (uint32_t t = 0; whole->memory != NULL && t < tensor_count(whole); t++) {
        free(whole->memory[t]);
        whole->memory[t] = NULL;
    }
}

void whole_close(struct whole *whole)
{
    if (whole == NULL)
        return;
    whole_clear(whole);
    free(whole->memory);
    reshard_layout_close(whole->layout);
    free(whole);
}

/* --- Fetching ------------------------------------------------------------------------------ */

/* A pattern that matches a name, and nothing else where the name could be mistaken for no pattern:
 * otherwise all that begins like it. The caller frees it; NULL without memory. */
static char *pattern_of(const char *fqn)
{
    const size_t bytes = strlen(fqn);
    const char *star = strchr(fqn, '*');
    const char *number = strstr(fqn, "{i}");
    size_t plain = bytes;
    char *pattern = malloc(bytes + 2);
    if (pattern == NULL)
        return NULL;
    if (star != NULL)
        plain = (size_t)(star - fqn);
    if (number != NULL && (size_t)(number - fqn) < plain)
        plain = (size_t)(number - fqn);
    memcpy(pattern, fqn, plain);
    memcpy(pattern + plain, "*", plain < bytes ? 2 : 1);
    pattern[plain < bytes ? plain + 1 : plain] = '\0';
    return pattern;
}

static void free_patterns(char **pattern, uint32_t count)
{
    for (uint32_t i = 0; pattern != NULL && i < count; i++)
        free(pattern[i]);
    free(pattern);
}

static enum reshard_status make_patterns(char ***out, const struct reshard_model *model,
                                         const uint32_t *parameter, uint32_t count)
{
    char **pattern = calloc((size_t)count + 1, sizeof(*pattern));
    enum reshard_status status = pattern != NULL ? RESHARD_OK : RESHARD_ENOMEM;
    for (uint32_t i = 0; i < count && !status; i++) {
        pattern[i] = pattern_of(reshard_model_tensor(model, parameter[i])->fqn);
        status = pattern[i] != NULL ? RESHARD_OK : RESHARD_ENOMEM;
    }
    *out = pattern;
    return status;
}

static bool matches_any(char *const *pattern, uint32_t count, const char *name)
{
    struct pattern_match match;
    for (uint32_t i = 0; i < count; i++)
        if (pattern_matches(pattern[i], name, &match))
            return true;
    return false;
}

/* Memory for a tensor; of zero bits, which is what absent ones count as. */
static enum reshard_status bind_tensor(struct whole *whole, uint32_t t, struct reshard_error *error)
{
    const struct reshard_tensor *tensor =
        reshard_model_tensor(reshard_layout_model(whole->layout), t);
    const uint64_t bytes = reshard_state_bytes(whole->state, t);
    if (bytes == 0)
        return RESHARD_OK;
    whole->memory[t] = calloc(bytes, 1);
    if (whole->memory[t] == NULL)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: no memory for the whole of it",
                                 tensor->fqn);
    return reshard_state_bind(whole->state, tensor->fqn, tensor->slot, whole->memory[t], bytes,
                              error);
}

/* Memory for all that the patterns match. Local. */
static enum reshard_status prepare(struct whole *whole, char *const *pattern, uint32_t count,
                                   struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(whole->layout);
    enum reshard_status status =
        reshard_state_open(&whole->state, whole->layout, reshard_state_rank(whole->live));
    for (uint32_t t = 0; t < tensor_count(whole) && !status; t++)
        if (matches_any(pattern, count, reshard_model_tensor(model, t)->fqn))
            status = bind_tensor(whole, t, error);
    return status;
}

enum reshard_status whole_fetch(struct whole *whole, struct reshard_group *group,
                                const uint32_t *parameter, uint32_t count,
                                struct reshard_error *error)
{
    char **pattern = NULL;
    whole_clear(whole);
    enum reshard_status status =
        make_patterns(&pattern, reshard_layout_model(whole->layout), parameter, count);
    if (!status)
        status = prepare(whole, pattern, count, error);
    status = reshard_group_agree(group, status, error);
    if (!status) {
        const struct reshard_exchange_options options = {.only = (const char *const *)pattern,
                                                         .only_count = count};
        status = reshard_exchange(group, whole->live, whole->state, &options, NULL, error);
    }
    free_patterns(pattern, count);
    return status;
}

/* --- What was fetched ---------------------------------------------------------------------- */

void *whole_data(const struct whole *whole, uint32_t tensor)
{
    return whole->memory[tensor];
}

bool whole_is_absent(const struct whole *whole, uint32_t tensor)
{
    return reshard_state_is_absent(whole->state, tensor);
}

struct way_back {
    const uint8_t *whole;
    uint8_t *live;
    size_t bytes; /* of an element */
};

static enum reshard_status segment_put_back(const struct segment *segment, void *context,
                                            struct reshard_error *error)
{
    (void)error;
    const struct way_back *way = context;
    memcpy(way->live + segment->local * way->bytes, way->whole + segment->begin * way->bytes,
           segment->count * way->bytes);
    return RESHARD_OK;
}

enum reshard_status whole_put_back(const struct whole *whole, uint32_t tensor,
                                   struct reshard_error *error)
{
    const struct reshard_layout *layout = reshard_state_layout(whole->live);
    const struct reshard_tensor *entry = reshard_model_tensor(reshard_layout_model(layout), tensor);
    struct way_back way = {whole->memory[tensor], reshard_state_data(whole->live, tensor),
                           reshard_dtype_bytes(entry->dtype)};
    if (way.live == NULL)
        return RESHARD_OK;
    return walk_tensor(layout, tensor, reshard_state_rank(whole->live), segment_put_back, &way,
                       error);
}
