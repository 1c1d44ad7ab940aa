/*
 * The verifier on files, of plain layouts (those of any kind are test_verify_layouts.c's).
 * Checkpoints come from tests/make_checkpoint.py, a third implementation of FORMAT.md and
 * TRAINING.md; faults are planted one by one, and each must be named. The interpreter is $PYTHON,
 * the script lies beside this file.
 */
#include "support/scripted.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512, TENSORS_MAX = 40, STEP = 3 };

static struct verify_tensor tensors[TENSORS_MAX];
static struct verify_inventory inventory = {0, tensors, 4};

static void add(const char *fqn, enum reshard_dtype dtype, uint32_t ndim, const uint64_t *shape,
                uint32_t unit)
{
    struct verify_tensor *tensor = &tensors[inventory.tensor_count];

    *tensor = (struct verify_tensor){
        .fqn = fqn, .slot = "", .dtype = dtype, .ndim = ndim, .unit = unit, .like = true};
    for (uint32_t d = 0; d < ndim; ++d)
        tensor->shape[d] = shape[d];
    tensor->parameter = inventory.tensor_count++;
}

static void add_slots(uint32_t parameter)
{
    static const char *const names[] = {"exp_avg", "exp_avg_sq", "step"};

    for (int i = 0; i < 3; ++i) {
        struct verify_tensor slot = tensors[parameter];

        slot.slot = names[i];
        slot.dtype = RESHARD_DTYPE_F32;
        slot.like = i < 2;
        slot.ndim = slot.like ? slot.ndim : 0;
        if (!slot.like)
            memset(slot.shape, 0, sizeof slot.shape);
        tensors[inventory.tensor_count++] = slot;
    }
}

/* The script's model. */
static void make_inventory(void)
{
    inventory.tensor_count = 0;
    add("wte.weight", RESHARD_DTYPE_F32, 2, (const uint64_t[]){7, 5}, 0);
    add("scale", RESHARD_DTYPE_F32, 0, NULL, 0);
    add("ids", RESHARD_DTYPE_I64, 1, (const uint64_t[]){5}, 0);
    add("mask", RESHARD_DTYPE_BOOL, 2, (const uint64_t[]){4, 3}, 0);
    add("phase", RESHARD_DTYPE_C128, 1, (const uint64_t[]){3}, 0);
    add("h.0.weight", RESHARD_DTYPE_F32, 3, (const uint64_t[]){6, 4, 3}, 1);
    add("h.0.none", RESHARD_DTYPE_F32, 2, (const uint64_t[]){0, 4}, 1);
    add("h.0.bias", RESHARD_DTYPE_F32, 1, (const uint64_t[]){3}, 1);
    add("head.weight", RESHARD_DTYPE_BF16, 2, (const uint64_t[]){9, 4}, 2);
    add("wide", RESHARD_DTYPE_F16, 2, (const uint64_t[]){1, 17}, 3);
    for (uint32_t t = 0; t < 10; ++t) {
        if (reshard_dtype_kind(tensors[t].dtype) == RESHARD_KIND_FLOAT)
            add_slots(t);
    }
}

static void set_up(void)
{
    scripted_set_up();
    make_inventory();
}

static struct verify_report judge(const char *name, uint64_t step, const char *against)
{
    return scripted_judge(name, &inventory, step, against);
}

static void expect_clean(const char *name)
{
    struct verify_report report = judge(name, STEP, NULL);

    ck_assert_uint_eq(report.finding_total, 0);
    ck_assert_uint_eq(report.tensor_count, inventory.tensor_count);
    ck_assert_uint_eq(report.elements, 519);
    verify_report_close(&report);
}

/* The status, and a finding whose line has these words. */
static void expect(const char *name, enum reshard_status status, const char *words)
{
    struct verify_report report = judge(name, STEP, NULL);
    char line[4096];
    bool found = false;

    ck_assert_str_eq(reshard_status_name(report.status), reshard_status_name(status));
    for (uint32_t f = 0; f < report.finding_count; ++f) {
        verify_finding_line(&report.finding[f], line, sizeof line);
        found = found || strstr(line, words);
    }
    ck_assert_msg(found, "no finding says: %s", words);
    verify_report_close(&report);
}

