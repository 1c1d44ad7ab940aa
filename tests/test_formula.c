/*
 * Layouts, roles and the steps that move a state in memory, as scenarios write them: what each key
 * becomes, and what is said of each way to get it wrong, word for word, with line and column.
 */
#include "support/written.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Lines 1 to 10; layouts begin on line 12. */
#define HEAD                                                                                       \
    "scenario: 1\nname: case\nabout: Layouts.\nmodel:\n"                                           \
    "  tensors: {a.0.w: {shape: [8, 4], unit: a.0}, a.1.w: {shape: [8, 4], unit: a.1}, b: [8],\n"  \
    "            t: {shape: [], dtype: i64, role: buffer}}\n"                                      \
    "  ties: {c: b}\n"                                                                             \
    "optimizer: adamw\ncluster: {ranks_per_node: 16}\nsteps:\n"
#define START(ranks, layout) HEAD "  - start: {ranks: " #ranks ", layout:\n" layout "}\n"
#define WORLD HEAD "  - start: {ranks: 4, layout: fsdp2}\n"

/* ---- valid ---- */

static void assert_mesh(const struct reshard_layout_options *layout, uint64_t pipeline,
                        uint64_t replicate, uint64_t shard, uint64_t expert, uint64_t tensor)
{
    ck_assert_uint_eq(layout->pipeline, pipeline);
    ck_assert_uint_eq(layout->replicate, replicate);
    ck_assert_uint_eq(layout->shard, shard);
    ck_assert_uint_eq(layout->expert, expert);
    ck_assert_uint_eq(layout->tensor, tensor);
}

/* Layouts of twelve ranks, and the mesh that they have. */
static const struct {
    const char *text;
    uint64_t mesh[RESHARD_MESH_DIMS];
} meshes[] = {
    {"fsdp1", {1, 1, 12, 1, 1}},
    {"fsdp2", {1, 1, 12, 1, 1}},
    {"ddp", {1, 12, 1, 1, 1}},
    {"{kind: boxes, tensors: {b: {boxes: ['0:8', '', '', '', '', '', '', '', '', '', '', '']}}}",
     {1, 12, 1, 1, 1}},
    {"{kind: fsdp2, mesh: {shard: 3}}", {1, 4, 3, 1, 1}},
    {"{kind: fsdp1, mesh: {replicate: 3}}", {1, 3, 4, 1, 1}},
    {"{kind: fsdp2, mesh: {pipeline: 2, tensor: 2}}", {2, 1, 3, 1, 2}},
    {"{kind: fsdp2, mesh: {shard: 3, expert: 2}}", {1, 2, 3, 2, 1}},
    {"{kind: ddp, mesh: {tensor: 4}}", {1, 3, 1, 1, 4}},
    {"{kind: ddp, mesh: {shard: 1, expert: 3}}", {1, 4, 1, 3, 1}},
    {"{kind: fsdp2, mesh: {pipeline: 3, replicate: 2, shard: 2}}", {3, 2, 2, 1, 1}},
    {"{kind: fsdp2, idle: 2}", {1, 1, 10, 1, 1}},
    {"{kind: fsdp2, mesh: {replicate: 5}, idle: 2}", {1, 5, 2, 1, 1}},
    {"{kind: ddp, mesh: {replicate: 1}, idle: 11}", {1, 1, 1, 1, 1}},
};

START_TEST(a_mesh_is_completed_and_idle_ranks_stay_outside)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), HEAD "  - start: {ranks: 12, layout: %s}\n",
                   meshes[_i].text);
    struct scenario *s = written_valid(text);
    const uint64_t *mesh = meshes[_i].mesh;
    assert_mesh(&s->steps[0].start.layout, mesh[0], mesh[1], mesh[2], mesh[3], mesh[4]);
    ck_assert_uint_eq(s->steps[0].start.layout.world, 12);
    ck_assert_uint_eq(s->steps[0].start.ranks, 12);
    scenario_close(s);
}
END_TEST

static const struct reshard_rule *rule_of(const struct scenario *s, uint32_t index)
{
    ck_assert_uint_lt(index, s->steps[0].start.layout.rule_count);
    return &s->steps[0].start.layout.rule[index];
}

