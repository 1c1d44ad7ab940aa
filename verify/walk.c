#include "verify/walk.h"

#include "verify/flat.h"

/* --- boxes that come from deals --------------------------------------------------------------- */

static void begin_dealt(struct verify_walk *walk, const struct verify_rules *rules,
                        const struct verify_placement *placement,
                        const uint64_t coordinate[VERIFY_AXES])
{
    for (uint32_t d = 0; d < walk->tensor->ndim; ++d) {
        const struct verify_deal *deal = placement->deal[d];

        walk->stretch[d][0].end = walk->tensor->shape[d];
        walk->stretches[d] = 1;
        if (deal)
            walk->stretches[d] = verify_deal_stretches(
                deal, verify_deal_holder(rules, deal, coordinate), walk->stretch[d]);
        walk->ended = walk->ended || walk->stretches[d] == 0 || walk->tensor->shape[d] == 0;
    }
}

/* The next choice of one stretch in each dimension, the last one fastest. */
static bool next_dealt(struct verify_walk *walk, struct verify_box *box)
{
    uint32_t d = walk->tensor->ndim;

    if (walk->ended)
        return false;
    *box = (struct verify_box){.ndim = d};
    for (uint32_t i = 0; i < box->ndim; ++i) {
        const struct verify_stretch *stretch = &walk->stretch[i][walk->chosen[i]];

        box->begin[i] = stretch->begin;
        box->end[i] = stretch->end;
    }
    while (d-- > 0) {
        if (++walk->chosen[d] < walk->stretches[d])
            return true;
        walk->chosen[d] = 0;
    }
    walk->ended = true;
    return true;
}

/* --- flat parameters -------------------------------------------------------------------------- */

static void begin_flat(struct verify_walk *walk, const struct verify_placement *placement,
                       uint64_t data_coordinate)
{
    struct verify_flat_part part;

    walk->flat = true;
    if (!verify_flat_part_of(&placement->flat, data_coordinate, &part))
        return;
    walk->begin = part.begin;
    walk->end = part.end;
    walk->local = part.local;
}

static void begin_rows(struct verify_walk *walk, const struct verify_placement *placement,
                       uint64_t data_coordinate)
{
    struct verify_flat_part rows;

    walk->flat = true;
    if (!verify_flat_rows_of(&placement->flat, placement->width, data_coordinate, &rows))
        return;
    walk->begin = rows.begin;
    walk->end = rows.end;
}

/*
 * FORMAT.md cuts an interval of a row-major box into boxes from the outside in; seen from its first
 * element `at`, that gives the largest block which begins there: as many whole sub-arrays of the
 * outermost dimension that begins one at `at` and has room for one before `end`, without leaving
 * the sub-array around them.
 */
static struct verify_box block_from(const struct verify_box *in, uint64_t at, uint64_t end)
{
    struct verify_box box = *in;
    uint64_t around = verify_box_elements(in);

    for (uint32_t d = 0; d < in->ndim; ++d) {
        const uint64_t inside = around / (in->end[d] - in->begin[d]);
        const uint64_t room = around - at % around;
        const uint64_t left = end - at < room ? end - at : room;

        box.begin[d] = in->begin[d] + at % around / inside;
        box.end[d] = box.begin[d] + 1;
        if (at % inside == 0 && left >= inside) {
            box.end[d] = box.begin[d] + left / inside;
            return box;
        }
        around = inside;
    }
    return box;
}

static bool next_flat(struct verify_walk *walk, struct verify_box *box)
{
    uint64_t end;

    if (walk->begin == walk->end)
        return false;
    while (walk->begin >= walk->behind) {
        if (!next_dealt(walk, &walk->around))
            return false;
        walk->before = walk->behind;
        walk->behind += verify_box_elements(&walk->around);
    }
    end = walk->end < walk->behind ? walk->end : walk->behind;
    *box = block_from(&walk->around, walk->begin - walk->before, end - walk->before);
    walk->begin += verify_box_elements(box);
    return true;
}

/* --- the walk --------------------------------------------------------------------------------- */

static bool next_given(struct verify_walk *walk, struct verify_box *box)
{
    if (walk->left == 0)
        return false;
    *box = walk->given->box;
    walk->given += 1;
    walk->left -= 1;
    return true;
}

static void begin_given(struct verify_walk *walk, const struct verify_placement *placement,
                        uint64_t rank)
{
    const struct verify_given_holder *holder = verify_given_find(placement->given, rank);

    walk->given = holder->box;
    walk->left = holder->count;
}

/* A row of dimension 0. */
static void begin_row(struct verify_walk *walk, uint64_t rank)
{
    for (uint32_t d = 0; d < walk->tensor->ndim; ++d) {
        walk->stretch[d][0] = (struct verify_stretch){0, walk->tensor->shape[d]};
        walk->stretches[d] = 1;
        walk->ended = walk->ended || walk->tensor->shape[d] == 0;
    }
    walk->stretch[0][0] = (struct verify_stretch){rank, rank + 1};
}

void verify_walk_begin(struct verify_walk *walk, const struct verify_rules *rules, uint32_t tensor,
                       uint64_t rank)
{
    const struct verify_placement *placement = &rules->placement[tensor];
    uint64_t coordinate[VERIFY_AXES];

    *walk = (struct verify_walk){.tensor = &rules->inventory->tensor[tensor]};
    walk->rows.ended = true;
    walk->ended = !verify_rules_present(rules, tensor, rank);
    if (walk->ended)
        return;
    verify_coordinates(rules, rank, coordinate);
    switch (placement->how) {
    case VERIFY_PLACED_PER_RANK:
        begin_row(walk, rank);
        break;
    case VERIFY_PLACED_GIVEN:
        begin_given(walk, placement, rank);
        break;
    case VERIFY_PLACED_FLAT:
        begin_dealt(walk, rules, placement, coordinate);
        begin_flat(walk, placement, verify_data_coordinate(rules, placement, coordinate));
        break;
    case VERIFY_PLACED_ROWS:
        begin_dealt(walk, rules, placement, coordinate);
        begin_rows(walk, placement, verify_data_coordinate(rules, placement, coordinate));
        break;
    case VERIFY_PLACED_DEALT:
        begin_dealt(walk, rules, placement, coordinate);
        break;
    }
}

bool verify_walk_box(struct verify_walk *walk, struct verify_box *box, uint64_t *local)
{
    const bool found = walk->given  ? next_given(walk, box)
                       : walk->flat ? next_flat(walk, box)
                                    : next_dealt(walk, box);

    *local = walk->local;
    if (found)
        walk->local += verify_box_elements(box);
    return found;
}

bool verify_walk_next(struct verify_walk *walk, struct verify_run *out)
{
    struct verify_box box;

    while (!verify_rows_next(&walk->rows, &out->begin)) {
        if (!verify_walk_box(walk, &box, &walk->row_local))
            return false;
        walk->rows = verify_rows_begin(&box, walk->tensor);
    }
    out->end = out->begin + walk->rows.run;
    out->local = walk->row_local;
    walk->row_local += walk->rows.run;
    return true;
}
