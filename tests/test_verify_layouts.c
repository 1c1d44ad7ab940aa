/*
 * The verifier on files of layouts of every kind, of a model that has tensors of every role. The
 * checkpoints come from tests/make_checkpoint.py, which cuts arrays of element numbers where the
 * verifier deals and counts; a fault is a manifest that speaks of another layout than the files
 * have, or data that were cut otherwise than said. The interpreter is $PYTHON.
 */
#include "support/scripted.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENT_BYTES = 4096, TENSORS_MAX = 48, STEP = 3 };

static struct verify_tensor tensors[TENSORS_MAX];
static struct verify_inventory inventory = {0, tensors, 5};

static void add(const char *fqn, enum verify_role role, uint32_t unit, uint64_t rows,
                uint64_t columns)
{
    struct verify_tensor *tensor = &tensors[inventory.tensor_count];

    *tensor = (struct verify_tensor){.fqn = fqn,
                                     .slot = "",
                                     .dtype = RESHARD_DTYPE_F32,
                                     .ndim = columns ? 2 : 1,
                                     .shape = {rows, columns},
                                     .unit = unit,
                                     .like = true,
                                     .role = role};
    tensor->parameter = inventory.tensor_count++;
}

static void add_slots(uint32_t parameter)
{
    static const char *const names[] = {"exp_avg", "exp_avg_sq", "step"};

    for (int i = 0; i < 3; ++i) {
        struct verify_tensor slot = tensors[parameter];

        slot.slot = names[i];
        slot.like = i < 2;
        slot.ndim = slot.like ? slot.ndim : 0;
        if (!slot.like)
            memset(slot.shape, 0, sizeof slot.shape);
        tensors[inventory.tensor_count++] = slot;
    }
}

/* The script's model "roles". */
static void make_inventory(uint64_t world)
{
    inventory.tensor_count = 0;
    add("embed.weight", VERIFY_PARAMETER, 0, 8, 6);
    add("h.0.qkv.weight", VERIFY_PARAMETER, 1, 24, 5);
    add("h.0.proj.weight", VERIFY_PARAMETER, 1, 4, 8);
    add("h.0.seen", VERIFY_BUFFER, 1, 3, 0);
    tensors[3].dtype = RESHARD_DTYPE_I64;
    add("h.1.experts.0.w", VERIFY_PARAMETER, 2, 4, 4);
    add("h.1.experts.1.w", VERIFY_PARAMETER, 2, 4, 4);
    add("h.1.experts.2.w", VERIFY_PARAMETER, 2, 4, 4);
    add("h.2.experts.w", VERIFY_PARAMETER, 3, 4, 6);
    tensors[7].ndim = 3;
    tensors[7].shape[2] = 2;
    add("base.weight", VERIFY_FROZEN, 4, 5, 3);
    add("base.scale", VERIFY_FROZEN, 4, 7, 0);
    add("loader", VERIFY_OPAQUE, 0, 11, 0);
    add("rng", VERIFY_PER_RANK, 0, world, 5);
    tensors[10].dtype = tensors[11].dtype = RESHARD_DTYPE_U8;
    add("head.weight", VERIFY_PARAMETER, 0, 8, 6);
    for (uint32_t t = 0; t < 13; ++t) {
        if (tensors[t].role == VERIFY_PARAMETER)
            add_slots(t);
    }
}

/* Write a checkpoint of that layout, with an index. */
static void make(const char *name, const char *formula, const char *more)
{
    char arguments[ARGUMENT_BYTES];

    snprintf(arguments, sizeof arguments, "--model roles --index --formula '%s' %s", formula, more);
    scripted_checkpoint(name, arguments);
}

static struct verify_report judge(const char *name, uint64_t world, const char *against)
{
    make_inventory(world);
    return scripted_judge(name, &inventory, STEP, against);
}

/* The status, and a finding whose line has these words. */
static void expect(uint64_t world, enum reshard_status status, const char *words)
{
    struct verify_report report = judge("c", world, NULL);
    bool found = false;
    char line[4096] = "nothing";

    for (uint32_t f = 0; f < report.finding_count && !found; ++f) {
        verify_finding_line(&report.finding[f], line, sizeof line);
        found = strstr(line, words);
    }
    ck_assert_msg(found, "no finding says '%s'; the last says '%s'", words, line);
    ck_assert_str_eq(reshard_status_name(report.status), reshard_status_name(status));
    verify_report_close(&report);
}

