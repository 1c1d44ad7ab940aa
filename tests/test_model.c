/*
 * The model. Goal: whatever cannot be written into a checkpoint or told apart there is refused when
 * it is added, with the reason, and the model is as before; and the hash by which ranks agree on a
 * model changes with everything that it says. Method: each rule has names or shapes that break it
 * alone and neighbours that keep it.
 */
#include "core/model.h"
#include "support/oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct reshard_shape matrix = {.ndim = 2, .size = {4, 6}}, scalar = {.ndim = 0};

static struct reshard_model *model;

static void open_model(void)
{
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
}

static void close_model(void)
{
    reshard_model_close(model);
}

static enum reshard_status add(const char *fqn, struct reshard_error *error)
{
    return reshard_model_add(model, fqn, "", RESHARD_DTYPE_F32, &matrix, error);
}

/* ---- what a model is ------------------------------------------------------------------------- */

START_TEST(an_empty_model_has_the_root_unit_and_nothing_else)
{
    uint32_t index;

    ck_assert_uint_eq(reshard_model_tensor_count(model), 0);
    ck_assert_uint_eq(reshard_model_tie_count(model), 0);
    ck_assert_uint_eq(reshard_model_unit_count(model), 1);
    ck_assert_str_eq(reshard_model_unit(model, 0), "");
    ck_assert_int_eq(reshard_model_find(model, "w", "", &index), RESHARD_ENOENT);
    reshard_model_close(NULL);
}
END_TEST

START_TEST(tensors_keep_their_order_units_and_parameters)
{
    const struct reshard_tensor *tensor;
    uint32_t index = 77;

    oracle_add(model, "b", "late", RESHARD_DTYPE_BF16, 1, (const uint64_t[]){5});
    oracle_add(model, "a", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){4, 6});
    oracle_add(model, "c", "late", RESHARD_DTYPE_BF16, 0, NULL);
    ck_assert_int_eq(
        reshard_model_add_slot(model, "b", "exp_avg", RESHARD_DTYPE_F32, &matrix, true, NULL),
        RESHARD_OK);
    ck_assert_int_eq(
        reshard_model_add_slot(model, "b", "step", RESHARD_DTYPE_F32, &scalar, false, NULL),
        RESHARD_OK);
    ck_assert_uint_eq(reshard_model_unit_count(model), 2);
    ck_assert_str_eq(reshard_model_unit(model, 1), "late");
    ck_assert_uint_eq(reshard_model_tensor_count(model), 5);

    tensor = reshard_model_tensor(model, 0);
    ck_assert_str_eq(tensor->fqn, "b");
    ck_assert_str_eq(tensor->slot, "");
    ck_assert_uint_eq(tensor->unit, 1);
    ck_assert_uint_eq(tensor->like, 0);
    ck_assert_uint_eq(tensor->count, 5);
    ck_assert_uint_eq(reshard_model_tensor(model, 1)->unit, 0);
    ck_assert_uint_eq(reshard_model_tensor(model, 2)->count, 1);

    tensor = reshard_model_tensor(model, 3); /* the shape given is not looked at */
    ck_assert_str_eq(tensor->slot, "exp_avg");
    ck_assert_uint_eq(tensor->shape.ndim, 1);
    ck_assert_uint_eq(tensor->count, 5);
    ck_assert_uint_eq(tensor->like, 0);
    ck_assert_uint_eq(tensor->unit, 1);
    ck_assert_int_eq(tensor->dtype, RESHARD_DTYPE_F32);
    ck_assert_uint_eq(reshard_model_tensor(model, 4)->like, RESHARD_LIKE_NONE);

    ck_assert_int_eq(reshard_model_find(model, "b", "step", &index), RESHARD_OK);
    ck_assert_uint_eq(index, 4);
    ck_assert_int_eq(reshard_model_find(model, "a", "step", &index), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_model_find(model, "step", "", &index), RESHARD_ENOENT);
}
END_TEST

START_TEST(names_are_copied)
{
    char fqn[] = "weight", unit[] = "block", alias[] = "head";
    uint32_t index;

    oracle_add(model, fqn, unit, RESHARD_DTYPE_F32, 0, NULL);
    ck_assert_int_eq(reshard_model_tie(model, alias, fqn, NULL), RESHARD_OK);
    memset(fqn, 'x', 6);
    memset(unit, 'x', 5);
    memset(alias, 'x', 4);
    ck_assert_int_eq(reshard_model_find(model, "weight", "", &index), RESHARD_OK);
    ck_assert_int_eq(reshard_model_find(model, "head", "", &index), RESHARD_OK);
    ck_assert_str_eq(reshard_model_tensor(model, 0)->fqn, "weight");
    ck_assert_str_eq(reshard_model_unit(model, 1), "block");
    ck_assert_str_eq(reshard_model_tie_at(model, 0)->alias, "head");
}
END_TEST

