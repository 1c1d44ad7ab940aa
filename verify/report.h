/*
 * What a verification found: one report for the memory of ranks and for the files of a checkpoint,
 * printed by the same functions. Findings are collected, not just the first: the report keeps the
 * VERIFY_FINDINGS_MAX foremost ones, in the order of (file before tensors, tensor, those that name
 * a file first, element), and counts all, so it is the same however many threads worked on it.
 *
 * Adding to a report is thread-safe; everything else is for one thread at a time. The report's
 * status is the most severe of its findings:
 *   EIO, ENOENT  a file cannot be read, is not there       EFORMAT    bytes break FORMAT.md
 *   ECOVER       an element is in no piece, or in two      EDIGEST    data are not what was saved
 *   EMISMATCH    not the expected state: memory or files against the oracle; inventory, step or
 *                contents against what was asked for
 */
#ifndef VERIFY_REPORT_H
#define VERIFY_REPORT_H

#include "verify/compare.h"
#include "verify/inventory.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>

enum { VERIFY_FINDINGS_MAX = 64, VERIFY_FILE_NAME_MAX = 64, VERIFY_TEXT_MAX = 320 };

#define VERIFY_NO_RANK UINT64_MAX

/* One thing that does not hold. Strings are empty, and numbers unused, where nothing applies. */
struct verify_finding {
    enum reshard_status status;
    uint64_t order;        /* 0 for the whole and for files, else 1 + the number of the tensor */
    uint64_t element;      /* row-major, valid with `ndim` and `index` when `differing` is not 0 */
    const char *directory; /* of the other checkpoint, when it is about that one; borrowed */
    char file[VERIFY_FILE_NAME_MAX];
    char fqn[VERIFY_NAME_MAX];
    char slot[VERIFY_NAME_MAX];
    uint32_t ndim;
    uint64_t index[VERIFY_DIMS_MAX];
    uint64_t differing;                               /* elements */
    size_t width;                                     /* bytes of the two values */
    unsigned char expected[VERIFY_ELEMENT_BYTES_MAX]; /* little-endian, as in memory */
    unsigned char actual[VERIFY_ELEMENT_BYTES_MAX];
    uint64_t byte_begin; /* of the file, or of the rank's memory; equal when there is no range */
    uint64_t byte_end;
    uint64_t rank; /* VERIFY_NO_RANK for files */
    char text[VERIFY_TEXT_MAX];
};

/* How much of one tensor was found, in elements. */
struct verify_tally {
    uint64_t held;
    uint64_t compared;
    uint64_t differing;
};

struct verify_report {
    enum reshard_status status;
    uint32_t tensor_count; /* tensors judged, and entries of `tally` */
    uint32_t absent_count; /* of them, slots of a checkpoint that are absent */
    uint64_t elements;     /* elements judged */
    uint64_t bytes;        /* bytes judged */
    uint64_t finding_total;
    uint32_t finding_count; /* kept */
    struct verify_finding *finding;
    struct verify_tally *tally; /* for each tensor of the inventory */
    pthread_mutex_t lock;
};

/* Local. An empty report; verify_report_close() ends it, and accepts one whose open failed. */
RESHARD_MUST_CHECK enum reshard_status verify_report_open(struct verify_report *report);
void verify_report_close(struct verify_report *report);

/* Local. Make room for the tallies of so many tensors; once. */
RESHARD_MUST_CHECK enum reshard_status verify_report_tensors(struct verify_report *report,
                                                             uint32_t tensor_count);

/* Local. A finding about nothing yet; about a file; about one tensor of an inventory. */
struct verify_finding verify_finding_general(enum reshard_status status);
struct verify_finding verify_finding_file(enum reshard_status status, const char *file);
struct verify_finding verify_finding_tensor(enum reshard_status status,
                                            const struct verify_inventory *inventory,
                                            uint32_t tensor);

/* Local. Write the finding's text. */
void verify_finding_say(struct verify_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Local. Fill in where a tensor first differs, and how. */
void verify_finding_mismatch(struct verify_finding *finding, const struct verify_tensor *tensor,
                             const struct verify_mismatch *mismatch);

/* Local, thread-safe. The finding is copied. */
void verify_report_add(struct verify_report *report, const struct verify_finding *finding);
void verify_report_count(struct verify_report *report, uint64_t elements, uint64_t bytes);

/* Local. Add one rank's report on the same inventory to another's. EINVAL for another inventory. */
RESHARD_MUST_CHECK enum reshard_status verify_report_merge(struct verify_report *into,
                                                           const struct verify_report *from);

/* Local. Print text that comes from a file: control bytes, which a terminal would obey, as \\xNN.
 * The number of columns, as far as that can be told from bytes. */
size_t verify_text_print(const char *text, FILE *stream);

/* Local. One line of text for a finding, without newline; cut to fit. */
void verify_finding_line(const struct verify_finding *finding, char *line, size_t bytes);

/* Local. The report for people, a summary line and one line for each finding; EIO when the stream
 * refuses it. The report for programs; NULL without memory, else owned by the caller. */
RESHARD_MUST_CHECK enum reshard_status verify_report_print(const struct verify_report *report,
                                                           FILE *stream);
json_t *verify_report_json(const struct verify_report *report);

#endif
