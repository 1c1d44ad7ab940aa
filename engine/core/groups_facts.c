#include "core/groups_facts.h"

#include "core/digest.h"
#include "core/groups_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum kind { KIND_KEYS, KIND_GROUP, KIND_MEMBER, KIND_VALUE, KIND_END };

/* One fact, and where it is. */
struct fact {
    enum kind kind;
    bool is_entry;  /* of an entry, not of a group */
    uint32_t group; /* or entry */
    uint32_t index; /* of the member or value */
};

static uint32_t list_count(const struct reshard_groups *groups, bool is_entry)
{
    return is_entry ? reshard_groups_entry_count(groups) : reshard_groups_count(groups);
}

static const char *name_of(const struct reshard_groups *groups, const struct fact *fact)
{
    return fact->is_entry ? reshard_groups_entry(groups, fact->group)
                          : reshard_groups_name(groups, fact->group);
}

static uint32_t member_count(const struct reshard_groups *groups, const struct fact *fact)
{
    return fact->is_entry ? 0 : reshard_groups_member_count(groups, fact->group);
}

static uint32_t value_count(const struct reshard_groups *groups, const struct fact *fact)
{
    return fact->is_entry ? reshard_groups_entry_value_count(groups, fact->group)
                          : reshard_groups_value_count(groups, fact->group);
}

static const char *key_of(const struct reshard_groups *groups, const struct fact *fact)
{
    return fact->is_entry ? reshard_groups_entry_key(groups, fact->group, fact->index)
                          : reshard_groups_key(groups, fact->group, fact->index);
}

static const struct reshard_value *value_of(const struct reshard_groups *groups,
                                            const struct fact *fact)
{
    return fact->is_entry ? reshard_groups_entry_value(groups, fact->group, fact->index)
                          : reshard_groups_value(groups, fact->group, fact->index);
}

/* The group or entry of that number, or what comes after the last of them. */
static struct fact begin(const struct reshard_groups *groups, bool is_entry, uint32_t group)
{
    if (group < list_count(groups, is_entry))
        return (struct fact){KIND_GROUP, is_entry, group, 0};
    if (!is_entry && list_count(groups, true) > 0)
        return (struct fact){KIND_GROUP, true, 0, 0};
    return (struct fact){.kind = KIND_END};
}

static struct fact next(const struct reshard_groups *groups, const struct fact *fact)
{
    if (fact->kind == KIND_KEYS)
        return begin(groups, false, 0);
    if (fact->kind == KIND_GROUP && member_count(groups, fact) > 0)
        return (struct fact){KIND_MEMBER, fact->is_entry, fact->group, 0};
    if (fact->kind == KIND_MEMBER && fact->index + 1 < member_count(groups, fact))
        return (struct fact){KIND_MEMBER, fact->is_entry, fact->group, fact->index + 1};
    if (fact->kind != KIND_VALUE && value_count(groups, fact) > 0)
        return (struct fact){KIND_VALUE, fact->is_entry, fact->group, 0};
    if (fact->kind == KIND_VALUE && fact->index + 1 < value_count(groups, fact))
        return (struct fact){KIND_VALUE, fact->is_entry, fact->group, fact->index + 1};
    return begin(groups, fact->is_entry, fact->group + 1);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return digest_crc(hash, text, strlen(text) + 1);
}

static uint64_t hash_fact(uint64_t hash, const struct reshard_groups *groups,
                          const struct fact *fact)
{
    const uint64_t kind = (uint64_t)fact->kind << 1 | fact->is_entry;
    const uint64_t keys = (uint64_t)reshard_groups_keys(groups);

    hash = digest_crc(hash, &kind, sizeof kind);
    switch (fact->kind) {
    case KIND_KEYS:
        return digest_crc(hash, &keys, sizeof keys);
    case KIND_GROUP:
        return hash_text(hash, name_of(groups, fact));
    case KIND_MEMBER:
        return hash_text(hash, reshard_groups_member(groups, fact->group, fact->index));
    default:
        return groups_value_hash(hash_text(hash, key_of(groups, fact)), value_of(groups, fact));
    }
}

uint64_t groups_fact_count(const struct reshard_groups *groups)
{
    struct fact fact = {.kind = KIND_KEYS};
    uint64_t count = 0;

    for (; groups && fact.kind != KIND_END; fact = next(groups, &fact))
        count++;
    return count;
}

uint64_t groups_hash_of_first(const struct reshard_groups *groups, uint64_t count)
{
    struct fact fact = {.kind = KIND_KEYS};
    uint64_t hash = 0;

    for (uint64_t i = 0; groups && i < count && fact.kind != KIND_END; i++) {
        hash = hash_fact(hash, groups, &fact);
        fact = next(groups, &fact);
    }
    return hash;
}

void groups_fact_print(const struct reshard_groups *groups, uint64_t number, char *text,
                       size_t size)
{
    struct fact fact = {.kind = KIND_KEYS};
    const char *what;
    char value[256];

    for (uint64_t i = 0; groups && i < number && fact.kind != KIND_END; i++)
        fact = next(groups, &fact);
    what = fact.is_entry ? "entry" : "group";
    if (!groups)
        snprintf(text, size, "there are none");
    else if (fact.kind == KIND_KEYS)
        snprintf(text, size, "members are keyed by %s",
                 reshard_groups_keys(groups) == RESHARD_KEYS_IDS ? "ids" : "names");
    else if (fact.kind == KIND_GROUP)
        snprintf(text, size, "%s %" PRIu32 " is '%.200s'", what, fact.group,
                 name_of(groups, &fact));
    else if (fact.kind == KIND_MEMBER)
        snprintf(text, size, "member %" PRIu32 " of group '%.200s' is '%.200s'", fact.index,
                 name_of(groups, &fact), reshard_groups_member(groups, fact.group, fact.index));
    else if (fact.kind == KIND_VALUE)
        snprintf(text, size, "'%.200s' of %s '%.200s' is %s", key_of(groups, &fact), what,
                 name_of(groups, &fact),
                 reshard_value_print(value_of(groups, &fact), value, sizeof value));
    else
        snprintf(text, size, "nothing more is there");
}
