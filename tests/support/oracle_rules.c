/*
 * Who holds what, one element at a time: FORMAT.md section 4 read literally. Of each dimension a
 * rank has a list of indices, and cutting the dimension makes the list shorter; an element is held
 * if all of its indices are in their lists. A flat parameter is a list of entries that go by one
 * after the other.
 */
#include "support/oracle.h"
#include "support/said.h"

#include <stdlib.h>
#include <string.h>

static void *must_have(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);

    if (!memory)
        abort();
    return memory;
}

/* ---- what a rank has of a tensor ------------------------------------------------------------- */

/* The indices that a rank has of one dimension, and the part that each is of. */
struct list {
    uint64_t count;
    uint64_t *index;
    uint32_t *part;
};

struct local {
    struct list list[RESHARD_DIMS_MAX];
    uint32_t ndim;
    uint32_t parts; /* at least one */
    uint32_t parted;
};

static struct list list_whole(uint64_t size)
{
    struct list list = {size, must_have(size, sizeof *list.index),
                        must_have(size, sizeof *list.part)};

    for (uint64_t i = 0; i < size; i++)
        list.index[i] = i;
    return list;
}

/* Coordinate k's chunk of the entries from `begin` on, which are moved to `to`: how many. */
static uint64_t keep(struct list *list, uint64_t begin, uint64_t entries, uint64_t ways, uint64_t k,
                     uint64_t to)
{
    const uint64_t chunk = said_chunk(entries, ways);
    uint64_t kept = 0;

    for (uint64_t i = chunk * k; i < chunk * (k + 1) && i < entries; i++) {
        list->index[to + kept] = list->index[begin + i];
        list->part[to + kept++] = list->part[begin + i];
    }
    return kept;
}

static void keep_of_parts(struct list *list, const struct reshard_rule *rule, uint64_t ways,
                          uint64_t k)
{
    uint64_t begin = 0, kept = 0;

    for (uint32_t p = 0; p < rule->section_count; p++) {
        for (uint64_t i = 0; i < rule->section[p]; i++)
            list->part[begin + i] = p;
        kept += keep(list, begin, rule->section[p], ways, k, kept);
        begin += rule->section[p];
    }
    list->count = kept;
}

/* The shape that is cut: the tensor's own; of one that has an element for a block its parameter's,
 * whose elements say where blocks are. */
static const struct reshard_shape *cut_shape(const struct said *said)
{
    return said->asked->slot_class == RESHARD_CLASS_BLOCKWISE ? &said->tensor->shape
                                                              : &said->asked->shape;
}

/* Which of the dimensions of that shape a mesh dimension cuts: the parameter's before the last may
 * be missing, and the last one stand there. */
static uint32_t cut_dimension(const struct said *said, int dim)
{
    const uint32_t number = (uint32_t)said->set[dim].number, ndim = said->tensor->shape.ndim;
    const bool missing = cut_shape(said)->ndim < ndim;

    return missing && number == ndim - 1 ? ndim - 2 : number;
}

static struct local local_of(const struct said *said, const struct mesh *mesh, const uint64_t *at)
{
    const struct reshard_shape *shape = cut_shape(said);
    struct local local = {.ndim = shape->ndim, .parts = 1};
    static const int order[] = {E, T, S};

    for (uint32_t d = 0; d < shape->ndim; d++)
        local.list[d] = list_whole(shape->size[d]);
    for (int i = 0; i < 3; i++) {
        const int dim = order[i];
        if (!said->cut[dim])
            continue;
        const uint32_t on = cut_dimension(said, dim);
        struct list *list = &local.list[on];
        if (dim == T && said->sections) {
            keep_of_parts(list, said->sections, mesh->size[T], at[T]);
            local.parts = said->sections->section_count;
            local.parted = on;
        } else if (dim == S) {
            list->count = keep(list, 0, list->count, said_data_ways(said, mesh),
                               said_data_coordinate(said, mesh, at), 0);
        } else {
            list->count = keep(list, 0, list->count, mesh->size[dim], at[dim], 0);
        }
    }
    return local;
}

