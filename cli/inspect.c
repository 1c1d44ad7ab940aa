#include "cli/cli.h"
#include "cli/inspect_groups.h"
#include "cli/options.h"

#include "core/groups_json.h"
#include "core/layout_json.h"
#include "core/manifest.h"
#include "core/store.h"
#include "sim/input.h"
#include "sim/inventory.h"
#include "sim/json_text.h"
#include "sim/report.h"
#include "sim/suggest.h"
#include "sim/text.h"
#include "verify/report.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is looked at: a model, and the manifest it is from when it is a checkpoint's. */
struct subject {
    const char *path;
    const char *filter;          /* NULL: everything */
    struct reshard_model *model; /* the manifest's own where there is one */
    struct manifest manifest;
    bool is_checkpoint;
    uint64_t missing; /* files that are not there, or of another size than the manifest says */
};

struct totals {
    uint64_t tensors;
    uint64_t parameters; /* elements of them */
    uint64_t slots;
    uint64_t absent; /* of them */
    uint64_t bytes;  /* of what is there */
};

/* ---- opening ---- */

static int open_manifest(struct subject *subject)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    char *text = NULL;
    uint64_t bytes = 0;
    char *path = store_path(subject->path, MANIFEST_FILE);
    if (!path)
        return cli_out_of_memory();
    enum reshard_status status =
        store_read_file(store_posix(), path, MANIFEST_BYTES_MAX, &text, &bytes, &error);
    if (!status)
        status = manifest_decode(&subject->manifest, text, (size_t)bytes, path, &error);
    free(text);
    free(path);
    if (status == RESHARD_ENOMEM)
        return cli_out_of_memory();
    if (status == RESHARD_ENOENT)
        return cli_error(CLI_DAMAGED,
                         "%s: no " MANIFEST_FILE ": no checkpoint, or a save that was cut short",
                         subject->path);
    if (status)
        return cli_error(status == RESHARD_EIO ? CLI_ENVIRONMENT : CLI_DAMAGED, "%s", error.text);
    subject->model = subject->manifest.model;
    subject->is_checkpoint = true;
    return CLI_OK;
}

/* Whether a file is there with the manifest's size. Contents are for `reshard verify`. */
static bool file_is_whole(const char *directory, const struct manifest_file *file)
{
    struct stat about;
    char *path = store_path(directory, file->name);
    const bool whole = path && lstat(path, &about) == 0 && S_ISREG(about.st_mode) &&
                       (uint64_t)about.st_size == file->bytes;
    free(path);
    return whole;
}

