#include "sim/timeline.h"

#include "sim/formula.h"
#include "sim/inventory.h"
#include "sim/suggest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A checkpoint that exists from here on. */
struct timeline_checkpoint {
    const char *name;
    uint64_t step;
    uint64_t ranks; /* of the world that saves it */
    int line;
};

enum { TIMELINE_WORK_MAX = 500000 };

struct timeline {
    struct scenario *scenario;
    struct yaml_document *document;
    bool started;
    bool lost; /* after a load that failed half-way nobody can say what the ranks hold */
    uint64_t step;
    uint64_t ranks;              /* of the world */
    struct reshard_model *model; /* the scenario's, for this world */
    uint64_t model_ranks;        /* which that is */
    uint64_t work;               /* entries of the model, for each layout so far */
    const struct reshard_layout_options
        *live; /* how the state lies; NULL where that is not known */
    uint64_t checkpoint_count;
    struct timeline_checkpoint *checkpoint;
};

/* start and reshard. */

/* The model as this world has it; NULL where it cannot be, or there is none. */
static enum reshard_status build_model(struct timeline *timeline, const struct yaml_node *node,
                                       uint64_t ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    if (timeline->model && timeline->model_ranks == ranks)
        return RESHARD_OK;
    reshard_model_close(timeline->model);
    timeline->model = NULL;
    timeline->model_ranks = ranks;
    if (!timeline->scenario->model || timeline->work > TIMELINE_WORK_MAX)
        return RESHARD_OK;
    const enum reshard_status status =
        inventory_for_world(&timeline->model, timeline->scenario->model, ranks, &error);
    if (status == RESHARD_ENOMEM)
        return status;
    if (status)
        yaml_error(timeline->document, node, "%s", error.text);
    return RESHARD_OK;
}

/* A layout of a model costs work for each of its entries, and a line of a file is enough to ask for
 * one. False, and the first that goes beyond was told, when there are too many. */
static bool is_affordable(struct timeline *timeline, const struct yaml_node *node)
{
    const struct reshard_model *model = timeline->scenario->model;
    const uint64_t before = timeline->work;
    timeline->work += model ? reshard_model_tensor_count(model) : 0;
    if (timeline->work <= TIMELINE_WORK_MAX)
        return true;
    if (before <= TIMELINE_WORK_MAX)
        yaml_error(timeline->document, node,
                   "the model's tensors and states, once for each start, reshard and transform up "
                   "to here, are more than %d; use fewer steps or a smaller model",
                   TIMELINE_WORK_MAX);
    return false;
}

/* Complete the layout of `out->ranks`; then the engine has the last word on whether it fits the
 * model. `*fits` says that the state can lie so; false without an error where that is expected. */
static enum reshard_status build_layout(struct timeline *timeline,
                                        const struct language_start *start, bool refusable,
                                        struct scenario_start *out, bool *fits)
{
    *fits = false;
    if (!is_affordable(timeline, schema_place(start->node, "layout")))
        return RESHARD_OK;
    const struct formula_place place = {timeline->document, timeline->model, timeline->ranks,
                                        out->ranks};
    struct reshard_layout *layout = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status = formula_build(&out->layout, &place, &start->layout);
    *fits = status == RESHARD_OK;
    if (status || !timeline->model)
        return status == RESHARD_EINVAL ? RESHARD_OK : status;
    status = reshard_layout_open(&layout, timeline->model, &out->layout, &error);
    reshard_layout_close(layout);
    *fits = status == RESHARD_OK;
    if (status == RESHARD_ENOMEM)
        return status;
    if (status && !refusable)
        yaml_error(timeline->document, schema_place(start->node, "layout"), "%s", error.text);
    return RESHARD_OK;
}

static enum reshard_status build_start(struct timeline *timeline,
                                       const struct language_start *start,
                                       struct scenario_start *out)
{
    const struct scenario_cluster *cluster = &timeline->scenario->cluster;
    const uint64_t room = cluster->nodes * cluster->ranks_per_node;
    bool fits = false;
    out->ranks = start->ranks;
    timeline->started = true;
    timeline->lost = false;
    timeline->step = 0;
    timeline->ranks = start->ranks;
    if (start->ranks > room)
        yaml_error(timeline->document, schema_place(start->node, "ranks"),
                   "%" PRIu64 " ranks do not fit: the cluster has nodes: %" PRIu64
                   " with ranks_per_node: %" PRIu64 ", room for %" PRIu64,
                   start->ranks, cluster->nodes, cluster->ranks_per_node, room);
    enum reshard_status status =
        build_model(timeline, schema_place(start->node, "ranks"), start->ranks);
    if (!status)
        status = build_layout(timeline, start, false, out, &fits);
    timeline->live = fits ? &out->layout : NULL;
    return status;
}

