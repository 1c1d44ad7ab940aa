/*
 * What the disk does by itself: a file written or read front to back with the fewest system calls
 * that make sense, as the baseline for checkpoints of the same size. All end the program when the
 * disk refuses.
 */
#ifndef RESHARD_BENCH_RAW_H
#define RESHARD_BENCH_RAW_H

#include <stdbool.h>
#include <stdint.h>

enum { RAW_BLOCK_BYTES = 4 * 1024 * 1024, RAW_ALIGNMENT = 4096 };

/* Write a new file, reserved in full, and sync it. With `direct`, past the page cache where the
 * file system lets it; memory and bytes are multiples of RAW_ALIGNMENT. */
void raw_write(const char *path, const void *memory, uint64_t bytes, bool direct);

/* Read that many bytes of a file from its beginning. */
void raw_read(const char *path, void *memory, uint64_t bytes, bool direct);

/* Drop what this machine's page cache has of a file that is synced. What a hypervisor or a disk
 * keeps beyond it cannot be dropped. */
void raw_forget(const char *path);

/* Remove a file, if there is one. */
void raw_remove(const char *path);

#endif