static const struct {
    uint64_t world; /* one more than the mesh where a rank is idle */
    const char *formula;
} layouts[] = {
    {1, "{\"kind\":\"ddp\",\"mesh\":{}}"},
    {4, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":3},\"dim\":1}"},
    {4, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":4},\"tensors\":[{\"pattern\":\"*.proj.*\","
        "\"shard\":1},{\"pattern\":\"*rng\",\"shard\":0}]}"},
    {2, "{\"kind\":\"ddp\",\"mesh\":{\"tensor\":2},"
        "\"tensors\":[{\"pattern\":\"h.0.qkv.weight\",\"tensor\":0,\"sections\":[8,4,12]},"
        "{\"pattern\":\"h.0.proj.weight\",\"tensor\":1}]}"},
    {5, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"tensor\":2},"
        "\"tensors\":[{\"pattern\":\"h.0.qkv.weight\",\"tensor\":0,\"sections\":[8,4,12]},"
        "{\"pattern\":\"h.0.proj.weight\",\"tensor\":1}]}"},
    {4, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"tensor\":2},"
        "\"tensors\":[{\"pattern\":\"h.0.qkv.weight\",\"tensor\":0},"
        "{\"pattern\":\"h.0.proj.weight\",\"tensor\":0}]}"},
    {4, "{\"kind\":\"fsdp2\",\"mesh\":{\"pipeline\":2,\"replicate\":2}}"},
    {7, "{\"kind\":\"fsdp1\",\"mesh\":{\"pipeline\":3,\"shard\":2},\"orig_params\":false,"
        "\"forward\":null}"},
    {6, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":3,\"tensor\":2},\"orig_params\":true,"
        "\"forward\":\"bf16\",\"tensors\":[{\"pattern\":\"h.0.qkv.weight\",\"tensor\":0,"
        "\"sections\":[8,4,12]},{\"pattern\":\"h.0.proj.weight\",\"tensor\":1}]}"},
    {6, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":3,\"tensor\":2},\"orig_params\":false,"
        "\"forward\":null,\"tensors\":[{\"pattern\":\"h.0.qkv.weight\",\"tensor\":0},"
        "{\"pattern\":\"h.0.proj.weight\",\"tensor\":1}]}"},
    {5, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"expert\":2},"
        "\"tensors\":[{\"pattern\":\"h.1.experts.{i}.*\",\"expert\":{\"of\":3}},"
        "{\"pattern\":\"h.2.experts.w\",\"expert\":0,\"shard\":1}]}"},
    {4, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"expert\":2},"
        "\"tensors\":[{\"pattern\":\"h.1.experts.{i}.*\",\"expert\":{\"of\":3}},"
        "{\"pattern\":\"h.2.experts.w\",\"expert\":1,\"shard\":0}]}"},
    {4, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":2,\"expert\":2},\"orig_params\":false,"
        "\"forward\":null,\"tensors\":[{\"pattern\":\"h.1.experts.{i}.*\","
        "\"expert\":{\"of\":3}},{\"pattern\":\"h.2.experts.w\",\"expert\":0}]}"},
    {13, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":2,\"expert\":3,\"replicate\":2},\"owner\":1,"
         "\"orig_params\":true,\"forward\":null,"
         "\"tensors\":[{\"pattern\":\"h.1.experts.{i}.*\",\"expert\":{\"of\":3}},"
         "{\"pattern\":\"h.2.experts.w\",\"expert\":1}]}"},
    {4, "{\"kind\":\"ddp\",\"mesh\":{\"expert\":2,\"replicate\":2},\"owner\":1,"
        "\"tensors\":[{\"pattern\":\"h.1.experts.{i}.*\",\"expert\":{\"at\":1}},"
        "{\"pattern\":\"h.2.*\",\"pipeline\":\"whole\",\"expert\":\"whole\"}]}"},
    {8, "{\"kind\":\"fsdp2\",\"mesh\":{\"pipeline\":2,\"shard\":2,\"tensor\":2},"
        "\"tensors\":[{\"pattern\":\"embed.*\",\"pipeline\":\"whole\",\"tensor\":0},"
        "{\"pattern\":\"h.0.*\",\"pipeline\":{\"at\":1}},{\"pattern\":\"h.{i}.*\","
        "\"pipeline\":{\"of\":3}},{\"pattern\":\"head.weight\",\"pipeline\":{\"at\":1},"
        "\"tensor\":1}]}"},
    {5, "{\"kind\":\"boxes\",\"mesh\":{\"replicate\":4},"
        "\"tensors\":[{\"pattern\":\"embed.weight\",\"boxes\":[{\"rank\":0,\"begin\":[0,0],"
        "\"end\":[8,2]},{\"rank\":1,\"begin\":[0,2],\"end\":[3,6]},{\"rank\":1,\"begin\":[5,"
        "2],\"end\":[8,6]},{\"rank\":3,\"begin\":[5,2],\"end\":[8,6]},{\"rank\":3,"
        "\"begin\":[0,2],\"end\":[3,6]},{\"rank\":2,\"begin\":[3,2],\"end\":[5,6]}]}]}"},
    {8, "{\"kind\":\"fsdp2\",\"mesh\":{\"expert\":2,\"shard\":2,\"tensor\":2},"
        "\"tensors\":[{\"pattern\":\"embed.weight\",\"expert\":0,\"tensor\":0,\"shard\":0},"
        "{\"pattern\":\"head.weight\",\"expert\":1,\"tensor\":0,\"shard\":0},"
        "{\"pattern\":\"h.0.*\",\"expert\":\"whole\"},{\"pattern\":\"h.2.*\",\"expert\":2,"
        "\"tensor\":1,\"shard\":0}]}"},
    {6, "{\"kind\":\"fsdp2\",\"mesh\":{\"tensor\":2,\"shard\":3},"
        "\"tensors\":[{\"pattern\":\"h.0.qkv.weight\",\"tensor\":0,\"sections\":[8,4,12],"
        "\"shard\":0}]}"},
    {3, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2},"
        "\"tensors\":[{\"pattern\":\"h.0.qkv.weight\",\"tensor\":0,\"sections\":[8,4,12],"
        "\"shard\":1}]}"},
    {3, "{\"kind\":\"ddp\",\"mesh\":{\"replicate\":3},\"tensors\":[{\"pattern\":\"*.{i}.w\","
        "\"shard\":1},{\"pattern\":\"loader\",\"pipeline\":{\"at\":0}}]}"},
};

