#include "sim/yaml.h"

#include "core/safetensors.h"
#include "sim/input.h"
#include "sim/text.h"

#include <inttypes.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

struct yaml_fault {
    int line;
    int column;
    int width;
    uint64_t order; /* in which it was found, for those of one place */
    char *text;
};

struct yaml_document {
    char *path;
    char *source;
    size_t source_bytes;
    struct yaml_node *root;
    uint64_t fault_count;
    struct yaml_fault *fault;
    uint64_t node_count;
    bool too_many; /* errors; those beyond the limit are not kept */
    bool out_of_memory;
};

static void add_fault(struct yaml_document *document, int line, int column, int width,
                      const char *format, va_list arguments)
{
    char text[RESHARD_ERROR_TEXT_MAX];
    if (document->fault_count == YAML_ERRORS_MAX) {
        document->too_many = true;
        return;
    }
    (void)vsnprintf(text, sizeof(text), format, arguments);
    for (uint64_t i = 0; i < document->fault_count; i++) {
        const struct yaml_fault *fault = &document->fault[i];
        if (fault->line == line && fault->column == column && strcmp(fault->text, text) == 0)
            return;
    }
    struct yaml_fault *grown =
        realloc(document->fault, (document->fault_count + 1) * sizeof(*document->fault));
    char *copy = strdup(text);
    if (grown)
        document->fault = grown;
    if (!grown || !copy) {
        free(copy);
        document->out_of_memory = true;
        return;
    }
    document->fault[document->fault_count] =
        (struct yaml_fault){line, column, width, document->fault_count, copy};
    document->fault_count++;
}

static void fault_at(struct yaml_document *document, const struct fy_mark *mark, int width,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

static void fault_at(struct yaml_document *document, const struct fy_mark *mark, int width,
                     const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_fault(document, mark ? mark->line + 1 : 1, mark ? mark->column + 1 : 1, width, format,
              arguments);
    va_end(arguments);
}

void yaml_error(struct yaml_document *document, const struct yaml_node *node, const char *format,
                ...)
{
    va_list arguments;
    for (struct yaml_node *at = (struct yaml_node *)node; at; at = at->parent)
        at->faulty = true;
    va_start(arguments, format);
    add_fault(document, node->line, node->column, node->width, format, arguments);
    va_end(arguments);
}

uint64_t yaml_error_count(const struct yaml_document *document)
{
    return document->fault_count + document->too_many + document->out_of_memory;
}

static void node_free(struct yaml_node *node)
{
    if (!node)
        return;
    for (struct yaml_node *child = node->first; child;) {
        struct yaml_node *next = child->next;
        node_free(child);
        child = next;
    }
    node_free(node->key);
    free(node->text);
    free(node);
}

/* Building the tree from libfyaml's events. */

/* The characters from `start` to the end of the node, at most to the end of its first line. */
static int marked_width(const struct yaml_document *document, const struct fy_mark *start,
                        const struct fy_mark *end)
{
    int width = 0;
    for (size_t i = start->input_pos; i < end->input_pos && i < document->source_bytes; i++) {
        const char c = document->source[i];
        if (c == '\n' || c == '\r')
            break;
        width += (c & 0xC0) != 0x80;
    }
    return width > 0 ? width : 1;
}

static struct yaml_node *node_new(struct yaml_document *document, enum yaml_kind kind,
                                  const struct fy_mark *start, const struct fy_mark *end)
{
    struct yaml_node *node = calloc(1, sizeof(*node));
    if (!node) {
        document->out_of_memory = true;
        return NULL;
    }
    node->kind = kind;
    node->line = start ? start->line + 1 : 1;
    node->column = start ? start->column + 1 : 1;
    node->width = start && end ? marked_width(document, start, end) : 1;
    return node;
}

static struct yaml_node *scalar_new(struct yaml_document *document, struct fy_event *event)
{
    struct fy_token *token = event->scalar.value;
    size_t length = 0;
    const char *text = token ? fy_token_get_text(token, &length) : "";
    struct yaml_node *node =
        node_new(document, YAML_SCALAR, fy_event_start_mark(event), fy_event_end_mark(event));
    if (!node)
        return NULL;
    const enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
    node->quoted = style != FYSS_PLAIN;
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) {
        node->column -= 1; /* libfyaml's marks leave the quotes out */
        node->width += 2;
    }
    node->text = text ? strndup(text, length) : NULL;
    if (!node->text) {
        document->out_of_memory = true;
        node_free(node);
        return NULL;
    }
    if (strlen(node->text) != length)
        yaml_error(document, node, "text must not hold a NUL byte");
    return node;
}