static void assert_setting(struct reshard_setting setting, enum reshard_how how, uint64_t number)
{
    ck_assert_int_eq(setting.how, how);
    ck_assert_uint_eq(setting.number, number);
}

START_TEST(rules_are_what_their_settings_say_in_the_order_of_the_file)
{
    struct scenario *s = written_valid(START(
        16, "      {kind: fsdp2, mesh: {pipeline: 2, expert: 2, tensor: 2}, dim: 1, owner: 0,\n"
            "       tensors: {\n"
            "        'a.{i}.w': {pipeline: of 2, expert: whole, tensor: 0, sections: [2, 4, 2]},\n"
            "        b: {pipeline: at 1, expert: at 1, shard: whole}, a.*: {shard: '0'}}}"));
    const struct reshard_layout_options *layout = &s->steps[0].start.layout;
    ck_assert_uint_eq(layout->dim, 1);
    ck_assert_uint_eq(layout->owner, 1);
    ck_assert_uint_eq(layout->rule_count, 3);
    ck_assert_str_eq(rule_of(s, 0)->pattern, "a.{i}.w");
    assert_setting(rule_of(s, 0)->pipeline, RESHARD_HOW_OF, 2);
    assert_setting(rule_of(s, 0)->expert, RESHARD_HOW_WHOLE, 0);
    assert_setting(rule_of(s, 0)->tensor, RESHARD_HOW_CUT, 0);
    assert_setting(rule_of(s, 0)->shard, RESHARD_HOW_DEFAULT, 0);
    ck_assert_uint_eq(rule_of(s, 0)->section_count, 3);
    ck_assert_uint_eq(rule_of(s, 0)->section[1], 4);
    assert_setting(rule_of(s, 1)->pipeline, RESHARD_HOW_AT, 1);
    assert_setting(rule_of(s, 1)->expert, RESHARD_HOW_AT, 1);
    assert_setting(rule_of(s, 1)->shard, RESHARD_HOW_WHOLE, 0);
    ck_assert_str_eq(rule_of(s, 2)->pattern, "a.*");
    assert_setting(rule_of(s, 2)->shard, RESHARD_HOW_CUT, 0);
    scenario_close(s);
}
END_TEST

START_TEST(boxes_are_read_rank_by_rank)
{
    struct scenario *s = written_valid(
        START(3, "      {kind: boxes, tensors: {a.0.w: {boxes: ['0:4, 0:4; 4 : 8,2:4', '',\n"
                 "       '4:8, 0:2']}}}"));
    const struct reshard_rule *rule = rule_of(s, 0);
    ck_assert_uint_eq(rule->box_count, 3);
    ck_assert_uint_eq(rule->box[0].rank, 0);
    ck_assert_uint_eq(rule->box[1].rank, 0);
    ck_assert_uint_eq(rule->box[1].box.ndim, 2);
    ck_assert_uint_eq(rule->box[1].box.begin[0], 4);
    ck_assert_uint_eq(rule->box[1].box.end[0], 8);
    ck_assert_uint_eq(rule->box[1].box.begin[1], 2);
    ck_assert_uint_eq(rule->box[1].box.end[1], 4);
    ck_assert_uint_eq(rule->box[2].rank, 2);
    scenario_close(s);
}
END_TEST

START_TEST(a_reshard_is_for_the_first_ranks_of_its_world)
{
    struct scenario *s =
        written_valid(WORLD "  - reshard: {ranks: 3, layout: {kind: ddp, mesh: {tensor: 2},\n"
                            "              idle: 1, tensors: {b: {tensor: 0}}}}\n"
                            "  - reshard: {layout: fsdp1}\n"
                            "  - reshard: {layout: {kind: fsdp2, tensors: {b: {tensor: 3}}}}\n"
                            "    expect: {outcome: refused, message: b, seconds: {at_most: 1}}\n");
    ck_assert_int_eq(s->steps[1].verb, SCENARIO_RESHARD);
    ck_assert_uint_eq(s->steps[1].reshard.ranks, 3);
    assert_mesh(&s->steps[1].reshard.layout, 1, 1, 1, 1, 2);
    ck_assert_uint_eq(s->steps[1].reshard.layout.world, 4);
    ck_assert_uint_eq(s->steps[1].reshard.layout.rule_count, 1);
    ck_assert_uint_eq(s->steps[2].reshard.ranks, 4);
    assert_mesh(&s->steps[2].reshard.layout, 1, 1, 4, 1, 1);
    ck_assert_int_eq(s->steps[3].expect.outcome, SCENARIO_REFUSED);
    scenario_close(s);
}
END_TEST