START_TEST(an_alias_finds_the_tensor_and_its_slots)
{
    uint32_t index = 77;

    ck_assert_int_eq(add("first", NULL), RESHARD_OK);
    ck_assert_int_eq(add("embedding", NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_model_tie(model, "head", "embedding", NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_model_tie(model, "again", "head", NULL), RESHARD_OK);
    ck_assert_int_eq(
        reshard_model_add_slot(model, "embedding", "exp_avg", RESHARD_DTYPE_F32, NULL, true, NULL),
        RESHARD_OK);
    ck_assert_int_eq(reshard_model_find(model, "head", "", &index), RESHARD_OK);
    ck_assert_uint_eq(index, 1);
    ck_assert_int_eq(reshard_model_find(model, "again", "exp_avg", &index), RESHARD_OK);
    ck_assert_uint_eq(index, 2);
    ck_assert_uint_eq(reshard_model_tie_count(model), 2);
    ck_assert_uint_eq(reshard_model_tie_at(model, 1)->tensor, 1);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 3);
}
END_TEST

START_TEST(a_thousand_tensors_are_found_again)
{
    char fqn[32], unit[32];
    uint32_t index;

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(fqn, sizeof fqn, "layers.%d.weight", i);
        (void)snprintf(unit, sizeof unit, "layers.%d", i / 3);
        oracle_add(model, fqn, unit, RESHARD_DTYPE_F32, 1, (const uint64_t[]){(uint64_t)i});
    }
    ck_assert_uint_eq(reshard_model_unit_count(model), 335);
    for (uint32_t i = 0; i < 1000; i++) {
        (void)snprintf(fqn, sizeof fqn, "layers.%u.weight", i);
        ck_assert_int_eq(reshard_model_find(model, fqn, "", &index), RESHARD_OK);
        ck_assert_uint_eq(index, i);
        ck_assert_uint_eq(reshard_model_tensor(model, i)->count, i);
        ck_assert_uint_eq(reshard_model_tensor(model, i)->unit, 1 + i / 3);
    }
}
END_TEST

/* ---- names ----------------------------------------------------------------------------------- */

static const char *const not_utf8[] = {
    "\x80", /* a continuation byte alone */
    "a\xbf",
    "\xc3", /* cut short */
    "\xc3(",
    "\xe2\x82",
    "\xe2\x28\xa1",
    "\xf0\x9f\x98",
    "\xf0\x9f\x98\xff",
    "\xc0\xaf", /* overlong, of two, three and four bytes */
    "\xc1\xbf",
    "\xe0\x80\xaf",
    "\xe0\x9f\xbf",
    "\xf0\x80\x80\xaf",
    "\xf0\x8f\xbf\xbf",
    "\xc0\x80",     /* a zero that is none */
    "\xed\xa0\x80", /* surrogates: the first, the last, a pair */
    "\xed\xbf\xbf",
    "\xed\xa0\xbd\xed\xb8\x80",
    "\xf4\x90\x80\x80", /* beyond U+10FFFF */
    "\xf5\x80\x80\x80",
    "\xf8\x88\x80\x80\x80",
    "\xfe",
    "\xff",
    "w\xc3\xa9\xa9",
    "caf\xe9", /* Latin-1 */
};

static const char *const utf8[] = {
    "w",
    "a/b",
    ".",
    "..",
    "%",
    "a b",
    "\"\\",
    "\x01",
    "\x7f",
    "\xc2\x80",
    "\xdf\xbf",
    "\xe0\xa0\x80",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xef\xbf\xbf",
    "\xf0\x90\x80\x80",
    "\xf4\x8f\xbf\xbf",
    "poids.\xc3\xa9t\xc3\xa9",
    "\xf0\x9f\x98\x80",
};

START_TEST(a_name_that_is_not_utf8_is_refused_everywhere)
{
    const char *name = not_utf8[_i];
    struct reshard_error error = RESHARD_ERROR_INIT;

    ck_assert_int_eq(add("w", NULL), RESHARD_OK);
    ck_assert_int_eq(add(name, &error), RESHARD_EINVAL);
    ck_assert_str_eq(error.text, "the name of a tensor is not UTF-8");
    ck_assert_int_eq(reshard_model_add(model, "v", name, RESHARD_DTYPE_F32, &matrix, NULL),
                     RESHARD_EINVAL);
    ck_assert_int_eq(
        reshard_model_add_slot(model, "w", name, RESHARD_DTYPE_F32, &matrix, true, NULL),
        RESHARD_EINVAL);
    ck_assert_int_eq(reshard_model_tie(model, name, "w", NULL), RESHARD_EINVAL);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 1);
    ck_assert_uint_eq(reshard_model_unit_count(model), 1);
    ck_assert_uint_eq(reshard_model_tie_count(model), 0);
}
END_TEST

