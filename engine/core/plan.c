#include "core/plan.h"

#include <inttypes.h>
#include <stdlib.h>

enum reshard_status plan_add(struct plan *plan, const struct plan_move *move)
{
    if (plan->count == plan->capacity) {
        const uint64_t capacity = plan->capacity ? 2 * plan->capacity : 64;
        struct plan_move *grown = reallocarray(plan->move, capacity, sizeof *grown);

        if (!grown)
            return RESHARD_ENOMEM;
        plan->move = grown;
        plan->capacity = capacity;
    }
    plan->move[plan->count++] = *move;
    return RESHARD_OK;
}

/* ---- what comes in --------------------------------------------------------------------------- */

/* The holder that supplies a shard to another: between ranks, the one itself if it has it, and
 * otherwise a replica that depends on who asks, so that all of them serve. */
static uint64_t supplier(const struct plan_sides *sides, uint32_t source_tensor, uint64_t shard,
                         uint64_t holder)
{
    const struct reshard_layout *source = sides->source;

    if (sides->files)
        return reshard_layout_owner(source, source_tensor, shard);
    if (reshard_layout_shard_of(source, source_tensor, holder) == shard)
        return holder;
    return reshard_layout_holder(source, source_tensor, shard,
                                 holder % reshard_layout_replicas(source, source_tensor, shard));
}

/*
 * A holder's pieces of a target tensor, in the source's terms: the rows of a PER_RANK entry that
 * was saved at another world size wrap around, and all else is as it is.
 */
static enum reshard_status target_pieces(const struct plan_sides *sides, uint32_t target_tensor,
                                         uint64_t holder, struct reshard_box_list *out)
{
    const struct reshard_tensor *tensor =
        reshard_model_tensor(reshard_layout_model(sides->target), target_tensor);
    const struct reshard_tensor *other =
        reshard_model_tensor(reshard_layout_model(sides->source), sides->from[target_tensor]);
    enum reshard_status status = reshard_layout_boxes(sides->target, target_tensor, holder, out);

    if (status || reshard_shape_equal(&tensor->shape, &other->shape))
        return status;
    for (uint64_t i = 0; i < out->count; i++) {
        out->box[i].begin[0] %= other->shape.size[0];
        out->box[i].end[0] = out->box[i].begin[0] + 1;
    }
    return RESHARD_OK;
}

/* The moves into one target piece from one source shard. */
static enum reshard_status plan_shard(struct plan *plan, const struct plan_sides *sides,
                                      uint64_t shard, uint64_t holder, struct plan_move *move)
{
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    enum reshard_status status;

    move->holder = supplier(sides, move->source_tensor, shard, holder);
    move->source_offset = 0;
    status = reshard_layout_boxes(sides->source, move->source_tensor, move->holder, &boxes);
    for (uint64_t i = 0; !status && i < boxes.count; i++) {
        move->source = boxes.box[i];
        if (reshard_box_intersect(&move->source, &move->target, &move->box))
            status = plan_add(plan, move);
        move->source_offset += reshard_box_count(&move->source);
    }
    reshard_box_list_release(&boxes);
    return status;
}

static enum reshard_status plan_tensor(struct plan *plan, const struct plan_sides *sides,
                                       uint32_t target_tensor, uint64_t holder)
{
    struct plan_move move = {.source_tensor = sides->from[target_tensor],
                             .target_tensor = target_tensor};
    struct reshard_box_list pieces = RESHARD_BOX_LIST_INIT;
    struct reshard_shard_list shards = RESHARD_SHARD_LIST_INIT;
    enum reshard_status status = target_pieces(sides, target_tensor, holder, &pieces);

    for (uint64_t i = 0; !status && i < pieces.count; i++) {
        move.target = pieces.box[i];
        shards.count = 0;
        status = reshard_layout_overlap(sides->source, move.source_tensor, &move.target, &shards);
        for (uint64_t s = 0; !status && s < shards.count; s++)
            status = plan_shard(plan, sides, shards.shard[s], holder, &move);
        move.target_offset += reshard_box_count(&move.target);
    }
    reshard_shard_list_release(&shards);
    reshard_box_list_release(&pieces);
    return status;
}

static int compare_moves(const void *a, const void *b)
{
    const struct plan_move *left = a, *right = b;

    if (left->holder != right->holder)
        return left->holder < right->holder ? -1 : 1;
    if (left->target_tensor != right->target_tensor)
        return left->target_tensor < right->target_tensor ? -1 : 1;
    for (uint32_t d = 0; d < left->box.ndim; d++)
        if (left->box.begin[d] != right->box.begin[d])
            return left->box.begin[d] < right->box.begin[d] ? -1 : 1;
    return 0;
}