static void local_release(struct local *local)
{
    for (uint32_t d = 0; d < local->ndim; d++) {
        free(local->list[d].index);
        free(local->list[d].part);
    }
}

/* Whether a rank has the element, and of which part. */
static bool local_has(const struct local *local, const uint64_t *index, uint32_t *part)
{
    *part = 0;
    for (uint32_t d = 0; d < local->ndim; d++) {
        const struct list *list = &local->list[d];
        uint64_t i = 0;
        while (i < list->count && list->index[i] != index[d])
            i++;
        if (i == list->count)
            return false;
        if (local->parts > 1 && d == local->parted)
            *part = list->part[i];
    }
    return true;
}

/* The box around what a rank has of one part; false when that is nothing. */
static bool local_box(const struct local *local, uint32_t part, struct reshard_box *box)
{
    *box = (struct reshard_box){.ndim = local->ndim};
    for (uint32_t d = 0; d < local->ndim; d++) {
        bool any = false;
        for (uint64_t i = 0; i < local->list[d].count; i++) {
            const uint64_t index = local->list[d].index[i];
            if (local->parts > 1 && d == local->parted && local->list[d].part[i] != part)
                continue;
            if (!any || index < box->begin[d])
                box->begin[d] = index;
            if (!any || index >= box->end[d])
                box->end[d] = index + 1;
            any = true;
        }
        if (!any)
            return false;
    }
    return true;
}

static void add_box(struct oracle_places *places, const struct reshard_box *box)
{
    if (places->boxes == ORACLE_BOXES_MAX)
        abort();
    places->box[places->boxes++] = *box;
}

/* All that a rank has, part by part. */
static void place_local(struct oracle_places *places, const struct said *said,
                        const struct local *local)
{
    const struct reshard_box whole = reshard_box_whole(&said->asked->shape);

    for (uint32_t part = 0; part < local->parts; part++) {
        struct oracle_walk walk = oracle_walk(&whole);
        struct reshard_box box;
        uint32_t its;
        for (uint64_t e = 0; oracle_walk_next(&walk); e++)
            if (local_has(local, walk.index, &its) && its == part)
                places->packed[e] = places->held++;
        if (local_box(local, part, &box))
            add_box(places, &box);
    }
}

/* ---- flat parameters ------------------------------------------------------------------------- */

/* Elements [begin, end) of a row-major box, from dimension d on. */
static void cut_interval(struct oracle_places *places, const struct reshard_box *box, uint32_t d,
                         uint64_t begin, uint64_t end)
{
    struct reshard_box piece = *box;
    uint64_t row = 1;

    if (begin == end)
        return;
    for (uint32_t i = d + 1; i < box->ndim; i++)
        row *= box->end[i] - box->begin[i];
    if (d == box->ndim) {
        add_box(places, box);
        return;
    }
    if (begin / row == (end - 1) / row && end - begin != row) {
        piece.begin[d] = box->begin[d] + begin / row;
        piece.end[d] = piece.begin[d] + 1;
        cut_interval(places, &piece, d + 1, begin % row, (end - 1) % row + 1);
        return;
    }
    const uint64_t first = (begin + row - 1) / row, last = end / row;
    if (begin % row)
        cut_interval(places, box, d, begin, first * row);
    if (first < last) {
        piece.begin[d] = box->begin[d] + first;
        piece.end[d] = box->begin[d] + last;
        add_box(places, &piece);
    }
    if (end % row)
        cut_interval(places, box, d, last * row, end);
}

/* One entry of a flat parameter at a time goes by: padding, or an element of a tensor. */
struct flat_walk {
    struct oracle_places *places;
    uint32_t wanted;
    uint64_t begin, end; /* the holder's entries; set for the second walk */
    uint64_t passed;     /* elements of the wanted tensor so far */
};

