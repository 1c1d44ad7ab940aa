#include "sim/report.h"

#include "sim/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_VERSION = 1, MARGIN = 12 };

char *report_bytes(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    double value = (double)bytes;
    /* 999,995 is printed as 1.00 of the next unit, not as 1000.00 of this one. */
    while (value >= 999.995 && unit + 1 < sizeof(units) / sizeof(*units)) {
        value /= 1000;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(text, size, "%" PRIu64 " B", bytes);
    else
        (void)snprintf(text, size, "%.2f %s", value, units[unit]);
    return text;
}

char *report_count(uint64_t count, char *text, size_t size)
{
    char digits[24];
    size_t at = 0;
    const int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    for (int i = 0; i < length && at + 1 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        if (at + 1 < size)
            text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

/* ---- for people ---- */

enum colour { PLAIN, GREEN, RED, YELLOW };

static void print_word(FILE *out, const char *word, int width, enum colour colour,
                       const struct report_style *style)
{
    static const char *const codes[] = {"0", "32;1", "31;1", "33"};
    const int gap = width - (int)strlen(word);
    if (style->colour && colour != PLAIN)
        fprintf(out, "%*s\033[%sm%s\033[0m", gap > 0 ? gap : 0, "", codes[colour], word);
    else
        fprintf(out, "%*s%s", gap > 0 ? gap : 0, "", word);
}

static void print_step_verdict(FILE *out, enum run_step_result result,
                               const struct report_style *style)
{
    static const char *const words[] = {"PASS", "FAIL", "SKIP"};
    static const enum colour colours[] = {GREEN, RED, YELLOW};
    print_word(out, words[result], MARGIN, colours[result], style);
}

/* Every line of a text, indented below a step. */
static void print_lines(FILE *out, const char *text)
{
    while (text[0] != '\0') {
        const size_t line = strcspn(text, "\n");
        fprintf(out, "%*s ", MARGIN, "");
        text_print(out, text, line);
        fputc('\n', out);
        text += line + (text[line] == '\n');
    }
}

static void print_network(FILE *out, const struct run_step *step)
{
    char bytes[32];
    if (run_step_sends(step) && step->network_bytes > 0)
        fprintf(out, ", %s over the network",
                report_bytes(step->network_bytes, bytes, sizeof(bytes)));
}

/* From memory to memory. */
static void print_exchange(FILE *out, const struct run_step *step)
{
    char text[32];
    fprintf(out, "  %s", report_bytes(step->bytes, text, sizeof(text)));
    print_network(out, step);
    if (step->tensors > 0)
        fprintf(out, ", %s elements bitwise equal",
                report_count(step->elements, text, sizeof(text)));
}

static void print_transfer(FILE *out, const struct run_step *step)
{
    char bytes[32];
    char files[48];
    const double amplification = run_step_amplification(step);
    fprintf(out, "  %s, %s", report_bytes(step->bytes, bytes, sizeof(bytes)),
            text_plural(step->files, "file", files, sizeof(files)));
    if (step->seconds > 0 && step->bytes > 0)
        fprintf(
            out, ", %s/s",
            report_bytes((uint64_t)((double)step->bytes / step->seconds), bytes, sizeof(bytes)));
    if (amplification >= 0)
        fprintf(out, ", read amplification %.3f", amplification);
    print_network(out, step);
}

static void print_facts(FILE *out, const struct run_step *step)
{
    char count[32];
    char replicas[48];
    if (!step->reported)
        return;
    if (step->outcome != SCENARIO_OK) {
        fprintf(out, "  %s", scenario_outcome_name(step->outcome));
        return;
    }
    if (step->loaded && strcmp(step->loaded, step->subject) != 0)
        fprintf(out, " = %s", step->loaded);
    if (step->verb == SCENARIO_SAVE || step->verb == SCENARIO_LOAD)
        print_transfer(out, step);
    if (step->verb == SCENARIO_RESHARD || step->verb == SCENARIO_TRANSFORM)
        print_exchange(out, step);
    if (step->verb == SCENARIO_VERIFY)
        fprintf(out, "  %" PRIu64 " tensors, %s elements bitwise equal, %s", step->tensors,
                report_count(step->elements, count, sizeof(count)),
                text_plural(step->replicas, "replica", replicas, sizeof(replicas)));
}

static void print_step(FILE *out, const struct run_report *report, const struct run_step *step,
                       const struct report_style *style)
{
    const bool failed = step->result == RUN_STEP_FAIL;
    if (style->detail == REPORT_QUIET && !failed)
        return;
    print_step_verdict(out, step->result, style);
    if (step->reported)
        fprintf(out, " [%s%11.6f s]", report->simulated ? "sim" : "mpi", step->seconds);
    else
        fprintf(out, " [%16s]", "");
    fprintf(out, " %s:%d  %-9s %s", report->name, step->line, scenario_verb_name(step->verb),
            step->subject);
    print_facts(out, step);
    fputc('\n', out);
    if (failed)
        print_lines(out, step->failures);
    if (failed || style->detail == REPORT_FULL)
        print_lines(out, step->message);
}

static const char *verdict(enum run_result result)
{
    static const char *const words[] = {"PASS", "FAIL", "ERROR", "INVALID", "ERROR", "STOPPED"};
    return words[result];
}

static enum colour verdict_colour(enum run_result result)
{
    if (result == RUN_PASS)
        return GREEN;
    return result == RUN_INTERRUPTED ? YELLOW : RED;
}

static uint64_t reached(const struct run_report *report)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < report->step_count; i++)
        count += report->steps[i].result != RUN_STEP_SKIP;
    return count;
}

void report_print_run(FILE *out, const struct run_report *report, const struct report_style *style)
{
    /* Where no world began, there is the reason to tell and nothing else. */
    const bool began = report->failures[0] == '\0' || reached(report) > 0;
    for (uint64_t i = 0; began && i < report->step_count; i++)
        print_step(out, report, &report->steps[i], style);
    if (report->failures[0] == '\0')
        return;
    print_word(out, verdict(report->result), MARGIN, verdict_colour(report->result), style);
    fputc(' ', out);
    text_print(out, report->name, strlen(report->name));
    fputs(" (", out);
    text_print(out, report->file, strlen(report->file));
    fputs(")\n", out);
    print_lines(out, report->failures);
}

static void print_row(FILE *out, const struct run_report *report, int width,
                      const struct report_style *style)
{
    char bytes[32];
    char steps[48];
    (void)snprintf(steps, sizeof(steps), "%" PRIu64 "/%" PRIu64, reached(report),
                   report->step_count);
    const int gap = width - (int)text_columns(report->name);
    text_print(out, report->name, strlen(report->name));
    fprintf(out, "%*s %6" PRIu64 " %8s %11s %12.6f %8.2f  %-16s ", gap, "", report->world_count,
            steps, report_bytes(report->bytes, bytes, sizeof(bytes)), report->seconds,
            report->wall_seconds, report->digest[0] ? report->digest : "-");
    print_word(out, verdict(report->result), 0, verdict_colour(report->result), style);
    fputc('\n', out);
}

static void print_totals(FILE *out, const struct run_report *reports, size_t count)
{
    char scenarios[48];
    size_t passed = 0;
    size_t failed = 0;
    double wall = 0;
    for (size_t i = 0; i < count; i++) {
        passed += reports[i].result == RUN_PASS;
        failed += reports[i].result == RUN_FAIL;
        wall += reports[i].wall_seconds;
    }
    fprintf(out, "%s in %.2f s: %zu passed, %zu failed",
            text_plural(count, "scenario", scenarios, sizeof(scenarios)), wall, passed, failed);
    if (count - passed - failed > 0)
        fprintf(out, ", %zu could not finish", count - passed - failed);
    fputc('\n', out);
}

void report_print_summary(FILE *out, const struct run_report *reports, size_t count,
                          const struct report_style *style)
{
    int width = (int)strlen("scenario");
    bool simulated = true;
    for (size_t i = 0; i < count; i++) {
        const int length = (int)text_columns(reports[i].name);
        width = length > width ? length : width;
        simulated = simulated && reports[i].simulated;
    }
    fprintf(out, "%-*s %6s %8s %11s %12s %8s  %-16s %s\n", width, "scenario", "worlds", "steps",
            "bytes", simulated ? "simulated s" : "mpi s", "wall s", "digest", "result");
    for (size_t i = 0; i < count; i++)
        print_row(out, &reports[i], width, style);
    print_totals(out, reports, count);
}

/* ---- JSON ---- */

static json_t *digest_value(const char *digest)
{
    return digest[0] ? json_string(digest) : json_null();
}

/* The lines of a text as an array. */
static json_t *lines_value(const char *text)
{
    json_t *list = json_array();
    while (list && text[0] != '\0') {
        const size_t line = strcspn(text, "\n");
        char *copy = strndup(text, line);
        json_t *value = copy ? text_json(copy) : NULL;
        free(copy);
        if (json_array_append_new(list, value)) {
            json_decref(list);
            return NULL;
        }
        text += line + (text[line] == '\n');
    }
    return list;
}

static json_t *step_value(const struct run_step *step)
{
    const double amplification = run_step_amplification(step);
    const bool sends = run_step_sends(step);
    return json_pack(
        "{s:s, s:i, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:o}",
        "verb", scenario_verb_name(step->verb), "line", step->line, "world",
        (json_int_t)step->world, "ranks", (json_int_t)step->ranks, "subject", step->subject,
        "result", run_step_result_name(step->result), "outcome",
        step->reported ? json_string(scenario_outcome_name(step->outcome)) : json_null(), "seconds",
        step->reported ? json_real(step->seconds) : json_null(), "bytes",
        json_integer((json_int_t)step->bytes), "files", json_integer((json_int_t)step->files),
        "read_amplification", amplification >= 0 ? json_real(amplification) : json_null(),
        "network_bytes", sends ? json_integer((json_int_t)step->network_bytes) : json_null(),
        "network_bound", sends ? json_integer((json_int_t)step->network_bound) : json_null(),
        "training_step",
        step->reported ? json_integer((json_int_t)step->training_step) : json_null(), "loaded",
        step->loaded ? text_json(step->loaded) : json_null(), "message", text_json(step->message),
        "failures", lines_value(step->failures));
}

static json_t *steps_value(const struct run_report *report)
{
    json_t *list = json_array();
    for (uint64_t i = 0; list && i < report->step_count; i++)
        if (json_array_append_new(list, step_value(&report->steps[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* To programs whatever kept a scenario from its end is an error; its failures say what it was. */
static const char *result_word(enum run_result result)
{
    return run_result_name(result == RUN_PASS || result == RUN_FAIL ? result : RUN_ERROR);
}

/* JSON as programs read it has integers of 63 bits: a larger seed is its digits, as a string. */
static json_t *seed_value(uint64_t seed)
{
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, seed);
    return seed <= INT64_MAX ? json_integer((json_int_t)seed) : json_string(digits);
}

static json_t *run_value(const struct run_report *report)
{
    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:f, s:o, s:o}", "name",
                     text_json(report->name), "file", text_json(report->file), "result",
                     result_word(report->result), "backend", report->simulated ? "sim" : "mpi",
                     "seed", seed_value(report->seed), "digest", digest_value(report->digest),
                     "trace_digest", digest_value(report->trace_digest), "worlds",
                     (json_int_t)report->world_count, "bytes", (json_int_t)report->bytes, "seconds",
                     report->seconds, "failures", lines_value(report->failures), "steps",
                     steps_value(report));
}

json_t *report_json(const struct run_report *reports, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++)
        if (json_array_append_new(list, run_value(&reports[i]))) {
            json_decref(list);
            list = NULL;
        }
    return list ? json_pack("{s:i, s:o}", "version", REPORT_VERSION, "scenarios", list) : NULL;
}

/* ---- JUnit ---- */

/* How XML writes a character that does not stand for itself; NULL for those that do. */
static const char *entity(uint32_t code)
{
    switch (code) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\t':
        return "&#9;";
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        return NULL;
    }
}

/* XML 1.0 has no way at all to write the other control characters, nor U+FFFE and U+FFFF (section
 * 2.2, production Char); they become '?', as does what is no UTF-8. */
static void print_escaped(FILE *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t code = 0;
        const size_t length = text_character(text, left, &code);
        const char *written = entity(code);
        if (length == 0 || (!written && (code < 0x20 || code == 0xFFFE || code == 0xFFFF)))
            fputc('?', out);
        else if (written)
            fputs(written, out);
        else
            (void)fwrite(text, 1, length, out);
        text += length > 0 ? length : 1;
        left -= length > 0 ? length : 1;
    }
}

