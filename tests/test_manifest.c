/*
 * The manifest: what is encoded is decoded, equal manifests are equal bytes, and a text that breaks
 * the format in any one place is refused with the member named. Method: a good manifest is changed
 * by replacing one text with another, and its CRC is made right again, so that the CRC does not
 * hide what the strict reader must see for itself.
 */
#include "core/digest.h"
#include "core/manifest.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAIL_BYTES = 32 };
static const char NAME[] = "step7/manifest.json";

static void add(struct reshard_model *model, const char *fqn, const char *unit,
                enum reshard_dtype dtype, struct reshard_shape shape)
{
    ck_assert_int_eq(reshard_model_add(model, fqn, unit, dtype, &shape, NULL), RESHARD_OK);
}

static struct reshard_model *make_model(void)
{
    struct reshard_model *model = NULL;
    const struct reshard_shape scalar = {0, {0}};
    const struct reshard_shape like = {2, {4, 4}};
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    add(model, "embed.weight", "", RESHARD_DTYPE_F32, like);
    add(model, "h.0.weight", "h.0", RESHARD_DTYPE_BF16, (struct reshard_shape){1, {10}});
    add(model, "h.\"0\"\\\n.\xc3\xa9", "h.0", RESHARD_DTYPE_BOOL,
        (struct reshard_shape){3, {0, 2, 1}});
    ck_assert_int_eq(reshard_model_add_slot(model, "embed.weight", "exp_avg", RESHARD_DTYPE_F32,
                                            &like, true, NULL),
                     RESHARD_OK);
    ck_assert_int_eq(reshard_model_add_slot(model, "embed.weight", "step", RESHARD_DTYPE_F32,
                                            &scalar, false, NULL),
                     RESHARD_OK);
    ck_assert_int_eq(reshard_model_tie(model, "head.weight", "embed.weight", NULL), RESHARD_OK);
    return model;
}

static struct reshard_groups *make_groups(void)
{
    const struct reshard_value lr = {.kind = RESHARD_VALUE_NUMBER, .number = 0.001};
    const struct reshard_value odd = {.kind = RESHARD_VALUE_STRING, .string = "\"\\\n\xc3\xa9"};
    struct reshard_groups *groups = NULL;
    ck_assert_int_eq(reshard_groups_open(&groups), RESHARD_OK);
    ck_assert(!reshard_groups_add(groups, "decay", NULL) &&
              !reshard_groups_add_member(groups, 0, "h.0.weight", NULL) &&
              !reshard_groups_add_member(groups, 0, "embed.weight", NULL) &&
              !reshard_groups_set(groups, 0, "lr", &lr, NULL) &&
              !reshard_groups_add(groups, "rest", NULL) &&
              !reshard_groups_set_entry(groups, "scheduler", "mode", &odd, NULL));
    return groups;
}

#define TOKEN "0123456789abcdef0123456789abcdef"
static struct reshard_note notes[] = {{"job", "17"}, {"code\n", "\"a\"\\\t\xc3\xa9"}};
static uint64_t digests[] = {1, 0x995dc9bbdf1939fa, 0, UINT64_MAX, 5};
static struct manifest_file files[] = {{"rank-00000.h5", 0, 20480, 0xabc},
                                       {"rank-00005.h5", 5, INT64_MAX, 0}};

static struct manifest make_manifest(void)
{
    return (struct manifest){.step = 7,
                             .world = 6,
                             .token = TOKEN,
                             .note_count = 2,
                             .note = notes,
                             .layout = {.kind = RESHARD_LAYOUT_FSDP1,
                                        .replicate = 2,
                                        .shard = 3,
                                        .orig_params = true,
                                        .forward = RESHARD_DTYPE_BF16},
                             .model = make_model(),
                             .digest = digests,
                             .file_count = 2,
                             .file = files,
                             .groups = make_groups()};
}

/* Encode, and free model and groups; the caller frees the text. */
static char *encode(struct manifest *manifest, size_t *bytes)
{
    char *text = NULL;
    ck_assert_int_eq(manifest_encode(manifest, &text, bytes), RESHARD_OK);
    ck_assert_uint_eq(strlen(text), *bytes);
    reshard_model_close(manifest->model);
    reshard_groups_close(manifest->groups);
    return text;
}

