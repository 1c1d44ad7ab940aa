#include "support/matrix.h"

#include "support/odd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYOUTS_LEAST = 14 };

const uint64_t matrix_worlds[MATRIX_WORLDS] = {1, 2, 3, 4, 5, 7, 8, 16};

static enum reshard_status layout_open(struct reshard_layout **out,
                                       const struct reshard_model *model, unsigned kind,
                                       uint64_t ranks, uint64_t world, const char **name,
                                       struct reshard_error *error)
{
    struct odd_boxes *boxes = calloc(1, sizeof *boxes);
    struct reshard_layout_options options;
    enum reshard_status status = RESHARD_ENOENT;

    if (odd_layout(kind, ranks, boxes, name, &options)) {
        if (options.world < world)
            options.world = world;
        status = reshard_layout_open(out, model, &options, error);
    }
    free(boxes);
    return status;
}

bool matrix_place_open(struct matrix_place *place, struct ranks *ranks,
                       const struct matrix_config *config, uint64_t world)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const char *name;

    *place = (struct matrix_place){.model = odd_model(world)};
    return EXPECT(ranks, place->model != NULL) &&
           EXPECT_STATUS(ranks,
                         layout_open(&place->layout, place->model, config->kind, config->ranks,
                                     world, &name, &error),
                         RESHARD_OK, &error) &&
           EXPECT_STATUS(ranks,
                         reshard_state_open(&place->state, place->layout, (uint64_t)ranks->rank),
                         RESHARD_OK, NULL) &&
           EXPECT_STATUS(ranks, reshard_state_allocate(place->state, &error), RESHARD_OK, &error);
}

void matrix_place_close(struct matrix_place *place)
{
    reshard_state_close(place->state);
    reshard_layout_close(place->layout);
    reshard_model_close(place->model);
}

/* ---- which there are ------------------------------------------------------------------------- */

unsigned matrix_list(struct ranks *ranks, uint64_t most, struct matrix_config *out)
{
    unsigned count = 0, refused = 0, kinds = 0;

    for (unsigned w = 0; w < MATRIX_WORLDS && matrix_worlds[w] <= most; w++) {
        struct reshard_model *model = odd_model(matrix_worlds[w]);
        enum reshard_status status = RESHARD_OK;
        for (unsigned kind = 0; status != RESHARD_ENOENT; kind++) {
            struct reshard_error error = RESHARD_ERROR_INIT;
            struct reshard_layout *layout = NULL;
            const char *name = "";
            status = layout_open(&layout, model, kind, matrix_worlds[w], matrix_worlds[w], &name,
                                 &error);
            if (status == RESHARD_OK)
                out[count++] = (struct matrix_config){kind, matrix_worlds[w], name};
            else if (status != RESHARD_ENOENT) {
                refused++;
                EXPECT_STATUS(ranks, status, RESHARD_EINVAL, &error);
                EXPECT(ranks, strlen(error.text) > 20);
            }
            kinds = kind > kinds ? kind : kinds;
            reshard_layout_close(layout);
        }
        reshard_model_close(model);
    }
    EXPECT(ranks, kinds >= LAYOUTS_LEAST);
    EXPECT(ranks, most < 3 || refused > 0); /* two ways do not divide three ranks */
    if (ranks->rank == 0)
        printf("%u layouts, %u valid configurations, %u refused with a reason\n", kinds, count,
               refused);
    return count;
}
