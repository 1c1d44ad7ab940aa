/*
 * Work in proportion to what is given. Goal: neither the engine nor the verifier spends more than
 * two seconds of CPU and 64 MiB on the layout of a manifest of 1 MiB, whatever it claims. Method:
 * each case is as much of one thing as such a manifest can say (tensors, patterns, boxes, ranks);
 * a child opens it under limits of the system.
 */
#include "core/layout.h"
#include "support/told.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CPU_SECONDS = RESHARD_BOUND_SECONDS,
    MEMORY_BYTES = 64 << 20,
    MANIFEST_BYTES = 1 << 20,
    NAME_BYTES = 1024,
    BOXES_MAX = 8192
};

/* Bytes that a tensor costs a manifest at least, besides its name, and a rule besides its pattern.
 */
enum { TENSOR_BYTES = 54, RULE_BYTES = 36, BOX_BYTES = 42 };

/* ---- manifests that claim much --------------------------------------------------------------- */

struct claim {
    const char *what;
    struct reshard_layout_options options;
    uint64_t size;       /* of a tensor's one dimension */
    const char *unit;    /* each tensor's own where NULL */
    int name;            /* bytes of a tensor's name at least */
    const char *pattern; /* of the rules; repeated to `pattern_bytes` where it is one letter */
    int pattern_bytes;
    uint64_t boxes; /* of the one rule */
    uint32_t rules;
};

static const struct claim claims[] = {
    {"a mesh of 2^20 data coordinates, flat, many tensors in units of their own",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 1 << 20},
     UINT64_C(1) << 40,
     NULL,
     1,
     NULL,
     0,
     0,
     0},
    {"the same, as one unit that is aligned",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 1 << 20, .orig_params = true},
     UINT64_C(1) << 40,
     "",
     1,
     NULL,
     0,
     0,
     0},
    {"2^20 stages and units",
     {.kind = RESHARD_LAYOUT_FSDP1, .pipeline = 1 << 20},
     7,
     NULL,
     1,
     NULL,
     0,
     0,
     0},
    {"tensors of different sizes, each cut for 2^20",
     {.kind = RESHARD_LAYOUT_FSDP2, .shard = 1 << 20},
     0,
     NULL,
     1,
     NULL,
     0,
     0,
     0},
    {"replicas of everything on 2^20",
     {.kind = RESHARD_LAYOUT_DDP, .replicate = 1 << 20},
     UINT64_C(1) << 40,
     "",
     1,
     NULL,
     0,
     0,
     0},
    {"experts at coordinates of their own",
     {.kind = RESHARD_LAYOUT_FSDP1, .expert = 1 << 20},
     5,
     "",
     1,
     "*{i}",
     0,
     0,
     1},
    {"many patterns with stars, on many names",
     {.kind = RESHARD_LAYOUT_DDP, .replicate = 2},
     1,
     "",
     40,
     "*aa*aab*",
     0,
     0,
     64},
    {"long patterns on long names",
     {.kind = RESHARD_LAYOUT_DDP, .replicate = 2},
     1,
     "",
     1000,
     "a",
     500,
     0,
     64},
    {"long patterns with a number on long names of digits",
     {.kind = RESHARD_LAYOUT_DDP, .replicate = 2},
     1,
     "",
     1000,
     "1",
     500,
     0,
     64},
    {"boxes of one rule for many tensors",
     {.kind = RESHARD_LAYOUT_BOXES, .replicate = 8192},
     8192,
     "",
     1,
     "*",
     0,
     8192,
     1},
    {"rules without a star",
     {.kind = RESHARD_LAYOUT_DDP, .replicate = 2},
     1,
     "",
     20,
     "aaaaaaaaaaaaaaaaaaaab",
     0,
     0,
     4096},
};

/* A name of so many bytes at least that begins alike and ends in the tensor's number. */
static void name_tensor(const struct claim *claim, uint32_t number, char *out)
{
    const bool digits = claim->pattern && claim->pattern[0] == '1';
    int bytes = 0;

    while (bytes + 6 < claim->name)
        out[bytes++] = digits ? '1' : 'a';
    (void)snprintf(out + bytes, NAME_BYTES - (size_t)bytes, "%c%u", digits ? 'x' : 'a', number);
}

/* Many stars, or a number, between runs of one letter, and at the end what no name has. */
static void write_pattern(const struct claim *claim, char *out)
{
    if (claim->pattern_bytes == 0) {
        (void)snprintf(out, NAME_BYTES, "%s", claim->pattern);
        return;
    }
    memset(out, claim->pattern[0], (size_t)claim->pattern_bytes);
    out[0] = out[claim->pattern_bytes / 4] = '*';
    (void)snprintf(out + claim->pattern_bytes, NAME_BYTES - (size_t)claim->pattern_bytes, "%s",
                   claim->pattern[0] == '1' ? "{i}1111111111!*" : "b*");
}