/* The sigil of an anchor or alias stands before the name that libfyaml marks. */
static struct fy_mark sigil_mark(const struct fy_mark *name)
{
    struct fy_mark mark = *name;
    mark.column -= mark.column > 0;
    return mark;
}

/* What is outside the subset, though YAML has it. False when there is no node to build. */
static bool event_is_plain(struct yaml_document *document, struct fy_event *event)
{
    struct fy_token *anchor = fy_event_get_anchor_token(event);
    struct fy_token *tag = fy_event_get_tag_token(event);
    if (event->type == FYET_ALIAS) {
        const struct fy_mark mark = sigil_mark(fy_event_start_mark(event));
        fault_at(document, &mark, 1,
                 "aliases (*name) are not part of this language; write the value out");
        return false;
    }
    if (anchor) {
        const struct fy_mark mark = sigil_mark(fy_token_start_mark(anchor));
        fault_at(document, &mark, 1, "anchors (&name) are not part of this language");
    }
    if (tag)
        fault_at(document, fy_token_start_mark(tag), 1,
                 "tags (!name) are not part of this language; every key has its type already");
    return !anchor && !tag;
}

static void append_child(struct yaml_node *parent, struct yaml_node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    child->parent = parent;
    parent->last = child;
    parent->count++;
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_node *left = (*(struct yaml_node *const *)a)->key;
    const struct yaml_node *right = (*(struct yaml_node *const *)b)->key;
    const int order = strcmp(left->text, right->text);
    if (order != 0)
        return order;
    return left->line != right->line ? left->line - right->line : left->column - right->column;
}

/* Sorting finds duplicates in n log n: a mapping may have a hundred thousand tensors. */
static void check_duplicates(struct yaml_document *document, const struct yaml_node *mapping)
{
    uint64_t count = 0;
    if (mapping->count < 2)
        return;
    struct yaml_node **child = malloc(mapping->count * sizeof(struct yaml_node *));
    if (!child) {
        document->out_of_memory = true;
        return;
    }
    for (struct yaml_node *i = mapping->first; i; i = i->next)
        child[count++] = i;
    qsort(child, count, sizeof(struct yaml_node *), compare_keys);
    for (uint64_t i = 1; i < count; i++) {
        if (strcmp(child[i]->key->text, child[i - 1]->key->text) == 0)
            yaml_error(document, child[i]->key, "duplicate key '%s'; it stands in line %d already",
                       child[i]->key->text, child[i - 1]->key->line);
    }
    free(child);
}

struct yaml_builder {
    struct yaml_document *document;
    struct fy_parser *parser;
    unsigned depth;
};

static struct yaml_node *build_node(struct yaml_builder *builder, struct fy_event *event);

/* The next event, or NULL when the scanner found an error or the stream is over. */
static struct fy_event *next_event(struct yaml_builder *builder)
{
    return fy_parser_parse(builder->parser);
}

static bool build_sequence(struct yaml_builder *builder, struct yaml_node *node)
{
    for (;;) {
        struct fy_event *event = next_event(builder);
        if (!event)
            return false;
        if (event->type == FYET_SEQUENCE_END) {
            fy_parser_event_free(builder->parser, event);
            return true;
        }
        struct yaml_node *child = build_node(builder, event);
        fy_parser_event_free(builder->parser, event);
        if (!child)
            return false;
        append_child(node, child);
    }
}

static struct yaml_node *build_key(struct yaml_builder *builder, struct fy_event *event)
{
    if (event->type != FYET_SCALAR) {
        fault_at(builder->document, fy_event_start_mark(event), 1, "a key must be a word");
        return NULL;
    }
    struct yaml_node *key = build_node(builder, event);
    if (key && !key->quoted && strcmp(key->text, "<<") == 0)
        yaml_error(builder->document, key,
                   "merge keys (<<) are not part of this language; write the keys out");
    return key;
}