static void entry(struct flat_walk *walk, bool wanted, uint64_t element)
{
    const uint64_t at = walk->places->total++;

    walk->passed += wanted;
    if (!wanted || at < walk->begin || at >= walk->end)
        return;
    if (walk->places->held == 0)
        walk->places->first = walk->passed - 1;
    walk->places->last = walk->passed;
    walk->places->flat[element] = at - walk->begin;
    walk->places->packed[element] = walk->places->held++;
}

static void walk_tensor(struct flat_walk *walk, const struct said *said, const struct mesh *mesh,
                        const uint64_t *at)
{
    const struct reshard_box whole = reshard_box_whole(&said->tensor->shape);
    struct oracle_walk elements = oracle_walk(&whole);
    struct local local = local_of(said, mesh, at);
    uint32_t part;

    for (uint64_t e = 0; oracle_walk_next(&elements); e++)
        if (local_has(&local, elements.index, &part))
            entry(walk, said->index == walk->wanted, e);
    local_release(&local);
}

static void walk_unit(struct flat_walk *walk, const struct reshard_model *model,
                      const struct reshard_layout_options *options, const struct said *wanted,
                      const uint64_t *at)
{
    const struct mesh mesh = said_mesh(options);
    const uint64_t bytes =
        said_flat_bytes(options->forward ? options->forward : wanted->tensor->dtype);

    walk->places->total = walk->passed = 0;
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct said said = said_of(model, options, t);
        uint64_t expert;
        if (said.index != t || !said_in_one_unit(&said, wanted, &mesh))
            continue;
        if (said_coordinate(&said, &mesh, E, &expert) && expert != at[E])
            continue;
        while (options->orig_params && walk->places->total % (16 / bytes) != 0)
            entry(walk, false, 0);
        if (t == walk->wanted)
            walk->places->begin = walk->places->total;
        walk_tensor(walk, &said, &mesh, at);
    }
    while (options->orig_params && walk->places->total % said_data_ways(wanted, &mesh) != 0)
        entry(walk, false, 0);
}

/* The boxes of elements [first, last) of what a rank has after other cuts, part by part. */
static void add_interval(struct oracle_places *places, const struct local *local, uint64_t first,
                         uint64_t last)
{
    uint64_t passed = 0;

    for (uint32_t part = 0; first < last && part < local->parts; part++) {
        struct reshard_box box;
        if (!local_box(local, part, &box))
            continue;
        const uint64_t count = reshard_box_count(&box), end = passed + count;
        if (first < end && last > passed)
            cut_interval(places, &box, 0, first > passed ? first - passed : 0,
                         (last < end ? last : end) - passed);
        passed = end;
    }
}

static void place_flat(struct oracle_places *places, const struct reshard_model *model,
                       const struct reshard_layout_options *options, const struct said *said,
                       const uint64_t *at)
{
    const struct mesh mesh = said_mesh(options);
    struct flat_walk walk = {.places = places, .wanted = said->index};
    struct local local = local_of(said, &mesh, at);

    walk_unit(&walk, model, options, said, at);
    places->shard = said_chunk(places->total, said_data_ways(said, &mesh));
    walk.begin = places->shard * said_data_coordinate(said, &mesh, at);
    walk.end = walk.begin + places->shard;
    walk_unit(&walk, model, options, said, at);
    if (places->held)
        add_interval(places, &local, places->first, places->last);
    local_release(&local);
}

/* ---- places ---------------------------------------------------------------------------------- */

static int by_first_element(const void *a, const void *b)
{
    const struct reshard_box *x = a, *y = b;

    for (uint32_t d = 0; d < x->ndim; d++)
        if (x->begin[d] != y->begin[d])
            return x->begin[d] < y->begin[d] ? -1 : 1;
    return 0;
}

