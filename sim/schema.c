#include "sim/schema.h"

#include "sim/suggest.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Where reading is: the document for its errors, and what the value at hand is called. */
struct schema_reader {
    struct yaml_document *document;
    const char *called;
};

static void read_value(const struct schema_reader *reader, const struct schema_field *field,
                       const struct yaml_node *node, void *target);
static void read_object(const struct schema_reader *reader, const struct schema_object *object,
                        const struct yaml_node *node, void *target);

/* "a, b, c" of an object's keys, of choices only where `choices`. */
static const char *list_keys(const struct schema_object *object, bool choices, char *text,
                             size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (const struct schema_field *field = object->field; field->key; field++) {
        if (choices && !field->choice)
            continue;
        const int got = snprintf(text + used, size - used, "%s%s", used ? ", " : "", field->key);
        if (got < 0 || (size_t)got >= size - used)
            break;
        used += (size_t)got;
    }
    return text;
}

static const char *list_words(const char *const *words, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (; *words; words++) {
        const int got = snprintf(text + used, size - used, "%s%s", used ? ", " : "", *words);
        if (got < 0 || (size_t)got >= size - used)
            break;
        used += (size_t)got;
    }
    return text;
}

/* Scalars. */

/* The field's meaning as the end of a message: no capital, no full stop. */
static const char *meaning(const struct schema_field *field, char *text, size_t size)
{
    (void)snprintf(text, size, "%s", field->about);
    text[0] = (char)tolower((unsigned char)text[0]);
    text[strlen(text) - 1] = '\0';
    return text;
}

static bool is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const size_t length = strlen(text);
    return length > 0 && length <= SCHEMA_NAME_MAX && strspn(text, letters) > 0 &&
           strspn(text + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               length - 1;
}

static bool is_word(const char *const *words, const char *text)
{
    for (; *words; words++) {
        if (strcmp(*words, text) == 0)
            return true;
    }
    return false;
}

static bool within(const struct schema_field *field, double value)
{
    return value >= (double)field->least && (field->most == 0 || value <= (double)field->most);
}

static bool read_count(const struct schema_field *field, const char *text, uint64_t *out)
{
    return quantity_count(text, out) && *out >= field->least &&
           (field->most == 0 || *out <= field->most);
}

static bool read_dtype(const struct schema_field *field, const char *text, enum reshard_dtype *out)
{
    *out = reshard_dtype_from_name(text);
    return *out != RESHARD_DTYPE_NONE && (!field->dtype_allowed || field->dtype_allowed(*out));
}

static bool read_bool(const char *text, bool *out)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0;
}

/* Only what is meant as text may be quoted; a quantity is text with a meaning. */
static bool may_be_quoted(enum schema_type type)
{
    return type != SCHEMA_COUNT && type != SCHEMA_NUMBER && type != SCHEMA_BOOL;
}

/* Set the value from its text; false when the text is not of the field's type. */
static bool set_scalar(const struct schema_field *field, const char *text, void *target)
{
    switch (field->type) {
    case SCHEMA_TEXT:
        *(const char **)target = text;
        return *text != '\0' || field->may_be_empty;
    case SCHEMA_NAME:
        *(const char **)target = text;
        return is_name(text);
    case SCHEMA_WORD:
        *(const char **)target = text;
        return is_word(field->words, text);
    case SCHEMA_COUNT:
        return read_count(field, text, target);
    case SCHEMA_NUMBER:
        return quantity_number(text, target, NULL) && within(field, *(double *)target);
    case SCHEMA_BOOL:
        return read_bool(text, target);
    case SCHEMA_QUANTITY:
        return quantity_read(field->quantity, text, target);
    case SCHEMA_DTYPE:
        return read_dtype(field, text, target);
    case SCHEMA_OBJECT:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        break;
    }
    return false;
}

static void print_limits(const struct schema_field *field, char *text, size_t size)
{
    const char *kind = field->type == SCHEMA_COUNT ? "a whole number" : "a number";
    if (field->most != 0 && field->least == field->most)
        (void)snprintf(text, size, "%" PRIu64, field->least);
    else if (field->most != 0)
        (void)snprintf(text, size, "%s from %" PRIu64 " to %" PRIu64, kind, field->least,
                       field->most);
    else
        (void)snprintf(text, size, "%s from %" PRIu64, kind, field->least);
}

static void print_dtypes(const struct schema_field *field, char *text, size_t size)
{
    const char *names[RESHARD_DTYPE_COUNT + 1] = {NULL};
    unsigned count = 0;
    char list[256];
    for (int i = RESHARD_DTYPE_NONE + 1; i < RESHARD_DTYPE_COUNT; i++) {
        const enum reshard_dtype dtype = (enum reshard_dtype)i;
        if (!field->dtype_allowed || field->dtype_allowed(dtype))
            names[count++] = reshard_dtype_name(dtype);
    }
    (void)snprintf(text, size, "a dtype, one of %s", list_words(names, list, sizeof(list)));
}

