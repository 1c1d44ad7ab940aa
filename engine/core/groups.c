#include "core/groups.h"

#include "core/argument.h"
#include "core/digest.h"
#include "core/groups_value.h"
#include "core/pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that was not added has no table then */
#include <uthash.h>

/* What names are of. */
enum kind { KIND_GROUP, KIND_MEMBER, KIND_KEY, KIND_ENTRY, KIND_ENTRY_KEY };

/* One table finds names of every kind, and owns their text: the key is the kind, the group or entry
 * that it is in (0 where names of the kind are unique in all), then the name. */
enum { NAME_AT = 1 + sizeof(uint32_t) };

struct named {
    UT_hash_handle hh;
    uint32_t group; /* or entry */
    uint32_t index; /* in the group or entry: of the member, of the value */
    char key[];
};

struct valued {
    const char *key;
    struct reshard_value value;
};

/* A group, or an entry, which has no members. */
struct group {
    const char *name;
    const char **member;
    uint32_t member_count;
    struct valued *value;
    uint32_t value_count;
};

struct list {
    struct group *group;
    uint32_t count;
};

struct reshard_groups {
    enum reshard_keys keys;
    struct list group;
    struct list entry;
    struct named *names;
    /* Members of runs of groups (a Fenwick tree), since an id is a sum over all groups before:
     * below[i] is the members of groups [i - lowest bit of i, i). */
    uint64_t *below;
};

/* ---- names ----------------------------------------------------------------------------------- */

static size_t name_key(enum kind kind, uint32_t in, const char *name, char *key)
{
    const size_t bytes = strlen(name) + 1;

    key[0] = (char)kind;
    memcpy(key + 1, &in, sizeof in);
    memcpy(key + NAME_AT, name, bytes);
    return NAME_AT + bytes;
}

static const struct named *find_name(const struct reshard_groups *groups, enum kind kind,
                                     uint32_t in, const char *name)
{
    char key[NAME_AT + RESHARD_NAME_MAX];
    const struct named *found = NULL;

    if (strlen(name) >= RESHARD_NAME_MAX)
        return NULL;
    const size_t bytes = name_key(kind, in, name, key);
    HASH_FIND(hh, groups->names, key, bytes, found);
    return found;
}

/* The name's text, as the table has it; NULL when memory ran out. */
static const char *add_name(struct reshard_groups *groups, enum kind kind, uint32_t in,
                            const char *name, uint32_t group, uint32_t index)
{
    struct named *named = malloc(sizeof *named + NAME_AT + strlen(name) + 1);

    if (!named)
        return NULL;
    *named = (struct named){.group = group, .index = index};
    const size_t bytes = name_key(kind, in, name, named->key);
    HASH_ADD_KEYPTR(hh, groups->names, named->key, bytes, named);
    if (!named->hh.tbl) {
        free(named);
        return NULL;
    }
    return named->key + NAME_AT;
}

/* Take back a name that was added last, when what it names could not be. */
static void forget_name(struct reshard_groups *groups, enum kind kind, uint32_t in,
                        const char *name)
{
    char key[NAME_AT + RESHARD_NAME_MAX];
    const size_t bytes = name_key(kind, in, name, key);
    struct named *named = NULL;

    HASH_FIND(hh, groups->names, key, bytes, named);
    HASH_DEL(groups->names, named);
    free(named);
}

/* Make room for one more element of an array that grows by doubling. */
static bool grow(void **array, uint32_t count, size_t size)
{
    void *grown;

    if (count & (count - 1))
        return true;
    if (count > UINT32_MAX / 2)
        return false;
    grown = reallocarray(*array, count ? 2 * (size_t)count : 1, size);
    if (grown)
        *array = grown;
    return grown != NULL;
}

/* ---- groups and entries ---------------------------------------------------------------------- */

enum reshard_status reshard_groups_open(struct reshard_groups **out)
{
    if (!out)
        return RESHARD_EINVAL;
    *out = calloc(1, sizeof **out);
    return *out ? RESHARD_OK : RESHARD_ENOMEM;
}