START_TEST(a_transform_has_a_form_for_each_part_that_is_given)
{
    struct scenario *s =
        written_valid(WORLD "  - transform: {model: full, optimizer: sharded, rank0_only: true}\n"
                            "  - transform: {optimizer: local}\n");
    const struct scenario_transform *both = &s->steps[1].transform;
    const struct scenario_transform *one = &s->steps[2].transform;
    ck_assert_int_eq(s->steps[1].verb, SCENARIO_TRANSFORM);
    ck_assert(both->model.given && both->optimizer.given && both->rank0_only);
    ck_assert_int_eq(both->model.form, RESHARD_FORM_FULL);
    ck_assert_int_eq(both->optimizer.form, RESHARD_FORM_SHARDED);
    ck_assert(!one->model.given && one->optimizer.given && !one->rank0_only);
    ck_assert_int_eq(one->optimizer.form, RESHARD_FORM_LOCAL);
    scenario_close(s);
}
END_TEST

START_TEST(a_load_says_who_reads_and_once_where_it_does_not)
{
    struct scenario *s = written_valid(
        WORLD "  - save: x\n  - load: x\n  - load: {name: x}\n  - load: {name: x, reading: each}\n"
              "  - load: {name: latest, reading: cheapest}\n    expect: {loaded: x}\n");
    ck_assert_int_eq(s->steps[2].reading, SCENARIO_READ_ONCE);
    ck_assert_int_eq(s->steps[3].reading, SCENARIO_READ_ONCE);
    ck_assert_int_eq(s->steps[4].reading, SCENARIO_READ_EACH);
    ck_assert_int_eq(s->steps[5].reading, SCENARIO_READ_CHEAPEST);
    ck_assert_str_eq(s->steps[5].checkpoint, "latest");
    scenario_close(s);
}
END_TEST

/* ---- wrong ---- */

