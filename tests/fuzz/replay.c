/*
 * A fuzz target without the fuzzer: reads each file that is named, and nothing, once. So the target
 * is a test of every build, and shows what an input that was found does: fuzz_NAME FILE...
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int replay(const char *path)
{
    FILE *file = fopen(path, "re");
    char *bytes = NULL;
    size_t size = 0;
    FILE *copy = open_memstream(&bytes, &size);
    char block[65536];
    size_t got = 0;

    if (!file || !copy) {
        perror(path);
        return EXIT_FAILURE;
    }
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        (void)fwrite(block, 1, got, copy);
    const int failed = ferror(file) | fclose(file) | fclose(copy);
    if (failed)
        (void)fprintf(stderr, "%s: cannot be read\n", path);
    else
        (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
    free(bytes);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int status = argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;

    if (argc < 2)
        (void)fprintf(stderr, "usage: %s FILE...\n", argv[0]);
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        status |= replay(argv[i]);
    if (!status)
        (void)printf("%d files, and nothing, were read\n", argc - 1);
    return status;
}