static void free_list(struct list *list)
{
    for (uint32_t g = 0; g < list->count; g++) {
        struct group *group = &list->group[g];
        for (uint32_t v = 0; v < group->value_count; v++)
            groups_value_release(&group->value[v].value);
        free(group->value);
        free(group->member);
    }
    free(list->group);
}

void reshard_groups_close(struct reshard_groups *groups)
{
    struct named *named, *next;

    if (!groups)
        return;
    free_list(&groups->group);
    free_list(&groups->entry);
    /* The analyser does not see that uthash frees its table only with the last entry. */
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc) */
    HASH_ITER(hh, groups->names, named, next)
    {
        HASH_DEL(groups->names, named);
        free(named);
    }
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
    free(groups->below);
    free(groups);
}

enum reshard_keys reshard_groups_keys(const struct reshard_groups *groups)
{
    return groups->keys;
}

void reshard_groups_set_keys(struct reshard_groups *groups, enum reshard_keys keys)
{
    groups->keys = keys;
}

static enum reshard_status append(struct reshard_groups *groups, struct list *list, enum kind kind,
                                  const char *name)
{
    struct group group = {.name = NULL};

    if (!grow((void **)&list->group, list->count, sizeof *list->group))
        return RESHARD_ENOMEM;
    group.name = add_name(groups, kind, 0, name, list->count, 0);
    if (!group.name)
        return RESHARD_ENOMEM;
    list->group[list->count++] = group;
    return RESHARD_OK;
}

static uint64_t lowest_bit(uint64_t number)
{
    return number & (~number + 1);
}

enum reshard_status reshard_groups_add(struct reshard_groups *groups, const char *name,
                                       struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(groups), ARGUMENT(name));
    uint64_t node;

    if (!status)
        status = model_check_name("group", name, false, error);
    if (status)
        return status;
    node = (uint64_t)groups->group.count + 1;
    if (find_name(groups, KIND_GROUP, 0, name))
        return reshard_error_set(error, RESHARD_EINVAL, "the group '%s' is given twice", name);
    /* Node 0 is not used, so the tree has one element more than there are groups. */
    if (!grow((void **)&groups->below, groups->group.count, 2 * sizeof *groups->below))
        return RESHARD_ENOMEM;
    status = append(groups, &groups->group, KIND_GROUP, name);
    if (status)
        return status;
    groups->below[node] = 0;
    for (uint64_t part = 1; part < lowest_bit(node); part *= 2)
        groups->below[node] += groups->below[node - part];
    return RESHARD_OK;
}

enum reshard_status reshard_groups_add_member(struct reshard_groups *groups, uint32_t group,
                                              const char *fqn, struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(groups), ARGUMENT(fqn));
    const struct named *known;
    struct group *to;
    const char *name;

    if (!status)
        status = model_check_name("parameter", fqn, false, error);
    if (status)
        return status;
    to = &groups->group.group[group];
    known = find_name(groups, KIND_MEMBER, 0, fqn);
    if (known)
        return reshard_error_set(error, RESHARD_EINVAL, "'%s' is in group '%s' already", fqn,
                                 groups->group.group[known->group].name);
    if (!grow((void **)&to->member, to->member_count, sizeof *to->member))
        return RESHARD_ENOMEM;
    name = add_name(groups, KIND_MEMBER, 0, fqn, group, to->member_count);
    if (!name)
        return RESHARD_ENOMEM;
    to->member[to->member_count++] = name;
    for (uint64_t node = (uint64_t)group + 1; node <= groups->group.count; node += lowest_bit(node))
        groups->below[node]++;
    return RESHARD_OK;
}

/* Set a value of a group or entry. */
static enum reshard_status set(struct reshard_groups *groups, struct list *list, enum kind kind,
                               uint32_t index, const char *key, const struct reshard_value *value)
{
    struct group *to = &list->group[index];
    const struct named *known = find_name(groups, kind, index, key);
    struct reshard_value copy;
    const char *name;

    if (!groups_value_copy(&copy, value))
        return RESHARD_ENOMEM;
    if (known) {
        groups_value_release(&to->value[known->index].value);
        to->value[known->index].value = copy;
        return RESHARD_OK;
    }
    name = grow((void **)&to->value, to->value_count, sizeof *to->value)
               ? add_name(groups, kind, index, key, index, to->value_count)
               : NULL;
    if (!name) {
        groups_value_release(&copy);
        return RESHARD_ENOMEM;
    }
    to->value[to->value_count++] = (struct valued){name, copy};
    return RESHARD_OK;
}

