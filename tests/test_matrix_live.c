/*
 * Any layout becomes any other in memory. A model that has every odd tensor, under every layout
 * that is valid on the first ranks of one world: each becomes every other, by an exchange. After
 * each every byte that a rank holds is compared with what it must hold, padding with what it was;
 * and no byte more may have gone over the network than ranks lacked.
 */
#include "parallel/exchange.h"
#include "support/matrix.h"
#include "support/odd.h"
#include "support/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STAIN = 0xA5 };

static void exchange_one(struct ranks *ranks, struct reshard_group *group,
                         const struct matrix_place *source, struct matrix_place *target,
                         const struct matrix_config *from, const struct matrix_config *to)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {0};
    uint64_t wrong;

    sample_stain(target->state, STAIN);
    if (!EXPECT_STATUS(ranks,
                       reshard_exchange(group, source->state, target->state, NULL, &report, &error),
                       RESHARD_OK, &error))
        return;
    wrong = odd_wrong_bytes(target->state, NULL) + sample_touched_padding(target->state, STAIN);
    if (wrong)
        printf("live, %s of %" PRIu64 " to %s of %" PRIu64 ": %" PRIu64 " bytes are wrong\n",
               from->name, from->ranks, to->name, to->ranks, wrong);
    EXPECT(ranks, wrong == 0);
    EXPECT(ranks, report.bytes_sent == report.bytes_lacking);
    EXPECT(ranks, ranks->size > 1 || report.bytes_sent == 0);
}

static void every_live_configuration_becomes_every_other(struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct matrix_config config[MATRIX_CONFIGS_MAX];
    const unsigned count = matrix_list(ranks, world, config);
    struct matrix_place *place = calloc(count + 1, sizeof *place);
    struct reshard_group *group = NULL;
    bool opened =
        EXPECT(ranks, place != NULL) &&
        EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                      RESHARD_OK, &error);

    for (unsigned i = 0; opened && i < count; i++)
        opened = matrix_place_open(&place[i], ranks, &config[i], world);
    for (unsigned from = 0; opened && from < count; from++) {
        struct matrix_place source;
        opened = matrix_place_open(&source, ranks, &config[from], world);
        if (opened)
            odd_fill(source.state);
        for (unsigned to = 0; opened && to < count; to++)
            exchange_one(ranks, group, &source, &place[to], &config[from], &config[to]);
        matrix_place_close(&source);
    }
    for (unsigned i = 0; place && i < count; i++)
        matrix_place_close(&place[i]);
    free(place);
    reshard_group_close(group);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"every live configuration becomes every other",
         every_live_configuration_becomes_every_other},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
