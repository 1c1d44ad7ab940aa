/*
 * Three readings of FORMAT.md section 4. Goal: the verifier, the tests' oracle and with it the
 * engine say the same of every layout: whether it may be, which boxes each rank has, and who writes
 * them. Method: random models with slots of every class and random layouts of them, told to the
 * verifier in its own terms; the engine and the oracle are held against each other in
 * test_layout_rules.c. So a fault in the text's meaning has to be made three times to be missed.
 */
#include "core/layout.h"
#include "support/oracle.h"
#include "support/random_layout.h"
#include "verify/rules.h"
#include "verify/walk.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3000, WORLD_MAX = 24, ELEMENTS = 64 };

/* ---- the verifier's terms -------------------------------------------------------------------- */

static enum verify_role role_of(const struct reshard_tensor *tensor)
{
    if (tensor->slot[0])
        return VERIFY_PARAMETER;
    switch (tensor->role) {
    case RESHARD_ROLE_FROZEN:
        return VERIFY_FROZEN;
    case RESHARD_ROLE_BUFFER:
        return VERIFY_BUFFER;
    case RESHARD_ROLE_OPAQUE:
        return VERIFY_OPAQUE;
    case RESHARD_ROLE_PER_RANK:
        return VERIFY_PER_RANK;
    default:
        return VERIFY_PARAMETER;
    }
}

static enum verify_class class_of(const struct reshard_tensor *tensor)
{
    switch (tensor->slot_class) {
    case RESHARD_CLASS_ROW:
        return VERIFY_ROW;
    case RESHARD_CLASS_COLUMN:
        return VERIFY_COLUMN;
    case RESHARD_CLASS_BLOCKWISE:
        return VERIFY_BLOCKWISE;
    case RESHARD_CLASS_OPAQUE:
        return VERIFY_BYTES;
    default:
        return VERIFY_PLAIN;
    }
}

static struct verify_tensor tell_tensor(const struct reshard_tensor *tensor)
{
    struct verify_tensor out = {.fqn = tensor->fqn,
                                .slot = tensor->slot,
                                .dtype = tensor->dtype,
                                .ndim = tensor->shape.ndim,
                                .unit = tensor->unit,
                                .parameter = tensor->parameter,
                                .like = tensor->slot_class == RESHARD_CLASS_LIKE,
                                .role = role_of(tensor),
                                .slot_class = class_of(tensor),
                                .block = tensor->block};

    memcpy(out.shape, tensor->shape.size, tensor->shape.ndim * sizeof *out.shape);
    return out;
}

static struct verify_setting tell_setting(const struct reshard_setting *setting)
{
    static const enum verify_how hows[] = {
        [RESHARD_HOW_DEFAULT] = VERIFY_UNSET, [RESHARD_HOW_WHOLE] = VERIFY_WHOLE,
        [RESHARD_HOW_CUT] = VERIFY_CUT,       [RESHARD_HOW_AT] = VERIFY_AT,
        [RESHARD_HOW_OF] = VERIFY_OF,
    };

    return (struct verify_setting){hows[setting->how], setting->number};
}

static struct verify_rule tell_rule(const struct reshard_rule *rule, struct verify_rank_box **boxes)
{
    struct verify_rule out = {
        .pattern = rule->pattern, .section = rule->section, .section_count = rule->section_count};

    out.axis[VERIFY_PIPELINE] = tell_setting(&rule->pipeline);
    out.axis[VERIFY_SHARD] = tell_setting(&rule->shard);
    out.axis[VERIFY_EXPERT] = tell_setting(&rule->expert);
    out.axis[VERIFY_TENSOR] = tell_setting(&rule->tensor);
    if (rule->box_count == 0)
        return out;
    *boxes = calloc(rule->box_count, sizeof **boxes);
    ck_assert_ptr_nonnull(*boxes);
    for (uint64_t i = 0; i < rule->box_count; i++) {
        const struct reshard_box *box = &rule->box[i].box;
        struct verify_rank_box *told = &(*boxes)[i];
        told->rank = rule->box[i].rank;
        told->ndim = box->ndim;
        memcpy(told->begin, box->begin, box->ndim * sizeof *box->begin);
        memcpy(told->end, box->end, box->ndim * sizeof *box->end);
    }
    out.box = *boxes;
    out.box_count = rule->box_count;
    return out;
}

