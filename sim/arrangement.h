/*
 * An arrangement: a layout of a job's model, and the verifier's rules of the same formula. A job
 * has the one that it begins with, others by resharding, and those of the forms of a state dict.
 * Simulated ranks are many in one process and share each: the first to ask opens it, the last to
 * let go closes it. Immutable.
 *
 * All functions are local and make no MPI call.
 */
#ifndef RESHARD_SIM_ARRANGEMENT_H
#define RESHARD_SIM_ARRANGEMENT_H

#include "core/form.h"
#include "core/layout.h"
#include "sim/world.h"
#include "verify/rules.h"

struct arrangement {
    const struct world *world;
    struct reshard_layout *layout;
    struct verify_rules *rules;
};

/* The arrangement of that formula; each success is paired with one arrangement_release(). EINVAL
 * for what the engine refuses; what the verifier alone refuses is ECOVER: one of the two is wrong.
 */
RESHARD_MUST_CHECK enum reshard_status
arrangement_acquire(const struct arrangement **out, const struct world *world,
                    const struct reshard_layout_options *options, struct reshard_error *error);

/* That of a form of the state under another arrangement. */
RESHARD_MUST_CHECK enum reshard_status
arrangement_acquire_form(const struct arrangement **out, const struct arrangement *live,
                         enum reshard_form form, bool rank0_only, struct reshard_error *error);

void arrangement_release(const struct arrangement *arrangement); /* accepts NULL */

#endif