static enum reshard_status build_reshard(struct timeline *timeline,
                                         const struct language_start *reshard,
                                         struct scenario_step *out)
{
    const bool refused = out->expect.outcome == SCENARIO_REFUSED;
    bool fits = false;
    out->reshard.ranks = reshard->ranks ? reshard->ranks : timeline->ranks;
    if (reshard->ranks > timeline->ranks) {
        yaml_error(timeline->document, schema_place(reshard->node, "ranks"),
                   "the world has %" PRIu64 " ranks here; only a start makes it larger",
                   timeline->ranks);
        return RESHARD_OK;
    }
    const enum reshard_status status =
        build_layout(timeline, reshard, refused, &out->reshard, &fits);
    if (!refused)
        timeline->live = fits ? &out->reshard.layout : NULL;
    return status;
}

/* transform. */

static struct scenario_form form_of(const char *name)
{
    struct scenario_form form = {name != NULL, RESHARD_FORM_FULL};
    if (name)
        (void)reshard_form_from_name(name, &form.form);
    return form;
}

/* Whether the live layout's state has that form. */
static enum reshard_status check_form(struct timeline *timeline, const struct yaml_node *node,
                                      const struct scenario_form *form)
{
    struct reshard_layout *live = NULL;
    struct reshard_layout *layout = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    if (!form->given || !timeline->model || !timeline->live || !is_affordable(timeline, node))
        return RESHARD_OK;
    enum reshard_status status =
        reshard_layout_open(&live, timeline->model, timeline->live, &error);
    if (!status)
        status = reshard_form_layout(&layout, live, form->form, false, &error);
    reshard_layout_close(layout);
    reshard_layout_close(live);
    if (status && status != RESHARD_ENOMEM)
        yaml_error(timeline->document, node, "%s", error.text);
    return status == RESHARD_ENOMEM ? status : RESHARD_OK;
}

static enum reshard_status build_transform(struct timeline *timeline,
                                           const struct language_transform *transform,
                                           struct scenario_step *out)
{
    struct yaml_document *document = timeline->document;
    const struct yaml_node *node = transform->node;
    struct scenario_transform *made = &out->transform;
    *made = (struct scenario_transform){form_of(transform->model), form_of(transform->optimizer),
                                        transform->rank0_only};
    const bool full = (made->model.given && made->model.form == RESHARD_FORM_FULL) ||
                      (made->optimizer.given && made->optimizer.form == RESHARD_FORM_FULL);
    if (!made->model.given && !made->optimizer.given)
        yaml_error(document, node->key,
                   "a transform needs 'model' or 'optimizer', or both: full, sharded or local");
    else if (made->rank0_only && !full)
        yaml_error(document, yaml_get(node, "rank0_only"),
                   "only the full form can be rank 0's "
                   "alone");
    if (made->optimizer.given && timeline->scenario->optimizer.name == RESHARD_OPTIMIZER_NONE)
        yaml_error(document, yaml_get(node, "optimizer"),
                   "without an optimizer there are no states to carry; add optimizer: adamw");
    if (out->expect.outcome == SCENARIO_REFUSED)
        return RESHARD_OK;
    const enum reshard_status status =
        check_form(timeline, schema_place(node, "model"), &made->model);
    return reshard_first_failure(
        status, check_form(timeline, schema_place(node, "optimizer"), &made->optimizer));
}

/* save and load. */

static const struct timeline_checkpoint *find_checkpoint(const struct timeline *timeline,
                                                         const char *name)
{
    for (uint64_t i = 0; i < timeline->checkpoint_count; i++) {
        if (strcmp(timeline->checkpoint[i].name, name) == 0)
            return &timeline->checkpoint[i];
    }
    return NULL;
}

/* The highest training step, of equals the last one. */
static const struct timeline_checkpoint *latest_checkpoint(const struct timeline *timeline)
{
    const struct timeline_checkpoint *latest = NULL;
    for (uint64_t i = 0; i < timeline->checkpoint_count; i++) {
        if (!latest || timeline->checkpoint[i].step >= latest->step)
            latest = &timeline->checkpoint[i];
    }
    return latest;
}