enum { LAYOUTS = sizeof layouts / sizeof *layouts };

START_TEST(whole_checkpoints_of_any_layout_are_found_whole)
{
    const uint64_t world = layouts[_i].world;
    struct verify_report report;
    char more[64];

    snprintf(more, sizeof more, "--world %d", (int)world);
    make("c", layouts[_i].formula, more);
    make("d", layouts[0].formula, more);
    report = judge("c", world, "d");
    ck_assert_uint_eq(report.finding_total, 0);
    ck_assert_uint_eq(report.tensor_count, inventory.tensor_count);
    ck_assert_uint_eq(report.elements, 1076 + 5 * world);
    verify_report_close(&report);
}
END_TEST

/* The manifest speaks of a layout whose pieces have other boxes or other writers. */
START_TEST(files_of_another_layout_than_the_manifest_says_are_named)
{
    static const struct {
        uint64_t world;
        const char *written;
        const char *said;
        const char *words;
    } cases[] = {
        {3, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":3},\"dim\":1}",
         "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":3}}",
         "rank-00000.h5: bytes 16384..16448: embed.weight: the piece is [0, 0] to [8, 2] by rank "
         "0; "
         "by "
         "the layout [0, 0] to [3, 6] by rank 0 comes here"},
        {2,
         "{\"kind\":\"ddp\",\"mesh\":{\"tensor\":2},\"tensors\":[{\"pattern\":\"*qkv*\",\"tensor\":"
         "0}]}",
         "{\"kind\":\"ddp\",\"mesh\":{\"tensor\":2},\"tensors\":[{\"pattern\":\"*qkv*\",\"tensor\":"
         "0,"
         "\"sections\":[8,4,12]}]}",
         "h.0.qkv.weight: the piece is [0, 0] to [12, 5] by rank 0; by the layout [0, 0] to [4, "
         "5]"},
        {4,
         "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":4},\"tensors\":[{\"pattern\":\"*\",\"expert\":"
         "\"whole\"}]}",
         "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"tensor\":2},\"tensors\":[{\"pattern\":\"*qkv*"
         "\","
         "\"tensor\":0}]}",
         "h.0.qkv.weight: the piece is [6, 0] to [12, 5] by rank 1; by the layout [6, 0] to [12, "
         "5] by "
         "rank 2"},
        {2, "{\"kind\":\"fsdp2\",\"mesh\":{\"pipeline\":2}}",
         "{\"kind\":\"fsdp2\",\"mesh\":{\"pipeline\":2},\"tensors\":[{\"pattern\":\"h.0.*\","
         "\"pipeline\":{\"at\":1}}]}",
         "h.0.qkv.weight: the piece is [0, 0] to [24, 5] by rank 0; by the layout [0, 0] to [24, "
         "5] by "
         "rank 1"},
        {2, "{\"kind\":\"ddp\",\"mesh\":{\"expert\":2}}",
         "{\"kind\":\"ddp\",\"mesh\":{\"expert\":2},\"tensors\":[{\"pattern\":\"*experts.{i}.w\","
         "\"expert\":{\"of\":3}}]}",
         "h.1.experts.2.w exp_avg: the piece is [0, 0] to [4, 4] by rank 0; by the layout [0, 0] "
         "to "
         "[4, 4] by rank 1"},
        {4, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"expert\":2}}",
         "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"expert\":2},\"tensors\":[{\"pattern\":\"*\","
         "\"expert\":\"whole\"}]}",
         "embed.weight: the piece is [0, 0] to [2, 6] by rank 0; by the layout [0, 0] to [4, 6]"},
        {2, "{\"kind\":\"ddp\",\"mesh\":{\"replicate\":2}}",
         "{\"kind\":\"ddp\",\"mesh\":{\"replicate\":2},\"owner\":1}",
         "head.weight exp_avg: the piece is [0, 0] to [8, 6] by rank 0; by the layout [0, 0] to "
         "[8, 6] by rank 1"},
        {2, "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":2},\"orig_params\":true,\"forward\":null}",
         "{\"kind\":\"fsdp1\",\"mesh\":{\"shard\":2},\"orig_params\":false,\"forward\":null}",
         "base.weight: the piece is [0, 0] to [4, 3] by rank 0; by the layout [0, 0] to [3, 3] by "
         "rank 0"},
        {2, "{\"kind\":\"boxes\",\"mesh\":{\"replicate\":2}}",
         "{\"kind\":\"boxes\",\"mesh\":{\"replicate\":2},\"tensors\":[{\"pattern\":\"head.*\","
         "\"boxes\":["
         "{\"rank\":0,\"begin\":[0,0],\"end\":[8,6]}]}]}",
         "head.weight exp_avg_sq: the piece is [0, 0] to [8, 6] by rank 1; by the layout [0, 0] to "
         "[8, 6] by rank 0"},
    };
    char more[1024];

    snprintf(more, sizeof more, "--say '%s'", cases[_i].said);
    make("c", cases[_i].written, more);
    expect(cases[_i].world, RESHARD_EFORMAT, cases[_i].words);
}
END_TEST

