/*
 * The scenario language: what a valid file becomes, and what is said of a wrong one. Goal: every
 * rule of the language has a file that breaks it alone, and the whole text of the message, with
 * line and column, is what a person would want to read. Method: files are written into a fresh
 * folder; messages are taken from a memory stream.
 */
#include "sim/quantity.h"
#include "sim/scenario.h"
#include "sim/suggest.h"
#include "support/written.h"

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* Valid files. */

static const char complete[] =
    "scenario: 1\n"
    "name: complete\n"
    "about: Every key once.\n"
    "seed: 18446744073709551615\n"
    "model:\n"
    "  dtype: bf16\n"
    "  tensors:\n"
    "    a.weight: {shape: [6, 2], unit: a}\n"
    "    b: {shape: [], dtype: i64}\n"
    "    c: [5]\n"
    "  ties: {d: c}\n"
    "precision: {parameters: f16, optimizer: bf16}\n"
    "optimizer: {name: adamw, lr: 3.0e-4, betas: [0.8, 0.95], eps: 1e-6, "
    "weight_decay: 0.1}\n"
    "payload: bytes\n"
    "cluster:\n"
    "  nodes: 4\n"
    "  ranks_per_node: 2\n"
    "  network: {bandwidth: 400 Gbit/s, latency: 2 us, topology: star}\n"
    "  disk: {read: 6 GB/s, write: 3.5GB/s}\n"
    "  storage: {servers: 2, read: 10 GiB/s, write: 800 MB/s}\n"
    "  device: {to_host: 25 GB/s}\n"
    "steps:\n"
    "  - start:\n"
    "      ranks: 8\n"
    "      layout: {kind: fsdp1, mesh: {replicate: 2, shard: 4},\n"
    "               orig_params: true, forward: bf16}\n"
    "  - train: 3\n"
    "  - save: {name: step3}\n"
    "    expect: {seconds: {at_most: 2.5, at_least: 0.5}}\n"
    "  - start: {ranks: 6, layout: {kind: fsdp2, mesh: {replicate: 3}}}\n"
    "  - load: latest\n"
    "    expect: {loaded: step3, read_amplification: 1.5}\n"
    "  - verify: {step: 3}\n"
    "  - save: step3\n"
    "    expect: {outcome: refused, message: exists}\n"
    "  - start: {ranks: 2, layout: ddp}\n"
    "  - load: step3\n"
    "    expect: {outcome: damaged}\n"
    "expect: {checkpoints: [step3]}\n";

START_TEST(a_valid_file_becomes_exactly_what_it_says)
{
    struct scenario *s = written_valid(complete);
    ck_assert_str_eq(s->file, written_path());
    ck_assert_str_eq(s->name, "complete");
    ck_assert_str_eq(s->about, "Every key once.");
    ck_assert(s->seed == UINT64_MAX);
    ck_assert_ptr_null(s->safetensors);
    ck_assert_int_eq(s->optimizer.name, RESHARD_OPTIMIZER_ADAMW);
    ck_assert_int_eq(s->optimizer.dtype, RESHARD_DTYPE_BF16);
    ck_assert(s->optimizer.hyper.lr == 3.0e-4);
    ck_assert(s->optimizer.hyper.beta1 == 0.8 && s->optimizer.hyper.beta2 == 0.95);
    ck_assert(s->optimizer.hyper.eps == 1e-6);
    ck_assert(s->optimizer.hyper.weight_decay == 0.1);
    ck_assert_uint_eq(s->cluster.nodes, 4);
    ck_assert_uint_eq(s->cluster.ranks_per_node, 2);
    ck_assert(s->cluster.network_bandwidth == 50e9);
    ck_assert(s->cluster.network_latency == 2e-6);
    ck_assert(s->cluster.disk_read == 6e9 && s->cluster.disk_write == 3.5e9);
    ck_assert_uint_eq(s->cluster.storage_servers, 2);
    ck_assert(s->cluster.storage_read == 10737418240.0 && s->cluster.storage_write == 800e6);
    ck_assert(s->cluster.device_to_host == 25e9);
    ck_assert_uint_eq(s->checkpoint_count, 1);
    ck_assert_str_eq(s->checkpoints[0], "step3");
    ck_assert(s->checkpoints_expected);
    scenario_close(s);
}
END_TEST

START_TEST(each_step_has_its_verb_line_and_values)
{
    static const enum scenario_verb verbs[] = {
        SCENARIO_START,  SCENARIO_TRAIN, SCENARIO_SAVE,  SCENARIO_START, SCENARIO_LOAD,
        SCENARIO_VERIFY, SCENARIO_SAVE,  SCENARIO_START, SCENARIO_LOAD,
    };
    static const int lines[] = {23, 27, 28, 30, 31, 33, 34, 36, 37};
    struct scenario *s = written_valid(complete);
    ck_assert_uint_eq(s->step_count, sizeof(lines) / sizeof(lines[0]));
    for (uint64_t i = 0; i < s->step_count; i++) {
        ck_assert_int_eq(s->steps[i].verb, verbs[i]);
        ck_assert_int_eq(s->steps[i].line, lines[i]);
    }
    const struct scenario_start *start = &s->steps[0].start;
    ck_assert_uint_eq(start->ranks, 8);
    ck_assert_int_eq(start->layout.kind, RESHARD_LAYOUT_FSDP1);
    ck_assert_uint_eq(start->layout.replicate, 2);
    ck_assert_uint_eq(start->layout.shard, 4);
    ck_assert(start->layout.orig_params);
    ck_assert_int_eq(start->layout.forward, RESHARD_DTYPE_BF16);
    ck_assert_uint_eq(s->steps[1].train, 3);
    ck_assert_str_eq(s->steps[2].checkpoint, "step3");
    ck_assert_str_eq(s->steps[4].checkpoint, "latest");
    ck_assert_uint_eq(s->steps[5].verify, 3);
    scenario_close(s);
}
END_TEST