static uint64_t size_of(uint64_t size)
{
    return size ? size : 1;
}

/* A model and a layout as the verifier knows them. */
struct told {
    struct verify_inventory inventory;
    struct verify_layout layout;
    struct verify_rule rule[RANDOM_RULES_MAX];
    struct verify_rank_box *box[RANDOM_RULES_MAX];
};

static void tell(struct told *told, const struct reshard_model *model,
                 const struct reshard_layout_options *options)
{
    static const enum verify_layout_kind kinds[] = {[RESHARD_LAYOUT_FSDP1] = VERIFY_FSDP1,
                                                    [RESHARD_LAYOUT_FSDP2] = VERIFY_FSDP2,
                                                    [RESHARD_LAYOUT_DDP] = VERIFY_DDP,
                                                    [RESHARD_LAYOUT_BOXES] = VERIFY_BOXES};
    const uint32_t tensors = reshard_model_tensor_count(model);

    memset(told, 0, sizeof *told);
    told->inventory = (struct verify_inventory){
        tensors, calloc((size_t)tensors + 1, sizeof *told->inventory.tensor),
        reshard_model_unit_count(model)};
    ck_assert_ptr_nonnull(told->inventory.tensor);
    for (uint32_t t = 0; t < tensors; t++)
        told->inventory.tensor[t] = tell_tensor(reshard_model_tensor(model, t));
    told->layout = (struct verify_layout){
        .kind = kinds[options->kind],
        .world = oracle_world(options),
        .mesh = {size_of(options->pipeline), size_of(options->replicate), size_of(options->shard),
                 size_of(options->expert), size_of(options->tensor)},
        .dim = options->dim,
        .orig_params = options->orig_params,
        .forward = options->forward,
        .owner = (int64_t)options->owner - 1,
        .rule = told->rule,
        .rule_count = options->rule_count};
    for (uint32_t r = 0; r < options->rule_count; r++)
        told->rule[r] = tell_rule(&options->rule[r], &told->box[r]);
}

static void told_release(struct told *told)
{
    for (int r = 0; r < RANDOM_RULES_MAX; r++)
        free(told->box[r]);
    free(told->inventory.tensor);
}

/* ---- what they say --------------------------------------------------------------------------- */

struct subject {
    struct reshard_model *model;
    struct random_layout drawn;
    struct told told;
    uint64_t world;
};

/* They differ: say on what. */
#define SUBJECT_ASSERT(subject, condition, tensor, rank)                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            random_layout_print(&(subject)->drawn, (subject)->model);                              \
            ck_abort_msg("tensor %d, rank %d: %s does not hold", (int)(tensor), (int)(rank),       \
                         #condition);                                                              \
        }                                                                                          \
    } while (0)

/* Of what checkpoints hold: the verifier knows nothing else. */
static void draw_subject(struct subject *subject, struct test_random *random)
{
    struct reshard_model *all;

    subject->world = 1 + test_random_below(random, WORLD_MAX);
    all = random_model(random, subject->world, ELEMENTS);
    random_layout_open(&subject->drawn, random, all, subject->world);
    ck_assert_int_eq(reshard_model_copy(&subject->model, all, true), RESHARD_OK);
    reshard_model_close(all);
    tell(&subject->told, subject->model, &subject->drawn.options);
}

static void release_subject(struct subject *subject)
{
    told_release(&subject->told);
    random_layout_close(&subject->drawn);
    reshard_model_close(subject->model);
}

