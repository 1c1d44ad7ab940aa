/*
 * The exchange. Goal: any layout becomes any other in memory, every byte at its place and nothing
 * else touched; what is sent is the least that could be; and whatever fails, all ranks say so
 * alike. Method: random models and pairs of layouts over the whole world, idle ranks included, in
 * host memory and in a fake device's, at tiny and at usual budgets, against the oracle; then
 * replicas that differ, and copies that fail on one rank after the other.
 */
#include "parallel/exchange.h"
#include "parallel/proof.h"
#include "parallel/replicas.h"
#include "support/drawn.h"
#include "support/oracle.h"
#include "support/ranks.h"
#include "support/sample.h"
#include "support/side.h"

#include <stdlib.h>
#include <string.h>

enum { VALUES = 23, ELEMENTS = 60 };

/* ---- any layout to any other ----------------------------------------------------------------- */

struct pair {
    struct reshard_model *model;
    struct random_layout from, to;
    struct side source, target;
};

static bool open_pair(struct pair *pair, struct ranks *ranks, struct test_random *random)
{
    const uint64_t world = (uint64_t)ranks->size, devices = test_random_below(random, 4);

    pair->model = drawn_model(random, world, ELEMENTS);
    drawn_layout(&pair->from, random, pair->model, world);
    drawn_layout(&pair->to, random, pair->model, world);
    const bool source = side_open(&pair->source, ranks, pair->model, &pair->from.options,
                                  devices & 1, RESHARD_ROLE_COUNT);
    const bool target = side_open(&pair->target, ranks, pair->model, &pair->to.options, devices & 2,
                                  RESHARD_ROLE_COUNT);
    side_fill_all(&pair->source, VALUES);
    return source && target;
}

static void close_pair(struct pair *pair)
{
    side_close(&pair->source);
    side_close(&pair->target);
    random_layout_close(&pair->from);
    random_layout_close(&pair->to);
    reshard_model_close(pair->model);
}

static bool moves(enum reshard_part part, const struct reshard_tensor *tensor)
{
    return part == RESHARD_PART_ALL || (part == RESHARD_PART_OPTIMIZER) == (tensor->slot[0] != 0);
}

