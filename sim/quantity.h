/*
 * Quantities as people write them: a number and a unit, "25 GB/s", "2 us", "64 MiB". Prefixes are
 * decimal (kB, MB, GB, ...: powers of 1000) or binary (KiB, MiB, ...: powers of 1024); rates may
 * also be in bits, written out ("400 Gbit/s"), since "Gb" is read both ways. A number without a
 * unit is no quantity. The space between number and unit may be left out.
 */
#ifndef RESHARD_SIM_QUANTITY_H
#define RESHARD_SIM_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

enum quantity_kind {
    QUANTITY_BYTES,    /* whole bytes */
    QUANTITY_RATE,     /* bytes per second, above 0 */
    QUANTITY_DURATION, /* seconds */
};

/* A quantity in bytes, bytes per second or seconds. The whole text must be it. */
bool quantity_read(enum quantity_kind kind, const char *text, double *out);

/* What a quantity looks like, as in "a rate with its unit, such as 25 GB/s, ...". Constant. */
const char *quantity_help(enum quantity_kind kind);

/* The units of a kind, in turn from index 0; NULL after the last. Constant. */
const char *quantity_unit(enum quantity_kind kind, unsigned index);

/* A decimal number: digits, a fraction, an exponent; no sign, no hexadecimal, no infinity. The
 * whole text must be it, except that `end`, unless NULL, receives where it stops. */
bool quantity_number(const char *text, double *out, const char **end);

/* A whole number from 0 to 2^64-1, digits only. */
bool quantity_count(const char *text, uint64_t *out);

#endif