static char *encode_good(void)
{
    struct manifest manifest = make_manifest();
    size_t bytes;
    return encode(&manifest, &bytes);
}

static void make_crc_right(char *text)
{
    char tail[TAIL_BYTES + 1];
    const size_t covered = strlen(text) - TAIL_BYTES;
    (void)snprintf(tail, sizeof tail, "  \"crc64\": \"%016" PRIx64 "\"\n}\n",
                   digest_crc(0, text, covered));
    memcpy(text + covered, tail, TAIL_BYTES);
}

/* A copy of `text` with the first `from` replaced, and the CRC right. */
static char *with(const char *text, const char *from, const char *to)
{
    const char *const at = strstr(text, from);
    ck_assert_msg(at, "'%s' is not in the manifest", from);
    char *const changed = calloc(1, strlen(text) + strlen(to) + 1);
    ck_assert_ptr_nonnull(changed);
    memcpy(changed, text, (size_t)(at - text));
    strcat(changed, to);
    strcat(changed, at + strlen(from));
    make_crc_right(changed);
    return changed;
}

static void assert_refused(const char *text, size_t bytes, const char *reason)
{
    struct manifest manifest;
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(manifest_decode(&manifest, text, bytes, NAME, &error), RESHARD_EFORMAT);
    ck_assert_msg(strncmp(error.text, NAME, strlen(NAME)) == 0 && strstr(error.text, reason),
                  "'%s' should name the file and say '%s'", error.text, reason);
    ck_assert(!manifest.model && !manifest.digest && !manifest.file && !manifest.groups);
}

START_TEST(what_is_encoded_is_decoded)
{
    struct manifest again;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *const model = make_model();
    struct reshard_groups *const groups = make_groups();
    char *const text = encode_good();
    const enum reshard_status status = manifest_decode(&again, text, strlen(text), NAME, &error);
    ck_assert_msg(status == RESHARD_OK, "%s", error.text);
    ck_assert_uint_eq(again.step, 7);
    ck_assert_uint_eq(again.world, 6);
    ck_assert_str_eq(again.token, TOKEN);
    ck_assert_uint_eq(again.note_count, 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_str_eq(again.note[i].key, notes[i].key);
        ck_assert_str_eq(again.note[i].text, notes[i].text);
    }
    ck_assert_int_eq(again.layout.kind, RESHARD_LAYOUT_FSDP1);
    ck_assert(again.layout.replicate == 2 && again.layout.shard == 3 && again.layout.orig_params);
    ck_assert_int_eq(again.layout.forward, RESHARD_DTYPE_BF16);
    ck_assert_uint_eq(reshard_model_hash(again.model), reshard_model_hash(model));
    ck_assert_uint_eq(reshard_groups_hash(again.groups), reshard_groups_hash(groups));
    ck_assert_mem_eq(again.digest, digests, sizeof digests);
    ck_assert_uint_eq(again.file_count, 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_str_eq(again.file[i].name, files[i].name);
        ck_assert(again.file[i].writer == files[i].writer && again.file[i].seal == files[i].seal &&
                  again.file[i].bytes == files[i].bytes);
    }
    ck_assert_ptr_eq(manifest_find_file(&again, 5), &again.file[1]);
    ck_assert_ptr_null(manifest_find_file(&again, 4));
    ck_assert_ptr_null(manifest_find_file(&again, 6));
    manifest_release(&again);
    reshard_groups_close(groups);
    reshard_model_close(model);
    free(text);
}
END_TEST

