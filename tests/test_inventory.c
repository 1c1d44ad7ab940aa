/*
 * Inventories: the model files of the repository have the parameters that the real models have, the
 * format says what it means, and whatever is wrong with a file is told with its line.
 */
#include "core/optimizer.h"
#include "sim/inventory.h"
#include "sim/scenario.h"
#include "support/scratch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char *folder;
static char path[256];

static void make_folder(void)
{
    folder = scratch_make("inventory");
    (void)snprintf(path, sizeof(path), "%s/case.yaml", folder);
}

static void remove_folder(void)
{
    scratch_remove(folder);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static struct reshard_model *open_valid(const char *name, const struct inventory_options *options)
{
    struct reshard_model *model = NULL;
    ck_assert_msg(inventory_open(&model, name, options, stderr) == RESHARD_OK, "%s", name);
    return model;
}

static struct reshard_model *open_model(const char *name)
{
    char file[4096];
    (void)snprintf(file, sizeof(file), RESHARD_SOURCE_DIR "/scenarios/models/%s", name);
    return open_valid(file, NULL);
}

static uint64_t parameters_of(const struct reshard_model *model)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < reshard_model_tensor_count(model); i++)
        count += reshard_model_tensor(model, i)->count;
    return count;
}

static const struct reshard_tensor *tensor_of(const struct reshard_model *model, const char *fqn)
{
    uint32_t index = 0;
    ck_assert_msg(reshard_model_find(model, fqn, "", &index) == RESHARD_OK, "%s", fqn);
    return reshard_model_tensor(model, index);
}

static const char *unit_of(const struct reshard_model *model, const char *fqn)
{
    return reshard_model_unit(model, tensor_of(model, fqn)->unit);
}

START_TEST(gpt2_has_its_124439808_parameters_and_ties_its_head)
{
    struct reshard_model *model = open_model("gpt2-124m.yaml");
    ck_assert_uint_eq(parameters_of(model), 124439808);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 148);
    ck_assert_uint_eq(reshard_model_tie_count(model), 1);
    ck_assert_str_eq(tensor_of(model, "lm_head.weight")->fqn, "transformer.wte.weight");
    const struct reshard_tensor *attention =
        tensor_of(model, "transformer.h.11.attn.c_attn.weight");
    ck_assert_uint_eq(attention->shape.size[0], 768);
    ck_assert_uint_eq(attention->shape.size[1], 2304);
    ck_assert_int_eq(attention->dtype, RESHARD_DTYPE_F32);
    ck_assert_str_eq(unit_of(model, "transformer.h.11.attn.c_attn.weight"), "transformer.h.11");
    ck_assert_str_eq(unit_of(model, "transformer.ln_f.bias"), "");
    reshard_model_close(model);
}
END_TEST

START_TEST(llama3_has_its_8030261248_parameters_in_bf16)
{
    struct reshard_model *model = open_model("llama3-8b.yaml");
    ck_assert_uint_eq(parameters_of(model), 8030261248);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 291);
    const struct reshard_tensor *key = tensor_of(model, "model.layers.31.self_attn.k_proj.weight");
    ck_assert_uint_eq(key->shape.size[0], 1024);
    ck_assert_int_eq(key->dtype, RESHARD_DTYPE_BF16);
    ck_assert_str_eq(unit_of(model, "model.layers.31.mlp.up_proj.weight"), "model.layers.31");
    reshard_model_close(model);
}
END_TEST

START_TEST(llama3_70b_has_its_70553706496_parameters)
{
    struct reshard_model *model = open_model("llama3-70b.yaml");
    ck_assert_uint_eq(parameters_of(model), 70553706496);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 723);
    ck_assert_str_eq(unit_of(model, "model.layers.79.mlp.up_proj.weight"), "model.layers.79");
    reshard_model_close(model);
}
END_TEST

START_TEST(mixtral_has_its_46702792704_parameters_with_experts_stacked_in_units_of_their_own)
{
    struct reshard_model *model = open_model("mixtral-8x7b.yaml");
    ck_assert_uint_eq(parameters_of(model), 46702792704);
    const struct reshard_tensor *experts =
        tensor_of(model, "model.layers.31.mlp.experts.gate_up_proj");
    ck_assert_uint_eq(experts->shape.ndim, 3);
    ck_assert_uint_eq(experts->shape.size[0], 8);
    ck_assert_uint_eq(experts->shape.size[1], 2 * 14336);
    ck_assert_str_eq(unit_of(model, "model.layers.31.mlp.experts.down_proj"),
                     "model.layers.31.mlp.experts");
    ck_assert_str_eq(unit_of(model, "model.layers.31.mlp.gate.weight"), "model.layers.31");
    reshard_model_close(model);
}
END_TEST

