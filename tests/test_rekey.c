/*
 * Keys of optimizer state. Goal: names become ids and come back, with nothing else changed, and
 * flattened keys part where they were put together, whatever names are like. Method: random models
 * and groups over hundreds of seeds, held against the originals tensor by tensor and by hash; and
 * one case for each thing that is refused.
 */
#include "core/rekey.h"
#include "support/random_groups.h"

#include <check.h>
#include <string.h>

enum { PARAMETERS_MAX = 12 };

/* A random model and groups of its parameters. */
struct sample {
    struct reshard_model *model;
    struct reshard_groups *groups;
};

static const struct reshard_shape matrix = {2, {6, 4}}, vector = {1, {5}}, scalar = {0, {0}};

static void add_slots(struct test_random *random, struct reshard_model *model, const char *fqn)
{
    static const struct reshard_slot slots[] = {
        {.dtype = RESHARD_DTYPE_F32},
        {.dtype = RESHARD_DTYPE_BF16, .slot_class = RESHARD_CLASS_ROW, .keeps_dimension = true},
        {.dtype = RESHARD_DTYPE_F32, .slot_class = RESHARD_CLASS_ROW},
        {.dtype = RESHARD_DTYPE_F64, .slot_class = RESHARD_CLASS_COLUMN},
        {.dtype = RESHARD_DTYPE_F32, .slot_class = RESHARD_CLASS_BLOCKWISE, .block = 5},
        {.dtype = RESHARD_DTYPE_I64, .slot_class = RESHARD_CLASS_REPLICATED, .shape = {1, {3}}},
        {.dtype = RESHARD_DTYPE_F32, .slot_class = RESHARD_CLASS_SCALAR},
        {.dtype = RESHARD_DTYPE_U8, .slot_class = RESHARD_CLASS_OPAQUE, .shape = {1, {9}}}};
    char name[RANDOM_NAME_MAX];

    for (uint64_t i = test_random_below(random, 4); i > 0; i--) {
        struct reshard_slot slot = slots[test_random_below(random, sizeof slots / sizeof *slots)];
        random_name(random, name);
        slot.slot = name; /* which may be there already */
        (void)!reshard_model_add_state(model, fqn, &slot, NULL);
    }
}

static struct reshard_model *random_named_model(struct test_random *random)
{
    static const char *const units[] = {"", "late", "early"};
    const uint64_t count = test_random_below(random, PARAMETERS_MAX + 1);
    char name[RANDOM_NAME_MAX], alias[RANDOM_NAME_MAX];
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    for (uint64_t i = 0; i < count; i++) {
        const enum reshard_role role = (enum reshard_role)test_random_below(random, 3);
        random_name(random, name);
        if (reshard_model_add_role(model, name, units[test_random_below(random, 3)],
                                   RESHARD_DTYPE_F32, &matrix, role, RESHARD_OTHER_WORLD_REFUSE,
                                   NULL))
            continue;
        if (reshard_role_is_parameter(role))
            add_slots(random, model, name);
        random_name(random, alias);
        if (test_random_below(random, 4) == 0)
            (void)!reshard_model_tie(model, alias, name, NULL);
    }
    return model;
}

static struct sample random_sample(struct test_random *random)
{
    struct sample sample = {random_named_model(random), NULL};
    const char *name[PARAMETERS_MAX];
    uint32_t count = 0;