static const struct {
    const char *text;
    const char *heads;
} wrong[] = {
    /* Meshes. */
    {START(6, "      {kind: fsdp2, mesh: {replicate: 2, shard: 2}}"),
     "12:21: error: the mesh has 2 x 2 = 4 places, but the world has 6 ranks\n"},
    {START(6, "      {kind: fsdp2, mesh: {replicate: 2, shard: 2}, idle: 1}"),
     "12:21: error: the mesh has 2 x 2 = 4 places and idle: 1, but the world has 6 ranks\n"},
    {START(6, "      {kind: fsdp2, mesh: {replicate: 4}}"),
     "12:39: error: 4 does not divide the 6 ranks\n"},
    {START(6, "      {kind: fsdp2, mesh: {pipeline: 2, tensor: 2}, idle: 1}"),
     "12:38: error: 2 x 2 = 4 does not divide the 5 ranks that are not idle\n"},
    {START(6, "      {kind: fsdp2, mesh: {pipline: 2}}"),
     "12:28: error: unknown key 'pipline' in 'mesh'; did you mean 'pipeline'?\n"},
    {START(6, "      {kind: fsdp2, mesh: {expert: 0}}"),
     "12:36: error: 'expert' must be a whole number from 1 to 10000000, not '0'\n"},
    {START(6, "      {kind: ddp, mesh: {shard: 2}}"),
     "12:33: error: a ddp layout shards nothing; leave 'shard' out\n"},
    {START(6, "      {kind: boxes, mesh: {shard: 2}}"),
     "12:35: error: a boxes layout shards nothing; leave 'shard' out\n"},
    {START(6, "      {kind: ddp, mesh: {replicate: 2}}"),
     "12:19: error: the mesh has 2 places, but the world has 6 ranks\n"},
    {START(6, "      {kind: boxes, mesh: {tensor: 2}}"),
     "11:23: error: the mesh of a boxes layout is its ranks, as replicate, alone\n"},
    {START(6, "      {kind: fsdp2, idle: 6}"),
     "12:27: error: idle: 6 leaves none of the 6 ranks to hold anything\n"},
    /* The keys beside it. */
    {START(6, "      {kind: fsdp2, orig_params: true}"),
     "12:34: error: 'orig_params' is fsdp1's; only there are parameters flat\n"},
    {START(6, "      {kind: fsdp1, forward: bf16}"),
     "12:30: error: 'forward' sets the alignment that orig_params: true brings; add it, or leave "
     "'forward' out\n"},
    {START(6, "      {kind: fsdp1, orig_params: yes}"),
     "12:34: error: 'orig_params' must be true or false, not 'yes'\n"},
    {START(6, "      {kind: fsdp1, dim: 1}"),
     "12:26: error: 'dim' is fsdp2's; tensors of other layouts are cut by rules\n"},
    {START(6, "      {kind: fsdp2, dim: 8}"),
     "12:26: error: 'dim' must be a whole number from 0 to 7, not '8'\n"},
    {START(6, "      {kind: fsdp2, mesh: {replicate: 2}, owner: 2}"),
     "11:23: error: the owner is replica 2, but the last one is 1\n"},
    {START(6, "      {kind: fsdp2, owner: yes}"),
     "12:28: error: 'owner' must be a whole number from 0 to 10000000, not 'yes'\n"},
    /* Patterns. */
    {START(4, "      {kind: fsdp2, tensors: {a.0.v: {shard: 1}}}"),
     "12:31: error: the model has no tensor 'a.0.v'; did you mean 'a.0.w'?\n"},
    {START(4, "      {kind: fsdp2, tensors: {'x.*': {shard: 1}}}"),
     "12:31: error: the model has no tensor 'x.*'\n"},
    {START(4, "      {kind: fsdp2, tensors: {c: {shard: 0}}}"),
     "12:31: error: 'c' is a second name of 'b', by which rules go\n"},
    {START(4, "      {kind: fsdp2, tensors: {'a.{i}.{i}': {shard: 1}}}"),
     "12:31: error: a pattern is not empty, and has at most one {i} and 8 stars\n"},
    {START(4, "      {kind: fsdp2, tensors: {b: {}}}"),
     "12:31: error: 'b' says nothing: give pipeline, shard, expert, tensor, sections or boxes\n"},
    {START(4, "      {kind: fsdp2, tensors: {b: 1}}"),
     "12:34: error: 'b' must be a mapping with the keys: pipeline, shard, expert, tensor, "
     "sections, boxes\n"},
    {START(4, "      {kind: fsdp2, tensors: {b: {replicate: 0}}}"),
     "12:35: error: unknown key 'replicate' in 'b'; known: pipeline, shard, expert, tensor, "
     "sections, boxes\n"},
    /* Settings. */
    {START(4, "      {kind: fsdp2, tensors: {b: {pipeline: 0}}}"),
     "12:45: error: 'pipeline' must be whole, at K (coordinate K), or of N (it is entry {i} of N), "
     "not '0'\n"},
    {START(4, "      {kind: fsdp2, tensors: {b: {shard: at 1}}}"),
     "12:42: error: 'shard' must be a dimension to cut, such as 0, or whole, not 'at 1'\n"},
    {START(4, "      {kind: fsdp2, tensors: {b: {tensor: 8}}}"),
     "12:43: error: 'tensor' must be a dimension to cut, such as 0, or whole, not '8'\n"},
    {START(4, "      {kind: fsdp2, tensors: {b: {expert: of 0}}}"),
     "12:43: error: 'expert' must be a dimension to cut, such as 0, or whole, at K (coordinate K), "
     "or of N (it is entry {i} of N), not 'of 0'\n"},
    {START(4, "      {kind: fsdp2, tensors: {b: {expert: at}}}"),
     "12:43: error: 'expert' must be a dimension to cut, such as 0, or whole, at K (coordinate K), "
     "or of N (it is entry {i} of N), not 'at'\n"},
    {START(4, "      {kind: fsdp2, tensors: {b: {tensor: hole}}}"),
     "12:43: error: 'tensor' must be a dimension to cut, such as 0, or whole, not 'hole'\n"},
    /* Sections. */
    {START(4, "      {kind: fsdp2, tensors: {b: {sections: [8]}}}"),
     "12:45: error: 'sections' must have at least 2 values, not 1\n"},
    {START(4, "      {kind: fsdp2, tensors: {b: {sections: [8, 0]}}}"),
     "12:49: error: each of 'sections' must be a whole number from 1, not '0'\n"},
    {START(4,
           "      {kind: fsdp2, mesh: {tensor: 2}, tensors: {b: {tensor: 0, sections: [4, 2]}}}"),
     NULL},
    /* Boxes. */
    {START(2, "      {kind: boxes, tensors: {b: {boxes: ['0:8']}}}"),
     "12:35: error: 'boxes' has 1 texts, but the layout has 2 ranks: there is one for each, \"\" "
     "for a rank without boxes\n"},
    {START(2, "      {kind: boxes, tensors: {b: {boxes: ['0:4', '4-8']}}}"),
     "12:50: error: '4-8' are no boxes: write BEGIN:END for each dimension, ',' between dimensions "
     "and ';' between boxes, as in '0:4, 0:8; 6:8, 0:8'\n"},
    {START(2, "      {kind: boxes, tensors: {b: {boxes: ['0:4;', '4:8']}}}"),
     "12:43: error: '0:4;' are no boxes: write BEGIN:END for each dimension, ',' between "
     "dimensions and ';' between boxes, as in '0:4, 0:8; 6:8, 0:8'\n"},
    {START(2, "      {kind: boxes, tensors: {b: {boxes: ['4:4', '0:8']}}}"),
     "12:43: error: '4:4' are no boxes: write BEGIN:END for each dimension, ',' between dimensions "
     "and ';' between boxes, as in '0:4, 0:8; 6:8, 0:8'\n"},
    {START(2, "      {kind: boxes, tensors: {b: {boxes: ['', '']}}}"),
     "12:35: error: none of the ranks has a box\n"},
    {START(2, "      {kind: boxes, tensors: {b: {boxes: '0:8'}}}"),
     "12:42: error: 'boxes' must be a list: for each rank its boxes, such as '0:4, 0:8; 6:8, "
     "0:8', or nothing\n"},
    {START(2, "      {kind: boxes, tensors: {b: {boxes: ['0:4', '5:8']}}}"), NULL},
    /* reshard. */
    {WORLD "  - reshard: fsdp2\n",
     "12:14: error: 'reshard' must be a mapping with the keys: ranks, layout\n"},
    {WORLD "  - reshard: {ranks: 2}\n",
     "12:5: error: 'reshard' lacks 'layout': how the state lies on the ranks from here on\n"},
    {WORLD "  - reshard: {ranks: 5, layout: fsdp2}\n",
     "12:22: error: the world has 4 ranks here; only a start makes it larger\n"},
    {WORLD "  - reshard: {ranks: 3, layout: {kind: fsdp2, mesh: {shard: 2, replicate: 2}}}\n",
     "12:47: error: the mesh has 2 x 2 = 4 places, but the layout is for 3 ranks\n"},
    {WORLD "  - reshard: {layout: {kind: fsdp2, tensors: {b: {tensor: 1}}}}\n", NULL},
    {WORLD "  - reshard: {layout: ddp}\n    expect: {outcome: damaged}\n",
     "13:23: error: a reshard cannot end as 'damaged'\n"},
    {WORLD "  - reshard: {layout: ddp}\n    expect: {read_amplification: 1}\n",
     "13:14: error: 'read_amplification' is an expectation of load, not of reshard\n"},
    {HEAD "  - reshard: {layout: ddp}\n",
     "11:5: error: there is no world to reshard in yet; the first step must be a start\n"},
    /* transform. */
    {WORLD "  - transform: {rank0_only: true}\n",
     "12:5: error: a transform needs 'model' or 'optimizer', or both: full, sharded or local\n"},
    {WORLD "  - transform: {model: sharded, rank0_only: true}\n",
     "12:45: error: only the full form can be rank 0's alone\n"},
    {WORLD "  - transform: {model: whole}\n",
     "12:24: error: 'model' must be one of full, sharded, local, not 'whole'\n"},
    {WORLD "  - transform: {modle: full}\n",
     "12:17: error: unknown key 'modle' in 'transform'; did you mean 'model'?\n"},
    {WORLD "  - transform: full\n", "12:16: error: 'transform' must be a mapping with the keys: "
                                    "model, optimizer, rank0_only\n"},
    {START(2,
           "      {kind: boxes, tensors: {b: {boxes: ['0:4', '4:8']}}}") "  - transform: "
                                                                         "{optimizer: sharded}\n",
     "13:28: error: a state whose boxes are given one by one has no sharded form\n"},
    {"scenario: 1\nname: case\nabout: None.\nmodel: linear-4x4\nsteps:\n"
     "  - start: {ranks: 2, layout: ddp}\n  - transform: {optimizer: full}\n",
     "7:28: error: without an optimizer there are no states to carry; add optimizer: adamw\n"},
    {WORLD "  - transform: {model: full}\n    expect: {outcome: damaged}\n",
     "13:23: error: a transform cannot end as 'damaged'\n"},
    /* load. */
    {WORLD "  - save: x\n  - load: {name: x, reading: twice}\n",
     "13:30: error: 'reading' must be one of once, each, cheapest, not 'twice'\n"},
    {WORLD "  - save: x\n  - load: {reading: each}\n",
     "13:5: error: 'load' lacks 'name': the checkpoint; latest: the one with the highest training "
     "step\n"},
    {WORLD "  - load: {name: y, reading: each}\n",
     "12:18: error: no step before saves 'y'; if the load must fail, say expect: {outcome: "
     "refused}\n"},
};