START_TEST(a_name_in_utf8_is_taken_everywhere)
{
    const char *name = utf8[_i];
    uint32_t index;

    ck_assert_int_eq(reshard_model_add(model, name, name, RESHARD_DTYPE_F32, &matrix, NULL),
                     RESHARD_OK);
    ck_assert_int_eq(
        reshard_model_add_slot(model, name, name, RESHARD_DTYPE_F32, &matrix, true, NULL),
        RESHARD_OK);
    ck_assert_int_eq(add("other", NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_model_find(model, name, name, &index), RESHARD_OK);
    ck_assert_uint_eq(index, 1);
    ck_assert_str_eq(reshard_model_unit(model, 1), name);
}
END_TEST

START_TEST(a_name_has_1_to_1023_bytes)
{
    char longest[RESHARD_NAME_MAX + 1];
    struct reshard_error error = RESHARD_ERROR_INIT;
    uint32_t index;

    memset(longest, 'n', sizeof longest);
    longest[RESHARD_NAME_MAX] = '\0'; /* 1,024 bytes: one too many */
    ck_assert_int_eq(add(longest, &error), RESHARD_EINVAL);
    ck_assert_int_eq(strncmp(error.text, "the name of a tensor has 1024 bytes; at most 1023", 49),
                     0);
    ck_assert_int_eq(reshard_model_add(model, "w", longest, RESHARD_DTYPE_F32, &matrix, NULL),
                     RESHARD_EINVAL);
    ck_assert_int_eq(add("w", NULL), RESHARD_OK);
    ck_assert_int_eq(
        reshard_model_add_slot(model, "w", longest, RESHARD_DTYPE_F32, &matrix, true, NULL),
        RESHARD_EINVAL);
    ck_assert_int_eq(reshard_model_tie(model, longest, "w", NULL), RESHARD_EINVAL);
    ck_assert_int_eq(reshard_model_find(model, longest, "", &index), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_model_find(model, "w", longest, &index), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_model_tie(model, "alias", longest, NULL), RESHARD_EINVAL);

    longest[RESHARD_NAME_MAX - 1] = '\0';
    ck_assert_int_eq(reshard_model_add(model, longest, longest, RESHARD_DTYPE_F32, &matrix, NULL),
                     RESHARD_OK);
    ck_assert_int_eq(
        reshard_model_add_slot(model, longest, longest, RESHARD_DTYPE_F32, &matrix, true, NULL),
        RESHARD_OK);
    ck_assert_int_eq(reshard_model_find(model, longest, longest, &index), RESHARD_OK);
    ck_assert_uint_eq(index, 2);
}
END_TEST

START_TEST(an_empty_name_is_for_the_root_unit_alone)
{
    struct reshard_error tensor = RESHARD_ERROR_INIT, slot = RESHARD_ERROR_INIT;
    struct reshard_error tie = RESHARD_ERROR_INIT;

    ck_assert_int_eq(add("", &tensor), RESHARD_EINVAL);
    ck_assert_str_eq(tensor.text, "the name of a tensor is empty");
    ck_assert_int_eq(add("w", NULL), RESHARD_OK);
    ck_assert_int_eq(
        reshard_model_add_slot(model, "w", "", RESHARD_DTYPE_F32, &matrix, true, &slot),
        RESHARD_EINVAL);
    ck_assert_str_eq(slot.text, "the name of a slot is empty");
    ck_assert_int_eq(reshard_model_tie(model, "", "w", &tie), RESHARD_EINVAL);
    ck_assert_str_eq(tie.text, "the name of a tie is empty");
    ck_assert_int_eq(reshard_model_tie(model, "v", "", NULL), RESHARD_EINVAL);
}
END_TEST

START_TEST(no_name_is_given_twice_whether_as_tensor_or_as_alias)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    ck_assert_int_eq(add("w", NULL), RESHARD_OK);
    ck_assert_int_eq(add("v", NULL), RESHARD_OK);
    ck_assert_int_eq(add("w", &error), RESHARD_EINVAL);
    ck_assert_str_eq(error.text, "the name 'w' is given twice");
    ck_assert_int_eq(reshard_model_tie(model, "t", "w", NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_model_tie(model, "t", "w", NULL), RESHARD_EINVAL);
    ck_assert_int_eq(reshard_model_tie(model, "t", "v", NULL), RESHARD_EINVAL);
    ck_assert_int_eq(reshard_model_tie(model, "v", "w", NULL), RESHARD_EINVAL);
    ck_assert_int_eq(reshard_model_tie(model, "w", "w", NULL), RESHARD_EINVAL);
    ck_assert_int_eq(add("t", NULL), RESHARD_EINVAL);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 2);
    ck_assert_uint_eq(reshard_model_tie_count(model), 1);
}
END_TEST