/* Bytes that any rank needs and does not have, by the oracle. */
static uint64_t lacking(const struct pair *pair, enum reshard_part part, uint64_t world)
{
    uint64_t sum = 0;

    for (uint32_t t = 0; t < reshard_model_tensor_count(pair->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(pair->model, t);
        for (uint64_t rank = 0; moves(part, tensor) && rank < world; rank++) {
            struct oracle_places has = oracle_places(pair->model, &pair->from.options, t, rank);
            struct oracle_places needs = oracle_places(pair->model, &pair->to.options, t, rank);
            for (uint64_t e = 0; e < has.count; e++)
                if (needs.packed[e] != ORACLE_ABSENT && has.packed[e] == ORACLE_ABSENT)
                    sum += reshard_dtype_bytes(tensor->dtype);
            oracle_places_release(&has);
            oracle_places_release(&needs);
        }
    }
    return sum;
}

static void check_moved(struct ranks *ranks, const struct pair *pair, enum reshard_part part,
                        const struct reshard_report *report)
{
    const uint64_t least = lacking(pair, part, (uint64_t)ranks->size);
    uint64_t unique = 0, tensors = 0, wrong = 0, touched = 0;

    for (uint32_t t = 0; t < reshard_model_tensor_count(pair->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(pair->model, t);
        if (!moves(part, tensor)) {
            touched += side_touched(&pair->target, t);
            continue;
        }
        wrong += side_wrong(&pair->target, t, VALUES);
        unique += tensor->count * reshard_dtype_bytes(tensor->dtype);
        tensors++;
    }
    if (!EXPECT(ranks, wrong == 0) || !EXPECT(ranks, report->bytes_sent == least)) {
        random_layout_print(&pair->from, pair->model);
        random_layout_print(&pair->to, pair->model);
    }
    EXPECT(ranks, touched == 0);
    EXPECT(ranks, side_wrong_all(&pair->source, VALUES) == 0);
    EXPECT(ranks, report->bytes_lacking == least);
    EXPECT(ranks, report->bytes_unique == unique);
    EXPECT(ranks, report->tensors == tensors);
}

static void any_layout_becomes_any_other(struct ranks *ranks)
{
    static const uint64_t budgets[] = {0, 4096, 1};
    struct test_random random = drawn_start(ranks, "pairs of layouts", 1);
    struct reshard_group *group;

    group = ranks_group(ranks);
    for (int round = 0; round < 150; round++) {
        const struct reshard_exchange_options options = {
            .part = (enum reshard_part)(round % 5 < 3 ? 0 : round % 5 - 2),
            .budget = budgets[test_random_below(&random, 3)]};
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_report report;
        struct pair pair;
        if (open_pair(&pair, ranks, &random) &&
            EXPECT_STATUS(ranks,
                          reshard_exchange(group, pair.source.state, pair.target.state, &options,
                                           &report, &error),
                          RESHARD_OK, &error))
            check_moved(ranks, &pair, options.part, &report);
        close_pair(&pair);
    }
    reshard_group_close(group);
}

/* Many times the budget, over all ranks. */
static void tensors_beyond_the_budget_move_in_parts(struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    const struct reshard_layout_options from = {.kind = RESHARD_LAYOUT_FSDP1, .shard = world},
                                        to = {
                                            .kind = RESHARD_LAYOUT_FSDP2, .shard = world, .dim = 1};
    const struct reshard_shape shape = {2, {300, 64}};
    const struct reshard_exchange_options options = {.budget = 4096};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct side source, target;
    struct reshard_report report;
    struct reshard_model *model;
    struct reshard_group *group;

    group = ranks_group(ranks);
    EXPECT(ranks, !reshard_model_open(&model));
    EXPECT(ranks, !reshard_model_add(model, "w", "", RESHARD_DTYPE_F32, &shape, NULL));
    if (side_open(&source, ranks, model, &from, true, RESHARD_ROLE_COUNT) &&
        side_open(&target, ranks, model, &to, false, RESHARD_ROLE_COUNT)) {
        side_fill_all(&source, VALUES);
        EXPECT_STATUS(
            ranks, reshard_exchange(group, source.state, target.state, &options, &report, &error),
            RESHARD_OK, &error);
        EXPECT(ranks, side_wrong_all(&target, VALUES) == 0);
        EXPECT(ranks, report.bytes_sent == report.bytes_lacking);
    }
    side_close(&source);
    side_close(&target);
    reshard_model_close(model);
    reshard_group_close(group);
}

/* ---- what is refused ------------------------------------------------------------------------- */

/* Two states of the sample model, under ddp and fsdp2 over all ranks. */
struct fixed {
    struct reshard_layout_options from, to;
    struct reshard_model *model;
    struct side source, target;
    struct reshard_group *group;
};

static bool open_fixed(struct fixed *fixed, struct ranks *ranks, bool on_device)
{
    const uint64_t world = (uint64_t)ranks->size;

    memset(fixed, 0, sizeof *fixed);
    fixed->from = (struct reshard_layout_options){.kind = RESHARD_LAYOUT_DDP, .replicate = world};
    fixed->to = (struct reshard_layout_options){.kind = RESHARD_LAYOUT_FSDP2, .shard = world};
    fixed->model = sample_model();
    fixed->group = ranks_group(ranks);
    const bool source =
        side_open(&fixed->source, ranks, fixed->model, &fixed->from, on_device, RESHARD_ROLE_COUNT);
    const bool target =
        side_open(&fixed->target, ranks, fixed->model, &fixed->to, on_device, RESHARD_ROLE_COUNT);
    side_fill_all(&fixed->source, VALUES);
    return source && target;
}

static void close_fixed(struct fixed *fixed)
{
    side_close(&fixed->source);
    side_close(&fixed->target);
    reshard_model_close(fixed->model);
    reshard_group_close(fixed->group);
}

static enum reshard_status exchange(struct fixed *fixed, struct reshard_error *error)
{
    const struct reshard_exchange_options options = {.budget = 4096};

    return reshard_exchange(fixed->group, fixed->source.state, fixed->target.state, &options, NULL,
                            error);
}

/* A byte of a replica that is no owner is flipped: all say whose. */
static void a_replica_that_differs_is_named_by_all(struct ranks *ranks)
{
    struct fixed fixed;
    bool ready = open_fixed(&fixed, ranks, false);

    for (int victim = 0; ready && ranks->size > 1 && victim < ranks->size; victim++) {
        const uint32_t t =
            reshard_layout_is_owner(fixed.source.layout, 0, (uint64_t)victim) ? 1 : 0;
        struct reshard_error error = RESHARD_ERROR_INIT;
        char name[RESHARD_TENSOR_TEXT_MAX], words[32];
        if (ranks->rank == victim)
            fixed.source.memory[t][0] ^= 4;
        EXPECT_STATUS(ranks, exchange(&fixed, &error), RESHARD_EDIGEST, &error);
        EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
        (void)reshard_tensor_print(reshard_model_tensor(fixed.model, t), name, sizeof name);
        (void)snprintf(words, sizeof words, "rank %d", victim);
        if (!EXPECT(ranks, strstr(error.text, words) && strstr(error.text, name)))
            printf("the text was: %s\n", error.text);
        if (ranks->rank == victim)
            fixed.source.memory[t][0] ^= 4;
    }
    if (ready) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        EXPECT_STATUS(ranks, exchange(&fixed, &error), RESHARD_OK, &error);
        EXPECT(ranks, side_wrong_all(&fixed.target, VALUES) == 0);
    }
    close_fixed(&fixed);
}

/* What is not saved moves too, and is held against its owner's like the rest. */
static void a_transient_replica_that_differs_is_named_too(struct ranks *ranks)
{
    const struct reshard_shape shape = {1, {6}};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct fixed fixed;
    const bool ready = open_fixed(&fixed, ranks, false);

    side_close(&fixed.source);
    side_close(&fixed.target);
    EXPECT(ranks, !reshard_model_add_role(fixed.model, "cache", "", RESHARD_DTYPE_F32, &shape,
                                          RESHARD_ROLE_TRANSIENT, 0, NULL));
    if (ready &&
        side_open(&fixed.source, ranks, fixed.model, &fixed.from, false, RESHARD_ROLE_COUNT) &&
        side_open(&fixed.target, ranks, fixed.model, &fixed.to, false, RESHARD_ROLE_COUNT)) {
        const uint32_t cache = reshard_model_tensor_count(fixed.model) - 1;
        side_fill_all(&fixed.source, VALUES);
        EXPECT_STATUS(ranks, exchange(&fixed, &error), RESHARD_OK, &error);
        if (ranks->rank == ranks->size - 1)
            fixed.source.memory[cache][0] ^= 1;
        EXPECT_STATUS(ranks, exchange(&fixed, &error),
                      ranks->size > 1 ? RESHARD_EDIGEST : RESHARD_OK, &error);
        EXPECT(ranks, ranks->size == 1 || strstr(error.text, "'cache'") != NULL);
    }
    close_fixed(&fixed);
}

/* The n-th copy of one rank fails, for all n and ranks: all return EIO, and nobody waits. */
static void a_copy_that_fails_on_one_rank_fails_the_exchange_on_all(struct ranks *ranks)
{
    struct fixed fixed;
    bool ready = open_fixed(&fixed, ranks, true);

    for (int victim = 0; ready && victim < 2 * ranks->size; victim++) {
        struct side_device *fake = victim % 2 ? &fixed.source.fake : &fixed.target.fake;
        bool failed = true;
        for (uint64_t n = 1; failed && n < 4096; n += n < 6 ? 1 : n / 2) {
            struct reshard_error error = RESHARD_ERROR_INIT;
            enum reshard_status status;
            fake->calls = fake->failed = 0;
            fake->fail_at = ranks->rank == victim / 2 ? n : 0;
            status = exchange(&fixed, &error);
            failed = status != RESHARD_OK;
            EXPECT(ranks, ranks_same(ranks->comm, (long)status));
            EXPECT(ranks, !failed || status == RESHARD_EIO);
            EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
            EXPECT(ranks, ranks->rank != victim / 2 || failed == (fake->failed > 0));
        }
        EXPECT(ranks, !failed);
        fake->fail_at = 0;
    }
    close_fixed(&fixed);
}

/* The second name of "embed.weight" has memory of its own, on both sides. */
static void second_names_hold_the_same_and_are_filled(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    unsigned char *second[2] = {NULL, NULL};
    struct fixed fixed;
    uint32_t t = 0;

    if (open_fixed(&fixed, ranks, false) &&
        EXPECT(ranks, !reshard_model_find(fixed.model, "embed.weight", "", &t))) {
        struct side *const sides[] = {&fixed.source, &fixed.target};
        for (int i = 0; i < 2; i++) {
            const uint64_t bytes = sides[i]->bytes[t];
            second[i] = calloc(bytes + 1, 1);
            EXPECT_STATUS(
                ranks,
                reshard_state_bind(sides[i]->state, "head.weight", "", second[i], bytes, &error),
                RESHARD_OK, &error);
        }
        EXPECT_STATUS(ranks, exchange(&fixed, &error), RESHARD_EMISMATCH, &error);
        EXPECT(ranks, strstr(error.text, "head.weight") != NULL);
        memcpy(second[0], fixed.source.memory[t], fixed.source.bytes[t]);
        EXPECT_STATUS(ranks, exchange(&fixed, &error), RESHARD_OK, &error);
        EXPECT(ranks, memcmp(second[1], fixed.target.memory[t], fixed.target.bytes[t]) == 0);
    }
    close_fixed(&fixed);
    free(second[0]);
    free(second[1]);
}

static void states_of_different_models_are_refused(struct ranks *ranks)
{
    const struct reshard_shape shape = {1, {3}};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *other = sample_model();
    struct side target;
    struct fixed fixed;

    EXPECT(ranks, !reshard_model_add(other, "more", "", RESHARD_DTYPE_F32, &shape, NULL));
    if (open_fixed(&fixed, ranks, false) &&
        side_open(&target, ranks, other, &fixed.to, false, RESHARD_ROLE_COUNT)) {
        EXPECT_STATUS(
            ranks,
            reshard_exchange(fixed.group, fixed.source.state, target.state, NULL, NULL, &error),
            RESHARD_EMISMATCH, &error);
        EXPECT(ranks, strstr(error.text, "different models") != NULL);
    }
    side_close(&target);
    close_fixed(&fixed);
    reshard_model_close(other);
}

static void options_that_differ_between_ranks_are_refused(struct ranks *ranks)
{
    struct fixed fixed;

    if (open_fixed(&fixed, ranks, false) && ranks->size > 1)
        for (int i = 0; i < 2; i++) {
            const bool odd = ranks->rank == ranks->size - 1;
            const struct reshard_exchange_options options = {.budget = odd && i ? 4096 : 0,
                                                             .part = odd && !i ? RESHARD_PART_MODEL
                                                                               : RESHARD_PART_ALL};
            struct reshard_error error = RESHARD_ERROR_INIT;
            EXPECT_STATUS(ranks,
                          reshard_exchange(fixed.group, fixed.source.state, fixed.target.state,
                                           &options, NULL, &error),
                          RESHARD_EMISMATCH, &error);
            EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
        }
    close_fixed(&fixed);
}

/* Buffers that are not saved move with the model, so they too must have memory. */
static void a_buffer_that_moves_and_has_no_memory_is_named(struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    const struct reshard_layout_options layout = {.kind = RESHARD_LAYOUT_DDP, .replicate = world};
    const struct reshard_shape shape = {1, {3}};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *model = sample_model();
    struct reshard_group *group;

    group = ranks_group(ranks);
    EXPECT(ranks, !reshard_model_add_role(model, "cache", "", RESHARD_DTYPE_F32, &shape,
                                          RESHARD_ROLE_TRANSIENT, 0, NULL));
    for (int i = 0; i < 2; i++) {
        struct side source, target;
        if (side_open(&source, ranks, model, &layout, false,
                      i ? RESHARD_ROLE_COUNT : RESHARD_ROLE_TRANSIENT) &&
            side_open(&target, ranks, model, &layout, false,
                      i ? RESHARD_ROLE_TRANSIENT : RESHARD_ROLE_COUNT)) {
            side_fill_all(&source, VALUES);
            EXPECT_STATUS(ranks,
                          reshard_exchange(group, source.state, target.state, NULL, NULL, &error),
                          RESHARD_EINVAL, &error);
            EXPECT(ranks, strstr(error.text, "'cache'") != NULL);
        }
        side_close(&source);
        side_close(&target);
    }
    reshard_model_close(model);
    reshard_group_close(group);
}

/* ---- from owners to replicas ----------------------------------------------------------------- */

static uint64_t spread_bytes(const struct side *side)
{
    uint64_t bytes = 0;

    for (uint32_t t = 0; t < side->tensors; t++)
        if (t % 3 && !reshard_layout_is_owner(side->layout, t, side->rank))
            bytes += side->bytes[t];
    return bytes;
}

static void every_replica_gets_what_the_owner_has_and_once(struct ranks *ranks)
{
    struct test_random random = drawn_start(ranks, "spreading", 2);
    struct reshard_group *group;

    group = ranks_group(ranks);
    for (int round = 0; round < 80; round++) {
        struct reshard_model *model = drawn_model(&random, (uint64_t)ranks->size, ELEMENTS);
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct random_layout drawn;
        struct side side;
        uint64_t sums[2] = {0, 0};
        bool chosen[128];
        drawn_layout(&drawn, &random, model, (uint64_t)ranks->size);
        const bool ready = side_open(&side, ranks, model, &drawn.options,
                                     test_random_below(&random, 2), RESHARD_ROLE_COUNT);
        for (uint32_t t = 0; ready && t < side.tensors; t++) {
            chosen[t] = t % 3 != 0;
            if (!chosen[t] || reshard_layout_is_owner(side.layout, t, side.rank))
                side_fill(&side, t, VALUES);
        }
        if (ready && EXPECT_STATUS(ranks,
                                   replicas_spread(group, side.state, chosen, round % 2 ? 4096 : 0,
                                                   &sums[0], &error),
                                   RESHARD_OK, &error)) {
            sums[1] = spread_bytes(&side);
            EXPECT_STATUS(ranks, group_allreduce(group, sums, 2, MPI_UINT64_T, MPI_SUM, &error),
                          RESHARD_OK, &error);
            EXPECT(ranks, sums[0] == sums[1]);
            EXPECT(ranks, side_wrong_all(&side, VALUES) == 0);
        }
        side_close(&side);
        random_layout_close(&drawn);
        reshard_model_close(model);
    }
    reshard_group_close(group);
}

/* ---- digests --------------------------------------------------------------------------------- */

static void a_digest_of_device_memory_is_that_of_the_same_bytes_on_the_host(struct ranks *ranks)
{
    uint64_t digest[2][64] = {{0}};
    struct fixed fixed;

    for (int device = 0; device < 2; device++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        if (open_fixed(&fixed, ranks, device) && EXPECT(ranks, fixed.source.tensors <= 64))
            EXPECT_STATUS(ranks,
                          reshard_state_digest(fixed.group, fixed.source.state, RESHARD_PART_ALL,
                                               digest[device], &error),
                          RESHARD_OK, &error);
        EXPECT(ranks, (fixed.source.fake.calls > 0) == device);
        close_fixed(&fixed);
    }
    EXPECT(ranks, memcmp(digest[0], digest[1], sizeof digest[0]) == 0);
    EXPECT(ranks, digest[0][0] != 0);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"any layout becomes any other", any_layout_becomes_any_other},
        {"tensors beyond the budget move in parts", tensors_beyond_the_budget_move_in_parts},
        {"a replica that differs is named by all", a_replica_that_differs_is_named_by_all},
        {"a transient replica that differs is named too",
         a_transient_replica_that_differs_is_named_too},
        {"a copy that fails on one rank fails the exchange on all",
         a_copy_that_fails_on_one_rank_fails_the_exchange_on_all},
        {"second names hold the same and are filled", second_names_hold_the_same_and_are_filled},
        {"states of different models are refused", states_of_different_models_are_refused},
        {"options that differ between ranks are refused",
         options_that_differ_between_ranks_are_refused},
        {"a buffer that moves and has no memory is named",
         a_buffer_that_moves_and_has_no_memory_is_named},
        {"every replica gets what the owner has, and once",
         every_replica_gets_what_the_owner_has_and_once},
        {"a digest of device memory is that of the same bytes on the host",
         a_digest_of_device_memory_is_that_of_the_same_bytes_on_the_host},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
