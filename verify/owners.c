#include "verify/owners.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of many tensors, each below 2^63. */
typedef unsigned __int128 verify_sum;

/* A tensor to be dealt out. */
struct card {
    uint32_t tensor;
    uint64_t bytes;
};

struct dealer {
    struct verify_rules *rules;
    struct card *card;
    uint32_t count;
    verify_sum *sum;  /* bytes of each hand */
    uint32_t *winner; /* a tree: of two hands, of two winners and so on; the first is all's */
    uint64_t *hand;   /* what each card goes to */
};

/* --- one group -------------------------------------------------------------------------------- */

/* Of two hands the one with the fewer bytes, the lower on a tie. */
static uint32_t better(const struct dealer *dealer, uint32_t a, uint32_t b)
{
    const verify_sum left = dealer->sum[a];
    const verify_sum right = dealer->sum[b];

    if (left != right)
        return left < right ? a : b;
    return a < b ? a : b;
}

/* Deal cards, which come by falling bytes, to so many hands; hands beyond the cards stay empty.
 * `leaves` hands, which are as many as the next power of two, are the lower half of the tree. */
static void deal(struct dealer *dealer, const struct card *card, uint32_t count, uint64_t hands)
{
    const size_t used = hands < count ? hands : count;
    size_t leaves = 1;

    while (leaves < used)
        leaves *= 2;
    for (size_t h = 0; h < leaves; ++h) {
        dealer->sum[h] = h < used ? 0 : ~(verify_sum)0;
        dealer->winner[leaves + h] = (uint32_t)h;
    }
    for (size_t node = leaves; node-- > 1;)
        dealer->winner[node] =
            better(dealer, dealer->winner[2 * node], dealer->winner[2 * node + 1]);
    for (uint32_t c = 0; c < count; ++c) {
        const uint32_t winner = dealer->winner[1];

        dealer->hand[c] = winner;
        dealer->sum[winner] += card[c].bytes;
        for (size_t node = (leaves + winner) / 2; node > 0; node /= 2)
            dealer->winner[node] =
                better(dealer, dealer->winner[2 * node], dealer->winner[2 * node + 1]);
    }
}

/* --- tensors by coordinates ------------------------------------------------------------------- */

static bool is_free(const struct verify_placement *placement, int axis)
{
    return !placement->cut[axis] && placement->at[axis] == VERIFY_ANYWHERE;
}

/* Has the layout said which coordinate of this axis owns? */
static bool is_named(const struct verify_rules *rules, int axis)
{
    return axis == VERIFY_REPLICATE && rules->layout.owner >= 0;
}

/* The choices of coordinates along the free axes: all of them; those that may own. */
static void count_candidates(const struct verify_rules *rules,
                             const struct verify_placement *placement, uint64_t *all, uint64_t *own)
{
    *all = 1;
    *own = 1;
    for (int axis = 0; axis < VERIFY_AXES; ++axis) {
        if (!is_free(placement, axis))
            continue;
        *all *= rules->layout.mesh[axis];
        if (!is_named(rules, axis))
            *own *= rules->layout.mesh[axis];
    }
}

/* The candidate, numbered among all of them, that has this number among those that may own. */
static uint64_t candidate_of(const struct verify_rules *rules,
                             const struct verify_placement *placement, uint64_t number)
{
    uint64_t coordinate[VERIFY_AXES] = {0};

    for (int axis = VERIFY_AXES - 1; axis >= 0; --axis) {
        if (!is_free(placement, axis))
            continue;
        if (is_named(rules, axis)) {
            coordinate[axis] = (uint64_t)rules->layout.owner;
            continue;
        }
        coordinate[axis] = number % rules->layout.mesh[axis];
        number /= rules->layout.mesh[axis];
    }
    return verify_placement_candidate(rules, placement, coordinate);
}

static void own_by_coordinates(struct dealer *dealer, const struct card *card, uint32_t count)
{
    const struct verify_rules *rules = dealer->rules;
    uint64_t all;
    uint64_t own;

    count_candidates(rules, &rules->placement[card->tensor], &all, &own);
    deal(dealer, card, count, own);
    for (uint32_t c = 0; c < count; ++c) {
        struct verify_placement *placement = &dealer->rules->placement[card[c].tensor];

        placement->owner = candidate_of(rules, placement, dealer->hand[c]);
    }
}

/* --- tensors whose boxes are given ------------------------------------------------------------ */

static enum reshard_status own_given(struct dealer *dealer, const struct card *card, uint32_t count,
                                     struct reshard_error *error)
{
    const struct verify_given *given = dealer->rules->placement[card->tensor].given;
    const size_t sizes = given->member_count;
    struct verify_hands *hands =
        malloc(sizeof *hands + (size_t)count * sizes * sizeof hands->hand[0]);

    if (!hands)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's owners");
    hands->next = dealer->rules->hands;
    dealer->rules->hands = hands;
    for (uint32_t m = 0; m < given->member_count; ++m) {
        deal(dealer, card, count, given->members[m]);
        for (uint32_t c = 0; c < count; ++c)
            hands->hand[c * sizes + m] = dealer->hand[c];
    }
    for (uint32_t c = 0; c < count; ++c)
        dealer->rules->placement[card[c].tensor].hand = hands->hand + c * sizes;
    return RESHARD_OK;
}

