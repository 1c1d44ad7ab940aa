#include "bench/raw.h"

#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int open_file(const char *path, int flags, bool direct)
{
    int file = direct ? open(path, flags | O_DIRECT | O_CLOEXEC, 0666) : -1;

    if (file < 0)
        file = open(path, flags | O_CLOEXEC, 0666);
    bench_require(file >= 0, path);
    return file;
}

static uint64_t block(uint64_t offset, uint64_t bytes)
{
    return bytes - offset < RAW_BLOCK_BYTES ? bytes - offset : RAW_BLOCK_BYTES;
}

void raw_write(const char *path, const void *memory, uint64_t bytes, bool direct)
{
    const int file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, direct);
    ssize_t done;

    bench_require(fallocate(file, 0, 0, (off_t)bytes) == 0 || errno == EOPNOTSUPP,
                  "no space for a raw file");
    for (uint64_t offset = 0; offset < bytes; offset += (uint64_t)done) {
        done = pwrite(file, (const char *)memory + offset, block(offset, bytes), (off_t)offset);
        bench_require(done > 0, "a raw write failed");
    }
    bench_require(fsync(file) == 0 && close(file) == 0, "a raw file could not be synced");
}

void raw_read(const char *path, void *memory, uint64_t bytes, bool direct)
{
    const int file = open_file(path, O_RDONLY, direct);
    ssize_t done;

    for (uint64_t offset = 0; offset < bytes; offset += (uint64_t)done) {
        done = pread(file, (char *)memory + offset, block(offset, bytes), (off_t)offset);
        bench_require(done > 0, "a raw read failed");
    }
    close(file);
}

void raw_forget(const char *path)
{
    const int file = open_file(path, O_RDONLY, false);

    bench_require(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0,
                  "the page cache cannot be dropped");
    close(file);
}

void raw_remove(const char *path)
{
    bench_require(unlink(path) == 0 || errno == ENOENT, "a file cannot be removed");
}