static bool build_mapping(struct yaml_builder *builder, struct yaml_node *node)
{
    for (;;) {
        struct fy_event *event = next_event(builder);
        if (!event)
            return false;
        if (event->type == FYET_MAPPING_END) {
            fy_parser_event_free(builder->parser, event);
            check_duplicates(builder->document, node);
            return true;
        }
        struct yaml_node *key = build_key(builder, event);
        fy_parser_event_free(builder->parser, event);
        event = key ? next_event(builder) : NULL;
        struct yaml_node *value = event ? build_node(builder, event) : NULL;
        fy_parser_event_free(builder->parser, event);
        if (!value) {
            node_free(key);
            return false;
        }
        value->key = key;
        key->parent = value;
        append_child(node, value);
    }
}

/* A block collection's event marks its first child; the caret then shows one character. */
static struct yaml_node *build_collection(struct yaml_builder *builder, struct fy_event *event)
{
    const bool mapping = event->type == FYET_MAPPING_START;
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (builder->depth == YAML_DEPTH_MAX) {
        fault_at(builder->document, mark, 1, "nested more than %d deep", YAML_DEPTH_MAX);
        return NULL;
    }
    struct yaml_node *node =
        node_new(builder->document, mapping ? YAML_MAPPING : YAML_SEQUENCE, mark, NULL);
    if (!node)
        return NULL;
    builder->depth++;
    const bool complete = mapping ? build_mapping(builder, node) : build_sequence(builder, node);
    builder->depth--;
    if (complete)
        return node;
    node_free(node);
    return NULL;
}

static struct yaml_node *build_node(struct yaml_builder *builder, struct fy_event *event)
{
    if (!event_is_plain(builder->document, event))
        return NULL;
    if (builder->document->node_count++ == YAML_NODES_MAX) {
        fault_at(builder->document, fy_event_start_mark(event), 1,
                 "a file has at most %d keys and values", YAML_NODES_MAX);
        return NULL;
    }
    if (event->type == FYET_SCALAR)
        return scalar_new(builder->document, event);
    return build_collection(builder, event);
}

/* Walk the stream: exactly one document. */
static void build_stream(struct yaml_builder *builder)
{
    struct yaml_document *document = builder->document;
    bool going = true;
    while (going && document->fault_count == 0) {
        struct fy_event *event = next_event(builder);
        if (!event)
            return;
        switch (event->type) {
        case FYET_STREAM_START:
        case FYET_DOCUMENT_START:
        case FYET_DOCUMENT_END:
            break;
        case FYET_STREAM_END:
            going = false;
            break;
        default:
            if (document->root)
                fault_at(document, fy_event_start_mark(event), 1,
                         "a file holds one document; remove what follows the first");
            else
                document->root = build_node(builder, event);
            break;
        }
        fy_parser_event_free(builder->parser, event);
    }
}

/* The scanner's own errors, in its words. */
static void take_scanner_faults(struct yaml_document *document, struct fy_diag *diag)
{
    void *iterator = NULL;
    const struct fy_diag_error *fault;
    while ((fault = fy_diag_errors_iterate(diag, &iterator)) != NULL) {
        const struct fy_mark mark = {
            .line = fault->line > 0 ? fault->line - 1 : 0,
            .column = fault->column > 0 ? fault->column - 1 : 0,
        };
        fault_at(document, &mark, 1, "not valid YAML: %s", fault->msg);
    }
}

static void parse_with(struct yaml_document *document, struct fy_diag *diag)
{
    const struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
        .diag = diag,
    };
    struct yaml_builder builder = {document, fy_parser_create(&config), 0};
    if (!builder.parser ||
        fy_parser_set_string(builder.parser, document->source, document->source_bytes) != 0) {
        document->out_of_memory = true;
    } else {
        build_stream(&builder);
        take_scanner_faults(document, diag);
        if (fy_parser_get_stream_error(builder.parser) && document->fault_count == 0)
            fault_at(document, NULL, 1, "not valid YAML");
    }
    fy_parser_destroy(builder.parser);
}

/* The scanner's errors are collected, or it would print them. */
static void parse(struct yaml_document *document)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.level = FYET_ERROR; /* its warnings are of its own inside, and quote the file */
    struct fy_diag *diag = fy_diag_create(&config);
    if (!diag) {
        document->out_of_memory = true;
        return;
    }
    fy_diag_set_collect_errors(diag, true);
    parse_with(document, diag);
    fy_diag_destroy(diag);
}

