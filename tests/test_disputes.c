/*
 * Who has a say in whether a slot is absent. Goal: ranks that hold elements of it, and nobody else;
 * where these disagree, every operation that reads a state refuses it, names the slot and the ranks
 * that say it is absent, in the same words on all ranks, and leaves everything as it was. Method:
 * layouts in which some ranks have nothing: shards too short for all, stages, idle ranks.
 */
#include "parallel/exchange.h"
#include "parallel/proof.h"
#include "parallel/save.h"
#include "support/drawn.h"
#include "support/pair.h"
#include "support/ranks.h"
#include "support/side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMED_MAX = 8 };

/* ---- layouts in which somebody has nothing --------------------------------------------------- */

enum { LAYOUTS = 7 };

/* Shards too short for all, stages, idle ranks, replicas; false where they need more ranks. */
static bool nth_layout(unsigned n, uint64_t world, struct reshard_layout_options *out)
{
    const uint64_t half = world / 2;
    const struct reshard_layout_options all[LAYOUTS] = {
        {.kind = RESHARD_LAYOUT_DDP, .replicate = world},
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = world},
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = world, .orig_params = true},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = world},
        {.kind = RESHARD_LAYOUT_FSDP2, .world = world, .shard = half},
        {.kind = RESHARD_LAYOUT_FSDP1, .world = world, .pipeline = 2, .shard = half},
        {.kind = RESHARD_LAYOUT_FSDP2, .world = world, .replicate = 2, .shard = half},
    };

    *out = all[n];
    if (!out->world)
        out->world = world;
    return n < 4 || half > 0;
}

/* A source under a layout of those above, and a target under ddp. */
static bool open_nth(struct pair *pair, struct ranks *ranks, unsigned layout, bool on_device)
{
    struct reshard_layout_options from, to;

    *pair = (struct pair){.model = NULL};
    (void)nth_layout(0, (uint64_t)ranks->size, &to);
    return nth_layout(layout, (uint64_t)ranks->size, &from) &&
           pair_open(pair, ranks, &from, &to, on_device);
}

static void a_rank_that_holds_nothing_has_no_say(struct ranks *ranks)
{
    struct reshard_group *group = ranks_group(ranks);
    struct test_random random = drawn_start(ranks, "who has a say", 14);

    for (unsigned round = 0; round < 4 * LAYOUTS; round++) {
        bool mine[PAIR_TENSORS_MAX], agreed[PAIR_TENSORS_MAX], comes[PAIR_TENSORS_MAX];
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_report report;
        struct pair pair;
        if (open_nth(&pair, ranks, round % LAYOUTS, round & 1)) {
            drawn_sayings(&random, pair.model, &pair.from, pair.source.rank, false, mine, agreed);
            side_set_absent(&pair.source, mine);
            EXPECT_STATUS(ranks,
                          reshard_exchange(group, pair.source.state, pair.target.state, NULL,
                                           &report, &error),
                          RESHARD_OK, &error);
            EXPECT(ranks, side_wrong_flags(&pair.source, mine) == 0);
            EXPECT(ranks, side_wrong_flags(&pair.target, agreed) == 0);
            for (uint32_t t = 0; t < pair.target.tensors; t++)
                comes[t] = !agreed[t];
            EXPECT(ranks, pair_wrong(&pair, comes) == 0);
        }
        pair_close(&pair);
    }
    reshard_group_close(group);
}

/* One rank after the other says that a slot without elements is absent; then nobody does. */
static void a_slot_without_elements_is_absent_where_anyone_says_so(struct ranks *ranks)
{
    struct reshard_group *group = ranks_group(ranks);
    for (unsigned layout = 0; layout < LAYOUTS; layout++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct pair pair;
        const bool ready = open_nth(&pair, ranks, layout, false);
        const uint32_t slot = ready ? pair_find(&pair, ranks, "empty", "exp_avg") : 0;
        for (int speaker = 0; ready && speaker <= ranks->size; speaker++) {
            reshard_state_set_absent(pair.source.state, slot, ranks->rank == speaker);
            EXPECT_STATUS(
                ranks,
                reshard_exchange(group, pair.source.state, pair.target.state, NULL, NULL, &error),
                RESHARD_OK, &error);
            EXPECT(ranks,
                   reshard_state_is_absent(pair.target.state, slot) == (speaker < ranks->size));
        }
        pair_close(&pair);
    }
    reshard_group_close(group);
}

