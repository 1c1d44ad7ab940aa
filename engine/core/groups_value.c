#include "core/groups_value.h"

#include "core/digest.h"
#include "core/pattern.h"

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t bits_of(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples are */
bool reshard_value_equal(const struct reshard_value *a, const struct reshard_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case RESHARD_VALUE_BOOLEAN:
        return a->boolean == b->boolean;
    case RESHARD_VALUE_INTEGER:
        return a->integer == b->integer;
    case RESHARD_VALUE_NUMBER:
        return bits_of(a->number) == bits_of(b->number);
    case RESHARD_VALUE_STRING:
        return strcmp(a->string, b->string) == 0;
    case RESHARD_VALUE_TUPLE:
        if (a->count != b->count)
            return false;
        for (uint32_t i = 0; i < a->count; i++)
            if (!reshard_value_equal(&a->item[i], &b->item[i]))
                return false;
        return true;
    default:
        return true;
    }
}

struct text {
    char *text;
    size_t size;
    size_t used;
};

/* What does not fit is cut off, before a character of UTF-8, and nothing follows it. */
static void put(struct text *to, const char *text)
{
    const size_t bytes = strlen(text), room = to->size - to->used - 1;
    size_t taken = bytes < room ? bytes : room;

    while (taken < bytes && taken > 0 && ((unsigned char)text[taken] & 0xC0) == 0x80)
        taken--;
    memcpy(to->text + to->used, text, taken);
    to->used += taken;
    to->text[to->used] = '\0';
    if (taken < bytes)
        to->size = to->used + 1;
}

/* The fewest digits that mean this number and no other, with a point or exponent as Python has it.
 */
static void put_number(struct text *to, double number)
{
    const char *point = localeconv()->decimal_point;
    char text[64], *found;

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    found = strcmp(point, ".") != 0 ? strstr(text, point) : NULL;
    if (found) {
        *found = '.';
        memmove(found + 1, found + strlen(point), strlen(found + strlen(point)) + 1);
    }
    put(to, text);
    if (!strpbrk(text, ".en"))
        put(to, ".0");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples are */
static void put_value(struct text *to, const struct reshard_value *value)
{
    char text[32];

    switch (value->kind) {
    case RESHARD_VALUE_BOOLEAN:
        put(to, value->boolean ? "True" : "False");
        return;
    case RESHARD_VALUE_INTEGER:
        snprintf(text, sizeof text, "%" PRId64, value->integer);
        put(to, text);
        return;
    case RESHARD_VALUE_NUMBER:
        put_number(to, value->number);
        return;
    case RESHARD_VALUE_STRING:
        put(to, "'");
        put(to, value->string);
        put(to, "'");
        return;
    case RESHARD_VALUE_TUPLE:
        put(to, "(");
        for (uint32_t i = 0; i < value->count && to->used + 1 < to->size; i++) {
            put(to, i ? ", " : "");
            put_value(to, &value->item[i]);
        }
        put(to, value->count == 1 ? ",)" : ")");
        return;
    default:
        put(to, "None");
    }
}

char *reshard_value_print(const struct reshard_value *value, char *text, size_t size)
{
    struct text to = {text, size, 0};

    if (size == 0)
        return text;
    *text = '\0';
    put_value(&to, value);
    return text;
}

/* What is wrong with a value within `level` tuples, or NULL. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples may be */
static const char *fault_within(const struct reshard_value *value, int level)
{
    const char *fault = NULL;

    switch (value->kind) {
    case RESHARD_VALUE_NONE:
    case RESHARD_VALUE_BOOLEAN:
    case RESHARD_VALUE_INTEGER:
    case RESHARD_VALUE_NUMBER:
        return NULL;
    case RESHARD_VALUE_STRING:
        return value->string && text_is_utf8(value->string) ? NULL : "its text is not UTF-8";
    case RESHARD_VALUE_TUPLE:
        if (level == RESHARD_VALUE_DEPTH_MAX)
            return "it has more than 8 tuples within each other";
        if (value->count > 0 && !value->item)
            return "it is a tuple without its items";
        for (uint32_t i = 0; i < value->count && !fault; i++)
            fault = fault_within(&value->item[i], level + 1);
        return fault;
    }
    return "it is of no kind that there is";
}

const char *groups_value_fault(const struct reshard_value *value)
{
    return fault_within(value, 0);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples are */
void groups_value_release(struct reshard_value *value)
{
    if (value->kind == RESHARD_VALUE_STRING)
        free((char *)value->string);
    if (value->kind != RESHARD_VALUE_TUPLE)
        return;
    for (uint32_t i = 0; i < value->count; i++)
        groups_value_release((struct reshard_value *)&value->item[i]);
    free((struct reshard_value *)value->item);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples are */
bool groups_value_copy(struct reshard_value *out, const struct reshard_value *value)
{
    struct reshard_value *item;

    *out = (struct reshard_value){.kind = RESHARD_VALUE_NONE};
    if (value->kind == RESHARD_VALUE_STRING) {
        out->string = strdup(value->string);
        if (!out->string)
            return false;
    } else if (value->kind == RESHARD_VALUE_TUPLE && value->count > 0) {
        item = calloc(value->count, sizeof *item);
        if (!item)
            return false;
        *out = (struct reshard_value){.kind = RESHARD_VALUE_TUPLE, .item = item};
        for (; out->count < value->count; out->count++) {
            if (!groups_value_copy(&item[out->count], &value->item[out->count])) {
                groups_value_release(out);
                *out = (struct reshard_value){.kind = RESHARD_VALUE_NONE};
                return false;
            }
        }
    }
    out->kind = value->kind;
    out->boolean = value->kind == RESHARD_VALUE_BOOLEAN && value->boolean;
    out->integer = value->kind == RESHARD_VALUE_INTEGER ? value->integer : 0;
    out->number = value->kind == RESHARD_VALUE_NUMBER ? value->number : 0;
    return true;
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
    return digest_crc(hash, &number, sizeof number);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples are */
uint64_t groups_value_hash(uint64_t hash, const struct reshard_value *value)
{
    hash = hash_number(hash, (uint64_t)value->kind);
    switch (value->kind) {
    case RESHARD_VALUE_BOOLEAN:
        return hash_number(hash, value->boolean);
    case RESHARD_VALUE_INTEGER:
        return hash_number(hash, (uint64_t)value->integer);
    case RESHARD_VALUE_NUMBER:
        return hash_number(hash, bits_of(value->number));
    case RESHARD_VALUE_STRING:
        return digest_crc(hash, value->string, strlen(value->string) + 1);
    case RESHARD_VALUE_TUPLE:
        hash = hash_number(hash, value->count);
        for (uint32_t i = 0; i < value->count; i++)
            hash = groups_value_hash(hash, &value->item[i]);
        return hash;
    default:
        return hash;
    }
}
