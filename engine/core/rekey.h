/*
 * Keys of optimizer state: by name and by id, nested and flattened.
 *
 * torch.optim keys state by parameter ids, FSDP by FQNs; FSDP.rekey_optim_state_dict goes from one
 * to the other, and sorts the members of groups on the way. Here the order of everything is kept.
 */
#ifndef RESHARD_REKEY_H
#define RESHARD_REKEY_H

#include "core/groups.h"
#include "core/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Local. A model and its groups, keyed the other way: in both copies each parameter that is in a
 * group is known by its id ("0"), or by its name again, with its slots. Tensors, groups and members
 * keep their order, so what is memory of tensor t of the one is memory of tensor t of the other;
 * all else stays as it is. To NAMES the names are those of `names`, whose groups have the names,
 * order and numbers of members of `groups`; to IDS it is not looked at and may be NULL. What is
 * keyed that way already is copied.
 *
 * EINVAL, naming it, for a member that is no parameter of the model, an id as a name that is none
 * ("Invalid parameter keys"), a name that would be there twice; EMISMATCH, listing them, for groups
 * that are not `names`'s. The caller owns *model_out and *groups_out.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_rekey(struct reshard_model **model_out, struct reshard_groups **groups_out,
              const struct reshard_model *model, const struct reshard_groups *groups,
              enum reshard_keys to, const struct reshard_groups *names,
              struct reshard_error *error);

/*
 * Flattened keys, as flatten_optimizer_state_dict has them
 * (torch/distributed/checkpoint/state_dict.py):
 *
 *     state.<fqn>.<slot>          state.layers.0.weight.exp_avg
 *     param_groups.<fqn>.<hyper>  param_groups.layers.0.weight.lr
 *
 * An FQN has dots and stays as it is. In a slot or hyperparameter's name a dot is written %2E and a
 * percent sign %25, so the last dot parts the two and every name comes back.
 */
enum reshard_key_kind { RESHARD_KEY_STATE, RESHARD_KEY_PARAM_GROUP };

enum { RESHARD_KEY_MAX = 4096 + 32 }; /* bytes of any key, with the final zero */

/* Local. Into `text` of at least RESHARD_KEY_MAX bytes. */
void reshard_key_print(enum reshard_key_kind kind, const char *fqn, const char *name, char *text);

/* Local. The parts of a key, each into RESHARD_NAME_MAX bytes. EINVAL, with the reason, for what is
 * no such key. */
RESHARD_MUST_CHECK enum reshard_status reshard_key_parse(const char *text,
                                                         enum reshard_key_kind *kind, char *fqn,
                                                         char *name, struct reshard_error *error);

/*
 * Local. The slot that a key means, of a model. Keys that others have written need not have escaped
 * dots (state.fc.weight.outer.inner): every place to part them is tried, and just one must be a
 * slot of the model. ENOENT when none is; EINVAL, naming both, when two are.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_key_resolve(const struct reshard_model *model,
                                                           const char *text, uint32_t *tensor,
                                                           struct reshard_error *error);

/* For the engine's own use. Local. Of a member that is saved by its id, the target's name; NULL for
 * what is no such member, or has none in the target because that lacks the group or has another
 * number of members in it. */
const char *rekey_name_of(const struct reshard_groups *target, const struct reshard_groups *saved,
                          const char *saved_fqn);

#ifdef __cplusplus
}
#endif

#endif
