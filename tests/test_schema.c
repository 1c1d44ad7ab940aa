/*
 * The schema. Goal: ranks that mean different models or layouts all learn so, in the same words,
 * which name the ranks and the first entry on which they differ. Method: the same inventory on all
 * ranks, with one difference at a time on one rank or on several.
 */
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
                           twist == TIE ? ", in ties" : ": entry");
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
              (const char *[]){who, words[SHAPE], "and on rank 0 'b' f32 (6)"}, 3);
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
              (const char *[]){more, "and on rank 0 'b' f32 (7)"}, 2);
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
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