/* ---- ranks that disagree --------------------------------------------------------------------- */

/* What the ranks say of one slot: of its holders, numbered from 0, some; of the others, all or
 * none. */
enum saying { FIRST, LAST, ALL_BUT_FIRST, EVERY_OTHER, SAYINGS };

static bool says(enum saying saying, int number, int holders)
{
    switch (saying) {
    case FIRST:
        return number == 0;
    case LAST:
        return number == holders - 1;
    case ALL_BUT_FIRST:
        return number > 0;
    default:
        return number % 2 == 1;
    }
}

/* Set this rank's flag of a slot, and name the ranks that hold some of it and say it is absent, as
 * the message must. False where fewer than two ranks hold any. */
static bool disagree(struct pair *pair, int world, uint32_t slot, enum saying saying, bool others,
                     char *named, size_t size)
{
    int holders = 0, number = 0, count = 0;
    size_t used = 0;

    for (int rank = 0; rank < world; rank++)
        holders += drawn_holds(pair->model, &pair->from, slot, (uint64_t)rank);
    (void)snprintf(named, size, "absent on rank ");
    used = strlen(named);
    for (int rank = 0; holders > 1 && rank < world; rank++) {
        const bool holds = drawn_holds(pair->model, &pair->from, slot, (uint64_t)rank);
        const bool absent = holds ? says(saying, number, holders) : others;
        number += holds;
        if ((uint64_t)rank == pair->source.rank)
            reshard_state_set_absent(pair->source.state, slot, absent);
        if (holds && absent && count++ < NAMED_MAX)
            used +=
                (size_t)snprintf(named + used, size - used, "%s%d", count > 1 ? ", " : "", rank);
    }
    if (count > NAMED_MAX)
        used += (size_t)snprintf(named + used, size - used, " and %d more", count - NAMED_MAX);
    (void)snprintf(named + used, size - used, ", and there");
    return holders > 1;
}

static void must_name(struct ranks *ranks, const struct reshard_error *error, const char *slot,
                      const char *named)
{
    EXPECT(ranks, ranks_same_text(ranks->comm, error->text));
    if (!EXPECT(ranks, strstr(error->text, slot) && strstr(error->text, named)) && ranks->rank == 0)
        printf("no '%s' or '%s' in: %s\n", slot, named, error->text);
}

/* Nothing but what was there before. */
static void must_not_be_saved(struct ranks *ranks, const char *name)
{
    char path[400];

    ranks_barrier(ranks->comm);
    (void)snprintf(path, sizeof path, "%s/%s", ranks->scratch, name);
    EXPECT(ranks, access(path, F_OK) != 0);
    EXPECT(ranks, !ranks_left_over(path));
}

