/*
 * The store: one conformance suite for whatever implements the table of operations. Built as it is,
 * it tries the POSIX store; built with RESHARD_SIMULATED, as a module that runs on one simulated
 * rank of store_platform.xml, the store of simulated clusters, with and without storage servers,
 * and what transfers cost there.
 */
#include "core/store.h"
#include "support/scratch.h"

#include <check.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef RESHARD_SIMULATED
#include "sim/store_sim.h"

#include <mpi.h>
#include <simgrid/actor.h>
#include <simgrid/engine.h>
#include <simgrid/host.h>

/* What store_platform.xml has: bytes per second. Latencies are 0. */
#define DISK_READ 2e9
#define DISK_WRITE 1e9
#define STORAGE_READ 8e9
#define STORAGE_WRITE 4e9
#define NETWORK 1e10
#endif

enum { BLOCK = 4096, DIRECT = 256 * 1024, SERVERS = 2 };

static struct {
    char *scratch;
    struct reshard_error error;
#ifdef RESHARD_SIMULATED
    struct store_sim local;
    struct store_sim remote;
#endif
} test;

/* The store of a run of the suite. */
static struct store *store(int index)
{
#ifdef RESHARD_SIMULATED
    return index == 0 ? &test.local.store : &test.remote.store;
#else
    (void)index;
    return store_posix();
#endif
}

#ifdef RESHARD_SIMULATED
enum { STORES = 2 };
#else
enum { STORES = 1 };
#endif

static void setup(void)
{
    test.scratch = scratch_make("store");
    test.error = (struct reshard_error)RESHARD_ERROR_INIT;
#ifdef RESHARD_SIMULATED
    ck_assert_int_eq(store_sim_open(&test.local, store_posix(), 0, &test.error), RESHARD_OK);
    ck_assert_int_eq(store_sim_open(&test.remote, store_posix(), SERVERS, &test.error), RESHARD_OK);
#endif
}

static void teardown(void)
{
    scratch_remove(test.scratch);
}

static void expect(enum reshard_status actual, enum reshard_status expected)
{
    ck_assert_msg(actual == expected, "%s instead of %s: %s", reshard_status_name(actual),
                  reshard_status_name(expected), test.error.text);
}

/* A failure says which file it is about; the next one is to speak for itself. */
static void expect_failure(enum reshard_status actual, enum reshard_status expected,
                           const char *path)
{
    expect(actual, expected);
    ck_assert_int_eq(test.error.status, expected);
    ck_assert_msg(strstr(test.error.text, path) != NULL, "'%s' does not name %s", test.error.text,
                  path);
    test.error = (struct reshard_error)RESHARD_ERROR_INIT;
}

/* A path in the scratch directory; good until the next few calls. */
static const char *at(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    ck_assert_int_lt(snprintf(path, sizeof(paths[0]), "%s/%s", test.scratch, name), 512);
    return path;
}

static void make_file(struct store *store, const char *path, const char *text)
{
    expect(store_write_file(store, path, text, strlen(text), &test.error), RESHARD_OK);
}

static void expect_text(struct store *store, const char *path, const char *expected)
{
    char *text = NULL;
    uint64_t bytes = 0;
    expect(store_read_file(store, path, 1000, &text, &bytes, &test.error), RESHARD_OK);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(bytes, strlen(expected));
    free(text);
}

static unsigned char byte_at(uint64_t position)
{
    return (unsigned char)(position * 167 + (position >> 8) * 59 + 1);
}

/* --- Files --------------------------------------------------------------------------------- */

