/*
 * The schema. Goal: ranks that mean different models or layouts all learn so, in the same words,
 * which name the ranks and the first entry on which they differ. Method: the same inventory on all
 * ranks, with one difference at a time on one rank or on several.
 */
#include "parallel/load.h"
#include "parallel/save.h"
#include "parallel/schema.h"
#include "support/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum twist {
    NONE,
    SHAPE,
    DTYPE,
    ROLE,
    UNIT,
    SLOT,
    ORDER,
    MORE,
    POLICY,
    TIE,
    NO_TIE,
    RULE,
    NO_RULE,
    KIND,
    MESH,
    OWNER,
    TWISTS
};

/* What the text must hold besides the ranks. */
static const char *const words[TWISTS] = {
    [SHAPE] = "entry 1 is 'b' f32 (7)",
    [DTYPE] = "entry 1 is 'b' bf16 (6)",
    [ROLE] = "entry 1 is 'b' f32 (6), frozen",
    [UNIT] = "entry 1 is 'b' f32 (6), parameter of unit 'u'",
    [SLOT] = "entry 4 is 'b' slot n f32 (6), slot",
    [ORDER] = "entry 0 is 'b'",
    [MORE] = "entry 5 is 'd' f32 (6)",
    [POLICY] = "per_rank (kept at another world)",
    [TIE] = "in ties or rules",
    [NO_TIE] = "0 ties",
    [RULE] = "1 rules",
    [NO_RULE] = "0 rules",
    [KIND] = "layout ddp",
    [MESH] = "replicate 1, shard",
    [OWNER] = "layout fsdp2",
};

struct schema {
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_state *state;
};

static enum reshard_status add(struct reshard_model *model, const char *fqn, enum twist twist)
{
    const bool b = fqn[0] == 'b';
    const struct reshard_shape shape = {1, {b && twist == SHAPE ? 7 : 6}};

    return reshard_model_add_role(
        model, fqn, b && twist == UNIT ? "u" : "",
        b && twist == DTYPE ? RESHARD_DTYPE_BF16 : RESHARD_DTYPE_F32, &shape,
        b && twist == ROLE ? RESHARD_ROLE_FROZEN : RESHARD_ROLE_PARAMETER, 0, NULL);
}

static enum reshard_status fill(struct reshard_model *model, enum twist twist, uint64_t world)
{
    const struct reshard_shape rows = {2, {world, 3}};
    enum reshard_status status = add(model, twist == ORDER ? "b" : "a", twist);

    if (!status)
        status = add(model, twist == ORDER ? "a" : "b", twist);
    if (!status)
        status = add(model, "c", twist);
    if (!status)
        status = reshard_model_add_role(
            model, "rng", "", RESHARD_DTYPE_U8, &rows, RESHARD_ROLE_PER_RANK,
            twist == POLICY ? RESHARD_OTHER_WORLD_KEEP : RESHARD_OTHER_WORLD_WRAP, NULL);
    if (!status)
        status = reshard_model_add_slot(model, "b", twist == SLOT ? "n" : "m", RESHARD_DTYPE_F32,
                                        NULL, true, NULL);
    if (!status && twist == MORE)
        status = add(model, "d", twist);
    if (!status && twist != NO_TIE)
        status = reshard_model_tie(model, twist == TIE ? "again" : "alias", "a", NULL);
    return status;
}

static bool open_schema(struct ranks *ranks, struct schema *schema, enum twist twist,
                        uint64_t world, uint64_t rank)
{
    const struct reshard_rule rule = {.pattern = twist == RULE ? "c" : "b",
                                      .shard = {RESHARD_HOW_WHOLE, 0}};
    const struct reshard_layout_options options = {
        .kind = twist == KIND ? RESHARD_LAYOUT_DDP : RESHARD_LAYOUT_FSDP2,
        .world = world,
        .replicate = twist == KIND ? world : 1,
        .shard = twist == KIND ? 1 : world - (twist == MESH),
        .owner = twist == OWNER,
        .rule = &rule,
        .rule_count = twist != NO_RULE};
    struct reshard_error error = RESHARD_ERROR_INIT;

    *schema = (struct schema){.model = NULL};
    return EXPECT(ranks, !reshard_model_open(&schema->model)) &&
           EXPECT(ranks, !fill(schema->model, twist, world)) &&
           EXPECT_STATUS(ranks,
                         reshard_layout_open(&schema->layout, schema->model, &options, &error),
                         RESHARD_OK, &error) &&
           EXPECT(ranks, !reshard_state_open(&schema->state, schema->layout, rank));
}