START_TEST(a_slot_belongs_to_one_parameter_once)
{
    struct reshard_error twice = RESHARD_ERROR_INIT, nobody = RESHARD_ERROR_INIT;
    enum reshard_status status;

    ck_assert_int_eq(add("w", NULL), RESHARD_OK);
    ck_assert_int_eq(add("v", NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_model_tie(model, "alias", "w", NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_model_add_slot(model, "w", "m", RESHARD_DTYPE_F32, NULL, true, NULL),
                     RESHARD_OK);
    ck_assert_int_eq(reshard_model_add_slot(model, "v", "m", RESHARD_DTYPE_F32, NULL, true, NULL),
                     RESHARD_OK);
    status = reshard_model_add_slot(model, "w", "m", RESHARD_DTYPE_F32, &scalar, false, &twice);
    ck_assert_int_eq(status, RESHARD_EINVAL);
    ck_assert_str_eq(twice.text, "slot 'm' of 'w' is given twice");
    status = reshard_model_add_slot(model, "u", "m", RESHARD_DTYPE_F32, NULL, true, &nobody);
    ck_assert_int_eq(status, RESHARD_EINVAL);
    ck_assert_str_eq(nobody.text, "slot 'm' of 'u': no such parameter");
    /* A state that is added under an alias would be a second one of the same tensor. */
    ck_assert_int_eq(
        reshard_model_add_slot(model, "alias", "v", RESHARD_DTYPE_F32, NULL, true, NULL),
        RESHARD_EINVAL);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 4);
}
END_TEST

START_TEST(a_tie_needs_a_tensor)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    ck_assert_int_eq(reshard_model_tie(model, "head", "embedding", &error), RESHARD_EINVAL);
    ck_assert_str_eq(error.text, "'head' is tied to 'embedding', which is unknown");
}
END_TEST

/* ---- shapes ---------------------------------------------------------------------------------- */

#define P(exponent) (UINT64_C(1) << (exponent))

static const struct {
    struct reshard_shape shape;
    enum reshard_dtype dtype;
    enum reshard_status status;
} shapes[] = {
    {{0, {0}}, RESHARD_DTYPE_F32, RESHARD_OK},
    {{8, {2, 2, 2, 2, 2, 2, 2, 2}}, RESHARD_DTYPE_F32, RESHARD_OK},
    {{9, {2, 2, 2, 2, 2, 2, 2, 2}}, RESHARD_DTYPE_F32, RESHARD_EINVAL},
    {{UINT32_MAX, {0}}, RESHARD_DTYPE_F32, RESHARD_EINVAL},
    {{1, {4}}, RESHARD_DTYPE_NONE, RESHARD_EINVAL},
    {{1, {4}}, RESHARD_DTYPE_COUNT, RESHARD_EINVAL},
    {{1, {4}}, (enum reshard_dtype) - 1, RESHARD_EINVAL},
    {{1, {INT64_MAX}}, RESHARD_DTYPE_U8, RESHARD_OK},
    {{1, {INT64_MAX}}, RESHARD_DTYPE_BF16, RESHARD_EOVERFLOW},
    {{1, {INT64_MAX / 4}}, RESHARD_DTYPE_F32, RESHARD_OK},
    {{1, {INT64_MAX / 4 + 1}}, RESHARD_DTYPE_F32, RESHARD_EOVERFLOW},
    {{1, {INT64_MAX / 16 + 1}}, RESHARD_DTYPE_C128, RESHARD_EOVERFLOW},
    {{2, {P(31), P(31)}}, RESHARD_DTYPE_U8, RESHARD_OK},
    {{2, {P(31), P(32)}}, RESHARD_DTYPE_U8, RESHARD_EOVERFLOW},
    {{3, {P(32), P(31), 2}}, RESHARD_DTYPE_U8, RESHARD_EOVERFLOW},
    {{2, {P(32), P(32)}}, RESHARD_DTYPE_U8, RESHARD_EOVERFLOW}, /* 2^64 is 0 in 64 bits */
    {{3, {P(40), P(40), 0}}, RESHARD_DTYPE_F32, RESHARD_OK},
    {{3, {0, P(62), P(62)}}, RESHARD_DTYPE_F32, RESHARD_OK},
    {{1, {P(63)}}, RESHARD_DTYPE_U8, RESHARD_EOVERFLOW},
    {{2, {P(63), 0}}, RESHARD_DTYPE_U8, RESHARD_EOVERFLOW},
    {{2, {0, P(63)}}, RESHARD_DTYPE_U8, RESHARD_EOVERFLOW},
    {{2, {0, UINT64_MAX}}, RESHARD_DTYPE_U8, RESHARD_EOVERFLOW},
};