static void place_given(struct oracle_places *places, const struct said *said, uint64_t holder)
{
    const struct reshard_box whole = reshard_box_whole(&said->tensor->shape);

    for (uint64_t i = 0; i < said->boxes->box_count; i++)
        if (said->boxes->box[i].rank == holder)
            add_box(places, &said->boxes->box[i].box);
    qsort(places->box, places->boxes, sizeof *places->box, by_first_element);
    for (uint64_t i = 0; i < places->boxes; i++) {
        struct oracle_walk walk = oracle_walk(&places->box[i]);
        while (oracle_walk_next(&walk))
            places->packed[oracle_number(walk.index, &whole)] = places->held++;
    }
    places->part = places->boxes > 0;
}

static void place_row(struct oracle_places *places, const struct said *said, uint64_t holder)
{
    const uint64_t row = said->tensor->count / said->tensor->shape.size[0];
    struct reshard_box box = reshard_box_whole(&said->tensor->shape);

    for (uint64_t e = 0; e < row; e++)
        places->packed[holder * row + e] = places->held++;
    box.begin[0] = holder;
    box.end[0] = holder + 1;
    if (row)
        add_box(places, &box);
    places->part = true;
}

/* ---- slots of another shape than their parameter's ------------------------------------------- */

/* An element of a slot, and the one of the parameter that it goes by, which is its first. A row
 * goes by a place in what a rank has of the parameter after other cuts, a block by the parameter's
 * own numbering. */
static void place_rows(struct oracle_places *places, const struct said *said,
                       const struct mesh *mesh, const uint64_t *at,
                       const struct oracle_places *parameter, const struct said *of)
{
    const struct reshard_box whole = reshard_box_whole(&said->asked->shape);
    struct local local = local_of(said, mesh, at), beside = local_of(of, mesh, at);
    const uint64_t width = beside.list[beside.ndim - 1].count;
    struct oracle_walk walk = oracle_walk(&whole);
    uint64_t row = 0, first = 0, last = 0;
    uint32_t part;

    for (uint64_t e = 0; oracle_walk_next(&walk); e++) {
        if (!local_has(&local, walk.index, &part))
            continue;
        if (row * width >= parameter->first && row * width < parameter->last) {
            first = places->held ? first : row;
            last = row + 1;
            places->packed[e] = places->held++;
        }
        row++;
    }
    add_interval(places, &local, first, last);
    local_release(&local);
    local_release(&beside);
}

/* The blocks of a part, which are one after the other. */
static void place_blocks(struct oracle_places *places, const struct said *said,
                         const struct local *local, const struct oracle_places *parameter)
{
    const struct reshard_box whole = reshard_box_whole(&said->tensor->shape);

    for (uint32_t part = 0; part < local->parts; part++) {
        struct oracle_walk walk = oracle_walk(&whole);
        struct reshard_box box = {.ndim = 1};
        uint32_t its;
        for (uint64_t e = 0; oracle_walk_next(&walk); e++) {
            const uint64_t block = e / said->asked->block;
            if (e % said->asked->block != 0 || !local_has(local, walk.index, &its) || its != part ||
                (parameter && parameter->packed[e] == ORACLE_ABSENT))
                continue;
            if (box.end[0] == 0)
                box.begin[0] = block;
            else if (box.end[0] != block)
                abort();
            box.end[0] = block + 1;
            places->packed[block] = places->held++;
        }
        if (box.end[0] > 0)
            add_box(places, &box);
    }
}

/* A slot that is cut where its parameter's shard of a flat one is. */
static void place_beside_flat(struct oracle_places *places, const struct reshard_model *model,
                              const struct reshard_layout_options *options, const struct said *said,
                              uint64_t holder, const uint64_t *at)
{
    const struct mesh mesh = said_mesh(options);
    const struct said of = said_of(model, options, said->index);
    struct oracle_places parameter = oracle_places(model, options, said->index, holder);

    if (said->asked->slot_class == RESHARD_CLASS_ROW) {
        place_rows(places, said, &mesh, at, &parameter, &of);
    } else {
        struct local local = local_of(said, &mesh, at);
        place_blocks(places, said, &local, &parameter);
        local_release(&local);
    }
    oracle_places_release(&parameter);
}