static bool same_box(const struct verify_box *a, const struct reshard_box *b)
{
    return a->ndim == b->ndim && memcmp(a->begin, b->begin, b->ndim * sizeof *b->begin) == 0 &&
           memcmp(a->end, b->end, b->ndim * sizeof *b->end) == 0;
}

static void check_part(const struct subject *subject, const struct verify_rules *rules, uint32_t t,
                       uint64_t rank, const struct oracle_places *places)
{
    struct verify_walk walk;
    struct verify_box box;
    uint64_t local, count = 0;

    verify_walk_begin(&walk, rules, t, rank);
    while (verify_walk_box(&walk, &box, &local)) {
        SUBJECT_ASSERT(subject, count < places->boxes, t, rank);
        SUBJECT_ASSERT(subject, same_box(&box, &places->box[count++]), t, rank);
    }
    SUBJECT_ASSERT(subject, count == places->boxes, t, rank);
    SUBJECT_ASSERT(subject, verify_rules_present(rules, t, rank) == places->part, t, rank);
    SUBJECT_ASSERT(subject, verify_rules_flat(rules, t) == places->is_flat, t, rank);
    SUBJECT_ASSERT(subject,
                   verify_rules_memory_elements(rules, t, rank) ==
                       (places->is_flat ? places->shard : places->held),
                   t, rank);
}

static void check_all(const struct subject *subject, const struct verify_rules *rules)
{
    const struct reshard_layout_options *options = &subject->drawn.options;
    const uint32_t tensors = reshard_model_tensor_count(subject->model);
    struct oracle_places *places = calloc(tensors * subject->world + 1, sizeof *places);
    bool *owner;

    ck_assert_ptr_nonnull(places);
    for (uint32_t t = 0; t < tensors; t++) {
        uint64_t held = 0;
        for (uint64_t rank = 0; rank < subject->world; rank++) {
            struct oracle_places *its = &places[t * subject->world + rank];
            *its = oracle_places(subject->model, options, t, rank);
            check_part(subject, rules, t, rank, its);
            held += its->held;
        }
        SUBJECT_ASSERT(subject, verify_rules_world_elements(rules, t) == held, t, -1);
    }
    owner = oracle_owners(subject->model, options, places);
    for (uint32_t t = 0; t < tensors; t++)
        for (uint64_t rank = 0; rank < subject->world; rank++)
            SUBJECT_ASSERT(subject,
                           verify_rules_owns(rules, t, rank) == owner[t * subject->world + rank], t,
                           rank);
    for (uint64_t i = 0; i < tensors * subject->world; i++)
        oracle_places_release(&places[i]);
    free(places);
    free(owner);
}

START_TEST(the_verifier_says_what_the_oracle_says)
{
    struct test_random random = test_random_start("readings", 21);
    int accepted = 0;

    for (int round = 0; round < ROUNDS; round++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct verify_rules *rules = NULL;
        struct subject subject;
        draw_subject(&subject, &random);
        const bool right = oracle_accepts(subject.model, &subject.drawn.options);
        const enum reshard_status status =
            verify_rules_open(&rules, &subject.told.inventory, &subject.told.layout, &error);
        if (status != (right ? RESHARD_OK : RESHARD_EINVAL)) {
            random_layout_print(&subject.drawn, subject.model);
            ck_abort_msg("round %d: the verifier says %s, the oracle %s: %s", round,
                         reshard_status_name(status), right ? "yes" : "no", error.text);
        }
        if (right)
            check_all(&subject, rules);
        accepted += right;
        verify_rules_close(rules);
        release_subject(&subject);
    }
    printf("%d of %d may be\n", accepted, ROUNDS);
    ck_assert_int_gt(accepted, ROUNDS / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout_readings");
    TCase *cases = tcase_create("layout_readings");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, the_verifier_says_what_the_oracle_says);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