START_TEST(shapes_are_taken_up_to_8_dimensions_and_63_bits_of_bytes)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status;

    status = reshard_model_add(model, "w", "block", shapes[_i].dtype, &shapes[_i].shape, &error);
    ck_assert_msg(status == shapes[_i].status, "case %d: %s", _i, reshard_status_name(status));
    ck_assert_int_eq(error.status, status);
    ck_assert_int_eq(error.text[0] != '\0', status != RESHARD_OK);
    ck_assert_uint_eq(reshard_model_tensor_count(model), status == RESHARD_OK);
    ck_assert_uint_eq(reshard_model_unit_count(model), status == RESHARD_OK ? 2 : 1);
    /* The same rules for a state with a shape of its own. */
    ck_assert_int_eq(add("other", NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_model_add_slot(model, "other", "rows", shapes[_i].dtype,
                                            &shapes[_i].shape, false, NULL),
                     shapes[_i].status);
}
END_TEST

START_TEST(a_state_wider_than_its_parameter_is_measured_by_its_own_bytes)
{
    const uint64_t size = INT64_MAX / 4;

    oracle_add(model, "w", "", RESHARD_DTYPE_F32, 1, &size);
    ck_assert_int_eq(reshard_model_add_slot(model, "w", "m", RESHARD_DTYPE_F64, NULL, true, NULL),
                     RESHARD_EOVERFLOW);
}
END_TEST

/* ---- hash ------------------------------------------------------------------------------------ */

/* A model told in one line, so that variants differ in one word: each letter adds one thing. */
static uint64_t hash_of(const char *recipe)
{
    const struct reshard_shape other = {.ndim = 2, .size = {6, 4}};
    const struct reshard_shape longer = {.ndim = 3, .size = {4, 6, 1}};
    enum reshard_status status = RESHARD_OK;
    struct reshard_model *made;
    uint64_t hash;

    ck_assert_int_eq(reshard_model_open(&made), RESHARD_OK);
    for (const char *c = recipe; *c && !status; c++) {
        const char name[] = {*c, 0};
        switch (*c) {
        case 'D':
            status = reshard_model_add(made, "w", "", RESHARD_DTYPE_BF16, &matrix, NULL);
            break;
        case 'F': /* as many bytes, another type */
            status = reshard_model_add(made, "w", "", RESHARD_DTYPE_I32, &matrix, NULL);
            break;
        case 'S':
            status = reshard_model_add(made, "w", "", RESHARD_DTYPE_F32, &other, NULL);
            break;
        case 'L':
            status = reshard_model_add(made, "w", "", RESHARD_DTYPE_F32, &longer, NULL);
            break;
        case 'U':
            status = reshard_model_add(made, "w", "u", RESHARD_DTYPE_F32, &matrix, NULL);
            break;
        case 'V':
            status = reshard_model_add(made, "w", "v", RESHARD_DTYPE_F32, &matrix, NULL);
            break;
        case 'm':
        case 'n':
            status = reshard_model_add_slot(made, "w", name, RESHARD_DTYPE_F32, NULL, true, NULL);
            break;
        case 'M': /* as m, but whole on every rank */
            status =
                reshard_model_add_slot(made, "w", "m", RESHARD_DTYPE_F32, &matrix, false, NULL);
            break;
        case 'x':
            status = reshard_model_add_slot(made, "b", "m", RESHARD_DTYPE_F32, NULL, true, NULL);
            break;
        case 't':
        case 's':
            status = reshard_model_tie(made, name, "w", NULL);
            break;
        case 'T':
            status = reshard_model_tie(made, "t", "b", NULL);
            break;
        default:
            status = reshard_model_add(made, name, "", RESHARD_DTYPE_F32, &matrix, NULL);
        }
    }
    ck_assert_int_eq(status, RESHARD_OK);
    hash = reshard_model_hash(made);
    reshard_model_close(made);
    return hash;
}

START_TEST(the_hash_changes_with_every_change)
{
    static const char *const recipes[] = {
        "",    "w",  "b",   "wb",   "bw",   "D",    "F",    "S",    "L",    "U",   "V",   "Db",
        "Fb",  "Sb", "Lb",  "Ub",   "Vb",   "wbm",  "wbn",  "wbM",  "wbx",  "wmb", "wbt", "wbs",
        "wbT", "wc", "wbc", "wbmn", "wbnm", "wbmx", "wbxm", "wbts", "wbst", "wmbt"};
    const size_t count = sizeof recipes / sizeof *recipes;

    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(hash_of(recipes[i]), hash_of(recipes[i]));
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(hash_of(recipes[i]) != hash_of(recipes[j]), "'%s' and '%s' hash alike",
                          recipes[i], recipes[j]);
    }
}
END_TEST