static void unknown_checkpoint(struct timeline *timeline, const struct yaml_node *node,
                               const char *name, const char *advice)
{
    struct suggestion suggestion = suggestion_for(name);
    for (uint64_t i = 0; i < timeline->checkpoint_count; i++)
        suggestion_offer(&suggestion, timeline->checkpoint[i].name);
    if (suggestion.best)
        yaml_error(timeline->document, node, "no step before saves '%s'; did you mean '%s'?", name,
                   suggestion.best);
    else
        yaml_error(timeline->document, node, "no step before saves '%s'%s", name, advice);
}

static void build_save(struct timeline *timeline, const struct language_step *step,
                       const struct scenario_step *out)
{
    const struct yaml_node *node = schema_place(step->save.node, "name");
    const char *name = step->save.name;
    const struct timeline_checkpoint *existing = find_checkpoint(timeline, name);
    if (strcmp(name, "latest") == 0)
        yaml_error(timeline->document, node,
                   "'latest' means the checkpoint with the highest training step and cannot be the "
                   "name of one");
    else if (existing && out->expect.outcome == SCENARIO_OK)
        yaml_error(timeline->document, node,
                   "'%s' is saved in line %d already and a checkpoint is never overwritten; choose "
                   "another name, or expect: {outcome: refused}",
                   name, existing->line);
    if (!existing && out->expect.outcome == SCENARIO_OK)
        timeline->checkpoint[timeline->checkpoint_count++] =
            (struct timeline_checkpoint){name, timeline->step, timeline->ranks, out->line};
}

/* What ranks have for themselves fits another world only where that is allowed. */
static void check_worlds(const struct timeline *timeline, const struct yaml_node *node,
                         const struct timeline_checkpoint *source)
{
    const struct reshard_model *model = timeline->scenario->model;
    for (uint32_t t = 0; model && t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (tensor->role != RESHARD_ROLE_PER_RANK ||
            tensor->other_world != RESHARD_OTHER_WORLD_REFUSE || source->ranks == timeline->ranks)
            continue;
        yaml_error(timeline->document, node,
                   "'%s' was saved by %" PRIu64 " ranks, each with a '%s' of its own, and there "
                   "are %" PRIu64
                   " now; say other_world: keep there, or expect: {outcome: refused}",
                   source->name, source->ranks, tensor->fqn, timeline->ranks);
        return;
    }
}

static enum scenario_reading reading_from_name(const char *name)
{
    enum scenario_reading reading = SCENARIO_READ_ONCE;
    while (reading < SCENARIO_READ_CHEAPEST && strcmp(scenario_reading_name(reading), name) != 0)
        reading++;
    return reading;
}

static void build_load(struct timeline *timeline, const struct language_step *step,
                       struct scenario_step *out)
{
    const struct yaml_node *node = schema_place(step->load.node, "name");
    const char *name = step->load.name;
    const bool latest = strcmp(name, "latest") == 0;
    const struct timeline_checkpoint *source =
        latest ? latest_checkpoint(timeline) : find_checkpoint(timeline, name);
    const char *loaded = step->expect.loaded;
    out->reading = reading_from_name(step->load.reading);
    timeline->lost = timeline->lost || out->expect.outcome == SCENARIO_DAMAGED;
    if (loaded && !find_checkpoint(timeline, loaded))
        unknown_checkpoint(timeline, yaml_get(step->expect.node, "loaded"), loaded, "");
    else if (loaded && !latest && strcmp(loaded, name) != 0)
        yaml_error(timeline->document, yaml_get(step->expect.node, "loaded"),
                   "the step loads '%s', so it cannot have loaded '%s'", name, loaded);
    if (out->expect.outcome != SCENARIO_OK)
        return;
    timeline->lost = false;
    if (source) {
        timeline->step = source->step;
        check_worlds(timeline, node, source);
    } else if (latest)
        yaml_error(timeline->document, node,
                   "no step before saves a checkpoint, so there is no latest one");
    else
        unknown_checkpoint(timeline, node, name,
                           "; if the load must fail, say expect: {outcome: refused}");
}

/* train and verify. */

static void build_train(struct timeline *timeline, const struct language_step *step)
{
    if (timeline->scenario->optimizer.name == RESHARD_OPTIMIZER_NONE)
        yaml_error(timeline->document, yaml_get(step->node, "train"),
                   "without an optimizer nothing can be trained; add optimizer: adamw");
    timeline->step += step->train;
}

