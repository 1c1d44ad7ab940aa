/*
 * Bytes as a regular file, for readers that want a path: one file for each process, gone with it.
 */
#ifndef RESHARD_TESTS_INPUT_H
#define RESHARD_TESTS_INPUT_H

#include <stddef.h>

/* Give the file these bytes and no others. Its path, the same each time; aborts where that fails.
 */
const char *input_file(const void *data, size_t size);

#endif