/* Names that are one string when strung together must not look like one another. */
START_TEST(the_hash_tells_where_a_name_ends)
{
    struct reshard_model *left, *right;

    ck_assert_int_eq(reshard_model_open(&left), RESHARD_OK);
    ck_assert_int_eq(reshard_model_open(&right), RESHARD_OK);
    oracle_add(left, "ab", "c", RESHARD_DTYPE_F32, 0, NULL);
    oracle_add(right, "a", "bc", RESHARD_DTYPE_F32, 0, NULL);
    ck_assert_uint_ne(reshard_model_hash(left), reshard_model_hash(right));
    reshard_model_close(left);
    reshard_model_close(right);
}
END_TEST

/* ---- roles ----------------------------------------------------------------------------------- */

static enum reshard_status add_role(const char *fqn, enum reshard_role role,
                                    enum reshard_dtype dtype, const struct reshard_shape *shape,
                                    struct reshard_error *error)
{
    return reshard_model_add_role(model, fqn, "", dtype, shape, role, RESHARD_OTHER_WORLD_REFUSE,
                                  error);
}

START_TEST(an_entry_keeps_its_role_and_what_becomes_of_it_at_another_world)
{
    const struct reshard_shape rows = {.ndim = 2, .size = {4, 6}};
    static const bool parameter[RESHARD_ROLE_COUNT] = {true, true}, /* the first two */
        saved[RESHARD_ROLE_COUNT] = {true, true, true, false, true, true};
    char name[16];

    for (int r = 0; r < RESHARD_ROLE_COUNT; r++) {
        const enum reshard_role role = (enum reshard_role)r;
        const struct reshard_shape bytes = {.ndim = 1, .size = {9}};
        const bool opaque = role == RESHARD_ROLE_OPAQUE;
        (void)snprintf(name, sizeof name, "t%d", r);
        ck_assert_int_eq(reshard_model_add_role(
                             model, name, "u", RESHARD_DTYPE_U8, opaque ? &bytes : &rows, role,
                             role == RESHARD_ROLE_PER_RANK ? RESHARD_OTHER_WORLD_WRAP : 0, NULL),
                         RESHARD_OK);
        const struct reshard_tensor *tensor = reshard_model_tensor(model, (uint32_t)r);
        ck_assert_int_eq(tensor->role, role);
        ck_assert_int_eq(tensor->other_world,
                         role == RESHARD_ROLE_PER_RANK ? RESHARD_OTHER_WORLD_WRAP : 0);
        ck_assert_uint_eq(tensor->parameter, (uint32_t)r);
        ck_assert(reshard_role_is_parameter(role) == parameter[r]);
        ck_assert(reshard_role_is_saved(role) == saved[r]);
    }
}
END_TEST

START_TEST(opaque_entries_are_bytes_in_one_dimension)
{
    const struct reshard_shape one = {.ndim = 1, .size = {9}};
    struct reshard_error error = RESHARD_ERROR_INIT;

    ck_assert_int_eq(add_role("a", RESHARD_ROLE_OPAQUE, RESHARD_DTYPE_I8, &one, &error),
                     RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "'a'"));
    ck_assert_int_eq(add_role("b", RESHARD_ROLE_OPAQUE, RESHARD_DTYPE_U8, &matrix, NULL),
                     RESHARD_EINVAL);
    ck_assert_int_eq(add_role("c", RESHARD_ROLE_OPAQUE, RESHARD_DTYPE_U8, &scalar, NULL),
                     RESHARD_EINVAL);
    ck_assert_int_eq(add_role("d", RESHARD_ROLE_PER_RANK, RESHARD_DTYPE_U8, &scalar, NULL),
                     RESHARD_EINVAL);
    ck_assert_int_eq(add_role("e", RESHARD_ROLE_COUNT, RESHARD_DTYPE_U8, &one, NULL),
                     RESHARD_EINVAL);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 0);
    ck_assert_int_eq(add_role("d", RESHARD_ROLE_OPAQUE, RESHARD_DTYPE_U8, &one, NULL), RESHARD_OK);
}
END_TEST