void plan_sort(struct plan *plan)
{
    if (plan->count)
        qsort(plan->move, plan->count, sizeof *plan->move, compare_moves);
}

/* Shapes agree, but a wrapped entry's rows, which are counted anew. */
static bool shapes_agree(const struct reshard_tensor *tensor, const struct reshard_tensor *other)
{
    struct reshard_shape shape = tensor->shape;

    if (tensor->role == RESHARD_ROLE_PER_RANK && other->role == RESHARD_ROLE_PER_RANK &&
        tensor->other_world == RESHARD_OTHER_WORLD_WRAP && other->shape.ndim > 0 &&
        other->shape.size[0] > 0)
        shape.size[0] = other->shape.size[0];
    return reshard_shape_equal(&shape, &other->shape);
}

enum reshard_status plan_build(struct plan *out, const struct plan_sides *sides, uint64_t holder,
                               struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(sides->target);
    enum reshard_status status = RESHARD_OK;

    *out = (struct plan)PLAN_INIT;
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (sides->from[t] == PLAN_SKIP)
            continue;
        status = shapes_agree(tensor, reshard_model_tensor(reshard_layout_model(sides->source),
                                                           sides->from[t]))
                     ? plan_tensor(out, sides, t, holder)
                     : reshard_error_set(error, RESHARD_EMISMATCH, "tensor '%s': shapes differ",
                                         tensor->fqn);
    }
    if (!status)
        status = plan_check(out, sides, holder, error);
    if (status)
        plan_release(out);
    else
        plan_sort(out);
    return status;
}

/* ---- what goes out --------------------------------------------------------------------------- */

/* The moves from one piece of ours, `move->source`, into the pieces of one target holder. */
static enum reshard_status send_piece(struct plan *plan, const struct plan_sides *sides,
                                      struct plan_move *move)
{
    struct reshard_box_list pieces = RESHARD_BOX_LIST_INIT;
    enum reshard_status status =
        reshard_layout_boxes(sides->target, move->target_tensor, move->holder, &pieces);

    move->target_offset = 0;
    for (uint64_t i = 0; !status && i < pieces.count; i++) {
        move->target = pieces.box[i];
        if (reshard_box_intersect(&move->source, &move->target, &move->box))
            status = plan_add(plan, move);
        move->target_offset += reshard_box_count(&move->target);
    }
    reshard_box_list_release(&pieces);
    return status;
}

/* The moves from one piece of ours to all replicas of one target shard that we supply. */
static enum reshard_status send_shard(struct plan *plan, const struct plan_sides *sides,
                                      uint64_t mine, uint64_t shard, uint64_t holder,
                                      struct plan_move *move)
{
    const uint64_t replicas = reshard_layout_replicas(sides->target, move->target_tensor, shard);
    enum reshard_status status = RESHARD_OK;

    for (uint64_t r = 0; !status && r < replicas; r++) {
        move->holder = reshard_layout_holder(sides->target, move->target_tensor, shard, r);
        if (move->holder != holder &&
            supplier(sides, move->source_tensor, mine, move->holder) == holder)
            status = send_piece(plan, sides, move);
    }
    return status;
}

static enum reshard_status send_tensor(struct plan *plan, const struct plan_sides *sides,
                                       uint32_t target_tensor, uint64_t holder)
{
    struct plan_move move = {.source_tensor = sides->from[target_tensor],
                             .target_tensor = target_tensor};
    const uint64_t mine = reshard_layout_shard_of(sides->source, move.source_tensor, holder);
    struct reshard_box_list pieces = RESHARD_BOX_LIST_INIT;
    struct reshard_shard_list shards = RESHARD_SHARD_LIST_INIT;
    enum reshard_status status = RESHARD_OK;

    if (mine == RESHARD_SHARD_NONE)
        return RESHARD_OK;
    status = reshard_layout_boxes(sides->source, move.source_tensor, holder, &pieces);
    for (uint64_t i = 0; !status && i < pieces.count; i++) {
        move.source = pieces.box[i];
        shards.count = 0;
        status = reshard_layout_overlap(sides->target, target_tensor, &move.source, &shards);
        for (uint64_t s = 0; !status && s < shards.count; s++)
            status = send_shard(plan, sides, mine, shards.shard[s], holder, &move);
        move.source_offset += reshard_box_count(&move.source);
    }
    reshard_shard_list_release(&shards);
    reshard_box_list_release(&pieces);
    return status;
}

enum reshard_status plan_sends(struct plan *out, const struct plan_sides *sides, uint64_t holder)
{
    const uint32_t tensors = reshard_model_tensor_count(reshard_layout_model(sides->target));
    enum reshard_status status = RESHARD_OK;