    for (uint32_t t = 0; t < reshard_model_tensor_count(sample.model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(sample.model, t);
        if (!reshard_tensor_is_slot(tensor) && reshard_role_is_parameter(tensor->role))
            name[count++] = tensor->fqn;
    }
    for (uint32_t i = count; i > 1; i--) { /* groups have an order of their own */
        const uint64_t other = test_random_below(random, i);
        const char *last = name[i - 1];
        name[i - 1] = name[other];
        name[other] = last;
    }
    sample.groups = random_groups(random, name, count);
    return sample;
}

static void close_sample(struct sample *sample)
{
    reshard_groups_close(sample->groups);
    reshard_model_close(sample->model);
}

/* What a tensor is called once members have their ids, found by counting. */
static void expected_name(const struct reshard_groups *groups, const char *fqn, char *out)
{
    uint64_t id = 0;

    (void)snprintf(out, RESHARD_NAME_MAX, "%s", fqn);
    for (uint32_t g = 0; g < reshard_groups_count(groups); g++)
        for (uint32_t m = 0; m < reshard_groups_member_count(groups, g); m++, id++)
            if (strcmp(reshard_groups_member(groups, g, m), fqn) == 0)
                (void)snprintf(out, RESHARD_NAME_MAX, "%" PRIu64, id);
}

/* Whether a tensor has an id for its name, or is as before. */
static void check_tensor(const struct sample *sample, const struct reshard_model *model, uint32_t t)
{
    const struct reshard_tensor *was = reshard_model_tensor(sample->model, t);
    const struct reshard_tensor *is = reshard_model_tensor(model, t);
    char name[RESHARD_NAME_MAX];

    expected_name(sample->groups, was->fqn, name);
    ck_assert_str_eq(is->fqn, name);
    ck_assert_str_eq(is->slot, was->slot);
    ck_assert(is->dtype == was->dtype && reshard_shape_equal(&is->shape, &was->shape) &&
              is->parameter == was->parameter && is->like == was->like && is->role == was->role &&
              is->slot_class == was->slot_class && is->block == was->block &&
              is->other_world == was->other_world);
    ck_assert_str_eq(reshard_model_unit(model, is->unit),
                     reshard_model_unit(sample->model, was->unit));
}

/* Whether names and ids would be there together: then it cannot be. */
static bool collides(const struct sample *sample)
{
    char name[RESHARD_NAME_MAX], other[RESHARD_NAME_MAX];
    const struct reshard_model *model = sample->model;

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (reshard_tensor_is_slot(tensor))
            continue;
        expected_name(sample->groups, tensor->fqn, name);
        for (uint32_t u = 0; u < t; u++) {
            expected_name(sample->groups, reshard_model_tensor(model, u)->fqn, other);
            if (!reshard_tensor_is_slot(reshard_model_tensor(model, u)) && !strcmp(name, other))
                return true;
        }
        for (uint32_t i = 0; i < reshard_model_tie_count(model); i++)
            if (strcmp(name, reshard_model_tie_at(model, i)->alias) == 0)
                return true;
    }
    return false;
}

