/*
 * An exchange of some tensors alone. Goal: what is named moves, with its slots, as in an exchange
 * of all; what is not named is neither read nor written, needs no memory, keeps its flags, and its
 * ties are nobody's business. Method: the sample model between two layouts, with lists of patterns
 * whose meaning fnmatch(3) gives; then patterns that cannot be, and ranks that give others.
 */
#include "parallel/exchange.h"
#include "support/drawn.h"
#include "support/pair.h"
#include "support/ranks.h"
#include "support/side.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 3 };

static bool open(struct pair *pair, struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    const struct reshard_layout_options from = {.kind = RESHARD_LAYOUT_FSDP1, .shard = world},
                                        to = {.kind = RESHARD_LAYOUT_DDP, .replicate = world};

    return pair_open(pair, ranks, &from, &to, false);
}

static struct reshard_exchange_options only(const char *const *names, uint32_t count)
{
    return (struct reshard_exchange_options){.only = names, .only_count = count, .budget = 4096};
}

/* ---- what is named --------------------------------------------------------------------------- */

/* Patterns, and what they mean in the shell's language; each list ends with NULL. */
struct list {
    const char *pattern[NAMES + 1];
    const char *glob[NAMES + 1];
};

static uint32_t length(const struct list *list)
{
    uint32_t count = 0;

    while (list->pattern[count])
        count++;
    return count;
}

static bool names(const struct list *list, const char *fqn)
{
    for (unsigned i = 0; list->glob[i]; i++)
        if (fnmatch(list->glob[i], fqn, 0) == 0)
            return true;
    return false;
}

static void move_named(struct ranks *ranks, struct reshard_group *group, struct test_random *random,
                       const struct list *list, enum reshard_part part)
{
    bool mine[PAIR_TENSORS_MAX], absent[PAIR_TENSORS_MAX], flags[PAIR_TENSORS_MAX];
    bool comes[PAIR_TENSORS_MAX] = {false}, unbound[PAIR_TENSORS_MAX] = {false};
    struct reshard_exchange_options options = only(list->pattern, length(list));
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {0};
    uint64_t tensors = 0, missing = 0;
    struct pair pair;

    options.part = part;
    if (open(&pair, ranks)) {
        drawn_sayings(random, pair.model, &pair.from, pair.source.rank, false, mine, absent);
        for (uint32_t t = 0; t < pair.source.tensors; t++) {
            const struct reshard_tensor *tensor = reshard_model_tensor(pair.model, t);
            const bool named = reshard_part_has(part, tensor) && names(list, tensor->fqn);
            flags[t] = test_random_below(random, 2) && reshard_tensor_is_slot(tensor);
            comes[t] = named && !absent[t];
            unbound[t] = !comes[t];
            tensors += comes[t];
            missing += named && absent[t];
        }
        EXPECT(ranks, pair_unbind(&pair, ranks, unbound, unbound));
        side_set_absent(&pair.source, mine);
        side_set_absent(&pair.target, flags);
        EXPECT_STATUS(ranks,
                      reshard_exchange(group, pair.source.state, pair.target.state, &options,
                                       &report, &error),
                      RESHARD_OK, &error);
        EXPECT(ranks, pair_wrong(&pair, comes) == 0);
        for (uint32_t t = 0; t < pair.source.tensors; t++) {
            const struct reshard_tensor *tensor = reshard_model_tensor(pair.model, t);
            if (reshard_part_has(part, tensor) && names(list, tensor->fqn))
                flags[t] = absent[t];
        }
        EXPECT(ranks, side_wrong_flags(&pair.source, mine) == 0);
        EXPECT(ranks, side_wrong_flags(&pair.target, flags) == 0);
        EXPECT(ranks, report.tensors == tensors && report.tensors_absent == missing);
        EXPECT(ranks, report.bytes_sent == report.bytes_lacking);
    }
    pair_close(&pair);
}

