#include "parallel/replicas.h"

#include "parallel/carrier.h"

enum { PHASES_MAX = 20 }; /* replicas are at most RESHARD_MESH_RANKS_MAX, which is 2^20 */

/* All of a tensor's packed memory, to or from another replica. */
static enum reshard_status add_whole(struct plan *plan, const struct reshard_state *state,
                                     uint32_t t, uint64_t peer)
{
    struct plan_move move = {.holder = peer, .source_tensor = t, .target_tensor = t};
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    enum reshard_status status =
        reshard_layout_boxes(reshard_state_layout(state), t, reshard_state_rank(state), &boxes);

    for (uint64_t i = 0; !status && i < boxes.count; i++) {
        const uint64_t count = reshard_box_count(&boxes.box[i]);
        move.box = move.source = move.target = boxes.box[i];
        if (count > 0)
            status = plan_add(plan, &move);
        move.source_offset += count;
        move.target_offset += count;
    }
    reshard_box_list_release(&boxes);
    return status;
}

/*
 * Replicas are numbered from the owner on, around: those below `have` have the tensor already. Each
 * of the next `have` gets it from the one that is `have` before it. Between whom that is depends
 * on the replicas' own numbers alone, not on who the owner is, so a rank has one partner each way
 * for all tensors of one placement.
 */
static enum reshard_status spread_tensor(const struct reshard_state *state, uint32_t t,
                                         uint64_t have, struct plan *incoming,
                                         struct plan *outgoing)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const uint64_t rank = reshard_state_rank(state);
    const uint64_t shard = reshard_layout_shard_of(layout, t, rank);
    uint64_t replicas, mine, owner, place;

    if (shard == RESHARD_SHARD_NONE)
        return RESHARD_OK;
    replicas = reshard_layout_replicas(layout, t, shard);
    mine = reshard_layout_replica_of(layout, t, rank);
    owner = reshard_layout_replica_of(layout, t, reshard_layout_owner(layout, t, shard));
    place = (mine + replicas - owner) % replicas;
    if (place >= have && place < 2 * have)
        return add_whole(
            incoming, state, t,
            reshard_layout_holder(layout, t, shard, (mine + replicas - have) % replicas));
    if (place < have && place + have < replicas)
        return add_whole(outgoing, state, t,
                         reshard_layout_holder(layout, t, shard, (mine + have) % replicas));
    return RESHARD_OK;
}

/* What moves when each of `have` replicas passes on what it has. */
static enum reshard_status plan_phase(const struct reshard_state *state, const bool *chosen,
                                      uint64_t have, struct leg *leg)
{
    const uint32_t tensors =
        reshard_model_tensor_count(reshard_layout_model(reshard_state_layout(state)));
    enum reshard_status status = RESHARD_OK;

    for (uint32_t t = 0; !status && t < tensors; t++)
        if (chosen[t])
            status = spread_tensor(state, t, have, &leg->incoming, &leg->outgoing);
    plan_sort(&leg->incoming);
    plan_sort(&leg->outgoing);
    return status;
}

/* The most replicas that any shard of what is chosen has: the same on all ranks. */
static uint64_t most_replicas(const struct reshard_layout *layout, const bool *chosen)
{
    uint64_t most = 1;

    for (uint32_t t = 0; t < reshard_model_tensor_count(reshard_layout_model(layout)); t++)
        if (chosen[t] && reshard_layout_replicas_most(layout, t) > most)
            most = reshard_layout_replicas_most(layout, t);
    return most;
}

/* All phases, planned before the first: ranks agree once, not phase by phase. Local. */
static enum reshard_status plan_phases(struct carrier *carrier, const bool *chosen,
                                       struct leg *phase, uint32_t count)
{
    enum reshard_status status = RESHARD_OK;

    for (uint32_t p = 0; !status && p < count; p++) {
        status = plan_phase(carrier->source, chosen, UINT64_C(1) << p, &phase[p]);
        if (!status)
            status = leg_prepare(carrier, &phase[p]);
    }
    return status ? status : carrier_allocate(carrier);
}

enum reshard_status replicas_spread(struct reshard_group *group, struct reshard_state *state,
                                    const bool *chosen, uint64_t budget, uint64_t *sent,
                                    struct reshard_error *error)
{
    const uint64_t most = most_replicas(reshard_state_layout(state), chosen);
    struct leg phase[PHASES_MAX] = {{.to = NULL}};
    struct carrier carrier = carrier_begin(group, state, state, budget);
    enum reshard_status status;
    uint32_t phases = 0;

    while (UINT64_C(1) << phases < most)
        phases++;
    if (phases == 0)
        return RESHARD_OK;
    status = reshard_group_agree(group, plan_phases(&carrier, chosen, phase, phases), error);
    for (uint32_t p = 0; !status && p < phases; p++)
        status = carrier_go(&carrier, &phase[p], error);
    if (!status)
        status = reshard_group_agree(group, carrier.status, error);
    for (uint32_t p = 0; p < phases; p++)
        leg_release(&phase[p]);
    carrier_end(&carrier);
    *sent += carrier.sent;
    return status;
}