START_TEST(names_become_ids_and_come_back)
{
    struct test_random random = test_random_start("rekey", (uint64_t)_i);
    struct sample sample = random_sample(&random), ids, names;
    struct reshard_error error = RESHARD_ERROR_INIT;
    const enum reshard_status status = reshard_rekey(&ids.model, &ids.groups, sample.model,
                                                     sample.groups, RESHARD_KEYS_IDS, NULL, &error);

    if (collides(&sample)) {
        ck_assert_int_eq(status, RESHARD_EINVAL);
        ck_assert_msg(strstr(error.text, "is given twice") != NULL, "%s", error.text);
        ck_assert(!ids.model && !ids.groups);
        close_sample(&sample);
        return;
    }
    ck_assert_msg(status == RESHARD_OK, "%s", error.text);
    ck_assert_int_eq(reshard_groups_keys(ids.groups), RESHARD_KEYS_IDS);
    ck_assert_uint_eq(reshard_model_tensor_count(ids.model),
                      reshard_model_tensor_count(sample.model));
    for (uint32_t t = 0; t < reshard_model_tensor_count(sample.model); t++)
        check_tensor(&sample, ids.model, t);
    ck_assert_int_eq(reshard_groups_check(ids.groups, ids.model, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_rekey(&names.model, &names.groups, ids.model, ids.groups,
                                   RESHARD_KEYS_NAMES, sample.groups, &error),
                     RESHARD_OK);
    ck_assert_uint_eq(reshard_model_hash(names.model), reshard_model_hash(sample.model));
    ck_assert_uint_eq(reshard_groups_hash(names.groups), reshard_groups_hash(sample.groups));
    close_sample(&names);
    close_sample(&ids);
    close_sample(&sample);
}
END_TEST

START_TEST(what_is_keyed_that_way_already_is_copied)
{
    struct test_random random = test_random_start("copies", (uint64_t)_i);
    struct sample sample = random_sample(&random), copy;

    ck_assert_int_eq(reshard_rekey(&copy.model, &copy.groups, sample.model, sample.groups,
                                   RESHARD_KEYS_NAMES, NULL, NULL),
                     RESHARD_OK);
    ck_assert_uint_eq(reshard_model_hash(copy.model), reshard_model_hash(sample.model));
    ck_assert_uint_eq(reshard_groups_hash(copy.groups), reshard_groups_hash(sample.groups));
    ck_assert(copy.model != sample.model && copy.groups != sample.groups);
    close_sample(&copy);
    close_sample(&sample);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------- */

/* Parameters a, b and c, and a buffer "buffer"; groups {b, a} and {c}; keyed by ids if asked to. */
static struct sample small(bool ids)
{
    struct sample sample;
    const char *const names[] = {ids ? "1" : "a", ids ? "0" : "b", ids ? "2" : "c"};

    ck_assert_int_eq(reshard_model_open(&sample.model), RESHARD_OK);
    ck_assert_int_eq(reshard_groups_open(&sample.groups), RESHARD_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(
            reshard_model_add(sample.model, names[i], "", RESHARD_DTYPE_F32, &vector, NULL),
            RESHARD_OK);
    ck_assert(!reshard_model_add_role(sample.model, "buffer", "", RESHARD_DTYPE_F32, &scalar,
                                      RESHARD_ROLE_BUFFER, RESHARD_OTHER_WORLD_REFUSE, NULL) &&
              !reshard_model_tie(sample.model, "second", names[0], NULL));
    ck_assert(!reshard_groups_add(sample.groups, "decay", NULL) &&
              !reshard_groups_add(sample.groups, "rest", NULL) &&
              !reshard_groups_add_member(sample.groups, 0, names[1], NULL) &&
              !reshard_groups_add_member(sample.groups, 0, names[0], NULL) &&
              !reshard_groups_add_member(sample.groups, 1, names[2], NULL));
    reshard_groups_set_keys(sample.groups, ids ? RESHARD_KEYS_IDS : RESHARD_KEYS_NAMES);
    return sample;
}

static void refuse(const struct sample *sample, enum reshard_keys to,
                   const struct reshard_groups *names, enum reshard_status wanted,
                   const char *reason)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct sample out;

    ck_assert_int_eq(
        reshard_rekey(&out.model, &out.groups, sample->model, sample->groups, to, names, &error),
        wanted);
    ck_assert_str_eq(error.text, reason);
    ck_assert(!out.model && !out.groups);
}

static void add_member(struct sample *sample, const char *fqn)
{
    ck_assert_int_eq(reshard_groups_add_member(sample->groups, 1, fqn, NULL), RESHARD_OK);
}

START_TEST(a_member_must_be_a_parameter_of_the_model)
{
    static const struct {
        const char *fqn, *reason;
    } cases[] = {
        {"none", "'none' of group 'rest' is unknown to the model"},
        {"buffer", "'buffer' of group 'rest' is no parameter: its role is buffer"},
        {"second", "'second' of group 'rest' is a second name of 'a'"},
    };
    struct sample sample = small(false);

    add_member(&sample, cases[_i].fqn);
    refuse(&sample, RESHARD_KEYS_IDS, NULL, RESHARD_EINVAL, cases[_i].reason);
    refuse(&sample, RESHARD_KEYS_NAMES, NULL, RESHARD_EINVAL, cases[_i].reason);
    close_sample(&sample);
}
END_TEST

/* Some keys are ids and some are names; or all are ids, of others. */
START_TEST(an_id_that_is_none_is_an_invalid_parameter_key)
{
    static const char *const fqns[] = {"w", "03", "4", " 3", "+3", "18446744073709551619"};
    struct sample sample = small(true), names = small(false);
    char reason[256];

    ck_assert_int_eq(
        reshard_model_add(sample.model, fqns[_i], "", RESHARD_DTYPE_F32, &vector, NULL),
        RESHARD_OK);
    add_member(&sample, fqns[_i]);
    (void)snprintf(reason, sizeof reason,
                   "Invalid parameter keys: '%s' of group 'rest' is in the place of id 3",
                   fqns[_i]);
    refuse(&sample, RESHARD_KEYS_NAMES, names.groups, RESHARD_EINVAL, reason);
    refuse(&sample, RESHARD_KEYS_IDS, NULL, RESHARD_EINVAL, reason);
    close_sample(&names);
    close_sample(&sample);
}
END_TEST

START_TEST(no_name_is_there_twice_afterwards)
{
    struct sample sample = small(false), ids = small(true);

    /* A parameter in no group, whose name is an id. */
    ck_assert(!reshard_model_add(sample.model, "2", "", RESHARD_DTYPE_F32, &vector, NULL));
    refuse(&sample, RESHARD_KEYS_IDS, NULL, RESHARD_EINVAL, "the name '2' is given twice");
    close_sample(&sample);
    /* A second name. */
    sample = small(false);
    ck_assert(!reshard_model_tie(sample.model, "0", "c", NULL));
    refuse(&sample, RESHARD_KEYS_IDS, NULL, RESHARD_EINVAL, "the name '0' is given twice");
    close_sample(&sample);
    /* And the other way. */
    sample = small(false);
    ck_assert(!reshard_model_add(ids.model, "c", "", RESHARD_DTYPE_F32, &vector, NULL));
    refuse(&ids, RESHARD_KEYS_NAMES, sample.groups, RESHARD_EINVAL, "the name 'c' is given twice");
    close_sample(&sample);
    close_sample(&ids);
}
END_TEST

START_TEST(groups_that_are_not_those_of_the_names_are_all_listed)
{
    struct sample ids = small(true);
    struct reshard_groups *names;

    refuse(&ids, RESHARD_KEYS_NAMES, NULL, RESHARD_EINVAL,
           "groups that are keyed by names are needed for names");
    refuse(&ids, RESHARD_KEYS_NAMES, ids.groups, RESHARD_EINVAL,
           "groups that are keyed by names are needed for names");
    ck_assert_int_eq(reshard_groups_open(&names), RESHARD_OK);
    refuse(&ids, RESHARD_KEYS_NAMES, names, RESHARD_EMISMATCH,
           "the groups are not those of the names:\n"
           "  group 'decay' is in the groups alone\n"
           "  group 'rest' is in the groups alone");
    ck_assert(!reshard_groups_add(names, "decay", NULL) &&
              !reshard_groups_add_member(names, 0, "a", NULL) &&
              !reshard_groups_add(names, "other", NULL) &&
              !reshard_groups_add_member(names, 1, "c", NULL) &&
              !reshard_groups_add(names, "third", NULL));
    refuse(&ids, RESHARD_KEYS_NAMES, names, RESHARD_EMISMATCH,
           "the groups are not those of the names:\n"
           "  group 'decay': 2 members, but 1 names\n"
           "  group 1 is 'rest', but 'other' in the names\n"
           "  group 'third' is in the names alone");
    reshard_groups_close(names);
    close_sample(&ids);
}
END_TEST

/* ---- flattened keys -------------------------------------------------------------------------- */

START_TEST(a_flattened_key_parts_where_it_was_put_together)
{
    struct test_random random = test_random_start("keys", (uint64_t)_i);
    char fqn[RANDOM_NAME_MAX], name[RANDOM_NAME_MAX], key[RESHARD_KEY_MAX];
    char fqn_out[RESHARD_NAME_MAX], name_out[RESHARD_NAME_MAX];
    enum reshard_key_kind kind;

    for (int i = 0; i < 50; i++) {
        random_name(&random, fqn);
        random_name(&random, name);
        for (int k = RESHARD_KEY_STATE; k <= RESHARD_KEY_PARAM_GROUP; k++) {
            reshard_key_print((enum reshard_key_kind)k, fqn, name, key);
            ck_assert_int_eq(reshard_key_parse(key, &kind, fqn_out, name_out, NULL), RESHARD_OK);
            ck_assert_int_eq((int)kind, k);
            ck_assert_str_eq(fqn_out, fqn);
            ck_assert_str_eq(name_out, name);
        }
    }
}
END_TEST

START_TEST(keys_are_written_as_the_header_says)
{
    char key[RESHARD_KEY_MAX];

    reshard_key_print(RESHARD_KEY_STATE, "layers.0.weight", "exp_avg", key);
    ck_assert_str_eq(key, "state.layers.0.weight.exp_avg");
    reshard_key_print(RESHARD_KEY_PARAM_GROUP, "layers.0.weight", "lr", key);
    ck_assert_str_eq(key, "param_groups.layers.0.weight.lr");
    reshard_key_print(RESHARD_KEY_STATE, "a%2E", "in.ner%", key);
    ck_assert_str_eq(key, "state.a%2E.in%2Ener%25");
}
END_TEST

START_TEST(the_longest_names_fit_a_key)
{
    char name[RESHARD_NAME_MAX], key[RESHARD_KEY_MAX], longer[RESHARD_KEY_MAX + 8];
    char fqn_out[RESHARD_NAME_MAX], name_out[RESHARD_NAME_MAX];
    enum reshard_key_kind kind;

    memset(name, '.', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    reshard_key_print(RESHARD_KEY_PARAM_GROUP, name, name, key);
    ck_assert_uint_eq(strlen(key), strlen("param_groups.") + 4 * strlen(name) + 1);
    ck_assert_int_eq(reshard_key_parse(key, &kind, fqn_out, name_out, NULL), RESHARD_OK);
    ck_assert_str_eq(fqn_out, name);
    ck_assert_str_eq(name_out, name);
    (void)snprintf(longer, sizeof longer, "%s%%25", key);
    ck_assert_int_eq(reshard_key_parse(longer, &kind, fqn_out, name_out, NULL), RESHARD_EINVAL);
    (void)snprintf(longer, sizeof longer, "param_groups.x%s", key + strlen("param_groups."));
    ck_assert_int_eq(reshard_key_parse(longer, &kind, fqn_out, name_out, NULL), RESHARD_EINVAL);
}
END_TEST

static const struct {
    const char *text, *reason;
} no_keys[] = {
    {"", "begins neither"},
    {"state", "begins neither"},
    {"States.a.b", "begins neither"},
    {"param_group.a.b", "begins neither"},
    {"state.a", "has no dot"},
    {"state..b", "its FQN"},
    {"state.a.", "after its last"},
    {"state.a.b%", "after its last"},
    {"state.a.b%2e", "after its last"},
    {"state.a.%41", "after its last"},
    {"state.a.%2", "after its last"},
    {"state.a\xff.b", "its FQN"},
    {"state.a.b\xff", "after its last"},
};

START_TEST(what_is_no_key_is_refused)
{
    char fqn[RESHARD_NAME_MAX], name[RESHARD_NAME_MAX];
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_key_kind kind;

    ck_assert_int_eq(reshard_key_parse(no_keys[_i].text, &kind, fqn, name, &error), RESHARD_EINVAL);
    if (strcmp(no_keys[_i].reason, "after its last") == 0)
        ck_assert_msg(strstr(error.text, "what follows its last dot") != NULL, "%s", error.text);
    else
        ck_assert_msg(strstr(error.text, no_keys[_i].reason) != NULL, "%s", error.text);
}
END_TEST

/* ---- what a key means ------------------------------------------------------------------------ */

static void add_slot(struct reshard_model *model, const char *fqn, const char *slot)
{
    uint32_t known;

    if (reshard_model_find(model, fqn, "", &known))
        ck_assert(!reshard_model_add(model, fqn, "", RESHARD_DTYPE_F32, &vector, NULL));
    ck_assert(!reshard_model_add_slot(model, fqn, slot, RESHARD_DTYPE_F32, &vector, true, NULL));
}

START_TEST(a_key_means_the_slot_that_it_can_mean)
{
    static const struct {
        const char *key, *fqn, *slot;
    } cases[] = {
        {"state.fc.weight.exp_avg", "fc.weight", "exp_avg"},
        {"state.fc.weight.outer.inner", "fc.weight", "outer.inner"},
        {"state.fc.weight.outer%2Einner", "fc.weight", "outer.inner"},
        {"state.fc.weight.100%", "fc.weight", "100%"},
        {"state.fc.weight.100%25", "fc.weight", "100%"},
        {"state.tied.exp_avg", "fc.weight", "exp_avg"},
    };
    struct reshard_model *model;
    uint32_t tensor = 99, wanted;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    add_slot(model, "fc", "exp_avg");
    add_slot(model, "fc.weight", "exp_avg");
    add_slot(model, "fc.weight", "outer.inner");
    add_slot(model, "fc.weight", "100%");
    ck_assert(!reshard_model_tie(model, "tied", "fc.weight", NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(!reshard_model_find(model, cases[i].fqn, cases[i].slot, &wanted));
        ck_assert_int_eq(reshard_key_resolve(model, cases[i].key, &tensor, NULL), RESHARD_OK);
        ck_assert_uint_eq(tensor, wanted);
    }
    reshard_model_close(model);
}
END_TEST

START_TEST(a_key_that_means_none_or_two_is_refused)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *model;
    uint32_t tensor = 99;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    add_slot(model, "a", "b.c");
    add_slot(model, "a.b", "c");
    add_slot(model, "p", "x%2Ey");
    add_slot(model, "p", "x.y");
    add_slot(model, "q", "m.n.o");
    ck_assert_int_eq(reshard_key_resolve(model, "state.a.b.c", &tensor, &error), RESHARD_EINVAL);
    ck_assert_str_eq(error.text, "'state.a.b.c' may mean 'a' slot b.c or 'a.b' slot c");
    ck_assert_int_eq(reshard_key_resolve(model, "state.p.x%2Ey", &tensor, NULL), RESHARD_EINVAL);
    reshard_error_clear(&error);
    ck_assert_int_eq(reshard_key_resolve(model, "state.a.b.d", &tensor, &error), RESHARD_ENOENT);
    ck_assert_str_eq(error.text, "'state.a.b.d' is no slot of the model");
    /* Who escapes, escapes all dots. */
    ck_assert_int_eq(reshard_key_resolve(model, "state.q.m.n%2Eo", &tensor, NULL), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_key_resolve(model, "state.a", &tensor, NULL), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_key_resolve(model, "state.a.", &tensor, NULL), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_key_resolve(model, "param_groups.a.b.c", &tensor, NULL),
                     RESHARD_EINVAL);
    ck_assert_uint_eq(tensor, 99);
    reshard_model_close(model);
}
END_TEST

/* Every slot of a random model by its own key, and by what another would have written. */
START_TEST(every_slot_is_found_by_its_keys_unless_they_mean_another_too)
{
    struct test_random random = test_random_start("resolve", (uint64_t)_i);
    struct reshard_model *model = random_named_model(&random);
    char escaped[RESHARD_KEY_MAX], plain[RESHARD_KEY_MAX];

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        uint32_t found;
        if (!reshard_tensor_is_slot(tensor))
            continue;
        reshard_key_print(RESHARD_KEY_STATE, tensor->fqn, tensor->slot, escaped);
        (void)snprintf(plain, sizeof plain, "state.%s.%s", tensor->fqn, tensor->slot);
        for (int i = 0; i < 2; i++) {
            const enum reshard_status status =
                reshard_key_resolve(model, i ? plain : escaped, &found, NULL);
            ck_assert(status == RESHARD_EINVAL || (status == RESHARD_OK && found == t));
        }
    }
    reshard_model_close(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rekey");
    TCase *cases = tcase_create("rekey");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(cases, names_become_ids_and_come_back, 0, 400);
    tcase_add_loop_test(cases, what_is_keyed_that_way_already_is_copied, 0, 50);
    tcase_add_loop_test(cases, a_member_must_be_a_parameter_of_the_model, 0, 3);
    tcase_add_loop_test(cases, an_id_that_is_none_is_an_invalid_parameter_key, 0, 6);
    tcase_add_test(cases, no_name_is_there_twice_afterwards);
    tcase_add_test(cases, groups_that_are_not_those_of_the_names_are_all_listed);
    tcase_add_loop_test(cases, a_flattened_key_parts_where_it_was_put_together, 0, 200);
    tcase_add_test(cases, keys_are_written_as_the_header_says);
    tcase_add_test(cases, the_longest_names_fit_a_key);
    tcase_add_loop_test(cases, what_is_no_key_is_refused, 0,
                        (int)(sizeof no_keys / sizeof *no_keys));
    tcase_add_test(cases, a_key_means_the_slot_that_it_can_mean);
    tcase_add_test(cases, a_key_that_means_none_or_two_is_refused);
    tcase_add_loop_test(cases, every_slot_is_found_by_its_keys_unless_they_mean_another_too, 0,
                        100);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