START_TEST(a_decoded_manifest_encodes_to_the_same_bytes)
{
    static const struct reshard_layout_options layouts[] = {
        {.kind = RESHARD_LAYOUT_FSDP1,
         .replicate = 2,
         .shard = 3,
         .orig_params = true,
         .forward = RESHARD_DTYPE_BF16},
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = 6},
        {.kind = RESHARD_LAYOUT_FSDP2, .replicate = 1, .shard = 6},
        {.kind = RESHARD_LAYOUT_FSDP2, .replicate = 3, .shard = 2},
        {.kind = RESHARD_LAYOUT_DDP, .replicate = 6},
    };
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        struct manifest manifest = make_manifest();
        struct manifest again;
        size_t bytes;
        size_t again_bytes;
        char *again_text = NULL;
        manifest.layout = layouts[i];
        char *const text = encode(&manifest, &bytes);
        ck_assert_int_eq(manifest_decode(&again, text, bytes, NAME, NULL), RESHARD_OK);
        ck_assert_int_eq(manifest_encode(&again, &again_text, &again_bytes), RESHARD_OK);
        ck_assert_str_eq(again_text, text);
        manifest_release(&again);
        free(again_text);
        free(text);
    }
}
END_TEST

START_TEST(a_manifest_of_nothing_is_a_manifest)
{
    struct manifest manifest = {.world = 1, .token = TOKEN};
    struct manifest again;
    struct reshard_error error = RESHARD_ERROR_INIT;
    size_t bytes;
    ck_assert_int_eq(reshard_model_open(&manifest.model), RESHARD_OK);
    char *const text = encode(&manifest, &bytes);
    const enum reshard_status status = manifest_decode(&again, text, bytes, NAME, &error);
    ck_assert_msg(status == RESHARD_OK, "%s", error.text);
    ck_assert_uint_eq(again.file_count, 0);
    ck_assert_ptr_null(again.groups);
    ck_assert_ptr_null(strstr(text, "optimizer"));
    ck_assert_ptr_null(strstr(text, "notes"));
    ck_assert(!again.note && again.note_count == 0);
    manifest_release(&again);
    free(text);
}
END_TEST

START_TEST(token_and_notes_stand_after_the_world_as_specified)
{
    char *const text = encode_good();
    ck_assert_ptr_nonnull(strstr(text, "\n  \"version\": 2,\n  \"step\": 7,\n  \"world\": 6,\n"
                                       "  \"domains\": [\"" TOKEN "\"],\n"
                                       "  \"notes\": {\n    \"job\": \"17\",\n    \"code\\u000a\": "
                                       "\"\\\"a\\\"\\\\\\u0009\xc3\xa9\"\n  },\n  \"layout\": "));
    free(text);
}
END_TEST

START_TEST(an_entry_of_tensors_is_one_line_as_specified)
{
    char *const text = encode_good();
    ck_assert_ptr_nonnull(
        strstr(text, "\n    {\"fqn\": \"embed.weight\", \"slot\": \"exp_avg\", \"dtype\": \"f32\", "
                     "\"shape\": [4, 4], \"unit\": 0, \"like\": true, "
                     "\"digest\": \"ffffffffffffffff\"},\n"));
    free(text);
}
END_TEST

START_TEST(a_group_is_one_line_as_specified)
{
    char *const text = encode_good();
    ck_assert_ptr_nonnull(
        strstr(text, "\n  ],\n  \"optimizer\": {\"keys\": \"names\", \"groups\": [\n"
                     "    {\"name\": \"decay\", \"params\": [\"h.0.weight\", \"embed.weight\"], "
                     "\"values\": {\"lr\": 0.001}},\n"
                     "    {\"name\": \"rest\", \"params\": [], \"values\": {}}\n"
                     "  ], \"entries\": [\n"
                     "    {\"name\": \"scheduler\", \"values\": {\"mode\": "
                     "\"\\\"\\\\\\n\xc3\xa9\"}}\n"
                     "  ]},\n  \"files\": ["));
    free(text);
}
END_TEST

START_TEST(groups_without_anything_are_not_the_same_as_none)
{
    struct manifest manifest = make_manifest();
    struct manifest again;
    size_t bytes;
    reshard_groups_close(manifest.groups);
    ck_assert_int_eq(reshard_groups_open(&manifest.groups), RESHARD_OK);
    char *const text = encode(&manifest, &bytes);
    ck_assert_ptr_nonnull(strstr(
        text, "\n  \"optimizer\": {\"keys\": \"names\", \"groups\": [], \"entries\": []},\n"));
    ck_assert_int_eq(manifest_decode(&again, text, bytes, NAME, NULL), RESHARD_OK);
    ck_assert_ptr_nonnull(again.groups);
    manifest_release(&again);
    free(text);
}
END_TEST

