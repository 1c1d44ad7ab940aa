#include "sim/scenario.h"

#include "sim/inventory.h"
#include "sim/language.h"
#include "sim/optimizer.h"
#include "sim/suggest.h"
#include "sim/timeline.h"

#include <dirent.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

struct scenario_builder {
    struct scenario *scenario;
    struct yaml_document *document;
    struct language_scenario file;
    const char *home;
    FILE *messages;
};

const char *scenario_verb_name(enum scenario_verb verb)
{
    static const char *const names[] = {
        [SCENARIO_START] = "start",     [SCENARIO_TRAIN] = "train",
        [SCENARIO_SAVE] = "save",       [SCENARIO_LOAD] = "load",
        [SCENARIO_RESHARD] = "reshard", [SCENARIO_TRANSFORM] = "transform",
        [SCENARIO_VERIFY] = "verify",
    };
    return names[verb];
}

const char *scenario_outcome_name(enum scenario_outcome outcome)
{
    static const char *const names[] = {
        [SCENARIO_OK] = "ok",
        [SCENARIO_REFUSED] = "refused",
        [SCENARIO_DAMAGED] = "damaged",
        [SCENARIO_ERROR] = "error",
    };
    return names[outcome];
}

const char *scenario_reading_name(enum scenario_reading reading)
{
    static const char *const names[] = {
        [SCENARIO_READ_ONCE] = "once",
        [SCENARIO_READ_EACH] = "each",
        [SCENARIO_READ_CHEAPEST] = "cheapest",
    };
    return names[reading];
}

bool scenario_schema_print(FILE *out)
{
    return schema_print(&language_scenario, out);
}

/* Finding files. */

static bool join(char *out, const char *folder, const char *name)
{
    const int length = name[0] == '/' ? snprintf(out, PATH_BYTES, "%s", name)
                                      : snprintf(out, PATH_BYTES, "%s/%s", folder, name);
    return length >= 0 && length < PATH_BYTES;
}

/* The folder of the scenario; as it was named, so that messages name files as people know them. */
static bool scenario_folder(const struct scenario_builder *builder, char *out)
{
    char path[PATH_BYTES];
    if (snprintf(path, sizeof(path), "%s", yaml_path(builder->document)) >= PATH_BYTES)
        return false;
    return snprintf(out, PATH_BYTES, "%s", dirname(path)) < PATH_BYTES;
}

/* A file named in the scenario: relative names are relative to the scenario's folder. */
static bool resolve(const struct scenario_builder *builder, const struct yaml_node *node,
                    const char *name, char *out)
{
    char folder[PATH_BYTES];
    if (scenario_folder(builder, folder) && join(out, folder, name))
        return true;
    yaml_error(builder->document, node, "the path of this file has more than %d bytes",
               PATH_BYTES - 1);
    return false;
}

static bool find_in_folder(const char *folder, const char *name, char *out)
{
    const int length = snprintf(out, PATH_BYTES, "%s/models/%s.yaml", folder, name);
    return length > 0 && length < PATH_BYTES && access(out, R_OK) == 0;
}

/* Offer the models of one folder; the best is copied to `nearest`, as names end with the folder. */
static void suggest_models(const char *folder, struct suggestion *suggestion, char *nearest,
                           size_t size)
{
    char path[PATH_BYTES];
    DIR *models = join(path, folder, "models") ? opendir(path) : NULL;
    struct dirent *entry;
    while (models && (entry = readdir(models)) != NULL) {
        char name[sizeof(entry->d_name)];
        (void)snprintf(name, sizeof(name), "%s", entry->d_name);
        char *ending = strrchr(name, '.');
        if (!ending || strcmp(ending, ".yaml") != 0)
            continue;
        *ending = '\0';
        suggestion_offer(suggestion, name);
        if (suggestion->best == name)
            suggestion->best = memcpy(nearest, name, strnlen(name, size - 1) + 1);
    }
    if (models)
        (void)closedir(models);
}

/* models/NAME.yaml beside the scenario, then in each folder above it, then in the home. */
static bool find_model(const struct scenario_builder *builder, const char *name, char *out)
{
    char folder[PATH_BYTES];
    char above[PATH_BYTES];
    char nearest[NAME_MAX + 1] = "";
    struct suggestion suggestion = suggestion_for(name);
    if (scenario_folder(builder, folder) && find_in_folder(folder, name, out))
        return true;
    suggest_models(folder, &suggestion, nearest, sizeof(nearest));
    if (realpath(folder, above)) {
        while (strcmp(above, "/") != 0 && strcmp(above, ".") != 0) {
            (void)dirname(above);
            if (find_in_folder(above, name, out))
                return true;
            suggest_models(above, &suggestion, nearest, sizeof(nearest));
        }
    }
    if (builder->home && find_in_folder(builder->home, name, out))
        return true;
    if (builder->home)
        suggest_models(builder->home, &suggestion, nearest, sizeof(nearest));
    const struct yaml_node *node = schema_place(builder->file.model.node, "name");
    if (suggestion.best)
        yaml_error(builder->document, node, "there is no model '%s'; did you mean '%s'?", name,
                   suggestion.best);
    else
        yaml_error(builder->document, node,
                   "there is no model '%s': no models/%s.yaml beside the scenario or above it",
                   name, name);
    return false;
}