START_TEST(the_odd_one_out_has_every_role_and_kind_of_dtype)
{
    struct reshard_model *model = open_model("odd-one-out.yaml");
    bool role[RESHARD_ROLE_COUNT] = {false};
    bool dtype[RESHARD_DTYPE_COUNT] = {false};
    for (uint32_t i = 0; i < reshard_model_tensor_count(model); i++) {
        role[reshard_model_tensor(model, i)->role] = true;
        dtype[reshard_model_tensor(model, i)->dtype] = true;
    }
    for (int i = 0; i < RESHARD_ROLE_COUNT; i++)
        ck_assert_msg(role[i], "no %s", reshard_role_name((enum reshard_role)i));
    ck_assert(dtype[RESHARD_DTYPE_F64] && dtype[RESHARD_DTYPE_F16] && dtype[RESHARD_DTYPE_BF16]);
    ck_assert(dtype[RESHARD_DTYPE_BOOL] && dtype[RESHARD_DTYPE_I8] && dtype[RESHARD_DTYPE_C128]);
    ck_assert(dtype[RESHARD_DTYPE_F8_E4M3FN] && dtype[RESHARD_DTYPE_F4_E2M1X2]);
    ck_assert_uint_eq(tensor_of(model, "temperature")->shape.ndim, 0);
    ck_assert_uint_eq(tensor_of(model, "hollow.weight")->count, 0);
    ck_assert_str_eq(tensor_of(model, "head.weight")->fqn, "embed.weight");
    reshard_model_close(model);
}
END_TEST

START_TEST(a_world_gives_per_rank_tensors_their_rows_and_leaves_all_else)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *model = open_model("odd-one-out.yaml");
    struct reshard_model *same = NULL;
    struct reshard_model *large = NULL;
    ck_assert_int_eq(inventory_for_world(&same, model, 1, &error), RESHARD_OK);
    ck_assert_int_eq(inventory_for_world(&large, model, 7, &error), RESHARD_OK);
    ck_assert_uint_eq(reshard_model_hash(same), reshard_model_hash(model));
    ck_assert_uint_eq(reshard_model_tensor_count(large), reshard_model_tensor_count(model));
    ck_assert_uint_eq(reshard_model_tie_count(large), 1);
    for (uint32_t i = 0; i < reshard_model_tensor_count(model); i++) {
        const struct reshard_tensor *before = reshard_model_tensor(model, i);
        const struct reshard_tensor *after = reshard_model_tensor(large, i);
        ck_assert_str_eq(after->fqn, before->fqn);
        ck_assert_uint_eq(after->count,
                          before->count * (before->role == RESHARD_ROLE_PER_RANK ? 7 : 1));
    }
    reshard_model_close(same);
    ck_assert_int_eq(inventory_for_world(&same, model, UINT64_MAX, &error), RESHARD_EOVERFLOW);
    ck_assert_ptr_null(same);
    reshard_model_close(large);
    reshard_model_close(model);
}
END_TEST

START_TEST(a_world_keeps_slots_of_every_class_as_they_are)
{
    static const char *const names[] = {"sgd", "adam", "adamw", "adafactor", "adam8bit", "muon"};
    struct reshard_optimizer optimizer = {.dtype = RESHARD_DTYPE_BF16};
    struct reshard_model *model = open_model("odd-one-out.yaml");
    struct reshard_model *same = NULL;
    struct reshard_model *large = NULL;
    ck_assert(reshard_optimizer_from_name(names[_i], &optimizer.name));
    optimizer.hyper = reshard_optimizer_defaults(optimizer.name);
    optimizer.hyper.momentum = 0.5;
    optimizer.hyper.block = 3;
    ck_assert_int_eq(reshard_optimizer_extend(model, &optimizer, NULL), RESHARD_OK);
    ck_assert_int_eq(inventory_for_world(&same, model, 1, NULL), RESHARD_OK);
    ck_assert_int_eq(inventory_for_world(&large, model, 5, NULL), RESHARD_OK);
    ck_assert_uint_eq(reshard_model_hash(same), reshard_model_hash(model));
    for (uint32_t i = 0; i < reshard_model_tensor_count(model); i++)
        if (reshard_tensor_is_slot(reshard_model_tensor(model, i)))
            ck_assert_uint_eq(reshard_model_tensor_hash(large, i),
                              reshard_model_tensor_hash(model, i));
    reshard_model_close(large);
    reshard_model_close(same);
    reshard_model_close(model);
}
END_TEST

