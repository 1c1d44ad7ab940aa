#include "core/manifest.h"

#include "core/digest.h"
#include "core/groups_json.h"
#include "core/layout_json.h"
#include "core/manifest_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void manifest_file_name(uint64_t writer, char *name)
{
    snprintf(name, MANIFEST_NAME_BYTES, "rank-%05" PRIu64 ".h5", writer);
}

const struct manifest_file *manifest_find_file(const struct manifest *manifest, uint64_t writer)
{
    uint64_t begin = 0;
    uint64_t end = manifest->file_count;
    while (begin < end) {
        const uint64_t middle = begin + (end - begin) / 2;
        if (manifest->file[middle].writer < writer)
            begin = middle + 1;
        else
            end = middle;
    }
    if (begin == manifest->file_count || manifest->file[begin].writer != writer)
        return NULL;
    return &manifest->file[begin];
}

void manifest_release(struct manifest *manifest)
{
    reshard_layout_options_release(&manifest->layout);
    reshard_model_close(manifest->model);
    for (uint64_t i = 0; i < manifest->note_count; i++) {
        free((char *)(uintptr_t)manifest->note[i].key);
        free((char *)(uintptr_t)manifest->note[i].text);
    }
    free(manifest->note);
    free(manifest->digest);
    free(manifest->absent);
    free(manifest->file);
    reshard_groups_close(manifest->groups);
    *manifest = (struct manifest)MANIFEST_INIT;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool same_tensor(const struct manifest *a, const struct manifest *b, uint32_t t)
{
    const struct reshard_tensor *const x = reshard_model_tensor(a->model, t);
    const struct reshard_tensor *const y = reshard_model_tensor(b->model, t);
    const bool x_absent = a->absent && a->absent[t];
    const bool y_absent = b->absent && b->absent[t];
    return strcmp(x->fqn, y->fqn) == 0 && strcmp(x->slot, y->slot) == 0 && x->dtype == y->dtype &&
           reshard_shape_equal(&x->shape, &y->shape) && x->role == y->role && x->like == y->like &&
           x->slot_class == y->slot_class && x->block == y->block && x->unit == y->unit &&
           x_absent == y_absent && (x_absent || a->digest[t] == b->digest[t]);
}

static bool same_model(const struct manifest *a, const struct manifest *b)
{
    const uint32_t tensors = reshard_model_tensor_count(a->model);
    const uint32_t units = reshard_model_unit_count(a->model);
    const uint32_t ties = reshard_model_tie_count(a->model);
    bool same = reshard_model_tensor_count(b->model) == tensors &&
                reshard_model_unit_count(b->model) == units &&
                reshard_model_tie_count(b->model) == ties;
    for (uint32_t t = 0; same && t < tensors; t++)
        same = same_tensor(a, b, t);
    for (uint32_t u = 0; same && u < units; u++)
        same = strcmp(reshard_model_unit(a->model, u), reshard_model_unit(b->model, u)) == 0;
    for (uint32_t i = 0; same && i < ties; i++) {
        const struct reshard_tie *const x = reshard_model_tie_at(a->model, i);
        const struct reshard_tie *const y = reshard_model_tie_at(b->model, i);
        same = strcmp(x->alias, y->alias) == 0 && x->tensor == y->tensor;
    }
    return same;
}

static bool same_files(const struct manifest *a, const struct manifest *b)
{
    bool same = a->file_count == b->file_count;
    for (uint64_t i = 0; same && i < a->file_count; i++)
        same = strcmp(a->file[i].name, b->file[i].name) == 0 &&
               a->file[i].writer == b->file[i].writer && a->file[i].bytes == b->file[i].bytes &&
               a->file[i].seal == b->file[i].seal;
    return same;
}

/* By their JSON, which leaves out what a kind has no use for. */
static enum reshard_status compare_layouts(const struct manifest *a, const struct manifest *b)
{
    json_t *const x = layout_json_encode(&a->layout);
    json_t *const y = layout_json_encode(&b->layout);
    const enum reshard_status status = !x || !y           ? RESHARD_ENOMEM
                                       : json_equal(x, y) ? RESHARD_OK
                                                          : RESHARD_EMISMATCH;
    json_decref(x);
    json_decref(y);
    return status;
}

enum reshard_status manifest_compare(const struct manifest *a, const struct manifest *b)
{
    if (a->step != b->step || a->world != b->world || !token_equal(a->token, b->token) ||
        a->note_count != b->note_count ||
        notes_hash(a->note, a->note_count) != notes_hash(b->note, b->note_count) ||
        !same_model(a, b) || !a->groups != !b->groups ||
        (a->groups && reshard_groups_hash(a->groups) != reshard_groups_hash(b->groups)) ||
        !same_files(a, b))
        return RESHARD_EMISMATCH;
    return compare_layouts(a, b);
}

/* ---- encoding -------------------------------------------------------------------------------- */

/* Text that grows; the first failure sticks and makes the rest do nothing. */
struct output {
    char *text;
    size_t bytes;
    size_t capacity;
    bool failed;
};

static void put_bytes(struct output *to, const char *bytes, size_t count)
{
    if (to->failed)
        return;
    if (count >= to->capacity - to->bytes) {
        const size_t capacity = 2 * (to->bytes + count) + 4096;
        char *const text = realloc(to->text, capacity);
        if (!text) {
            to->failed = true;
            return;
        }
        to->text = text;
        to->capacity = capacity;
    }
    memcpy(to->text + to->bytes, bytes, count);
    to->bytes += count;
    to->text[to->bytes] = '\0';
}

static void put(struct output *to, const char *text)
{
    put_bytes(to, text, strlen(text));
}

/* Numbers and digits in short texts, which 256 bytes hold. */
__attribute__((format(printf, 2, 3))) static void put_format(struct output *to, const char *format,
                                                             ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(to, text);
}

/* A JSON string. Names are UTF-8 already (the model saw to it), which JSON takes as it is. */
static void put_string(struct output *to, const char *text)
{
    put(to, "\"");
    for (const char *c = text; *c; c++) {
        char escape[8];
        if (*c == '"' || *c == '\\') {
            snprintf(escape, sizeof escape, "\\%c", *c);
            put(to, escape);
        } else if ((unsigned char)*c < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*c);
            put(to, escape);
        } else {
            put_bytes(to, c, 1);
        }
    }
    put(to, "\"");
}