static void what_is_named_moves_and_nothing_else(struct ranks *ranks)
{
    static const struct list lists[] = {
        {{"block.1.*"}, {"block.1.*"}},
        {{"embed.weight"}, {"embed.weight"}},
        {{"nobody"}, {"nobody"}},
        {{"embed.weigh", "embed.weight*x"}, {NULL}},
        {{"scale", "table", "empty"}, {"scale", "table", "empty"}},
        {{"block.{i}.w*"}, {"block.[0-9].w*"}},
        {{"*.weight", "mask"}, {"*.weight", "mask"}},
        {{"embed.weight:exp_avg", "exp_avg"}, {NULL}},
        {{"*"}, {"*"}},
    };
    struct test_random random = drawn_start(ranks, "named tensors", 21);
    struct reshard_group *group = ranks_group(ranks);

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (int part = RESHARD_PART_ALL; part <= RESHARD_PART_OPTIMIZER; part++)
            move_named(ranks, group, &random, &lists[i], (enum reshard_part)part);
    reshard_group_close(group);
}

/* What is named must have memory, on either side. */
static void what_is_named_and_has_no_memory_is_refused(struct ranks *ranks)
{
    static const char *const pattern = "block.1.*";
    const struct reshard_exchange_options options = only(&pattern, 1);
    struct reshard_group *group = ranks_group(ranks);

    for (int i = 0; i < 2; i++) {
        bool none[PAIR_TENSORS_MAX] = {false}, unbound[PAIR_TENSORS_MAX] = {false};
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct pair pair;
        if (open(&pair, ranks)) {
            unbound[pair_find(&pair, ranks, "block.1.long", "exp_avg_sq")] = true;
            EXPECT(ranks, pair_unbind(&pair, ranks, i ? none : unbound, i ? unbound : none));
            EXPECT_STATUS(ranks,
                          reshard_exchange(group, pair.source.state, pair.target.state, &options,
                                           NULL, &error),
                          RESHARD_EINVAL, &error);
            EXPECT(ranks, strstr(error.text, "'block.1.long' slot exp_avg_sq") != NULL);
            EXPECT(ranks, pair_wrong(&pair, none) == 0);
        }
        pair_close(&pair);
    }
    reshard_group_close(group);
}

/* ---- ties ------------------------------------------------------------------------------------ */

static unsigned char *bind_second(struct ranks *ranks, struct side *side, uint32_t tensor)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    unsigned char *second = malloc(side->bytes[tensor] + 1);

    if (!EXPECT(ranks, second != NULL))
        return NULL;
    memset(second, 0x5E, side->bytes[tensor] + 1);
    EXPECT_STATUS(
        ranks,
        reshard_state_bind(side->state, "head.weight", "", second, side->bytes[tensor], &error),
        RESHARD_OK, &error);
    return second;
}

static uint64_t touched(const unsigned char *second, uint64_t bytes)
{
    uint64_t count = 0;

    for (uint64_t b = 0; b <= bytes; b++)
        count += second[b] != 0x5E;
    return count;
}