static void print_element(FILE *out, const char *element, const char *text, const char *more)
{
    fprintf(out, "      <%s message=\"", element);
    print_escaped(out, text);
    fprintf(out, "\">");
    print_escaped(out, more);
    fprintf(out, "</%s>\n", element);
}

static void print_case(FILE *out, const struct run_report *report, const struct run_step *step)
{
    fprintf(out, "    <testcase classname=\"");
    print_escaped(out, report->name);
    fprintf(out, "\" name=\"line %d: %s ", step->line, scenario_verb_name(step->verb));
    print_escaped(out, step->subject);
    fprintf(out, "\" time=\"%.9f\">\n", step->seconds);
    if (step->result == RUN_STEP_FAIL)
        print_element(out, "failure", step->failures, step->message);
    if (step->result == RUN_STEP_SKIP)
        fprintf(out, "      <skipped/>\n");
    fprintf(out, "    </testcase>\n");
}

static uint64_t count_steps(const struct run_report *report, enum run_step_result result)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < report->step_count; i++)
        count += report->steps[i].result == result;
    return count;
}

/* What went wrong with the scenario as a whole is a case of its own. */
static void print_suite(FILE *out, const struct run_report *report)
{
    const bool whole = report->failures[0] != '\0';
    const bool failed = whole && report->result == RUN_FAIL;
    fprintf(out, "  <testsuite name=\"");
    print_escaped(out, report->name);
    fprintf(out, "\" file=\"");
    print_escaped(out, report->file);
    fprintf(out,
            "\" tests=\"%" PRIu64 "\" failures=\"%" PRIu64 "\" errors=\"%d\" skipped=\"%" PRIu64
            "\" time=\"%.3f\">\n",
            report->step_count + whole, count_steps(report, RUN_STEP_FAIL) + failed,
            whole && !failed, count_steps(report, RUN_STEP_SKIP), report->wall_seconds);
    for (uint64_t i = 0; i < report->step_count; i++)
        print_case(out, report, &report->steps[i]);
    if (whole) {
        fprintf(out, "    <testcase classname=\"");
        print_escaped(out, report->name);
        fprintf(out, "\" name=\"the whole scenario\">\n");
        print_element(out, failed ? "failure" : "error", report->failures, "");
        fprintf(out, "    </testcase>\n");
    }
    fprintf(out, "  </testsuite>\n");
}

bool report_junit(FILE *out, const struct run_report *reports, size_t count)
{
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"reshard\">\n");
    for (size_t i = 0; i < count; i++)
        print_suite(out, &reports[i]);
    fprintf(out, "</testsuites>\n");
    return fflush(out) == 0 && ferror(out) == 0;
}
