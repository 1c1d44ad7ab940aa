/*
 * A model and a layout for the verifier's rules, put together by a test piece by piece.
 */
#ifndef TESTS_SUPPORT_RULES_H
#define TESTS_SUPPORT_RULES_H

#include "verify/rules.h"

enum { MADE_TENSORS_MAX = 24, MADE_RULES_MAX = 8, GIVEN_BOXES = 6 };

struct made {
    struct verify_tensor tensor[MADE_TENSORS_MAX];
    struct verify_inventory inventory;
    struct verify_rule rule[MADE_RULES_MAX];
    struct verify_layout layout;
};

extern struct made made;

/* Boxes of an (8, 6) tensor for four ranks, not in order; ranks 1 and 3 have the same two. */
extern const struct verify_rank_box given_boxes[GIVEN_BOXES];

/* Begin again: no tensor, no rule, ddp on one rank. */
void make_nothing(void);

/* An f32 parameter; the sizes of its dimensions are ended by -1. A slot of an earlier one. */
struct verify_tensor *make_tensor(const char *fqn, uint32_t unit, ...);
struct verify_tensor *make_slot(uint32_t parameter, const char *slot, bool like);

/* A slot of a class; the sizes of its dimensions are ended by -1. */
struct verify_tensor *make_state(uint32_t parameter, const char *slot, enum verify_class slot_class,
                                 ...);

/* The layout's kind and mesh; its world is their product. */
void make_mesh(enum verify_layout_kind kind, uint64_t pipeline, uint64_t replicate, uint64_t shard,
               uint64_t expert, uint64_t tensor);

/* One more rule: an empty one, one with a setting, one with boxes for "w". */
struct verify_rule *make_rule(const char *pattern);
void make_setting(const char *pattern, enum verify_axis axis, enum verify_how how, uint64_t number);
void make_boxes(const struct verify_rank_box *box, uint64_t count);

/* Open the rules, which must succeed. */
struct verify_rules *make_rules(void);

/* What a rank, and what every rank, has of a tensor: its boxes as text, "" where it has none. */
void rules_expect_part(const struct verify_rules *rules, uint32_t tensor, uint64_t rank,
                       const char *expected);
void rules_expect_parts(uint32_t tensor, const char *const *expected);

/* Who owns: for each rank an "x", or a ".". */
void rules_expect_owners(const struct verify_rules *rules, uint32_t tensor, const char *expected);

/* Owners write each element once; a rank's boxes lie in its memory without gap, or, of a flat
 * parameter, within it; runs and boxes are the same elements; the world's count is what ranks hold.
 */
void rules_check_laws(const struct verify_rules *rules, uint32_t tensor);

#endif