/* Just one finding: this. */
static void expect_one(const char *name, enum reshard_status status, const char *words)
{
    const struct verify_files_options options = {.threads = 2};
    char directory[2 * PATH_BYTES];
    struct verify_report report;
    char line[4096];

    snprintf(directory, sizeof directory, "%s/%s", scripted_home, name);
    ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
    ck_assert_int_eq(verify_files(directory, &options, &report, NULL), status);
    ck_assert_int_eq(verify_report_print(&report, stdout), RESHARD_OK);
    ck_assert_uint_eq(report.finding_total, 1);
    verify_finding_line(&report.finding[0], line, sizeof line);
    ck_assert_msg(strstr(line, words), "%s", line);
    verify_report_close(&report);
}

/* Flip one bit of a file of `scripted_home`. */
static void flip(const char *name, long position)
{
    char path[2 * PATH_BYTES];
    unsigned char byte;
    int fd;

    snprintf(path, sizeof path, "%s/%s", scripted_home, name);
    fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, position), 1);
    byte ^= 0x10;
    ck_assert_int_eq(pwrite(fd, &byte, 1, position), 1);
    close(fd);
}

/* Where these bytes first lie in a file of `scripted_home`. */
static long find(const char *name, const void *bytes, size_t count)
{
    char path[2 * PATH_BYTES];
    struct stat about;
    char *all;
    char *at;
    long position;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", scripted_home, name);
    file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fstat(fileno(file), &about), 0);
    all = malloc((size_t)about.st_size);
    ck_assert_uint_eq(fread(all, 1, (size_t)about.st_size, file), (size_t)about.st_size);
    at = memmem(all, (size_t)about.st_size, bytes, count);
    ck_assert_ptr_nonnull(at);
    position = at - all;
    free(all);
    fclose(file);
    return position;
}

START_TEST(whole_checkpoints_of_every_layout_are_found_whole)
{
    static const char *const layouts[] = {
        "--layout fsdp2 --shard 1",
        "--layout fsdp2 --shard 4",
        "--layout fsdp2 --shard 8",
        "--layout fsdp2 --replicate 2 --shard 3",
        "--layout fsdp1 --shard 3",
        "--layout fsdp1 --shard 5",
        "--layout fsdp1 --shard 4 --orig-params",
        "--layout fsdp1 --replicate 2 --shard 4 --orig-params --forward bf16",
        "--layout fsdp1 --shard 40",
        "--layout ddp --replicate 4",
    };

    scripted_checkpoint("c", layouts[_i]);
    expect_clean("c");
}
END_TEST

START_TEST(faults_that_are_consistent_in_themselves_are_seen)
{
    static const struct {
        const char *fault;
        const char *layout;
        enum reshard_status status;
        const char *words;
    } cases[] = {
        {"swapped-pieces", "fsdp2", RESHARD_EFORMAT, "by rank 0 comes here"},
        {"swapped-pieces", "fsdp1", RESHARD_EFORMAT, "by rank 0 comes here"},
        {"overlap", "fsdp2", RESHARD_ECOVER, "elements from 10 on are in rank-00000.h5 too"},
        {"overlap", "fsdp1", RESHARD_ECOVER, "too"},
        {"hole", "fsdp2", RESHARD_ECOVER, "elements 5 to 9 are in no readable file"},
        {"moved-bound", "fsdp2", RESHARD_EFORMAT, "by the layout [0, 0] to [2, 5] by rank 0"},
        {"missing-shard", "fsdp2", RESHARD_ECOVER, "are in no readable file"},
        {"relabelled", "fsdp2", RESHARD_EFORMAT, "as bf16; dtype and shape are not the manifest's"},
        {"swapped-data", "fsdp2", RESHARD_EMISMATCH, "20 elements differ: not the state"},
    };
    char arguments[PATH_BYTES];

    snprintf(arguments, sizeof arguments, "--layout %s --shard 4 --fault %s", cases[_i].layout,
             cases[_i].fault);
    scripted_checkpoint("c", arguments);
    expect("c", cases[_i].status, cases[_i].words);
}
END_TEST

START_TEST(a_gap_blames_no_neighbour)
{
    struct verify_report report;

    scripted_checkpoint("c", "--layout fsdp2 --shard 4 --fault hole");
    report = judge("c", STEP, NULL);
    for (uint32_t f = 0; f < report.finding_count; ++f) {
        if (strstr(report.finding[f].text, "in no readable file"))
            ck_assert_str_eq(report.finding[f].file, "");
    }
    verify_report_close(&report);
}
END_TEST