/* What a scalar of the field must look like, to follow "must be". */
static const char *wanted(const struct schema_field *field, char *text, size_t size)
{
    char words[256];
    switch (field->type) {
    case SCHEMA_NAME:
        (void)snprintf(text, size,
                       "a name of at most %d letters, digits, '.', '_' or '-' that begins with a "
                       "letter or digit",
                       SCHEMA_NAME_MAX);
        break;
    case SCHEMA_WORD:
        (void)snprintf(text, size, "%s%s", field->words[1] ? "one of " : "",
                       list_words(field->words, words, sizeof(words)));
        break;
    case SCHEMA_COUNT:
    case SCHEMA_NUMBER:
        print_limits(field, text, size);
        break;
    case SCHEMA_BOOL:
        (void)snprintf(text, size, "true or false");
        break;
    case SCHEMA_QUANTITY:
        (void)snprintf(text, size, "%s", quantity_help(field->quantity));
        break;
    case SCHEMA_DTYPE:
        print_dtypes(field, text, size);
        break;
    case SCHEMA_TEXT:
    case SCHEMA_OBJECT:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        (void)snprintf(text, size, "a text");
        break;
    }
    return text;
}

static const char *suggested_word(const struct schema_field *field, const char *wrong)
{
    struct suggestion suggestion = suggestion_for(wrong);
    if (field->type == SCHEMA_WORD) {
        for (const char *const *word = field->words; *word; word++)
            suggestion_offer(&suggestion, *word);
    }
    return suggestion.best;
}

static void read_scalar(const struct schema_reader *reader, const struct schema_field *field,
                        const struct yaml_node *node, void *target)
{
    char text[512];
    if (node->kind != YAML_SCALAR) {
        yaml_error(reader->document, node, "%s must be %s, not a %s", reader->called,
                   wanted(field, text, sizeof(text)),
                   node->kind == YAML_MAPPING ? "mapping" : "list");
        return;
    }
    if (node->quoted && !may_be_quoted(field->type)) {
        yaml_error(reader->document, node, "%s must be %s, without quotes", reader->called,
                   wanted(field, text, sizeof(text)));
        return;
    }
    if (set_scalar(field, node->text, target))
        return;
    const char *meant = suggested_word(field, node->text);
    if (*node->text == '\0')
        yaml_error(reader->document, node->key ? node->key : node, "%s has no value; it must be %s",
                   reader->called, wanted(field, text, sizeof(text)));
    else if (meant)
        yaml_error(reader->document, node, "%s must be %s, not '%s'; did you mean '%s'?",
                   reader->called, wanted(field, text, sizeof(text)), node->text, meant);
    else
        yaml_error(reader->document, node, "%s must be %s, not '%s'", reader->called,
                   wanted(field, text, sizeof(text)), node->text);
}

/* Lists and maps. */

static size_t element_bytes(const struct schema_field *element)
{
    switch (element->type) {
    case SCHEMA_TEXT:
    case SCHEMA_NAME:
    case SCHEMA_WORD:
        return sizeof(const char *);
    case SCHEMA_COUNT:
        return sizeof(uint64_t);
    case SCHEMA_NUMBER:
    case SCHEMA_QUANTITY:
        return sizeof(double);
    case SCHEMA_BOOL:
        return sizeof(bool);
    case SCHEMA_DTYPE:
        return sizeof(enum reshard_dtype);
    case SCHEMA_OBJECT:
        return element->object->bytes;
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        break;
    }
    return sizeof(struct schema_list);
}

static bool list_allocate(const struct schema_reader *reader, const struct yaml_node *node,
                          size_t bytes, struct schema_list *list)
{
    list->item = calloc(node->count + 1, bytes);
    if (!list->item) {
        yaml_error(reader->document, node, "out of memory");
        return false;
    }
    list->count = node->count;
    return true;
}

static void check_length(const struct schema_reader *reader, const struct schema_field *field,
                         const struct yaml_node *node)
{
    if (node->count >= field->least && (field->most == 0 || node->count <= field->most))
        return;
    if (field->most == field->least)
        yaml_error(reader->document, node, "%s must have %" PRIu64 " values, not %" PRIu64,
                   reader->called, field->least, node->count);
    else if (node->count == 0)
        yaml_error(reader->document, node, "%s must not be empty", reader->called);
    else if (node->count < field->least)
        yaml_error(reader->document, node, "%s must have at least %" PRIu64 " values, not %" PRIu64,
                   reader->called, field->least, node->count);
    else
        yaml_error(reader->document, node, "%s must have at most %" PRIu64 " values, not %" PRIu64,
                   reader->called, field->most, node->count);
}