/* The model. */

static bool ends_with(const char *text, const char *ending)
{
    const size_t length = strlen(text);
    return length >= strlen(ending) && strcmp(text + length - strlen(ending), ending) == 0;
}

static enum reshard_status open_named(struct scenario_builder *builder,
                                      const struct inventory_options *options)
{
    const struct language_model *model = &builder->file.model;
    const struct yaml_node *node = schema_place(model->node, "name");
    char path[PATH_BYTES];
    const bool found = ends_with(model->name, ".yaml") ? resolve(builder, node, model->name, path)
                                                       : find_model(builder, model->name, path);
    if (!found)
        return RESHARD_EINVAL;
    const enum reshard_status status =
        inventory_open(&builder->scenario->model, path, options, builder->messages);
    if (status != RESHARD_OK)
        yaml_error(builder->document, node,
                   "the model file %s cannot be used: its errors stand above", path);
    return status;
}

static enum reshard_status open_safetensors(struct scenario_builder *builder,
                                            const struct inventory_options *options)
{
    const struct language_model *model = &builder->file.model;
    const struct yaml_node *node = yaml_get(model->node, "safetensors");
    struct reshard_error error = RESHARD_ERROR_INIT;
    char path[PATH_BYTES];
    if (!resolve(builder, node, model->safetensors, path))
        return RESHARD_EINVAL;
    builder->scenario->safetensors = strdup(path);
    if (!builder->scenario->safetensors)
        return RESHARD_ENOMEM;
    const enum reshard_status status =
        inventory_open_safetensors(&builder->scenario->model, path, options, &error);
    if (status != RESHARD_OK)
        yaml_error(builder->document, node, "%s", error.text);
    return status;
}

/* Keys that belong to another way of giving the model. */
static void check_model_keys(const struct scenario_builder *builder)
{
    static const struct {
        const char *key;
        const char *way;
    } keys[] = {{"units", "safetensors"}, {"dtype", "tensors"}, {"ties", "tensors"}};
    const struct yaml_node *model = builder->file.model.node;
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct yaml_node *value = yaml_get(model, keys[i].key);
        if (value && !yaml_get(model, keys[i].way))
            yaml_error(builder->document, value->key, "'%s' goes with '%s', which is not given",
                       keys[i].key, keys[i].way);
    }
}

static enum reshard_status open_model(struct scenario_builder *builder)
{
    const struct language_model *model = &builder->file.model;
    const struct inventory_options options = {
        .parameters = builder->file.precision.parameters,
        .unit_count = model->units.count,
        .unit = model->units.item,
    };
    check_model_keys(builder);
    if (model->name)
        return open_named(builder, &options);
    if (model->safetensors)
        return open_safetensors(builder, &options);
    return inventory_open_written(&builder->scenario->model, builder->document, model, &options);
}

/* The whole. */

static void build_cluster(const struct language_cluster *file, struct scenario_cluster *out)
{
    out->nodes = file->nodes;
    out->ranks_per_node = file->ranks_per_node;
    out->network_bandwidth = file->network.bandwidth;
    out->network_latency = file->network.latency;
    out->disk_read = file->disk.read;
    out->disk_write = file->disk.write;
    if (file->storage.node) {
        out->storage_servers = file->storage.servers;
        out->storage_read = file->storage.read;
        out->storage_write = file->storage.write;
    }
    if (file->device.node)
        out->device_to_host = file->device.to_host;
}

/* The optimizer's slots, once the parameters stand. */
static void extend_model(struct scenario_builder *builder)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    optimizer_check_members(&builder->scenario->optimizer, builder->scenario->model,
                            builder->document, &builder->file.optimizer);
    if (reshard_optimizer_extend(builder->scenario->model, &builder->scenario->optimizer, &error) !=
        RESHARD_OK)
        yaml_error(builder->document, schema_place(builder->file.node, "optimizer"), "%s",
                   error.text);
}

/* Whether these sections of the file, a list that ends in NULL, were read without an error: then
 * they can be looked at further, whatever is wrong elsewhere. */
