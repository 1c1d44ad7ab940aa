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
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512, TENSORS_MAX = 40, STEP = 3 };

/* libhdf5 leaks, in its own code, when it meets damaged metadata; this is its word to the
 * sanitizer.
 */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

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
    expect("c", RESHARD_ECOVER, "rank-00001.h5: is of another save: step 4 by rank 1 of 4");
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
    expect("c", RESHARD_EFORMAT, "behind the last piece of /arena/f32, is not zero");
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

START_TEST(every_flipped_byte_of_a_file_is_seen_or_means_nothing)
{
    char path[2 * PATH_BYTES];
    struct stat about;
    struct verify_files_options options = {.threads = 1};
    unsigned unseen = 0;

    scripted_checkpoint("c", "--shard 4");
    snprintf(path, sizeof path, "%s/c/rank-00001.h5", scripted_home);
    ck_assert_int_eq(stat(path, &about), 0);
    snprintf(path, sizeof path, "%s/c", scripted_home);
    for (long position = 0; position < about.st_size; position += 23) {
        struct verify_report report;

        flip("c/rank-00001.h5", position);
        ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
        unseen += verify_files(path, &options, &report, NULL) == RESHARD_OK;
        verify_report_close(&report);
        flip("c/rank-00001.h5", position);
    }
    /* HDF5 leaves gaps between its blocks that no format speaks of; the data are elsewhere. */
    printf("%u of %ld flips lie in bytes without meaning\n", unseen, about.st_size / 23);
    ck_assert_int_le((long)unseen * 10, about.st_size / 23);
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
    ck_assert_int_eq(report.status, RESHARD_ECOVER);
    for (uint32_t f = 0; f < report.finding_count; ++f) {
        if (report.finding[f].status == RESHARD_ENOENT ||
            report.finding[f].status == RESHARD_ECOVER)
            ck_assert_str_eq(report.finding[f].directory, other);
    }
    verify_report_close(&report);
}
END_TEST

/* --- the index -------------------------------------------------------------------------------- */

/* A checkpoint with an index, which the sources have, as "g". */
static void copy_golden(const char *name)
{
    scripted_run("cp -r %s/tests/golden/%s %s/g && chmod -R u+w %s/g", RESHARD_SOURCE_DIR, name,
                 scripted_home, scripted_home);
}

/* Judge "g" by itself; its foremost finding must have these words, none where they are NULL. */
static void expect_golden(const char *words)
{
    const struct verify_files_options options = {.threads = 1};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_report report;
    char directory[2 * PATH_BYTES];

    snprintf(directory, sizeof directory, "%s/g", scripted_home);
    ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
    ck_assert_int_eq(verify_files(directory, &options, &report, &error),
                     words ? RESHARD_EFORMAT : RESHARD_OK);
    ck_assert_uint_eq(report.finding_total, words ? 1 : 0);
    if (words) {
        ck_assert_str_eq(report.finding[0].file, "index.h5");
        ck_assert_msg(strstr(report.finding[0].text, words), "%s", report.finding[0].text);
        ck_assert_ptr_nonnull(strstr(report.finding[0].text, "can be deleted"));
    }
    verify_report_close(&report);
}

START_TEST(whole_indexes_are_found_whole_and_absent_ones_are_no_fault)
{
    static const char *const names[] = {"layers-ddp", "linear-fsdp1", "mixed-fsdp2"};

    copy_golden(names[_i]);
    expect_golden(NULL);
    scripted_run("rm %s/g/index.h5", scripted_home);
    expect_golden(NULL);
}
END_TEST