START_TEST(files_of_two_ranks_that_change_names_are_seen)
{
    scripted_checkpoint("c", "--shard 4");
    scripted_run(
        "cd %s/c && mv rank-00000.h5 x && mv rank-00001.h5 rank-00000.h5 && mv x rank-00001.h5",
        scripted_home);
    expect("c", RESHARD_EFORMAT, "rank-00000.h5: ");
}
END_TEST

START_TEST(a_file_of_another_step_is_named)
{
    scripted_checkpoint("c", "--shard 4");
    scripted_checkpoint("d", "--shard 4 --step 4");
    scripted_run("cp %s/d/rank-00001.h5 %s/c/", scripted_home, scripted_home);
    expect("c", RESHARD_EMISMATCH, "rank-00001.h5: is of another save: step 4 by rank 1 of 4");
}
END_TEST

START_TEST(a_truncated_file_and_a_lost_file_are_named)
{
    scripted_checkpoint("c", "--shard 4");
    scripted_run("truncate -s -1 %s/c/rank-00001.h5 && rm %s/c/rank-00002.h5", scripted_home,
                 scripted_home);
    expect("c", RESHARD_EFORMAT, "rank-00001.h5: has ");
    expect("c", RESHARD_EFORMAT, "ENOENT: rank-00002.h5: is missing");
}
END_TEST

START_TEST(a_stray_file_of_a_larger_world_is_named)
{
    scripted_checkpoint("c", "--shard 4");
    scripted_run("cp %s/c/rank-00001.h5 %s/c/rank-00007.h5", scripted_home, scripted_home);
    expect("c", RESHARD_EFORMAT, "rank-00007.h5: is not in the manifest");
}
END_TEST

/* The value of wte.weight[2, 0] after training, the first element of rank 1's file. */
static long first_element_of_rank_1(void)
{
    struct verify_oracle *oracle = scripted_oracle(&inventory, STEP);
    struct verify_block *block;
    long position;

    ck_assert_int_eq(verify_block_open(&block), RESHARD_OK);
    verify_oracle_fill(oracle, block, 0, 0, 35);
    position = find("c/rank-00001.h5",
                    (const char *)verify_block_values(oracle, block, 0) + 10 * sizeof(float), 8);
    verify_block_close(block);
    verify_oracle_close(oracle);
    return position;
}

START_TEST(a_flipped_bit_of_an_arena_is_named_with_file_range_and_index)
{
    scripted_checkpoint("c", "--shard 4");
    flip("c/rank-00001.h5", first_element_of_rank_1() + 5);
    expect("c", RESHARD_EDIGEST, "wte.weight: elements [2, 0] to [4, 5] contribute");
    expect("c", RESHARD_EDIGEST, "wte.weight: [2, 1] is 0x");
    expect("c", RESHARD_EDIGEST, "wte.weight: its bytes have digest");
}
END_TEST

START_TEST(a_flipped_bit_behind_the_last_piece_is_named)
{
    scripted_checkpoint("c", "--shard 4");
    flip("c/rank-00001.h5", first_element_of_rank_1() / 4096 * 4096 + 4095);
    expect_one("c", RESHARD_EFORMAT, "behind the last piece of /arena/f32, is not zero");
}
END_TEST

START_TEST(a_flipped_bit_of_the_head_is_named_and_costs_no_data)
{
    struct verify_report report;

    scripted_checkpoint("c", "--shard 4");
    flip("c/rank-00001.h5", 60);
    expect_one("c", RESHARD_EDIGEST, "rank-00001.h5: its head, HDF5's own bytes");
    report = judge("c", STEP, NULL);
    ck_assert_uint_eq(report.elements, 519);
    verify_report_close(&report);
}
END_TEST

START_TEST(a_missing_file_is_one_line_with_what_is_lost)
{
    scripted_checkpoint("c", "--shard 8");
    scripted_run("rm %s/c/rank-00001.h5", scripted_home);
    expect_one("c", RESHARD_ENOENT,
               "ENOENT: rank-00001.h5: is missing: what it must have of 17 tensors, 331 bytes, "
               "is lost");
}
END_TEST

