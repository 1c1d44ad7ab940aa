#include "verify/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { HEX_MAX = 2 + 2 * VERIFY_ELEMENT_BYTES_MAX + 1, LINE_MAX_BYTES = 4096 };

enum reshard_status verify_report_open(struct verify_report *report)
{
    memset(report, 0, sizeof *report);
    pthread_mutex_init(&report->lock, NULL);
    report->finding = calloc(VERIFY_FINDINGS_MAX, sizeof *report->finding);
    return report->finding ? RESHARD_OK : RESHARD_ENOMEM;
}

void verify_report_close(struct verify_report *report)
{
    free(report->finding);
    free(report->tally);
    pthread_mutex_destroy(&report->lock);
    report->finding = NULL;
    report->tally = NULL;
}

enum reshard_status verify_report_tensors(struct verify_report *report, uint32_t tensor_count)
{
    report->tally = calloc(tensor_count ? tensor_count : 1, sizeof *report->tally);
    if (!report->tally)
        return RESHARD_ENOMEM;
    report->tensor_count = tensor_count;
    return RESHARD_OK;
}

struct verify_finding verify_finding_general(enum reshard_status status)
{
    return (struct verify_finding){.status = status, .rank = VERIFY_NO_RANK};
}

struct verify_finding verify_finding_file(enum reshard_status status, const char *file)
{
    struct verify_finding finding = verify_finding_general(status);

    snprintf(finding.file, sizeof finding.file, "%s", file);
    return finding;
}

struct verify_finding verify_finding_tensor(enum reshard_status status,
                                            const struct verify_inventory *inventory,
                                            uint32_t tensor)
{
    struct verify_finding finding = verify_finding_general(status);

    finding.order = 1 + (uint64_t)tensor;
    snprintf(finding.fqn, sizeof finding.fqn, "%s", inventory->tensor[tensor].fqn);
    snprintf(finding.slot, sizeof finding.slot, "%s", inventory->tensor[tensor].slot);
    return finding;
}

void verify_finding_say(struct verify_finding *finding, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(finding->text, sizeof finding->text, format, arguments);
    va_end(arguments);
}

void verify_finding_mismatch(struct verify_finding *finding, const struct verify_tensor *tensor,
                             const struct verify_mismatch *mismatch)
{
    finding->element = mismatch->element;
    finding->ndim = tensor->ndim;
    verify_tensor_index(tensor, mismatch->element, finding->index);
    finding->differing = mismatch->differing;
    finding->width = reshard_dtype_bytes(tensor->dtype);
    memcpy(finding->expected, mismatch->expected, sizeof finding->expected);
    memcpy(finding->actual, mismatch->actual, sizeof finding->actual);
}

static bool comes_after(const struct verify_finding *a, const struct verify_finding *b)
{
    if (a->order != b->order)
        return a->order > b->order;
    if ((a->file[0] == '\0') != (b->file[0] == '\0'))
        return a->file[0] == '\0' && a->order > 0;
    return a->element > b->element;
}

/* Insert in order, behind equals; the last one falls off a full list. */
static void insert(struct verify_report *report, const struct verify_finding *finding)
{
    uint32_t at = report->finding_count;

    while (at > 0 && comes_after(&report->finding[at - 1], finding))
        --at;
    if (at == VERIFY_FINDINGS_MAX)
        return;
    if (report->finding_count < VERIFY_FINDINGS_MAX)
        report->finding_count += 1;
    memmove(&report->finding[at + 1], &report->finding[at],
            (report->finding_count - 1 - at) * sizeof *finding);
    report->finding[at] = *finding;
}

void verify_report_add(struct verify_report *report, const struct verify_finding *finding)
{
    pthread_mutex_lock(&report->lock);
    report->finding_total += 1;
    if (finding->status > report->status)
        report->status = finding->status;
    insert(report, finding);
    pthread_mutex_unlock(&report->lock);
}

void verify_report_count(struct verify_report *report, uint64_t elements, uint64_t bytes)
{
    pthread_mutex_lock(&report->lock);
    report->elements += elements;
    report->bytes += bytes;
    pthread_mutex_unlock(&report->lock);
}

enum reshard_status verify_report_merge(struct verify_report *into,
                                        const struct verify_report *from)
{
    enum reshard_status status = RESHARD_OK;

    if (!into->tally)
        status = verify_report_tensors(into, from->tensor_count);
    if (status)
        return status;
    if (into->tensor_count != from->tensor_count)
        return RESHARD_EINVAL;
    for (uint32_t t = 0; t < from->tensor_count; ++t) {
        into->tally[t].held += from->tally[t].held;
        into->tally[t].compared += from->tally[t].compared;
        into->tally[t].differing += from->tally[t].differing;
    }
    into->elements += from->elements;
    into->bytes += from->bytes;
    into->finding_total += from->finding_total;
    if (from->status > into->status)
        into->status = from->status;
    for (uint32_t f = 0; f < from->finding_count; ++f)
        insert(into, &from->finding[f]);
    return RESHARD_OK;
}

/* The bits of an element as one hexadecimal number: the last byte in memory comes first. */
static void write_hex(char hex[HEX_MAX], const unsigned char *value, size_t width)
{
    size_t used = (size_t)snprintf(hex, HEX_MAX, "0x");

    for (size_t byte = width; byte-- > 0;)
        used += (size_t)snprintf(hex + used, HEX_MAX - used, "%02x", value[byte]);
}

size_t verify_text_print(const char *text, FILE *stream)
{
    size_t columns = 0;

    for (; *text; ++text) {
        const unsigned char byte = (unsigned char)*text;

        if (byte < 0x20 || byte == 0x7f)
            fprintf(stream, "\\x%02X", byte);
        else
            fputc(byte, stream);
        columns += byte < 0x20 || byte == 0x7f ? 4 : 1;
    }
    return columns;
}

