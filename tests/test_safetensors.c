/*
 * Reading safetensors: what is legal is read exactly, and each way in which a file can lie is
 * refused with a message that names the file, the tensor and the fault. Method: files are made byte
 * by byte, valid but for the one fault that a test is about.
 */
#include "core/safetensors.h"
#include "support/scratch.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *folder;
static char path[256];

static void make_folder(void)
{
    folder = scratch_make("safetensors");
    (void)snprintf(path, sizeof(path), "%s/case.safetensors", folder);
}

static void remove_folder(void)
{
    scratch_remove(folder);
}

/* A file that claims a header of `length` bytes, has this header, and `data_bytes` bytes 0, 1, ...
 */
static void write_claiming(uint64_t length, const char *header, unsigned data_bytes)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    for (unsigned i = 0; i < 8; i++)
        (void)fputc((int)(length >> (8 * i) & 0xFF), file);
    ck_assert_uint_eq(fwrite(header, 1, strlen(header), file), strlen(header));
    for (unsigned i = 0; i < data_bytes; i++)
        (void)fputc((int)(i & 0xFF), file);
    ck_assert_int_eq(fclose(file), 0);
}

static void write_safetensors(const char *header, unsigned data_bytes)
{
    write_claiming(strlen(header), header, data_bytes);
}

static struct safetensors *open_valid(void)
{
    struct safetensors *file = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    const enum reshard_status status = safetensors_open(&file, path, &error);
    ck_assert_msg(status == RESHARD_OK, "%s", error.text);
    return file;
}

/* Opening must fail with EFORMAT and "PATH: MESSAGE". */
static void assert_refused(const char *message)
{
    struct safetensors *file = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    char expected[1024];
    (void)snprintf(expected, sizeof(expected), "%s: %s", path, message);
    ck_assert_int_eq(safetensors_open(&file, path, &error), RESHARD_EFORMAT);
    ck_assert_ptr_null(file);
    ck_assert_str_eq(error.text, expected);
}

START_TEST(tensors_are_found_with_dtype_shape_and_place)
{
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[8,20]},"
                         "\"a\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}   ";
    write_safetensors(header, 20);
    struct safetensors *file = open_valid();
    ck_assert_uint_eq(safetensors_count(file), 2);
    const struct safetensors_entry *a = safetensors_entry(file, 0);
    const struct safetensors_entry *b = safetensors_find(file, "b");
    ck_assert_str_eq(a->name, "a");
    ck_assert_ptr_eq(a, safetensors_find(file, "a"));
    ck_assert_ptr_eq(b, safetensors_entry(file, 1));
    ck_assert_int_eq(a->dtype, RESHARD_DTYPE_I64);
    ck_assert_uint_eq(a->shape.ndim, 0);
    ck_assert_uint_eq(a->offset, 8 + strlen(header));
    ck_assert_uint_eq(a->bytes, 8);
    ck_assert_int_eq(b->dtype, RESHARD_DTYPE_BF16);
    ck_assert_uint_eq(b->shape.ndim, 2);
    ck_assert_uint_eq(b->shape.size[0], 2);
    ck_assert_uint_eq(b->shape.size[1], 3);
    ck_assert_uint_eq(b->offset, 8 + strlen(header) + 8);
    ck_assert_uint_eq(b->bytes, 12);
    ck_assert_ptr_null(safetensors_find(file, "c"));
    ck_assert_ptr_null(safetensors_find(file, "__metadata__"));
    safetensors_close(file);
}
END_TEST

START_TEST(any_part_of_a_tensor_can_be_read)
{
    unsigned char bytes[4] = {0};
    struct reshard_error error = RESHARD_ERROR_INIT;
    write_safetensors("{\"a\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]},"
                      "\"b\":{\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[5,12]}}",
                      12);
    struct safetensors *file = open_valid();
    const struct safetensors_entry *b = safetensors_find(file, "b");
    ck_assert_int_eq(safetensors_read(file, b, 3, bytes, 4, &error), RESHARD_OK);
    ck_assert_uint_eq(bytes[0], 8);
    ck_assert_uint_eq(bytes[3], 11);
    ck_assert_int_eq(safetensors_read(file, b, 7, bytes, 0, &error), RESHARD_OK);
    ck_assert_int_eq(safetensors_read(file, b, 4, bytes, 4, &error), RESHARD_EINVAL);
    ck_assert_int_eq(safetensors_read(file, b, UINT64_MAX, bytes, 2, NULL), RESHARD_EINVAL);
    safetensors_close(file);
}
END_TEST

