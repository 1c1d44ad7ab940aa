#include "support/forms.h"

#include <check.h>
#include <string.h>

static struct verify_tensor tensors[FORMS_TENSORS];
struct verify_inventory forms = {0, tensors, 4};
bool forms_absent[FORMS_TENSORS];

const struct forms_layout forms_layouts[FORMS_LAYOUTS] = {
    {1, "{\"kind\":\"ddp\",\"mesh\":{}}"},
    {4, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":3},\"orig_params\":false,\"forward\":null}"},
    {3, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":3},\"orig_params\":true,\"forward\":\"bf16\"}"},
    {5, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":4}}"},
    {3, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":3},\"dim\":1}"},
    {4, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"tensor\":2},\"tensors\":[{\"pattern\":"
        "\"h.0.qkv\",\"tensor\":0,\"sections\":[8,4,12]},{\"pattern\":\"h.0.proj\","
        "\"tensor\":1}]}"},
    {8, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":2,\"tensor\":2,\"replicate\":2},"
        "\"orig_params\":false,\"forward\":null,\"tensors\":[{\"pattern\":\"h.0.qkv\","
        "\"tensor\":0,\"sections\":[8,4,12]},{\"pattern\":\"h.0.proj\",\"tensor\":1}]}"},
    {12, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":6,\"tensor\":2},\"orig_params\":true,"
         "\"forward\":null,\"tensors\":[{\"pattern\":\"h.0.qkv\",\"tensor\":0,"
         "\"sections\":[8,4,12]},{\"pattern\":\"h.0.proj\",\"tensor\":0}]}"},
    {4, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":2,\"expert\":2},\"orig_params\":false,"
        "\"forward\":null,\"tensors\":[{\"pattern\":\"h.1.e.{i}\",\"expert\":{\"of\":2}},"
        "{\"pattern\":\"h.2.fused\",\"expert\":0},{\"pattern\":\"h.2.bias\","
        "\"shard\":\"whole\"}]}"},
    {4, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"expert\":2},\"tensors\":[{\"pattern\":"
        "\"h.1.e.{i}\",\"expert\":{\"of\":2}},{\"pattern\":\"h.2.fused\",\"expert\":0,"
        "\"shard\":1}]}"},
    {12, "{\"kind\":\"fsdp2\",\"mesh\":{\"pipeline\":3,\"replicate\":2,\"shard\":2},"
         "\"owner\":1}"},
    {7, "{\"kind\":\"fsdp1\",\"mesh\":{\"pipeline\":3,\"shard\":2},\"orig_params\":false,"
        "\"forward\":null}"},
    {5, "{\"kind\":\"boxes\",\"mesh\":{\"replicate\":4},\"tensors\":[{\"pattern\":\"embed\","
        "\"boxes\":[{\"rank\":0,\"begin\":[0,0],\"end\":[8,2]},{\"rank\":1,\"begin\":[0,2],"
        "\"end\":[3,6]},{\"rank\":1,\"begin\":[5,2],\"end\":[8,6]},{\"rank\":3,\"begin\":[5,2],"
        "\"end\":[8,6]},{\"rank\":3,\"begin\":[0,2],\"end\":[3,6]},{\"rank\":2,\"begin\":[3,2],"
        "\"end\":[5,6]}]}]}"},
    {8, "{\"kind\":\"fsdp2\",\"mesh\":{\"expert\":2,\"shard\":2,\"tensor\":2},\"tensors\":["
        "{\"pattern\":\"embed\",\"expert\":0,\"tensor\":0,\"shard\":0},{\"pattern\":"
        "\"h.2.fused\",\"expert\":2,\"tensor\":1,\"shard\":0},{\"pattern\":\"h.0.*\","
        "\"expert\":1}]}"},
    {6, "{\"kind\":\"fsdp2\",\"mesh\":{\"tensor\":2,\"shard\":3},\"tensors\":[{\"pattern\":"
        "\"h.0.qkv\",\"tensor\":0,\"sections\":[8,4,12],\"shard\":0}]}"},
    {30, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":30},\"orig_params\":false,\"forward\":null}"},
    {2, "{\"kind\":\"ddp\",\"mesh\":{\"tensor\":2},\"tensors\":[{\"pattern\":\"h.0.qkv\","
        "\"tensor\":0,\"sections\":[8,4,12]},{\"pattern\":\"h.2.fused\",\"tensor\":2},"
        "{\"pattern\":\"embed\",\"tensor\":1,\"sections\":[2,4]}]}"},
};

static uint32_t parameter; /* the one whose slots come next */

static void add(const char *fqn, uint32_t unit, uint32_t ndim, const uint64_t *shape)
{
    struct verify_tensor *tensor = &tensors[forms.tensor_count];

    *tensor = (struct verify_tensor){.fqn = fqn,
                                     .slot = "",
                                     .dtype = RESHARD_DTYPE_F32,
                                     .ndim = ndim,
                                     .unit = unit,
                                     .parameter = forms.tensor_count,
                                     .like = true};
    for (uint32_t d = 0; d < ndim; ++d)
        tensor->shape[d] = shape[d];
    parameter = forms.tensor_count++;
}

static void add_slot(const char *slot, enum reshard_dtype dtype, enum verify_class slot_class,
                     uint64_t block, uint32_t ndim, const uint64_t *shape)
{
    const struct verify_tensor of = tensors[parameter];

    add(of.fqn, of.unit, ndim, shape);
    parameter = of.parameter;
    tensors[forms.tensor_count - 1].slot = slot;
    tensors[forms.tensor_count - 1].dtype = dtype;
    tensors[forms.tensor_count - 1].slot_class = slot_class;
    tensors[forms.tensor_count - 1].block = block;
    tensors[forms.tensor_count - 1].parameter = parameter;
    tensors[forms.tensor_count - 1].like = false;
}

