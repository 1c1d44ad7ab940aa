/*
 * A strict subset of YAML 1.2 as a tree whose every node knows where it stands, and the errors
 * found in it. libfyaml scans; refused here, each at its place, are duplicate keys, anchors,
 * aliases, tags, merge keys, keys that are not plain words, several documents, and files too large
 * or too deep to be meant. A scalar is only text, quoted or not: what it means is its reader's to
 * say (sim/schema.h), so nothing is ever guessed.
 *
 * Errors are collected and printed in the order of the file, each as
 *
 *     FILE:LINE:COLUMN: error: what is wrong, and what would be right
 *       the source line
 *           ^~~~
 *
 * What is wrong with a file as a whole reads "FILE: error: …". Control characters are escaped
 * (sim/text.h), and of a long source line the part around the caret is shown.
 */
#ifndef RESHARD_SIM_YAML_H
#define RESHARD_SIM_YAML_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    YAML_FILE_BYTES_MAX = 16 << 20,
    YAML_DEPTH_MAX = 32,
    YAML_NODES_MAX = 32768, /* keys and values */
    YAML_ERRORS_MAX = 100,
    YAML_SOURCE_COLUMNS_MAX = 160, /* of a source line that is shown */
};

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

/* Lines and columns count from 1, columns and width in characters. */
struct yaml_node {
    enum yaml_kind kind;
    bool faulty; /* an error was recorded at it, or at what is in it */
    bool quoted; /* in quotes or as a block: certainly meant as text */
    int line;
    int column;
    int width;                /* of what the caret underlines */
    char *text;               /* of a scalar */
    struct yaml_node *key;    /* of a mapping's value */
    uint64_t count;           /* children */
    struct yaml_node *first;  /* children: items of a sequence, values of a mapping */
    struct yaml_node *next;   /* sibling */
    struct yaml_node *last;   /* child */
    struct yaml_node *parent; /* what it is in; of a key its value; NULL: the root's */
};

struct yaml_document;

/*
 * Read a file. A document with errors is a document too: yaml_error_count says so. ENOENT or EIO,
 * with `error`, when the file cannot be read; EINVAL when it is too large or no regular file, on
 * which nobody waits. The error's text begins with the path.
 */
RESHARD_MUST_CHECK enum reshard_status yaml_open(struct yaml_document **out, const char *path,
                                                 struct reshard_error *error);
void yaml_close(struct yaml_document *document); /* accepts NULL */

const char *yaml_path(const struct yaml_document *document);

/* NULL when there is no tree to look at; there may be errors beside a tree, as of duplicate keys.
 * Borrowed until yaml_close. */
const struct yaml_node *yaml_root(const struct yaml_document *document);

/* The value of a key of a mapping; NULL when there is none, or the node is no mapping or NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *node, const char *key);

/* Record an error at a node; the same error at the same place is recorded once, and no more
 * than YAML_ERRORS_MAX are; the count then tells that there was one more. */
void yaml_error(struct yaml_document *document, const struct yaml_node *node, const char *format,
                ...) __attribute__((format(printf, 3, 4)));
uint64_t yaml_error_count(const struct yaml_document *document);

/* Print all errors, by line. `out` may be NULL. */
void yaml_errors_print(const struct yaml_document *document, FILE *out);

/* Print what kept a file from being read, as "FILE: error: …". The error's text may begin with the
 * path already; without a text it is the status that is told. `out` may be NULL. */
void yaml_file_error_print(const char *path, enum reshard_status status,
                           const struct reshard_error *error, FILE *out);

#endif