static void close_schema(struct schema *schema)
{
    reshard_state_close(schema->state);
    reshard_layout_close(schema->layout);
    reshard_model_close(schema->model);
}

static void agree(struct ranks *ranks, struct schema *schema, enum reshard_status expected,
                  const char *const *texts, int count)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    EXPECT_STATUS(ranks, schema_agree(group, schema->state, &error), expected, &error);
    EXPECT(ranks, error.status == expected);
    EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    for (int i = 0; i < count; i++)
        if (!EXPECT(ranks, strstr(error.text, texts[i]) != NULL) && ranks->rank == 0)
            printf("no '%s' in: %s\n", texts[i], error.text);
    reshard_group_close(group);
}

static void ranks_of_one_mind_agree(struct ranks *ranks)
{
    struct schema schema;

    if (open_schema(ranks, &schema, NONE, (uint64_t)ranks->size, (uint64_t)ranks->rank))
        agree(ranks, &schema, RESHARD_OK, NULL, 0);
    close_schema(&schema);
}

/* Each difference, on each of a few ranks; when it is rank 0's the others are those that differ. */
static void one_rank_of_another_mind_is_named_with_the_first_entry(struct ranks *ranks)
{
    for (int twist = NONE + 1; twist < TWISTS; twist++)
        for (int victim = 1; victim < ranks->size; victim += victim < 4 ? 1 : 33) {
            const enum twist mine = ranks->rank == victim ? (enum twist)twist : NONE;
            struct schema schema;
            char who[64];
            (void)snprintf(who, sizeof who, "differs from rank 0's on rank %d%s", victim,
                           twist == TIE ? ", in ties" : ": ");
            if (open_schema(ranks, &schema, mine, (uint64_t)ranks->size, (uint64_t)ranks->rank))
                agree(ranks, &schema, RESHARD_EMISMATCH,
                      (const char *[]){who, twist == RULE ? "rules" : words[twist]}, 2);
            close_schema(&schema);
        }
}

/* Entry 3 on one rank and entry 1 on another: the lower is named, and both ranks. */
static void of_several_ranks_that_differ_all_are_named_and_the_first_entry(struct ranks *ranks)
{
    const int last = ranks->size - 1;
    const enum twist mine = ranks->rank == 1 ? POLICY : ranks->rank == last ? SHAPE : NONE;
    struct schema schema;
    char who[64];

    (void)snprintf(who, sizeof who, "on rank 1, %d: ", last);
    if (last > 1 &&
        open_schema(ranks, &schema, mine, (uint64_t)ranks->size, (uint64_t)ranks->rank)) {
        agree(ranks, &schema, RESHARD_EMISMATCH,
              (const char *[]){who, words[SHAPE], "and on rank 0 entry 1 is 'b' f32 (6)"}, 3);
        close_schema(&schema);
    }
}

static void when_rank_0_differs_all_others_are_said_to(struct ranks *ranks)
{
    const enum twist mine = ranks->rank == 0 ? SHAPE : NONE;
    struct schema schema;
    char more[64];

    (void)snprintf(more, sizeof more, "on rank 1%s", ranks->size > 2 ? ", 2" : ":");
    if (ranks->size > 1 &&
        open_schema(ranks, &schema, mine, (uint64_t)ranks->size, (uint64_t)ranks->rank)) {
        agree(ranks, &schema, RESHARD_EMISMATCH,
              (const char *[]){more, "and on rank 0 entry 1 is 'b' f32 (7)"}, 2);
        (void)snprintf(more, sizeof more, "8 and %d more", ranks->size - 9);
        if (ranks->size > 9)
            agree(ranks, &schema, RESHARD_EMISMATCH, (const char *[]){more}, 1);
        close_schema(&schema);
    }
}

