#include "support/rules.h"

#include "verify/walk.h"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 1024 };

struct made made;

const struct verify_rank_box given_boxes[GIVEN_BOXES] = {
    {3, {5, 2}, {8, 6}, 2}, {0, {0, 0}, {8, 2}, 2}, {1, {0, 2}, {3, 6}, 2},
    {1, {5, 2}, {8, 6}, 2}, {3, {0, 2}, {3, 6}, 2}, {2, {3, 2}, {5, 6}, 2},
};

void make_nothing(void)
{
    made.inventory = (struct verify_inventory){0, made.tensor, 8};
    memset(made.rule, 0, sizeof made.rule);
    made.layout = (struct verify_layout){
        .kind = VERIFY_DDP, .world = 1, .mesh = {1, 1, 1, 1, 1}, .owner = -1, .rule = made.rule};
}

struct verify_tensor *make_tensor(const char *fqn, uint32_t unit, ...)
{
    struct verify_tensor *tensor = &made.tensor[made.inventory.tensor_count];
    va_list sizes;

    *tensor = (struct verify_tensor){
        .fqn = fqn, .slot = "", .dtype = RESHARD_DTYPE_F32, .unit = unit, .like = true};
    tensor->parameter = made.inventory.tensor_count++;
    va_start(sizes, unit);
    for (int size = va_arg(sizes, int); size >= 0; size = va_arg(sizes, int))
        tensor->shape[tensor->ndim++] = (uint64_t)size;
    va_end(sizes);
    return tensor;
}

struct verify_tensor *make_slot(uint32_t parameter, const char *slot, bool like)
{
    struct verify_tensor *tensor = &made.tensor[made.inventory.tensor_count++];

    *tensor = made.tensor[parameter];
    tensor->slot = slot;
    tensor->like = like;
    tensor->role = VERIFY_PARAMETER;
    tensor->ndim = like ? tensor->ndim : 0;
    if (!like)
        memset(tensor->shape, 0, sizeof tensor->shape);
    return tensor;
}

struct verify_tensor *make_state(uint32_t parameter, const char *slot, enum verify_class slot_class,
                                 ...)
{
    struct verify_tensor *tensor = make_slot(parameter, slot, false);
    va_list sizes;

    tensor->slot_class = slot_class;
    va_start(sizes, slot_class);
    for (int size = va_arg(sizes, int); size >= 0; size = va_arg(sizes, int))
        tensor->shape[tensor->ndim++] = (uint64_t)size;
    va_end(sizes);
    return tensor;
}

void make_mesh(enum verify_layout_kind kind, uint64_t pipeline, uint64_t replicate, uint64_t shard,
               uint64_t expert, uint64_t tensor)
{
    const uint64_t sizes[VERIFY_AXES] = {pipeline, replicate, shard, expert, tensor};

    made.layout.kind = kind;
    memcpy(made.layout.mesh, sizes, sizeof sizes);
    made.layout.world = pipeline * replicate * shard * expert * tensor;
}

struct verify_rule *make_rule(const char *pattern)
{
    made.rule[made.layout.rule_count].pattern = pattern;
    return &made.rule[made.layout.rule_count++];
}

void make_setting(const char *pattern, enum verify_axis axis, enum verify_how how, uint64_t number)
{
    make_rule(pattern)->axis[axis] = (struct verify_setting){how, number};
}

struct verify_rules *make_rules(void)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_rules *rules;

    ck_assert_msg(verify_rules_open(&rules, &made.inventory, &made.layout, &error) == RESHARD_OK,
                  "%s", error.text);
    return rules;
}

void make_boxes(const struct verify_rank_box *box, uint64_t count)
{
    struct verify_rule *one = make_rule("w");

    one->box = box;
    one->box_count = count;
}

void rules_expect_part(const struct verify_rules *rules, uint32_t tensor, uint64_t rank,
                       const char *expected)
{
    char text[TEXT_BYTES] = "";
    struct verify_walk walk;
    struct verify_box box;
    uint64_t local;

    verify_walk_begin(&walk, rules, tensor, rank);
    while (verify_walk_box(&walk, &box, &local)) {
        char one[VERIFY_BOX_TEXT_MAX];

        verify_box_text(&box, one, sizeof one);
        if (text[0])
            strcat(text, ", ");
        strcat(text, one);
    }
    ck_assert_msg(strcmp(text, expected) == 0, "%s of rank %d: %s; expected %s",
                  made.tensor[tensor].fqn, (int)rank, text, expected);
}

void rules_expect_parts(uint32_t tensor, const char *const *expected)
{
    struct verify_rules *rules = make_rules();

    for (uint64_t rank = 0; rank < made.layout.world; ++rank)
        rules_expect_part(rules, tensor, rank, expected[rank]);
    verify_rules_close(rules);
}

void rules_expect_owners(const struct verify_rules *rules, uint32_t tensor, const char *expected)
{
    char text[TEXT_BYTES] = "";

    for (uint64_t rank = 0; rank < made.layout.world; ++rank)
        strcat(text, verify_rules_owns(rules, tensor, rank) ? "x" : ".");
    ck_assert_msg(strcmp(text, expected) == 0, "%s: %s; expected %s", made.tensor[tensor].fqn, text,
                  expected);
}

void rules_check_laws(const struct verify_rules *rules, uint32_t tensor)
{
    const uint64_t elements = verify_tensor_elements(&made.tensor[tensor]);
    unsigned *written = calloc(elements + 1, sizeof *written);
    uint64_t held = 0;

    for (uint64_t rank = 0; rank < made.layout.world; ++rank) {
        const uint64_t memory = verify_rules_memory_elements(rules, tensor, rank);
        const bool owns = verify_rules_owns(rules, tensor, rank);
        uint64_t next = UINT64_MAX;
        struct verify_walk walk;
        struct verify_run run;

        verify_walk_begin(&walk, rules, tensor, rank);
        while (verify_walk_next(&walk, &run)) {
            ck_assert(next == UINT64_MAX || run.local == next);
            ck_assert(next != UINT64_MAX || verify_rules_flat(rules, tensor) || run.local == 0);
            next = run.local + (run.end - run.begin);
            held += run.end - run.begin;
            for (uint64_t e = run.begin; e < run.end && owns; ++e)
                written[e] += 1;
        }
        ck_assert(next == UINT64_MAX ||
                  (verify_rules_flat(rules, tensor) ? next <= memory : next == memory));
    }
    for (uint64_t e = 0; e < elements; ++e)
        ck_assert_msg(written[e] == 1, "%s [%d] is written %u times", made.tensor[tensor].fqn,
                      (int)e, written[e]);
    ck_assert_uint_eq(held, verify_rules_world_elements(rules, tensor));
    free(written);
}