static void build_verify(struct timeline *timeline, const struct language_step *step)
{
    if (!timeline->lost && step->verify.step != timeline->step)
        yaml_error(timeline->document, schema_place(step->verify.node, "step"),
                   "the ranks hold training step %" PRIu64 " here, so step %" PRIu64
                   " cannot be verified",
                   timeline->step, step->verify.step);
}

/* expect. */

/* Only what has an outcome may expect one. */
static bool outcome_possible(enum scenario_verb verb, enum scenario_outcome outcome)
{
    if (outcome == SCENARIO_OK)
        return true;
    return verb == SCENARIO_LOAD ||
           (outcome == SCENARIO_REFUSED &&
            (verb == SCENARIO_SAVE || verb == SCENARIO_RESHARD || verb == SCENARIO_TRANSFORM));
}

static void check_expect(struct timeline *timeline, const struct language_expect *expect,
                         const struct scenario_step *out)
{
    struct yaml_document *document = timeline->document;
    const char *verb = scenario_verb_name(out->verb);
    if (!outcome_possible(out->verb, out->expect.outcome))
        yaml_error(document, yaml_get(expect->node, "outcome"), "a %s cannot end as '%s'", verb,
                   expect->outcome);
    if (out->verb != SCENARIO_LOAD) {
        static const char *const of_load[] = {"loaded", "read_amplification"};
        for (unsigned i = 0; i < sizeof(of_load) / sizeof(of_load[0]); i++) {
            const struct yaml_node *node = yaml_get(expect->node, of_load[i]);
            if (node)
                yaml_error(document, node->key, "'%s' is an expectation of load, not of %s",
                           of_load[i], verb);
        }
    }
    if (out->expect.seconds_at_least >= 0 && out->expect.seconds_at_most >= 0 &&
        out->expect.seconds_at_least > out->expect.seconds_at_most)
        yaml_error(document, schema_place(expect->seconds.node, "at_least"),
                   "at_least is more than at_most: nothing lies between");
}

static enum scenario_outcome outcome_from_name(const char *name)
{
    enum scenario_outcome outcome = SCENARIO_OK;
    while (outcome < SCENARIO_DAMAGED && strcmp(scenario_outcome_name(outcome), name) != 0)
        outcome++;
    return outcome;
}

static enum reshard_status copy_text(const char *text, char **out)
{
    *out = text ? strdup(text) : NULL;
    return text && !*out ? RESHARD_ENOMEM : RESHARD_OK;
}

static enum reshard_status build_expect(const struct language_expect *expect,
                                        struct scenario_expect *out)
{
    const struct yaml_node *seconds = expect->seconds.node;
    out->outcome = outcome_from_name(expect->outcome);
    out->read_amplification =
        yaml_get(expect->node, "read_amplification") ? expect->read_amplification : -1;
    out->seconds_at_most = yaml_get(seconds, "at_most") ? expect->seconds.at_most : -1;
    out->seconds_at_least = yaml_get(seconds, "at_least") ? expect->seconds.at_least : -1;
    const enum reshard_status status = copy_text(expect->message, &out->message);
    return reshard_first_failure(status, copy_text(expect->loaded, &out->loaded));
}

/* Steps. */

static enum scenario_verb given_verb(const struct yaml_node *step)
{
    enum scenario_verb verb = SCENARIO_START;
    while (verb < SCENARIO_VERIFY && !yaml_get(step, scenario_verb_name(verb)))
        verb++;
    return verb;
}

static enum reshard_status build_verb(struct timeline *timeline, const struct language_step *step,
                                      struct scenario_step *out)
{
    switch (out->verb) {
    case SCENARIO_START:
        return build_start(timeline, &step->start, &out->start);
    case SCENARIO_TRAIN:
        build_train(timeline, step);
        break;
    case SCENARIO_SAVE:
        build_save(timeline, step, out);
        break;
    case SCENARIO_LOAD:
        build_load(timeline, step, out);
        break;
    case SCENARIO_RESHARD:
        return build_reshard(timeline, &step->reshard, out);
    case SCENARIO_TRANSFORM:
        return build_transform(timeline, &step->transform, out);
    case SCENARIO_VERIFY:
        build_verify(timeline, step);
        break;
    }
    return RESHARD_OK;
}