/* Not flat: by indices alone. */
static void place_cut(struct oracle_places *places, const struct said *said,
                      const struct mesh *mesh, const uint64_t *at)
{
    struct local local = local_of(said, mesh, at);

    if (said->asked->slot_class == RESHARD_CLASS_BLOCKWISE)
        place_blocks(places, said, &local, NULL);
    else
        place_local(places, said, &local);
    local_release(&local);
}

/* ---- all of them ----------------------------------------------------------------------------- */

struct oracle_places oracle_places(const struct reshard_model *model,
                                   const struct reshard_layout_options *options, uint32_t tensor,
                                   uint64_t holder)
{
    const struct reshard_tensor *asked = reshard_model_tensor(model, tensor);
    const struct said said = said_of(model, options, tensor);
    const struct mesh mesh = said_mesh(options);
    const bool like = asked->slot_class == RESHARD_CLASS_LIKE;
    struct oracle_places places = {.count = asked->count, .is_flat = said.flat && like};
    uint64_t at[DIMS], one;

    places.packed = must_have(places.count, sizeof *places.packed);
    places.flat = must_have(places.count, sizeof *places.flat);
    memset(places.packed, 0xff, places.count * sizeof *places.packed);
    memset(places.flat, 0xff, places.count * sizeof *places.flat);
    said_coordinates(&mesh, holder, at);
    if (said.tensor->role == RESHARD_ROLE_PER_RANK) {
        place_row(&places, &said, holder);
        return places;
    }
    if (holder >= mesh.ranks)
        return places;
    if (said_is_given(&said)) {
        place_given(&places, &said, holder);
        return places;
    }
    if ((said_coordinate(&said, &mesh, P, &one) && one != at[P]) ||
        (said_coordinate(&said, &mesh, E, &one) && one != at[E]))
        return places;
    places.part = true;
    if (!said.flat_cut)
        place_cut(&places, &said, &mesh, at);
    else if (like)
        place_flat(&places, model, options, &said, at);
    else
        place_beside_flat(&places, model, options, &said, holder, at);
    return places;
}

void oracle_places_release(struct oracle_places *places)
{
    free(places->packed);
    free(places->flat);
    *places = (struct oracle_places){.count = 0};
}

/* ---- who writes what ------------------------------------------------------------------------- */

/* Neither cut nor fixed; a flat tensor is cut along its data dimensions. */
static void free_dims(const struct said *said, bool *out)
{
    const bool data = said->cut[S] || said->flat_cut;
    const enum reshard_how expert = said->set[E].how;

    out[P] = said->set[P].how == RESHARD_HOW_WHOLE;
    out[R] = true;
    out[S] = !data;
    out[E] = expert == RESHARD_HOW_DEFAULT
                 ? !data
                 : expert == RESHARD_HOW_WHOLE || (expert == RESHARD_HOW_CUT && !said->cut[E]);
    out[T] = !said->cut[T];
}

static uint64_t candidate_of(const struct said *said, const struct mesh *mesh, const uint64_t *at)
{
    uint64_t number = 0;
    bool free_dim[DIMS];

    free_dims(said, free_dim);
    for (int d = 0; d < DIMS; d++)
        if (free_dim[d])
            number = number * mesh->size[d] + at[d];
    return number;
}

/* All that the choice of owners needs: the tensors' bytes, and who holds what. */
struct owning {
    const struct reshard_model *model;
    const struct reshard_layout_options *options;
    struct mesh mesh;
    uint64_t world;
    const struct oracle_places *places; /* of tensor t and rank r: t * world + r */
    bool *owner;                        /* likewise */
    uint32_t *group;                    /* by tensor: the first one of its group */
    uint64_t *begin;                    /* by tensor: of its parameter in a flat parameter */
};

static const struct oracle_places *places_of(const struct owning *owning, uint32_t tensor,
                                             uint64_t rank)
{
    return &owning->places[tensor * owning->world + rank];
}