START_TEST(small_models_have_their_parameters)
{
    struct reshard_model *model = open_model("linear-4x4.yaml");
    ck_assert_uint_eq(parameters_of(model), 20);
    ck_assert_str_eq(reshard_model_tensor(model, 0)->fqn, "weight");
    ck_assert_str_eq(reshard_model_tensor(model, 1)->fqn, "bias");
    reshard_model_close(model);
    model = open_model("transformer-tiny.yaml");
    ck_assert_uint_eq(parameters_of(model), 636 + 2 * 1812 + 12);
    ck_assert_str_eq(tensor_of(model, "head.weight")->fqn, "embed.weight");
    reshard_model_close(model);
}
END_TEST

START_TEST(sections_repeat_and_count_in_the_order_of_the_file)
{
    static const char *const names[] = {"in", "l.0.a", "l.0.b", "l.1.a", "l.1.b", "out.{x}"};
    write_file("model: 1\nname: case\ndtype: f16\nsections:\n"
               "  - tensors: {in: [2]}\n"
               "  - repeat: 2\n"
               "    unit: l.{i}\n"
               "    tensors:\n"
               "      l.{i}.a: [3, 4]\n"
               "      l.{i}.b: {shape: [], dtype: i64, unit: l}\n"
               "  - tensors: {'out.{x}': [0, 7]}\n");
    struct reshard_model *model = open_valid(path, NULL);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 6);
    for (uint32_t i = 0; i < 6; i++)
        ck_assert_str_eq(reshard_model_tensor(model, i)->fqn, names[i]);
    ck_assert_int_eq(tensor_of(model, "in")->dtype, RESHARD_DTYPE_F16);
    ck_assert_int_eq(tensor_of(model, "l.1.b")->dtype, RESHARD_DTYPE_I64);
    ck_assert_uint_eq(tensor_of(model, "l.1.b")->shape.ndim, 0);
    ck_assert_uint_eq(tensor_of(model, "out.{x}")->count, 0);
    ck_assert_str_eq(unit_of(model, "l.1.a"), "l.1");
    ck_assert_str_eq(unit_of(model, "l.1.b"), "l");
    reshard_model_close(model);
}
END_TEST

START_TEST(the_parameters_dtype_replaces_that_of_float_parameters_only)
{
    const struct inventory_options options = {.parameters = RESHARD_DTYPE_BF16};
    write_file("model: 1\nname: case\nsections:\n"
               "  - tensors: {a: [2], b: {shape: [2], dtype: i8}, c: {shape: [2], dtype: f64},\n"
               "              d: {shape: [2], dtype: f8_e5m2}, e: {shape: [2], role: frozen},\n"
               "              f: {shape: [2], role: buffer}}\n");
    struct reshard_model *model = open_valid(path, &options);
    ck_assert_int_eq(tensor_of(model, "a")->dtype, RESHARD_DTYPE_BF16);
    ck_assert_int_eq(tensor_of(model, "b")->dtype, RESHARD_DTYPE_I8);
    ck_assert_int_eq(tensor_of(model, "c")->dtype, RESHARD_DTYPE_BF16);
    ck_assert_int_eq(tensor_of(model, "d")->dtype, RESHARD_DTYPE_F8_E5M2);
    ck_assert_int_eq(tensor_of(model, "e")->dtype, RESHARD_DTYPE_BF16);
    ck_assert_int_eq(tensor_of(model, "f")->dtype, RESHARD_DTYPE_F32);
    reshard_model_close(model);
}
END_TEST

#define HEAD "model: 1\nname: case\n"