static const char fused[] =
    "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"tensor\":2},\"tensors\":[{\"pattern\":\"*qkv*\","
    "\"tensor\":0,\"sections\":[8,4,12]},{\"pattern\":\"*proj*\",\"tensor\":0}]}";

/* Right boxes, right digests, and what is in them was cut as if it were contiguous. */
START_TEST(data_that_were_cut_otherwise_than_said_differ_from_the_truth)
{
    make("c", fused, _i ? "--fault permute:h.0.proj.weight" : "--fault permute:h.0.qkv.weight");
    expect(4, RESHARD_EMISMATCH,
           _i ? "h.0.proj.weight: [1, 0] is 0x" : "h.0.qkv.weight: [4, 0] is 0x");
}
END_TEST

START_TEST(a_piece_by_another_replica_is_named)
{
    make("c", "{\"kind\":\"fsdp2\",\"mesh\":{\"replicate\":2,\"shard\":2}}", "--fault wrong-owner");
    expect(
        4, RESHARD_EFORMAT,
        "embed.weight: the piece is [0, 0] to [4, 6] by rank 0; by the layout [0, 0] to [4, 6] by "
        "rank 2");
}
END_TEST

static void flip_first_byte(const char *dataset)
{
    scripted_run("%s -c \"import h5py; f = h5py.File('%s/c/rank-00001.h5', 'r');"
                 "p = [p for p in f['pieces'] if f['tensors'][p['tensor']]['fqn'] == b'%s' and"
                 " not f['tensors'][p['tensor']]['slot']][0];"
                 "at = f['arena/f32'].id.get_offset() + 4 * int(p['offset']); f.close();"
                 "g = open('%s/c/rank-00001.h5', 'r+b'); g.seek(at); b = g.read(1); g.seek(at);"
                 "g.write(bytes([b[0] ^ 1]))\"",
                 scripted_python(), scripted_home, dataset, scripted_home);
}