START_TEST(only_parameters_have_slots_and_a_slot_has_its_parameters_role)
{
    static const enum reshard_role others[] = {RESHARD_ROLE_BUFFER, RESHARD_ROLE_TRANSIENT,
                                               RESHARD_ROLE_OPAQUE, RESHARD_ROLE_PER_RANK};
    const struct reshard_shape one = {.ndim = 1, .size = {9}};
    char name[16];

    for (int i = 0; i < 4; i++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        (void)snprintf(name, sizeof name, "o%d", i);
        ck_assert_int_eq(add_role(name, others[i], RESHARD_DTYPE_U8, &one, NULL), RESHARD_OK);
        for (int like = 0; like < 2; like++)
            ck_assert_int_eq(
                reshard_model_add_slot(model, name, "m", RESHARD_DTYPE_F32, &scalar, like, &error),
                RESHARD_EINVAL);
        ck_assert_ptr_nonnull(strstr(error.text, name));
    }
    ck_assert_int_eq(add_role("f", RESHARD_ROLE_FROZEN, RESHARD_DTYPE_F32, &matrix, NULL),
                     RESHARD_OK);
    ck_assert_int_eq(
        reshard_model_add_slot(model, "f", "m", RESHARD_DTYPE_F32, &scalar, true, NULL),
        RESHARD_OK);
    ck_assert_int_eq(reshard_model_tensor(model, 5)->role, RESHARD_ROLE_FROZEN);
    ck_assert_uint_eq(reshard_model_tensor(model, 5)->parameter, 4);
}
END_TEST

START_TEST(roles_are_known_by_name)
{
    enum reshard_role role;

    for (int r = 0; r < RESHARD_ROLE_COUNT; r++) {
        ck_assert(reshard_role_from_name(reshard_role_name((enum reshard_role)r), &role));
        ck_assert_int_eq(role, r);
    }
    ck_assert_str_eq(reshard_role_name(RESHARD_ROLE_PER_RANK), "per_rank");
    ck_assert_str_eq(reshard_role_name(RESHARD_ROLE_FROZEN), "frozen");
    ck_assert(!reshard_role_from_name("Buffer", &role));
    ck_assert(!reshard_role_from_name("", &role));
}
END_TEST

/* ---- copies ---------------------------------------------------------------------------------- */

static void fill_for_copy(void)
{
    const struct reshard_shape rows = {.ndim = 2, .size = {3, 5}};

    oracle_add(model, "b", "late", RESHARD_DTYPE_BF16, 1, (const uint64_t[]){5});
    ck_assert_int_eq(reshard_model_add_role(model, "cache", "gone", RESHARD_DTYPE_F32, &matrix,
                                            RESHARD_ROLE_TRANSIENT, 0, NULL),
                     RESHARD_OK);
    ck_assert_int_eq(reshard_model_add_role(model, "rng", "", RESHARD_DTYPE_U8, &rows,
                                            RESHARD_ROLE_PER_RANK, RESHARD_OTHER_WORLD_KEEP, NULL),
                     RESHARD_OK);
    oracle_add(model, "a", "after", RESHARD_DTYPE_F32, 2, (const uint64_t[]){4, 6});
    ck_assert_int_eq(
        reshard_model_add_slot(model, "b", "m", RESHARD_DTYPE_F32, &scalar, true, NULL),
        RESHARD_OK);
    ck_assert_int_eq(
        reshard_model_add_slot(model, "a", "step", RESHARD_DTYPE_F32, &scalar, false, NULL),
        RESHARD_OK);
    ck_assert_int_eq(reshard_model_tie(model, "cache.again", "cache", NULL), RESHARD_EINVAL);
    ck_assert_int_eq(reshard_model_tie(model, "a.again", "a", NULL), RESHARD_OK);
}

START_TEST(a_copy_is_equal_and_lives_by_itself)
{
    struct reshard_model *copy;

    fill_for_copy();
    ck_assert_int_eq(reshard_model_copy(&copy, model, false), RESHARD_OK);
    ck_assert_uint_eq(reshard_model_hash(copy), reshard_model_hash(model));
    ck_assert_uint_eq(reshard_model_tensor_count(copy), 6);
    ck_assert_int_eq(reshard_model_tensor(copy, 2)->other_world, RESHARD_OTHER_WORLD_KEEP);
    ck_assert_int_eq(reshard_model_add(copy, "more", "", RESHARD_DTYPE_F32, &matrix, NULL),
                     RESHARD_OK);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 6);
    reshard_model_close(copy);
}
END_TEST

