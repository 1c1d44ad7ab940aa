#include "sim/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_LINE_MAX = 256, RECORD_CAPACITY_FIRST = 1024 };

static bool make_room(struct record *record, size_t bytes)
{
    if (record->capacity - record->bytes >= bytes)
        return true;
    const size_t capacity = record->capacity ? 2 * record->capacity : RECORD_CAPACITY_FIRST;
    char *grown = realloc(record->text, capacity);
    if (!grown)
        return false;
    record->text = grown;
    record->capacity = capacity;
    return true;
}

void record_event(struct record *record, double seconds, const char *verb, const char *phase,
                  uint64_t bytes)
{
    if (!make_room(record, RECORD_LINE_MAX)) {
        record->incomplete = true;
        return;
    }
    const int length =
        snprintf(record->text + record->bytes, RECORD_LINE_MAX,
                 "%.9f %" PRIu64 " %s %s %" PRIu64 "\n", seconds, record->rank, verb, phase, bytes);
    if (length < 0 || length >= RECORD_LINE_MAX)
        record->incomplete = true;
    else
        record->bytes += (size_t)length;
}

static enum reshard_status failed(const char *path, const char *what, struct reshard_error *error)
{
    return reshard_error_set(error, errno == ENOSPC ? RESHARD_ENOSPC : RESHARD_EIO,
                             "%s: cannot %s: %s", path, what, strerror(errno));
}

static enum reshard_status write_text(const struct record *record, const char *path,
                                      struct reshard_error *error)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return failed(path, "create", error);
    const bool written = fwrite(record->text, 1, record->bytes, file) == record->bytes &&
                         fputs("end\n", file) >= 0 && fflush(file) == 0;
    enum reshard_status status = written ? RESHARD_OK : failed(path, "write", error);
    if (fclose(file) && !status)
        status = failed(path, "close", error);
    return status;
}

enum reshard_status record_write(const struct record *record, const char *path,
                                 struct reshard_error *error)
{
    char *temporary = NULL;
    if (record->incomplete || asprintf(&temporary, "%s.partial", path) < 0)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: no memory for the record", path);
    enum reshard_status status = write_text(record, temporary, error);
    if (!status && rename(temporary, path))
        status = failed(path, "rename to", error);
    free(temporary);
    return status;
}

void record_release(struct record *record)
{
    free(record->text);
    *record = (struct record)RECORD_INIT(record->rank);
}