uint64_t verify_given_owner(const struct verify_placement *placement, uint64_t set)
{
    return placement->hand[placement->given->member_of[set]];
}

/* --- groups ----------------------------------------------------------------------------------- */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Have the same ranks boxes together? Sets go by their lowest ranks. */
static int compare_members(const struct verify_given *a, const struct verify_given *b)
{
    int order = compare_numbers(a->holder_count, b->holder_count);

    for (uint64_t h = 0; a != b && h < a->holder_count && order == 0; ++h) {
        order = compare_numbers(a->holder[h].rank, b->holder[h].rank);
        if (order == 0)
            order = compare_numbers(a->holder[h].set, b->holder[h].set);
    }
    return order;
}

/* Could the same ranks own both? */
static int compare_owners(const struct verify_placement *a, const struct verify_placement *b)
{
    const bool left = a->how == VERIFY_PLACED_GIVEN;
    const bool right = b->how == VERIFY_PLACED_GIVEN;
    int order = compare_numbers(left, right);

    if (left && right)
        return compare_members(a->given, b->given);
    for (int axis = 0; axis < VERIFY_AXES && order == 0; ++axis) {
        order = compare_numbers(a->at[axis], b->at[axis]);
        if (order == 0)
            order = compare_numbers(is_free(a, axis), is_free(b, axis));
    }
    return order;
}

/* Where a tensor's parameter begins in its flat parameter; 0 where it is in none. */
static uint64_t flat_begin(const struct verify_rules *rules, uint32_t tensor)
{
    const struct verify_placement *its =
        &rules->placement[rules->inventory->tensor[tensor].parameter];

    return its->how == VERIFY_PLACED_FLAT ? its->flat.shard * its->flat.chunk + its->flat.within
                                          : 0;
}

static int by_group(const void *a, const void *b, void *context)
{
    const struct verify_rules *rules = context;
    const struct card *left = a;
    const struct card *right = b;
    int order = compare_owners(&rules->placement[left->tensor], &rules->placement[right->tensor]);

    if (order == 0)
        order = compare_numbers(right->bytes, left->bytes);
    if (order == 0)
        order = compare_numbers(flat_begin(rules, left->tensor), flat_begin(rules, right->tensor));
    return order ? order : compare_numbers(left->tensor, right->tensor);
}

static enum reshard_status own_groups(struct dealer *dealer, struct reshard_error *error)
{
    const struct verify_placement *placement = dealer->rules->placement;
    const struct card *card = dealer->card;
    enum reshard_status status = RESHARD_OK;
    uint32_t behind;

    for (uint32_t c = 0; c < dealer->count && !status; c = behind) {
        const struct verify_placement *lead = &placement[card[c].tensor];

        behind = c + 1;
        while (behind < dealer->count && compare_owners(lead, &placement[card[behind].tensor]) == 0)
            behind += 1;
        if (lead->how == VERIFY_PLACED_GIVEN)
            status = own_given(dealer, card + c, behind - c, error);
        else
            own_by_coordinates(dealer, card + c, behind - c);
    }
    return status;
}

/* --- all -------------------------------------------------------------------------------------- */

/* What all ranks hold: every candidate's have the tensor once, of boxes given each set's members.
 */
static uint64_t count_world(const struct verify_rules *rules, uint32_t tensor)
{
    const struct verify_placement *placement = &rules->placement[tensor];
    const uint64_t elements = verify_tensor_elements(&rules->inventory->tensor[tensor]);
    uint64_t all;
    uint64_t own;

    if (placement->how == VERIFY_PLACED_PER_RANK)
        return elements;
    if (placement->how == VERIFY_PLACED_GIVEN)
        return placement->given->world_elements;
    count_candidates(rules, placement, &all, &own);
    return elements * all;
}

static void take_cards(struct dealer *dealer)
{
    struct verify_rules *rules = dealer->rules;

    for (uint32_t t = 0; t < rules->inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &rules->inventory->tensor[t];

        rules->placement[t].world_elements = count_world(rules, t);
        if (rules->placement[t].how != VERIFY_PLACED_PER_RANK)
            dealer->card[dealer->count++] = (struct card){
                t, verify_tensor_elements(tensor) * reshard_dtype_bytes(tensor->dtype)};
    }
    if (dealer->count)
        qsort_r(dealer->card, dealer->count, sizeof *dealer->card, by_group, rules);
}

enum reshard_status verify_owners_settle(struct verify_rules *rules, struct reshard_error *error)
{
    const size_t count = (size_t)rules->inventory->tensor_count + 1;
    struct dealer dealer = {.rules = rules,
                            .card = calloc(count, sizeof(struct card)),
                            .sum = calloc(2 * count, sizeof(verify_sum)),
                            .winner = calloc(4 * count, sizeof(uint32_t)),
                            .hand = calloc(count, sizeof(uint64_t))};
    enum reshard_status status;

    if (dealer.card && dealer.sum && dealer.winner && dealer.hand) {
        take_cards(&dealer);
        status = own_groups(&dealer, error);
    } else {
        status = reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's owners");
    }
    free(dealer.card);
    free(dealer.sum);
    free(dealer.winner);
    free(dealer.hand);
    return status;
}

void verify_owners_close(struct verify_hands *hands)
{
    while (hands) {
        struct verify_hands *const next = hands->next;

        free(hands);
        hands = next;
    }
}