static int put_chunk(const char *bytes, size_t count, void *to)
{
    put_bytes(to, bytes, count);
    return ((const struct output *)to)->failed ? -1 : 0;
}

/* Not by json_dumps(), which may return a text that was cut where memory ran out: here the failure
 * stays. NULL is what could not be made. */
static void put_json(struct output *to, const json_t *value, size_t flags)
{
    if (!value || json_dump_callback(value, put_chunk, to, flags))
        to->failed = true;
}

/* What goes before entry `index` of an array that has one entry on each line. */
static void put_entry_start(struct output *to, uint64_t index)
{
    put(to, index ? ",\n    " : "\n    ");
}

static void put_array_end(struct output *to, uint64_t count)
{
    put(to, count ? "\n  ],\n" : "],\n");
}

/* One domain: the ranks that read one token. A save of several would list theirs after it. */
static void put_domains(struct output *to, const char *token)
{
    put_format(to, "  \"domains\": [\"%s\"],\n", token);
}

static void put_notes(struct output *to, const struct manifest *manifest)
{
    for (uint64_t i = 0; i < manifest->note_count; i++) {
        put(to, i ? ",\n    " : "  \"notes\": {\n    ");
        put_string(to, manifest->note[i].key);
        put(to, ": ");
        put_string(to, manifest->note[i].text);
    }
    put(to, manifest->note_count ? "\n  },\n" : "");
}

static void put_layout(struct output *to, const struct reshard_layout_options *layout)
{
    json_t *const value = layout_json_encode(layout);
    put(to, "  \"layout\": ");
    put_json(to, value, 0);
    put(to, ",\n");
    json_decref(value);
}

