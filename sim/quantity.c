#include "sim/quantity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct quantity_unit {
    const char *name;
    double factor; /* below 0: its inverse divides, as that is exact where the factor is not */
};

static const struct quantity_unit bytes[] = {
    {"B", 1},        {"kB", 1e3},     {"KB", 1e3},     {"MB", 1e6},        {"GB", 1e9},
    {"TB", 1e12},    {"PB", 1e15},    {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 0x1p30},
    {"TiB", 0x1p40}, {"PiB", 0x1p50}, {NULL, 0},
};

static const struct quantity_unit rates[] = {
    {"B/s", 1},           {"kB/s", 1e3},     {"KB/s", 1e3},     {"MB/s", 1e6},
    {"GB/s", 1e9},        {"TB/s", 1e12},    {"PB/s", 1e15},    {"KiB/s", 1024.0},
    {"MiB/s", 1048576.0}, {"GiB/s", 0x1p30}, {"TiB/s", 0x1p40}, {"PiB/s", 0x1p50},
    {"bit/s", 0.125},     {"kbit/s", 125.0}, {"Mbit/s", 125e3}, {"Gbit/s", 125e6},
    {"Tbit/s", 125e9},    {NULL, 0},
};

static const struct quantity_unit durations[] = {
    {"ns", -1e9}, {"us", -1e6}, {"µs", -1e6}, {"ms", -1e3},
    {"s", 1},     {"min", 60},  {"h", 3600},  {NULL, 0},
};

static const struct {
    const struct quantity_unit *unit;
    const char *help;
} kinds[] = {
    [QUANTITY_BYTES] = {bytes, "a size with its unit, such as 64 MiB or 1.5 GB"},
    [QUANTITY_RATE] = {rates,
                       "a rate above 0 with its unit, such as 25 GB/s, 800 MiB/s or 400 Gbit/s"},
    [QUANTITY_DURATION] = {durations, "a time with its unit, such as 2 us, 500 ms or 1.5 s"},
};

static const char *skip_digits(const char *text)
{
    while (*text >= '0' && *text <= '9')
        text++;
    return text;
}

bool quantity_number(const char *text, double *out, const char **end)
{
    const char *stop = skip_digits(text);
    if (stop == text)
        return false;
    if (*stop == '.') {
        const char *fraction = stop + 1;
        stop = skip_digits(fraction);
        if (stop == fraction)
            return false;
    }
    if (*stop == 'e' || *stop == 'E') {
        const char *exponent = stop + 1;
        if (*exponent == '+' || *exponent == '-')
            exponent++;
        if (skip_digits(exponent) != exponent)
            stop = skip_digits(exponent);
    }
    if (end)
        *end = stop;
    else if (*stop != '\0')
        return false;
    *out = strtod(text, NULL);
    return isfinite(*out);
}

bool quantity_count(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
            return false;
    }
    *out = value;
    return *text != '\0';
}

bool quantity_read(enum quantity_kind kind, const char *text, double *out)
{
    const char *name = NULL;
    double number = 0;
    if (!quantity_number(text, &number, &name))
        return false;
    while (*name == ' ')
        name++;
    for (const struct quantity_unit *unit = kinds[kind].unit; unit->name; unit++) {
        if (strcmp(name, unit->name) != 0)
            continue;
        *out = unit->factor < 0 ? number / -unit->factor : number * unit->factor;
        return isfinite(*out) && (kind != QUANTITY_RATE || *out > 0) &&
               (kind != QUANTITY_BYTES || floor(*out) == *out);
    }
    return false;
}

const char *quantity_help(enum quantity_kind kind)
{
    return kinds[kind].help;
}

const char *quantity_unit(enum quantity_kind kind, unsigned index)
{
    return kinds[kind].unit[index].name;
}