static void read_list(const struct schema_reader *reader, const struct schema_field *field,
                      const struct yaml_node *node, struct schema_list *list)
{
    const size_t bytes = element_bytes(field->element);
    char called[128];
    char about[256];
    if (node->kind != YAML_SEQUENCE) {
        yaml_error(reader->document, node->kind == YAML_SCALAR || !node->key ? node : node->key,
                   "%s must be a list: %s", reader->called, meaning(field, about, sizeof(about)));
        return;
    }
    check_length(reader, field, node);
    if (!list_allocate(reader, node, bytes, list))
        return;
    if (field->element->type == SCHEMA_OBJECT)
        (void)snprintf(called, sizeof(called), "%s", field->element->object->title);
    else
        (void)snprintf(called, sizeof(called), "each of %s", reader->called);
    const struct schema_reader inner = {reader->document, called};
    char *item = list->item;
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        read_value(&inner, field->element, child, item);
        item += bytes;
    }
}

static void read_map(const struct schema_reader *reader, const struct schema_field *field,
                     const struct yaml_node *node, struct schema_list *list)
{
    char about[256];
    if (node->kind != YAML_MAPPING) {
        yaml_error(reader->document, node->kind == YAML_SCALAR || !node->key ? node : node->key,
                   "%s must be a mapping: %s", reader->called,
                   meaning(field, about, sizeof(about)));
        return;
    }
    check_length(reader, field, node);
    if (!list_allocate(reader, node, field->object->bytes, list))
        return;
    char *item = list->item;
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        char called[128];
        (void)snprintf(called, sizeof(called), "'%s'", child->key->text);
        const struct schema_reader inner = {reader->document, called};
        read_object(&inner, field->object, child, item);
        item += field->object->bytes;
    }
}

/* Objects. */

static const struct schema_field *find_field(const struct schema_object *object, const char *key)
{
    for (const struct schema_field *field = object->field; field->key; field++) {
        if (strcmp(field->key, key) == 0)
            return field;
    }
    return NULL;
}

/* The key that an unknown one was probably meant to be; NULL if none is near. */
static const char *meant_key(const struct schema_object *object, const char *wrong)
{
    struct suggestion suggestion = suggestion_for(wrong);
    for (const struct schema_field *field = object->field; field->key; field++)
        suggestion_offer(&suggestion, field->key);
    return suggestion.best;
}

static void unknown_key(const struct schema_reader *reader, const struct schema_object *object,
                        const struct yaml_node *mapping, const struct yaml_node *key)
{
    char keys[512];
    const char *meant = meant_key(object, key->text);
    if (meant && !yaml_get(mapping, meant))
        yaml_error(reader->document, key, "unknown key '%s' in %s; did you mean '%s'?", key->text,
                   reader->called, meant);
    else
        yaml_error(reader->document, key, "unknown key '%s' in %s; known: %s", key->text,
                   reader->called, list_keys(object, false, keys, sizeof(keys)));
}

/* Absent values: defaults of scalars, and of the scalars of objects. */
static void set_fallback(const struct schema_reader *reader, const struct schema_field *field,
                         void *target)
{
    if (field->type == SCHEMA_OBJECT)
        read_object(reader, field->object, NULL, target);
    else if (field->fallback)
        (void)set_scalar(field, field->fallback, target);
}

/* Is there an unknown key that was probably meant to be this one? Then that is the error. */
static bool is_mistyped(const struct schema_object *object, const struct yaml_node *mapping,
                        const char *key)
{
    for (const struct yaml_node *child = mapping->first; child; child = child->next) {
        const char *meant =
            find_field(object, child->key->text) ? NULL : meant_key(object, child->key->text);
        if (meant && strcmp(meant, key) == 0)
            return true;
    }
    return false;
}

static void check_choices(const struct schema_reader *reader, const struct schema_object *object,
                          const struct yaml_node *node)
{
    char keys[256];
    const struct yaml_node *given = NULL;
    bool needed = false;
    for (const struct schema_field *field = object->field; field->key; field++) {
        const struct yaml_node *value = field->choice ? yaml_get(node, field->key) : NULL;
        if (field->choice && is_mistyped(object, node, field->key))
            return;
        needed = needed || field->choice;
        if (value && given)
            yaml_error(reader->document, value->key,
                       "%s has exactly one of %s; '%s' stands here already", reader->called,
                       list_keys(object, true, keys, sizeof(keys)), given->key->text);
        given = given ? given : value;
    }
    if (needed && !given)
        yaml_error(reader->document, node->key ? node->key : node, "%s needs exactly one of %s",
                   reader->called, list_keys(object, true, keys, sizeof(keys)));
}