static const struct {
    const char *text;
    const char *message; /* the first line, after the file's name */
} wrong[] = {
    {"name: case\n", "1:1: error: the first key must be 'model', with the version: model: 1"},
    {HEAD, "1:1: error: a model file lacks 'sections': sections in module-tree order"},
    {HEAD "sections: []\n", "3:11: error: 'sections' must not be empty"},
    {HEAD "sections:\n  - tensors: {}\n", "4:14: error: 'tensors' must not be empty"},
    {HEAD "sections:\n  - tensor: {a: [1]}\n",
     "4:5: error: unknown key 'tensor' in a section; did you mean 'tensors'?"},
    {HEAD "dtype: fp32\nsections:\n  - tensors: {a: [1]}\n",
     "3:8: error: 'dtype' must be a dtype, one of f64, f32, f16, bf16, f8_e4m3fn, f8_e5m2, "
     "f8_e4m3fnuz, f8_e5m2fnuz, f8_e8m0fnu, f4_e2m1fn_x2, c32, c64, c128, i8, i16, i32, i64, u8, "
     "u16, u32, u64, bool, not 'fp32'"},
    {HEAD "sections:\n  - tensors: {a: 4}\n",
     "4:18: error: 'a' must be a list: sizes of the dimensions; [] for a single element"},
    {HEAD "sections:\n  - tensors: {a: [1]}\n  - tensors: {a: [1]}\n",
     "5:15: error: the name 'a' is given twice"},
    {HEAD "sections:\n  - repeat: 2\n    tensors: {a: [1]}\n",
     "5:15: error: the section repeats 2 times, so 'a' needs {i} in its name to stay unique"},
    {HEAD "sections:\n  - unit: b\n    tensors: {bb.a: [1]}\n",
     "5:15: error: 'bb.a' does not lie in its unit 'b': its name must begin with 'b.'"},
    {HEAD "sections:\n  - tensors: {a: [1]}\nties: {b: {of: d}}\n",
     "5:11: error: 'b' is tied to 'd', which is unknown"},
    {HEAD "sections:\n  - tensors: {a: [1]}\nties: {a: a}\n",
     "5:11: error: the name 'a' is given twice"},
};

START_TEST(each_wrong_model_file_is_refused_with_its_line)
{
    struct reshard_model *model = NULL;
    char *messages = NULL;
    size_t size = 0;
    char expected[1024];
    FILE *stream = open_memstream(&messages, &size);
    write_file(wrong[_i].text);
    ck_assert_int_eq(inventory_open(&model, path, NULL, stream), RESHARD_EINVAL);
    ck_assert_ptr_null(model);
    ck_assert_int_eq(fclose(stream), 0);
    (void)snprintf(expected, sizeof(expected), "%s:%s", path, wrong[_i].message);
    messages[strcspn(messages, "\n")] = '\0';
    ck_assert_str_eq(messages, expected);
    free(messages);
}
END_TEST

START_TEST(a_file_of_nothing_but_errors_ends_after_the_first_hundred)
{
    struct reshard_model *model = NULL;
    char *messages = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 10000; i++)
        (void)fprintf(file, "unknown%d: 1\n", i);
    ck_assert_int_eq(fclose(file), 0);
    FILE *stream = open_memstream(&messages, &size);
    ck_assert_int_eq(inventory_open(&model, path, NULL, stream), RESHARD_EINVAL);
    ck_assert_int_eq(fclose(stream), 0);
    ck_assert_ptr_nonnull(strstr(messages, ":100:1: error: unknown key 'unknown99'"));
    ck_assert_ptr_null(strstr(messages, ":101:1:"));
    ck_assert_ptr_nonnull(strstr(messages, "more than 100 errors; the others are not shown\n"));
    free(messages);
}
END_TEST

START_TEST(a_model_that_repeats_beyond_the_limit_is_refused_at_its_tensor)
{
    struct reshard_model *model = NULL;
    char *messages = NULL;
    size_t size = 0;
    write_file("model: 1\nname: m\nsections:\n  - repeat: 10001\n    tensors:\n      a.{i}: []\n");
    FILE *stream = open_memstream(&messages, &size);
    ck_assert_int_eq(inventory_open(&model, path, NULL, stream), RESHARD_EINVAL);
    ck_assert_int_eq(fclose(stream), 0);
    ck_assert_ptr_nonnull(strstr(messages, ":6:7: error: a model has at most 10000 tensors"));
    free(messages);
    write_file("model: 1\nname: m\nsections:\n  - repeat: 10000\n    tensors:\n      a.{i}: []\n");
    model = open_valid(path, NULL);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 10000);
    reshard_model_close(model);
}
END_TEST

START_TEST(a_missing_file_is_not_found)
{
    struct reshard_model *model = NULL;
    ck_assert_int_eq(inventory_open(&model, "/nonexistent/a.yaml", NULL, NULL), RESHARD_ENOENT);
    ck_assert_int_eq(inventory_open(&model, "/nonexistent/a.safetensors", NULL, NULL),
                     RESHARD_ENOENT);
    ck_assert_ptr_null(model);
}
END_TEST

static const char tiny_bert[] = RESHARD_SOURCE_DIR "/scenarios/models/tiny-bert.safetensors";