static void put_tensor(const struct verify_finding *finding, FILE *out)
{
    verify_text_print(finding->fqn, out);
    if (finding->slot[0])
        fputc(' ', out);
    verify_text_print(finding->slot, out);
    fputs(": ", out);
}

static void put_difference(const struct verify_finding *finding, FILE *out)
{
    char expected[HEX_MAX];
    char actual[HEX_MAX];

    write_hex(expected, finding->expected, finding->width);
    write_hex(actual, finding->actual, finding->width);
    fputc('[', out);
    for (uint32_t d = 0; d < finding->ndim; ++d)
        fprintf(out, "%s%" PRIu64, d ? ", " : "", finding->index[d]);
    fprintf(out, "] is %s, not %s; %" PRIu64 " element%s differ%s: ", actual, expected,
            finding->differing, finding->differing == 1 ? "" : "s",
            finding->differing == 1 ? "s" : "");
}

void verify_finding_line(const struct verify_finding *finding, char *line, size_t bytes)
{
    FILE *out = fmemopen(line, bytes, "w");

    line[0] = '\0';
    if (!out)
        return;
    fprintf(out, "%s: ", reshard_status_name(finding->status));
    if (finding->directory) {
        fputs("in ", out);
        verify_text_print(finding->directory, out);
        fputs(": ", out);
    }
    if (finding->rank != VERIFY_NO_RANK)
        fprintf(out, "rank %" PRIu64 ": ", finding->rank);
    if (finding->file[0]) {
        verify_text_print(finding->file, out);
        fputs(": ", out);
    }
    if (finding->byte_begin != finding->byte_end)
        fprintf(out, "bytes %" PRIu64 "..%" PRIu64 ": ", finding->byte_begin, finding->byte_end);
    if (finding->fqn[0])
        put_tensor(finding, out);
    if (finding->differing)
        put_difference(finding, out);
    verify_text_print(finding->text, out);
    fclose(out);
    line[bytes - 1] = '\0';
}

enum reshard_status verify_report_print(const struct verify_report *report, FILE *stream)
{
    char *line = malloc(LINE_MAX_BYTES);

    if (!line)
        return RESHARD_ENOMEM;
    fprintf(stream, "%u tensor%s", report->tensor_count, report->tensor_count == 1 ? "" : "s");
    if (report->absent_count > 0)
        fprintf(stream, " (%u absent)", report->absent_count);
    fprintf(stream, ", %" PRIu64 " element%s, %" PRIu64 " bytes verified: ", report->elements,
            report->elements == 1 ? "" : "s", report->bytes);
    if (report->finding_total == 0)
        fprintf(stream, "all as it should be\n");
    else
        fprintf(stream, "%" PRIu64 " finding%s, %s\n", report->finding_total,
                report->finding_total == 1 ? "" : "s", reshard_status_text(report->status));
    for (uint32_t f = 0; f < report->finding_count; ++f) {
        verify_finding_line(&report->finding[f], line, LINE_MAX_BYTES);
        fprintf(stream, "  %s\n", line);
    }
    if (report->finding_total > report->finding_count)
        fprintf(stream, "  and %" PRIu64 " more\n", report->finding_total - report->finding_count);
    free(line);
    return ferror(stream) ? RESHARD_EIO : RESHARD_OK;
}

static json_t *mismatch_json(const struct verify_finding *finding)
{
    json_t *index = json_array();
    char expected[HEX_MAX];
    char actual[HEX_MAX];

    for (uint32_t d = 0; d < finding->ndim; ++d)
        json_array_append_new(index, json_integer((json_int_t)finding->index[d]));
    write_hex(expected, finding->expected, finding->width);
    write_hex(actual, finding->actual, finding->width);
    return json_pack("{s:o,s:s,s:s,s:I}", "index", index, "expected", expected, "actual", actual,
                     "differing", (json_int_t)finding->differing);
}

static json_t *finding_json(const struct verify_finding *finding)
{
    json_t *object = json_pack("{s:s,s:s}", "status", reshard_status_name(finding->status), "text",
                               finding->text);

    if (object && finding->directory)
        json_object_set_new(object, "directory", json_string(finding->directory));
    if (object && finding->rank != VERIFY_NO_RANK)
        json_object_set_new(object, "rank", json_integer((json_int_t)finding->rank));
    if (object && finding->file[0])
        json_object_set_new(object, "file", json_string(finding->file));
    if (object && finding->byte_begin != finding->byte_end)
        json_object_set_new(object, "bytes",
                            json_pack("{s:I,s:I}", "begin", (json_int_t)finding->byte_begin, "end",
                                      (json_int_t)finding->byte_end));
    if (object && finding->fqn[0]) {
        json_object_set_new(object, "tensor", json_string(finding->fqn));
        json_object_set_new(object, "slot", json_string(finding->slot));
    }
    if (object && finding->differing)
        json_object_update_new(object, mismatch_json(finding));
    return object;
}

json_t *verify_report_json(const struct verify_report *report)
{
    json_t *findings = json_array();

    for (uint32_t f = 0; f < report->finding_count; ++f)
        json_array_append_new(findings, finding_json(&report->finding[f]));
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:o}", "status", reshard_status_name(report->status),
                     "tensors", (json_int_t)report->tensor_count, "absent",
                     (json_int_t)report->absent_count, "elements", (json_int_t)report->elements,
                     "bytes", (json_int_t)report->bytes, "finding_total",
                     (json_int_t)report->finding_total, "findings", findings);
}
