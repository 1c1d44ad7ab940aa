#include "support/drawn.h"

#include "support/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_random drawn_start(const struct ranks *ranks, const char *what, uint64_t seed)
{
    const char *other = getenv("RESHARD_TEST_SEED");

    if (ranks->rank == 0)
        return test_random_start(what, seed);
    return (struct test_random){other ? strtoull(other, NULL, 0) : seed};
}

/* Alike but for their names and bytes. */
static void add_second_moments(struct reshard_model *model, struct test_random *random)
{
    const uint32_t tensors = reshard_model_tensor_count(model);

    for (uint32_t t = 0; t < tensors; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        struct reshard_slot slot = reshard_tensor_slot(model, tensor);
        char fqn[RESHARD_NAME_MAX];
        if (strcmp(tensor->slot, "exp_avg") != 0 || test_random_below(random, 3) == 0)
            continue;
        slot.slot = "exp_avg_sq";
        (void)snprintf(fqn, sizeof fqn, "%s", tensor->fqn); /* the model's own moves as it grows */
        oracle_add_slot(model, fqn, &slot);
    }
}

struct reshard_model *drawn_model(struct test_random *random, uint64_t world, uint64_t elements)
{
    const struct reshard_layout_options plain = {.kind = RESHARD_LAYOUT_DDP, .world = world};
    struct reshard_model *model = random_model(random, world, elements);

    while (!oracle_accepts(model, &plain)) {
        reshard_model_close(model);
        model = random_model(random, world, elements);
    }
    add_second_moments(model, random);
    return model;
}

void drawn_layout(struct random_layout *out, struct test_random *random,
                  const struct reshard_model *model, uint64_t world)
{
    random_layout_open(out, random, model, world);
    while (!oracle_accepts(model, &out->options)) {
        random_layout_close(out);
        random_layout_open(out, random, model, world);
    }
}

bool drawn_holds(const struct reshard_model *model, const struct reshard_layout_options *options,
                 uint32_t tensor, uint64_t rank)
{
    struct oracle_places places = oracle_places(model, options, tensor, rank);
    const bool holds = places.held > 0;

    oracle_places_release(&places);
    return holds;
}

void drawn_sayings(struct test_random *random, const struct reshard_model *model,
                   const struct reshard_layout_options *options, uint64_t rank, bool all,
                   bool *mine, bool *agreed)
{
    const uint64_t world = oracle_world(options);

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const bool truth = test_random_below(random, 2) || all;
        bool held = false, spoken = false;
        mine[t] = agreed[t] = false;
        if (!reshard_tensor_is_slot(reshard_model_tensor(model, t)))
            continue;
        for (uint64_t other = 0; other < world; other++) {
            const bool holds = drawn_holds(model, options, t, other);
            const bool any = test_random_below(random, 2) == 0;
            const bool says = holds ? truth : any || (all && other == 0);
            if (other == rank)
                mine[t] = says;
            held = held || holds;
            spoken = spoken || says;
        }
        agreed[t] = held ? truth : spoken;
    }
}