START_TEST(a_safetensors_file_gives_its_tensors_in_the_order_of_its_bytes)
{
    struct reshard_model *model = open_valid(tiny_bert, NULL);
    ck_assert_uint_eq(reshard_model_tensor_count(model), 41);
    ck_assert_str_eq(reshard_model_tensor(model, 0)->fqn, "bert.embeddings.position_ids");
    ck_assert_int_eq(reshard_model_tensor(model, 0)->dtype, RESHARD_DTYPE_I64);
    ck_assert_int_eq(tensor_of(model, "bert.pooler.dense.bias")->dtype, RESHARD_DTYPE_F16);
    ck_assert_int_eq(tensor_of(model, "bert.pooler.mask")->dtype, RESHARD_DTYPE_U8);
    ck_assert_uint_eq(reshard_model_unit_count(model), 1);
    reshard_model_close(model);
}
END_TEST

START_TEST(units_of_a_safetensors_file_are_given_by_patterns)
{
    static const char *const units[] = {"bert.embeddings", "bert.encoder.layer.{i}",
                                        "bert.encoder"};
    const struct inventory_options options = {.unit_count = 3, .unit = units};
    struct reshard_model *model = open_valid(tiny_bert, &options);
    ck_assert_str_eq(unit_of(model, "bert.embeddings.LayerNorm.bias"), "bert.embeddings");
    ck_assert_str_eq(unit_of(model, "bert.encoder.layer.1.output.dense.bias"),
                     "bert.encoder.layer.1");
    ck_assert_str_eq(unit_of(model, "bert.pooler.dense.bias"), "");
    reshard_model_close(model);
}
END_TEST

START_TEST(a_unit_that_matches_nothing_is_an_error)
{
    static const char *const units[] = {"bert.encoder.layers.{i}"};
    const struct inventory_options options = {.unit_count = 1, .unit = units};
    struct reshard_model *model = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(inventory_open_safetensors(&model, tiny_bert, &options, &error),
                     RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "no tensor lies in the unit "
                                             "'bert.encoder.layers.{i}'"));
}
END_TEST

START_TEST(values_of_a_file_are_never_cast)
{
    const struct inventory_options options = {.parameters = RESHARD_DTYPE_F32};
    struct reshard_model *model = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(inventory_open_safetensors(&model, tiny_bert, &options, &error),
                     RESHARD_EINVAL);
    ck_assert_ptr_null(model);
    ck_assert_ptr_nonnull(strstr(error.text, "is bf16, but parameters shall be f32; values are "
                                             "never cast"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inventory");
    TCase *models = tcase_create("models");
    tcase_add_unchecked_fixture(models, make_folder, remove_folder);
    tcase_add_test(models, gpt2_has_its_124439808_parameters_and_ties_its_head);
    tcase_add_test(models, llama3_has_its_8030261248_parameters_in_bf16);
    tcase_add_test(models, llama3_70b_has_its_70553706496_parameters);
    tcase_add_test(
        models, mixtral_has_its_46702792704_parameters_with_experts_stacked_in_units_of_their_own);
    tcase_add_test(models, the_odd_one_out_has_every_role_and_kind_of_dtype);
    tcase_add_test(models, a_world_gives_per_rank_tensors_their_rows_and_leaves_all_else);
    tcase_add_loop_test(models, a_world_keeps_slots_of_every_class_as_they_are, 0, 6);
    tcase_add_test(models, small_models_have_their_parameters);
    tcase_add_test(models, sections_repeat_and_count_in_the_order_of_the_file);
    tcase_add_test(models, the_parameters_dtype_replaces_that_of_float_parameters_only);
    tcase_add_loop_test(models, each_wrong_model_file_is_refused_with_its_line, 0,
                        (int)(sizeof(wrong) / sizeof(wrong[0])));
    tcase_add_test(models, a_file_of_nothing_but_errors_ends_after_the_first_hundred);
    tcase_add_test(models, a_model_that_repeats_beyond_the_limit_is_refused_at_its_tensor);
    tcase_add_test(models, a_missing_file_is_not_found);
    tcase_add_test(models, a_safetensors_file_gives_its_tensors_in_the_order_of_its_bytes);
    tcase_add_test(models, units_of_a_safetensors_file_are_given_by_patterns);
    tcase_add_test(models, a_unit_that_matches_nothing_is_an_error);
    tcase_add_test(models, values_of_a_file_are_never_cast);
    suite_add_tcase(suite, models);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