/* What the engine says is the engine's to word: then only place and severity are held. */
START_TEST(each_wrong_use_is_refused_with_exactly_this_message)
{
    if (wrong[_i].heads) {
        written_refused(wrong[_i].text, wrong[_i].heads);
        return;
    }
    struct scenario *scenario = NULL;
    char *messages = NULL;
    ck_assert_int_eq(written_open(wrong[_i].text, &scenario, &messages), RESHARD_EINVAL);
    char *heads = written_heads(messages);
    ck_assert_msg(strstr(heads, "'b'") != NULL, "%s", heads);
    free(heads);
    free(messages);
}
END_TEST

/* ---- roles ---- */

#define ROLES "scenario: 1\nname: case\nabout: Roles.\noptimizer: adamw\nmodel:\n  tensors:\n"
#define STEPS "steps:\n  - start: {ranks: 4, layout: fsdp2}\n"

static const struct reshard_tensor *tensor_of(const struct scenario *scenario, const char *fqn)
{
    uint32_t index = 0;
    ck_assert_int_eq(reshard_model_find(scenario->model, fqn, "", &index), RESHARD_OK);
    return reshard_model_tensor(scenario->model, index);
}

START_TEST(tensors_have_their_roles_and_trained_ones_alone_have_slots)
{
    uint32_t slot = 0;
    struct scenario *s = written_valid(
        ROLES "    w: [4]\n    f: {shape: [4], role: frozen}\n    u: {shape: [4], role: buffer}\n"
              "    x: {shape: [4], role: transient}\n    o: {shape: [9], role: opaque}\n"
              "    r: {shape: [2], role: per_rank, other_world: keep}\n"
              "    q: {shape: [], role: per_rank}\n" STEPS);
    ck_assert_int_eq(tensor_of(s, "w")->role, RESHARD_ROLE_PARAMETER);
    ck_assert_int_eq(tensor_of(s, "f")->role, RESHARD_ROLE_FROZEN);
    ck_assert_int_eq(tensor_of(s, "u")->role, RESHARD_ROLE_BUFFER);
    ck_assert_int_eq(tensor_of(s, "x")->role, RESHARD_ROLE_TRANSIENT);
    ck_assert_int_eq(tensor_of(s, "o")->role, RESHARD_ROLE_OPAQUE);
    ck_assert_int_eq(tensor_of(s, "o")->dtype, RESHARD_DTYPE_U8);
    ck_assert_int_eq(tensor_of(s, "r")->other_world, RESHARD_OTHER_WORLD_KEEP);
    ck_assert_int_eq(tensor_of(s, "q")->other_world, RESHARD_OTHER_WORLD_REFUSE);
    ck_assert_uint_eq(tensor_of(s, "r")->shape.ndim, 2);
    ck_assert_uint_eq(tensor_of(s, "r")->shape.size[0], 1);
    ck_assert_uint_eq(tensor_of(s, "r")->shape.size[1], 2);
    ck_assert_int_eq(reshard_model_find(s->model, "w", "exp_avg", &slot), RESHARD_OK);
    ck_assert_uint_eq(reshard_model_tensor_count(s->model), 7 + 3);
    scenario_close(s);
}
END_TEST