START_TEST(a_mesh_is_completed_to_the_ranks)
{
    struct scenario *s = written_valid(complete);
    ck_assert_uint_eq(s->steps[3].start.layout.replicate, 3);
    ck_assert_uint_eq(s->steps[3].start.layout.shard, 2);
    ck_assert_int_eq(s->steps[7].start.layout.kind, RESHARD_LAYOUT_DDP);
    ck_assert_uint_eq(s->steps[7].start.layout.replicate, 2);
    ck_assert_uint_eq(s->steps[7].start.layout.shard, 1);
    scenario_close(s);
}
END_TEST

START_TEST(expectations_are_read_and_absent_ones_say_so)
{
    struct scenario *s = written_valid(complete);
    const struct scenario_expect *train = &s->steps[1].expect;
    ck_assert_int_eq(train->outcome, SCENARIO_OK);
    ck_assert_ptr_null(train->message);
    ck_assert_ptr_null(train->loaded);
    ck_assert(train->read_amplification < 0);
    ck_assert(train->seconds_at_most < 0 && train->seconds_at_least < 0);
    ck_assert(s->steps[2].expect.seconds_at_most == 2.5);
    ck_assert(s->steps[2].expect.seconds_at_least == 0.5);
    ck_assert_str_eq(s->steps[4].expect.loaded, "step3");
    ck_assert(s->steps[4].expect.read_amplification == 1.5);
    ck_assert_int_eq(s->steps[6].expect.outcome, SCENARIO_REFUSED);
    ck_assert_str_eq(s->steps[6].expect.message, "exists");
    ck_assert_int_eq(s->steps[8].expect.outcome, SCENARIO_DAMAGED);
    scenario_close(s);
}
END_TEST

static const struct reshard_tensor *tensor_of(const struct scenario *scenario, const char *fqn,
                                              const char *slot)
{
    uint32_t index = 0;
    ck_assert_int_eq(reshard_model_find(scenario->model, fqn, slot, &index), RESHARD_OK);
    return reshard_model_tensor(scenario->model, index);
}

START_TEST(the_model_has_its_final_dtypes_units_ties_and_slots)
{
    struct scenario *s = written_valid(complete);
    ck_assert_int_eq(tensor_of(s, "a.weight", "")->dtype, RESHARD_DTYPE_F16);
    ck_assert_str_eq(reshard_model_unit(s->model, tensor_of(s, "a.weight", "")->unit), "a");
    ck_assert_int_eq(tensor_of(s, "b", "")->dtype, RESHARD_DTYPE_I64);
    ck_assert_uint_eq(tensor_of(s, "b", "")->shape.ndim, 0);
    ck_assert_str_eq(tensor_of(s, "d", "")->fqn, "c");
    ck_assert_int_eq(tensor_of(s, "a.weight", "exp_avg")->dtype, RESHARD_DTYPE_BF16);
    ck_assert_int_eq(tensor_of(s, "a.weight", "step")->dtype, RESHARD_DTYPE_F32);
    ck_assert_uint_eq(reshard_model_tensor_count(s->model), 3 + 2 * 3);
    scenario_close(s);
}
END_TEST

START_TEST(absent_keys_have_the_documented_defaults)
{
    struct scenario *s = written_valid("scenario: 1\nname: small\nabout: Defaults.\n"
                                       "model: linear-4x4\n"
                                       "steps: [{start: {ranks: 8, layout: fsdp2}}]\n");
    ck_assert_uint_eq(s->seed, 0);
    ck_assert_int_eq(s->optimizer.name, RESHARD_OPTIMIZER_NONE);
    ck_assert_uint_eq(s->cluster.nodes, 1);
    ck_assert_uint_eq(s->cluster.ranks_per_node, 8);
    ck_assert(s->cluster.network_bandwidth == 25e9 && s->cluster.network_latency == 2e-6);
    ck_assert(s->cluster.disk_read == 6e9 && s->cluster.disk_write == 3e9);
    ck_assert_uint_eq(s->cluster.storage_servers, 0);
    ck_assert(s->cluster.device_to_host == 0);
    ck_assert(!s->checkpoints_expected);
    ck_assert_uint_eq(s->steps[0].start.layout.shard, 8);
    ck_assert_int_eq(tensor_of(s, "weight", "")->dtype, RESHARD_DTYPE_F32);
    scenario_close(s);
}
END_TEST

