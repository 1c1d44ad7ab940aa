#include "sim/timeline.h"

#include "sim/suggest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A checkpoint that exists from here on. */
struct timeline_checkpoint {
    const char *name;
    uint64_t step;
    int line;
};

struct timeline {
    struct scenario *scenario;
    struct yaml_document *document;
    bool started;
    bool lost; /* after a load that failed half-way nobody can say what the ranks hold */
    uint64_t step;
    uint64_t checkpoint_count;
    struct timeline_checkpoint *checkpoint;
};

/* start. */

static void complete_ddp(struct yaml_document *document, const struct language_start *start,
                         struct reshard_layout_options *layout)
{
    const struct language_mesh *mesh = &start->layout.mesh;
    layout->replicate = start->ranks;
    layout->shard = 1;
    if (mesh->shard > 1)
        yaml_error(document, yaml_get(mesh->node, "shard"),
                   "a ddp layout shards nothing; leave 'shard' out");
    if (mesh->replicate != 0 && mesh->replicate != start->ranks)
        yaml_error(document, yaml_get(mesh->node, "replicate"),
                   "a ddp layout replicates over all %" PRIu64 " ranks, not %" PRIu64, start->ranks,
                   mesh->replicate);
}

/* One size given leaves the other to be what is over; two must make the ranks. */
static void complete_mesh(struct yaml_document *document, const struct language_start *start,
                          struct reshard_layout_options *layout)
{
    const struct language_mesh *mesh = &start->layout.mesh;
    const uint64_t given =
        (mesh->replicate ? mesh->replicate : 1) * (mesh->shard ? mesh->shard : 1);
    layout->replicate = mesh->replicate ? mesh->replicate : 1;
    layout->shard = mesh->shard ? mesh->shard : start->ranks / layout->replicate;
    if (mesh->shard && !mesh->replicate)
        layout->replicate = start->ranks / mesh->shard;
    if (layout->replicate * layout->shard == start->ranks)
        return;
    if (mesh->shard && mesh->replicate)
        yaml_error(document, schema_place(start->layout.node, "mesh"),
                   "the mesh has %" PRIu64 " x %" PRIu64 " = %" PRIu64 " places, but the world has "
                   "%" PRIu64 " ranks",
                   mesh->replicate, mesh->shard, given, start->ranks);
    else
        yaml_error(document, mesh->node->first, "%" PRIu64 " does not divide the %" PRIu64 " ranks",
                   given, start->ranks);
}

static bool complete_layout(struct timeline *timeline, const struct language_start *start,
                            struct reshard_layout_options *layout)
{
    struct yaml_document *document = timeline->document;
    const uint64_t before = yaml_error_count(document);
    const struct yaml_node *node = start->layout.node;
    layout->orig_params = start->layout.orig_params;
    layout->forward = start->layout.forward;
    (void)reshard_layout_kind_from_name(start->layout.kind, &layout->kind);
    if (layout->kind == RESHARD_LAYOUT_DDP)
        complete_ddp(document, start, layout);
    else
        complete_mesh(document, start, layout);
    if (layout->orig_params && layout->kind != RESHARD_LAYOUT_FSDP1)
        yaml_error(document, yaml_get(node, "orig_params"),
                   "'orig_params' is fsdp1's; only there are parameters flat");
    if (layout->forward != RESHARD_DTYPE_NONE && !layout->orig_params)
        yaml_error(document, yaml_get(node, "forward"),
                   "'forward' sets the alignment that orig_params: true brings; add it, or leave "
                   "'forward' out");
    return yaml_error_count(document) == before;
}

/* The engine has the last word on whether the layout fits the model. */
static void check_layout(struct timeline *timeline, const struct yaml_node *node,
                         const struct reshard_layout_options *options)
{
    struct reshard_layout *layout = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    if (timeline->scenario->model &&
        reshard_layout_open(&layout, timeline->scenario->model, options, &error) != RESHARD_OK)
        yaml_error(timeline->document, node, "%s", error.text);
    reshard_layout_close(layout);
}