START_TEST(a_file_that_exists_is_not_created_again_and_keeps_its_bytes)
{
    struct store *s = store(_i);
    struct store_file *file = NULL;
    make_file(s, at("a"), "first");
    expect_failure(store_open(s, at("a"), STORE_CREATE, &file, &test.error), RESHARD_EEXIST,
                   at("a"));
    ck_assert_ptr_null(file);
    expect_failure(store_write_file(s, at("a"), "second", 6, &test.error), RESHARD_EEXIST, at("a"));
    expect_text(s, at("a"), "first");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_not_found_and_not_made)
{
    static const enum store_mode modes[] = {STORE_READ, STORE_WRITE};
    struct store *s = store(_i);
    for (int i = 0; i < 2; i++) {
        struct store_file *file = NULL;
        expect_failure(store_open(s, at("none"), modes[i], &file, &test.error), RESHARD_ENOENT,
                       at("none"));
        ck_assert_ptr_null(file);
    }
    struct store_file *file = NULL;
    expect_failure(store_open(s, at("no/where"), STORE_CREATE, &file, &test.error), RESHARD_ENOENT,
                   at("no/where"));
    char *text = NULL;
    uint64_t bytes = 0;
    expect_failure(store_read_file(s, at("none"), 10, &text, &bytes, &test.error), RESHARD_ENOENT,
                   at("none"));
    ck_assert_ptr_null(text);
    ck_assert_int_ne(access(at("none"), F_OK), 0);
}
END_TEST

START_TEST(a_path_through_a_file_is_not_found)
{
    struct store_file *file = NULL;
    make_file(store(_i), at("a"), "text");
    expect_failure(store_open(store(_i), at("a/b"), STORE_READ, &file, &test.error), RESHARD_ENOENT,
                   at("a/b"));
}
END_TEST

/* Write and read back `bytes` bytes at an offset, from memory that begins `skew` bytes into a
 * block. Nothing around them may change. */
static void round_trip(struct store *s, uint64_t offset, uint64_t bytes, size_t skew)
{
    const uint64_t end = offset + bytes;
    struct store_file *file = NULL;
    unsigned char *memory = aligned_alloc(BLOCK, (end + 3 * BLOCK) / BLOCK * BLOCK);
    unsigned char *data = memory + skew;
    uint64_t size = 0;
    ck_assert_ptr_nonnull(memory);
    for (uint64_t i = 0; i < bytes; i++)
        data[i] = byte_at(offset + i);
    expect(store_open(s, at("rank-00001.h5"), STORE_CREATE, &file, &test.error), RESHARD_OK);
    expect(store_allocate(file, end + 7, &test.error), RESHARD_OK);
    expect(store_write(file, offset, data, bytes, &test.error), RESHARD_OK);
    if (offset == 0 && skew == 0) /* syncs are slow, and need no more variety than this */
        expect(store_sync(file, &test.error), RESHARD_OK);
    expect(store_close(file, &test.error), RESHARD_OK);
    expect(store_open(s, at("rank-00001.h5"), STORE_READ, &file, &test.error), RESHARD_OK);
    expect(store_size(file, &size, &test.error), RESHARD_OK);
    ck_assert_uint_eq(size, end + 7);
    memset(memory, 0xee, end + BLOCK);
    expect(store_read(file, 0, data, end + 7, &test.error), RESHARD_OK);
    /* One assertion in all: each costs a message to the runner. */
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < end + 7; i++)
        wrong += data[i] != (i >= offset && i < end ? byte_at(i) : 0);
    ck_assert_msg(wrong == 0, "%llu bytes at %llu, skew %zu: %llu bytes differ",
                  (unsigned long long)bytes, (unsigned long long)offset, skew,
                  (unsigned long long)wrong);
    ck_assert_uint_eq(data[end + 7], 0xee);
    expect(store_close(file, &test.error), RESHARD_OK);
    expect(store_remove(s, at("rank-00001.h5"), &test.error), RESHARD_OK);
    free(memory);
}

START_TEST(what_is_written_is_read_back_whatever_its_size_and_alignment)
{
    static const uint64_t sizes[] = {0,          1,      2,          511,           512,
                                     BLOCK - 1,  BLOCK,  BLOCK + 1,  2 * BLOCK,     3 * BLOCK - 1,
                                     DIRECT - 1, DIRECT, DIRECT + 1, DIRECT + BLOCK};
    static const uint64_t offsets[] = {0, 1, 512, BLOCK - 1, BLOCK, 2 * BLOCK};
    static const size_t skews[] = {0, 1, 512};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (size_t j = 0; j < sizeof(offsets) / sizeof(offsets[0]); j++)
            for (size_t k = 0; k < sizeof(skews) / sizeof(skews[0]); k++)
                round_trip(store(_i), offsets[j], sizes[i], skews[k]);
}
END_TEST