START_TEST(a_given_seed_overrides_the_files)
{
    const uint64_t seed = 99;
    struct scenario *scenario = NULL;
    written_write(complete);
    ck_assert_int_eq(scenario_open(&scenario, written_path(), NULL, &seed, NULL), RESHARD_OK);
    ck_assert_uint_eq(scenario->seed, 99);
    scenario_close(scenario);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_not_found)
{
    struct scenario *scenario = NULL;
    ck_assert_int_eq(scenario_open(&scenario, "/nonexistent/x.yaml", NULL, NULL, NULL),
                     RESHARD_ENOENT);
    ck_assert_ptr_null(scenario);
}
END_TEST

/* Wrong files. */

/* Lines 1 to 3 of the cases, and a model with an optimizer on lines 4 and 5. */
#define HEAD "scenario: 1\nname: case\nabout: Wrong.\n"
#define MODEL HEAD "model: linear-4x4\noptimizer: adamw\n"
/* Lines 6 and 7: a world of two ranks. */
#define WORLD MODEL "steps:\n  - start: {ranks: 2, layout: fsdp2}\n"

static const struct {
    const char *text;
    const char *heads;
} wrong[] = {
    {"", "1:1: error: the file is empty\n"},
    {"- a\n", "1:1: error: a scenario must be a mapping with the keys: scenario, name, about, "
              "seed, model, precision, optimizer, payload, cluster, steps, expect\n"},
    {"name: case\nscenario: 1\nabout: Wrong.\nmodel: linear-4x4\nsteps: [{start: {ranks: 2, "
     "layout: ddp}}]\n",
     "1:1: error: the first key must be 'scenario', with the version: scenario: 1\n"},
    {"scenario: 2\nname: case\nabout: Wrong.\nmodel: linear-4x4\nsteps: [{start: {ranks: 2, "
     "layout: ddp}}]\n",
     "1:11: error: 'scenario' must be 1, not '2'\n"},
    {"scenario: 1\nname: case\n",
     "1:1: error: a scenario lacks 'about': why this scenario exists\n"
     "1:1: error: a scenario lacks 'model': whose state is saved and loaded\n"
     "1:1: error: a scenario lacks 'steps': what happens, in order; the first step is a start\n"},
    {MODEL "stpes:\n  - start: {ranks: 2, layout: fsdp2}\n",
     "6:1: error: unknown key 'stpes' in a scenario; did you mean 'steps'?\n"},
    {WORLD "colour: red\n",
     "8:1: error: unknown key 'colour' in a scenario; known: scenario, name, about, seed, model, "
     "precision, optimizer, payload, cluster, steps, expect\n"},
    {WORLD "seed: 1\nseed: 2\n", "9:1: error: duplicate key 'seed'; it stands in line 8 already\n"},
    {WORLD "seed: \"7\"\n", "8:7: error: 'seed' must be a whole number from 0, without quotes\n"},
    {WORLD "seed: -1\n", "8:7: error: 'seed' must be a whole number from 0, not '-1'\n"},
    {WORLD "seed: 0x10\n", "8:7: error: 'seed' must be a whole number from 0, not '0x10'\n"},
    {WORLD "seed: 18446744073709551616\n",
     "8:7: error: 'seed' must be a whole number from 0, not '18446744073709551616'\n"},
    {WORLD "seed: [1]\n", "8:7: error: 'seed' must be a whole number from 0, not a list\n"},
    {WORLD "seed:\n", "8:1: error: 'seed' has no value; it must be a whole number from 0\n"},
    {"%x \xff\n", "1:1: error: directives (%NAME) are not part of this language\n"},
    {"%YAML 1.2\n---\nscenario: 1\n",
     "1:1: error: directives (%NAME) are not part of this language\n"},
    {"\xef\xbb\xbf%x\n", "1:2: error: directives (%NAME) are not part of this language\n"},
    {WORLD "seed: \xff\n", "8:7: error: not UTF-8 text (byte \\xff)\n"},
    {WORLD "seed: \xc0\xaf\n", "8:7: error: not UTF-8 text (byte \\xc0)\n"},
    {WORLD "seed: \xed\xa0\x80\n", "8:7: error: not UTF-8 text (byte \\xed)\n"},
    {WORLD "seed: \xe2\x82", "8:7: error: not UTF-8 text (byte \\xe2)\n"},
    {WORLD "seed: \x01\n", "8:7: error: character U+0001 is not allowed in YAML\n"},
    {WORLD "seed: \x7f\n", "8:7: error: character U+007F is not allowed in YAML\n"},
    {WORLD "seed: \xc2\x80\n", "8:7: error: character U+0080 is not allowed in YAML\n"},
    {WORLD "seed: \xef\xbf\xbf\n", "8:7: error: character U+FFFF is not allowed in YAML\n"},
    {WORLD "seed: &a 7\n", "8:7: error: anchors (&name) are not part of this language\n"},
    {WORLD "seed: *a\n",
     "8:7: error: aliases (*name) are not part of this language; write the value out\n"},
    {WORLD "seed: !!int 7\n",
     "8:7: error: tags (!name) are not part of this language; every key has its type already\n"},
    {WORLD "cluster: {<<: {nodes: 1}}\n",
     "8:11: error: merge keys (<<) are not part of this language; write the keys out\n"
     "8:11: error: unknown key '<<' in 'cluster'; known: nodes, ranks_per_node, network, disk, "
     "storage, device\n"},
    {WORLD "payload: none\n", "8:10: error: 'payload' must be bytes, not 'none'\n"},
    {WORLD "cluster: {network: {bandwidth: 25}}\n",
     "8:32: error: 'bandwidth' must be a rate above 0 with its unit, such as 25 GB/s, 800 MiB/s or "
     "400 Gbit/s, not '25'\n"},
    {WORLD "cluster: {network: {latency: 2 GB/s}}\n",
     "8:30: error: 'latency' must be a time with its unit, such as 2 us, 500 ms or 1.5 s, not '2 "
     "GB/s'\n"},
    {WORLD "cluster: {disk: {read: 0 GB/s}}\n",
     "8:24: error: 'read' must be a rate above 0 with its unit, such as 25 GB/s, 800 MiB/s or 400 "
     "Gbit/s, not '0 GB/s'\n"},
    {WORLD "cluster: {network: {topology: fat-tree}}\n",
     "8:31: error: 'topology' must be star, not 'fat-tree'\n"},
    {WORLD "cluster: {nodes: 0}\n",
     "8:18: error: 'nodes' must be a whole number from 1 to 1000000, not '0'\n"},
    {WORLD "cluster: {device: {}}\n",
     "8:11: error: 'device' lacks 'to_host': copying between device and host, for each rank\n"},
    {WORLD "cluster: fast\n", "8:10: error: 'cluster' must be a mapping with the keys: nodes, "
                              "ranks_per_node, network, disk, storage, device\n"},
    {WORLD "precision: {parameters: i32}\n",
     "8:25: error: 'parameters' must be a dtype, one of f64, f32, f16, bf16, not 'i32'\n"},
    {WORLD "precision: {optimizer: bfloat16}\n",
     "8:24: error: 'optimizer' must be a dtype, one of f64, f32, f16, bf16, not 'bfloat16'\n"},
    {WORLD "expect: {checkpoints: step1}\n",
     "8:23: error: 'checkpoints' must be a list: exactly these checkpoints exist at the end, all "
     "of them whole\n"},
    {WORLD "expect: {checkpoints: [step1]}\n",
     "8:24: error: no step before saves 'step1', so it cannot exist at the end\n"},
    {WORLD "  - save: a\n  - save: b\nexpect: {checkpoints: [a]}\n",
     "10:23: error: 'b' is saved in line 9 and will be there at the end, but is not in this "
     "list\n"},
    {WORLD "  - save: a\nexpect: {checkpoints: [a, a]}\n",
     "9:27: error: 'a' stands in this list already\n"},
    {WORLD "...\n---\nmore: 1\n",
     "10:1: error: a file holds one document; remove what follows the first\n"},
    {WORLD "  - train: [1\n",
     "9:1: error: not valid YAML: flow sequence without a closing bracket\n"},
    {WORLD "\tseed: 1\n",
     "8:1: error: not valid YAML: tab character may not be used as indentation\n"},
    {HEAD "model: linear-4x5\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n",
     "4:8: error: there is no model 'linear-4x5'; did you mean 'linear-4x4'?\n"},
    {HEAD "model: resnet\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n",
     "4:8: error: there is no model 'resnet': no models/resnet.yaml beside the scenario or above "
     "it\n"},
    {HEAD "model: {safetensors: /nonexistent/x.safetensors}\nsteps:\n  - start: {ranks: 2, layout: "
          "fsdp2}\n",
     "4:22: error: /nonexistent/x.safetensors: cannot open: No such file or directory\n"},
    {HEAD
     "model: {name: linear-4x4, tensors: {a: [1]}}\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n",
     "4:27: error: 'model' has exactly one of name, safetensors, tensors; 'name' stands here "
     "already\n"},
    {HEAD "model: {}\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n",
     "4:1: error: 'model' needs exactly one of name, safetensors, tensors\n"},
    {HEAD
     "model: {name: linear-4x4, ties: {a: weight}}\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n",
     "4:27: error: 'ties' goes with 'tensors', which is not given\n"},
    {HEAD "model: {tensors: {a: [1, x]}}\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n",
     "4:26: error: each of 'a' must be a whole number from 0, not 'x'\n"},
    {HEAD "model: {tensors: {a: [1, 2, 3, 4, 5, 6, 7, 8, 9]}}\nsteps:\n  - start: {ranks: 2, "
          "layout: fsdp2}\n",
     "4:22: error: 'a' must have at most 8 values, not 9\n"},
    {HEAD
     "model: {tensors: {a: {shape: [1], unit: b}}}\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n",
     "4:19: error: 'a' does not lie in its unit 'b': its name must begin with 'b.'\n"},
    {HEAD "model: {tensors: {a: [4294967296, 4294967296]}}\nsteps:\n  - start: {ranks: 2, layout: "
          "fsdp2}\n",
     "4:19: error: tensor 'a' has more bytes than 63 bits can count\n"},
    {HEAD
     "model: {tensors: {a: [1]}, ties: {b: c}}\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n",
     "4:38: error: 'b' is tied to 'c', which is unknown\n"},
    {HEAD "model: linear-4x4\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n  - train: 1\n",
     "7:12: error: without an optimizer nothing can be trained; add optimizer: adamw\n"},
    {MODEL "steps:\n  - train: 1\n",
     "7:5: error: there is no world to train in yet; the first step must be a start\n"},
    {MODEL "steps: []\n", "6:8: error: 'steps' must not be empty\n"},
    {MODEL "steps:\n  - start: {ranks: 9, layout: fsdp2}\n",
     "7:20: error: 9 ranks do not fit: the cluster has nodes: 1 with ranks_per_node: 8, room for "
     "8\n"},
    {MODEL "steps:\n  - start: {rank: 2, layout: fsdp2}\n",
     "7:13: error: unknown key 'rank' in 'start'; did you mean 'ranks'?\n"},
    {MODEL "steps:\n  - start: {ranks: 2, layout: fdsp2}\n",
     "7:31: error: 'layout' must be one of fsdp1, fsdp2, ddp, boxes, not 'fdsp2'; did you mean "
     "'fsdp2'?\n"},
    {MODEL "steps:\n  - start: {ranks: 2}\n",
     "7:5: error: 'start' lacks 'layout': how the state lies on the ranks\n"},
    {HEAD "model: {tensors: {a: [1], b: {shape: [1], dtype: bf16}}}\nsteps:\n  - start: {ranks: 2, "
          "layout: fsdp1}\n",
     "6:31: error: fsdp1 cannot flatten the root unit: 'a' is f32 and 'b' is bf16; a flat "
     "parameter has "
     "one dtype (put them into different units)\n"},
    {WORLD "  - train: 0\n",
     "8:12: error: 'train' must be a whole number from 1 to 1000000, not '0'\n"},
    {WORLD "  - train: 1.5\n",
     "8:12: error: 'train' must be a whole number from 1 to 1000000, not '1.5'\n"},
    {WORLD "  - train: 1\n    save: a\n",
     "9:5: error: a step has exactly one of start, train, "
     "save, load, reshard, transform, verify; 'train' stands here already\n"},
    {WORLD "  - expect: {outcome: ok}\n", "8:5: error: a step needs exactly one of start, train, "
                                          "save, load, reshard, transform, verify\n"},
    {WORLD "  - save: a/b\n", "8:11: error: 'save' must be a name of at most 100 letters, digits, "
                              "'.', '_' or '-' that begins with a letter or digit, not 'a/b'\n"},
    {WORLD "  - save: latest\n", "8:11: error: 'latest' means the checkpoint with the highest "
                                 "training step and cannot be the name of one\n"},
    {WORLD "  - save: a\n  - save: a\n",
     "9:11: error: 'a' is saved in line 8 already and a checkpoint is never overwritten; choose "
     "another name, or expect: {outcome: refused}\n"},
    {WORLD "  - save: {name: a, async: true}\n",
     "8:21: error: unknown key 'async' in 'save'; known: name\n"},
    {WORLD "  - load: latest\n",
     "8:11: error: no step before saves a checkpoint, so there is no latest one\n"},
    {WORLD "  - load: step1\n", "8:11: error: no step before saves 'step1'; if the load must fail, "
                                "say expect: {outcome: refused}\n"},
    {WORLD "  - save: step1\n  - load: steP1\n",
     "9:11: error: no step before saves 'steP1'; did you mean 'step1'?\n"},
    {WORLD "  - save: step1\n  - load: step1\n    expect: {loaded: step2}\n",
     "10:22: error: no step before saves 'step2'; did you mean 'step1'?\n"},
    {WORLD "  - save: a1\n  - save: b1\n  - load: a1\n    expect: {loaded: b1}\n",
     "11:22: error: the step loads 'a1', so it cannot have loaded 'b1'\n"},
    {WORLD "  - train: 2\n  - verify: {step: 3}\n",
     "9:20: error: the ranks hold training step 2 here, so step 3 cannot be verified\n"},
    {WORLD "  - save: a\n  - train: 2\n  - load: a\n  - verify: {step: 2}\n",
     "11:20: error: the ranks hold training step 0 here, so step 2 cannot be verified\n"},
    {WORLD "  - verify: 3\n", "8:13: error: 'verify' must be a mapping with the keys: step\n"},
    {WORLD "  - train: 1\n    expect: {outcome: refused}\n",
     "9:23: error: a train cannot end as 'refused'\n"},
    {WORLD "  - save: a\n    expect: {read_amplification: 1.0}\n",
     "9:14: error: 'read_amplification' is an expectation of load, not of save\n"},
    {WORLD "  - save: a\n  - load: a\n    expect: {read_amplification: 0.5}\n",
     "10:34: error: 'read_amplification' must be a number from 1, not '0.5'\n"},
    {WORLD "  - save: a\n    expect: {seconds: {at_most: 1, at_least: 2}}\n",
     "9:46: error: at_least is more than at_most: nothing lies between\n"},
    {WORLD "  - save: a\n    expect: {outcome: broken}\n",
     "9:23: error: 'outcome' must be one of ok, refused, damaged, not 'broken'\n"},
    {MODEL "cluster: {nodes: 2}\nsteps:\n  - start: {ranks: 2, layout: fsdp2}\n  - save: a\n",
     "6:18: error: 2 nodes without shared storage keep their checkpoints apart, on each node's own "
     "disk; add storage: to the cluster, or use one node\n"},
    {MODEL "steps:\n  - start: {ranks: 2, lauout: fsdp2}\n  - tarin: 1\n",
     "7:23: error: unknown key 'lauout' in 'start'; did you mean 'layout'?\n"
     "8:5: error: unknown key 'tarin' in a step; did you mean 'train'?\n"},
    {MODEL "steps: \n  - start: {ranks: 2, layout: {kind: fsdp2, mesh: {replicate: 4}}}\n  - "
           "verify: {step: 1}\n  - load: x\ncluster: {nodes: 3}\n",
     "7:63: error: 4 does not divide the 2 ranks\n"
     "8:20: error: the ranks hold training step 0 here, so step 1 cannot be verified\n"
     "9:11: error: no step before saves 'x'; if the load must fail, say expect: {outcome: "
     "refused}\n"
     "10:18: error: 3 nodes without shared storage keep their checkpoints apart, on each node's "
     "own disk; add storage: to the cluster, or use one node\n"},
    {HEAD "model: resnet\noptimizer: adamW\ncluster: {network: {topology: ring}}\nsteps:\n"
          "  - start: {ranks: 2, layout: fsdp2}\n",
     "4:8: error: there is no model 'resnet': no models/resnet.yaml beside the scenario or above "
     "it\n"
     "5:12: error: 'optimizer' must be one of none, sgd, adam, adamw, adafactor, adam8bit, muon, "
     "not 'adamW'; did you mean 'adamw'?\n"
     "6:31: error: 'topology' must be star, not 'ring'\n"},
    {HEAD
     "seed: x\nmodel: {tensors: {a: {shape: [1], unit: b}, c: {shape: [1], unit: d}}}\nsteps:\n"
     "  - start: {ranks: 9, layout: fsdp2}\n",
     "4:7: error: 'seed' must be a whole number from 0, not 'x'\n"
     "5:19: error: 'a' does not lie in its unit 'b': its name must begin with 'b.'\n"
     "5:45: error: 'c' does not lie in its unit 'd': its name must begin with 'd.'\n"
     "7:20: error: 9 ranks do not fit: the cluster has nodes: 1 with ranks_per_node: 8, room for "
     "8\n"},
    {"scenario: 1\nabout: No name.\nmodel: resnet\nsteps:\n  - train: 1\n",
     "1:1: error: a scenario lacks 'name': a short name for reports\n"
     "3:8: error: there is no model 'resnet': no models/resnet.yaml beside the scenario or above "
     "it\n"
     "5:5: error: there is no world to train in yet; the first step must be a start\n"},
    {"scenario: 2\nname: a\nabout: b\nmodel: resnet\nsteps: []\n",
     "1:11: error: 'scenario' must be 1, not '2'\n"
     "5:8: error: 'steps' must not be empty\n"},
    {WORLD "sed: 1\nexpct: {}\n",
     "8:1: error: unknown key 'sed' in a scenario; did you mean 'seed'?\n"
     "9:1: error: unknown key 'expct' in a scenario; did you mean 'expect'?\n"},
    {"{a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: "
     "{a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: "
     "1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}\n",
     "1:129: error: nested more than 32 deep\n"},
};