/* Files. */

/* The characters of YAML (section 5.1): the others, NUL among them, have no place in a text. */
static bool is_yaml(uint32_t code)
{
    return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code < 0x7F) ||
           code == 0x85 || (code >= 0xA0 && code < 0xFFFE) || code >= 0x10000;
}

/* Tell of the character at `at`, of `length` bytes; 0: none, but a byte of something else. */
static void refuse_character(struct yaml_document *document, const struct fy_mark *mark,
                             const char *at, size_t length, uint32_t code)
{
    if (length == 0)
        fault_at(document, mark, 1, "not UTF-8 text (byte \\x%02x)", (unsigned char)*at);
    else if (code == 0)
        fault_at(document, mark, 1, "not UTF-8 text (NUL byte)");
    else
        fault_at(document, mark, 1, "character U+%04" PRIX32 " is not allowed in YAML", code);
}

/*
 * What the scanner must not see: bytes that are no UTF-8, on which it may loop for ever, and
 * characters that YAML does not have. Nor directives: a scenario needs none, and the scanner skips
 * unknown ones to an end that may not come.
 */
static bool is_readable(struct yaml_document *document)
{
    struct fy_mark mark = {0};
    const char *end = document->source + document->source_bytes;
    uint32_t last = '\n';
    unsigned brackets = 0;
    for (const char *at = document->source; at < end;) {
        uint32_t code = 0;
        const size_t length = text_character(at, (size_t)(end - at), &code);
        if (length == 0 || !is_yaml(code)) {
            refuse_character(document, &mark, at, length, code);
            return false;
        }
        if (code == '%' && (last == '\n' || last == '\r' || last == 0xFEFF)) {
            fault_at(document, &mark, 1, "directives (%%NAME) are not part of this language");
            return false;
        }
        /* The scanner reads all brackets that follow each other before it tells of the first. */
        brackets = code == '[' || code == '{' ? brackets + 1 : code == ' ' ? brackets : 0;
        if (brackets > YAML_DEPTH_MAX) {
            fault_at(document, &mark, 1, "nested more than %d deep", YAML_DEPTH_MAX);
            return false;
        }
        at += length;
        last = code;
        mark.line += code == '\n';
        mark.column = code == '\n' ? 0 : mark.column + 1;
    }
    return true;
}

enum reshard_status yaml_open(struct yaml_document **out, const char *path,
                              struct reshard_error *error)
{
    *out = NULL;
    struct yaml_document *document = calloc(1, sizeof(*document));
    if (!document)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", path);
    document->path = strdup(path);
    enum reshard_status status =
        document->path ? input_read(path, YAML_FILE_BYTES_MAX, &document->source,
                                    &document->source_bytes, error)
                       : reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", path);
    const char *other =
        status ? NULL : safetensors_mistaken(document->source, document->source_bytes);
    if (other)
        status = reshard_error_set(error, RESHARD_EINVAL, "%s: is %s", path, other);
    if (status == RESHARD_OK) {
        if (is_readable(document))
            parse(document);
        if (document->out_of_memory)
            status = reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", path);
    }
    if (status != RESHARD_OK) {
        yaml_close(document);
        return status;
    }
    if (document->fault_count == 0 && !document->root)
        fault_at(document, NULL, 1, "the file is empty");
    *out = document;
    return RESHARD_OK;
}

void yaml_close(struct yaml_document *document)
{
    if (!document)
        return;
    node_free(document->root);
    for (uint64_t i = 0; i < document->fault_count; i++)
        free(document->fault[i].text);
    free(document->fault);
    free(document->source);
    free(document->path);
    free(document);
}

const char *yaml_path(const struct yaml_document *document)
{
    return document->path;
}

const struct yaml_node *yaml_root(const struct yaml_document *document)
{
    return document->root;
}

const struct yaml_node *yaml_get(const struct yaml_node *node, const char *key)
{
    if (!node || node->kind != YAML_MAPPING)
        return NULL;
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        if (strcmp(child->key->text, key) == 0)
            return child;
    }
    return NULL;
}

/* Printing. */

