/*
 * A layout's formula as JSON. Goal: everything that options can say comes back, in the one way in
 * which FORMAT.md has it; and everything else is refused with the member that is wrong. Method: a
 * table of texts that must survive, random layouts, and a table of single faults.
 */
#include "core/layout_json.h"
#include "support/oracle.h"
#include "support/random_layout.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static enum reshard_status decode(const char *text, struct reshard_layout_options *out,
                                  struct layout_json_fault *fault)
{
    json_error_t where;
    json_t *layout = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    enum reshard_status status;

    ck_assert_msg(layout != NULL, "%s: %s", text, where.text);
    status = layout_json_decode(layout, out, fault);
    json_decref(layout);
    return status;
}

static char *encode(const struct reshard_layout_options *options)
{
    json_t *layout = layout_json_encode(options);
    char *text;

    ck_assert_ptr_nonnull(layout);
    text = json_dumps(layout, 0);
    json_decref(layout);
    ck_assert_ptr_nonnull(text);
    return text;
}

/* ---- what comes back ------------------------------------------------------------------------- */

/* The members in their order, and only those that say something. */
static const char *const texts[] = {
    "{\"kind\": \"fsdp2\", \"mesh\": {\"shard\": 1}}",
    "{\"kind\": \"fsdp2\", \"mesh\": {\"shard\": 8}, \"dim\": 1}",
    "{\"kind\": \"fsdp1\", \"mesh\": {\"replicate\": 2, \"shard\": 3}, \"orig_params\": true, "
    "\"forward\": \"bf16\"}",
    "{\"kind\": \"fsdp1\", \"mesh\": {\"shard\": 3}, \"orig_params\": false, \"forward\": null, "
    "\"owner\": 0}",
    "{\"kind\": \"ddp\", \"mesh\": {\"replicate\": 4}, \"owner\": 3}",
    "{\"kind\": \"ddp\", \"mesh\": {\"pipeline\": 2, \"replicate\": 1, \"expert\": 3, \"tensor\": "
    "5}}",
    "{\"kind\": \"fsdp2\", \"mesh\": {\"shard\": 2, \"expert\": 2, \"tensor\": 2}, \"tensors\": "
    "[{\"pattern\": \"*.experts.{i}.*\", \"pipeline\": {\"of\": 4}, \"shard\": \"whole\", "
    "\"expert\": {\"of\": 8}, \"tensor\": 1}, {\"pattern\": \"*\", \"pipeline\": \"whole\", "
    "\"shard\": 0, \"expert\": {\"at\": 1}, \"tensor\": \"whole\"}, {\"pattern\": \"*.qkv\", "
    "\"pipeline\": {\"at\": 0}, \"expert\": 2, \"sections\": [4, 2, 2]}]}",
    "{\"kind\": \"boxes\", \"mesh\": {\"replicate\": 2}, \"tensors\": [{\"pattern\": \"grid\", "
    "\"boxes\": [{\"rank\": 0, \"begin\": [0, 0], \"end\": [2, 3]}, {\"rank\": 1, \"begin\": [2, "
    "0], \"end\": [4, 3]}]}, {\"pattern\": \"scalar\", \"boxes\": [{\"rank\": 1, \"begin\": [], "
    "\"end\": []}]}]}",
};

START_TEST(a_formula_comes_back_as_it_was)
{
    struct reshard_layout_options options;
    struct layout_json_fault fault;
    char *again;

    ck_assert_msg(decode(texts[_i], &options, &fault) == RESHARD_OK, "%s: %s", fault.where,
                  fault.reason);
    again = encode(&options);
    ck_assert_str_eq(again, texts[_i]);
    free(again);
    reshard_layout_options_release(&options);
}
END_TEST

START_TEST(sizes_that_are_absent_are_one_and_there_is_no_world)
{
    struct reshard_layout_options options;
    struct layout_json_fault fault;

    ck_assert_int_eq(decode("{\"kind\": \"fsdp2\", \"mesh\": {\"tensor\": 2}}", &options, &fault),
                     RESHARD_OK);
    ck_assert_uint_eq(options.world, 0);
    ck_assert_uint_eq(options.pipeline, 1);
    ck_assert_uint_eq(options.replicate, 1);
    ck_assert_uint_eq(options.shard, 1);
    ck_assert_uint_eq(options.expert, 1);
    ck_assert_uint_eq(options.tensor, 2);
    ck_assert_uint_eq(options.owner, 0);
    reshard_layout_options_release(&options);
}
END_TEST

static void check_round_trip(const struct reshard_layout_options *drawn)
{
    struct reshard_layout_options options, copy;
    struct layout_json_fault fault;
    char *const text = encode(drawn);
    char *again;

    ck_assert_msg(decode(text, &options, &fault) == RESHARD_OK, "%s: %s in %s", fault.where,
                  fault.reason, text);
    options.world = drawn->world;
    ck_assert_int_eq(reshard_layout_options_copy(&copy, drawn), RESHARD_OK);
    ck_assert_uint_eq(reshard_layout_options_hash(&options), reshard_layout_options_hash(&copy));
    again = encode(&copy);
    ck_assert_str_eq(again, text);
    free(again);
    free(text);
    reshard_layout_options_release(&options);
    reshard_layout_options_release(&copy);
}