/* Keyed by ids, the model's parameters are ids, and it may have others. */
START_TEST(groups_keyed_by_ids_are_of_a_model_keyed_by_ids)
{
    static const struct reshard_shape shape = {1, {3}};
    struct manifest_file file = {"rank-00000.h5", 0, 36, 7};
    struct manifest manifest = {
        .world = 1, .token = TOKEN, .digest = digests, .file = &file, .file_count = 1};
    struct manifest again;
    size_t bytes;
    ck_assert_int_eq(reshard_model_open(&manifest.model), RESHARD_OK);
    ck_assert_int_eq(reshard_groups_open(&manifest.groups), RESHARD_OK);
    add(manifest.model, "1", "", RESHARD_DTYPE_F32, shape);
    add(manifest.model, "w", "", RESHARD_DTYPE_F32, shape);
    add(manifest.model, "0", "", RESHARD_DTYPE_F32, shape);
    reshard_groups_set_keys(manifest.groups, RESHARD_KEYS_IDS);
    ck_assert(!reshard_groups_add(manifest.groups, "g", NULL) &&
              !reshard_groups_add_member(manifest.groups, 0, "0", NULL) &&
              !reshard_groups_add_member(manifest.groups, 0, "1", NULL));
    char *const text = encode(&manifest, &bytes);
    ck_assert_int_eq(manifest_decode(&again, text, bytes, NAME, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_groups_keys(again.groups), RESHARD_KEYS_IDS);
    manifest_release(&again);
    char *const changed = with(text, "[\"0\", \"1\"]", "[\"1\", \"0\"]");
    assert_refused(changed, strlen(changed), "optimizer.groups: Invalid parameter keys: '1'");
    free(changed);
    free(text);
}
END_TEST

START_TEST(what_no_manifest_may_say_is_not_encoded)
{
    char *text;
    size_t bytes;
    for (int i = 0; i < 10; i++) {
        struct manifest manifest = make_manifest();
        struct manifest_file bad[] = {files[0], files[1]};
        manifest.file = bad;
        if (i == 0)
            manifest.world = 5;
        else if (i == 1)
            manifest.step = (uint64_t)INT64_MAX + 1;
        else if (i == 2)
            bad[1] = bad[0];
        else if (i == 3)
            bad[1].name[6] = '1';
        else if (i == 4)
            manifest.layout = (struct reshard_layout_options){
                .kind = RESHARD_LAYOUT_DDP, .replicate = 2, .shard = 3};
        else if (i == 5)
            bad[0].bytes = 0;
        else if (i == 8)
            manifest.token[0] = '\0';
        else if (i == 9)
            manifest.token[31] = 'A';
        else if (i == 6)
            ck_assert(!reshard_groups_add_member(manifest.groups, 1, "none", NULL));
        else
            reshard_groups_set_keys(manifest.groups, RESHARD_KEYS_IDS);
        ck_assert_msg(manifest_encode(&manifest, &text, &bytes) == RESHARD_EINVAL, "case %d", i);
        reshard_groups_close(manifest.groups);
        reshard_model_close(manifest.model);
    }
}
END_TEST

START_TEST(no_flipped_bit_is_believed)
{
    char *const text = encode_good();
    const size_t bytes = strlen(text);
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        struct manifest manifest;
        text[bit / 8] ^= (char)(1 << bit % 8);
        ck_assert_msg(manifest_decode(&manifest, text, bytes, NAME, NULL) == RESHARD_EFORMAT,
                      "bit %zu", bit);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(text);
}
END_TEST

START_TEST(no_shortened_manifest_is_believed)
{
    char *const text = encode_good();
    for (size_t bytes = 0; bytes < strlen(text); bytes++)
        assert_refused(text, bytes, "crc64");
    free(text);
}
END_TEST

static const struct {
    const char *from;
    const char *to;
    const char *reason;
} hostile[] = {
    {"\"format\": \"reshard\"", "\"format\": \"other\"", "format: 'other'"},
    {"\"format\": \"reshard\",", "", "format: a string is needed"},
    {"\"version\": 2", "\"version\": 1", "version: version 1; this release reads version 2"},
    {"\"version\": 2", "\"version\": 3", "version 3 is newer than this release reads (2)"},
    {"\"version\": 2", "\"version\": \"2\"", "version: an integer"},
    {"\"version\": 2", "\"version\": 2.0", "version: an integer"},
    {"\"domains\"", "\"domain\"", "domain: no such member in version 2"},
    {"  \"domains\": [\"" TOKEN "\"],\n", "", "domains: an array is needed"},
    {"[\"" TOKEN "\"]", "[]", "domains: 0 of them; this release reads checkpoints of one"},
    {"[\"" TOKEN "\"]", "[\"" TOKEN "\", \"" TOKEN "\"]", "domains: 2 of them"},
    {"[\"" TOKEN "\"]", "[7]", "domains: a string of 32 lower-case"},
    {"[\"0", "[\"", "domains: a string of 32 lower-case"},
    {"[\"0", "[\"00", "domains: a string of 32 lower-case"},
    {"[\"0123456789a", "[\"0123456789A", "domains: a string of 32 lower-case"},
    {"\"notes\": {", "\"notes\": [], \"x\": {", "x: no such member"},
    {"\"job\": \"17\"", "\"job\": 17", "notes: 'job' is no string"},
    {"\"job\": \"17\"", "\"\": \"17\"", "notes: the name of a note is empty"},
    {"\"job\": \"17\"", "\"job\": \"17\", \"job\": \"18\"", "duplicate"},
    {"\"job\": \"17\"", "\"job\": \"1\\u00007\"", "line"},
    {"\"step\": 7", "\"step\": -1", "step: an integer of at least 0"},
    {"\"step\": 7", "\"step\": 9223372036854775808", "line 4"},
    {"\"step\": 7", "\"step\": 7, \"step\": 7", "duplicate"},
    {"\"step\": 7", "\"stop\": 7", "stop: no such member"},
    {"\"step\": 7,", "", "step: an integer"},
    {"\"world\": 6", "\"world\": 0", "world: an integer of at least 1"},
    {"\"world\": 6", "\"world\": 5", "world: 5, but layout.mesh has 6 ranks"},
    {"\"replicate\": 2", "\"replicate\": 6148914691236517206", "layout.mesh"},
    {"\"shard\": 3", "\"shard\": 0", "layout.mesh.shard: an integer of at least 1"},
    {"\"shard\": 3", "\"shards\": 3", "layout.mesh.shards: no such member"},
    {"\"kind\": \"fsdp1\"", "\"kind\": \"fsdp3\"", "layout.kind: 'fsdp3' is no layout"},
    {"\"kind\": \"fsdp1\"", "\"kind\": \"fsdp2\"", "no such member"},
    {", \"orig_params\": true, \"forward\": \"bf16\"", "", "layout.orig_params: true or false"},
    {", \"forward\": \"bf16\"", "", "layout.forward: a string is needed"},
    {"\"forward\": \"bf16\"", "\"forward\": \"bf17\"", "layout.forward: 'bf17' is no dtype"},
    {"\"kind\": \"fsdp1\", \"mesh\": {\"replicate\": 2, \"shard\": 3}, \"orig_params\": true, "
     "\"forward\": \"bf16\"",
     "\"kind\": \"ddp\", \"mesh\": {\"replicate\": 2, \"shard\": 3}",
     "layout.mesh.shard: ddp shards nothing"},
    {"    \"\",\n", "", "units[0]: the first unit"},
    {"    \"\",\n    \"h.0\"\n", "", "units: must begin with"},
    {"\"h.0\"\n", "\"h.0\", \"h.0\"\n", "units[2]: 'h.0' is there twice or has no tensor"},
    {"\"h.0\"\n", "\"h.0\", \"h.1\"\n", "units[2]: 'h.1' is there twice or has no tensor"},
    {"\"h.0\"\n", "7\n", "units[1]: a string is needed"},
    {"\"tensors\": [", "\"tensors\": [3, ", "tensors[0]: must be an object"},
    {"\"fqn\": \"h.0.weight\"", "\"fqn\": \"\"", "tensors[1]: "},
    {"\"fqn\": \"h.0.weight\"", "\"fqn\": \"a\\u0000b\"", "line"},
    {"\"fqn\": \"h.0.weight\"", "\"fqn\": \"\xff\"", "unable to decode byte 0xff"},
    {"\"fqn\": \"h.0.weight\"", "\"fqn\": \"embed.weight\"", "tensors[1]: "},
    {"\"fqn\": \"h.0.weight\"", "\"name\": \"h.0.weight\"", "tensors[1].name: no such member"},
    {"\"dtype\": \"bf16\"", "\"dtype\": \"float\"", "tensors[1].dtype: 'float' is no dtype"},
    {"\"shape\": [10]", "\"shape\": [-1]", "tensors[1].shape: entry 0 must be an integer"},
    {"\"shape\": [10]", "\"shape\": 10", "tensors[1].shape: an array is needed"},
    {"\"shape\": [10]", "\"shape\": [1,1,1,1,1,1,1,1,1]", "tensors[1].shape: 9 dimensions"},
    {"\"shape\": [10]", "\"shape\": [4611686018427387904, 4]", "tensors[1]: "},
    {"\"unit\": 1", "\"unit\": 2", "tensors[1].unit: 2, but there are 2 units"},
    {"\"unit\": 0, \"like\"", "\"unit\": 1, \"like\"", "tensors[3].unit: 1, but 0 is needed"},
    {"\"unit\": 0, \"digest\"", "\"unit\": 0, \"like\": true, \"digest\"",
     "tensors[0].like: only an entry with a slot"},
    {"\"slot\": \"step\"", "\"slot\": \"\"", "tensors[4].slot: must not be empty"},
    {"\"slot\": \"step\"", "\"slot\": \"exp_avg\"", "tensors[4]: "},
    {"\"like\": true, ", "", "tensors[3].like: true or false is needed"},
    {"\"like\": false", "\"like\": true", "tensors[4]"},
    {"{\"fqn\": \"embed.weight\", \"slot\": \"step\"", "{\"fqn\": \"none\", \"slot\": \"step\"",
     "tensors[4]: "},
    {"0000000000000001", "000000000000001", "tensors[0].digest: a string of 16"},
    {"995dc9bbdf1939fa", "995DC9BBDF1939FA", "tensors[1].digest: a string of 16 lower-case"},
    {"\"of\": \"embed.weight\"", "\"of\": \"none\"", "ties[0]: "},
    {"\"alias\": \"head.weight\"", "\"alias\": \"h.0.weight\"", "ties[0]: "},
    {"\"name\": \"rank-00005.h5\"", "\"name\": \"../x\"", "files[1].name: '../x', but writer 5's"},
    {"\"writer\": 5", "\"writer\": 6", "files[1].writer: 6, but only 6 ranks saved"},
    {"\"rank-00005.h5\", \"writer\": 5", "\"rank-00000.h5\", \"writer\": 0",
     "files[1].writer: files must be listed by rising writer"},
    {"\"bytes\": 20480", "\"bytes\": 0", "files[0].bytes: an integer of at least 1"},
    {"0000000000000abc", "0000000000000abg", "files[0].seal: a string of 16"},
    {"\"ties\": [", "\"ties\": {", "line"},
    {"\"optimizer\": {", "\"optimizer\": [], \"x\": {", "x: no such member"},
    {"\"optimizer\": {\"keys\": \"names\", ", "\"optimizer\": {", "optimizer.keys: is not there"},
    {"\"keys\": \"names\"", "\"keys\": \"ids\"", "optimizer.groups: Invalid parameter keys"},
    {"{\"lr\": 0.001}", "{\"lr\": {\"f64\": 0}}", "optimizer.groups[0].values.lr: no value but"},
    {"{\"lr\": 0.001}", "{\"lr\": 0.001, \"lr\": 0.001}", "duplicate"},
    {"{\"lr\": 0.001}", "{\"lr\": 1e999}", "real number overflow"},
    {"{\"lr\": 0.001}", "{\"lr\": 9223372036854775808}", "too big integer"},
    {"\"lr\": 0.001", "\"l\\u0000r\": 0.001", "line"},
    {"\"name\": \"rest\"", "\"name\": \"decay\"", "optimizer.groups[1].name: the group 'decay'"},
    {"\"params\": []", "\"params\": [\"embed.weight\"]",
     "optimizer.groups[1].params[0]: 'embed.weight' is in group 'decay' already"},
    {"\"params\": []", "\"params\": [\"none\"]",
     "optimizer.groups: 'none' of group 'rest' is unknown to the model"},
    {"\"params\": []", "\"params\": [\"head.weight\"]",
     "optimizer.groups: 'head.weight' of group 'rest' is a second name of 'embed.weight'"},
    {"\"shape\": [10], \"unit\": 1, ", "\"shape\": [10], \"unit\": 1, \"role\": \"buffer\", ",
     "optimizer.groups: 'h.0.weight' of group 'decay' is no parameter: its role is buffer"},
};

/* Notes of that many, the last one with a key and a text of so many bytes. */
static enum reshard_status encode_notes(uint64_t count, size_t key_bytes, size_t text_bytes,
                                        char **text)
{
    struct manifest manifest = {.world = 1, .token = TOKEN, .note_count = count};
    char keys[300][8];
    char *const key = calloc(1, key_bytes + 1);
    char *const last = calloc(1, text_bytes + 1);
    size_t bytes;
    ck_assert(key && last && count <= 300);
    manifest.note = calloc(count, sizeof *manifest.note);
    ck_assert(manifest.note && !reshard_model_open(&manifest.model));
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%zu", i);
        manifest.note[i] = (struct reshard_note){keys[i], ""};
    }
    manifest.note[count - 1] =
        (struct reshard_note){memset(key, 'k', key_bytes), memset(last, 't', text_bytes)};
    const enum reshard_status status = manifest_encode(&manifest, text, &bytes);
    reshard_model_close(manifest.model);
    free(manifest.note);
    free(last);
    free(key);
    return status;
}