static enum reshard_status check_value(const char *key, const struct reshard_value *value,
                                       struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(key), ARGUMENT(value));
    const char *fault;

    if (!status)
        status = model_check_name("value", key, false, error);
    fault = status ? NULL : groups_value_fault(value);

    return fault ? reshard_error_set(error, RESHARD_EINVAL, "'%s': %s", key, fault) : status;
}

enum reshard_status reshard_groups_set(struct reshard_groups *groups, uint32_t group,
                                       const char *key, const struct reshard_value *value,
                                       struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(groups));

    if (!status)
        status = check_value(key, value, error);
    return status ? status : set(groups, &groups->group, KIND_KEY, group, key, value);
}

enum reshard_status reshard_groups_add_entry(struct reshard_groups *groups, const char *entry,
                                             struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(groups), ARGUMENT(entry));

    if (!status)
        status = model_check_name("entry", entry, false, error);
    if (status)
        return status;
    if (find_name(groups, KIND_ENTRY, 0, entry))
        return reshard_error_set(error, RESHARD_EINVAL, "the entry '%s' is given twice", entry);
    return append(groups, &groups->entry, KIND_ENTRY, entry);
}

/* Forget the last entry, whose first value could not be set. */
static void drop_entry(struct reshard_groups *groups)
{
    struct group *entry = &groups->entry.group[--groups->entry.count];

    free(entry->value);
    forget_name(groups, KIND_ENTRY, 0, entry->name);
}

enum reshard_status reshard_groups_set_entry(struct reshard_groups *groups, const char *entry,
                                             const char *key, const struct reshard_value *value,
                                             struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(groups), ARGUMENT(entry));
    const struct named *known;
    uint32_t index;

    if (!status)
        status = model_check_name("entry", entry, false, error);
    if (!status)
        status = check_value(key, value, error);
    if (status)
        return status;
    known = find_name(groups, KIND_ENTRY, 0, entry);
    index = known ? known->group : groups->entry.count;
    if (!known)
        status = append(groups, &groups->entry, KIND_ENTRY, entry);
    if (status)
        return status;
    status = set(groups, &groups->entry, KIND_ENTRY_KEY, index, key, value);
    if (status && !known)
        drop_entry(groups);
    return status;
}

/* ---- what there is --------------------------------------------------------------------------- */

uint32_t reshard_groups_count(const struct reshard_groups *groups)
{
    return groups->group.count;
}

const char *reshard_groups_name(const struct reshard_groups *groups, uint32_t group)
{
    return groups->group.group[group].name;
}

uint32_t reshard_groups_member_count(const struct reshard_groups *groups, uint32_t group)
{
    return groups->group.group[group].member_count;
}

const char *reshard_groups_member(const struct reshard_groups *groups, uint32_t group,
                                  uint32_t member)
{
    return groups->group.group[group].member[member];
}

uint32_t reshard_groups_value_count(const struct reshard_groups *groups, uint32_t group)
{
    return groups->group.group[group].value_count;
}

const char *reshard_groups_key(const struct reshard_groups *groups, uint32_t group, uint32_t value)
{
    return groups->group.group[group].value[value].key;
}

const struct reshard_value *reshard_groups_value(const struct reshard_groups *groups,
                                                 uint32_t group, uint32_t value)
{
    return &groups->group.group[group].value[value].value;
}

uint32_t reshard_groups_entry_count(const struct reshard_groups *groups)
{
    return groups->entry.count;
}

const char *reshard_groups_entry(const struct reshard_groups *groups, uint32_t entry)
{
    return groups->entry.group[entry].name;
}

uint32_t reshard_groups_entry_value_count(const struct reshard_groups *groups, uint32_t entry)
{
    return groups->entry.group[entry].value_count;
}

const char *reshard_groups_entry_key(const struct reshard_groups *groups, uint32_t entry,
                                     uint32_t value)
{
    return groups->entry.group[entry].value[value].key;
}

