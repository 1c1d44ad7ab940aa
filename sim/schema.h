/*
 * Typed reading of YAML by tables. A table describes a mapping: each key with its type, limits,
 * default, meaning, and the place in a C struct where its value goes. From the same table come the
 * reading, every message about what is wrong, the defaults, and the JSON Schema for editors, so
 * none can drift from the others. The tables of the scenario language are in sim/language.c.
 *
 * A value has the type that the table says: `name: 12` is the text "12", `ranks: "12"` is an error.
 */
#ifndef RESHARD_SIM_SCHEMA_H
#define RESHARD_SIM_SCHEMA_H

#include "core/dtype.h"
#include "sim/quantity.h"
#include "sim/yaml.h"

#include <stddef.h>

enum { SCHEMA_NAME_MAX = 100 }; /* characters of a SCHEMA_NAME: it becomes a file name */

/* The C type at the field's offset is given for each. Texts are borrowed from the document. */
enum schema_type {
    SCHEMA_TEXT,     /* const char * */
    SCHEMA_NAME,     /* const char *: letters, digits, ".", "_", "-", from a letter or digit */
    SCHEMA_WORD,     /* const char *: one of `words` */
    SCHEMA_COUNT,    /* uint64_t from `least` to `most` */
    SCHEMA_NUMBER,   /* double from `least` to `most` */
    SCHEMA_BOOL,     /* bool */
    SCHEMA_QUANTITY, /* double, of the kind `quantity` */
    SCHEMA_DTYPE,    /* enum reshard_dtype, of those that `dtype_allowed` allows */
    SCHEMA_OBJECT,   /* the struct of `object`, in place */
    SCHEMA_LIST,     /* struct schema_list of `element`s, `least` to `most` of them */
    SCHEMA_MAP,      /* struct schema_list of `object`s in the order of the file; keys are free */
};

struct schema_object;

struct schema_field {
    const char *key;
    enum schema_type type;
    size_t offset; /* in the object's struct */
    bool required;
    bool choice;              /* exactly one of an object's choices is given */
    const char *fallback;     /* the value of an absent scalar, as one would write it */
    const char *about;        /* one sentence for people */
    const char *const *words; /* NULL-terminated */
    uint64_t least;
    uint64_t most;     /* 0: no limit */
    bool may_be_empty; /* of a text: it may be "" */
    enum quantity_kind quantity;
    bool (*dtype_allowed)(enum reshard_dtype dtype); /* NULL: all are */
    const struct schema_object *object;
    const struct schema_field *element;
};

/* The struct of every object begins with `const struct yaml_node *node`: where it stands in the
 * file, NULL when it is absent and holds defaults only. */
struct schema_object {
    const char *title;
    size_t bytes;
    const struct schema_field *field; /* ends with a NULL key */
    const char *shorthand;            /* the key meant by a value that is no mapping, or NULL */
    const char *first;                /* the key that must come first, or NULL */
};

struct schema_list {
    uint64_t count;
    void *item; /* of the element's C type, one after the other */
};

/*
 * Read the document into `target`, a zeroed struct of the object; errors are recorded in the
 * document. True when it has none. The caller ends `target` with schema_release() in either case.
 */
bool schema_read(const struct schema_object *object, struct yaml_document *document, void *target);
void schema_release(const struct schema_object *object, void *target);

/* The node of an object's key, for messages: the value; of a shorthand, or an absent key, the
 * object itself. */
const struct yaml_node *schema_place(const struct yaml_node *object, const char *key);

/* Print the JSON Schema (draft 7) of the object. False when memory ran out. */
bool schema_print(const struct schema_object *object, FILE *out);

#endif