START_TEST(each_wrong_file_is_refused_with_exactly_this_message)
{
    written_refused(wrong[_i].text, wrong[_i].heads);
}
END_TEST

START_TEST(an_error_shows_its_line_and_a_caret_below_the_value)
{
    struct scenario *scenario = NULL;
    char *messages = NULL;
    char expected[512];
    ck_assert_int_eq(
        written_open(WORLD "cluster: {network: {bandwidth: 25 GB}}\n", &scenario, &messages),
        RESHARD_EINVAL);
    (void)snprintf(expected, sizeof(expected),
                   "%s:8:32: error: 'bandwidth' must be a rate above 0 with its unit, such as "
                   "25 GB/s, 800 MiB/s or 400 Gbit/s, not '25 GB'\n"
                   "cluster: {network: {bandwidth: 25 GB}}\n"
                   "                               ^~~~~\n",
                   written_path());
    ck_assert_str_eq(messages, expected);
    free(messages);
}
END_TEST

START_TEST(columns_and_carets_count_characters_not_bytes)
{
    struct scenario *scenario = NULL;
    char *messages = NULL;
    ck_assert_int_eq(
        written_open(WORLD "expect: {\"äöü\":\t1, \"größe\": 2}\n", &scenario, &messages),
        RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(messages, ":8:20: error: unknown key 'größe'"));
    ck_assert_ptr_nonnull(strstr(messages, "\n               \t   ^~~~~~~\n"));
    free(messages);
}
END_TEST

