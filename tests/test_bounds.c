/*
 * Work in proportion to what is given: no parser may use more than 64 MiB and 2 s for 1 MiB of
 * input, whatever it claims (support/bounded.h). A row is a parser with an input that was made to
 * cost much. Those of a new parser come behind its own heading.
 */
#include "support/bounded.h"
#include "verify/crc.h"
#include "verify/files.h"
#include "verify/trailer.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- writing inputs --------------------------------------------------------------------------- */

/* Text that is written up to BOUNDED_INPUT bytes. */
struct text {
    char *at;
    size_t used;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text->used +=
        (size_t)vsnprintf(text->at + text->used, BOUNDED_INPUT - text->used, format, arguments);
    va_end(arguments);
    ck_assert_uint_lt(text->used, BOUNDED_INPUT);
}

/* Is there room for more, with something behind it? */
static bool has_room(const struct text *text, size_t limit)
{
    return text->used + 4096 < limit;
}

/* --- the verifier's reader of manifests ------------------------------------------------------- */

static void begin(struct text *text, uint64_t world, const char *layout)
{
    put(text,
        "{\n  \"format\": \"reshard\",\n  \"version\": 2,\n  \"step\": 1,\n  \"world\": %" PRIu64
        ",\n  \"domains\": [\"0123456789abcdef0123456789abcdef\"],\n  \"layout\": %s,\n",
        world, layout);
}

static size_t end(struct text *text)
{
    put(text, "  \"crc64\": \"%016" PRIx64 "\"\n}\n", verify_crc(0, text->at, text->used));
    return text->used;
}

static void tensors(struct text *text, size_t limit, const char *shape, const char *rest)
{
    put(text, "  \"units\": [\"\"],\n  \"tensors\": [");
    for (int t = 0; has_room(text, limit); ++t)
        put(text, "%s{\"fqn\": \"h.%d.w\", \"dtype\": \"u8\", \"shape\": [%s], \"unit\": 0%s}",
            t ? "," : "", t, shape, rest);
    put(text, "],\n  \"ties\": [],\n");
}

#define DIGEST ", \"digest\": \"0000000000000000\""

static void files(struct text *text, size_t limit, uint64_t bytes)
{
    put(text, "  \"files\": [");
    for (int f = 0; has_room(text, limit); ++f)
        put(text,
            "%s{\"name\": \"rank-%05d.h5\", \"writer\": %d, \"bytes\": %" PRIu64
            ", \"seal\": \"0000000000000000\"}",
            f ? "," : "", f, f, bytes);
    put(text, "],\n");
}

/* A member that is filled with one thing again and again. */
static size_t repeated(char *at, const char *open, const char *one, const char *close)
{
    struct text text = {at, 0};

    begin(&text, 1, "{\"kind\": \"ddp\", \"mesh\": {}}");
    put(&text, "%s", open);
    while (has_room(&text, BOUNDED_INPUT))
        put(&text, "%s,", one);
    put(&text, "%s%s", one, close);
    return end(&text);
}

static size_t objects(char *at)
{
    return repeated(at, "  \"units\": [", "{}", "],\n");
}