    *out = (struct plan)PLAN_INIT;
    for (uint32_t t = 0; !status && t < tensors; t++)
        if (sides->from[t] != PLAN_SKIP)
            status = send_tensor(out, sides, t, holder);
    if (status)
        plan_release(out);
    else
        plan_sort(out);
    return status;
}

/* ---- what must come from elsewhere ----------------------------------------------------------- */

/* Elements of a tensor that a holder has under both layouts. */
static enum reshard_status common_count(const struct plan_sides *sides, uint32_t target_tensor,
                                        uint64_t holder, uint64_t *out)
{
    struct reshard_box_list target = RESHARD_BOX_LIST_INIT, source = RESHARD_BOX_LIST_INIT;
    struct reshard_box common;
    enum reshard_status status =
        reshard_layout_boxes(sides->target, target_tensor, holder, &target);

    *out = 0;
    if (!status)
        status = reshard_layout_boxes(sides->source, sides->from[target_tensor], holder, &source);
    for (uint64_t i = 0; !status && i < target.count; i++)
        for (uint64_t j = 0; j < source.count; j++)
            if (reshard_box_intersect(&target.box[i], &source.box[j], &common))
                *out += reshard_box_count(&common);
    reshard_box_list_release(&target);
    reshard_box_list_release(&source);
    return status;
}

enum reshard_status plan_lacking(const struct plan_sides *sides, uint64_t holder, uint64_t *bytes)
{
    const struct reshard_model *model = reshard_layout_model(sides->target);
    enum reshard_status status = RESHARD_OK;
    uint64_t common;

    *bytes = 0;
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        if (sides->from[t] == PLAN_SKIP)
            continue;
        status = common_count(sides, t, holder, &common);
        if (!status)
            *bytes += (reshard_layout_local_count(sides->target, t, holder) - common) *
                      reshard_dtype_bytes(reshard_model_tensor(model, t)->dtype);
    }
    return status;
}

/* ---- the law --------------------------------------------------------------------------------- */

/* Name the tensor whose piece is not covered. */
static enum reshard_status cover_failed(enum reshard_status status,
                                        const struct reshard_tensor *tensor,
                                        struct reshard_error *error)
{
    char name[RESHARD_TENSOR_TEXT_MAX];

    reshard_error_prefix(error, "tensor %s", reshard_tensor_print(tensor, name, sizeof name));
    return status;
}

/* Movers address memory by a move's pieces: they must be what the move says, and enclose it. */
static enum reshard_status check_move(const struct plan_move *move, const struct reshard_box *piece,
                                      uint32_t from, struct reshard_error *error)
{
    char text[320];

    if (move->source_tensor == from && reshard_box_equal(&move->target, piece) &&
        reshard_box_inside(&move->box, &move->source))
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_ECOVER, "the move of box %s is between other pieces",
                             reshard_box_print(&move->box, text, sizeof text));
}

/* The law, for one target piece: the boxes of the `count` moves cover it exactly once. */
static enum reshard_status check_piece(const struct plan_move *moves, uint64_t count,
                                       const struct reshard_box *piece, uint32_t from,
                                       const struct reshard_tensor *tensor,
                                       struct reshard_error *error)
{
    struct reshard_box *parts = calloc(count + 1, sizeof *parts);
    enum reshard_status status = RESHARD_OK;

    if (!parts)
        return RESHARD_ENOMEM;
    for (uint64_t i = 0; !status && i < count; i++) {
        parts[i] = moves[i].box;
        status = check_move(&moves[i], piece, from, error);
    }
    if (!status)
        status = reshard_box_cover(piece, parts, count, error);
    free(parts);
    return status == RESHARD_ECOVER ? cover_failed(status, tensor, error) : status;
}

static int compare_targets(const void *a, const void *b)
{
    const struct plan_move *left = a, *right = b;

    if (left->target_tensor != right->target_tensor)
        return left->target_tensor < right->target_tensor ? -1 : 1;
    return (left->target_offset > right->target_offset) -
           (left->target_offset < right->target_offset);
}

/* The moves to each piece of the holder, found in moves sorted by target; nothing may be left. */
static enum reshard_status check_sorted(const struct plan_move *moves, uint64_t count,
                                        const struct plan_sides *sides, uint64_t holder,
                                        struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(sides->target);
    struct reshard_box_list pieces = RESHARD_BOX_LIST_INIT;
    enum reshard_status status = RESHARD_OK;
    uint64_t next = 0;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        uint64_t offset = 0;
        if (sides->from[t] == PLAN_SKIP)
            continue;
        pieces.count = 0;
        status = target_pieces(sides, t, holder, &pieces);
        for (uint64_t i = 0; !status && i < pieces.count; i++) {
            const uint64_t first = next;
            while (next < count && moves[next].target_tensor == t &&
                   moves[next].target_offset == offset)
                next++;
            status = check_piece(moves + first, next - first, &pieces.box[i], sides->from[t],
                                 reshard_model_tensor(model, t), error);
            offset += reshard_box_count(&pieces.box[i]);
        }
    }
    if (!status && next != count)
        status = reshard_error_set(error, RESHARD_ECOVER,
                                   "a move to element %" PRIu64 " of tensor %" PRIu32
                                   " is to no piece of rank %" PRIu64,
                                   moves[next].target_offset, moves[next].target_tensor, holder);
    reshard_box_list_release(&pieces);
    return status;
}