/* Whether a regular file is a checkpoint's manifest, or HDF5, as its other files are. */
static bool is_part(const char *path)
{
    static const unsigned char hdf5[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    const char *slash = strrchr(path, '/');
    unsigned char head[sizeof(hdf5)];
    if (strcmp(slash ? slash + 1 : path, MANIFEST_FILE) == 0)
        return true;
    FILE *file = NULL;
    const bool part = input_open(path, &file, NULL) == RESHARD_OK &&
                      fread(head, 1, sizeof(head), file) == sizeof(head) &&
                      memcmp(head, hdf5, sizeof(hdf5)) == 0;
    if (file)
        (void)fclose(file);
    return part;
}

static int open_subject(struct subject *subject)
{
    struct stat about;
    if (stat(subject->path, &about) != 0)
        return cli_error(errno == EACCES ? CLI_ENVIRONMENT : CLI_USAGE, "%s: %s", subject->path,
                         strerror(errno));
    if (S_ISDIR(about.st_mode))
        return open_manifest(subject);
    if (S_ISREG(about.st_mode) && is_part(subject->path))
        return cli_error(CLI_USAGE, "%s: part of a checkpoint; inspect its directory",
                         subject->path);
    enum reshard_status status = inventory_open(&subject->model, subject->path, NULL, stderr);
    if (status == RESHARD_ENOMEM)
        return cli_out_of_memory();
    return status ? CLI_USAGE : CLI_OK;
}

static void subject_release(struct subject *subject)
{
    if (subject->is_checkpoint)
        manifest_release(&subject->manifest);
    else
        reshard_model_close(subject->model);
}

/* ---- the filter ---- */

/* A name or a pattern; an alias of a tied parameter stands for the parameter. */
static bool matches_name(const struct subject *subject, const char *fqn)
{
    uint32_t index = 0;
    if (!subject->filter || strcmp(subject->filter, fqn) == 0 ||
        fnmatch(subject->filter, fqn, 0) == 0)
        return true;
    return reshard_model_find(subject->model, subject->filter, "", &index) == RESHARD_OK &&
           strcmp(reshard_model_tensor(subject->model, index)->fqn, fqn) == 0;
}

static bool matches(const struct subject *subject, const struct reshard_tensor *tensor)
{
    return matches_name(subject, tensor->fqn);
}

static bool is_absent(const struct subject *subject, uint32_t index)
{
    return subject->manifest.absent && subject->manifest.absent[index];
}

static struct totals count(const struct subject *subject)
{
    struct totals totals = {0};
    for (uint32_t i = 0; i < reshard_model_tensor_count(subject->model); i++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(subject->model, i);
        if (!matches(subject, tensor))
            continue;
        totals.tensors += tensor->slot[0] == '\0';
        totals.slots += tensor->slot[0] != '\0';
        totals.absent += is_absent(subject, i);
        totals.parameters +=
            !reshard_tensor_is_slot(tensor) && reshard_role_is_parameter(tensor->role)
                ? tensor->count
                : 0;
        totals.bytes +=
            is_absent(subject, i) ? 0 : tensor->count * reshard_dtype_bytes(tensor->dtype);
    }
    return totals;
}

static int refuse_filter(const struct subject *subject)
{
    struct suggestion suggestion = suggestion_for(subject->filter);
    for (uint32_t i = 0; i < reshard_model_tensor_count(subject->model); i++)
        suggestion_offer(&suggestion, reshard_model_tensor(subject->model, i)->fqn);
    if (suggestion.best)
        return cli_error(CLI_USAGE, "%s: no tensor '%s'; did you mean '%s'?", subject->path,
                         subject->filter, suggestion.best);
    return cli_error(CLI_USAGE, "%s: no tensor '%s'", subject->path, subject->filter);
}

/* ---- for people ---- */

static void print_layout(const struct reshard_layout_options *layout, uint64_t world)
{
    const struct reshard_mesh mesh = reshard_layout_options_mesh(layout);
    const bool shards =
        layout->kind == RESHARD_LAYOUT_FSDP1 || layout->kind == RESHARD_LAYOUT_FSDP2;
    printf("%s", reshard_layout_kind_name(layout->kind));
    for (int d = 0; d < RESHARD_MESH_DIMS; d++)
        if (mesh.size[d] > 1 || (d == RESHARD_MESH_SHARD && shards))
            printf(", %s %" PRIu64, reshard_mesh_dim_name((enum reshard_mesh_dim)d), mesh.size[d]);
    if (world > reshard_mesh_ranks(&mesh))
        printf(", idle %" PRIu64, world - reshard_mesh_ranks(&mesh));
    if (layout->dim > 0)
        printf(", dim %" PRIu32, layout->dim);
    if (layout->orig_params)
        printf(", orig_params");
    if (layout->forward != RESHARD_DTYPE_NONE)
        printf(", forward %s", reshard_dtype_name(layout->forward));
    if (layout->owner > 0)
        printf(", owner %" PRIu64, layout->owner - 1);
}

static void print_setting(const char *name, const struct reshard_setting *setting, int *printed)
{
    static const char *const words[] = {
        [RESHARD_HOW_WHOLE] = "whole",
        [RESHARD_HOW_CUT] = "",
        [RESHARD_HOW_AT] = "at ",
        [RESHARD_HOW_OF] = "of ",
    };
    if (setting->how == RESHARD_HOW_DEFAULT)
        return;
    printf("%s%s %s", (*printed)++ ? ", " : "  ", name, words[setting->how]);
    if (setting->how != RESHARD_HOW_WHOLE)
        printf("%" PRIu64, setting->number);
}

/* One rule, as a scenario would say it but for its boxes. */
static void print_rule(const struct reshard_rule *rule)
{
    int printed = 0;
    printf("  rule ");
    verify_text_print(rule->pattern, stdout);
    print_setting("pipeline", &rule->pipeline, &printed);
    print_setting("shard", &rule->shard, &printed);
    print_setting("expert", &rule->expert, &printed);
    print_setting("tensor", &rule->tensor, &printed);
    for (uint32_t i = 0; i < rule->section_count; i++)
        printf("%s%" PRIu64, i ? " " : printed++ ? ", sections " : "  sections ", rule->section[i]);
    if (rule->box_count > 0)
        printf("%s%" PRIu64 " box%s", printed ? ", " : "  ", rule->box_count,
               rule->box_count == 1 ? "" : "es");
    printf("\n");
}

static void print_notes(const struct manifest *manifest)
{
    for (uint64_t i = 0; i < manifest->note_count; i++) {
        printf("  note ");
        text_print(stdout, manifest->note[i].key, strlen(manifest->note[i].key));
        printf(": ");
        text_print(stdout, manifest->note[i].text, strlen(manifest->note[i].text));
        printf("\n");
    }
}

static json_t *notes_value(const struct manifest *manifest)
{
    json_t *value = json_object();
    for (uint64_t i = 0; i < manifest->note_count; i++)
        json_text_set(&value, manifest->note[i].key, json_string(manifest->note[i].text));
    return value;
}

static void print_head(const struct subject *subject)
{
    char text[32];
    const struct totals totals = count(subject);
    const struct manifest *manifest = &subject->manifest;
    (void)verify_text_print(subject->path, stdout);
    printf("\n");
    if (subject->is_checkpoint) {
        printf("  checkpoint of training step %" PRIu64 ", saved by %" PRIu64 " rank%s as ",
               manifest->step, manifest->world, manifest->world == 1 ? "" : "s");
        print_layout(&manifest->layout, manifest->world);
        printf("\n");
        for (uint32_t i = 0; i < manifest->layout.rule_count; i++)
            print_rule(&manifest->layout.rule[i]);
    }
    print_notes(manifest);
    printf("  %s parameter%s in %" PRIu64 " tensor%s",
           report_count(totals.parameters, text, sizeof(text)), totals.parameters == 1 ? "" : "s",
           totals.tensors, totals.tensors == 1 ? "" : "s");
    if (totals.slots > 0)
        printf(", %" PRIu64 " optimizer state%s", totals.slots, totals.slots == 1 ? "" : "s");
    if (totals.absent > 0)
        printf(" (%" PRIu64 " absent)", totals.absent);
    printf(", %s", report_bytes(totals.bytes, text, sizeof(text)));
    printf(" (%s bytes), %" PRIu32 " unit%s\n", report_count(totals.bytes, text, sizeof(text)),
           reshard_model_unit_count(subject->model),
           reshard_model_unit_count(subject->model) == 1 ? "" : "s");
}

/* The width of the first column, within reason. */
static int name_width(const struct subject *subject)
{
    size_t width = 6;
    for (uint32_t i = 0; i < reshard_model_tensor_count(subject->model); i++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(subject->model, i);
        const size_t length = strlen(tensor->fqn) + strlen(tensor->slot) + 2;
        if (matches(subject, tensor) && length > width && length <= 64)
            width = length;
    }
    return (int)width;
}

/* What follows of a slot: how it lies beside its parameter. */
static void print_class(const struct reshard_tensor *tensor)
{
    printf("  %s", reshard_slot_class_name(tensor->slot_class));
    if (tensor->slot_class == RESHARD_CLASS_BLOCKWISE)
        printf(" of %" PRIu64, tensor->block);
}

/* What follows of an entry of the model: its role where that is worth a word, and its unit. */
static void print_role(const struct subject *subject, const struct reshard_tensor *tensor)
{
    const char *unit = reshard_model_unit(subject->model, tensor->unit);
    if (tensor->role != RESHARD_ROLE_PARAMETER)
        printf("  %s", reshard_role_name(tensor->role));
    if (tensor->other_world == RESHARD_OTHER_WORLD_KEEP)
        printf(", kept in other worlds");
    if (unit[0] != '\0') {
        printf("  unit ");
        verify_text_print(unit, stdout);
    }
}

/* What each rank has of a model file's per_rank tensor: how many ranks there are it does not say.
 */
static struct reshard_shape shape_of(const struct subject *subject,
                                     const struct reshard_tensor *tensor)
{
    struct reshard_shape shape = tensor->shape;
    if (subject->is_checkpoint || tensor->role != RESHARD_ROLE_PER_RANK)
        return shape;
    shape.ndim--;
    memmove(shape.size, shape.size + 1, shape.ndim * sizeof(*shape.size));
    return shape;
}

/* A slot stands under its parameter's name, after a colon. */
static void print_tensor(const struct subject *subject, uint32_t index, int width)
{
    char shape[256];
    char elements[32];
    const struct reshard_tensor *tensor = reshard_model_tensor(subject->model, index);
    const struct reshard_shape own = shape_of(subject, tensor);
    printf("  ");
    size_t columns = verify_text_print(tensor->fqn, stdout);
    if (tensor->slot[0] != '\0') {
        printf(": ");
        columns += 2 + verify_text_print(tensor->slot, stdout);
    }
    const int named = columns < INT_MAX ? (int)columns : INT_MAX;
    printf("%*s  %-10s %-20s %15s", named < width ? width - named : 0, "",
           reshard_dtype_name(tensor->dtype), reshard_shape_print(&own, shape, sizeof(shape)),
           report_count(tensor->count, elements, sizeof(elements)));
    if (is_absent(subject, index))
        printf("  %-16s", "absent");
    else if (subject->is_checkpoint)
        printf("  %016" PRIx64, subject->manifest.digest[index]);
    if (reshard_tensor_is_slot(tensor))
        print_class(tensor);
    else
        print_role(subject, tensor);
    printf("\n");
}

static void print_tensors(const struct subject *subject)
{
    const int width = name_width(subject);
    printf("\n  %-*s  %-10s %-20s %15s%s\n", width, "tensor", "dtype", "shape", "elements",
           subject->is_checkpoint ? "  digest" : "");
    for (uint32_t i = 0; i < reshard_model_tensor_count(subject->model); i++)
        if (matches(subject, reshard_model_tensor(subject->model, i)))
            print_tensor(subject, i, width);
    for (uint32_t i = 0; i < reshard_model_tie_count(subject->model); i++) {
        const struct reshard_tie *tie = reshard_model_tie_at(subject->model, i);
        const struct reshard_tensor *of = reshard_model_tensor(subject->model, tie->tensor);
        if (!matches(subject, of))
            continue;
        printf("  ");
        verify_text_print(tie->alias, stdout);
        printf(" = ");
        verify_text_print(of->fqn, stdout);
        printf("\n");
    }
}

static bool is_shown(const void *subject, const char *fqn)
{
    return matches_name(subject, fqn);
}

static void print_files(const struct subject *subject)
{
    char bytes[32];
    const struct manifest *manifest = &subject->manifest;
    printf("\n  %-15s %6s %20s  %s\n", "file", "rank", "bytes", "seal");
    for (uint64_t i = 0; i < manifest->file_count; i++) {
        const struct manifest_file *file = &manifest->file[i];
        printf("  %-15s %6" PRIu64 " %20s  %016" PRIx64 "%s\n", file->name, file->writer,
               report_count(file->bytes, bytes, sizeof(bytes)), file->seal,
               file_is_whole(subject->path, file) ? "" : "  DAMAGED: missing, or of another size");
    }
    if (subject->missing == 0)
        printf("\n  whole as far as sizes tell; `reshard verify` reads every byte\n");
}

/* ---- for programs ---- */

static json_t *digest_value(uint64_t digest)
{
    char text[17];
    (void)snprintf(text, sizeof(text), "%016" PRIx64, digest);
    return json_string(text);
}

/* What a slot has besides: its class, and whether it is there. */
static void set_slot(json_t **value, const struct reshard_tensor *tensor, bool absent)
{
    json_text_set(value, "class", json_string(reshard_slot_class_name(tensor->slot_class)));
    if (tensor->slot_class == RESHARD_CLASS_BLOCKWISE)
        json_text_set(value, "block", json_integer((json_int_t)tensor->block));
    json_text_set(value, "absent", json_boolean(absent));
}

static json_t *tensor_value(const struct subject *subject, uint32_t index)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(subject->model, index);
    const uint64_t bytes = tensor->count * reshard_dtype_bytes(tensor->dtype);
    const struct reshard_shape own = shape_of(subject, tensor);
    json_t *shape = json_array();
    for (uint32_t d = 0; shape && d < own.ndim; d++)
        json_text_append(&shape, json_integer((json_int_t)own.size[d]));
    json_t *value = json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:s}", "fqn", tensor->fqn,
                              "slot", tensor->slot, "role", reshard_role_name(tensor->role),
                              "dtype", reshard_dtype_name(tensor->dtype), "shape", shape,
                              "elements", (json_int_t)tensor->count, "bytes", (json_int_t)bytes,
                              "unit", reshard_model_unit(subject->model, tensor->unit));
    if (value && reshard_tensor_is_slot(tensor))
        set_slot(&value, tensor, is_absent(subject, index));
    if (value && subject->is_checkpoint && !is_absent(subject, index))
        json_text_set(&value, "digest", digest_value(subject->manifest.digest[index]));
    return value;
}