START_TEST(writing_leaves_the_bytes_around_it_alone)
{
    struct store_file *file = NULL;
    make_file(store(_i), at("a"), "0123456789");
    expect(store_open(store(_i), at("a"), STORE_WRITE, &file, &test.error), RESHARD_OK);
    expect(store_write(file, 3, "abc", 3, &test.error), RESHARD_OK);
    expect(store_close(file, &test.error), RESHARD_OK);
    expect_text(store(_i), at("a"), "012abc6789");
}
END_TEST

START_TEST(a_read_beyond_the_end_is_a_broken_file)
{
    struct store_file *file = NULL;
    char buffer[16];
    make_file(store(_i), at("a"), "0123456789");
    expect(store_open(store(_i), at("a"), STORE_READ, &file, &test.error), RESHARD_OK);
    expect_failure(store_read(file, 0, buffer, 11, &test.error), RESHARD_EFORMAT, at("a"));
    expect_failure(store_read(file, 10, buffer, 1, &test.error), RESHARD_EFORMAT, at("a"));
    expect(store_read(file, 10, buffer, 0, &test.error), RESHARD_OK);
    expect(store_close(file, &test.error), RESHARD_OK);
}
END_TEST

START_TEST(a_file_larger_than_believable_is_not_read)
{
    char *text = NULL;
    uint64_t bytes = 0;
    make_file(store(_i), at("a"), "0123456789");
    expect_failure(store_read_file(store(_i), at("a"), 9, &text, &bytes, &test.error),
                   RESHARD_EFORMAT, at("a"));
    expect(store_read_file(store(_i), at("a"), 10, &text, &bytes, &test.error), RESHARD_OK);
    free(text);
}
END_TEST

START_TEST(closing_nothing_is_fine)
{
    expect(store_close(NULL, &test.error), RESHARD_OK);
}
END_TEST

/* --- Names --------------------------------------------------------------------------------- */

START_TEST(a_rename_moves_a_directory_and_never_replaces_one)
{
    struct store *s = store(_i);
    expect(store_make_directory(s, at("one"), &test.error), RESHARD_OK);
    make_file(s, at("one/file"), "in one");
    expect(store_make_directory(s, at("two"), &test.error), RESHARD_OK);
    expect_failure(store_rename(s, at("one"), at("two"), &test.error), RESHARD_EEXIST, at("two"));
    expect_text(s, at("one/file"), "in one");
    expect(store_rename(s, at("one"), at("three"), &test.error), RESHARD_OK);
    expect(store_sync_directory(s, test.scratch, &test.error), RESHARD_OK);
    expect_text(s, at("three/file"), "in one");
    ck_assert_int_ne(access(at("one"), F_OK), 0);
}
END_TEST

START_TEST(a_rename_never_replaces_a_file)
{
    struct store *s = store(_i);
    make_file(s, at("one"), "1");
    make_file(s, at("two"), "2");
    expect_failure(store_rename(s, at("one"), at("two"), &test.error), RESHARD_EEXIST, at("two"));
    expect_text(s, at("two"), "2");
    expect_failure(store_rename(s, at("none"), at("three"), &test.error), RESHARD_ENOENT,
                   at("three"));
}
END_TEST

START_TEST(a_directory_is_made_once_and_in_one_that_is_there)
{
    struct store *s = store(_i);
    expect(store_make_directory(s, at("one"), &test.error), RESHARD_OK);
    expect_failure(store_make_directory(s, at("one"), &test.error), RESHARD_EEXIST, at("one"));
    expect_failure(store_make_directory(s, at("no/where"), &test.error), RESHARD_ENOENT,
                   at("no/where"));
    expect_failure(store_sync_directory(s, at("none"), &test.error), RESHARD_ENOENT, at("none"));
}
END_TEST