START_TEST(notes_beyond_their_limits_are_refused_on_both_sides)
{
    static const struct {
        uint64_t count;
        size_t key, text;
        bool good;
    } cases[] = {{256, 1023, 65535, true},
                 {257, 1, 1, false},
                 {1, 1024, 1, false},
                 {1, 0, 1, false},
                 {1, 1, 65536, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct manifest again;
        char *text = NULL;
        const enum reshard_status status =
            encode_notes(cases[i].count, cases[i].key, cases[i].text, &text);
        ck_assert_int_eq(status, cases[i].good ? RESHARD_OK : RESHARD_EINVAL);
        if (!cases[i].good)
            continue;
        ck_assert_int_eq(manifest_decode(&again, text, strlen(text), NAME, NULL), RESHARD_OK);
        ck_assert_uint_eq(strlen(again.note[255].text), 65535);
        manifest_release(&again);
        /* One byte more than the last text may have, and one note more than there may be. */
        char *const longer = with(text, "\": \"tt", "\": \"ttt");
        assert_refused(longer, strlen(longer), "has 65536 bytes; at most 65535");
        char *const more = with(text, "\"notes\": {", "\"notes\": {\"x\": \"\", ");
        assert_refused(more, strlen(more), "notes: 257 of them; at most 256");
        free(more);
        free(longer);
        free(text);
    }
}
END_TEST

START_TEST(a_whole_manifest_of_another_version_is_told_from_a_damaged_one)
{
    struct manifest manifest;
    char *const text = encode_good();
    char *const newer = with(text, "\"version\": 2", "\"version\": 3");
    char *const bad = with(text, "\"step\": 7", "\"step\": -7");
    ck_assert_int_eq(manifest_decode(&manifest, newer, strlen(newer), NAME, NULL), RESHARD_EFORMAT);
    ck_assert(manifest.foreign);
    newer[strlen(newer) - TAIL_BYTES - 1] ^= 1; /* not by its CRC: nobody knows what it was */
    ck_assert_int_eq(manifest_decode(&manifest, newer, strlen(newer), NAME, NULL), RESHARD_EFORMAT);
    ck_assert(!manifest.foreign);
    ck_assert_int_eq(manifest_decode(&manifest, bad, strlen(bad), NAME, NULL), RESHARD_EFORMAT);
    ck_assert(!manifest.foreign);
    free(bad);
    free(newer);
    free(text);
}
END_TEST

START_TEST(tensors_that_no_file_could_hold_are_refused)
{
    char *const text = encode_good();
    char *const small = with(text, "\"bytes\": 9223372036854775807", "\"bytes\": 1");
    char *const vast = with(small, "\"shape\": [10]", "\"shape\": [2305843009213693952]");
    struct manifest again;
    ck_assert_int_eq(manifest_decode(&again, small, strlen(small), NAME, NULL), RESHARD_OK);
    manifest_release(&again);
    assert_refused(vast, strlen(vast), "files: all together have fewer bytes than the tensors");
    free(vast);
    free(small);
    free(text);
}
END_TEST

START_TEST(each_break_of_the_format_is_refused_with_its_member)
{
    char *const text = encode_good();
    char *const changed = with(text, hostile[_i].from, hostile[_i].to);
    assert_refused(changed, strlen(changed), hostile[_i].reason);
    free(changed);
    free(text);
}
END_TEST

START_TEST(a_wrong_crc_is_told_before_the_json_is_read)
{
    char *const text = encode_good();
    memcpy(text, "nonsense", 8);
    assert_refused(text, strlen(text), "crc64: says");
    make_crc_right(text);
    assert_refused(text, strlen(text), "line 1");
    free(text);
}
END_TEST

START_TEST(file_names_have_five_digits_or_more)
{
    char name[MANIFEST_NAME_BYTES];
    manifest_file_name(0, name);
    ck_assert_str_eq(name, "rank-00000.h5");
    manifest_file_name(INT32_MAX, name);
    ck_assert_str_eq(name, "rank-2147483647.h5");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("manifest");
    TCase *const texts = tcase_create("texts");
    tcase_add_test(texts, what_is_encoded_is_decoded);
    tcase_add_test(texts, a_decoded_manifest_encodes_to_the_same_bytes);
    tcase_add_test(texts, a_manifest_of_nothing_is_a_manifest);
    tcase_add_test(texts, token_and_notes_stand_after_the_world_as_specified);
    tcase_add_test(texts, notes_beyond_their_limits_are_refused_on_both_sides);
    tcase_add_test(texts, a_whole_manifest_of_another_version_is_told_from_a_damaged_one);
    tcase_add_test(texts, an_entry_of_tensors_is_one_line_as_specified);
    tcase_add_test(texts, a_group_is_one_line_as_specified);
    tcase_add_test(texts, groups_without_anything_are_not_the_same_as_none);
    tcase_add_test(texts, groups_keyed_by_ids_are_of_a_model_keyed_by_ids);
    tcase_add_test(texts, what_no_manifest_may_say_is_not_encoded);
    tcase_add_test(texts, no_flipped_bit_is_believed);
    tcase_add_test(texts, no_shortened_manifest_is_believed);
    tcase_add_test(texts, tensors_that_no_file_could_hold_are_refused);
    tcase_add_loop_test(texts, each_break_of_the_format_is_refused_with_its_member, 0,
                        (int)(sizeof hostile / sizeof *hostile));
    tcase_add_test(texts, a_wrong_crc_is_told_before_the_json_is_read);
    tcase_add_test(texts, file_names_have_five_digits_or_more);
    suite_add_tcase(suite, texts);
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
