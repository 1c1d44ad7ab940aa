/* The table of the optimizer and of its groups. */
#include "sim/language.h"

/* The reference training is defined up to this step. */
enum { STEP_MAX = 16777216, BLOCK_MAX = 1073741824, GROUPS_MAX = 1000 };

#define AT(object, member) .offset = offsetof(struct language_##object, member)
#define END                                                                                        \
    {                                                                                              \
        .key = NULL                                                                                \
    }

static const struct schema_field any_pattern = {.key = "pattern", .type = SCHEMA_TEXT};
static const struct schema_field any_share = {.key = "beta", .type = SCHEMA_NUMBER, .most = 1};

/* Of the optimizer and of each group. None has a default here: an optimizer has its own, a group
 * those of its optimizer. */
/* clang-format off */
#define HYPERPARAMETERS(object)                                                                    \
    {.key = "lr",                                                                                  \
     .type = SCHEMA_NUMBER,                                                                        \
     AT(object, hyper.lr),                                                                         \
     .about = "Learning rate."},                                                                   \
    {.key = "betas",                                                                               \
     .type = SCHEMA_LIST,                                                                          \
     AT(object, hyper.betas),                                                                      \
     .least = 2,                                                                                   \
     .most = 2,                                                                                    \
     .element = &any_share,                                                                        \
     .about = "Decay of the two moments."},                                                        \
    {.key = "eps",                                                                                 \
     .type = SCHEMA_NUMBER,                                                                        \
     AT(object, hyper.eps),                                                                        \
     .about = "Added to the denominator."},                                                        \
    {.key = "weight_decay",                                                                        \
     .type = SCHEMA_NUMBER,                                                                        \
     AT(object, hyper.weight_decay),                                                               \
     .about = "Weight decay: of sgd and adam a part of the gradient, of others decoupled."},       \
    {.key = "momentum",                                                                            \
     .type = SCHEMA_NUMBER,                                                                        \
     AT(object, hyper.momentum),                                                                   \
     .most = 1,                                                                                    \
     .about = "Decay of the momentum; sgd has no state where it is 0."},                           \
    {.key = "nesterov",                                                                            \
     .type = SCHEMA_BOOL,                                                                          \
     AT(object, hyper.nesterov),                                                                   \
     .about = "Nesterov's momentum."},                                                             \
    {.key = "amsgrad",                                                                             \
     .type = SCHEMA_BOOL,                                                                          \
     AT(object, hyper.amsgrad),                                                                    \
     .about = "Keep the largest second moment as a further state."},                               \
    {.key = "block",                                                                               \
     .type = SCHEMA_COUNT,                                                                         \
     AT(object, hyper.block),                                                                      \
     .least = 1,                                                                                   \
     .most = BLOCK_MAX,                                                                            \
     .about = "Elements that share a scale."},                                                     \
    {.key = "from",                                                                                \
     .type = SCHEMA_COUNT,                                                                         \
     AT(object, hyper.from),                                                                       \
     .least = 1,                                                                                   \
     .most = STEP_MAX,                                                                             \
     .about = "The first training step that takes part; before it there is no state."}
/* clang-format on */

static const struct schema_field group_fields[] = {
    {.key = "name",
     .type = SCHEMA_NAME,
     AT(group, name),
     .required = true,
     .about = "What the group is known by; not default."},
    {.key = "match",
     .type = SCHEMA_LIST,
     AT(group, match),
     .required = true,
     .least = 1,
     .most = GROUPS_MAX,
     .element = &any_pattern,
     .about = "Patterns of its parameters' names; those of groups before it are not in it."},
    HYPERPARAMETERS(group),
    END,
};
static const struct schema_object group = {
    .title = "a group",
    .bytes = sizeof(struct language_group),
    .field = group_fields,
};
static const struct schema_field any_group = {
    .key = "group", .type = SCHEMA_OBJECT, .object = &group};

static const char *const optimizer_words[] = {"none",      "sgd",      "adam", "adamw",
                                              "adafactor", "adam8bit", "muon", NULL};
static const struct schema_field optimizer_fields[] = {
    {.key = "name",
     .type = SCHEMA_WORD,
     AT(optimizer, name),
     .required = true,
     .fallback = "none",
     .words = optimizer_words,
     .about = "The optimizer that trains; none trains nothing and has no state."},
    HYPERPARAMETERS(optimizer),
    {.key = "groups",
     .type = SCHEMA_LIST,
     AT(optimizer, groups),
     .least = 1,
     .most = GROUPS_MAX,
     .element = &any_group,
     .about = "Parameters with hyperparameters of their own; the optimizer's where none is given."},
    END,
};
const struct schema_object language_one_optimizer = {
    .title = "the optimizer",
    .bytes = sizeof(struct language_optimizer),
    .field = optimizer_fields,
    .shorthand = "name",
};