static bool is_given(const struct owning *owning, uint32_t tensor)
{
    const struct said said = said_of(owning->model, owning->options, tensor);

    return said_is_given(&said);
}

/* Whether two ranks have the same elements of a tensor. */
static bool same_places(const struct owning *owning, uint32_t tensor, uint64_t a, uint64_t b)
{
    const struct oracle_places *mine = places_of(owning, tensor, a);
    const struct oracle_places *theirs = places_of(owning, tensor, b);

    return mine->part && theirs->part &&
           memcmp(mine->packed, theirs->packed, mine->count * sizeof *mine->packed) == 0;
}

/* Of boxes given: two tensors whose ranks go together in the same way. */
static bool same_members(const struct owning *owning, uint32_t t, uint32_t u)
{
    for (uint64_t a = 0; a < owning->world; a++)
        for (uint64_t b = 0; b <= a; b++)
            if (same_places(owning, t, a, b) != same_places(owning, u, a, b))
                return false;
    return true;
}

/* Of cuts: two tensors that have the same dimensions free, and are fixed at the same coordinates.
 */
static bool same_dims(const struct owning *owning, uint32_t t, uint32_t u)
{
    const struct said a = said_of(owning->model, owning->options, t);
    const struct said b = said_of(owning->model, owning->options, u);
    bool left[DIMS], right[DIMS];

    free_dims(&a, left);
    free_dims(&b, right);
    for (int d = P; d < DIMS; d++) {
        uint64_t its = 0, others = 0;
        const bool fixed = (d == P || d == E) && said_coordinate(&a, &owning->mesh, d, &its);
        if (fixed != ((d == P || d == E) && said_coordinate(&b, &owning->mesh, d, &others)) ||
            its != others || left[d] != right[d])
            return false;
    }
    return true;
}

static bool is_dealt(const struct owning *owning, uint32_t tensor)
{
    const struct said said = said_of(owning->model, owning->options, tensor);

    return reshard_role_is_saved(said.tensor->role) && said.tensor->role != RESHARD_ROLE_PER_RANK;
}

static bool in_one_group(const struct owning *owning, uint32_t t, uint32_t u)
{
    const bool given = is_given(owning, t);

    if (!is_dealt(owning, t) || !is_dealt(owning, u) || given != is_given(owning, u))
        return false;
    return given ? same_members(owning, t, u) : same_dims(owning, t, u);
}

static uint64_t bytes_of(const struct owning *owning, uint32_t t)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(owning->model, t);

    return tensor->count * reshard_dtype_bytes(tensor->dtype);
}

/* Where a tensor's parameter begins in its flat parameter, 0 where that is none. */
static uint64_t begin_of(const struct owning *owning, uint32_t t)
{
    const uint32_t parameter = said_of(owning->model, owning->options, t).index;

    for (uint64_t rank = 0; rank < owning->world; rank++)
        if (places_of(owning, parameter, rank)->part)
            return places_of(owning, parameter, rank)->begin;
    return 0;
}

static uint32_t group_of(const struct owning *owning, uint32_t tensor)
{
    uint32_t first = 0;

    while (first < tensor && !in_one_group(owning, first, tensor))
        first++;
    return first;
}

/* Whether a tensor's turn is before that of a later one. */
static bool is_first(const struct owning *owning, uint32_t t, uint32_t later)
{
    if (bytes_of(owning, t) != bytes_of(owning, later))
        return bytes_of(owning, t) > bytes_of(owning, later);
    return owning->begin[t] <= owning->begin[later];
}

/* Which of n a tensor is dealt to: its group's tensors are gone through, the largest that is left
 * first, until it is this one's turn. */