START_TEST(a_tree_is_removed_with_all_that_is_in_it_and_nothing_else)
{
    struct store *s = store(_i);
    expect(store_make_directory(s, at("tree"), &test.error), RESHARD_OK);
    expect(store_make_directory(s, at("tree/branch"), &test.error), RESHARD_OK);
    make_file(s, at("tree/branch/leaf"), "x");
    make_file(s, at("beside"), "stays");
    ck_assert_int_eq(symlink("../beside", at("tree/link")), 0);
    expect(store_remove(s, at("tree"), &test.error), RESHARD_OK);
    ck_assert_int_ne(access(at("tree"), F_OK), 0);
    expect_text(s, at("beside"), "stays");
    expect(store_remove(s, at("tree"), &test.error), RESHARD_OK);
    expect(store_remove(s, at("beside"), &test.error), RESHARD_OK);
    ck_assert_int_ne(access(at("beside"), F_OK), 0);
}
END_TEST

START_TEST(names_are_listed_sorted_bytewise)
{
    static const char *const sorted[] = {".hidden", "A",   "B",  "a",       "b",
                                         "b1",      "b10", "b2", "\xc3\xa9"};
    struct store *s = store(_i);
    char **names = NULL;
    uint64_t count = 7;
    expect(store_list(s, test.scratch, &names, &count, &test.error), RESHARD_OK);
    ck_assert_uint_eq(count, 0);
    store_names_free(names, count);
    for (int i = 8; i >= 0; i--)
        make_file(s, at(sorted[i]), "");
    expect(store_list(s, test.scratch, &names, &count, &test.error), RESHARD_OK);
    ck_assert_uint_eq(count, 9);
    for (int i = 0; i < 9; i++)
        ck_assert_str_eq(names[i], sorted[i]);
    store_names_free(names, count);
    expect_failure(store_list(s, at("none"), &names, &count, &test.error), RESHARD_ENOENT,
                   at("none"));
}
END_TEST

/* --- What is there ------------------------------------------------------------------------------
 */

START_TEST(what_is_at_a_path_is_told_and_links_are_not_followed)
{
    struct store *s = store(_i);
    struct store_entry entry;
    make_file(s, at("a"), "12345");
    expect(store_make_directory(s, at("d"), &test.error), RESHARD_OK);
    ck_assert_int_eq(
        symlink("a", at("link")) | symlink("loop", at("loop")) | mkfifo(at("pipe"), 0666), 0);
    expect(store_examine(s, at("a"), &entry, &test.error), RESHARD_OK);
    ck_assert(entry.kind == STORE_REGULAR && entry.bytes == 5 && entry.modified > 0);
    expect(store_examine(s, at("d"), &entry, &test.error), RESHARD_OK);
    ck_assert_int_eq(entry.kind, STORE_DIRECTORY);
    expect(store_examine(s, at("link"), &entry, &test.error), RESHARD_OK);
    ck_assert_int_eq(entry.kind, STORE_OTHER);
    expect(store_examine(s, at("pipe"), &entry, &test.error), RESHARD_OK);
    ck_assert_int_eq(entry.kind, STORE_OTHER);
    expect_failure(store_examine(s, at("none"), &entry, &test.error), RESHARD_ENOENT, at("none"));
    expect_failure(store_examine(s, at("a/b"), &entry, &test.error), RESHARD_ENOENT, at("a/b"));
    expect_failure(store_examine(s, at("loop/b"), &entry, &test.error), RESHARD_ENOENT,
                   at("loop/b"));
}
END_TEST

#ifndef RESHARD_SIMULATED
/* Check runs each test in a process of its own, which may give its rights up. */
START_TEST(nothing_is_found_in_a_directory_that_may_not_be_searched)
{
    struct store_entry entry;
    ck_assert_int_eq(mkdir(at("closed"), 0700), 0);
    make_file(store_posix(), at("closed/a"), "x");
    ck_assert_int_eq(chmod(at("closed"), 0000), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    expect_failure(store_examine(store_posix(), at("closed/a"), &entry, &test.error),
                   RESHARD_ENOENT, at("closed/a"));
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(at("closed"), 0700), 0);
}
END_TEST
#endif

