/*
 * What an optimizer has besides tensors: its param groups, each with its hyperparameters and its
 * members in their order, and named entries for whatever else the training keeps, such as a
 * scheduler's or a gradient scaler's scalars. Nothing here is interpreted: values are kept, bit for
 * bit, and given back.
 *
 * Groups are known by name, never by their position; where a framework gives them none, "0", "1",
 * ... will do. Parameters are known by FQN, or, as in torch.optim.Optimizer.state_dict(), by id:
 * the position of a parameter in all groups' members, one group after the other (core/rekey.h).
 */
#ifndef RESHARD_GROUPS_H
#define RESHARD_GROUPS_H

#include "core/model.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum reshard_value_kind {
    RESHARD_VALUE_NONE, /* Python's None */
    RESHARD_VALUE_BOOLEAN,
    RESHARD_VALUE_INTEGER,
    RESHARD_VALUE_NUMBER,
    RESHARD_VALUE_STRING,
    RESHARD_VALUE_TUPLE,
};

enum { RESHARD_VALUE_DEPTH_MAX = 8 }; /* of tuples within tuples */

/* A hyperparameter's value; the member that the kind names is set. */
struct reshard_value {
    enum reshard_value_kind kind;
    bool boolean;
    int64_t integer;
    double number;
    const char *string;               /* UTF-8 */
    const struct reshard_value *item; /* of a tuple */
    uint32_t count;
};

/* Local. Equal, numbers bit for bit: NaNs of equal payload are equal, -0.0 and 0.0 are not. */
bool reshard_value_equal(const struct reshard_value *a, const struct reshard_value *b);

/* Local. "0.001", "(0.9, 0.999)", "None" into `text` of `size` bytes, cut off where it is longer;
 * returns `text`. */
char *reshard_value_print(const struct reshard_value *value, char *text, size_t size);

enum reshard_keys {
    RESHARD_KEYS_NAMES, /* members are FQNs */
    RESHARD_KEYS_IDS,   /* members are "0", "1", ... */
};

struct reshard_groups;

/* Local. No groups and no entries, keyed by names; owned by the caller. */
RESHARD_MUST_CHECK enum reshard_status reshard_groups_open(struct reshard_groups **out);
void reshard_groups_close(struct reshard_groups *groups); /* accepts NULL */

/* Local. A copy, owned by the caller. */
RESHARD_MUST_CHECK enum reshard_status reshard_groups_copy(struct reshard_groups **out,
                                                           const struct reshard_groups *groups);

/* Local. How members are keyed. Setting it changes no name (core/rekey.h does). */
enum reshard_keys reshard_groups_keys(const struct reshard_groups *groups);
void reshard_groups_set_keys(struct reshard_groups *groups, enum reshard_keys keys);

/* Local. Add a group after the others; a member after the group's others; a value, copied, after
 * the group's others, or in the place of the one of that key. EINVAL, with the reason, for a name
 * or key that is empty, too long, not UTF-8 or (but for keys) taken; a member that is in a group
 * already; a string that is not UTF-8; a tuple of too many levels. */
RESHARD_MUST_CHECK enum reshard_status
reshard_groups_add(struct reshard_groups *groups, const char *name, struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status reshard_groups_add_member(struct reshard_groups *groups,
                                                                 uint32_t group, const char *fqn,
                                                                 struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status reshard_groups_set(struct reshard_groups *groups,
                                                          uint32_t group, const char *key,
                                                          const struct reshard_value *value,
                                                          struct reshard_error *error);

/* Local. What there is, borrowed until the groups are changed, which a load that fills them does
 * too; an index must be below the count. */
uint32_t reshard_groups_count(const struct reshard_groups *groups);
const char *reshard_groups_name(const struct reshard_groups *groups, uint32_t group);
uint32_t reshard_groups_member_count(const struct reshard_groups *groups, uint32_t group);
const char *reshard_groups_member(const struct reshard_groups *groups, uint32_t group,
                                  uint32_t member);
uint32_t reshard_groups_value_count(const struct reshard_groups *groups, uint32_t group);
const char *reshard_groups_key(const struct reshard_groups *groups, uint32_t group, uint32_t value);
const struct reshard_value *reshard_groups_value(const struct reshard_groups *groups,
                                                 uint32_t group, uint32_t value);

/* Local. The value of a key, NULL when there is none; the group of a name, and of a member: ENOENT.
 */
const struct reshard_value *reshard_groups_get(const struct reshard_groups *groups, uint32_t group,
                                               const char *key);
RESHARD_MUST_CHECK enum reshard_status reshard_groups_find(const struct reshard_groups *groups,
                                                           const char *name, uint32_t *out);
RESHARD_MUST_CHECK enum reshard_status reshard_groups_of(const struct reshard_groups *groups,
                                                         const char *fqn, uint32_t *out);

/* Local. The id of a member, and the member of an id: ENOENT. */
RESHARD_MUST_CHECK enum reshard_status reshard_groups_id(const struct reshard_groups *groups,
                                                         const char *fqn, uint64_t *out);
RESHARD_MUST_CHECK enum reshard_status reshard_groups_of_id(const struct reshard_groups *groups,
                                                            uint64_t id, const char **out);

/* Local. Where members are keyed by ids, whether each is its own; and whether each is, besides, a
 * parameter of the model, trained or not, by its first name: EINVAL names one that is not. */
RESHARD_MUST_CHECK enum reshard_status reshard_groups_check_ids(const struct reshard_groups *groups,
                                                                struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status reshard_groups_check(const struct reshard_groups *groups,
                                                            const struct reshard_model *model,
                                                            struct reshard_error *error);

/* Local. The same of entries, which have names and values and no members.
 * reshard_groups_set_entry() adds the entry where there is none of that name. */
RESHARD_MUST_CHECK enum reshard_status reshard_groups_add_entry(struct reshard_groups *groups,
                                                                const char *entry,
                                                                struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status reshard_groups_set_entry(struct reshard_groups *groups,
                                                                const char *entry, const char *key,
                                                                const struct reshard_value *value,
                                                                struct reshard_error *error);
uint32_t reshard_groups_entry_count(const struct reshard_groups *groups);
const char *reshard_groups_entry(const struct reshard_groups *groups, uint32_t entry);
RESHARD_MUST_CHECK enum reshard_status
reshard_groups_entry_find(const struct reshard_groups *groups, const char *entry, uint32_t *out);
const struct reshard_value *reshard_groups_entry_get(const struct reshard_groups *groups,
                                                     uint32_t entry, const char *key);
uint32_t reshard_groups_entry_value_count(const struct reshard_groups *groups, uint32_t entry);
const char *reshard_groups_entry_key(const struct reshard_groups *groups, uint32_t entry,
                                     uint32_t value);
const struct reshard_value *reshard_groups_entry_value(const struct reshard_groups *groups,
                                                       uint32_t entry, uint32_t value);

/* Local. Give each what the other has; what was borrowed of one is then of the other. */
void reshard_groups_swap(struct reshard_groups *a, struct reshard_groups *b);

/* For the engine's own use. Local. Add copies of another's entries, whose names must not be there.
 */
RESHARD_MUST_CHECK enum reshard_status groups_copy_entries(struct reshard_groups *to,
                                                           const struct reshard_groups *from);

/* Local. CRC-64/XZ of all of it in order: ranks agree on groups by this number. */
uint64_t reshard_groups_hash(const struct reshard_groups *groups);

#ifdef __cplusplus
}
#endif

#endif
