/*
 * Models written as tables, an entry a line and its optimizer state by letters: for tests in which
 * one model's checkpoint meets another model.
 */
#ifndef RESHARD_TESTS_TABLED_H
#define RESHARD_TESTS_TABLED_H

#include "core/groups.h"
#include "parallel/state.h"

struct tabled {
    const char *fqn; /* "ALIAS=OF" is a tie, and has nothing else; NULL ends the table */
    enum reshard_dtype dtype;
    struct reshard_shape shape;
    const char *unit; /* NULL: the root */
    enum reshard_role role;
    const char *slots; /* letters of the slots below, a capital one for a slot that is absent; NULL:
                          none */
};

/*
 *   m exp_avg         like        f32        r row_var   row (..., m, 1)     f32
 *   v exp_avg_sq      like        f32        c col_var   column (..., 1, n)  f32
 *   x max_exp_avg_sq  like        f32        a row_var   column (..., 1, n)  f32
 *   s step            scalar      f32        k absmax    blockwise, of 4     f32
 *   h exp_avg         like        bf16       l absmax    blockwise, of 5     f32
 *   t step            scalar      i64        g blob      replicated (6)      u8
 *   q quant_map       replicated  f32 (6)    o blob      opaque (6)          u8
 *   n inner           like        f32        u outer.inner  like             f32
 */

/* All entries, then all slots, entry by entry. NULL when memory ran out; aborts for a table that
 * cannot be. */
struct reshard_model *tabled_model(const struct tabled *table);

/* The name of a letter's slot, capital or not. */
const char *tabled_slot(char letter);

/* Make the slots of capital letters absent, and no others, of a state of the table's model or of
 * one that has the same tensors under other names. */
void tabled_set_absent(struct reshard_state *state, const struct tabled *table);

/* A param group, or an entry, which has no members; a NULL name ends the table. */
struct tabled_group {
    const char *name;
    bool is_entry;
    const char *member[6];
    struct {
        const char *key;
        struct reshard_value value;
    } value[4];
};

/* Keyed by names; the caller closes them. NULL when memory ran out; aborts for a table that cannot
 * be. */
struct reshard_groups *tabled_groups(const struct tabled_group *table);

#endif