static void a_layout_for_another_world_is_refused_by_all(struct ranks *ranks)
{
    const int last = ranks->size - 1;
    const uint64_t world = (uint64_t)ranks->size + (ranks->rank == last);
    struct schema schema;
    char text[96];

    (void)snprintf(text, sizeof text, "the layout is for %d ranks, but the group has %d",
                   ranks->size + 1, ranks->size);
    if (open_schema(ranks, &schema, NONE, world, (uint64_t)ranks->rank))
        agree(ranks, &schema, RESHARD_EMISMATCH, (const char *[]){text}, 1);
    close_schema(&schema);
}

static void a_state_of_another_rank_is_refused_by_all(struct ranks *ranks)
{
    const int last = ranks->size - 1;
    const uint64_t rank = ranks->rank == last ? 0 : (uint64_t)ranks->rank;
    struct schema schema;
    char text[96];

    (void)snprintf(text, sizeof text, "the state is rank 0's, but this is rank %d", last);
    if (last > 0 && open_schema(ranks, &schema, NONE, (uint64_t)ranks->size, rank)) {
        agree(ranks, &schema, RESHARD_EMISMATCH, (const char *[]){text}, 1);
        close_schema(&schema);
    }
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* What one rank has otherwise, and the words that must say so: its own, and rank 0's. */
enum group_twist {
    GROUPS_NONE,
    GROUPS_ABSENT,
    GROUPS_KEYED,
    GROUPS_NAME,
    GROUPS_MEMBER,
    GROUPS_FEWER_MEMBERS,
    GROUPS_VALUE,
    GROUPS_KEY,
    GROUPS_MORE_VALUES,
    GROUPS_MORE,
    GROUPS_ENTRY,
    GROUPS_ENTRY_VALUE,
    GROUPS_BITS,
    GROUP_TWISTS,
};

static const char *const group_words[GROUP_TWISTS][2] = {
    [GROUPS_ABSENT] = {"there are none", "members are keyed by names"},
    [GROUPS_KEYED] = {"members are keyed by ids", "members are keyed by names"},
    [GROUPS_NAME] = {"group 1 is 'other'", "group 1 is 'decay'"},
    [GROUPS_MEMBER] = {"member 1 of group 'decay' is 'c'", "member 1 of group 'decay' is 'b'"},
    [GROUPS_FEWER_MEMBERS] = {"'lr' of group 'decay' is 0.001", "member 1 of group 'decay' is 'b'"},
    [GROUPS_VALUE] = {"'lr' of group 'decay' is 0.002", "'lr' of group 'decay' is 0.001"},
    [GROUPS_KEY] = {"'rate' of group 'decay' is 0.001", "'lr' of group 'decay' is 0.001"},
    [GROUPS_MORE_VALUES] = {"'beta' of group 'decay' is 0.001", "entry 0 is 'scaler'"},
    [GROUPS_MORE] = {"group 2 is 'more'", "entry 0 is 'scaler'"},
    [GROUPS_ENTRY] = {"entry 0 is 'scheduler'", "entry 0 is 'scaler'"},
    [GROUPS_ENTRY_VALUE] = {"'scale' of entry 'scaler' is None",
                            "'scale' of entry 'scaler' is 65536"},
    [GROUPS_BITS] = {"in what this does not show: 'eps' of group 'first' is nan", "'eps'"},
};

/* A NaN of other bits than the one that division makes. */
static double other_nan(void)
{
    const uint64_t bits = UINT64_C(0x7FF8000000000123);
    double number;

    memcpy(&number, &bits, sizeof number);
    return number;
}

static enum reshard_status fill_groups(struct reshard_groups *groups, enum group_twist twist)
{
    const double nan = strtod("nan", NULL);
    const struct reshard_value rate = {.kind = RESHARD_VALUE_NUMBER,
                                       .number = twist == GROUPS_VALUE ? 0.002 : 0.001};
    const struct reshard_value same = {.kind = RESHARD_VALUE_NUMBER, .number = 0.001};
    const struct reshard_value eps = {.kind = RESHARD_VALUE_NUMBER,
                                      .number = twist == GROUPS_BITS ? other_nan() : nan};
    const struct reshard_value scale = {.kind = twist == GROUPS_ENTRY_VALUE ? RESHARD_VALUE_NONE
                                                                            : RESHARD_VALUE_INTEGER,
                                        .integer = 65536};
    enum reshard_status status = reshard_groups_add(groups, "first", NULL);

    reshard_groups_set_keys(groups, twist == GROUPS_KEYED ? RESHARD_KEYS_IDS : RESHARD_KEYS_NAMES);
    if (!status)
        status = reshard_groups_set(groups, 0, "eps", &eps, NULL);
    if (!status)
        status = reshard_groups_add(groups, twist == GROUPS_NAME ? "other" : "decay", NULL);
    if (!status)
        status = reshard_groups_add_member(groups, 1, "a", NULL);
    if (!status && twist != GROUPS_FEWER_MEMBERS)
        status = reshard_groups_add_member(groups, 1, twist == GROUPS_MEMBER ? "c" : "b", NULL);
    if (!status)
        status = reshard_groups_set(groups, 1, twist == GROUPS_KEY ? "rate" : "lr", &rate, NULL);
    if (!status && twist == GROUPS_MORE_VALUES)
        status = reshard_groups_set(groups, 1, "beta", &same, NULL);
    if (!status && twist == GROUPS_MORE)
        status = reshard_groups_add(groups, "more", NULL);
    if (!status)
        status = reshard_groups_set_entry(groups, twist == GROUPS_ENTRY ? "scheduler" : "scaler",
                                          "scale", &scale, NULL);
    return status;
}

/* A save and a load, each of the whole way: nothing is written, and nothing read. */
static void refuse_groups(struct ranks *ranks, struct reshard_group *group,
                          const struct schema *schema, struct reshard_groups *groups, int victim,
                          enum group_twist twist)
{
    const struct reshard_save_options save = {.groups = groups};
    const struct reshard_load_options load = {.groups = groups};
    char path[320], who[64];

    (void)snprintf(path, sizeof path, "%s/refused", ranks->scratch);
    (void)snprintf(who, sizeof who, "hold differs from rank 0's on rank %d", victim);
    for (int loads = 0; loads < 2; loads++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        const enum reshard_status status =
            loads ? reshard_load(group, schema->state, path, &load, NULL, &error)
                  : reshard_save(group, schema->state, path, &save, NULL, &error);
        EXPECT_STATUS(ranks, status, RESHARD_EMISMATCH, &error);
        EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
        if (!(EXPECT(ranks, strstr(error.text, who)) &&
              EXPECT(ranks, strstr(error.text, group_words[twist][0])) &&
              EXPECT(ranks, strstr(error.text, group_words[twist][1]))) &&
            ranks->rank == 0)
            printf("twist %d: %s\n", (int)twist, error.text);
    }
}

static void groups_that_differ_are_named_with_key_and_both_values(struct ranks *ranks)
{
    struct reshard_group *group = ranks_group(ranks);
    struct schema schema;

    if (open_schema(ranks, &schema, NONE, (uint64_t)ranks->size, (uint64_t)ranks->rank))
        for (int twist = GROUPS_NONE + 1; ranks->size > 1 && twist < GROUP_TWISTS; twist++) {
            const int victim = 1 + twist % (ranks->size - 1);
            const bool mine = ranks->rank == victim;
            struct reshard_groups *groups = NULL;
            EXPECT(ranks, !reshard_groups_open(&groups));
            EXPECT(ranks, !fill_groups(groups, mine ? (enum group_twist)twist : GROUPS_NONE));
            refuse_groups(ranks, group, &schema, mine && twist == GROUPS_ABSENT ? NULL : groups,
                          victim, (enum group_twist)twist);
            reshard_groups_close(groups);
        }
    close_schema(&schema);
    reshard_group_close(group);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"ranks of one mind agree", ranks_of_one_mind_agree},
        {"one rank of another mind is named with the first entry",
         one_rank_of_another_mind_is_named_with_the_first_entry},
        {"of several ranks that differ all are named, and the first entry",
         of_several_ranks_that_differ_all_are_named_and_the_first_entry},
        {"when rank 0 differs all others are said to", when_rank_0_differs_all_others_are_said_to},
        {"a layout for another world is refused by all",
         a_layout_for_another_world_is_refused_by_all},
        {"a state of another rank is refused by all", a_state_of_another_rank_is_refused_by_all},
        {"groups that differ are named with key and both values",
         groups_that_differ_are_named_with_key_and_both_values},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