START_TEST(empty_tensors_may_lie_anywhere_between_the_others)
{
    write_safetensors("{\"z\":{\"dtype\":\"F32\",\"shape\":[0,9],\"data_offsets\":[0,0]},"
                      "\"m\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                      "\"y\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]},"
                      "\"x\":{\"dtype\":\"F64\",\"shape\":[3,0],\"data_offsets\":[4,4]},"
                      "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                      8);
    struct safetensors *file = open_valid();
    static const char *const order[] = {"z", "m", "x", "y", "a"};
    ck_assert_uint_eq(safetensors_count(file), 5);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_str_eq(safetensors_entry(file, i)->name, order[i]);
    safetensors_close(file);
}
END_TEST

START_TEST(a_file_without_tensors_is_a_file)
{
    write_safetensors("{}", 0);
    struct safetensors *file = open_valid();
    ck_assert_uint_eq(safetensors_count(file), 0);
    ck_assert_ptr_null(safetensors_find(file, "a"));
    safetensors_close(file);
}
END_TEST

START_TEST(every_dtype_that_the_format_and_we_have_is_read)
{
    for (int i = RESHARD_DTYPE_NONE + 1; i < RESHARD_DTYPE_COUNT; i++) {
        const enum reshard_dtype dtype = (enum reshard_dtype)i;
        const size_t bytes = reshard_dtype_bytes(dtype);
        const int in_file = dtype == RESHARD_DTYPE_F4_E2M1X2 ? 6 : 3;
        char header[128];
        if (!reshard_dtype_safetensors(dtype))
            continue;
        (void)snprintf(header, sizeof(header),
                       "{\"a\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%zu]}}",
                       reshard_dtype_safetensors(dtype), in_file, 3 * bytes);
        write_safetensors(header, (unsigned)(3 * bytes));
        struct safetensors *file = open_valid();
        ck_assert_int_eq(safetensors_entry(file, 0)->dtype, dtype);
        ck_assert_uint_eq(safetensors_entry(file, 0)->shape.size[0], 3);
        safetensors_close(file);
    }
}
END_TEST

/* One tensor "a" of 8 bytes, with this description. */
#define ENTRY(description) "{\"a\":{" description "}}", 8
#define RANGE "\"data_offsets\":[0,8]"

static const struct {
    const char *header;
    unsigned data_bytes;
    const char *message;
} hostile[] = {
    {"", 0, "the header must begin with '{'"},
    {" {}", 0, "the header must begin with '{'"},
    {"[]", 0, "the header must begin with '{'"},
    {"{\"a\":1}", 0, "tensor 'a': must be an object with dtype, shape and data_offsets"},
    {"{} x", 0, "line 1, column 4: ']' expected near 'x'"},
    {"{\"a\":", 0, "its JSON ends too early"},
    {"{\"\xff\":1}", 0, "line 1, column 2: unable to decode byte 0xff near '\"'"},
    {"{\"__metadata__\":{\"a\":1}}", 0,
     "__metadata__ must map strings to strings, but the value of 'a' is not one"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ must map strings to strings"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
     8, "line 1, column 56: duplicate object key near '\"a\"'"},
    {ENTRY("\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[8]," RANGE),
     "line 1, column 26: duplicate object key near '\"dtype\"'"},
    {ENTRY("\"shape\":[8]," RANGE), "tensor 'a': has no dtype"},
    {ENTRY("\"dtype\":\"U8\"," RANGE), "tensor 'a': has no shape"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[8]"), "tensor 'a': has no data_offsets"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[8],\"strides\":[1]," RANGE),
     "tensor 'a': unknown key 'strides'; known are dtype, shape and data_offsets"},
    {ENTRY("\"dtype\":\"Q4\",\"shape\":[8]," RANGE),
     "tensor 'a': dtype 'Q4' is unknown; it is not guessed"},
    {ENTRY("\"dtype\":\"u8\",\"shape\":[8]," RANGE),
     "tensor 'a': dtype 'u8' is unknown; it is not guessed"},
    {ENTRY("\"dtype\":8,\"shape\":[8]," RANGE), "tensor 'a': dtype must be a string"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":8," RANGE), "tensor 'a': shape must be a list of sizes"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[-8]," RANGE),
     "tensor 'a': size 0 of its shape is not an integer from 0"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[1,8.0]," RANGE),
     "tensor 'a': size 1 of its shape is not an integer from 0"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,8]," RANGE),
     "tensor 'a': has 9 dimensions; at most 8 are supported"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[4294967296,4294967296]," RANGE),
     "tensor 'a': shape (4294967296, 4294967296) of U8 is too large to represent"},
    {ENTRY("\"dtype\":\"F64\",\"shape\":[4611686018427387904]," RANGE),
     "tensor 'a': shape (4611686018427387904) of F64 is too large to represent"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[18446744073709551616]," RANGE),
     "line 1, column 48: too big integer near '18446744073709551616'"},
    {ENTRY("\"dtype\":\"U16\",\"shape\":[8]," RANGE),
     "tensor 'a': data_offsets span 8 bytes, but shape (8) of U16 takes 16"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[]," RANGE),
     "tensor 'a': data_offsets span 8 bytes, but shape () of U8 takes 1"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0]"),
     "tensor 'a': data_offsets must be two integers from 0"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[-8,0]"),
     "tensor 'a': data_offsets must be two integers from 0"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[8,0]"),
     "tensor 'a': data_offsets end at 0, before they begin at 8"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]"),
     "tensor 'a': data_offsets end at 9, but only 8 bytes of data follow the header"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[0,7]"),
     "1 trailing bytes belong to no tensor; the file should end at byte 68"},
    {ENTRY("\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[1,8]"),
     "tensor 'a': begins after a gap of 1 bytes that belong to no tensor"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[5,8]}}",
     8, "tensor 'b': begins after a gap of 1 bytes that belong to no tensor"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[3,8]}}",
     8, "tensor 'b': overlaps 'a' by 2 bytes"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,4]}}",
     8, "tensor 'b': overlaps 'a' by 4 bytes"},
    {ENTRY("\"dtype\":\"F4\",\"shape\":[16,1]," RANGE),
     "tensor 'a': F4 packs two values into a byte, so its last dimension must be even"},
    {ENTRY("\"dtype\":\"F4\",\"shape\":[]," RANGE),
     "tensor 'a': F4 packs two values into a byte, so its last dimension must be even"},
    {ENTRY("\"dtype\":\"F6_E2M3\",\"shape\":[8]," RANGE),
     "tensor 'a': dtype 'F6_E2M3' is unknown; it is not guessed"},
    {"{\"a\":{\"shape\":[{},{}]}}", 0, "the header is nested deeper than that of a tensor"},
    {"{\"a\":{\"shape\":[[]]}}", 0, "the header is nested deeper than that of a tensor"},
    {"{\"a{[\":{},\"b\":{},\"c\":{},\"d\":{},\"e\":{},\"f\":{},\"g\":{},\"h\":{},\"i\":{},"
     "\"j\":{},\"k\":{},\"l\":{},\"m\":{},\"n\":{},\"o\":{},\"p\":{},\"q\":[]}",
     0, "the header has 17 entries, and too few bytes for their dtypes and shapes"},
    {"{}", 3, "3 trailing bytes belong to no tensor; the file should end at byte 10"},
};

