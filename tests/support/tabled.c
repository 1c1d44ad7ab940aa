#include "support/tabled.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIKE(name, type)                                                                           \
    {                                                                                              \
        .slot = (name), .dtype = (type), .slot_class = RESHARD_CLASS_LIKE                          \
    }
#define WHOLE(name, type, what)                                                                    \
    {                                                                                              \
        .slot = (name), .dtype = (type), .slot_class = (what), .shape = { 1, {6} }                 \
    }

static const struct reshard_slot slots['z' + 1] = {
    ['m'] = LIKE("exp_avg", RESHARD_DTYPE_F32),
    ['v'] = LIKE("exp_avg_sq", RESHARD_DTYPE_F32),
    ['x'] = LIKE("max_exp_avg_sq", RESHARD_DTYPE_F32),
    ['h'] = LIKE("exp_avg", RESHARD_DTYPE_BF16),
    ['n'] = LIKE("inner", RESHARD_DTYPE_F32),
    ['u'] = LIKE("outer.inner", RESHARD_DTYPE_F32),
    ['s'] = {.slot = "step", .dtype = RESHARD_DTYPE_F32, .slot_class = RESHARD_CLASS_SCALAR},
    ['t'] = {.slot = "step", .dtype = RESHARD_DTYPE_I64, .slot_class = RESHARD_CLASS_SCALAR},
    ['r'] = {.slot = "row_var",
             .dtype = RESHARD_DTYPE_F32,
             .slot_class = RESHARD_CLASS_ROW,
             .keeps_dimension = true},
    ['c'] = {.slot = "col_var",
             .dtype = RESHARD_DTYPE_F32,
             .slot_class = RESHARD_CLASS_COLUMN,
             .keeps_dimension = true},
    ['a'] = {.slot = "row_var",
             .dtype = RESHARD_DTYPE_F32,
             .slot_class = RESHARD_CLASS_COLUMN,
             .keeps_dimension = true},
    ['k'] = {.slot = "absmax",
             .dtype = RESHARD_DTYPE_F32,
             .slot_class = RESHARD_CLASS_BLOCKWISE,
             .block = 4},
    ['l'] = {.slot = "absmax",
             .dtype = RESHARD_DTYPE_F32,
             .slot_class = RESHARD_CLASS_BLOCKWISE,
             .block = 5},
    ['q'] = WHOLE("quant_map", RESHARD_DTYPE_F32, RESHARD_CLASS_REPLICATED),
    ['g'] = WHOLE("blob", RESHARD_DTYPE_U8, RESHARD_CLASS_REPLICATED),
    ['o'] = WHOLE("blob", RESHARD_DTYPE_U8, RESHARD_CLASS_OPAQUE),
};

static const struct reshard_slot *slot_of(char letter)
{
    const struct reshard_slot *slot = &slots[tolower((unsigned char)letter)];

    if (!slot->slot) {
        fprintf(stderr, "'%c' is no slot of a table\n", letter);
        abort();
    }
    return slot;
}

const char *tabled_slot(char letter)
{
    return slot_of(letter)->slot;
}

static void must(enum reshard_status status, const char *fqn, const struct reshard_error *error)
{
    if (status && status != RESHARD_ENOMEM) {
        fprintf(stderr, "'%s': %s\n", fqn, error->text);
        abort();
    }
}

static enum reshard_status add(struct reshard_model *model, const struct tabled *entry)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const char *is = strchr(entry->fqn, '=');
    enum reshard_status status;
    char alias[64];

    if (is) {
        (void)snprintf(alias, sizeof alias, "%.*s", (int)(is - entry->fqn), entry->fqn);
        status = reshard_model_tie(model, alias, is + 1, &error);
    } else {
        status =
            reshard_model_add_role(model, entry->fqn, entry->unit ? entry->unit : "", entry->dtype,
                                   &entry->shape, entry->role, RESHARD_OTHER_WORLD_REFUSE, &error);
    }
    must(status, entry->fqn, &error);
    return status;
}

struct reshard_model *tabled_model(const struct tabled *table)
{
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_model_open(&model);

    for (const struct tabled *entry = table; !status && entry->fqn; entry++)
        status = add(model, entry);
    for (const struct tabled *entry = table; !status && entry->fqn; entry++)
        for (const char *letter = entry->slots; !status && letter && *letter; letter++) {
            struct reshard_error error = RESHARD_ERROR_INIT;
            status = reshard_model_add_state(model, entry->fqn, slot_of(*letter), &error);
            must(status, entry->fqn, &error);
        }
    if (!status)
        return model;
    reshard_model_close(model);
    return NULL;
}

void tabled_set_absent(struct reshard_state *state, const struct tabled *table)
{
    uint32_t t = 0;

    for (const struct tabled *entry = table; entry->fqn; entry++)
        t += !strchr(entry->fqn, '=');
    for (; table->fqn; table++)
        for (const char *letter = table->slots; letter && *letter; letter++)
            reshard_state_set_absent(state, t++, isupper((unsigned char)*letter));
}

static enum reshard_status add_group(struct reshard_groups *groups,
                                     const struct tabled_group *group)
{
    const uint32_t number = reshard_groups_count(groups);
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status = group->is_entry
                                     ? reshard_groups_add_entry(groups, group->name, &error)
                                     : reshard_groups_add(groups, group->name, &error);

    for (int i = 0; !status && i < 6 && group->member[i]; i++)
        status = reshard_groups_add_member(groups, number, group->member[i], &error);
    for (int i = 0; !status && i < 4 && group->value[i].key; i++)
        status = group->is_entry
                     ? reshard_groups_set_entry(groups, group->name, group->value[i].key,
                                                &group->value[i].value, &error)
                     : reshard_groups_set(groups, number, group->value[i].key,
                                          &group->value[i].value, &error);
    must(status, group->name, &error);
    return status;
}

struct reshard_groups *tabled_groups(const struct tabled_group *table)
{
    struct reshard_groups *groups = NULL;
    enum reshard_status status = reshard_groups_open(&groups);

    for (; !status && table->name; table++)
        status = add_group(groups, table);
    if (!status)
        return groups;
    reshard_groups_close(groups);
    return NULL;
}