/* Contributions of what is left are held against the bytes all the same. */
START_TEST(damage_beside_a_missing_file_is_seen)
{
    scripted_checkpoint("c", "--shard 4");
    flip("c/rank-00001.h5", first_element_of_rank_1() + 5);
    scripted_run("rm %s/c/rank-00002.h5", scripted_home);
    expect("c", RESHARD_EDIGEST, "wte.weight: elements [2, 0] to [4, 5] contribute");
    expect("c", RESHARD_EDIGEST, "ENOENT: rank-00002.h5: is missing");
}
END_TEST

/* What a file that is lost does not explain is a finding of its own. */
START_TEST(faults_of_layout_beside_a_missing_file_are_seen)
{
    scripted_checkpoint("c", "--layout fsdp2 --shard 4 --fault hole");
    scripted_run("rm %s/c/rank-00002.h5", scripted_home);
    expect("c", RESHARD_EFORMAT,
           "wte.weight: the piece is [0, 0] to [1, 5] by rank 0; by the layout [0, 0] to [2, 5]");
    expect("c", RESHARD_EFORMAT, "ENOENT: rank-00002.h5: is missing");
    scripted_checkpoint("d", "--layout fsdp2 --shard 4 --fault missing-shard");
    scripted_run("rm %s/d/rank-00002.h5", scripted_home);
    expect("d", RESHARD_ECOVER, "wte.weight: elements 30 to 34 are in no readable file");
    expect("d", RESHARD_ECOVER, "ENOENT: rank-00002.h5: is missing");
}
END_TEST

START_TEST(entries_that_are_no_regular_files_are_named_for_what_they_are)
{
    static const char *const entries[] = {"manifest.json", "token", "rank-00001.h5", "index.h5"};
    static const struct {
        const char *make; /* from x, where the file has gone */
        const char *kind;
    } cases[] = {
        {"ln -s x %s", "a symbolic link"},
        {"ln -s nowhere %s", "a symbolic link"},
        {"mkfifo %s", "a FIFO"},
        {"mkdir %s", "a directory"},
        {"mknod %s c 1 5", "a device"},
        {"python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('%s')\"", "a socket"},
    };
    char words[PATH_BYTES];
    char make[PATH_BYTES];

    scripted_checkpoint("c", "--shard 4 --index");
    for (size_t e = 0; e < sizeof entries / sizeof *entries; ++e) {
        if (_i == 4 && geteuid() != 0)
            return; /* who may not make a device */
        snprintf(make, sizeof make, cases[_i].make, entries[e]);
        scripted_run("cd %s/c && mv %s x && %s", scripted_home, entries[e], make);
        snprintf(words, sizeof words, "%s: is not a regular file, but %s", entries[e],
                 cases[_i].kind);
        expect("c", RESHARD_EFORMAT, words);
        scripted_run("cd %s/c && rm -rf %s && mv x %s", scripted_home, entries[e], entries[e]);
    }
    expect_clean("c");
}
END_TEST

static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Each test is a process of its own. */
START_TEST(many_files_need_few_descriptors)
{
    scripted_checkpoint("c", "--layout fsdp1 --shard 40 --index");
    limit_descriptors(16);
    expect_clean("c");
}
END_TEST

START_TEST(a_missing_descriptor_is_no_damage)
{
    scripted_checkpoint("c", "--shard 4");
    limit_descriptors(3);
    expect_one("c", RESHARD_EIO, "cannot be read: Too many open files");
    limit_descriptors(64); /* for the shell that removes it all */
}
END_TEST

START_TEST(the_directory_itself_may_be_a_link)
{
    scripted_checkpoint("d", "--shard 4");
    scripted_run("ln -s d %s/c", scripted_home);
    expect_clean("c");
}
END_TEST

START_TEST(the_token_file_is_held_against_the_manifest)
{
    static const struct {
        const char *change;
        enum reshard_status status;
        const char *words;
    } cases[] = {
        {"rm token", RESHARD_ENOENT, "token: is missing"},
        {"sed -i 1s/^0/1/ token", RESHARD_EMISMATCH, "token: its first line is not the manifest's"},
        {"truncate -s 32 token", RESHARD_EMISMATCH, "token: its first line is not"},
        {"truncate -s 0 token", RESHARD_EMISMATCH, "token: its first line is not"},
        {"sed -i '1s/$/ /' token", RESHARD_EMISMATCH, "token: its first line is not"},
        {"sed -i 2d token", RESHARD_OK, NULL},
        {"touch .index.0123456789abcdef0123456789abcdef.partial notes.txt", RESHARD_OK, NULL},
    };

    scripted_checkpoint("c", "--shard 4");
    scripted_run("cd %s/c && %s", scripted_home, cases[_i].change);
    if (cases[_i].words)
        expect_one("c", cases[_i].status, cases[_i].words);
    else
        expect_clean("c");
}
END_TEST