START_TEST(damage_of_a_piece_that_is_not_contiguous_is_named_with_its_place)
{
    make("c", "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":3},\"dim\":1}", "");
    flip_first_byte("h.2.experts.w");
    expect(3, RESHARD_EDIGEST, "h.2.experts.w: elements [0, 2, 0] to [4, 4, 2] contribute");
    expect(3, RESHARD_EDIGEST, "h.2.experts.w: [0, 2, 0] is 0x");
}
END_TEST

START_TEST(an_index_of_other_boxes_than_the_pieces_is_named)
{
    make("c", "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":3},\"dim\":1}", "");
    /* The first piece, (4, 3), as if it were (2, 6): as many elements from the same one on. */
    scripted_run(
        "%s -c \"import h5py; f = h5py.File('%s/c/index.h5', 'r+'); m = f['model'];"
        "w = m['h.0.proj.weight']; v = dict(w.attrs); t, a = w.id.get_type(), w.id.get_space();"
        "p = h5py.h5p.create(h5py.h5p.DATASET_CREATE);"
        "o = w.virtual_sources(); s = a.copy(); s.select_hyperslab((0, 0), (2, 6));"
        "[p.set_virtual(s if i == 0 else x.vspace, x.file_name.encode(), x.dset_name.encode(),"
        " x.src_space) for i, x in enumerate(o)]; del m['h.0.proj.weight'];"
        "h5py.h5d.create(m.id, b'h.0.proj.weight', t, a, p); "
        "m['h.0.proj.weight'].attrs.update(v)\"",
        scripted_python(), scripted_home);
    expect(3, RESHARD_EFORMAT,
           "the dataset of h.0.proj.weight maps its elements from 0 on to another place");
}
END_TEST

START_TEST(another_role_than_the_expected_one_is_named)
{
    make("c", "{\"kind\":\"ddp\",\"mesh\":{}}", "--change 'tensors/3/role=\"frozen\"'");
    expect(1, RESHARD_EMISMATCH, "h.0.seen: has another dtype, shape, placement or role");
}
END_TEST

/* --- the manifest ----------------------------------------------------------------------------- */

