/*
 * The error catalogue: what can go wrong between a state, a checkpoint and a loader, a row each.
 * Goal: every condition has the status that the headers promise and a message that names what is
 * concerned, the same on every rank; and what is refused changes nothing. Method: each row prepares
 * a folder with a checkpoint and a state with memory, does one thing, and compares: status, text,
 * every byte under the folder (so no new checkpoint, no leftover, no touched one), every byte of
 * the state's memory and which slots are absent.
 *
 * The conditions are those in which PyTorch's checkpointing errs, casts, drops or hangs. Two of
 * them have no row, because the library cannot meet them:
 *   - a rank that dies or comes late: MPI gives a call no way to learn of it, so that there is
 *     nothing to return. What a job that was cut short leaves, the scenarios of crashes show;
 *   - devices that differ within a unit: a state has one for all of its memory.
 * Every operation of storage that fails, on every rank, is test_fault.c's; every kind of damaged
 * file test_damage.c's; what a command says of a condition, and ends with, test_cli.sh's.
 */
#include "core/form.h"
#include "core/rekey.h"
#include "support/ranks.h"
#include "support/scene.h"
#include "support/tabled.h"
#include "support/twists.h"

#include <string.h>

#define F32 RESHARD_DTYPE_F32
#define BF16 RESHARD_DTYPE_BF16
#define END                                                                                        \
    {                                                                                              \
        NULL, 0, {0, {0}}, NULL, 0, NULL                                                           \
    }

/* ---- models that meet ------------------------------------------------------------------------ */

static const struct tabled plain[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "mvs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "MVs"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcks"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "g"},
    {"blob", RESHARD_DTYPE_U8, {1, {9}}, "", RESHARD_ROLE_OPAQUE, NULL},
    END,
};
static const struct tabled with_more[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "mvs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "MVs"},
    {"a.more", F32, {2, {2, 5}}, "a", 0, "ms"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcks"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "gm"},
    {"blob", RESHARD_DTYPE_U8, {1, {9}}, "", RESHARD_ROLE_OPAQUE, NULL},
    {"zoo", F32, {0, {0}}, "", RESHARD_ROLE_BUFFER, NULL},
    END,
};
/* What is absent there is here, and the other way round. */
static const struct tabled other_absence[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "MVS"},
    {"a.bias", F32, {1, {7}}, "a", 0, "mvS"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "RCKS"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "G"},
    {"blob", RESHARD_DTYPE_U8, {1, {9}}, "", RESHARD_ROLE_OPAQUE, NULL},
    END,
};
static const struct tabled other_sizes[] = {
    {"a.weight", F32, {2, {7, 6}}, "a", 0, "mvs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "MVs"},
    {"b.weight", BF16, {2, {4, 6}}, "b", 0, "rcks"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "g"},
    {"blob", RESHARD_DTYPE_U8, {1, {8}}, "", RESHARD_ROLE_OPAQUE, NULL},
    END,
};
static const struct tabled other_dtypes[] = {
    {"a.weight", BF16, {2, {7, 5}}, "a", 0, "hvt"},
    {"a.bias", F32, {1, {7}}, "a", 0, "MVs"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcks"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "g"},
    {"blob", RESHARD_DTYPE_U8, {1, {9}}, "", RESHARD_ROLE_OPAQUE, NULL},
    END,
};
static const struct tabled other_kinds[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "mvs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "MVs"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcks"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "o"},
    {"blob", RESHARD_DTYPE_U8, {1, {9}}, "", RESHARD_ROLE_BUFFER, NULL},
    END,
};
static const struct tabled square[] = {
    {"s", F32, {2, {5, 5}}, "", 0, "rk"},
    END,
};
static const struct tabled square_columns[] = {
    {"s", F32, {2, {5, 5}}, "", 0, "ak"},
    END,
};
static const struct tabled square_blocks[] = {
    {"s", F32, {2, {5, 5}}, "", 0, "rl"},
    END,
};
/* One block, whether of 4 elements or of 5: the shape does not tell. */
static const struct tabled short_4[] = {
    {"s", F32, {2, {4, 1}}, "", 0, "k"},
    END,
};
static const struct tabled short_5[] = {
    {"s", F32, {2, {4, 1}}, "", 0, "l"},
    END,
};
static const struct tabled stateless[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, NULL},
    {"a.bias", F32, {1, {7}}, "a", 0, "s"},
    END,
};
static const struct tabled stateful[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "ms"},
    {"a.bias", F32, {1, {7}}, "a", 0, "s"},
    END,
};
static const struct tabled stateful_and_frozen[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", RESHARD_ROLE_FROZEN, NULL},
    {"a.bias", F32, {1, {7}}, "a", 0, "s"},
    END,
};
static const struct tabled mixed_dtypes[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, NULL},
    {"a.bias", BF16, {1, {7}}, "a", 0, NULL},
    END,
};
static const struct tabled mixed_training[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, NULL},
    {"a.bias", F32, {1, {7}}, "a", RESHARD_ROLE_FROZEN, NULL},
    END,
};
static const struct tabled with_integers[] = {
    {"a.counts", RESHARD_DTYPE_I64, {1, {11}}, "a", 0, "t"},
    {"a.phases", RESHARD_DTYPE_C64, {1, {3}}, "a", 0, NULL},
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "mvs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "MVs"},
    END,
};
/* state.w.outer.inner.inner and so on, if dots were not escaped. */
static const struct tabled dotted[] = {
    {"w", F32, {2, {7, 5}}, "", 0, "un"},
    {"w.outer", F32, {1, {7}}, "", 0, "un"},
    {"w.outer.inner", F32, {1, {4}}, "", 0, "n"},
    END,
};
/* Steps that differ, and names of states that do. */
static const struct tabled in_units[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "mvxs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "S"},
    {"a.norm", F32, {1, {7}}, "a", 0, "ns"},
    {"b.weight", F32, {2, {6, 4}}, "b", 0, "rcs"},
    END,
};
static const struct tabled in_one_unit[] = {
    {"a.weight", F32, {2, {7, 5}}, "", 0, "mvxs"},
    {"a.bias", F32, {1, {7}}, "", 0, "s"},
    {"a.norm", F32, {1, {7}}, "", 0, "ns"},
    {"b.weight", F32, {2, {6, 4}}, "", 0, "rcs"},
    END,
};