START_TEST(a_file_of_another_save_of_the_same_step_is_named)
{
    scripted_checkpoint("c", "--shard 4");
    scripted_checkpoint("d", "--shard 4 --token ffffffffffffffffffffffffffffffff");
    scripted_run("cp %s/d/rank-00001.h5 %s/c/", scripted_home, scripted_home);
    expect_one("c", RESHARD_EMISMATCH,
               "rank-00001.h5: is of another save: its token is ffffffffffffffffffffffffffffffff");
}
END_TEST

START_TEST(a_bool_that_is_neither_0_nor_1_is_named)
{
    scripted_checkpoint("c", "--shard 4 --fault odd-bool");
    expect("c", RESHARD_EFORMAT, "mask: element 4, a bool, is 2, not 0 or 1");
}
END_TEST

/* What the manifest must be besides: one member changed, the CRC right. */
START_TEST(manifests_that_break_a_must_are_refused)
{
    static const struct {
        const char *arguments;
        const char *words;
    } cases[] = {
        {"--change version=1", "version 1; this release reads version 2, and no older one"},
        {"--change version=0", "version 0; this release reads version 2"},
        {"--change version=3", "version 3 is newer than this release reads (2)"},
        {"--change 'version=\"2\"'", "\"version\" is no version"},
        {"--change 'domains=[]'", "domains"},
        {"--change 'domains=[\"0123456789abcdef0123456789abcdef\","
         "\"ffffffffffffffffffffffffffffffff\"]'",
         "is no array of one token"},
        {"--change 'domains=[\"0123456789ABCDEF0123456789abcdef\"]'", "is no array of one token"},
        {"--change 'domains=[\"0123456789abcdef0123456789abcde\"]'", "is no array of one token"},
        {"--change domains=null", "its members are not those of version 2"},
        {"--notes '{\"job\": 7}'", "notes: a value is no string"},
        {"--notes '{\"\": \"x\"}'", "notes: a key has not 1 to 1023 bytes"},
        {"--notes '[\"x\"]'", "\"notes\" is no object of 1 to 256 strings"},
        {"--change 'tensors/2/shape=[144115188075855872]'", "they cannot hold them"},
        {"--change 'layout/mesh={\"shard\":0}'", "the product of the mesh"},
        {"--change 'tensors/5/unit=2'", "units: not in the order of their first tensors"},
        {"--change 'files/0/domain=0'", "has not the four members of a file"},
    };

    scripted_checkpoint("c", cases[_i].arguments);
    expect_one("c", RESHARD_EFORMAT, cases[_i].words);
}
END_TEST

START_TEST(notes_are_the_callers)
{
    scripted_checkpoint("c", "--shard 2 --notes '{\"job\": \"7\", \"data\": \"\"}'");
    expect_clean("c");
}
END_TEST

START_TEST(a_flipped_bit_of_a_table_breaks_the_seal)
{
    scripted_checkpoint("c", "--shard 4");
    flip("c/rank-00001.h5", find("c/rank-00001.h5", "wte.weight", 10) + 2);
    expect("c", RESHARD_EDIGEST, "rank-00001.h5: /tensors and /pieces do not have the CRC");
}
END_TEST

START_TEST(every_flipped_byte_of_the_manifest_is_seen)
{
    char path[2 * PATH_BYTES];
    struct stat about;

    scripted_checkpoint("c", "--shard 2");
    snprintf(path, sizeof path, "%s/c/manifest.json", scripted_home);
    ck_assert_int_eq(stat(path, &about), 0);
    for (long position = 0; position < about.st_size; position += 97) {
        struct verify_files_options options = {.threads = 1};
        struct verify_report report;

        flip("c/manifest.json", position);
        ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
        path[strlen(path) - strlen("/manifest.json")] = '\0';
        ck_assert_int_ne(verify_files(path, &options, &report, NULL), RESHARD_OK);
        strcat(path, "/manifest.json");
        verify_report_close(&report);
        flip("c/manifest.json", position);
    }
}
END_TEST