START_TEST(manifests_that_break_a_must_are_refused)
{
    static const struct {
        const char *change;
        const char *words;
    } cases[] = {
        {"layout/kind=\"fsdp3\"", "the kind is not"},
        {"layout/dim=0", "dim is no dimension, or 0"},
        {"layout/dim=-1", "dim is no dimension"},
        {"layout/forward=\"f32\"", "members that its kind does not have"},
        {"layout/more=1", "members that its kind does not have"},
        {"layout/mesh/depth=1", "no object of sizes"},
        {"layout/mesh/shard=0", "product of the mesh"},
        {"layout/mesh/expert=2", "product of the mesh"},
        {"layout/mesh=null", "members that its kind does not have, or lacks some"},
        {"layout/owner=1", "owner is no replicate coordinate"},
        {"layout/owner=-1", "owner is no coordinate"},
        {"layout/owner=\"balanced\"", "owner is no coordinate"},
        {"layout/tensors=[]", "no array of 1 to 4096"},
        {"layout/tensors={}", "no array of 1 to 4096"},
        {"layout/tensors/0/pattern=null", "a rule has no pattern"},
        {"layout/tensors/0/more=1", "members that rules do not have"},
        {"layout/tensors/0/replicate=0", "members that rules do not have"},
        {"layout/tensors/0={\"pattern\":\"x\"}", "says nothing"},
        {"layout/tensors/0/tensor=-1", "a setting is no dimension"},
        {"layout/tensors/0/tensor=\"part\"", "a setting is no dimension"},
        {"layout/tensors/0/expert={\"at\":0,\"of\":1}", "a setting is no dimension"},
        {"layout/tensors/0/expert={\"at\":-1}", "a setting is no dimension"},
        {"layout/tensors/0/expert={\"at\":1}", "is at expert coordinate 1"},
        {"layout/tensors/0/shard={\"at\":0}", "elsewhere than for pipeline and expert"},
        {"layout/tensors/0/pipeline=0", "cuts along pipeline"},
        {"layout/tensors/0/pipeline={\"of\":3}", "without {i}"},
        {"layout/tensors/0/tensor=2", "has no dimension 2"},
        {"layout/tensors/0/sections=[24]", "has not 2 to 16 sections"},
        {"layout/tensors/0/sections=[]", "2 to 16 sizes"},
        {"layout/tensors/0/sections=[8,0,16]", "empty section"},
        {"layout/tensors/0/sections=[8,-4,20]", "a section is no size"},
        {"layout/tensors/0/sections=[8,4,10]", "not together the 24 entries"},
        {"layout/tensors/0/sections=[7,5,12]", "no multiple of the 2"},
        {"layout/tensors/0/boxes={}", "boxes are no array"},
        {"layout/tensors/0/boxes=[{\"rank\":0,\"begin\":[0],\"end\":[1,2]}]", "as many dimensions"},
        {"layout/tensors/0/boxes=[{\"rank\":0,\"begin\":[0,0]}]", "as many dimensions"},
        {"layout/tensors/0/boxes=[{\"rank\":0,\"begin\":[0,0],\"end\":[24,4]}]",
         "element 4 is in none"},
        {"tensors/0/role=\"trained\"", "has one that is none"},
        {"tensors/0/role=\"\"", "has one that is none"},
        {"tensors/13/role=\"frozen\"", "is a slot with a role"},
        {"tensors/0/role=\"opaque\"", "not u8 of one dimension"},
        {"tensors/0/role=\"buffer\"", "no parameter of its name"},
        {"tensors/0/role=\"per_rank\"", "no parameter of its name"},
        {"tensors/10/role=\"per_rank\"", "per_rank with 11 rows, in a world of 4"},
        {"tensors/0/like=true", "no slot and has it"},
        {"tensors/0/more=1", "members that a tensor does not have"},
        {"ties/0/of=\"rng\"", "a parameter or buffer"},
        {"world=1048577", "no number of ranks"},
        {"world=3", "more files than ranks"},
    };
    char more[512];

    snprintf(more, sizeof more, "--change '%s'", cases[_i].change);
    make("c", fused, more);
    expect(4, RESHARD_EFORMAT, cases[_i].words);
}
END_TEST

enum { REFUSALS = 49 };

static Suite *suite(void)
{
    Suite *const all = suite_create("verify_layouts");
    TCase *const one = tcase_create("layouts");

    tcase_set_timeout(one, 100);
    tcase_add_checked_fixture(one, scripted_set_up, scripted_tear_down);
    tcase_add_loop_test(one, whole_checkpoints_of_any_layout_are_found_whole, 0, LAYOUTS);
    tcase_add_loop_test(one, files_of_another_layout_than_the_manifest_says_are_named, 0, 9);
    tcase_add_loop_test(one, data_that_were_cut_otherwise_than_said_differ_from_the_truth, 0, 2);
    tcase_add_test(one, a_piece_by_another_replica_is_named);
    tcase_add_test(one, damage_of_a_piece_that_is_not_contiguous_is_named_with_its_place);
    tcase_add_test(one, an_index_of_other_boxes_than_the_pieces_is_named);
    tcase_add_test(one, another_role_than_the_expected_one_is_named);
    tcase_add_loop_test(one, manifests_that_break_a_must_are_refused, 0, REFUSALS);
    suite_add_tcase(all, one);
    return all;
}

int main(void)
{
    SRunner *const runner = srunner_create(suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