static uint64_t dealt_to(const struct owning *owning, uint32_t tensor, uint64_t n)
{
    const uint32_t tensors = reshard_model_tensor_count(owning->model);
    uint64_t *bytes = must_have(n, sizeof *bytes), to = 0;
    bool *done = must_have(tensors, sizeof *done);
    uint32_t next = UINT32_MAX;

    for (uint32_t t = 0; t < tensors; t++)
        done[t] = owning->group[t] != owning->group[tensor];
    while (next != tensor) {
        next = UINT32_MAX;
        for (uint32_t t = 0; t < tensors; t++)
            if (!done[t] && (next == UINT32_MAX || !is_first(owning, next, t)))
                next = t;
        to = 0;
        for (uint64_t k = 1; k < n; k++)
            to = bytes[k] < bytes[to] ? k : to;
        bytes[to] += bytes_of(owning, next);
        done[next] = true;
    }
    free(bytes);
    free(done);
    return to;
}

/* The owners of a tensor's sets of boxes: of each, the member that it comes to. */
static void own_sets(const struct owning *owning, uint32_t tensor)
{
    for (uint64_t rank = 0; rank < owning->world; rank++) {
        uint64_t members = 0, before = 0;
        for (uint64_t other = 0; other < owning->world; other++) {
            if (!same_places(owning, tensor, rank, other))
                continue;
            members++;
            before += other < rank;
        }
        owning->owner[tensor * owning->world + rank] =
            members && dealt_to(owning, tensor, members) == before;
    }
}

static bool may_own(const struct owning *owning, uint32_t tensor, uint64_t rank)
{
    uint64_t at[DIMS];

    said_coordinates(&owning->mesh, rank, at);
    return places_of(owning, tensor, rank)->part &&
           (!owning->options->owner || at[R] == owning->options->owner - 1);
}

/* The candidates that may own, by their numbers, and which of them the tensor comes to. */
static void own_candidate(const struct owning *owning, uint32_t tensor)
{
    const struct said said = said_of(owning->model, owning->options, tensor);
    uint64_t *candidate = must_have(owning->world, sizeof *candidate), at[DIMS], n = 0, to;
    bool *there = must_have(owning->world, sizeof *there);

    for (uint64_t rank = 0; rank < owning->world; rank++) {
        said_coordinates(&owning->mesh, rank, at);
        candidate[rank] = candidate_of(&said, &owning->mesh, at);
        if (may_own(owning, tensor, rank))
            there[candidate[rank]] = true;
    }
    for (uint64_t c = 0; c < owning->world; c++)
        n += there[c];
    to = dealt_to(owning, tensor, n);
    for (uint64_t rank = 0; rank < owning->world; rank++) {
        uint64_t before = 0;
        for (uint64_t c = 0; may_own(owning, tensor, rank) && c < candidate[rank]; c++)
            before += there[c];
        owning->owner[tensor * owning->world + rank] =
            may_own(owning, tensor, rank) && before == to;
    }
    free(candidate);
    free(there);
}

bool *oracle_owners(const struct reshard_model *model, const struct reshard_layout_options *options,
                    const struct oracle_places *places)
{
    const uint32_t tensors = reshard_model_tensor_count(model);
    const uint64_t world = oracle_world(options);
    const struct owning owning = {.model = model,
                                  .options = options,
                                  .mesh = said_mesh(options),
                                  .world = world,
                                  .places = places,
                                  .owner = must_have(tensors * world, sizeof(bool)),
                                  .group = must_have(tensors, sizeof(uint32_t)),
                                  .begin = must_have(tensors, sizeof(uint64_t))};

    for (uint32_t t = 0; t < tensors; t++) {
        owning.group[t] = group_of(&owning, t);
        owning.begin[t] = begin_of(&owning, t);
    }
    for (uint32_t t = 0; t < tensors; t++) {
        const struct said said = said_of(model, options, t);
        if (said.tensor->role == RESHARD_ROLE_PER_RANK)
            for (uint64_t rank = 0; rank < world; rank++)
                owning.owner[t * world + rank] = true;
        else if (is_dealt(&owning, t) && is_given(&owning, t))
            own_sets(&owning, t);
        else if (is_dealt(&owning, t))
            own_candidate(&owning, t);
    }
    free(owning.group);
    free(owning.begin);
    return owning.owner;
}