/* ---- param groups ---------------------------------------------------------------------------- */

#define NUMBER(value_)                                                                             \
    {                                                                                              \
        .kind = RESHARD_VALUE_NUMBER, .number = (value_)                                           \
    }
#define INTEGER(value_)                                                                            \
    {                                                                                              \
        .kind = RESHARD_VALUE_INTEGER, .integer = (value_)                                         \
    }
#define BOOLEAN(value_)                                                                            \
    {                                                                                              \
        .kind = RESHARD_VALUE_BOOLEAN, .boolean = (value_)                                         \
    }
#define PAIR(first_, second_)                                                                      \
    {                                                                                              \
        .kind = RESHARD_VALUE_TUPLE, .count = 2, .item = (const struct reshard_value[])            \
        {                                                                                          \
            NUMBER(first_), NUMBER(second_)                                                        \
        }                                                                                          \
    }
#define NO_GROUP                                                                                   \
    {                                                                                              \
        NULL, false, {NULL},                                                                       \
        {                                                                                          \
            {                                                                                      \
                NULL,                                                                              \
                {                                                                                  \
                    0                                                                              \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

static const struct tabled_group two[] = {
    {"decay", false, {"a.weight", "b.weight"}, {{"lr", NUMBER(0.25)}, {"betas", PAIR(0.5, 0.75)}}},
    {"rest", false, {"a.bias", "b.bias"}, {{"lr", NUMBER(0.5)}, {"amsgrad", BOOLEAN(true)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(7)}}},
    NO_GROUP,
};
static const struct tabled_group two_of_other_values[] = {
    {"decay", false, {"a.weight", "b.weight"}, {{"lr", NUMBER(1)}, {"betas", PAIR(0.75, 0.5)}}},
    {"rest", false, {"a.bias", "b.bias"}, {{"lr", NUMBER(-0.5)}, {"amsgrad", BOOLEAN(false)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(0)}}},
    NO_GROUP,
};
static const struct tabled_group two_of_other_kinds[] = {
    {"decay", false, {"a.weight", "b.weight"}, {{"lr", INTEGER(1)}, {"betas", NUMBER(0.5)}}},
    {"rest", false, {"a.bias", "b.bias"}, {{"lr", NUMBER(0.5)}, {"amsgrad", INTEGER(1)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(7)}}},
    NO_GROUP,
};
static const struct tabled_group two_with_more_values[] = {
    {"decay",
     false,
     {"a.weight", "b.weight"},
     {{"eps", NUMBER(0.125)}, {"lr", NUMBER(0.25)}, {"betas", PAIR(0.5, 0.75)}}},
    {"rest", false, {"a.bias", "b.bias"}, {{"lr", NUMBER(0.5)}, {"amsgrad", BOOLEAN(true)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(7)}}},
    {"grad_scaler", true, {NULL}, {{"scale", NUMBER(65536)}}},
    NO_GROUP,
};
/* The same once it has got the other values of `two_of_other_values`. */
static const struct tabled_group two_with_more_kept[] = {
    {"decay",
     false,
     {"a.weight", "b.weight"},
     {{"eps", NUMBER(0.125)}, {"lr", NUMBER(1)}, {"betas", PAIR(0.75, 0.5)}}},
    {"rest", false, {"a.bias", "b.bias"}, {{"lr", NUMBER(-0.5)}, {"amsgrad", BOOLEAN(false)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(0)}}},
    {"grad_scaler", true, {NULL}, {{"scale", NUMBER(65536)}}},
    NO_GROUP,
};
/* And `two` once it has got the values of `two_with_more_values`. */
static const struct tabled_group two_with_values_added[] = {
    {"decay",
     false,
     {"a.weight", "b.weight"},
     {{"lr", NUMBER(0.25)}, {"betas", PAIR(0.5, 0.75)}, {"eps", NUMBER(0.125)}}},
    {"rest", false, {"a.bias", "b.bias"}, {{"lr", NUMBER(0.5)}, {"amsgrad", BOOLEAN(true)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(7)}}},
    {"grad_scaler", true, {NULL}, {{"scale", NUMBER(65536)}}},
    NO_GROUP,
};
static const struct tabled_group two_the_other_way_round[] = {
    {"rest", false, {"a.bias", "b.bias"}, {{"lr", NUMBER(0.5)}, {"amsgrad", BOOLEAN(true)}}},
    {"decay", false, {"a.weight", "b.weight"}, {{"lr", NUMBER(0.25)}, {"betas", PAIR(0.5, 0.75)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(7)}}},
    NO_GROUP,
};
static const struct tabled_group three[] = {
    {"decay", false, {"a.weight", "b.weight"}, {{"lr", NUMBER(0.25)}, {"betas", PAIR(0.5, 0.75)}}},
    {"rest", false, {"a.bias", "b.bias"}, {{"lr", NUMBER(0.5)}, {"amsgrad", BOOLEAN(true)}}},
    {"none", false, {NULL}, {{"lr", NUMBER(0)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(7)}}},
    NO_GROUP,
};
static const struct tabled_group two_of_other_members[] = {
    {"decay", false, {"a.weight", "a.bias"}, {{"lr", NUMBER(0.25)}, {"betas", PAIR(0.5, 0.75)}}},
    {"rest", false, {"b.bias"}, {{"lr", NUMBER(0.5)}, {"amsgrad", BOOLEAN(true)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(7)}}},
    NO_GROUP,
};
static const struct tabled_group two_in_another_order[] = {
    {"decay", false, {"b.weight", "a.weight"}, {{"lr", NUMBER(0.25)}, {"betas", PAIR(0.5, 0.75)}}},
    {"rest", false, {"a.bias", "b.bias"}, {{"lr", NUMBER(0.5)}, {"amsgrad", BOOLEAN(true)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(7)}}},
    NO_GROUP,
};
static const struct tabled_group two_of_a_stranger[] = {
    {"decay", false, {"a.weight", "a.none"}, {{"lr", NUMBER(0.25)}, {"betas", PAIR(0.5, 0.75)}}},
    {"rest", false, {"blob"}, {{"lr", NUMBER(0.5)}, {"amsgrad", BOOLEAN(true)}}},
    {"lr_scheduler", true, {NULL}, {{"last_epoch", INTEGER(7)}}},
    NO_GROUP,
};

/* ---- acts of single rows --------------------------------------------------------------------- */

/* A form on one rank is what it is on many: the same kind of layout, and one box. */
static void check_form(const struct scene *scene, const struct reshard_layout *live,
                       enum reshard_form form, enum reshard_layout_kind kind)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    struct reshard_layout *layout = NULL;

    if (EXPECT_STATUS(scene->ranks, reshard_form_layout(&layout, live, form, false, &error),
                      RESHARD_OK, &error)) {
        EXPECT(scene->ranks, reshard_layout_options(layout)->kind == kind);
        EXPECT(scene->ranks, reshard_layout_boxes(layout, 0, 0, &boxes) == RESHARD_OK);
        EXPECT(scene->ranks, reshard_layout_options(layout)->shard > 1 || boxes.count == 1);
    }
    reshard_box_list_release(&boxes);
    reshard_layout_close(layout);
}

static enum reshard_status take_forms(struct scene *scene)
{
    struct reshard_layout *live = NULL;
    const enum reshard_status status =
        reshard_layout_open(&live, scene->model, &scene->row->layout, &scene->error);

    if (!status) {
        check_form(scene, live, RESHARD_FORM_LOCAL, RESHARD_LAYOUT_FSDP1);
        check_form(scene, live, RESHARD_FORM_SHARDED, RESHARD_LAYOUT_FSDP2);
    }
    reshard_layout_close(live);
    return status;
}

/* Names where ids are to be. */
static enum reshard_status name_what_has_names(struct scene *scene)
{
    struct reshard_groups *mixed = NULL, *groups = NULL;
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_groups_copy(&mixed, scene->groups);

    if (!status) {
        reshard_groups_set_keys(mixed, RESHARD_KEYS_IDS);
        status = reshard_rekey(&model, &groups, scene->model, mixed, RESHARD_KEYS_NAMES,
                               scene->groups, &scene->error);
    }
    EXPECT(scene->ranks, status == RESHARD_OK || (!model && !groups));
    reshard_model_close(model);
    reshard_groups_close(groups);
    reshard_groups_close(mixed);
    return status;
}

/* The same in what is to be saved. */
static enum reshard_status save_names_as_ids(struct scene *scene)
{
    enum reshard_status status;

    reshard_groups_set_keys(scene->groups, RESHARD_KEYS_IDS);
    status = scene_save(scene);
    reshard_groups_set_keys(scene->groups, RESHARD_KEYS_NAMES);
    return status;
}

/* The key of each slot comes back as that slot. */
static enum reshard_status flatten_keys(struct scene *scene)
{
    char key[RESHARD_KEY_MAX], fqn[RESHARD_NAME_MAX], slot[RESHARD_NAME_MAX];
    enum reshard_key_kind kind;
    uint32_t meant = 0;

    for (uint32_t t = 0; t < scene->side.tensors; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(scene->model, t);
        if (!reshard_tensor_is_slot(tensor))
            continue;
        reshard_key_print(RESHARD_KEY_STATE, tensor->fqn, tensor->slot, key);
        EXPECT_STATUS(scene->ranks, reshard_key_parse(key, &kind, fqn, slot, &scene->error),
                      RESHARD_OK, &scene->error);
        EXPECT(scene->ranks, kind == RESHARD_KEY_STATE && strcmp(fqn, tensor->fqn) == 0 &&
                                 strcmp(slot, tensor->slot) == 0);
        EXPECT_STATUS(scene->ranks, reshard_model_find(scene->model, fqn, slot, &meant), RESHARD_OK,
                      NULL);
        EXPECT(scene->ranks, meant == t);
    }
    return RESHARD_OK;
}

/* A key in which others have not escaped the dot. */
static enum reshard_status resolve_a_key(struct scene *scene)
{
    uint32_t meant = 0;

    return reshard_key_resolve(scene->model, "state.w.outer.inner", &meant, &scene->error);
}

/* ---- the catalogue --------------------------------------------------------------------------- */

#define ENDS_AT(rows)                                                                              \
    {                                                                                              \
        2, {0, 0},                                                                                 \
        {                                                                                          \
            (rows), 5                                                                              \
        }                                                                                          \
    }
#define BEGINS_AT(rows)                                                                            \
    {                                                                                              \
        2, {(rows), 0},                                                                            \
        {                                                                                          \
            7, 5                                                                                   \
        }                                                                                          \
    }
#define BOXED(...)                                                                                 \
    {                                                                                              \
        .kind = RESHARD_LAYOUT_BOXES, .replicate = 2, .rule_count = 1,                             \
        .rule =                                                                                    \
            (const struct reshard_rule[]){{.pattern = "a.weight",                                  \
                                           .box = (const struct reshard_rank_box[]){__VA_ARGS__},  \
                                           .box_count = 2}},                                       \
    }

static const struct row rows[] = {
    {"a requested key is missing: all are listed", .saved = plain, .wanted = with_more,
     .act = scene_load, .status = RESHARD_EMISMATCH,
     .says =
         {"/given does not fit the model:", "\n  'a.more' f32 (2, 5): missing in the checkpoint",
          "\n  'a.more' slot exp_avg f32 (2, 5): missing", "\n  'a.more' slot step f32 ()",
          "\n  'b.bias' slot exp_avg f32 (6): missing in the checkpoint, which has the parameter",
          "\n  'zoo' f32 (): missing"}},
    {"a key of the checkpoint is not requested: all are listed", .saved = with_more,
     .wanted = plain, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"\n  'a.more' f32 (2, 5): unknown to the model",
              "\n  'a.more' slot exp_avg f32 (2, 5): unknown",
              "\n  'a.more' slot step f32 (): unknown",
              "\n  'b.bias' slot exp_avg f32 (6): the model has the parameter, but no such state",
              "\n  'zoo' f32 (): unknown"}},
    {"the global size differs", .saved = plain, .wanted = other_sizes, .act = scene_load,
     .status = RESHARD_EMISMATCH,
     .says = {"'a.weight' f32 (7, 6): the checkpoint has f32 (7, 5)",
              "'a.weight' slot exp_avg_sq f32 (7, 6): the checkpoint has f32 (7, 5)",
              "'b.weight' slot row_var f32 (4, 1): the checkpoint has f32 (6, 1)",
              "'blob' u8 (8): the checkpoint has u8 (9)"}},
    {"the dtype differs, and nothing is cast that was not named", .saved = plain,
     .wanted = other_dtypes, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"'a.weight' bf16 (7, 5): the checkpoint has f32",
              "'a.weight' slot exp_avg bf16 (7, 5): the checkpoint has f32",
              "'a.weight' slot step i64 (): the checkpoint has f32"}},
    {"a tensor is requested where bytes were saved", .saved = plain, .wanted = other_kinds,
     .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"'blob' u8 (9): it is buffer here, but opaque in the checkpoint",
              "'b.bias' slot blob u8 (6): it is opaque here, but replicated in the checkpoint"}},
    {"bytes are requested where a tensor was saved", .saved = other_kinds, .wanted = plain,
     .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"'blob' u8 (9): it is opaque here, but buffer in the checkpoint",
              "'b.bias' slot blob u8 (6): it is replicated here, but opaque in the checkpoint"}},
    {"the class of a state differs", .saved = square, .wanted = square_columns, .act = scene_load,
     .status = RESHARD_EMISMATCH,
     .says = {"'s' slot row_var f32 (1, 5): it is column here, but row in the checkpoint"}},
    {"the blocks of a state differ", .saved = square, .wanted = square_blocks, .act = scene_load,
     .status = RESHARD_EMISMATCH,
     .says = {"'s' slot absmax f32 (5): it is blockwise, of 5 elements here, but blockwise, of 4 "
              "elements in the checkpoint"}},
    {"the blocks differ where the shapes do not", .saved = short_4, .wanted = short_5,
     .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"'s' slot absmax f32 (1): it is blockwise, of 5 elements here"}},
    {"a parameter has no saved state", .saved = stateless, .wanted = stateful, .act = scene_load,
     .status = RESHARD_EMISMATCH,
     .says =
         {"'a.weight' slot exp_avg f32 (7, 5): missing in the checkpoint, which has the parameter",
          "'a.weight' slot step f32 (): missing"}},
    {"a parameter has a state that is absent: that is what is loaded", .saved = plain,
     .act = scene_round_trip},
    {"a parameter is frozen here: its state is not dropped", .saved = stateful,
     .wanted = stateful_and_frozen, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"'a.weight' slot exp_avg f32 (7, 5): the parameter is frozen here: its state would "
              "be lost",
              "'a.weight' slot step f32 (): the parameter is frozen here"}},
    {"states are absent on either side alone: it is as the checkpoint has it", .saved = plain,
     .wanted = other_absence, .act = scene_load_all},
    {"boxes that leave a hole", .saved = plain, .act = scene_lay_out,
     .layout = BOXED({0, ENDS_AT(3)}, {1, BEGINS_AT(4)}), .status = RESHARD_EINVAL,
     .says = {"'a.weight': the boxes given to the ranks must cover it once",
              "5 of 35 elements of [0:7, 0:5] are not covered"}},
    {"boxes that overlap", .saved = plain, .act = scene_lay_out,
     .layout = BOXED({0, ENDS_AT(4)}, {1, BEGINS_AT(3)}), .status = RESHARD_EINVAL,
     .says = {"'a.weight': the boxes given to the ranks must cover it once", "[0:4, 0:5]",
              "[3:7, 0:5]"}},
    {"a box out of bounds", .saved = plain, .act = scene_lay_out,
     .layout = BOXED({0, ENDS_AT(3)}, {1, {2, {3, 0}, {8, 5}}}), .status = RESHARD_EINVAL,
     .says = {"'a.weight': rank 1 is given box [3:8, 0:5]", "lies outside the tensor"}},
    {"a box of a rank that is not there", .saved = plain, .act = scene_lay_out,
     .layout = BOXED({0, ENDS_AT(3)}, {2, BEGINS_AT(3)}), .status = RESHARD_EINVAL,
     .says = {"'a.weight': rank 2 is given box [3:7, 0:5]", "the mesh has no such rank"}},
    {"a checkpoint's boxes leave a hole", .saved = plain, .lying = LYING_GIVEN,
     .twist = leave_a_hole, .act = scene_load, .status = RESHARD_EFORMAT,
     .says = {"/given/manifest.json", "'a.weight'"}},
    {"a checkpoint's boxes overlap", .saved = plain, .lying = LYING_GIVEN,
     .twist = let_boxes_overlap, .act = scene_load, .status = RESHARD_EFORMAT,
     .says = {"/given/manifest.json", "'a.weight'", "[0:4, 0:5]", "[3:7, 0:5]"}},
    {"a checkpoint's box is out of bounds", .saved = plain, .lying = LYING_GIVEN,
     .twist = let_a_box_stick_out, .act = scene_load, .status = RESHARD_EFORMAT,
     .says = {"/given/manifest.json", "'a.weight'", "[3:8, 0:5]"}},
    {"replicas differ", .saved = plain, .lying = LYING_WHOLE, .twist = change_a_copy,
     .act = scene_save, .status = RESHARD_EMISMATCH,
     .says = {"replicas differ", "'a.weight' slot exp_avg_sq", "rank @ does not hold what rank 0"},
     .ranks = 2},
    {"replicas differ, and the policy takes the owners'", .saved = plain, .lying = LYING_WHOLE,
     .twist = change_a_copy, .act = scene_round_trip_warned, .ranks = 2},
    {"replicas differ in memory that is resharded", .saved = plain, .lying = LYING_WHOLE,
     .twist = change_a_copy, .act = scene_exchange, .status = RESHARD_EDIGEST,
     .says = {"'a.weight' slot exp_avg_sq", "rank @ "}, .ranks = 2},
    {"keys that collide when they are flattened stay apart", .saved = dotted,
     .act = scene_round_trip},
    {"it exists already", .saved = plain, .act = scene_save_over, .status = RESHARD_EEXIST,
     .says = {"/given"}},
    {"a file of that name exists already", .saved = plain, .twist = put_a_file_there,
     .act = scene_save, .status = RESHARD_EEXIST, .says = {"/new"}},
    {"an uneven strided shard is cut as it nests", .saved = plain, .act = scene_lay_out,
     .layout = {.kind = RESHARD_LAYOUT_FSDP2,
                .shard = 2,
                .tensor = 2,
                .rule = (const struct reshard_rule[]){{.pattern = "*.weight",
                                                       .tensor = {RESHARD_HOW_CUT, 0}}},
                .rule_count = 1}},
    {"an uneven shard on another dimension than 0 is supported", .saved = plain,
     .lying = LYING_COLUMNS, .act = scene_round_trip},
    {"dtypes differ within a unit", .saved = plain, .wanted = mixed_dtypes, .act = scene_lay_out,
     .layout = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2}, .status = RESHARD_EINVAL,
     .says = {"cannot flatten unit 'a'", "'a.weight' is f32", "'a.bias' is bf16"}},
    {"what is trained and what is not, within a unit", .saved = plain, .wanted = mixed_training,
     .act = scene_lay_out, .layout = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2},
     .status = RESHARD_EINVAL,
     .says = {"cannot flatten unit 'a'", "'a.weight' is trained", "'a.bias' is frozen"}},
    {"what is trained and what is not, within a unit with orig_params: supported", .saved = plain,
     .wanted = mixed_training, .act = scene_lay_out,
     .layout = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2, .orig_params = true}},
    {"integers and complex numbers come first in a unit: they are kept outside",
     .saved = with_integers, .lying = LYING_FLAT, .act = scene_round_trip},
    {"local and sharded on one rank are what they are on many", .saved = plain, .wanted = in_units,
     .act = take_forms, .layout = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 1}},
    {"local and sharded of one copy on each rank, too", .saved = plain, .wanted = in_units,
     .act = take_forms, .layout = {.kind = RESHARD_LAYOUT_DDP, .replicate = 3}},
    {"local on a mesh of several dimensions is supported", .saved = plain, .wanted = in_units,
     .act = take_forms, .layout = {.kind = RESHARD_LAYOUT_FSDP1, .replicate = 2, .shard = 3}},
    {"scalars and names of states differ in a unit: each parameter keeps its own",
     .saved = in_units, .lying = LYING_FLAT, .act = scene_round_trip},
    {"and has them in any other unit", .saved = in_units, .wanted = in_one_unit,
     .lying = LYING_FLAT, .act = scene_load_all},
    {"some rank lacks a state", .saved = plain, .twist = lose_a_state_on_one_rank,
     .act = scene_save, .status = RESHARD_EMISMATCH,
     .says = {"'a.weight' slot exp_avg is absent on rank @, and there on others"}, .ranks = 2},
    {"some rank lacks a state that is resharded", .saved = plain, .twist = lose_a_state_on_one_rank,
     .act = scene_exchange, .status = RESHARD_EMISMATCH,
     .says = {"'a.weight' slot exp_avg is absent on rank @, and there on others"}, .ranks = 2},
    {"some rank has a parameter of another dtype", .saved = plain, .odd = other_dtypes,
     .act = scene_save, .status = RESHARD_EMISMATCH,
     .says = {"differs from rank 0's on rank @", "'a.weight' bf16 (7, 5)",
              "on rank 0 entry 0 is 'a.weight' f32 (7, 5)"},
     .ranks = 2},
    {"some rank has a state of another class", .saved = square, .odd = square_columns,
     .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"differs from rank 0's on rank @", "'s' slot row_var"}, .ranks = 2},
    {"some rank has a state of other blocks, where the shapes do not differ", .saved = short_4,
     .odd = short_5, .act = scene_save, .status = RESHARD_EMISMATCH,
     .says = {"differs from rank 0's on rank @", "'s' slot absmax", "of 5", "of 4"}, .ranks = 2},
    {"hyperparameters differ: those of the checkpoint are loaded", .saved = plain,
     .groups_saved = two, .groups_wanted = two_of_other_values, .groups_then = two,
     .act = scene_load_all},
    {"hyperparameters are of another kind", .saved = plain, .groups_saved = two,
     .groups_wanted = two_of_other_kinds, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"group 'decay' value 'lr': 1 here, but 0.25, of another kind, in the checkpoint",
              "group 'decay' value 'betas': 0.5 here, but (0.5, 0.75), of another kind",
              "group 'rest' value 'amsgrad': 1 here, but True, of another kind"}},
    {"hyperparameters are missing in the checkpoint", .saved = plain, .groups_saved = two,
     .groups_wanted = two_with_more_values, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"group 'decay' value 'eps': missing in the checkpoint",
              "entry 'grad_scaler' value 'scale': missing in the checkpoint"}},
    {"hyperparameters are missing and may be kept", .saved = plain,
     .groups_saved = two_of_other_values, .groups_wanted = two_with_more_values,
     .groups_then = two_with_more_kept, .act = scene_load_all,
     .load = {.match = {.keep_values = (const char *const[]){"decay:eps", "*:scale"},
                        .keep_values_count = 2}}},
    {"hyperparameters that the loader has not are added", .saved = plain,
     .groups_saved = two_with_more_values, .groups_wanted = two,
     .groups_then = two_with_values_added, .act = scene_load_all},
    {"a group is missing in the checkpoint", .saved = plain, .groups_saved = two,
     .groups_wanted = three, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"group 'none': missing in the checkpoint"}},
    {"a group of the checkpoint is lost", .saved = plain, .groups_saved = three,
     .groups_wanted = two, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"group 'none': unknown to the loader"}},
    {"groups are in another order: they are known by name", .saved = plain, .groups_saved = two,
     .groups_wanted = two_the_other_way_round, .groups_then = two_the_other_way_round,
     .act = scene_load_all},
    {"groups have other members", .saved = plain, .groups_saved = two,
     .groups_wanted = two_of_other_members, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"'a.bias' of group 'decay': in group 'rest' of the checkpoint",
              "'b.weight', in group 'decay' of the checkpoint: in no group here"}},
    {"a group has its members in another order", .saved = plain, .groups_saved = two,
     .groups_wanted = two_in_another_order, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"group 'decay': another order in the checkpoint, which has 'a.weight' before "
              "'b.weight'"}},
    {"groups are requested where none were saved", .saved = plain, .groups_wanted = two,
     .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"/given does not fit", "it has no param groups"}},
    {"tensors and groups that do not fit are listed together", .saved = plain, .wanted = with_more,
     .groups_saved = two, .groups_wanted = three, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"'a.more' f32 (2, 5): missing", "group 'none': missing in the checkpoint"}},
    {"tensors do not fit, but groups do: they are not filled", .saved = plain, .wanted = with_more,
     .groups_saved = two, .groups_wanted = two_of_other_values, .act = scene_load,
     .status = RESHARD_EMISMATCH, .says = {"'a.more' f32 (2, 5): missing"}},
    {"parameters are known by ids: they are those at that place in the groups", .saved = plain,
     .groups_saved = two, .groups_wanted = two_of_other_values, .groups_then = two, .by_ids = true,
     .act = scene_load_all},
    {"parameters are known by ids, of groups with other numbers of members", .saved = plain,
     .groups_saved = two, .groups_wanted = two_of_other_members, .by_ids = true, .act = scene_load,
     .status = RESHARD_EMISMATCH,
     .says = {"group 'rest': 1 members here, but 2 in the checkpoint, which has no names of them"}},
    {"parameters are known by ids, and nobody says of which groups", .saved = plain,
     .groups_saved = two, .by_ids = true, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"\n  '0' is an id of param group 'decay': without the loader's groups it has no name"
              "\n  '2' is an id of param group 'rest': without the loader's groups it has no name"
              "\n  '1' is an id of param group 'decay': without the loader's groups it has no name"
              "\n  '3' is an id of param group 'rest': without the loader's groups it has no name"
              "\n  'a.weight' f32 (7, 5): missing in the checkpoint"}},
    {"names stand where ids are to be", .saved = plain, .groups_wanted = two,
     .act = name_what_has_names, .status = RESHARD_EINVAL,
     .says = {"Invalid parameter keys", "a.weight"}},
    {"groups to save have names where ids are to be", .saved = plain, .groups_wanted = two,
     .act = save_names_as_ids, .status = RESHARD_EINVAL,
     .says = {"the param groups to save: ", "'a.weight' of group 'decay' is in the place of id 0"}},
    {"a group to save has what is no parameter", .saved = plain, .groups_wanted = two_of_a_stranger,
     .act = scene_save, .status = RESHARD_EINVAL,
     .says = {"the param groups to save: ", "'a.none' of group 'decay' is unknown to the model"}},
    {"some rank saves other hyperparameters", .saved = plain, .groups_wanted = two,
     .groups_odd = two_of_other_values, .act = scene_save, .status = RESHARD_EMISMATCH,
     .says = {"the param groups to save"}, .ranks = 2},
    {"some rank loads into other groups", .saved = plain, .groups_saved = two, .groups_wanted = two,
     .groups_odd = two_of_other_values, .act = scene_load, .status = RESHARD_EMISMATCH,
     .says = {"the param groups to fill"}, .ranks = 2},
    {"flattened keys come back", .saved = dotted, .act = flatten_keys},
    {"a flattened key may mean two", .saved = dotted, .act = resolve_a_key,
     .status = RESHARD_EINVAL, .says = {"'w' slot outer.inner", "'w.outer' slot inner"}},
    {"the storage of one rank fails a save", .saved = plain, .twist = break_the_store_of_one_rank,
     .act = scene_save, .status = RESHARD_EIO, .says = {"rank @: ", "injected fault", "/.new."},
     .ranks = 2},
    {"the storage of one rank fails a load", .saved = plain, .twist = break_the_store_of_one_rank,
     .act = scene_load, .load = {.part = RESHARD_PART_OPTIMIZER}, .status = RESHARD_EIO,
     .says = {"rank @: ", "injected fault", "/given/rank-"}, .harm = MEMORY, .ranks = 2},
    {"a file is cut short", .saved = plain, .wanted = other_absence, .groups_saved = two,
     .groups_wanted = two_of_other_values, .twist = cut_a_byte_off_a_file, .act = scene_load,
     .load = {.part = RESHARD_PART_OPTIMIZER}, .status = RESHARD_EFORMAT,
     .says = {"/given/rank-00000.h5"}, .harm = MEMORY},
    {"a file is missing", .saved = plain, .twist = lose_a_file, .act = scene_load,
     .load = {.part = RESHARD_PART_MODEL}, .status = RESHARD_EFORMAT,
     .says = {"/given/rank-00000.h5"}, .harm = MEMORY},
    {"the manifest is cut short", .saved = plain, .twist = cut_half_of_the_manifest_off,
     .act = scene_load, .status = RESHARD_EFORMAT, .says = {"/given/manifest.json"}},
    {"there is no checkpoint", .saved = plain, .act = scene_load_nothing, .status = RESHARD_ENOENT,
     .says = {"/new/manifest.json"}},
};

enum { ROWS_IN_ALL = sizeof rows / sizeof *rows };

static void every_condition_is_met_as_the_catalogue_says(struct ranks *ranks)
{
    const char *const test = ranks->test;

    for (int i = 0; i < ROWS_IN_ALL; i++) {
        ranks->test = rows[i].condition;
        if (ranks->size >= rows[i].ranks)
            scene_play(ranks, &rows[i]);
    }
    ranks->test = test;
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"every condition is met as the catalogue says",
         every_condition_is_met_as_the_catalogue_says},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