static const struct {
    const char *text;
    const char *heads;
} wrong_roles[] = {
    {ROLES "    w: {shape: [4], role: constant}\n" STEPS,
     "7:27: error: 'role' must be one of parameter, frozen, buffer, transient, opaque, per_rank, "
     "not 'constant'\n"},
    {ROLES "    w: {shape: [4], role: per_rank, other_world: wrap}\n" STEPS,
     "7:50: error: 'other_world' must be one of refuse, keep, not 'wrap'\n"},
    {ROLES "    w: {shape: [4], role: buffer, other_world: keep}\n" STEPS,
     "7:35: error: 'other_world' goes with role: per_rank; any world size loads a buffer\n"},
    {ROLES "    w: {shape: [4], role: opaque, dtype: f32}\n" STEPS,
     "7:5: error: 'w' is opaque, so it must be u8 in one dimension\n"},
    {ROLES "    w: {shape: [2, 2], role: opaque}\n" STEPS,
     "7:5: error: 'w' is opaque, so it must be u8 in one dimension\n"},
    {ROLES "    w: {shape: [1, 1, 1, 1, 1, 1, 1, 1], role: per_rank}\n" STEPS,
     "7:9: error: a per_rank tensor has at most 7 dimensions: the ranks are one more\n"},
    {ROLES "    w: {shape: [1], role: per_rank}\n" STEPS
           "  - save: a\n  - start: {ranks: 3, layout: fsdp2}\n  - load: a\n",
     "12:11: error: 'a' was saved by 4 ranks, each with a 'w' of its own, and there are 3 now; say "
     "other_world: keep there, or expect: {outcome: refused}\n"},
};