const struct reshard_value *reshard_groups_entry_value(const struct reshard_groups *groups,
                                                       uint32_t entry, uint32_t value)
{
    return &groups->entry.group[entry].value[value].value;
}

/* ---- finding --------------------------------------------------------------------------------- */

static const struct reshard_value *get(const struct reshard_groups *groups, const struct list *list,
                                       enum kind kind, uint32_t index, const char *key)
{
    const struct named *found = find_name(groups, kind, index, key);

    return found ? &list->group[index].value[found->index].value : NULL;
}

const struct reshard_value *reshard_groups_get(const struct reshard_groups *groups, uint32_t group,
                                               const char *key)
{
    return get(groups, &groups->group, KIND_KEY, group, key);
}

const struct reshard_value *reshard_groups_entry_get(const struct reshard_groups *groups,
                                                     uint32_t entry, const char *key)
{
    return get(groups, &groups->entry, KIND_ENTRY_KEY, entry, key);
}

static enum reshard_status find_group(const struct reshard_groups *groups, enum kind kind,
                                      const char *name, uint32_t *out)
{
    const struct named *found;

    if (!groups || !name || !out)
        return RESHARD_EINVAL;
    found = find_name(groups, kind, 0, name);
    if (!found)
        return RESHARD_ENOENT;
    *out = found->group;
    return RESHARD_OK;
}

enum reshard_status reshard_groups_find(const struct reshard_groups *groups, const char *name,
                                        uint32_t *out)
{
    return find_group(groups, KIND_GROUP, name, out);
}

enum reshard_status reshard_groups_entry_find(const struct reshard_groups *groups,
                                              const char *entry, uint32_t *out)
{
    return find_group(groups, KIND_ENTRY, entry, out);
}

enum reshard_status reshard_groups_of(const struct reshard_groups *groups, const char *fqn,
                                      uint32_t *out)
{
    return find_group(groups, KIND_MEMBER, fqn, out);
}

enum reshard_status reshard_groups_id(const struct reshard_groups *groups, const char *fqn,
                                      uint64_t *out)
{
    const struct named *found;

    if (!groups || !fqn || !out)
        return RESHARD_EINVAL;
    found = find_name(groups, KIND_MEMBER, 0, fqn);
    if (!found)
        return RESHARD_ENOENT;
    *out = found->index;
    for (uint64_t node = found->group; node > 0; node -= lowest_bit(node))
        *out += groups->below[node];
    return RESHARD_OK;
}

enum reshard_status reshard_groups_of_id(const struct reshard_groups *groups, uint64_t id,
                                         const char **out)
{
    uint64_t group = 0, count;

    if (!groups || !out)
        return RESHARD_EINVAL;
    count = groups->group.count;
    /* Down the tree: as many groups as have no more members than the id needs before it. */
    for (uint64_t step = (uint64_t)1 << 32; step > 0; step /= 2) {
        if (group + step <= count && groups->below[group + step] <= id) {
            group += step;
            id -= groups->below[group];
        }
    }
    if (group == count)
        return RESHARD_ENOENT;
    *out = groups->group.group[group].member[id];
    return RESHARD_OK;
}

/* ---- checks ---------------------------------------------------------------------------------- */

enum reshard_status reshard_groups_check_ids(const struct reshard_groups *groups,
                                             struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(groups));
    uint64_t id = 0;
    char text[24];

    if (status)
        return status;
    for (uint32_t g = 0; groups->keys == RESHARD_KEYS_IDS && g < groups->group.count; g++) {
        const struct group *group = &groups->group.group[g];
        for (uint32_t m = 0; m < group->member_count; m++, id++) {
            snprintf(text, sizeof text, "%" PRIu64, id);
            if (strcmp(group->member[m], text) != 0)
                return reshard_error_set(error, RESHARD_EINVAL,
                                         "Invalid parameter keys: '%.200s' of group '%.200s' is in "
                                         "the place of id %" PRIu64,
                                         group->member[m], group->name, id);
        }
    }
    return RESHARD_OK;
}

static enum reshard_status check_member(const struct group *group, const char *fqn,
                                        const struct reshard_model *model,
                                        struct reshard_error *error)
{
    const struct reshard_tensor *tensor;
    uint32_t index;

