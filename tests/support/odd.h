/*
 * A model that has every odd tensor, and the layouts that real jobs use, at any world size: what
 * the matrix of conversions is made of. States' bytes are a pure function of the tensor's name, its
 * slot and the element, whatever the world size.
 */
#ifndef RESHARD_TESTS_ODD_H
#define RESHARD_TESTS_ODD_H

#include "core/layout.h"
#include "parallel/state.h"

/*
 * 0 dimensions, no elements, fewer rows than ranks, every dtype of the format, frozen parameters,
 * buffers kept and not, opaque bytes, what each of `world` ranks has for itself, a tie, names with
 * dots, slashes and other scripts, fused QKV and gate/up, stacked experts, and states of several
 * dtypes and of every class. NULL when memory ran out.
 */
struct reshard_model *odd_model(uint64_t world);

/* The model's parts in a language model's terms, for rules: columns, rows, sections, experts. */
extern const struct reshard_rule odd_rules[];
extern const uint32_t odd_rule_count;

/* Layout number `kind` for `ranks` ranks; false when there is no such number. Not all are valid:
 * the engine says which. `name` is what it is called. The options borrow static memory, and `boxes`
 * for those that are given one by one. */
struct odd_boxes {
    struct reshard_rank_box box[64];
    struct reshard_rule rule[16];
};
bool odd_layout(unsigned kind, uint64_t ranks, struct odd_boxes *boxes, const char **name,
                struct reshard_layout_options *out);

/* Fill what a rank holds, as world `world` has it; count the bytes that are not so. Tensors for
 * which `skip` is set are passed over (NULL: none are). */
void odd_fill(struct reshard_state *state);
uint64_t odd_wrong_bytes(const struct reshard_state *state, const bool *skip);

/* The byte of an entry's full row-major bytes. */
unsigned char odd_byte(const struct reshard_tensor *tensor, uint64_t index);

#endif