static enum reshard_status build_step(struct timeline *timeline, const struct language_step *step,
                                      struct scenario_step *out)
{
    out->verb = given_verb(step->node);
    const struct yaml_node *value = yaml_get(step->node, scenario_verb_name(out->verb));
    out->line = value->key->line;
    out->train = step->train;
    out->verify = step->verify.step;
    enum reshard_status status = build_expect(&step->expect, &out->expect);
    if (out->verb != SCENARIO_START && !timeline->started)
        yaml_error(timeline->document, value->key,
                   "there is no world to %s in yet; the first step must be a start",
                   value->key->text);
    else
        status = reshard_first_failure(status, build_verb(timeline, step, out));
    check_expect(timeline, &step->expect, out);
    const char *name = out->verb == SCENARIO_SAVE ? step->save.name : step->load.name;
    return reshard_first_failure(status, copy_text(name, &out->checkpoint));
}

static bool uses_checkpoints(const struct scenario *scenario)
{
    for (uint64_t i = 0; i < scenario->step_count; i++) {
        const enum scenario_verb verb = scenario->steps[i].verb;
        if (verb == SCENARIO_SAVE || verb == SCENARIO_LOAD)
            return true;
    }
    return false;
}

/* Nothing removes a checkpoint, so one that is saved is there at the end. */
static void check_listed(struct timeline *timeline, const struct yaml_node *list,
                         const struct language_outcome *expect,
                         const struct timeline_checkpoint *saved)
{
    const char *const *name = expect->checkpoints.item;
    for (uint64_t i = 0; i < expect->checkpoints.count; i++)
        if (strcmp(name[i], saved->name) == 0)
            return;
    yaml_error(timeline->document, list,
               "'%s' is saved in line %d and will be there at the end, but is not in this list",
               saved->name, saved->line);
}

static enum reshard_status build_expected(struct timeline *timeline,
                                          const struct language_outcome *expect)
{
    struct scenario *scenario = timeline->scenario;
    const struct yaml_node *list = yaml_get(expect->node, "checkpoints");
    const char *const *name = expect->checkpoints.item;
    enum reshard_status status = RESHARD_OK;
    scenario->checkpoints_expected = list != NULL;
    scenario->checkpoints = calloc(expect->checkpoints.count + 1, sizeof(char *));
    if (!scenario->checkpoints)
        return RESHARD_ENOMEM;
    const struct yaml_node *node = list ? list->first : NULL;
    for (uint64_t i = 0; node && i < expect->checkpoints.count; i++, node = node->next) {
        if (!find_checkpoint(timeline, name[i]))
            unknown_checkpoint(timeline, node, name[i], ", so it cannot exist at the end");
        for (uint64_t j = 0; j < i; j++) {
            if (strcmp(name[i], name[j]) == 0)
                yaml_error(timeline->document, node, "'%s' stands in this list already", name[i]);
        }
        status = reshard_first_failure(status, copy_text(name[i], &scenario->checkpoints[i]));
        scenario->checkpoint_count++;
    }
    for (uint64_t i = 0; list && i < timeline->checkpoint_count; i++)
        check_listed(timeline, list, expect, &timeline->checkpoint[i]);
    return status;
}

enum reshard_status timeline_build(struct scenario *scenario, struct yaml_document *document,
                                   const struct language_scenario *file)
{
    struct timeline timeline = {.scenario = scenario, .document = document};
    const struct language_step *step = file->steps.item;
    enum reshard_status status = RESHARD_OK;
    scenario->steps = calloc(file->steps.count, sizeof(*scenario->steps));
    timeline.checkpoint = calloc(file->steps.count, sizeof(*timeline.checkpoint));
    if (!scenario->steps || !timeline.checkpoint)
        status = RESHARD_ENOMEM;
    for (uint64_t i = 0; status == RESHARD_OK && i < file->steps.count; i++) {
        scenario->step_count++;
        status = build_step(&timeline, &step[i], &scenario->steps[i]);
    }
    if (status == RESHARD_OK)
        status = build_expected(&timeline, &file->expect);
    if (scenario->cluster.nodes > 1 && scenario->cluster.storage_servers == 0 &&
        uses_checkpoints(scenario))
        yaml_error(document, schema_place(file->cluster.node, "nodes"),
                   "%" PRIu64 " nodes without shared storage keep their checkpoints apart, on each "
                   "node's own disk; add storage: to the cluster, or use one node",
                   scenario->cluster.nodes);
    reshard_model_close(timeline.model);
    free(timeline.checkpoint);
    return status;
}