static void put_units(struct output *to, const struct reshard_model *model)
{
    const uint32_t count = reshard_model_unit_count(model);
    put(to, "  \"units\": [");
    for (uint32_t i = 0; i < count; i++) {
        put_entry_start(to, i);
        put_string(to, reshard_model_unit(model, i));
    }
    put_array_end(to, count);
}

/* Of a slot: how it lies beside its parameter. */
static void put_slot_class(struct output *to, const struct reshard_tensor *tensor)
{
    static const char *const names[RESHARD_CLASS_COUNT] = {
        [RESHARD_CLASS_ROW] = "row",
        [RESHARD_CLASS_COLUMN] = "column",
        [RESHARD_CLASS_BLOCKWISE] = "blockwise",
        [RESHARD_CLASS_OPAQUE] = "opaque",
    };
    put_format(to, ", \"like\": %s", tensor->like == RESHARD_LIKE_NONE ? "false" : "true");
    if (names[tensor->slot_class])
        put_format(to, ", \"class\": \"%s\"", names[tensor->slot_class]);
    if (tensor->block)
        put_format(to, ", \"block\": %" PRIu64, tensor->block);
}

static void put_tensor(struct output *to, const struct reshard_tensor *tensor, bool absent,
                       uint64_t digest)
{
    put(to, "{\"fqn\": ");
    put_string(to, tensor->fqn);
    if (*tensor->slot) {
        put(to, ", \"slot\": ");
        put_string(to, tensor->slot);
    }
    put_format(to, ", \"dtype\": \"%s\", \"shape\": [", reshard_dtype_name(tensor->dtype));
    for (uint32_t d = 0; d < tensor->shape.ndim; d++)
        put_format(to, "%s%" PRIu64, d ? ", " : "", tensor->shape.size[d]);
    put_format(to, "], \"unit\": %" PRIu32, tensor->unit);
    if (!*tensor->slot && tensor->role != RESHARD_ROLE_PARAMETER)
        put_format(to, ", \"role\": \"%s\"", reshard_role_name(tensor->role));
    if (*tensor->slot)
        put_slot_class(to, tensor);
    if (absent)
        put(to, ", \"absent\": true}");
    else
        put_format(to, ", \"digest\": \"%016" PRIx64 "\"}", digest);
}

static void put_tensors(struct output *to, const struct manifest *manifest)
{
    const uint32_t count = reshard_model_tensor_count(manifest->model);
    put(to, "  \"tensors\": [");
    for (uint32_t i = 0; i < count; i++) {
        put_entry_start(to, i);
        put_tensor(to, reshard_model_tensor(manifest->model, i),
                   manifest->absent && manifest->absent[i], manifest->digest[i]);
    }
    put_array_end(to, count);
}

static void put_ties(struct output *to, const struct reshard_model *model)
{
    const uint32_t count = reshard_model_tie_count(model);
    put(to, "  \"ties\": [");
    for (uint32_t i = 0; i < count; i++) {
        const struct reshard_tie *const tie = reshard_model_tie_at(model, i);
        put_entry_start(to, i);
        put(to, "{\"alias\": ");
        put_string(to, tie->alias);
        put(to, ", \"of\": ");
        put_string(to, reshard_model_tensor(model, tie->tensor)->fqn);
        put(to, "}");
    }
    put_array_end(to, count);
}

/* The groups, or entries: one on each line. */
static void put_objects(struct output *to, const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        put_entry_start(to, i);
        put_json(to, json_array_get(array, i), GROUPS_JSON_FLAGS);
    }
    put(to, json_array_size(array) ? "\n  ]" : "]");
}

static void put_optimizer(struct output *to, const struct reshard_groups *groups)
{
    if (!groups)
        return;
    json_t *const value = groups_json_encode(groups);
    if (!value) {
        to->failed = true;
        return;
    }
    put(to, "  \"optimizer\": {\"keys\": ");
    put_string(to, json_string_value(json_object_get(value, "keys")));
    put(to, ", \"groups\": [");
    put_objects(to, json_object_get(value, "groups"));
    put(to, ", \"entries\": [");
    put_objects(to, json_object_get(value, "entries"));
    put(to, "},\n");
    json_decref(value);
}