START_TEST(every_flipped_byte_of_a_file_is_seen)
{
    char path[2 * PATH_BYTES];
    struct stat about;
    struct verify_files_options options = {.threads = 1};
    unsigned unseen = 0;

    scripted_checkpoint("c", "--shard 4");
    snprintf(path, sizeof path, "%s/c/rank-00001.h5", scripted_home);
    ck_assert_int_eq(stat(path, &about), 0);
    snprintf(path, sizeof path, "%s/c", scripted_home);
    for (long position = 0; position < about.st_size; position += 97) {
        struct verify_report report;

        flip("c/rank-00001.h5", position);
        ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
        unseen += verify_files(path, &options, &report, NULL) == RESHARD_OK;
        verify_report_close(&report);
        flip("c/rank-00001.h5", position);
    }
    ck_assert_uint_eq(unseen, 0);
    expect_clean("c");
}
END_TEST

START_TEST(another_step_than_the_asked_one_is_named)
{
    struct verify_report report;

    scripted_checkpoint("c", "--shard 4 --step 2");
    report = judge("c", STEP, NULL);
    ck_assert_int_eq(report.status, RESHARD_EMISMATCH);
    ck_assert_str_eq(report.finding[0].text, "is of training step 2, not 3");
    verify_report_close(&report);
}
END_TEST

START_TEST(checkpoints_of_equal_content_at_other_layouts_are_equal)
{
    struct verify_report report;

    scripted_checkpoint("c", "--layout fsdp1 --shard 5");
    scripted_checkpoint("d", "--layout fsdp2 --replicate 2 --shard 3");
    report = judge("c", STEP, "d");
    ck_assert_uint_eq(report.finding_total, 0);
    verify_report_close(&report);
}
END_TEST

START_TEST(checkpoints_that_differ_say_where)
{
    struct verify_files_options options = {.threads = 2};
    char directory[2 * PATH_BYTES];
    char other[2 * PATH_BYTES];
    struct verify_report report;

    scripted_checkpoint("c", "--layout fsdp1 --shard 5");
    scripted_checkpoint("d", "--layout fsdp2 --shard 4 --fault swapped-data");
    snprintf(directory, sizeof directory, "%s/c", scripted_home);
    snprintf(other, sizeof other, "%s/d", scripted_home);
    options.against = other;
    ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
    ck_assert_int_eq(verify_files(directory, &options, &report, NULL), RESHARD_EMISMATCH);
    ck_assert_uint_eq(report.finding_total, 1);
    ck_assert_str_eq(report.finding[0].fqn, "wte.weight");
    ck_assert_uint_eq(report.finding[0].differing, 20);
    ck_assert_uint_eq(report.finding[0].element, 0);
    verify_report_close(&report);
}
END_TEST

START_TEST(damage_of_the_other_checkpoint_is_said_of_that_one)
{
    struct verify_report report;
    char other[2 * PATH_BYTES];
    char line[4096];

    scripted_checkpoint("c", "--shard 4");
    scripted_checkpoint("d", "--shard 4");
    flip("d/rank-00001.h5", first_element_of_rank_1() + 5);
    snprintf(other, sizeof other, "%s/d", scripted_home);
    report = judge("c", STEP, "d");
    ck_assert_int_eq(report.status, RESHARD_EDIGEST);
    for (uint32_t f = 0; f < report.finding_count; ++f) {
        if (report.finding[f].status == RESHARD_EMISMATCH)
            continue;
        ck_assert_str_eq(report.finding[f].directory, other);
        verify_finding_line(&report.finding[f], line, sizeof line);
        ck_assert_ptr_nonnull(strstr(line, ": in /"));
    }
    verify_report_close(&report);
    scripted_run("rm %s/d/rank-00003.h5", scripted_home);
    report = judge("c", STEP, "d");
    ck_assert_int_eq(report.status, RESHARD_EDIGEST);
    for (uint32_t f = 0; f < report.finding_count; ++f) {
        ck_assert_int_ne(report.finding[f].status, RESHARD_ECOVER);
        if (report.finding[f].status == RESHARD_ENOENT)
            ck_assert_str_eq(report.finding[f].directory, other);
    }
    verify_report_close(&report);
}
END_TEST

/* --- the index -------------------------------------------------------------------------------- */