static bool is_sound(const struct scenario_builder *builder, const char *const *sections)
{
    for (; *sections; sections++) {
        const struct yaml_node *section = yaml_get(builder->file.node, *sections);
        if (section && section->faulty)
            return false;
    }
    /* Beyond that many, reading itself has stopped. */
    return yaml_error_count(builder->document) <= YAML_ERRORS_MAX;
}

static enum reshard_status build_optimizer_and_model(struct scenario_builder *builder)
{
    static const char *const of_optimizer[] = {"precision", "optimizer", NULL};
    static const char *const of_model[] = {"precision", "model", NULL};
    const bool trained = is_sound(builder, of_optimizer);
    enum reshard_status status = RESHARD_OK;
    bool modelled = yaml_get(builder->file.node, "model") && is_sound(builder, of_model);
    if (trained)
        status = optimizer_build(&builder->scenario->optimizer, builder->document, &builder->file);
    if (!status && modelled) {
        status = open_model(builder);
        modelled = status == RESHARD_OK;
    }
    if (status == RESHARD_ENOMEM)
        return status;
    if (modelled && trained)
        extend_model(builder);
    return RESHARD_OK;
}

static enum reshard_status build_scenario(struct scenario_builder *builder, const uint64_t *seed)
{
    static const char *const of_timeline[] = {"precision", "optimizer", "cluster",
                                              "steps",     "expect",    NULL};
    struct scenario *scenario = builder->scenario;
    if (builder->file.name)
        scenario->name = strdup(builder->file.name);
    if (builder->file.about)
        scenario->about = strdup(builder->file.about);
    if (yaml_error_count(builder->document) == 0 && (!scenario->name || !scenario->about))
        return RESHARD_ENOMEM;
    scenario->seed = seed ? *seed : builder->file.seed;
    build_cluster(&builder->file.cluster, &scenario->cluster);
    const bool timed = yaml_get(builder->file.node, "steps") && is_sound(builder, of_timeline);
    const enum reshard_status status = build_optimizer_and_model(builder);
    return status || !timed ? status : timeline_build(scenario, builder->document, &builder->file);
}

/* A file with errors is built as far as it is sound, so that all its errors are told at once; one
 * of another version says nothing that we know. */
static enum reshard_status read_scenario(struct scenario_builder *builder, const uint64_t *seed)
{
    enum reshard_status status = RESHARD_OK;
    const bool sound = schema_read(&language_scenario, builder->document, &builder->file);
    const struct yaml_node *root = yaml_root(builder->document);
    if (sound || (root && root->kind == YAML_MAPPING && builder->file.version == 1))
        status = build_scenario(builder, seed);
    yaml_errors_print(builder->document, builder->messages);
    schema_release(&language_scenario, &builder->file);
    if (status == RESHARD_OK && yaml_error_count(builder->document) > 0)
        return RESHARD_EINVAL;
    return status;
}

enum reshard_status scenario_open(struct scenario **out, const char *path,
                                  const char *scenario_home, const uint64_t *seed, FILE *messages)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct scenario_builder builder = {.home = scenario_home, .messages = messages};
    enum reshard_status status = RESHARD_ENOMEM;
    *out = NULL;
    builder.scenario = calloc(1, sizeof(*builder.scenario));
    if (builder.scenario)
        builder.scenario->file = strdup(path);
    if (builder.scenario && builder.scenario->file)
        status = yaml_open(&builder.document, path, &error);
    if (status == RESHARD_OK)
        status = read_scenario(&builder, seed);
    else
        yaml_file_error_print(path, status, &error, messages);
    yaml_close(builder.document);
    if (status != RESHARD_OK) {
        scenario_close(builder.scenario);
        return status;
    }
    *out = builder.scenario;
    return RESHARD_OK;
}

void scenario_close(struct scenario *scenario)
{
    if (!scenario)
        return;
    for (uint64_t i = 0; i < scenario->step_count; i++) {
        reshard_layout_options_release(&scenario->steps[i].start.layout);
        reshard_layout_options_release(&scenario->steps[i].reshard.layout);
        free(scenario->steps[i].checkpoint);
        free(scenario->steps[i].expect.message);
        free(scenario->steps[i].expect.loaded);
    }
    for (uint64_t i = 0; i < scenario->checkpoint_count; i++)
        free(scenario->checkpoints[i]);
    free(scenario->checkpoints);
    free(scenario->steps);
    reshard_model_close(scenario->model);
    optimizer_release(&scenario->optimizer);
    free(scenario->safetensors);
    free(scenario->about);
    free(scenario->name);
    free(scenario->file);
    free(scenario);
}