START_TEST(all_errors_of_a_file_are_listed_in_its_order)
{
    struct scenario *scenario = NULL;
    char *messages = NULL;
    ck_assert_int_eq(written_open(MODEL "cluster: {nodes: x}\nsteps:\n  - start: {ranks: 0}\n"
                                        "  - sav: a\n",
                                  &scenario, &messages),
                     RESHARD_EINVAL);
    char *heads = written_heads(messages);
    ck_assert_str_eq(heads,
                     "6:18: error: 'nodes' must be a whole number from 1 to 1000000, not 'x'\n"
                     "8:5: error: 'start' lacks 'layout': how the state lies on the ranks\n"
                     "8:20: error: 'ranks' must be a whole number from 1 to 10000000, not '0'\n"
                     "9:5: error: unknown key 'sav' in a step; did you mean 'save'?\n");
    free(heads);
    free(messages);
}
END_TEST

/* Quantities and suggestions. */

static const struct {
    enum quantity_kind kind;
    const char *text;
    double value; /* negative: refused */
} quantities[] = {
    {QUANTITY_RATE, "25 GB/s", 25e9},
    {QUANTITY_RATE, "25GB/s", 25e9},
    {QUANTITY_RATE, "1.5 kB/s", 1500},
    {QUANTITY_RATE, "2 KiB/s", 2048},
    {QUANTITY_RATE, "3 TiB/s", 3.0 * 1099511627776.0},
    {QUANTITY_RATE, "400 Gbit/s", 50e9},
    {QUANTITY_RATE, "1e3 B/s", 1000},
    {QUANTITY_RATE, "25", -1},
    {QUANTITY_RATE, "25 GB", -1},
    {QUANTITY_RATE, "25 Gb/s", -1},
    {QUANTITY_RATE, "25 gb/s", -1},
    {QUANTITY_RATE, "0 GB/s", -1},
    {QUANTITY_RATE, "-1 GB/s", -1},
    {QUANTITY_RATE, "GB/s", -1},
    {QUANTITY_RATE, "1 GB/s ", -1},
    {QUANTITY_RATE, "1e999 GB/s", -1},
    {QUANTITY_RATE, "0x10 GB/s", -1},
    {QUANTITY_RATE, "nan GB/s", -1},
    {QUANTITY_RATE, "1. GB/s", -1},
    {QUANTITY_RATE, "", -1},
    {QUANTITY_DURATION, "2 us", 2e-6},
    {QUANTITY_DURATION, "2 µs", 2e-6},
    {QUANTITY_DURATION, "7 ns", 7e-9},
    {QUANTITY_DURATION, "500 ms", 0.5},
    {QUANTITY_DURATION, "0 s", 0},
    {QUANTITY_DURATION, "1.5 s", 1.5},
    {QUANTITY_DURATION, "2 min", 120},
    {QUANTITY_DURATION, "1 h", 3600},
    {QUANTITY_DURATION, "2", -1},
    {QUANTITY_DURATION, "2 m", -1},
    {QUANTITY_BYTES, "64 MiB", 67108864},
    {QUANTITY_BYTES, "1.5 GB", 1.5e9},
    {QUANTITY_BYTES, "0 B", 0},
    {QUANTITY_BYTES, "0.3 B", -1},
    {QUANTITY_BYTES, "64", -1},
    {QUANTITY_BYTES, "64 M", -1},
};