START_TEST(random_formulas_come_back_with_the_hash_by_which_ranks_agree)
{
    struct test_random random = test_random_start("formulas", 1);

    for (int round = 0; round < 3000; round++) {
        struct reshard_model *model = random_model(&random, 12, 40);
        struct random_layout drawn;
        random_layout_open(&drawn, &random, model, 12);
        if (oracle_accepts(model, &drawn.options))
            check_round_trip(&drawn.options);
        random_layout_close(&drawn);
        reshard_model_close(model);
    }
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------- */

#define LAYOUT(members) "{\"kind\": \"fsdp2\", \"mesh\": {\"shard\": 2}" members "}"
#define RULE(members) LAYOUT(", \"tensors\": [{\"pattern\": \"*\", " members "}]")

static const struct {
    const char *text, *where;
} faults[] = {
    {"[]", "layout"},
    {"{}", "layout.kind"},
    {"{\"kind\": 1}", "layout.kind"},
    {"{\"kind\": \"fsdp3\", \"mesh\": {}}", "layout.kind"},
    {"{\"kind\": \"FSDP1\", \"mesh\": {}}", "layout.kind"},
    {"{\"kind\": \"fsdp2\"}", "layout.mesh"},
    {"{\"kind\": \"fsdp2\", \"mesh\": []}", "layout.mesh"},
    {"{\"kind\": \"fsdp2\", \"mesh\": {\"shard\": 0}}", "layout.mesh.shard"},
    {"{\"kind\": \"fsdp2\", \"mesh\": {\"shard\": -1}}", "layout.mesh.shard"},
    {"{\"kind\": \"fsdp2\", \"mesh\": {\"shard\": 2.0}}", "layout.mesh.shard"},
    {"{\"kind\": \"fsdp2\", \"mesh\": {\"pipeline\": \"2\"}}", "layout.mesh.pipeline"},
    {"{\"kind\": \"fsdp2\", \"mesh\": {\"data\": 2}}", "layout.mesh.data"},
    {"{\"kind\": \"ddp\", \"mesh\": {\"shard\": 2}}", "layout.mesh.shard"},
    {LAYOUT(", \"world\": 2"), "layout.world"},
    {LAYOUT(", \"dim\": 0"), "layout.dim"},
    {LAYOUT(", \"dim\": 8"), "layout.dim"},
    {LAYOUT(", \"dim\": -1"), "layout.dim"},
    {LAYOUT(", \"dim\": 9223372036854775807"), "layout.dim"},
    {LAYOUT(", \"orig_params\": true"), "layout.orig_params"},
    {LAYOUT(", \"forward\": null"), "layout.forward"},
    {LAYOUT(", \"owner\": -1"), "layout.owner"},
    {LAYOUT(", \"owner\": \"0\""), "layout.owner"},
    {"{\"kind\": \"ddp\", \"mesh\": {}, \"dim\": 1}", "layout.dim"},
    {"{\"kind\": \"fsdp1\", \"mesh\": {}, \"forward\": null}", "layout.orig_params"},
    {"{\"kind\": \"fsdp1\", \"mesh\": {}, \"orig_params\": 1, \"forward\": null}",
     "layout.orig_params"},
    {"{\"kind\": \"fsdp1\", \"mesh\": {}, \"orig_params\": true}", "layout.forward"},
    {"{\"kind\": \"fsdp1\", \"mesh\": {}, \"orig_params\": true, \"forward\": \"f33\"}",
     "layout.forward"},
    {LAYOUT(", \"tensors\": []"), "layout.tensors"},
    {LAYOUT(", \"tensors\": {}"), "layout.tensors"},
    {LAYOUT(", \"tensors\": [1]"), "layout.tensors[0]"},
    {LAYOUT(", \"tensors\": [{\"shard\": 0}]"), "layout.tensors[0].pattern"},
    {LAYOUT(", \"tensors\": [{\"pattern\": 1, \"shard\": 0}]"), "layout.tensors[0].pattern"},
    {LAYOUT(", \"tensors\": [{\"pattern\": \"a\", \"shard\": 0}, {\"pattern\": \"b\", \"dim\": "
            "0}]"),
     "layout.tensors[1].dim"},
    {RULE("\"shard\": -1"), "layout.tensors[0].shard"},
    {RULE("\"shard\": \"none\""), "layout.tensors[0].shard"},
    {RULE("\"shard\": 1.5"), "layout.tensors[0].shard"},
    {RULE("\"shard\": null"), "layout.tensors[0].shard"},
    {RULE("\"expert\": {}"), "layout.tensors[0].expert.of"},
    {RULE("\"expert\": {\"at\": -1}"), "layout.tensors[0].expert.at"},
    {RULE("\"expert\": {\"of\": 0}"), "layout.tensors[0].expert.of"},
    {RULE("\"expert\": {\"at\": 0, \"of\": 2}"), "layout.tensors[0].expert.of"},
    {RULE("\"pipeline\": {\"on\": 0}"), "layout.tensors[0].pipeline.on"},
    {RULE("\"tensor\": [0]"), "layout.tensors[0].tensor"},
    {RULE("\"sections\": 2"), "layout.tensors[0].sections"},
    {RULE("\"sections\": []"), "layout.tensors[0].sections"},
    {RULE("\"sections\": [2]"), "layout.tensors[0].sections"},
    {RULE("\"sections\": [2, 0]"), "layout.tensors[0].sections"},
    {RULE("\"sections\": [2, \"2\"]"), "layout.tensors[0].sections"},
    {RULE("\"sections\": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"), "layout.tensors[0].sections"},
    {RULE("\"boxes\": []"), "layout.tensors[0].boxes"},
    {RULE("\"boxes\": {}"), "layout.tensors[0].boxes"},
    {RULE("\"boxes\": [1]"), "layout.tensors[0].boxes[0]"},
    {RULE("\"boxes\": [{\"begin\": [0], \"end\": [1]}]"), "layout.tensors[0].boxes[0].rank"},
    {RULE("\"boxes\": [{\"rank\": 0, \"end\": [1]}]"), "layout.tensors[0].boxes[0].begin"},
    {RULE("\"boxes\": [{\"rank\": 0, \"begin\": [0]}]"), "layout.tensors[0].boxes[0].end"},
    {RULE("\"boxes\": [{\"rank\": 0, \"begin\": [0], \"end\": [1, 2]}]"),
     "layout.tensors[0].boxes[0].end"},
    {RULE("\"boxes\": [{\"rank\": 0, \"begin\": [-1], \"end\": [1]}]"),
     "layout.tensors[0].boxes[0].begin"},
    {RULE("\"boxes\": [{\"rank\": 0, \"begin\": [0,0,0,0,0,0,0,0,0], \"end\": "
          "[1,1,1,1,1,1,1,1,1]}]"),
     "layout.tensors[0].boxes[0].begin"},
    {RULE("\"boxes\": [{\"rank\": 0, \"begin\": [0], \"end\": [1], \"of\": 1}]"),
     "layout.tensors[0].boxes[0].of"},
};

START_TEST(each_fault_is_refused_with_its_member)
{
    struct reshard_layout_options options = {.world = 5};
    const struct reshard_layout_options empty = {.world = 0};
    struct layout_json_fault fault;

    ck_assert_msg(decode(faults[_i].text, &options, &fault) == RESHARD_EFORMAT, "%s",
                  faults[_i].text);
    ck_assert_msg(strcmp(fault.where, faults[_i].where) == 0, "%s: at %s, not %s", faults[_i].text,
                  fault.where, faults[_i].where);
    ck_assert_uint_gt(strlen(fault.reason), 0);
    ck_assert_ptr_null(options.rule);
    ck_assert_mem_eq(&options, &empty, sizeof empty);
}
END_TEST

/* More rules than are believed, and the most boxes that a text of some size can have. */
START_TEST(more_rules_than_there_may_be_are_refused_before_they_are_read)
{
    json_t *layout = json_object(), *mesh = json_object(), *rules = json_array();
    struct reshard_layout_options options;
    struct layout_json_fault fault;

    ck_assert(layout && mesh && rules);
    json_object_set_new(layout, "kind", json_string("fsdp2"));
    json_object_set_new(layout, "mesh", mesh);
    json_object_set_new(layout, "tensors", rules);
    for (int i = 0; i <= RESHARD_RULES_MAX; i++)
        json_array_append_new(rules, json_null());
    ck_assert_int_eq(layout_json_decode(layout, &options, &fault), RESHARD_EFORMAT);
    ck_assert_str_eq(fault.where, "layout.tensors");
    json_decref(layout);
    ck_assert_int_eq(layout_json_decode(NULL, &options, &fault), RESHARD_EFORMAT);
    ck_assert_str_eq(fault.where, "layout");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout_json");
    TCase *cases = tcase_create("layout_json");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_formula_comes_back_as_it_was, 0,
                        (int)(sizeof texts / sizeof *texts));
    tcase_add_test(cases, sizes_that_are_absent_are_one_and_there_is_no_world);
    tcase_add_test(cases, random_formulas_come_back_with_the_hash_by_which_ranks_agree);
    tcase_add_loop_test(cases, each_fault_is_refused_with_its_member, 0,
                        (int)(sizeof faults / sizeof *faults));
    tcase_add_test(cases, more_rules_than_there_may_be_are_refused_before_they_are_read);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