/* Opening does not wait, and follows nothing. */
START_TEST(what_is_no_regular_file_is_refused_by_opening)
{
    static const enum store_mode modes[] = {STORE_READ, STORE_WRITE};
    struct store *s = store(_i);
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    static const char *const names[] = {"pipe", "link", "dangling", "directory", "socket"};
    struct store_file *file = NULL;
    const int old = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    make_file(s, at("a"), "x");
    ck_assert_int_eq(mkfifo(at("pipe"), 0666) | symlink("a", at("link")) |
                         symlink("nowhere", at("dangling")) | mkdir(at("directory"), 0777),
                     0);
    /* The path of a socket is short, so go there. */
    ck_assert_int_eq(chdir(test.scratch), 0);
    ck_assert_int_eq(bind(end, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(fchdir(old) | close(end) | close(old), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t m = 0; m < 2; m++) {
            const enum reshard_status status =
                store_open(s, at(names[i]), modes[m], &file, &test.error);
            ck_assert_msg(strstr(test.error.text, "is not a regular file"), "%s: %s", names[i],
                          test.error.text);
            expect_failure(status, RESHARD_EFORMAT, at(names[i]));
        }
}
END_TEST

START_TEST(a_lock_is_one_open_files_and_ends_with_it)
{
    struct store *s = store(_i);
    struct store_file *first = NULL, *second = NULL;
    make_file(s, at("a"), "x");
    expect(store_open(s, at("a"), STORE_WRITE, &first, &test.error), RESHARD_OK);
    expect(store_open(s, at("a"), STORE_WRITE, &second, &test.error), RESHARD_OK);
    ck_assert_int_eq(store_lock(first), STORE_LOCKED);
    ck_assert_int_eq(store_lock(first), STORE_LOCKED);
    ck_assert_int_eq(store_lock(second), STORE_LOCK_HELD);
    expect_text(s, at("a"), "x");
    expect(store_close(first, &test.error), RESHARD_OK);
    ck_assert_int_eq(store_lock(second), STORE_LOCKED);
    expect(store_close(second, &test.error), RESHARD_OK);
}
END_TEST

/* --- What transfers cost in simulation ------------------------------------------------------ */

#ifdef RESHARD_SIMULATED

static void expect_seconds(double begin, double expected)
{
    const double seconds = simgrid_get_clock() - begin;
    ck_assert_msg(seconds > expected * (1 - 1e-6) - 1e-12 &&
                      seconds < expected * (1 + 1e-6) + 1e-12,
                  "%.9f s instead of %.9f s", seconds, expected);
}

/* A transfer to a server takes its time on the network, then its time on the disk. */
START_TEST(a_transfer_costs_its_bytes_over_the_bandwidths_it_crosses)
{
    const uint64_t bytes = 10000000;
    const double write[] = {(double)bytes / DISK_WRITE,
                            (double)bytes / NETWORK + (double)bytes / STORAGE_WRITE};
    const double read[] = {(double)bytes / DISK_READ,
                           (double)bytes / NETWORK + (double)bytes / STORAGE_READ};
    char *data = calloc(bytes, 1);
    struct store_file *file = NULL;
    expect(store_open(store(_i), at("rank-00001.h5"), STORE_CREATE, &file, &test.error),
           RESHARD_OK);
    double begin = simgrid_get_clock();
    expect(store_write(file, 0, data, bytes, &test.error), RESHARD_OK);
    expect_seconds(begin, write[_i]);
    begin = simgrid_get_clock();
    expect(store_read(file, 0, data, bytes, &test.error), RESHARD_OK);
    expect_seconds(begin, read[_i]);
    expect(store_close(file, &test.error), RESHARD_OK);
    free(data);
}
END_TEST

/* What each operation on a name costs: a block at the disk, and a message each way. */
static double name_cost(int store, bool changes)
{
    const double messages = store == 0 ? 0 : 2 * STORE_SIM_MESSAGE_BYTES / NETWORK;
    const double rate =
        store == 0 ? (changes ? DISK_WRITE : DISK_READ) : (changes ? STORAGE_WRITE : STORAGE_READ);
    return messages + STORE_SIM_BLOCK_BYTES / rate;
}

static double took(void)
{
    static double last;
    const double now = simgrid_get_clock(), seconds = now - last;
    last = now;
    return seconds;
}

static void expect_cost(int store, bool changes)
{
    const double expected = name_cost(store, changes), seconds = took();
    ck_assert_msg(seconds > expected * (1 - 1e-6) && seconds < expected * (1 + 1e-6),
                  "%.9f s instead of %.9f s", seconds, expected);
}

START_TEST(each_operation_on_a_name_costs_a_block_and_a_message_each_way)
{
    struct store *s = store(_i);
    struct store_file *file = NULL;
    struct store_entry entry;
    char **names = NULL;
    uint64_t count = 0;
    (void)took();
    expect_failure(store_open(s, at("none"), STORE_READ, &file, &test.error), RESHARD_ENOENT,
                   at("none"));
    expect_cost(_i, false);
    expect(store_open(s, at("a"), STORE_CREATE, &file, &test.error), RESHARD_OK);
    expect_cost(_i, true);
    ck_assert_int_eq(store_lock(file), STORE_LOCKED);
    expect_cost(_i, false);
    expect(store_sync(file, &test.error), RESHARD_OK);
    expect_cost(_i, true);
    expect(store_examine(s, at("a"), &entry, &test.error), RESHARD_OK);
    expect_cost(_i, false);
    expect(store_make_directory(s, at("b"), &test.error), RESHARD_OK);
    expect_cost(_i, true);
    expect(store_rename(s, at("b"), at("c"), &test.error), RESHARD_OK);
    expect_cost(_i, true);
    expect(store_sync_directory(s, test.scratch, &test.error), RESHARD_OK);
    expect_cost(_i, true);
    expect(store_list(s, test.scratch, &names, &count, &test.error), RESHARD_OK);
    expect_cost(_i, false);
    expect(store_remove(s, at("c"), &test.error), RESHARD_OK);
    expect_cost(_i, true);
    store_names_free(names, count);
    expect(store_close(file, &test.error), RESHARD_OK);
}
END_TEST

START_TEST(allocation_closing_and_failed_reads_cost_nothing)
{
    struct store_file *file = NULL;
    char buffer[16];
    make_file(store(_i), at("a"), "0123456789");
    expect(store_open(store(_i), at("a"), STORE_WRITE, &file, &test.error), RESHARD_OK);
    const double begin = simgrid_get_clock();
    expect_failure(store_read(file, 0, buffer, 11, &test.error), RESHARD_EFORMAT, at("a"));
    expect(store_allocate(file, 1000, &test.error), RESHARD_OK);
    expect(store_close(file, &test.error), RESHARD_OK);
    expect_seconds(begin, 0);
}
END_TEST

/* What another actor sees of a file in the middle of its write. */
struct watch {
    const char *path;
    double when;
    off_t size;
};

static void watch_file(int argc, char **argv)
{
    struct watch *watch = sg_actor_self_get_data();
    struct stat info = {0};
    (void)argc;
    (void)argv;
    sg_actor_sleep_until(watch->when);
    watch->size = stat(watch->path, &info) == 0 ? info.st_size : -1;
}

START_TEST(a_write_is_real_at_the_end_of_its_simulated_time_and_not_before)
{
    const uint64_t bytes = 1000000;
    struct watch watch = {at("rank-00000.h5"), 0, -1};
    struct store_file *file = NULL;
    struct stat info = {0};
    char *data = calloc(bytes, 1);
    expect(store_open(store(_i), watch.path, STORE_CREATE, &file, &test.error), RESHARD_OK);
    watch.when = simgrid_get_clock() + (double)bytes / STORAGE_WRITE / 2;
    sg_actor_t watcher = sg_actor_init("watcher", sg_host_self());
    sg_actor_set_data(watcher, &watch);
    sg_actor_start_(watcher, (xbt_main_func_t)watch_file, 0, NULL);
    expect(store_write(file, 0, data, bytes, &test.error), RESHARD_OK);
    ck_assert_int_eq(watch.size, 0);
    ck_assert_int_eq(stat(watch.path, &info), 0);
    ck_assert_int_eq(info.st_size, (off_t)bytes);
    expect(store_close(file, &test.error), RESHARD_OK);
    free(data);
}
END_TEST

START_TEST(files_are_spread_over_the_servers_by_their_number)
{
    ck_assert_uint_eq(store_sim_server("/x/rank-00000.h5", 4), 0);
    ck_assert_uint_eq(store_sim_server("/x/rank-00007.h5", 4), 3);
    ck_assert_uint_eq(store_sim_server("rank-123456.h5", 1000), 456);
    ck_assert_uint_eq(store_sim_server("/step7/manifest.json", 4), 0);
    ck_assert_uint_eq(store_sim_server("/step7/index.h5", 4), 0);
    ck_assert_uint_eq(store_sim_server("/step7/plain9", 4), 1);
}
END_TEST

START_TEST(a_platform_without_the_servers_asked_for_is_refused)
{
    struct store_sim many;
    expect(store_sim_open(&many, store_posix(), SERVERS + 1, &test.error), RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(test.error.text, "storage-2"));
}
END_TEST

static void add_simulated(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_transfer_costs_its_bytes_over_the_bandwidths_it_crosses, 0,
                        STORES);
    tcase_add_loop_test(tcase, each_operation_on_a_name_costs_a_block_and_a_message_each_way, 0,
                        STORES);
    tcase_add_loop_test(tcase, allocation_closing_and_failed_reads_cost_nothing, 0, STORES);
    tcase_add_loop_test(tcase, a_write_is_real_at_the_end_of_its_simulated_time_and_not_before, 0,
                        STORES);
    tcase_add_test(tcase, files_are_spread_over_the_servers_by_their_number);
    tcase_add_test(tcase, a_platform_without_the_servers_asked_for_is_refused);
}

#endif

static Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_file_that_exists_is_not_created_again_and_keeps_its_bytes, 0,
                        STORES);
    tcase_add_loop_test(tcase, a_file_that_is_not_there_is_not_found_and_not_made, 0, STORES);
    tcase_add_loop_test(tcase, a_path_through_a_file_is_not_found, 0, STORES);
    tcase_add_loop_test(tcase, what_is_written_is_read_back_whatever_its_size_and_alignment, 0,
                        STORES);
    tcase_add_loop_test(tcase, writing_leaves_the_bytes_around_it_alone, 0, STORES);
    tcase_add_loop_test(tcase, a_read_beyond_the_end_is_a_broken_file, 0, STORES);
    tcase_add_loop_test(tcase, a_file_larger_than_believable_is_not_read, 0, STORES);
    tcase_add_test(tcase, closing_nothing_is_fine);
    tcase_add_loop_test(tcase, a_rename_moves_a_directory_and_never_replaces_one, 0, STORES);
    tcase_add_loop_test(tcase, a_rename_never_replaces_a_file, 0, STORES);
    tcase_add_loop_test(tcase, a_directory_is_made_once_and_in_one_that_is_there, 0, STORES);
    tcase_add_loop_test(tcase, a_tree_is_removed_with_all_that_is_in_it_and_nothing_else, 0,
                        STORES);
    tcase_add_loop_test(tcase, names_are_listed_sorted_bytewise, 0, STORES);
    tcase_add_loop_test(tcase, what_is_at_a_path_is_told_and_links_are_not_followed, 0, STORES);
    tcase_add_loop_test(tcase, what_is_no_regular_file_is_refused_by_opening, 0, STORES);
    tcase_add_loop_test(tcase, a_lock_is_one_open_files_and_ends_with_it, 0, STORES);
#ifndef RESHARD_SIMULATED
    tcase_add_test(tcase, nothing_is_found_in_a_directory_that_may_not_be_searched);
#endif
#ifdef RESHARD_SIMULATED
    add_simulated(tcase);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}

static int run(enum fork_status fork)
{
    SRunner *runner = srunner_create(store_suite());
    srunner_set_fork_status(runner, fork);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

#ifdef RESHARD_SIMULATED
/* A fork would leave the simulator behind. smpirun exits 0 on a deadlock: only the last line
 * counts. */
int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const int failed = run(CK_NOFORK);
    if (!failed)
        puts("rank 0 passed");
    MPI_Finalize();
    return failed;
}
#else
int main(void)
{
    return run(CK_FORK);
}
#endif