START_TEST(a_quantity_is_a_number_with_its_unit_and_nothing_else)
{
    double value = 0;
    const bool read = quantity_read(quantities[_i].kind, quantities[_i].text, &value);
    ck_assert_msg(read == (quantities[_i].value >= 0), "'%s'", quantities[_i].text);
    if (read)
        ck_assert_msg(value == quantities[_i].value, "'%s' is %.17g", quantities[_i].text, value);
}
END_TEST

START_TEST(a_count_is_digits_and_does_not_overflow)
{
    uint64_t count = 0;
    ck_assert(quantity_count("0", &count) && count == 0);
    ck_assert(quantity_count("18446744073709551615", &count) && count == UINT64_MAX);
    ck_assert(!quantity_count("18446744073709551616", &count));
    ck_assert(!quantity_count("", &count));
    ck_assert(!quantity_count("+1", &count));
    ck_assert(!quantity_count("1.0", &count));
    ck_assert(!quantity_count(" 1", &count));
}
END_TEST

static const char *suggest(const char *typed)
{
    static const char *const known[] = {"fsdp1", "fsdp2", "layout", "ranks_per_node"};
    struct suggestion suggestion = suggestion_for(typed);
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        suggestion_offer(&suggestion, known[i]);
    return suggestion.best;
}