static void add_like(const char *slot, enum reshard_dtype dtype)
{
    add_slot(slot, dtype, VERIFY_PLAIN, 0, tensors[parameter].ndim, tensors[parameter].shape);
    tensors[forms.tensor_count - 1].like = true;
}

#define SHAPE(...)                                                                                 \
    sizeof((const uint64_t[]){__VA_ARGS__}) / 8, (const uint64_t[])                                \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void make_first(void)
{
    add("embed", 0, SHAPE(8, 6));
    add_like("exp_avg", RESHARD_DTYPE_F32);
    add_slot("row_var", RESHARD_DTYPE_F32, VERIFY_ROW, 0, SHAPE(8, 1));
    add_slot("col_var", RESHARD_DTYPE_F32, VERIFY_COLUMN, 0, SHAPE(1, 6));
    add_slot("absmax", RESHARD_DTYPE_F32, VERIFY_BLOCKWISE, 5, SHAPE(10));
    add_slot("step", RESHARD_DTYPE_F32, VERIFY_PLAIN, 0, 0, NULL);
    add_slot("rng", RESHARD_DTYPE_U8, VERIFY_BYTES, 0, SHAPE(9));
    add("scale", 0, 0, NULL);
    add_slot("absmax", RESHARD_DTYPE_F32, VERIFY_BLOCKWISE, 4, SHAPE(1));
    add_slot("step", RESHARD_DTYPE_F32, VERIFY_PLAIN, 0, 0, NULL);
    add("h.0.qkv", 1, SHAPE(24, 4));
    add_like("exp_avg", RESHARD_DTYPE_U8);
    add_slot("row_var", RESHARD_DTYPE_BF16, VERIFY_ROW, 0, SHAPE(24));
    add_slot("col_var", RESHARD_DTYPE_F32, VERIFY_COLUMN, 0, SHAPE(4));
    add_slot("absmax", RESHARD_DTYPE_F32, VERIFY_BLOCKWISE, 7, SHAPE(14));
    add("h.0.proj", 1, SHAPE(4, 8));
    add_like("momentum", RESHARD_DTYPE_F32);
    add_slot("row_var", RESHARD_DTYPE_F32, VERIFY_ROW, 0, SHAPE(4));
    add_slot("col_var", RESHARD_DTYPE_F32, VERIFY_COLUMN, 0, SHAPE(1, 8));
    add_slot("absmax", RESHARD_DTYPE_F16, VERIFY_BLOCKWISE, 3, SHAPE(11));
    add_slot("table", RESHARD_DTYPE_F16, VERIFY_PLAIN, 0, SHAPE(3, 2));
}

static void make_second(void)
{
    for (int e = 0; e < 2; ++e) {
        add(e ? "h.1.e.1" : "h.1.e.0", 2, SHAPE(4, 4));
        add_slot("row_var", RESHARD_DTYPE_F32, VERIFY_ROW, 0, SHAPE(4));
        add_slot("absmax", RESHARD_DTYPE_F32, VERIFY_BLOCKWISE, 3, SHAPE(6));
        add_slot("step", RESHARD_DTYPE_F32, VERIFY_PLAIN, 0, 0, NULL);
    }
    add("h.2.fused", 3, SHAPE(4, 6, 2));
    add_slot("row_var", RESHARD_DTYPE_F32, VERIFY_ROW, 0, SHAPE(4, 6, 1));
    add_slot("col_var", RESHARD_DTYPE_F32, VERIFY_COLUMN, 0, SHAPE(4, 2));
    add_slot("absmax", RESHARD_DTYPE_F32, VERIFY_BLOCKWISE, 11, SHAPE(5));
    add("h.2.bias", 3, SHAPE(7));
    add_like("variance", RESHARD_DTYPE_F32);
    add_slot("absmax", RESHARD_DTYPE_F32, VERIFY_BLOCKWISE, 2, SHAPE(4));
}

void forms_make(void)
{
    forms.tensor_count = 0;
    make_first();
    make_second();
    ck_assert_uint_eq(forms.tensor_count, FORMS_TENSORS);
    memset(forms_absent, 0, sizeof forms_absent);
    forms_absent[forms_find("h.0.proj", "momentum")] = true;
    forms_absent[forms_find("h.1.e.0", "row_var")] = true;
    forms_absent[forms_find("h.1.e.0", "absmax")] = true;
    forms_absent[forms_find("h.1.e.0", "step")] = true;
}

uint32_t forms_find(const char *fqn, const char *slot)
{
    uint32_t t = 0;

    while (t < forms.tensor_count &&
           (strcmp(tensors[t].fqn, fqn) != 0 || strcmp(tensors[t].slot, slot) != 0))
        t += 1;
    ck_assert_uint_lt(t, forms.tensor_count);
    return t;
}

struct verify_rules *forms_rules(const struct forms_layout *layout, struct verify_formula *formula)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    json_t *value = json_loads(layout->formula, 0, NULL);
    struct verify_rules *rules = NULL;

    ck_assert_msg(verify_formula_parse(formula, value, &error) == RESHARD_OK, "%s", error.text);
    formula->layout.world = layout->world;
    ck_assert_msg(verify_rules_open(&rules, &forms, &formula->layout, &error) == RESHARD_OK, "%s",
                  error.text);
    json_decref(value);
    return rules;
}