static void build_start(struct timeline *timeline, const struct language_start *start,
                        struct scenario_start *out)
{
    const struct scenario_cluster *cluster = &timeline->scenario->cluster;
    const uint64_t room = cluster->nodes * cluster->ranks_per_node;
    out->ranks = start->ranks;
    timeline->started = true;
    timeline->lost = false;
    timeline->step = 0;
    if (start->ranks > room)
        yaml_error(timeline->document, schema_place(start->node, "ranks"),
                   "%" PRIu64 " ranks do not fit: the cluster has nodes: %" PRIu64
                   " with ranks_per_node: %" PRIu64 ", room for %" PRIu64,
                   start->ranks, cluster->nodes, cluster->ranks_per_node, room);
    if (complete_layout(timeline, start, &out->layout))
        check_layout(timeline, schema_place(start->node, "layout"), &out->layout);
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
                   "'latest' means the newest checkpoint and cannot be the name of one");
    else if (existing && out->expect.outcome == SCENARIO_OK)
        yaml_error(timeline->document, node,
                   "'%s' is saved in line %d already and a checkpoint is never overwritten; choose "
                   "another name, or expect: {outcome: refused}",
                   name, existing->line);
    if (!existing && out->expect.outcome == SCENARIO_OK)
        timeline->checkpoint[timeline->checkpoint_count++] =
            (struct timeline_checkpoint){name, timeline->step, out->line};
}

static void build_load(struct timeline *timeline, const struct language_step *step,
                       const struct scenario_step *out)
{
    const struct yaml_node *node = yaml_get(step->node, "load");
    const bool latest = strcmp(step->load, "latest") == 0;
    const struct timeline_checkpoint *source =
        latest ? latest_checkpoint(timeline) : find_checkpoint(timeline, step->load);
    const char *loaded = step->expect.loaded;
    timeline->lost = timeline->lost || out->expect.outcome == SCENARIO_DAMAGED;
    if (loaded && !find_checkpoint(timeline, loaded))
        unknown_checkpoint(timeline, yaml_get(step->expect.node, "loaded"), loaded, "");
    else if (loaded && !latest && strcmp(loaded, step->load) != 0)
        yaml_error(timeline->document, yaml_get(step->expect.node, "loaded"),
                   "the step loads '%s', so it cannot have loaded '%s'", step->load, loaded);
    if (out->expect.outcome != SCENARIO_OK)
        return;
    timeline->lost = false;
    if (source)
        timeline->step = source->step;
    else if (latest)
        yaml_error(timeline->document, node,
                   "no step before saves a checkpoint, so there is no latest one");
    else
        unknown_checkpoint(timeline, node, step->load,
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
    return verb == SCENARIO_LOAD || (verb == SCENARIO_SAVE && outcome == SCENARIO_REFUSED);
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

static void build_verb(struct timeline *timeline, const struct language_step *step,
                       struct scenario_step *out)
{
    switch (out->verb) {
    case SCENARIO_START:
        build_start(timeline, &step->start, &out->start);
        break;
    case SCENARIO_TRAIN:
        build_train(timeline, step);
        break;
    case SCENARIO_SAVE:
        build_save(timeline, step, out);
        break;
    case SCENARIO_LOAD:
        build_load(timeline, step, out);
        break;
    case SCENARIO_VERIFY:
        build_verify(timeline, step);
        break;
    }
}

static enum reshard_status build_step(struct timeline *timeline, const struct language_step *step,
                                      struct scenario_step *out)
{
    out->verb = given_verb(step->node);
    const struct yaml_node *value = yaml_get(step->node, scenario_verb_name(out->verb));
    out->line = value->key->line;
    out->train = step->train;
    out->verify = step->verify.step;
    const enum reshard_status status = build_expect(&step->expect, &out->expect);
    if (out->verb != SCENARIO_START && !timeline->started)
        yaml_error(timeline->document, value->key,
                   "there is no world to %s in yet; the first step must be a start",
                   value->key->text);
    else
        build_verb(timeline, step, out);
    check_expect(timeline, &step->expect, out);
    const char *name = out->verb == SCENARIO_SAVE ? step->save.name : step->load;
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
    free(timeline.checkpoint);
    return status;
}