START_TEST(the_nearest_word_is_suggested_and_a_far_one_is_not)
{
    ck_assert_str_eq(suggest("fdsp2"), "fsdp2");
    ck_assert_str_eq(suggest("lauout"), "layout");
    ck_assert_str_eq(suggest("rank_per_nodes"), "ranks_per_node");
    ck_assert_ptr_null(suggest("boxes"));
    ck_assert_ptr_null(suggest(""));
    ck_assert_ptr_null(suggest("a word of more than sixty-three characters is never a slip of the "
                               "finger"));
}
END_TEST

/* The files in the repository. */

START_TEST(every_scenario_of_the_suite_is_valid_and_named_like_its_file)
{
    DIR *suite = opendir(RESHARD_SOURCE_DIR "/scenarios");
    const struct dirent *entry;
    unsigned count = 0;
    ck_assert_ptr_nonnull(suite);
    while ((entry = readdir(suite)) != NULL) {
        char path[4096];
        const size_t length = strlen(entry->d_name);
        struct scenario *scenario = NULL;
        if (length < 5 || strcmp(entry->d_name + length - 5, ".yaml") != 0)
            continue;
        (void)snprintf(path, sizeof(path), RESHARD_SOURCE_DIR "/scenarios/%s", entry->d_name);
        ck_assert_msg(scenario_open(&scenario, path, NULL, NULL, stderr) == RESHARD_OK, "%s", path);
        ck_assert_uint_eq(strlen(scenario->name), length - 5);
        ck_assert_msg(strncmp(scenario->name, entry->d_name, length - 5) == 0, "%s", path);
        ck_assert_msg(scenario->checkpoints_expected, "%s: no expect: checkpoints", path);
        scenario_close(scenario);
        count++;
    }
    ck_assert_int_eq(closedir(suite), 0);
    ck_assert_uint_ge(count, 12);
}
END_TEST

