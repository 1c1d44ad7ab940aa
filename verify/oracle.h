/*
 * The truth about a reference training, computed without any sharding from scenarios/TRAINING.md
 * alone: what every element of every parameter and slot is after step k. Where each element is on
 * its own (sgd, adam, adamw, muon) it keeps no state; each range is computed from its initial
 * values whenever it is asked for, so memory is bounded and any range costs the same. What
 * adafactor and adam8bit train is computed whole when the oracle is opened, and kept.
 *
 * An opened oracle is immutable and may be shared by any number of ranks and threads. Blocks belong
 * to one thread each. The inventory is borrowed; the rest of the options only until it is open.
 */
#ifndef VERIFY_ORACLE_H
#define VERIFY_ORACLE_H

#include "verify/optimizer.h"

enum { VERIFY_BLOCK_ELEMENTS = 32768 };

struct verify_oracle_options {
    const struct verify_inventory *inventory;
    struct verify_optimizer optimizer;
    uint64_t seed;
    uint64_t step;           /* k, up to 2^24 */
    const char *safetensors; /* file of the initial values, or NULL for those of the seed */
};

/* A range of elements of one parameter and of the slots like it, in their stored dtypes. */
struct verify_block;

struct verify_oracle;

/* Local. EINVAL for a slot that the optimizer does not make or of another dtype, class or shape,
 * for an adam8bit of blocks of 0 elements, and for a step beyond 2^24; a safetensors file's own
 * errors (truth.h); ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status
verify_oracle_open(struct verify_oracle **out, const struct verify_oracle_options *options,
                   struct reshard_error *error);
void verify_oracle_close(struct verify_oracle *oracle); /* accepts NULL */

/* Local. The inventory it was opened on; the step. */
const struct verify_inventory *verify_oracle_inventory(const struct verify_oracle *oracle);
uint64_t verify_oracle_step(const struct verify_oracle *oracle);

/* Local. Whether a slot is absent at the oracle's step. What is no slot never is. */
bool verify_oracle_absent(const struct verify_oracle *oracle, uint32_t tensor);

/* Local. All elements, row-major and as they are stored, of a slot whose `like` is false and which
 * is not absent. Valid as long as the oracle. */
const void *verify_oracle_whole(const struct verify_oracle *oracle, uint32_t tensor);

RESHARD_MUST_CHECK enum reshard_status verify_block_open(struct verify_block **out);
void verify_block_close(struct verify_block *block); /* accepts NULL */

/* Local. Compute elements [begin, begin + count) of a parameter and the slots like it; `count` at
 * most VERIFY_BLOCK_ELEMENTS, all within the parameter. */
void verify_oracle_fill(const struct verify_oracle *oracle, struct verify_block *block,
                        uint32_t parameter, uint64_t begin, uint32_t count);

/* Local. Where the block filled last has a tensor's elements: the parameter's, or those of one of
 * its slots, zeros of an absent one. Of a slot whose `like` is false what verify_oracle_whole()
 * says. Valid until the next fill. */
const void *verify_block_values(const struct verify_oracle *oracle,
                                const struct verify_block *block, uint32_t tensor);

#endif