START_TEST(whole_indexes_are_found_whole_and_absent_ones_are_no_fault)
{
    static const char *const layouts[] = {"--shard 4 --index",
                                          "--layout fsdp1 --replicate 2 --shard 3 --index",
                                          "--layout ddp --replicate 4 --index"};

    scripted_checkpoint("c", layouts[_i]);
    expect_clean("c");
    scripted_run("rm %s/c/index.h5", scripted_home);
    expect_clean("c");
}
END_TEST

START_TEST(faults_of_the_index_are_named)
{
    static const struct {
        const char *python;
        const char *words;
    } cases[] = {
        {"del m['wte.weight']", "wte.weight is not where it must be"},
        {"del s['wte.weight/step']", "wte.weight step is not where it must be"},
        {"m['more'] = m['h.0.bias']", "no tensor of the manifest"},
        {"s['h.0.bias/more'] = m['h.0.bias']", "no tensor of the manifest"},
        {"s.create_group('more')", "no tensor of the manifest"},
        {"w.attrs['digest'] = numpy.bytes_('0' * 16)", "wte.weight has another digest"},
        {"del w.attrs['digest']", "wte.weight has another digest"},
        {"w.attrs['dtype'] = numpy.bytes_('f64')", "wte.weight has another dtype"},
        {"b = m['h.0.bias']; del m['wte.weight']; m['wte.weight'] = b",
         "wte.weight has another shape"},
        {"del m['wte.weight'];"
         "m['wte.weight'] = h5py.SoftLink('/optim/state/wte.weight/exp_avg')",
         "wte.weight is not where it must be"},
        {"del m['wte.weight'];"
         "m['wte.weight'] = h5py.ExternalLink('rank-00000.h5', '/arena/f32')",
         "wte.weight is not where it must be"},
        {"m.move('h.0.bias', 'x'); s.move('h.0.bias/exp_avg', 'y'); m.move('x', 'h.0.bias');"
         "f.move('/optim/state/y', '/model/y')",
         "h.0.bias exp_avg is not where it must be"},
        {"v = {k: w.attrs[k] for k in w.attrs}; del m['wte.weight'];"
         "d = m.create_dataset('wte.weight', (7, 5), 'f4'); d.attrs.update(v)",
         "wte.weight is not virtual"},
        {"v = {k: w.attrs[k] for k in w.attrs}; l = h5py.VirtualLayout((7, 5), 'f4');"
         "l[0:2] = h5py.VirtualSource('rank-00000.h5', '/arena/f32', (1024,))[0:10];"
         "del m['wte.weight']; d = m.create_virtual_dataset('wte.weight', l); d.attrs.update(v)",
         "wte.weight has not one mapping for each piece"},
        {"v = {k: w.attrs[k] for k in w.attrs}; p = h5py.h5p.create(h5py.h5p.DATASET_CREATE);"
         "[p.set_virtual(o.vspace, b'rank-00000.h5', o.dset_name.encode(), o.src_space)"
         " for o in w.virtual_sources()]; t = w.id.get_type(); a = w.id.get_space();"
         "del m['wte.weight']; h5py.h5d.create(m.id, b'wte.weight', t, a, p);"
         "m['wte.weight'].attrs.update(v)",
         "to another place than their piece"},
        {"v = {k: w.attrs[k] for k in w.attrs}; p = h5py.h5p.create(h5py.h5p.DATASET_CREATE);"
         "[p.set_virtual(o.vspace, b'../fifo', o.dset_name.encode(), o.src_space)"
         " for o in w.virtual_sources()]; t = w.id.get_type(); a = w.id.get_space();"
         "del m['wte.weight']; h5py.h5d.create(m.id, b'wte.weight', t, a, p);"
         "m['wte.weight'].attrs.update(v); import os; os.mkfifo('../fifo')",
         "wte.weight has a mapping that is no box of one arena"},
        {"f.attrs['token'] = numpy.bytes_('f' * 32)", "is the index of another checkpoint"},
        {"del f.attrs['token']", "has no attribute token"},
    };

    scripted_checkpoint("c", "--shard 4 --index");
    scripted_run("cd %s/c && %s -c \"import h5py, numpy; f = h5py.File('index.h5', 'r+');"
                 "m = f['model']; s = f['optim/state']; w = m['wte.weight']; %s\"",
                 scripted_home, scripted_python(), cases[_i].python);
    expect_one("c", RESHARD_EFORMAT, cases[_i].words);
    expect_one("c", RESHARD_EFORMAT, "index.h5: ");
    expect_one("c", RESHARD_EFORMAT, "(derived: it can be deleted, no load reads it)");
}
END_TEST