START_TEST(faults_of_the_index_are_named)
{
    static const struct {
        const char *python;
        const char *words;
    } cases[] = {
        {"del m['weight']", "weight is not where it must be"},
        {"del s['weight/step']", "weight step is not where it must be"},
        {"m['more'] = m['bias']", "no tensor of the manifest"},
        {"s['bias/more'] = m['bias']", "no tensor of the manifest"},
        {"s.create_group('more')", "no tensor of the manifest"},
        {"w.attrs['digest'] = numpy.bytes_('0' * 16)", "weight has another digest"},
        {"del w.attrs['digest']", "weight has another digest"},
        {"w.attrs['dtype'] = numpy.bytes_('f64')", "weight has another dtype"},
        {"b = m['bias']; del m['weight']; m['weight'] = b", "weight has another shape"},
        {"del m['weight']; m['weight'] = h5py.SoftLink('/optim/state/weight/exp_avg')",
         "weight is not where it must be"},
        {"del m['weight']; m['weight'] = h5py.ExternalLink('rank-00000.h5', '/arena/f32')",
         "weight is not where it must be"},
        {"m.move('bias', 'x'); s.move('bias/exp_avg', 'y'); m.move('x', 'bias');"
         "f.move('/optim/state/y', '/model/y')",
         "bias exp_avg is not where it must be"},
        {"v = {k: w.attrs[k] for k in w.attrs}; del m['weight'];"
         "d = m.create_dataset('weight', (4, 4), 'f4'); d.attrs.update(v)",
         "weight is not virtual"},
        {"v = {k: w.attrs[k] for k in w.attrs}; l = h5py.VirtualLayout((4, 4), 'f4');"
         "l[0:2] = h5py.VirtualSource('rank-00000.h5', '/arena/f32', (1024,))[0:8];"
         "del m['weight']; d = m.create_virtual_dataset('weight', l); d.attrs.update(v)",
         "weight has not one mapping for each piece"},
        {"v = {k: w.attrs[k] for k in w.attrs}; p = h5py.h5p.create(h5py.h5p.DATASET_CREATE);"
         "[p.set_virtual(o.vspace, b'rank-00000.h5', o.dset_name.encode(), o.src_space)"
         " for o in w.virtual_sources()]; t = w.id.get_type(); a = w.id.get_space();"
         "del m['weight']; h5py.h5d.create(m.id, b'weight', t, a, p);"
         "m['weight'].attrs.update(v)",
         "to another place than their piece"},
    };

    copy_golden("linear-fsdp1");
    scripted_run("cd %s/g && %s -c \"import h5py, numpy; f = h5py.File('index.h5', 'r+');"
                 "m = f['model']; s = f['optim/state']; w = m['weight']; %s\"",
                 scripted_home, scripted_python(), cases[_i].python);
    expect_golden(cases[_i].words);
}
END_TEST

START_TEST(no_flipped_byte_of_the_index_does_more_than_be_seen)
{
    const struct verify_files_options options = {.threads = 1};
    char path[2 * PATH_BYTES];
    struct stat about;
    unsigned unseen = 0;

    copy_golden("mixed-fsdp2");
    snprintf(path, sizeof path, "%s/g/index.h5", scripted_home);
    ck_assert_int_eq(stat(path, &about), 0);
    snprintf(path, sizeof path, "%s/g", scripted_home);
    for (long position = 0; position < about.st_size; position += 31) {
        struct verify_report report;
        enum reshard_status status;

        flip("g/index.h5", position);
        ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
        status = verify_files(path, &options, &report, NULL);
        ck_assert(status == RESHARD_OK || status == RESHARD_EFORMAT);
        unseen += status == RESHARD_OK;
        verify_report_close(&report);
        flip("g/index.h5", position);
    }
    printf("%u of %ld flips lie in bytes without meaning\n", unseen, about.st_size / 31);
    expect_golden(NULL);
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
    tcase_add_test(one, a_flipped_bit_of_a_table_breaks_the_seal);
    tcase_add_test(one, every_flipped_byte_of_the_manifest_is_seen);
    tcase_add_test(one, every_flipped_byte_of_a_file_is_seen_or_means_nothing);
    tcase_add_test(one, another_step_than_the_asked_one_is_named);
    tcase_add_test(one, checkpoints_of_equal_content_at_other_layouts_are_equal);
    tcase_add_test(one, checkpoints_that_differ_say_where);
    tcase_add_test(one, damage_of_the_other_checkpoint_is_said_of_that_one);
    tcase_add_loop_test(one, whole_indexes_are_found_whole_and_absent_ones_are_no_fault, 0, 3);
    tcase_add_loop_test(one, faults_of_the_index_are_named, 0, 15);
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