/* All that read a state refuse it, and leave everything as it was. */
static void try_all(struct ranks *ranks, struct reshard_group *group, struct pair *pair,
                    const char *slot, const char *named)
{
    const struct reshard_exchange_options slots = {.part = RESHARD_PART_OPTIMIZER};
    struct reshard_error error = RESHARD_ERROR_INIT;
    unsigned char *source = side_image(&pair->source), *target = side_image(&pair->target);
    uint64_t digest[PAIR_TENSORS_MAX] = {0}, touched = 0;
    char path[320];

    (void)snprintf(path, sizeof path, "%s/disputed", ranks->scratch);
    EXPECT_STATUS(ranks,
                  reshard_state_digest(group, pair->source.state, RESHARD_PART_ALL, digest, &error),
                  RESHARD_EMISMATCH, &error);
    must_name(ranks, &error, slot, named);
    for (uint32_t t = 0; t < PAIR_TENSORS_MAX; t++)
        touched += digest[t] != 0;
    EXPECT(ranks, touched == 0);
    for (int i = 0; i < 2; i++) {
        EXPECT_STATUS(ranks,
                      reshard_exchange(group, pair->source.state, pair->target.state,
                                       i ? &slots : NULL, NULL, &error),
                      RESHARD_EMISMATCH, &error);
        must_name(ranks, &error, slot, named);
    }
    EXPECT_STATUS(ranks, reshard_save(group, pair->source.state, path, NULL, NULL, &error),
                  RESHARD_EMISMATCH, &error);
    must_name(ranks, &error, slot, named);
    must_not_be_saved(ranks, "disputed");
    EXPECT(ranks, side_changed(&pair->source, source) == 0);
    EXPECT(ranks, side_changed(&pair->target, target) == 0);
    free(source);
    free(target);
}

static void ranks_that_disagree_are_named_by_all(struct ranks *ranks)
{
    struct reshard_group *group = ranks_group(ranks);
    static const char *const slots[][2] = {
        {"embed.weight", "exp_avg"}, {"block.0.bias", "exp_avg_sq"}, {"block.1.long", "step"}};
    enum { SLOTS = sizeof slots / sizeof *slots };
    unsigned tried = 0;

    for (unsigned n = 0; n < 2 * SAYINGS * LAYOUTS; n++) {
        const char *const *which = slots[n % SLOTS];
        const enum saying saying = (enum saying)(n / 2 % SAYINGS);
        char named[256], slot[RESHARD_TENSOR_TEXT_MAX];
        struct pair pair;
        uint32_t t = 0;
        if (open_nth(&pair, ranks, n / 2 / SAYINGS, false) &&
            EXPECT(ranks, !reshard_model_find(pair.model, which[0], which[1], &t)) &&
            disagree(&pair, ranks->size, t, saying, n % 3 == 0, named, sizeof named)) {
            reshard_state_set_absent(pair.target.state, t, n % 2);
            tried++;
            try_all(ranks, group, &pair,
                    reshard_tensor_print(reshard_model_tensor(pair.model, t), slot, sizeof slot),
                    named);
        }
        pair_close(&pair);
    }
    EXPECT(ranks, ranks->size == 1 || tried > 2 * SAYINGS);
    reshard_group_close(group);
}

/* Of several slots that are disputed, by other ranks each, the first in the model's order. */
static void of_several_disputes_the_first_is_named(struct ranks *ranks)
{
    struct reshard_group *group = ranks_group(ranks);
    struct pair pair;
    char named[256];

    for (unsigned layout = 0; ranks->size > 1 && layout < LAYOUTS; layout++) {
        uint32_t first = 0, second = 0;
        if (open_nth(&pair, ranks, layout, false) &&
            EXPECT(ranks, !reshard_model_find(pair.model, "embed.weight", "exp_avg", &first)) &&
            EXPECT(ranks, !reshard_model_find(pair.model, "block.1.long", "exp_avg", &second)) &&
            disagree(&pair, ranks->size, second, FIRST, false, named, sizeof named) &&
            disagree(&pair, ranks->size, first, LAST, false, named, sizeof named))
            try_all(ranks, group, &pair, "'embed.weight' slot exp_avg", named);
        pair_close(&pair);
    }
    reshard_group_close(group);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"a rank that holds nothing has no say", a_rank_that_holds_nothing_has_no_say},
        {"a slot without elements is absent where anyone says so",
         a_slot_without_elements_is_absent_where_anyone_says_so},
        {"ranks that disagree are named by all", ranks_that_disagree_are_named_by_all},
        {"of several disputes the first is named", of_several_disputes_the_first_is_named},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
