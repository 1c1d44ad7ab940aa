/*
 * CRC-64/XZ and its one law: the CRC of a run followed by n more bytes (FORMAT.md section 5).
 * Local, without state.
 */
#ifndef VERIFY_CRC_H
#define VERIFY_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Continue a CRC over more bytes; start from 0. */
uint64_t verify_crc(uint64_t crc, const void *data, size_t bytes);

/* The CRC of a run as it counts when `bytes` more bytes follow it. */
uint64_t verify_crc_shift(uint64_t crc, uint64_t bytes);

/* The same in two steps, for many shifts over one distance: the second is much the cheaper. */
uint64_t verify_crc_power(uint64_t bytes);
uint64_t verify_crc_multiply(uint64_t crc, uint64_t power);

#endif