static int compare_faults(const void *a, const void *b)
{
    const struct yaml_fault *left = a;
    const struct yaml_fault *right = b;
    if (left->line != right->line)
        return left->line - right->line;
    if (left->column != right->column)
        return left->column - right->column;
    return left->order < right->order ? -1 : 1;
}

/* A line of the source, from its first byte to before its end; of no bytes where there is none. */
struct source_line {
    const char *text;
    size_t bytes;
};

static struct source_line find_line(const struct yaml_document *document, int number)
{
    const char *at = document->source;
    const char *end = at + document->source_bytes;
    for (int i = 1; i < number && at < end; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline ? newline + 1 : end;
    }
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    size_t bytes = (size_t)((newline ? newline : end) - at);
    bytes -= bytes > 0 && at[bytes - 1] == '\r';
    return (struct source_line){at, bytes};
}

/* The bytes of the first `count` characters. */
static size_t skip_characters(const struct source_line *line, int count)
{
    size_t columns = 0;
    size_t at = 0;
    for (int i = 0; i < count && at < line->bytes; i++)
        at += text_step(line->text + at, line->bytes - at, &columns);
    return at;
}

/* Cut a line to what stands around a column; that column's place in what is left is returned. */
static int cut_line(struct source_line *line, int column)
{
    const int before =
        column > YAML_SOURCE_COLUMNS_MAX / 2 ? column - YAML_SOURCE_COLUMNS_MAX / 2 : 0;
    if (skip_characters(line, YAML_SOURCE_COLUMNS_MAX) == line->bytes)
        return column;
    const size_t begin = skip_characters(line, before);
    line->text += begin;
    line->bytes -= begin;
    line->bytes = skip_characters(line, YAML_SOURCE_COLUMNS_MAX);
    return column - before;
}

/* The source line and below it a caret; tabs are repeated, so that the caret stands right. */
static void print_source(const struct yaml_document *document, const struct yaml_fault *fault,
                         FILE *out)
{
    struct source_line line = find_line(document, fault->line);
    if (line.bytes == 0)
        return;
    const int column = cut_line(&line, fault->column);
    text_print(out, line.text, line.bytes);
    (void)fputc('\n', out);
    size_t at = 0;
    for (int i = 1; i < column && at < line.bytes; i++) {
        size_t columns = 0;
        const bool tab = line.text[at] == '\t';
        at += text_step(line.text + at, line.bytes - at, &columns);
        (void)fprintf(out, "%*s", (int)columns, tab ? "\t" : "");
    }
    (void)fputc('^', out);
    for (int i = 1; i < fault->width && column + i <= YAML_SOURCE_COLUMNS_MAX; i++)
        (void)fputc('~', out);
    (void)fputc('\n', out);
}

static void print_whole(const struct yaml_document *document, FILE *out, const char *what)
{
    text_print(out, document->path, strlen(document->path));
    (void)fprintf(out, ": error: %s\n", what);
}

void yaml_errors_print(const struct yaml_document *document, FILE *out)
{
    if (!out)
        return;
    if (document->fault_count > 1)
        qsort(document->fault, document->fault_count, sizeof(*document->fault), compare_faults);
    char too_many[80];
    (void)snprintf(too_many, sizeof(too_many), "more than %d errors; the others are not shown",
                   YAML_ERRORS_MAX);
    for (uint64_t i = 0; i < document->fault_count; i++) {
        const struct yaml_fault *fault = &document->fault[i];
        text_print(out, document->path, strlen(document->path));
        (void)fprintf(out, ":%d:%d: error: ", fault->line, fault->column);
        text_print(out, fault->text, strlen(fault->text));
        (void)fputc('\n', out);
        print_source(document, fault, out);
    }
    if (document->too_many)
        print_whole(document, out, too_many);
    if (document->out_of_memory)
        print_whole(document, out, "out of memory");
}

void yaml_file_error_print(const char *path, enum reshard_status status,
                           const struct reshard_error *error, FILE *out)
{
    const char *text = error->text[0] ? error->text : reshard_status_text(status);
    const size_t length = strlen(path);
    if (!out)
        return;
    if (strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0)
        text += length + 2;
    text_print(out, path, length);
    (void)fputs(": error: ", out);
    text_print(out, text, strlen(text));
    (void)fputc('\n', out);
}