static void check_presence(const struct schema_reader *reader, const struct schema_object *object,
                           const struct yaml_node *node)
{
    char about[256];
    if (object->first && (!node->first || strcmp(node->first->key->text, object->first) != 0))
        yaml_error(reader->document, node->first ? node->first->key : node,
                   "the first key must be '%s', with the version: %s: 1", object->first,
                   object->first);
    for (const struct schema_field *field = object->field; field->key; field++) {
        if (field->required && !yaml_get(node, field->key) &&
            !is_mistyped(object, node, field->key))
            yaml_error(reader->document, node->key ? node->key : node, "%s lacks '%s': %s",
                       reader->called, field->key, meaning(field, about, sizeof(about)));
    }
    check_choices(reader, object, node);
}

static void read_field(const struct schema_reader *reader, const struct schema_field *field,
                       const struct yaml_node *node, char *target)
{
    char called[128];
    (void)snprintf(called, sizeof(called), "'%s'", field->key);
    const struct schema_reader inner = {reader->document, called};
    if (node)
        read_value(&inner, field, node, target + field->offset);
    else
        set_fallback(&inner, field, target + field->offset);
}

static void read_mapping(const struct schema_reader *reader, const struct schema_object *object,
                         const struct yaml_node *node, char *target)
{
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        if (!find_field(object, child->key->text))
            unknown_key(reader, object, node, child->key);
        if (yaml_error_count(reader->document) > YAML_ERRORS_MAX)
            return; /* enough said; a file of nothing but errors must not take long */
    }
    check_presence(reader, object, node);
    for (const struct schema_field *field = object->field; field->key; field++)
        read_field(reader, field, yaml_get(node, field->key), target);
}

static void read_object(const struct schema_reader *reader, const struct schema_object *object,
                        const struct yaml_node *node, void *target)
{
    char keys[512];
    *(const struct yaml_node **)target = node;
    if (node && node->kind == YAML_MAPPING) {
        read_mapping(reader, object, node, target);
        return;
    }
    if (node && !object->shorthand) {
        yaml_error(reader->document,
                   node->kind == YAML_SCALAR && *node->text ? node
                   : node->key                              ? node->key
                                                            : node,
                   "%s must be a mapping with the keys: %s", reader->called,
                   list_keys(object, false, keys, sizeof(keys)));
        return;
    }
    for (const struct schema_field *field = object->field; field->key; field++) {
        const bool meant = node && strcmp(field->key, object->shorthand) == 0;
        if (meant)
            read_value(reader, field, node, (char *)target + field->offset);
        else
            read_field(reader, field, NULL, target);
    }
}

static void read_value(const struct schema_reader *reader, const struct schema_field *field,
                       const struct yaml_node *node, void *target)
{
    switch (field->type) {
    case SCHEMA_OBJECT:
        read_object(reader, field->object, node, target);
        break;
    case SCHEMA_LIST:
        read_list(reader, field, node, target);
        break;
    case SCHEMA_MAP:
        read_map(reader, field, node, target);
        break;
    default:
        read_scalar(reader, field, node, target);
        break;
    }
}

bool schema_read(const struct schema_object *object, struct yaml_document *document, void *target)
{
    const struct yaml_node *root = yaml_root(document);
    const struct schema_reader reader = {document, object->title};
    if (root)
        read_object(&reader, object, root, target);
    return yaml_error_count(document) == 0;
}

static void release_list(const struct schema_field *field, struct schema_list *list)
{
    const struct schema_object *object =
        field->type == SCHEMA_MAP ? field->object : field->element->object;
    for (uint64_t i = 0; object && i < list->count; i++)
        schema_release(object, (char *)list->item + i * object->bytes);
    free(list->item);
    *list = (struct schema_list){0, NULL};
}

void schema_release(const struct schema_object *object, void *target)
{
    for (const struct schema_field *field = object->field; field->key; field++) {
        void *value = (char *)target + field->offset;
        if (field->type == SCHEMA_OBJECT)
            schema_release(field->object, value);
        else if (field->type == SCHEMA_LIST || field->type == SCHEMA_MAP)
            release_list(field, value);
    }
}

const struct yaml_node *schema_place(const struct yaml_node *object, const char *key)
{
    const struct yaml_node *value = yaml_get(object, key);
    if (value)
        return value->kind == YAML_SCALAR ? value : value->key;
    return object->kind != YAML_SCALAR && object->key ? object->key : object;
}