START_TEST(each_hostile_file_is_refused_by_name_and_fault)
{
    write_safetensors(hostile[_i].header, hostile[_i].data_bytes);
    assert_refused(hostile[_i].message);
}
END_TEST

/* Bytes, as they are, that no safetensors file begins with. */
static const struct {
    const char *text;
    const char *message;
} mistaken[] = {
    {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n",
     "is a Git LFS pointer; fetch the file itself (git lfs pull)"},
    {"\n<!DOCTYPE HTML><html></html>", "is an HTML page; download the file itself"},
    {"<html>", "is an HTML page; download the file itself"},
    {"PK\x03\x04more", "is a ZIP archive, as torch.save() writes; save it as safetensors"},
    {"\x89HDF\r\n\x1a\n", "is an HDF5 file"},
    {"\x80\x02}q", "is a Python pickle; save it as safetensors"},
    {"some other text",
     "is no safetensors file: its first 8 bytes are no length of a header, which "
     "has at most 100000000 bytes"},
    {"", "has 0 bytes, but the header's length alone takes 8"},
};

START_TEST(another_kind_of_file_is_named_for_what_it_is)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(mistaken[_i].text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    assert_refused(mistaken[_i].message);
}
END_TEST

START_TEST(a_header_longer_than_the_format_allows_is_not_even_allocated)
{
    write_claiming(100000001, "{}", 0);
    assert_refused("claims a header of 100000001 bytes; the format allows at most 100000000");
    write_claiming(UINT64_MAX, "{}", 0);
    assert_refused("claims a header of 18446744073709551615 bytes; the format allows at most "
                   "100000000");
}
END_TEST