static size_t nested(char *at)
{
    struct text text = {at, 0};

    put(&text, "{\"format\": ");
    while (has_room(&text, BOUNDED_INPUT))
        put(&text, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
    put(&text, "\n");
    return end(&text);
}

static size_t numbers(char *at)
{
    return repeated(at, "  \"units\": [", "0", "],\n");
}

static size_t strings(char *at)
{
    return repeated(at, "  \"units\": [", "\"\"", "],\n");
}

static size_t elements(char *at)
{
    struct text text = {at, 0};

    begin(&text, 1, "{\"kind\": \"ddp\", \"mesh\": {}}");
    tensors(&text, 1 << 14, "1152921504606846976", DIGEST);
    files(&text, 0, 0);
    return end(&text);
}

static size_t elements_in_files(char *at)
{
    struct text text = {at, 0};

    begin(&text, 1, "{\"kind\": \"ddp\", \"mesh\": {}}");
    tensors(&text, 4096 + 700, "1152921504606846976", DIGEST);
    put(&text, "  \"files\": [{\"name\": \"rank-00000.h5\", \"writer\": 0, \"bytes\": "
               "9223372036854775807, \"seal\": \"0000000000000000\"}],\n");
    return end(&text);
}

static size_t ranks(char *at)
{
    struct text text = {at, 0};

    begin(&text, 1 << 20,
          "{\"kind\": \"fsdp2\", \"mesh\": {\"replicate\": 1024, \"shard\": 1024}}");
    tensors(&text, BOUNDED_INPUT - 4096, "4096, 3", DIGEST);
    files(&text, 0, 0);
    return end(&text);
}

static size_t flat_ranks(char *at)
{
    struct text text = {at, 0};

    begin(&text, 1 << 20,
          "{\"kind\": \"fsdp1\", \"mesh\": {\"shard\": 1048576}, \"orig_params\": true, "
          "\"forward\": null}");
    tensors(&text, BOUNDED_INPUT / 2, "16, 3", DIGEST);
    files(&text, BOUNDED_INPUT, 4096);
    return end(&text);
}

static size_t missing_files(char *at)
{
    struct text text = {at, 0};

    begin(&text, 8192, "{\"kind\": \"ddp\", \"mesh\": {\"replicate\": 8192}}");
    tensors(&text, BOUNDED_INPUT / 2, "3", DIGEST);
    files(&text, BOUNDED_INPUT, 4096);
    return end(&text);
}

static size_t rules(char *at)
{
    struct text text = {at, 0};

    put(&text, "{\n  \"format\": \"reshard\",\n  \"version\": 2,\n  \"step\": 1,\n  \"world\": 1,\n"
               "  \"domains\": [\"0123456789abcdef0123456789abcdef\"],\n  \"layout\": {\"kind\": "
               "\"ddp\", \"mesh\": {}, \"tensors\": [");
    for (int r = 0; r < 4096; ++r)
        put(&text, "%s{\"pattern\": \"*h*.*%d*w*w*w*w\", \"tensor\": 0}", r ? "," : "", r);
    put(&text, "]},\n");
    tensors(&text, BOUNDED_INPUT - 4096, "3", DIGEST);
    files(&text, BOUNDED_INPUT, 1 << 20);
    return end(&text);
}

static size_t notes(char *at)
{
    struct text text = {at, 0};

    put(&text, "{\n  \"format\": \"reshard\",\n  \"version\": 2,\n  \"step\": 1,\n  \"world\": 1,\n"
               "  \"domains\": [\"0123456789abcdef0123456789abcdef\"],\n  \"notes\": {\"a\": \"\"");
    for (int n = 0; has_room(&text, BOUNDED_INPUT); ++n)
        put(&text, ",\"%d\":\"\"", n);
    put(&text, "},\n");
    return end(&text);
}

/* `reshard verify` of a directory with that manifest and nothing else. */
static enum reshard_status verify_manifest(const char *input, size_t bytes, const char *directory,
                                           struct reshard_error *error)
{
    const struct verify_files_options options = {.threads = 1};
    struct verify_report report;
    enum reshard_status status;
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/manifest.json", directory);
    file = fopen(path, "wb");
    if (!file || fwrite(input, 1, bytes, file) != bytes || fclose(file) != 0 ||
        verify_report_open(&report))
        return RESHARD_ENOMEM;
    status = verify_files(directory, &options, &report, error);
    verify_report_close(&report);
    return status;
}

/* --- the verifier's reader of trailers -------------------------------------------------------- */

static void put_u64(char *trailer, size_t at, uint64_t value)
{
    memcpy(trailer + at, &value, sizeof value);
}

/* Of a file that ends behind an arena, a tensor's row, a piece's and the trailer. */
enum {
    ARENA_BYTES = 200 << 12,
    TABLES_AT = 4096 + ARENA_BYTES,
    TENSOR_BYTES = 87,
    PIECE_BYTES = 152
};
enum { FILE_BYTES = TABLES_AT + TENSOR_BYTES + PIECE_BYTES + 512 };

/* The trailer of that file, but for one claim. */
static size_t trailer(char *at, size_t claim, uint64_t value)
{
    const uint32_t version[] = {2, 22};
    const uint32_t widths[] = {2, 1};
    memset(at, 0, 512);
    memcpy(at, "reshard\n", 8);
    memcpy(at + 8, version, sizeof version);
    memcpy(at + 40, "0123456789abcdef0123456789abcdef", 32);
    memcpy(at + 112, widths, sizeof widths);
    put_u64(at, 72, FILE_BYTES);
    put_u64(at, 80, 4096);
    put_u64(at, 96, TABLES_AT);
    put_u64(at, 104, TENSOR_BYTES);
    put_u64(at, 120, TABLES_AT + TENSOR_BYTES);
    put_u64(at, 128, PIECE_BYTES);
    put_u64(at, 144, 4096);
    put_u64(at, 152, ARENA_BYTES);
    put_u64(at, claim, value);
    put_u64(at, 504, verify_crc(0, at, 504));
    return 512;
}

static size_t vast_head(char *at)
{
    return trailer(at, 80, (uint64_t)1 << 62);
}

static size_t vast_arena(char *at)
{
    return trailer(at, 152, UINT64_MAX - 4095);
}

static size_t vast_tensors(char *at)
{
    return trailer(at, 104, (uint64_t)87 << 55);
}

static size_t vast_names(char *at)
{
    return trailer(at, 112, UINT64_MAX);
}

static size_t vast_file(char *at)
{
    return trailer(at, 72, UINT64_MAX);
}

static enum reshard_status verify_trailer(const char *input, size_t bytes, const char *directory,
                                          struct reshard_error *error)
{
    struct verify_trailer out;

    (void)directory;
    (void)bytes;
    return verify_trailer_decode(&out, (const unsigned char *)input, FILE_BYTES, error);
}

/* --- the rows --------------------------------------------------------------------------------- */

static const struct bounded_case cases[] = {
    {"objects", objects, verify_manifest, RESHARD_EFORMAT, "more than an object or array"},
    {"nested arrays", nested, verify_manifest, RESHARD_EFORMAT, "more than an object or array"},
    {"numbers", numbers, verify_manifest, RESHARD_EFORMAT, "its members are not those"},
    {"strings", strings, verify_manifest, RESHARD_EFORMAT, "its members are not those"},
    {"elements", elements, verify_manifest, RESHARD_EFORMAT, "they cannot hold them"},
    {"elements in files", elements_in_files, verify_manifest, RESHARD_ENOENT, "is missing"},
    {"ranks", ranks, verify_manifest, RESHARD_EFORMAT, "they cannot hold them"},
    {"ranks of flat parameters", flat_ranks, verify_manifest, RESHARD_ENOENT, "is missing"},
    {"missing files", missing_files, verify_manifest, RESHARD_ENOENT, "is missing"},
    {"rules", rules, verify_manifest, RESHARD_EFORMAT, "manifest.json: "},
    {"notes", notes, verify_manifest, RESHARD_EFORMAT, "its members are not those"},
    {"a head", vast_head, verify_trailer, RESHARD_EFORMAT, "says of the head"},
    {"an arena", vast_arena, verify_trailer, RESHARD_EFORMAT, "/arena/f64 is"},
    {"a table", vast_tensors, verify_trailer, RESHARD_EFORMAT, "says of /tensors"},
    {"names", vast_names, verify_trailer, RESHARD_EFORMAT, "has a width of names"},
    {"a file", vast_file, verify_trailer, RESHARD_EFORMAT, "says another size"},
};

enum { CASES = sizeof cases / sizeof *cases };

START_TEST(no_input_costs_more_than_its_size_allows)
{
    char directory[] = "/tmp/bounds-XXXXXX";
    char command[64];
    const char *fault;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    fault = bounded_run(&cases[_i], directory);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
    ck_assert_msg(!fault, "%s", fault);
}
END_TEST

int main(void)
{
    Suite *const all = suite_create("bounds");
    TCase *const one = tcase_create("parsers");
    SRunner *const runner = srunner_create(all);
    int failed;

    tcase_set_timeout(one, 100);
    tcase_add_loop_test(one, no_input_costs_more_than_its_size_allows, 0, CASES);
    suite_add_tcase(all, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
