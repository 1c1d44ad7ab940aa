/*
 * A model whose state has every form, that of the model "forms" of tests/make_checkpoint.py, and
 * layouts for it, as a manifest has them.
 */
#ifndef RESHARD_TESTS_FORMS_H
#define RESHARD_TESTS_FORMS_H

#include "verify/formula.h"

enum { FORMS_TENSORS = 36, FORMS_LAYOUTS = 17 };

extern struct verify_inventory forms;
extern bool forms_absent[FORMS_TENSORS];

struct forms_layout {
    uint64_t world; /* more than the mesh where ranks are idle */
    const char *formula;
};
extern const struct forms_layout forms_layouts[FORMS_LAYOUTS];

/* Make the model anew; which slots are absent, too. */
void forms_make(void);

/* The number of a tensor, which must be there. */
uint32_t forms_find(const char *fqn, const char *slot);

/* The rules of a layout, which must be right; they borrow the formula, which is to be closed. */
struct verify_rules *forms_rules(const struct forms_layout *layout, struct verify_formula *formula);

#endif