/* As many tensors as fit into a manifest behind the rules. */
static struct reshard_model *claim_model(const struct claim *claim, size_t bytes)
{
    struct reshard_model *model;
    char name[NAME_BYTES], unit[16];

    if (reshard_model_open(&model))
        abort();
    for (uint32_t t = 0; bytes < MANIFEST_BYTES; t++) {
        const struct reshard_shape shape = {1, {claim->size ? claim->size : (1 << 21) + t}};
        name_tensor(claim, t, name);
        (void)snprintf(unit, sizeof unit, "%u", t);
        if (reshard_model_add(model, name, claim->unit ? claim->unit : unit, RESHARD_DTYPE_F32,
                              &shape, NULL))
            abort();
        bytes += TENSOR_BYTES + strlen(name) + (claim->unit ? 0 : strlen(unit) + 3);
    }
    return model;
}

/* The rules of a claim, in static memory: all have the same pattern and boxes. */
static const struct reshard_rule *claim_rules(const struct claim *claim, size_t *bytes)
{
    static struct reshard_rule rule[RESHARD_RULES_MAX];
    static struct reshard_rank_box box[BOXES_MAX];
    static char pattern[NAME_BYTES];

    if (claim->pattern)
        write_pattern(claim, pattern);
    for (uint64_t i = 0; i < claim->boxes; i++)
        box[i] = (struct reshard_rank_box){i, {1, {i}, {i + 1}}};
    for (uint32_t r = 0; r < claim->rules; r++) {
        rule[r] = (struct reshard_rule){.pattern = pattern, .box_count = claim->boxes, .box = box};
        if (claim->boxes == 0)
            rule[r].expert = strstr(pattern, "*{i}")
                                 ? (struct reshard_setting){RESHARD_HOW_OF, 1 << 20}
                                 : (struct reshard_setting){RESHARD_HOW_WHOLE, 0};
        *bytes += RULE_BYTES + strlen(pattern) + claim->boxes * BOX_BYTES;
    }
    return rule;
}

/* ---- under limits ---------------------------------------------------------------------------- */

static void set_limit(int what, uint64_t limit)
{
    const struct rlimit both = {limit, limit};

    if (setrlimit(what, &both))
        abort();
}

/* From now on so much CPU and memory more. Sanitizers need all addresses for themselves. */
static void limit_self(void)
{
    struct rusage used;
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");

    if (!statm || fscanf(statm, "%lu", &pages) != 1 || getrusage(RUSAGE_SELF, &used))
        abort();
    (void)fclose(statm);
    set_limit(RLIMIT_CPU,
              (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1 + CPU_SECONDS);
#ifndef __SANITIZE_ADDRESS__
    set_limit(RLIMIT_AS, pages * (uint64_t)sysconf(_SC_PAGESIZE) + MEMORY_BYTES);
#endif
}

/* Open the layout in a child, by the engine or by the verifier; it must be one. */
static void check_within(const struct claim *claim, bool verifier)
{
    size_t bytes = 200;
    const struct reshard_rule *rule = claim_rules(claim, &bytes);
    struct reshard_layout_options options = claim->options;
    struct reshard_model *model = claim_model(claim, bytes);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout;
    struct verify_rules *rules;
    struct told told;
    int status = 0;

    options.rule = rule;
    options.rule_count = claim->rules;
    told_open(&told, model, &options);
    const pid_t child = fork();
    if (child == 0) {
        limit_self();
        _exit((int)(verifier ? verify_rules_open(&rules, &told.inventory, &told.layout, &error)
                             : reshard_layout_open(&layout, model, &options, &error)));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == RESHARD_OK,
                  "%s: %u tensors: the %s ended with %s %d", claim->what,
                  reshard_model_tensor_count(model), verifier ? "verifier" : "engine",
                  WIFEXITED(status) ? "status" : "signal",
                  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    told_close(&told);
    reshard_model_close(model);
}

START_TEST(a_claim_costs_the_engine_what_its_text_does)
{
    check_within(&claims[_i], false);
}
END_TEST

START_TEST(a_claim_costs_the_verifier_what_its_text_does)
{
    check_within(&claims[_i], true);
}
END_TEST

int main(void)
{
    const int count = sizeof claims / sizeof *claims;
    Suite *suite = suite_create("layout_bounds");
    TCase *one = tcase_create("bounds");
    SRunner *runner;
    int failed;

    tcase_set_timeout(one, 120);
    tcase_add_loop_test(one, a_claim_costs_the_engine_what_its_text_does, 0, count);
    tcase_add_loop_test(one, a_claim_costs_the_verifier_what_its_text_does, 0, count);
    suite_add_tcase(suite, one);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