START_TEST(each_wrong_role_is_refused_with_exactly_this_message)
{
    written_refused(wrong_roles[_i].text, wrong_roles[_i].heads);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("formula");
    TCase *valid = tcase_create("valid");
    TCase *invalid = tcase_create("wrong");
    tcase_add_unchecked_fixture(valid, written_begin, written_end);
    tcase_add_unchecked_fixture(invalid, written_begin, written_end);
    tcase_add_loop_test(valid, a_mesh_is_completed_and_idle_ranks_stay_outside, 0,
                        (int)(sizeof(meshes) / sizeof(*meshes)));
    tcase_add_test(valid, rules_are_what_their_settings_say_in_the_order_of_the_file);
    tcase_add_test(valid, boxes_are_read_rank_by_rank);
    tcase_add_test(valid, a_reshard_is_for_the_first_ranks_of_its_world);
    tcase_add_test(valid, a_transform_has_a_form_for_each_part_that_is_given);
    tcase_add_test(valid, a_load_says_who_reads_and_once_where_it_does_not);
    tcase_add_test(valid, tensors_have_their_roles_and_trained_ones_alone_have_slots);
    tcase_add_loop_test(invalid, each_wrong_use_is_refused_with_exactly_this_message, 0,
                        (int)(sizeof(wrong) / sizeof(*wrong)));
    tcase_add_loop_test(invalid, each_wrong_role_is_refused_with_exactly_this_message, 0,
                        (int)(sizeof(wrong_roles) / sizeof(*wrong_roles)));
    suite_add_tcase(suite, valid);
    suite_add_tcase(suite, invalid);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
