/* The JSON Schema of a table, for editors: what schema_read() accepts, in their words. */
#include "sim/json_text.h"
#include "sim/schema.h"

#include <jansson.h>
#include <string.h>

static json_t *object_schema(const struct schema_object *object);

static json_t *words_schema(const char *const *words)
{
    json_t *list = json_array();
    for (; *words; words++)
        json_text_append(&list, json_string(*words));
    return json_pack("{s:o}", "enum", list);
}

static json_t *dtypes_schema(const struct schema_field *field)
{
    json_t *list = json_array();
    for (int i = RESHARD_DTYPE_NONE + 1; i < RESHARD_DTYPE_COUNT; i++) {
        const enum reshard_dtype dtype = (enum reshard_dtype)i;
        if (!field->dtype_allowed || field->dtype_allowed(dtype))
            json_text_append(&list, json_string(reshard_dtype_name(dtype)));
    }
    return json_pack("{s:o}", "enum", list);
}

static json_t *quantity_schema(enum quantity_kind kind)
{
    char pattern[512] = "^[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)? *(";
    const char *unit;
    for (unsigned i = 0; (unit = quantity_unit(kind, i)) != NULL; i++) {
        const size_t used = strlen(pattern);
        (void)snprintf(pattern + used, sizeof(pattern) - used, "%s%s", i ? "|" : "", unit);
    }
    const size_t used = strlen(pattern);
    (void)snprintf(pattern + used, sizeof(pattern) - used, ")$");
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

/* Least and most under the names that the schema's type has for them. */
static void set_limits(json_t **schema, const struct schema_field *field, const char *least,
                       const char *most)
{
    if (field->least != 0 || field->type == SCHEMA_COUNT || field->type == SCHEMA_NUMBER)
        json_text_set(schema, least, json_integer((json_int_t)field->least));
    if (field->most != 0)
        json_text_set(schema, most, json_integer((json_int_t)field->most));
}

static json_t *field_schema(const struct schema_field *field);

static json_t *list_schema(const struct schema_field *field)
{
    json_t *schema =
        json_pack("{s:s, s:o}", "type", "array", "items", field_schema(field->element));
    set_limits(&schema, field, "minItems", "maxItems");
    return schema;
}

static json_t *map_schema(const struct schema_field *field)
{
    json_t *schema = json_pack("{s:s, s:o}", "type", "object", "additionalProperties",
                               object_schema(field->object));
    set_limits(&schema, field, "minProperties", "maxProperties");
    return schema;
}

/* Whatever a plain word looks like to YAML, a text field takes it as text. */
static json_t *text_schema(void)
{
    return json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean");
}

static json_t *typed_schema(const struct schema_field *field)
{
    json_t *schema = NULL;
    switch (field->type) {
    case SCHEMA_TEXT:
        return text_schema();
    case SCHEMA_NAME:
        schema = text_schema();
        json_text_set(&schema, "pattern", json_string("^[A-Za-z0-9][A-Za-z0-9._-]*$"));
        json_text_set(&schema, "maxLength", json_integer(SCHEMA_NAME_MAX));
        return schema;
    case SCHEMA_WORD:
        return words_schema(field->words);
    case SCHEMA_COUNT:
        schema = json_pack("{s:s}", "type", "integer");
        set_limits(&schema, field, "minimum", "maximum");
        return schema;
    case SCHEMA_NUMBER:
        schema = json_pack("{s:s}", "type", "number");
        set_limits(&schema, field, "minimum", "maximum");
        return schema;
    case SCHEMA_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case SCHEMA_QUANTITY:
        return quantity_schema(field->quantity);
    case SCHEMA_DTYPE:
        return dtypes_schema(field);
    case SCHEMA_OBJECT:
        return object_schema(field->object);
    case SCHEMA_LIST:
        return list_schema(field);
    case SCHEMA_MAP:
        return map_schema(field);
    }
    return schema;
}

/* The default as a JSON value of the field's type. */
static json_t *fallback_json(const struct schema_field *field)
{
    switch (field->type) {
    case SCHEMA_COUNT:
    case SCHEMA_NUMBER:
    case SCHEMA_BOOL:
        return json_loads(field->fallback, JSON_DECODE_ANY, NULL);
    default:
        return json_string(field->fallback);
    }
}

static json_t *field_schema(const struct schema_field *field)
{
    json_t *schema = typed_schema(field);
    if (field->about)
        json_text_set(&schema, "description", json_string(field->about));
    if (field->fallback)
        json_text_set(&schema, "default", fallback_json(field));
    return schema;
}

/* Exactly one of the choices: a schema for each that requires it alone. */
static void set_choices(json_t **schema, const struct schema_object *object)
{
    json_t *list = json_array();
    for (const struct schema_field *field = object->field; field->key; field++) {
        if (field->choice)
            json_text_append(&list, json_pack("{s:[s]}", "required", field->key));
    }
    if (!list || json_array_size(list) > 0)
        json_text_set(schema, "oneOf", list);
    else
        json_decref(list);
}

static json_t *object_schema(const struct schema_object *object)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    json_t *shorthand = NULL;
    for (const struct schema_field *field = object->field; field->key; field++) {
        json_text_set(&properties, field->key, field_schema(field));
        if (field->required)
            json_text_append(&required, json_string(field->key));
        if (object->shorthand && strcmp(object->shorthand, field->key) == 0)
            shorthand = field_schema(field);
    }
    json_t *schema = json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", 0,
                               "properties", properties);
    if (!required || json_array_size(required) > 0)
        json_text_set(&schema, "required", required);
    else
        json_decref(required);
    set_choices(&schema, object);
    return shorthand ? json_pack("{s:[o, o]}", "anyOf", shorthand, schema) : schema;
}

bool schema_print(const struct schema_object *object, FILE *out)
{
    json_t *head = json_pack("{s:s, s:s}", "$schema", "http://json-schema.org/draft-07/schema#",
                             "title", object->title);
    json_t *body = object_schema(object);
    const bool printed = head && body && json_object_update(head, body) == 0 &&
                         json_text_write(head, out, JSON_INDENT(2));
    json_decref(head);
    json_decref(body);
    return printed;
}