    if (reshard_model_find(model, fqn, "", &index))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%.400s' of group '%.400s' is unknown to the model", fqn,
                                 group->name);
    tensor = reshard_model_tensor(model, index);
    if (strcmp(tensor->fqn, fqn) != 0)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%.400s' of group '%.400s' is a second name of '%.400s'", fqn,
                                 group->name, tensor->fqn);
    if (!reshard_role_is_parameter(tensor->role))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%.400s' of group '%.400s' is no parameter: its role is %s", fqn,
                                 group->name, reshard_role_name(tensor->role));
    return RESHARD_OK;
}

enum reshard_status reshard_groups_check(const struct reshard_groups *groups,
                                         const struct reshard_model *model,
                                         struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(groups), ARGUMENT(model));

    if (!status)
        status = reshard_groups_check_ids(groups, error);
    for (uint32_t g = 0; !status && g < groups->group.count; g++) {
        const struct group *group = &groups->group.group[g];
        for (uint32_t m = 0; !status && m < group->member_count; m++)
            status = check_member(group, group->member[m], model, error);
    }
    return status;
}

/* ---- copy and hash --------------------------------------------------------------------------- */

static enum reshard_status copy_group(struct reshard_groups *to, const struct reshard_groups *from,
                                      uint32_t g)
{
    const struct group *group = &from->group.group[g];
    enum reshard_status status = reshard_groups_add(to, group->name, NULL);

    for (uint32_t m = 0; !status && m < group->member_count; m++)
        status = reshard_groups_add_member(to, g, group->member[m], NULL);
    for (uint32_t v = 0; !status && v < group->value_count; v++)
        status = reshard_groups_set(to, g, group->value[v].key, &group->value[v].value, NULL);
    return status;
}

enum reshard_status groups_copy_entries(struct reshard_groups *to,
                                        const struct reshard_groups *from)
{
    enum reshard_status status = RESHARD_OK;

    for (uint32_t e = 0; !status && e < from->entry.count; e++) {
        const struct group *entry = &from->entry.group[e];
        status = reshard_groups_add_entry(to, entry->name, NULL);
        for (uint32_t v = 0; !status && v < entry->value_count; v++)
            status = reshard_groups_set_entry(to, entry->name, entry->value[v].key,
                                              &entry->value[v].value, NULL);
    }
    return status;
}

enum reshard_status reshard_groups_copy(struct reshard_groups **out,
                                        const struct reshard_groups *groups)
{
    enum reshard_status status = reshard_groups_open(out);

    if (!status && !groups)
        status = RESHARD_EINVAL;
    if (!status)
        (*out)->keys = groups->keys;
    for (uint32_t g = 0; !status && g < groups->group.count; g++)
        status = copy_group(*out, groups, g);
    if (!status)
        status = groups_copy_entries(*out, groups);
    if (status && out) {
        reshard_groups_close(*out);
        *out = NULL;
    }
    return status;
}

void reshard_groups_swap(struct reshard_groups *a, struct reshard_groups *b)
{
    const struct reshard_groups was = *a;

    *a = *b;
    *b = was;
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
    return digest_crc(hash, &number, sizeof number);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return digest_crc(hash, text, strlen(text) + 1);
}

static uint64_t hash_list(uint64_t hash, const struct list *list)
{
    hash = hash_number(hash, list->count);
    for (uint32_t g = 0; g < list->count; g++) {
        const struct group *group = &list->group[g];
        hash = hash_text(hash, group->name);
        hash = hash_number(hash, group->member_count);
        for (uint32_t m = 0; m < group->member_count; m++)
            hash = hash_text(hash, group->member[m]);
        hash = hash_number(hash, group->value_count);
        for (uint32_t v = 0; v < group->value_count; v++) {
            hash = hash_text(hash, group->value[v].key);
            hash = groups_value_hash(hash, &group->value[v].value);
        }
    }
    return hash;
}

uint64_t reshard_groups_hash(const struct reshard_groups *groups)
{
    const uint64_t hash = hash_number(0, (uint64_t)groups->keys);

    return hash_list(hash_list(hash, &groups->group), &groups->entry);
}
