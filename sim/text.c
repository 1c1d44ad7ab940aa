#include "sim/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The longest sequence is four bytes; a first byte tells its length, and the least code for which
 * that length is right (RFC 3629, section 4). */
static size_t sequence_bytes(unsigned char first, uint32_t *least, uint32_t *bits)
{
    if (first < 0x80) {
        *least = 0;
        *bits = first;
        return 1;
    }
    if (first >= 0xC2 && first < 0xE0) {
        *least = 0x80;
        *bits = first & 0x1F;
        return 2;
    }
    if (first >= 0xE0 && first < 0xF0) {
        *least = 0x800;
        *bits = first & 0x0F;
        return 3;
    }
    *least = 0x10000;
    *bits = first & 0x07;
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

size_t text_character(const char *text, size_t bytes, uint32_t *code)
{
    uint32_t least = 0;
    if (bytes == 0)
        return 0;
    const size_t length = sequence_bytes((unsigned char)text[0], &least, code);
    if (length == 0 || length > bytes)
        return 0;
    for (size_t i = 1; i < length; i++) {
        const unsigned char next = (unsigned char)text[i];
        if ((next & 0xC0) != 0x80)
            return 0;
        *code = *code << 6 | (next & 0x3F);
    }
    const bool surrogate = *code >= 0xD800 && *code <= 0xDFFF;
    return *code < least || *code > 0x10FFFF || surrogate ? 0 : length;
}

/* Whether a character commands rather than shows: the controls C0 and C1, and those that turn the
 * direction of writing, by which a line can be made to read as another. */
static bool commands(uint32_t code)
{
    return (code < 0x20 && code != '\t') || (code >= 0x7F && code < 0xA0) || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

size_t text_step(const char *text, size_t bytes, size_t *columns)
{
    uint32_t code = 0;
    const size_t length = text_character(text, bytes, &code);
    const bool shown = length > 0 && !commands(code);
    *columns = shown ? 1 : 4 * (length > 0 ? length : 1);
    return length > 0 ? length : 1;
}

void text_print(FILE *out, const char *text, size_t bytes)
{
    while (bytes > 0) {
        size_t columns = 0;
        const size_t length = text_step(text, bytes, &columns);
        if (columns == 1)
            (void)fwrite(text, 1, length, out);
        else
            for (size_t i = 0; i < length; i++)
                (void)fprintf(out, "\\x%02x", (unsigned char)text[i]);
        text += length;
        bytes -= length;
    }
}

size_t text_columns(const char *text)
{
    size_t all = 0;
    for (size_t left = strlen(text); left > 0;) {
        size_t columns = 0;
        const size_t length = text_step(text, left, &columns);
        all += columns;
        text += length;
        left -= length;
    }
    return all;
}

json_t *text_json(const char *text)
{
    if (!text)
        return json_null();
    size_t left = strlen(text);
    char *copy = malloc(4 * left + 1);
    char *to = copy;
    while (copy && left > 0) {
        uint32_t code = 0;
        const size_t length = text_character(text, left, &code);
        if (length > 0)
            to = mempcpy(to, text, length);
        else
            to += sprintf(to, "\\x%02x", (unsigned char)*text);
        text += length > 0 ? length : 1;
        left -= length > 0 ? length : 1;
    }
    json_t *value = copy ? json_stringn(copy, (size_t)(to - copy)) : NULL;
    free(copy);
    return value;
}

char *text_plural(uint64_t count, const char *noun, char *text, size_t size)
{
    (void)snprintf(text, size, "%" PRIu64 " %s%s", count, noun, count == 1 ? "" : "s");
    return text;
}
