/*
 * The commit: nothing becomes visible whose manifest is not whole, or whose files are not there.
 * Method: every n-th allocation fails, our own and jansson's, until none is left to fail; files are
 * taken out of the directory, and the manifest is cut behind the writer's back.
 */
#include "core/commit.h"
#include "support/heap.h"
#include "support/scratch.h"

#include <check.h>
#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN "0123456789abcdef0123456789abcdef"

static char *scratch;
static struct reshard_error error;
static struct staging staging;
static struct reshard_note notes[] = {{"job", "17"}, {"position", "4711"}};
static uint64_t digests[64];
static struct manifest_file files[] = {{"rank-00000.h5", 0, 500, 1}, {"rank-00001.h5", 1, 300, 2}};

static void add_groups(struct reshard_groups *groups)
{
    const struct reshard_value lr = {.kind = RESHARD_VALUE_NUMBER, .number = 0.001};
    const struct reshard_value text = {.kind = RESHARD_VALUE_STRING, .string = "\"\\\n\xc3\xa9"};
    char name[16];

    ck_assert(!reshard_groups_add(groups, "all", NULL) &&
              !reshard_groups_set(groups, 0, "lr", &lr, NULL) &&
              !reshard_groups_set(groups, 0, "mode", &text, NULL) &&
              !reshard_groups_set_entry(groups, "scheduler", "rate", &lr, NULL));
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "h.%d", i);
        ck_assert(!reshard_groups_add_member(groups, 0, name, NULL));
    }
}

/* With rules, and groups of some length: texts that JSON builds piece by piece. */
static struct manifest make_manifest(void)
{
    static const uint64_t sections[] = {2, 2};
    static const struct reshard_rule rules[] = {{.pattern = "h.{i}",
                                                 .tensor = {RESHARD_HOW_CUT, 0},
                                                 .section = sections,
                                                 .section_count = 2},
                                                {.pattern = "*", .expert = {RESHARD_HOW_WHOLE, 0}}};
    const struct reshard_shape shape = {1, {4}};
    struct manifest manifest = {.step = 3,
                                .world = 2,
                                .token = TOKEN,
                                .note_count = 2,
                                .note = notes,
                                .layout = {.kind = RESHARD_LAYOUT_FSDP2,
                                           .world = 2,
                                           .tensor = 2,
                                           .rule = rules,
                                           .rule_count = 2},
                                .digest = digests,
                                .file_count = 2,
                                .file = files};
    char name[16];

    ck_assert(!reshard_model_open(&manifest.model) && !reshard_groups_open(&manifest.groups));
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "h.%d", i);
        ck_assert(!reshard_model_add(manifest.model, name, "", RESHARD_DTYPE_F32, &shape, NULL));
        digests[i] = (uint64_t)i * 77;
    }
    add_groups(manifest.groups);
    return manifest;
}

static void release(struct manifest *manifest)
{
    reshard_model_close(manifest->model);
    reshard_groups_close(manifest->groups);
}

static const char *in_scratch(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static void setup(void)
{
    scratch = scratch_make("commit");
    reshard_error_clear(&error);
    json_set_alloc_funcs(malloc, free); /* the heap's, which fails when told to */
}

static void teardown(void)
{
    staging_close(&staging);
    scratch_remove(scratch);
}

static void put_file(const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof path, ".a." TOKEN ".partial/%s", name);
    ck_assert(!store_write_file(store_posix(), in_scratch(path), text, strlen(text), &error));
}

static void begin(void)
{
    reshard_error_clear(&error);
    ck_assert_int_eq(staging_open(&staging, in_scratch("a"), &error), RESHARD_OK);
    ck_assert_int_eq(staging_make(&staging, store_posix(), TOKEN, &error), RESHARD_OK);
    put_file("rank-00000.h5", "12345");
    put_file("rank-00001.h5", "123");
}

START_TEST(a_manifest_is_encoded_whole_or_not_at_all)
{
    struct manifest manifest = make_manifest();
    char *whole = NULL, *text = NULL;
    enum reshard_status status = RESHARD_ENOMEM;
    size_t bytes;
    uint64_t n = 0;

    ck_assert_int_eq(manifest_encode(&manifest, &whole, &bytes), RESHARD_OK);
    while (status != RESHARD_OK) {
        heap_fail_at(++n);
        status = manifest_encode(&manifest, &text, &bytes);
        const bool failed = heap_has_failed();
        if (status == RESHARD_OK)
            ck_assert_msg(strcmp(text, whole) == 0, "allocation %d: cut", (int)n);
        else
            ck_assert_msg(status == RESHARD_ENOMEM && failed && !text, "allocation %d", (int)n);
        ck_assert_msg(status != RESHARD_OK || !failed, "allocation %d of many failed unnoticed",
                      (int)n);
    }
    ck_assert_uint_gt(n, 100);
    free(text);
    free(whole);
    release(&manifest);
}
END_TEST

START_TEST(without_memory_nothing_is_published_that_is_not_whole)
{
    struct manifest manifest = make_manifest();
    enum reshard_status status = RESHARD_ENOMEM;

    for (uint64_t n = 1; status != RESHARD_OK; n++) {
        begin();
        heap_fail_at(n);
        status = commit_publish(&staging, store_posix(), &manifest, &error);
        ck_assert(heap_has_failed() || status == RESHARD_OK);
        ck_assert_msg(status == RESHARD_OK || access(in_scratch("a"), F_OK) != 0, "allocation %d",
                      (int)n);
        staging_discard(&staging, store_posix());
        staging_close(&staging);
    }
    ck_assert_int_eq(access(in_scratch("a/manifest.json"), F_OK), 0);
    release(&manifest);
}
END_TEST

