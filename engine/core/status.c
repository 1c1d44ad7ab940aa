#include "core/status.h"

#include <stdio.h>
#include <string.h>

struct status_entry {
    const char *name;
    const char *text;
};

static const struct status_entry status_table[] = {
#define STATUS_ENTRY(name, text) {#name, text},
    RESHARD_STATUS_MAP(STATUS_ENTRY)
#undef STATUS_ENTRY
};

static const struct status_entry *status_entry(enum reshard_status status)
{
    static const struct status_entry unknown = {"?", "not a status of reshard"};
    const size_t index = (size_t)status;

    return index < sizeof status_table / sizeof *status_table ? &status_table[index] : &unknown;
}

const char *reshard_status_name(enum reshard_status status)
{
    return status_entry(status)->name;
}

const char *reshard_status_text(enum reshard_status status)
{
    return status_entry(status)->text;
}

/*
 * Write behind the `used` first characters. A text that does not fit ends in "...", so that nobody
 * takes a cut list for a whole one; it is cut before a character of UTF-8, not within.
 */
__attribute__((format(printf, 3, 0))) static void print(struct reshard_error *error, size_t used,
                                                        const char *format, va_list arguments)
{
    const size_t size = sizeof error->text;
    const int needed = vsnprintf(error->text + used, size - used, format, arguments);
    size_t cut = size - 4;

    if (needed < 0 || (size_t)needed < size - used)
        return;
    while (cut > 0 && ((unsigned char)error->text[cut] & 0xC0) == 0x80)
        cut--;
    memcpy(error->text + cut, "...", 4);
}

enum reshard_status reshard_error_set(struct reshard_error *error, enum reshard_status status,
                                      const char *format, ...)
{
    va_list arguments;

    if (!error || error->status != RESHARD_OK)
        return status;
    error->status = status;
    va_start(arguments, format);
    print(error, 0, format, arguments);
    va_end(arguments);
    return status;
}

void reshard_error_clear(struct reshard_error *error)
{
    if (error)
        *error = (struct reshard_error)RESHARD_ERROR_INIT;
}

void reshard_error_prefix(struct reshard_error *error, const char *format, ...)
{
    char text[RESHARD_ERROR_TEXT_MAX];
    va_list arguments;

    if (!error || error->status == RESHARD_OK)
        return;
    memcpy(text, error->text, sizeof text);
    va_start(arguments, format);
    print(error, 0, format, arguments);
    va_end(arguments);
    reshard_error_append(error, ": %s", text);
}

void reshard_error_append(struct reshard_error *error, const char *format, ...)
{
    va_list arguments;

    if (!error || error->status == RESHARD_OK)
        return;
    va_start(arguments, format);
    print(error, strlen(error->text), format, arguments);
    va_end(arguments);
}

enum reshard_status reshard_first_failure(enum reshard_status first, enum reshard_status second)
{
    return first ? first : second;
}