START_TEST(a_copy_of_what_is_saved_has_nothing_else_and_its_indices_are_its_own)
{
    struct reshard_model *copy;
    uint32_t index;

    fill_for_copy();
    ck_assert_int_eq(reshard_model_copy(&copy, model, true), RESHARD_OK);
    ck_assert_uint_eq(reshard_model_tensor_count(copy), 5);
    ck_assert_int_eq(reshard_model_find(copy, "cache", "", &index), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_model_find(copy, "cache.again", "", &index), RESHARD_ENOENT);
    ck_assert_uint_eq(reshard_model_tie_count(copy), 1);
    ck_assert_int_eq(reshard_model_find(copy, "a.again", "", &index), RESHARD_OK);
    ck_assert_uint_eq(index, 2);
    ck_assert_uint_eq(reshard_model_tensor(copy, 3)->like, 0);
    ck_assert_uint_eq(reshard_model_tensor(copy, 3)->parameter, 0);
    ck_assert_uint_eq(reshard_model_tensor(copy, 4)->like, RESHARD_LIKE_NONE);
    ck_assert_uint_eq(reshard_model_tensor(copy, 4)->parameter, 2);
    /* A unit of which nothing is saved is none: no manifest could name it. */
    ck_assert_uint_eq(reshard_model_unit_count(copy), 3);
    ck_assert_str_eq(reshard_model_unit(copy, reshard_model_tensor(copy, 2)->unit), "after");
    reshard_model_close(copy);
}
END_TEST

/* Roles and policies are part of what ranks agree on. */
START_TEST(the_hash_changes_with_the_role_and_the_policy)
{
    static const struct {
        enum reshard_role role;
        enum reshard_other_world other;
    } entries[] = {{RESHARD_ROLE_PARAMETER, 0},
                   {RESHARD_ROLE_FROZEN, 0},
                   {RESHARD_ROLE_BUFFER, 0},
                   {RESHARD_ROLE_TRANSIENT, 0},
                   {RESHARD_ROLE_OPAQUE, 0},
                   {RESHARD_ROLE_PER_RANK, RESHARD_OTHER_WORLD_REFUSE},
                   {RESHARD_ROLE_PER_RANK, RESHARD_OTHER_WORLD_KEEP},
                   {RESHARD_ROLE_PER_RANK, RESHARD_OTHER_WORLD_WRAP}};
    const struct reshard_shape one = {.ndim = 1, .size = {9}};
    uint64_t hash[8], entry[8];

    for (int i = 0; i < 8; i++) {
        struct reshard_model *made;
        ck_assert_int_eq(reshard_model_open(&made), RESHARD_OK);
        ck_assert_int_eq(reshard_model_add_role(made, "t", "", RESHARD_DTYPE_U8, &one,
                                                entries[i].role, entries[i].other, NULL),
                         RESHARD_OK);
        hash[i] = reshard_model_hash(made);
        entry[i] = reshard_model_tensor_hash(made, 0);
        for (int j = 0; j < i; j++) {
            ck_assert_uint_ne(hash[i], hash[j]);
            ck_assert_uint_ne(entry[i], entry[j]);
        }
        reshard_model_close(made);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *cases = tcase_create("model");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(cases, open_model, close_model);
    tcase_add_test(cases, an_empty_model_has_the_root_unit_and_nothing_else);
    tcase_add_test(cases, tensors_keep_their_order_units_and_parameters);
    tcase_add_test(cases, names_are_copied);
    tcase_add_test(cases, an_alias_finds_the_tensor_and_its_slots);
    tcase_add_test(cases, a_thousand_tensors_are_found_again);
    tcase_add_loop_test(cases, a_name_that_is_not_utf8_is_refused_everywhere, 0,
                        (int)(sizeof not_utf8 / sizeof *not_utf8));
    tcase_add_loop_test(cases, a_name_in_utf8_is_taken_everywhere, 0,
                        (int)(sizeof utf8 / sizeof *utf8));
    tcase_add_test(cases, a_name_has_1_to_1023_bytes);
    tcase_add_test(cases, an_empty_name_is_for_the_root_unit_alone);
    tcase_add_test(cases, no_name_is_given_twice_whether_as_tensor_or_as_alias);
    tcase_add_test(cases, a_slot_belongs_to_one_parameter_once);
    tcase_add_test(cases, a_tie_needs_a_tensor);
    tcase_add_loop_test(cases, shapes_are_taken_up_to_8_dimensions_and_63_bits_of_bytes, 0,
                        (int)(sizeof shapes / sizeof *shapes));
    tcase_add_test(cases, a_state_wider_than_its_parameter_is_measured_by_its_own_bytes);
    tcase_add_test(cases, the_hash_changes_with_every_change);
    tcase_add_test(cases, the_hash_tells_where_a_name_ends);
    tcase_add_test(cases, an_entry_keeps_its_role_and_what_becomes_of_it_at_another_world);
    tcase_add_test(cases, opaque_entries_are_bytes_in_one_dimension);
    tcase_add_test(cases, only_parameters_have_slots_and_a_slot_has_its_parameters_role);
    tcase_add_test(cases, roles_are_known_by_name);
    tcase_add_test(cases, a_copy_is_equal_and_lives_by_itself);
    tcase_add_test(cases, a_copy_of_what_is_saved_has_nothing_else_and_its_indices_are_its_own);
    tcase_add_test(cases, the_hash_changes_with_the_role_and_the_policy);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