/* ---- what lies in the directory -------------------------------------------------------------- */

/* A store whose small files lose their end on the way to the disk. */
struct cutting {
    struct store store;
    struct store_ops ops;
};

static enum reshard_status cut_size(struct store_file *file, uint64_t *out,
                                    struct reshard_error *failure)
{
    const enum reshard_status status = store_posix()->ops->size(file, out, failure);

    *out -= *out > 500 ? 40 : 0;
    return status;
}

static enum reshard_status cut_open(struct store *store, const char *path, enum store_mode mode,
                                    struct store_file **out, struct reshard_error *failure)
{
    const enum reshard_status status =
        store_posix()->ops->open(store_posix(), path, mode, out, failure);

    if (!status)
        (*out)->ops = store->ops;
    return status;
}

START_TEST(a_manifest_that_cannot_be_read_back_is_not_published)
{
    struct manifest manifest = make_manifest();
    struct cutting cutting = {.ops = *store_posix()->ops};

    cutting.store.ops = &cutting.ops;
    cutting.ops.size = cut_size;
    cutting.ops.open = cut_open;
    begin();
    ck_assert_int_eq(commit_publish(&staging, &cutting.store, &manifest, &error), RESHARD_EIO);
    ck_assert_ptr_nonnull(strstr(error.text, "the manifest that was written cannot be used: "));
    ck_assert_ptr_nonnull(strstr(error.text, "manifest.json: "));
    ck_assert_int_ne(access(in_scratch("a"), F_OK), 0);
    release(&manifest);
}
END_TEST

START_TEST(a_listed_file_that_is_not_there_is_not_published)
{
    struct manifest manifest = make_manifest();

    begin();
    ck_assert_int_eq(unlink(in_scratch(".a." TOKEN ".partial/rank-00001.h5")), 0);
    ck_assert_int_eq(commit_publish(&staging, store_posix(), &manifest, &error), RESHARD_EIO);
    ck_assert_ptr_nonnull(strstr(error.text, "/rank-00001.h5: is not there, though rank 1 wrote"));
    ck_assert_int_ne(access(in_scratch("a"), F_OK), 0);
    release(&manifest);
}
END_TEST

START_TEST(a_file_is_looked_at_by_its_path)
{
    begin();
    ck_assert_int_eq(commit_check_file(&staging, store_posix(), "rank-00000.h5", 5, &error),
                     RESHARD_OK);
    ck_assert_int_eq(commit_check_file(&staging, store_posix(), "rank-00000.h5", 6, &error),
                     RESHARD_EIO);
    ck_assert_ptr_nonnull(strstr(error.text, "5 bytes, and 6 were written"));
    reshard_error_clear(&error);
    ck_assert_int_eq(commit_check_file(&staging, store_posix(), "none", 1, &error), RESHARD_EIO);
    ck_assert_ptr_nonnull(strstr(error.text, "what was written is not there: "));
    reshard_error_clear(&error);
    ck_assert_int_eq(symlink("rank-00000.h5", in_scratch(".a." TOKEN ".partial/link")), 0);
    ck_assert_int_eq(commit_check_file(&staging, store_posix(), "link", 13, &error), RESHARD_EIO);
    ck_assert_ptr_nonnull(strstr(error.text, "no regular file"));
}
END_TEST

/* ---- comparing ------------------------------------------------------------------------------- */

START_TEST(whatever_differs_between_two_manifests_is_seen)
{
    struct manifest a = make_manifest(), b = make_manifest();
    struct manifest_file other[] = {files[0], files[1]};
    struct reshard_note note = {"job", "18"};
    uint64_t digest[64];
    bool absent[64] = {true};

    ck_assert_int_eq(manifest_compare(&a, &b), RESHARD_OK);
    memcpy(digest, digests, sizeof digest);
    digest[19]++;
    other[1].bytes++;
    for (int i = 0; i < 9; i++) {
        struct manifest c = b;
        if (i == 0)
            c.step++;
        else if (i == 1)
            c.world++;
        else if (i == 2)
            c.token[31] = '0';
        else if (i == 3)
            c.note = &note, c.note_count = 1;
        else if (i == 4)
            c.digest = digest;
        else if (i == 5)
            c.file = other;
        else if (i == 6)
            c.groups = NULL;
        else if (i == 7)
            c.absent = absent;
        else
            c.layout.rule_count = 1;
        ck_assert_msg(manifest_compare(&a, &c) == RESHARD_EMISMATCH, "case %d", i);
    }
    ck_assert(!reshard_model_tie(b.model, "alias", "h.3", NULL));
    ck_assert_int_eq(manifest_compare(&a, &b), RESHARD_EMISMATCH);
    release(&a);
    release(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commit");
    TCase *tests = tcase_create("commit");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tests, 60); /* each try syncs several files */
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_manifest_is_encoded_whole_or_not_at_all);
    tcase_add_test(tests, without_memory_nothing_is_published_that_is_not_whole);
    tcase_add_test(tests, a_manifest_that_cannot_be_read_back_is_not_published);
    tcase_add_test(tests, a_listed_file_that_is_not_there_is_not_published);
    tcase_add_test(tests, a_file_is_looked_at_by_its_path);
    tcase_add_test(tests, whatever_differs_between_two_manifests_is_seen);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