START_TEST(a_header_longer_than_the_file_is_truncated)
{
    write_claiming(100000000, "{}", 0);
    assert_refused("truncated: claims a header of 100000000 bytes, but only 2 follow its length");
    write_claiming(3, "{}", 0);
    assert_refused("truncated: claims a header of 3 bytes, but only 2 follow its length");
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused)
{
    const char *header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}";
    const size_t whole = 8 + strlen(header) + 8;
    for (size_t bytes = 0; bytes < whole; bytes++) {
        struct safetensors *file = NULL;
        write_safetensors(header, 8);
        ck_assert_int_eq(truncate(path, (off_t)bytes), 0);
        ck_assert_msg(safetensors_open(&file, path, NULL) == RESHARD_EFORMAT, "at %zu", bytes);
        ck_assert_ptr_null(file);
    }
}
END_TEST

START_TEST(a_file_that_shrinks_after_opening_is_noticed_when_read)
{
    unsigned char bytes[8];
    struct reshard_error error = RESHARD_ERROR_INIT;
    write_safetensors("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", 8);
    struct safetensors *file = open_valid();
    ck_assert_int_eq(truncate(path, 64), 0);
    ck_assert_int_eq(safetensors_read(file, safetensors_entry(file, 0), 0, bytes, 8, &error),
                     RESHARD_EFORMAT);
    ck_assert_ptr_nonnull(strstr(error.text, "ends at byte 64"));
    safetensors_close(file);
}
END_TEST

START_TEST(what_is_not_there_or_no_file_says_so)
{
    struct safetensors *file = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(safetensors_open(&file, "/nonexistent/a.safetensors", &error), RESHARD_ENOENT);
    ck_assert_str_eq(error.text,
                     "/nonexistent/a.safetensors: cannot open: No such file or directory");
    ck_assert_int_eq(safetensors_open(&file, folder, NULL), RESHARD_EFORMAT);
    ck_assert_ptr_null(file);
    safetensors_close(NULL);
}
END_TEST

START_TEST(a_hundred_thousand_tensors_are_read_and_found)
{
    enum { COUNT = 100000 };
    char *header = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&header, &size);
    for (unsigned i = 0; i < COUNT; i++)
        (void)fprintf(stream, "%c\"t%u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%u,%u]}",
                      i ? ',' : '{', i, i, i + 1);
    (void)fprintf(stream, "}");
    ck_assert_int_eq(fclose(stream), 0);
    write_safetensors(header, COUNT);
    struct safetensors *file = open_valid();
    ck_assert_uint_eq(safetensors_count(file), COUNT);
    ck_assert_str_eq(safetensors_entry(file, COUNT - 1)->name, "t99999");
    ck_assert_ptr_eq(safetensors_find(file, "t4711"), safetensors_entry(file, 4711));
    safetensors_close(file);
    free(header);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *files = tcase_create("files");
    tcase_set_timeout(files, 60); /* of the clock, which others' work moves too */
    tcase_add_unchecked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, tensors_are_found_with_dtype_shape_and_place);
    tcase_add_test(files, any_part_of_a_tensor_can_be_read);
    tcase_add_test(files, empty_tensors_may_lie_anywhere_between_the_others);
    tcase_add_test(files, a_file_without_tensors_is_a_file);
    tcase_add_test(files, every_dtype_that_the_format_and_we_have_is_read);
    tcase_add_loop_test(files, each_hostile_file_is_refused_by_name_and_fault, 0,
                        (int)(sizeof(hostile) / sizeof(hostile[0])));
    tcase_add_loop_test(files, another_kind_of_file_is_named_for_what_it_is, 0,
                        (int)(sizeof(mistaken) / sizeof(*mistaken)));
    tcase_add_test(files, a_header_longer_than_the_format_allows_is_not_even_allocated);
    tcase_add_test(files, a_header_longer_than_the_file_is_truncated);
    tcase_add_test(files, a_file_cut_anywhere_is_refused);
    tcase_add_test(files, a_file_that_shrinks_after_opening_is_noticed_when_read);
    tcase_add_test(files, what_is_not_there_or_no_file_says_so);
    tcase_add_test(files, a_hundred_thousand_tensors_are_read_and_found);
    suite_add_tcase(suite, files);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