static void put_files(struct output *to, const struct manifest *manifest)
{
    put(to, "  \"files\": [");
    for (uint64_t i = 0; i < manifest->file_count; i++) {
        const struct manifest_file *const file = &manifest->file[i];
        put_entry_start(to, i);
        put_format(to,
                   "{\"name\": \"%s\", \"writer\": %" PRIu64 ", \"bytes\": %" PRIu64
                   ", \"seal\": \"%016" PRIx64 "\"}",
                   file->name, file->writer, file->bytes, file->seal);
    }
    put_array_end(to, manifest->file_count);
}

static bool file_is_valid(const struct manifest *manifest, uint64_t index)
{
    const struct manifest_file *const file = &manifest->file[index];
    char name[MANIFEST_NAME_BYTES];
    manifest_file_name(file->writer, name);
    return file->writer < manifest->world && file->bytes > 0 && file->bytes <= INT64_MAX &&
           strcmp(file->name, name) == 0 && (index == 0 || file[-1].writer < file->writer);
}

static bool manifest_is_valid(const struct manifest *manifest)
{
    char token[RESHARD_TOKEN_BYTES];
    const struct reshard_mesh mesh = reshard_layout_options_mesh(&manifest->layout);
    const uint64_t ranks = reshard_mesh_ranks(&mesh);
    if (manifest->step > INT64_MAX || ranks == 0 || manifest->world < ranks ||
        manifest->world > RESHARD_MESH_RANKS_MAX)
        return false;
    if (!token_parse(manifest->token, strnlen(manifest->token, sizeof manifest->token), token) ||
        notes_check(manifest->note, manifest->note_count, NULL))
        return false;
    if (manifest->layout.kind == RESHARD_LAYOUT_DDP && manifest->layout.shard > 1)
        return false;
    for (uint32_t t = 0; t < reshard_model_tensor_count(manifest->model); t++) {
        const struct reshard_tensor *const tensor = reshard_model_tensor(manifest->model, t);
        if (!reshard_role_is_saved(tensor->role) || tensor->block > INT64_MAX ||
            (manifest->absent && manifest->absent[t] && !reshard_tensor_is_slot(tensor)))
            return false;
    }
    if (manifest->groups && reshard_groups_check(manifest->groups, manifest->model, NULL))
        return false;
    for (uint64_t i = 0; i < manifest->file_count; i++) {
        if (!file_is_valid(manifest, i))
            return false;
    }
    return true;
}

enum reshard_status manifest_encode(const struct manifest *manifest, char **out, size_t *bytes)
{
    *out = NULL;
    *bytes = 0;
    if (!manifest_is_valid(manifest))
        return RESHARD_EINVAL;
    struct output to = {NULL, 0, 0, false};
    put_format(&to,
               "{\n  \"format\": \"reshard\",\n  \"version\": %d,\n  \"step\": %" PRIu64
               ",\n  \"world\": %" PRIu64 ",\n",
               MANIFEST_VERSION, manifest->step, manifest->world);
    put_domains(&to, manifest->token);
    put_notes(&to, manifest);
    put_layout(&to, &manifest->layout);
    put_units(&to, manifest->model);
    put_tensors(&to, manifest);
    put_ties(&to, manifest->model);
    put_optimizer(&to, manifest->groups);
    put_files(&to, manifest);
    if (!to.failed)
        put_format(&to, "%s%016" PRIx64 "%s", MANIFEST_TAIL_BEGIN, digest_crc(0, to.text, to.bytes),
                   MANIFEST_TAIL_END);
    if (to.failed || to.bytes > MANIFEST_BYTES_MAX) {
        free(to.text);
        return to.failed ? RESHARD_ENOMEM : RESHARD_EOVERFLOW;
    }
    *out = to.text;
    *bytes = to.bytes;
    return RESHARD_OK;
}