static char *read_whole(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s", path);
    ck_assert_int_ge(getdelim(&text, &size, '\0', file), 0);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

START_TEST(the_published_schema_is_current)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    ck_assert(scenario_schema_print(stream));
    ck_assert_int_eq(fclose(stream), 0);
    char *published = read_whole(RESHARD_SOURCE_DIR "/scenarios/schema.json");
    ck_assert_msg(strcmp(printed, published) == 0,
                  "scenarios/schema.json is not what scenario_schema_print() prints");
    free(published);
    free(printed);
}
END_TEST

/* Every key and every about of the schema, as "key": of a property, must be in the reference. */
START_TEST(the_reference_names_every_key)
{
    char *schema = read_whole(RESHARD_SOURCE_DIR "/scenarios/schema.json");
    char *reference = read_whole(RESHARD_SOURCE_DIR "/scenarios/README.md");
    unsigned count = 0;
    for (const char *at = schema; (at = strstr(at, "\"properties\": {")) != NULL; at++) {
        const char *line = strchr(at, '\n') + 1;
        const size_t indent = strspn(line, " ");
        while (strspn(line, " ") >= indent) {
            char key[80];
            if (strspn(line, " ") == indent && sscanf(line, " \"%60[^\"]\"", key + 1) == 1) {
                key[0] = '`';
                (void)strcat(key, "`");
                ck_assert_msg(strstr(reference, key) != NULL, "%s is not in the README", key);
                count++;
            }
            line = strchr(line, '\n') + 1;
        }
    }
    ck_assert_uint_gt(count, 50);
    free(reference);
    free(schema);
}
END_TEST

static Suite *scenario_suite(void)
{
    Suite *suite = suite_create("scenario");
    TCase *valid = tcase_create("valid");
    TCase *invalid = tcase_create("wrong");
    TCase *words = tcase_create("words");
    TCase *files = tcase_create("files");
    tcase_add_unchecked_fixture(valid, written_begin, written_end);
    tcase_add_unchecked_fixture(invalid, written_begin, written_end);
    tcase_add_test(valid, a_valid_file_becomes_exactly_what_it_says);
    tcase_add_test(valid, each_step_has_its_verb_line_and_values);
    tcase_add_test(valid, a_mesh_is_completed_to_the_ranks);
    tcase_add_test(valid, expectations_are_read_and_absent_ones_say_so);
    tcase_add_test(valid, the_model_has_its_final_dtypes_units_ties_and_slots);
    tcase_add_test(valid, absent_keys_have_the_documented_defaults);
    tcase_add_test(valid, a_given_seed_overrides_the_files);
    tcase_add_test(valid, a_file_that_is_not_there_is_not_found);
    tcase_add_loop_test(invalid, each_wrong_file_is_refused_with_exactly_this_message, 0,
                        (int)(sizeof(wrong) / sizeof(wrong[0])));
    tcase_add_test(invalid, an_error_shows_its_line_and_a_caret_below_the_value);
    tcase_add_test(invalid, columns_and_carets_count_characters_not_bytes);
    tcase_add_test(invalid, all_errors_of_a_file_are_listed_in_its_order);
    tcase_add_loop_test(words, a_quantity_is_a_number_with_its_unit_and_nothing_else, 0,
                        (int)(sizeof(quantities) / sizeof(quantities[0])));
    tcase_add_test(words, a_count_is_digits_and_does_not_overflow);
    tcase_add_test(words, the_nearest_word_is_suggested_and_a_far_one_is_not);
    tcase_add_test(files, every_scenario_of_the_suite_is_valid_and_named_like_its_file);
    tcase_add_test(files, the_published_schema_is_current);
    tcase_add_test(files, the_reference_names_every_key);
    suite_add_tcase(suite, valid);
    suite_add_tcase(suite, invalid);
    suite_add_tcase(suite, words);
    suite_add_tcase(suite, files);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(scenario_suite());
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