START_TEST(no_flipped_byte_of_the_index_does_more_than_be_seen)
{
    const struct verify_files_options options = {.threads = 1};
    char path[2 * PATH_BYTES];
    struct stat about;
    unsigned unseen = 0;

    scripted_checkpoint("c", "--shard 2 --index");
    snprintf(path, sizeof path, "%s/c/index.h5", scripted_home);
    ck_assert_int_eq(stat(path, &about), 0);
    snprintf(path, sizeof path, "%s/c", scripted_home);
    for (long position = 0; position < about.st_size; position += 211) {
        struct verify_report report;
        enum reshard_status status;

        flip("c/index.h5", position);
        ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
        status = verify_files(path, &options, &report, NULL);
        ck_assert(status == RESHARD_OK || status == RESHARD_EFORMAT);
        unseen += status == RESHARD_OK;
        verify_report_close(&report);
        flip("c/index.h5", position);
    }
    printf("%u of %ld flips lie in bytes without meaning\n", unseen, about.st_size / 211);
    expect_clean("c");
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("verify_files");
    TCase *const one = tcase_create("files");

    tcase_set_timeout(one, 100);
    tcase_add_checked_fixture(one, set_up, scripted_tear_down);
    tcase_add_loop_test(one, whole_checkpoints_of_every_layout_are_found_whole, 0, 10);
    tcase_add_loop_test(one, faults_that_are_consistent_in_themselves_are_seen, 0, 9);
    tcase_add_test(one, a_gap_blames_no_neighbour);
    tcase_add_test(one, files_of_two_ranks_that_change_names_are_seen);
    tcase_add_test(one, a_file_of_another_step_is_named);
    tcase_add_test(one, a_truncated_file_and_a_lost_file_are_named);
    tcase_add_test(one, a_stray_file_of_a_larger_world_is_named);
    tcase_add_test(one, a_flipped_bit_of_an_arena_is_named_with_file_range_and_index);
    tcase_add_test(one, a_flipped_bit_behind_the_last_piece_is_named);
    tcase_add_test(one, a_flipped_bit_of_the_head_is_named_and_costs_no_data);
    tcase_add_test(one, a_missing_file_is_one_line_with_what_is_lost);
    tcase_add_test(one, damage_beside_a_missing_file_is_seen);
    tcase_add_test(one, faults_of_layout_beside_a_missing_file_are_seen);
    tcase_add_loop_test(one, entries_that_are_no_regular_files_are_named_for_what_they_are, 0, 6);
    tcase_add_test(one, many_files_need_few_descriptors);
    tcase_add_test(one, a_missing_descriptor_is_no_damage);
    tcase_add_test(one, the_directory_itself_may_be_a_link);
    tcase_add_loop_test(one, the_token_file_is_held_against_the_manifest, 0, 7);
    tcase_add_test(one, a_file_of_another_save_of_the_same_step_is_named);
    tcase_add_test(one, a_bool_that_is_neither_0_nor_1_is_named);
    tcase_add_loop_test(one, manifests_that_break_a_must_are_refused, 0, 16);
    tcase_add_test(one, notes_are_the_callers);
    tcase_add_test(one, a_flipped_bit_of_a_table_breaks_the_seal);
    tcase_add_test(one, every_flipped_byte_of_the_manifest_is_seen);
    tcase_add_test(one, every_flipped_byte_of_a_file_is_seen);
    tcase_add_test(one, another_step_than_the_asked_one_is_named);
    tcase_add_test(one, checkpoints_of_equal_content_at_other_layouts_are_equal);
    tcase_add_test(one, checkpoints_that_differ_say_where);
    tcase_add_test(one, damage_of_the_other_checkpoint_is_said_of_that_one);
    tcase_add_loop_test(one, whole_indexes_are_found_whole_and_absent_ones_are_no_fault, 0, 3);
    tcase_add_loop_test(one, faults_of_the_index_are_named, 0, 18);
    tcase_add_test(one, no_flipped_byte_of_the_index_does_more_than_be_seen);
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
