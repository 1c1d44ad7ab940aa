/*
 * The verifier's view of what a scenario or a checkpoint is about. The verifier shares no code with
 * what it judges, so it takes plain arrays; here, and nowhere in the verifier, the engine's model
 * is turned into them.
 */
#ifndef RESHARD_SIM_VIEW_H
#define RESHARD_SIM_VIEW_H

#include "core/groups.h"
#include "core/layout.h"
#include "core/model.h"
#include "core/optimizer.h"
#include "verify/groups.h"
#include "verify/oracle.h"
#include "verify/rules.h"

/* Local. Names are borrowed from the model; ENOMEM. view_release() accepts an empty inventory. */
RESHARD_MUST_CHECK enum reshard_status view_of_model(struct verify_inventory *out,
                                                     const struct reshard_model *model);
void view_release(struct verify_inventory *inventory);

/* A formula, with the memory of its rules; what they point to is borrowed from the options. */
struct view_layout {
    struct verify_layout layout;
    struct verify_rule *rule;
    struct verify_rank_box *box;
};

/* Local. The same formula, of options that are complete; ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status view_of_layout(struct view_layout *out,
                                                      const struct reshard_layout_options *options);
void view_layout_release(struct view_layout *layout); /* accepts an empty one */

/* An optimizer, with the memory of its groups; their patterns are borrowed from the engine's. */
struct view_optimizer {
    struct verify_optimizer optimizer;
    struct verify_optimizer_group *group;
};

/* Local. The same hyperparameters and groups; ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status view_of_optimizer(struct view_optimizer *out,
                                                         const struct reshard_optimizer *optimizer);
void view_optimizer_release(struct view_optimizer *optimizer); /* accepts an empty one */

/* Local. The same groups and entries, of parameters of an inventory; none of NULL. EFORMAT for what
 * no manifest may have; ENOMEM. The caller ends it with verify_param_groups_close(). */
RESHARD_MUST_CHECK enum reshard_status view_of_groups(struct verify_param_groups *out,
                                                      const struct reshard_groups *groups,
                                                      const struct verify_inventory *inventory,
                                                      struct reshard_error *error);

#endif