static json_t *tensors_value(const struct subject *subject)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < reshard_model_tensor_count(subject->model); i++)
        if (matches(subject, reshard_model_tensor(subject->model, i)))
            json_text_append(&list, tensor_value(subject, i));
    return list;
}

static json_t *ties_value(const struct subject *subject)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < reshard_model_tie_count(subject->model); i++) {
        const struct reshard_tie *tie = reshard_model_tie_at(subject->model, i);
        const struct reshard_tensor *of = reshard_model_tensor(subject->model, tie->tensor);
        if (matches(subject, of))
            json_text_append(&list, json_pack("{s:s, s:s}", "alias", tie->alias, "of", of->fqn));
    }
    return list;
}

static json_t *files_value(const struct subject *subject)
{
    json_t *list = json_array();
    for (uint64_t i = 0; list && i < subject->manifest.file_count; i++) {
        const struct manifest_file *file = &subject->manifest.file[i];
        json_text_append(&list, json_pack("{s:s, s:I, s:I, s:o, s:b}", "name", file->name, "writer",
                                          (json_int_t)file->writer, "bytes",
                                          (json_int_t)file->bytes, "seal", digest_value(file->seal),
                                          "whole", file_is_whole(subject->path, file)));
    }
    return list;
}

static json_t *subject_value(const struct subject *subject)
{
    const struct totals totals = count(subject);
    json_t *value = json_pack(
        "{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "path", text_json(subject->path), "parameters",
        (json_int_t)totals.parameters, "tensor_count", (json_int_t)totals.tensors, "slot_count",
        (json_int_t)totals.slots, "absent_count", (json_int_t)totals.absent, "bytes",
        (json_int_t)totals.bytes, "tensors", tensors_value(subject), "ties", ties_value(subject));
    if (!value || !subject->is_checkpoint)
        return value;
    json_t *checkpoint = json_pack(
        "{s:I, s:I, s:s, s:o, s:o, s:b, s:o}", "step", (json_int_t)subject->manifest.step, "world",
        (json_int_t)subject->manifest.world, "token", subject->manifest.token, "notes",
        notes_value(&subject->manifest), "layout", layout_json_encode(&subject->manifest.layout),
        "whole", subject->missing == 0, "files", files_value(subject));
    if (checkpoint && subject->manifest.groups)
        json_text_set(&checkpoint, "optimizer", groups_json_encode(subject->manifest.groups));
    json_text_set(&value, "checkpoint", checkpoint);
    return value;
}