/* The second name of "embed.weight" differs from the first: that matters where it is named. */
static void ties_of_what_is_not_named_are_left_alone(struct ranks *ranks)
{
    static const char *const others = "block.*", *const first = "embed.*";
    const struct reshard_exchange_options without = only(&others, 1), with = only(&first, 1);
    struct reshard_group *group = ranks_group(ranks);
    struct reshard_error error = RESHARD_ERROR_INIT;
    unsigned char *from = NULL, *to = NULL;
    struct pair pair;

    if (open(&pair, ranks)) {
        const uint32_t t = pair_find(&pair, ranks, "embed.weight", "");
        from = bind_second(ranks, &pair.source, t);
        to = bind_second(ranks, &pair.target, t);
        EXPECT_STATUS(
            ranks,
            reshard_exchange(group, pair.source.state, pair.target.state, &without, NULL, &error),
            RESHARD_OK, &error);
        EXPECT(ranks, to && touched(to, pair.target.bytes[t]) == 0);
        EXPECT(ranks, side_touched(&pair.target, t) == 0);
        EXPECT_STATUS(
            ranks,
            reshard_exchange(group, pair.source.state, pair.target.state, &with, NULL, &error),
            RESHARD_EMISMATCH, &error);
        EXPECT(ranks, strstr(error.text, "head.weight") != NULL);
        EXPECT(ranks, to && touched(to, pair.target.bytes[t]) == 0);
        memcpy(from, pair.source.memory[t], pair.source.bytes[t]);
        EXPECT_STATUS(
            ranks,
            reshard_exchange(group, pair.source.state, pair.target.state, &with, NULL, &error),
            RESHARD_OK, &error);
        EXPECT(ranks, to && memcmp(to, pair.target.memory[t], pair.target.bytes[t]) == 0);
        EXPECT(ranks, side_wrong(&pair.target, t, PAIR_VALUES) == 0);
    }
    pair_close(&pair);
    free(from);
    free(to);
    reshard_group_close(group);
}

/* ---- what is refused ------------------------------------------------------------------------- */

/* Nothing moves, and all ranks say the same. */
static void must_refuse(struct ranks *ranks, struct reshard_group *group, struct pair *pair,
                        const struct reshard_exchange_options *options,
                        enum reshard_status expected, const char *words)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const bool none[PAIR_TENSORS_MAX] = {false};

    EXPECT_STATUS(
        ranks,
        reshard_exchange(group, pair->source.state, pair->target.state, options, NULL, &error),
        expected, &error);
    EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    EXPECT(ranks, strstr(error.text, words) != NULL);
    EXPECT(ranks, pair_wrong(pair, none) == 0);
    EXPECT(ranks, side_wrong_flags(&pair->target, none) == 0);
}

static void what_is_no_pattern_is_refused(struct ranks *ranks)
{
    static const char *const bad[] = {"", "{i}.{i}", "*a*b*c*d*e*f*g*h*i", "\xff"};
    struct reshard_group *group = ranks_group(ranks);
    struct pair pair;

    if (open(&pair, ranks))
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            const char *const list[] = {"block.*", bad[i]};
            const struct reshard_exchange_options one = only(&bad[i], 1), two = only(list, 2);
            must_refuse(ranks, group, &pair, &one, RESHARD_EINVAL, "pattern");
            must_refuse(ranks, group, &pair, &two, RESHARD_EINVAL, "pattern");
        }
    pair_close(&pair);
    reshard_group_close(group);
}

/* The last rank gives another list: another name, fewer, more, in another order, none, a bad one.
 */
static void ranks_that_give_other_patterns_are_refused(struct ranks *ranks)
{
    static const char *const list[] = {"block.0.*", "block.1.*"};
    static const char *const others[][3] = {
        {"block.0.*", "block.2.*"}, {"block.0.*"}, {"block.0.*", "block.1.*", "mask"},
        {"block.1.*", "block.0.*"}, {NULL},        {"block.0.*", "{i}{i}"}};
    static const uint32_t counts[] = {2, 1, 3, 2, 0, 2};
    struct reshard_group *group = ranks_group(ranks);
    struct pair pair;

    if (open(&pair, ranks) && ranks->size > 1)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            const bool odd = ranks->rank == ranks->size - 1;
            const struct reshard_exchange_options options =
                odd ? only(others[i], counts[i]) : only(list, 2);
            must_refuse(ranks, group, &pair, &options, RESHARD_EMISMATCH, "");
        }
    pair_close(&pair);
    reshard_group_close(group);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"what is named moves, and nothing else", what_is_named_moves_and_nothing_else},
        {"what is named and has no memory is refused", what_is_named_and_has_no_memory_is_refused},
        {"ties of what is not named are left alone", ties_of_what_is_not_named_are_left_alone},
        {"what is no pattern is refused", what_is_no_pattern_is_refused},
        {"ranks that give other patterns are refused", ranks_that_give_other_patterns_are_refused},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