enum reshard_status plan_check(const struct plan *plan, const struct plan_sides *sides,
                               uint64_t holder, struct reshard_error *error)
{
    struct plan_move *sorted = calloc(plan->count + 1, sizeof *sorted);
    enum reshard_status status;

    if (!sorted)
        return RESHARD_ENOMEM;
    for (uint64_t i = 0; i < plan->count; i++)
        sorted[i] = plan->move[i];
    qsort(sorted, plan->count, sizeof *sorted, compare_targets);
    status = check_sorted(sorted, plan->count, sides, holder, error);
    free(sorted);
    return status;
}

void plan_release(struct plan *plan)
{
    free(plan->move);
    *plan = (struct plan)PLAN_INIT;
}

/* ---- the law for a whole layout -------------------------------------------------------------- */

/* The modulus is prime, so a defect that repeats cannot vanish as it would modulo 2^64. */
#define PROOF_PRIME ((UINT64_C(1) << 61) - 1)

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* The random function h of a lane, at a place in a tensor. */
static uint64_t proof_hash(uint64_t seed, uint64_t lane, uint32_t tensor, uint64_t place)
{
    const uint64_t key =
        mix(seed + (2 * (uint64_t)tensor + lane + 1) * UINT64_C(0x9E3779B97F4A7C15));

    return mix(key + place * UINT64_C(0xD1342543DE82EF95)) % PROOF_PRIME;
}

static void proof_interval(struct plan_proof *proof, uint64_t seed, uint32_t tensor, uint64_t begin,
                           uint64_t end)
{
    for (uint64_t lane = 0; lane < 2; lane++)
        proof->lane[lane] = (proof->lane[lane] + proof_hash(seed, lane, tensor, end) + PROOF_PRIME -
                             proof_hash(seed, lane, tensor, begin)) %
                            PROOF_PRIME;
}

uint64_t plan_proof_add(uint64_t a, uint64_t b)
{
    return (a + b) % PROOF_PRIME;
}

struct plan_proof plan_proof_expected(const struct reshard_model *model, uint64_t seed)
{
    struct plan_proof proof = {{0, 0}};

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        if (reshard_role_is_saved(reshard_model_tensor(model, t)->role))
            proof_interval(&proof, seed, t, 0, reshard_model_tensor(model, t)->count);
    return proof;
}

enum reshard_status plan_proof_pieces(const struct reshard_model *model,
                                      const struct reshard_box_list *pieces, uint32_t tensor,
                                      uint64_t seed, struct plan_proof *proof,
                                      struct reshard_error *error)
{
    const struct reshard_tensor *entry = reshard_model_tensor(model, tensor);
    const struct reshard_box whole = reshard_box_whole(&entry->shape);

    for (uint64_t i = 0; i < pieces->count; i++) {
        const struct reshard_box *box = &pieces->box[i];
        if (reshard_box_empty(box))
            continue;
        if (!reshard_box_inside(box, &whole))
            return cover_failed(reshard_error_set(error, RESHARD_ECOVER, "a piece lies outside"),
                                entry, error);
        struct reshard_box_runs runs = reshard_box_runs(box, box, &whole);
        while (reshard_box_runs_next(&runs))
            proof_interval(proof, seed, tensor, runs.target, runs.target + runs.count);
    }
    return RESHARD_OK;
}

enum reshard_status plan_proof_local(const struct reshard_layout *layout, uint64_t holder,
                                     uint64_t seed, struct plan_proof *out,
                                     struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    struct reshard_box_list pieces = RESHARD_BOX_LIST_INIT;
    enum reshard_status status = RESHARD_OK;

    *out = (struct plan_proof){{0, 0}};
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        if (!reshard_role_is_saved(reshard_model_tensor(model, t)->role) ||
            !reshard_layout_is_owner(layout, t, holder))
            continue;
        pieces.count = 0;
        status = reshard_layout_boxes(layout, t, holder, &pieces);
        if (!status)
            status = plan_proof_pieces(model, &pieces, t, seed, out, error);
    }
    reshard_box_list_release(&pieces);
    return status;
}