static int print_json(const struct subject *subject, const char *name)
{
    json_t *value = subject_value(subject);
    if (!value)
        return cli_out_of_memory();
    int status = CLI_OK;
    FILE *out = cli_output_open(name);
    if (!out || !json_text_write(value, out, JSON_INDENT(2) | GROUPS_JSON_FLAGS))
        status = CLI_ENVIRONMENT;
    if (!cli_output_close(out, name))
        status = CLI_ENVIRONMENT;
    json_decref(value);
    return status;
}

/* ---- the command ---- */

/* A checkpoint whose layout cannot be is damaged, however whole its files are. */
static int check_layout(const struct subject *subject)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout = NULL;
    const enum reshard_status status =
        reshard_layout_open(&layout, subject->manifest.model, &subject->manifest.layout, &error);
    reshard_layout_close(layout);
    if (!status)
        return CLI_OK;
    return cli_error(status == RESHARD_ENOMEM ? CLI_FAILED : CLI_DAMAGED,
                     "%s/" MANIFEST_FILE ": layout: %s", subject->path,
                     error.text[0] ? error.text : reshard_status_text(status));
}

static int inspect(struct subject *subject, const char *json)
{
    int status = open_subject(subject);
    if (status != CLI_OK)
        return status;
    if (subject->is_checkpoint)
        status = check_layout(subject);
    if (status != CLI_OK)
        return status;
    if (subject->filter && count(subject).tensors == 0)
        return refuse_filter(subject);
    for (uint64_t i = 0; i < subject->manifest.file_count; i++)
        subject->missing += !file_is_whole(subject->path, &subject->manifest.file[i]);
    if (!json || strcmp(json, "-") != 0) {
        print_head(subject);
        print_tensors(subject);
        if (subject->manifest.groups)
            inspect_groups_print(subject->manifest.groups, subject->filter ? is_shown : NULL,
                                 subject);
        if (subject->is_checkpoint)
            print_files(subject);
    }
    if (json)
        status = print_json(subject, json);
    if (status == CLI_OK && subject->missing > 0)
        status = cli_error(CLI_DAMAGED, "%s: %" PRIu64 " of %" PRIu64 " files missing or cut short",
                           subject->path, subject->missing, subject->manifest.file_count);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    const char *json = NULL;
    const struct cli_option options[] = {
        {"json", 0, "FILE", "the same for programs; - is standard output", NULL, &json},
    };
    struct subject subject = {.manifest = MANIFEST_INIT};
    struct cli_arguments arguments;
    int status = CLI_OK;
    if (!cli_options_parse(command, options, 1, 1, 2, argc, argv, &arguments, &status))
        return status;
    subject.path = arguments.value[0];
    subject.filter = arguments.count > 1 ? arguments.value[1] : NULL;
    status = inspect(&subject, json);
    subject_release(&subject);
    return status;
}

const struct cli_command cli_inspect = {
    .name = "inspect",
    .arguments = "DIR|MODEL.yaml|FILE.safetensors [FQN]",
    .summary = "show what a checkpoint, a model or a safetensors file holds",
    .about =
        "Shows tensors with their shapes, dtypes and counts; of a checkpoint also its step,\n"
        "layout, optimizer states, digests, param groups and files. FQN shows that tensor and its\n"
        "group alone; it may be a pattern, as in '*.weight'.",
    .run = run,
};
