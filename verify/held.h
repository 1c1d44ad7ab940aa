/*
 * What one rank holds, judged: every element in its memory against the oracle, bit for bit, at the
 * place where the layout's rules say it must lie. Padding is never compared.
 *
 * Local: nothing is sent; each rank judges itself, and the caller adds the reports up
 * (verify_report_merge(), or a sum over the tallies). A load lost nothing when no rank has findings
 * and, for each tensor that is not absent, the ranks' `held` add up to
 * verify_rules_world_elements(); that of an absent one is 0.
 * A few MiB of memory, whatever the model's size.
 */
#ifndef VERIFY_HELD_H
#define VERIFY_HELD_H

#include "verify/oracle.h"
#include "verify/report.h"
#include "verify/rules.h"

/* A rank's memory of one tensor: its boxes by rising first element, one after the other, each dense
 * row-major; for a tensor in a flat parameter the whole flat shard of its unit for that slot,
 * padding included. `base` may be NULL for 0 bytes. A flat tensor that is not at the rank's
 * coordinates is not looked at: its unit's flat shard may be there for others.
 *
 * A slot that the oracle says is absent must be `absent`, and no other may be; its memory, which
 * may be there or not, is not looked at. A rank without elements of a slot has no say in that.
 */
struct verify_memory {
    const void *base;
    uint64_t bytes;
    bool absent;
};

struct verify_held_options {
    const struct verify_rules *rules;
    const struct verify_oracle *oracle; /* on the same inventory as the rules */
    const struct verify_memory *memory; /* one for each tensor of the inventory */
    uint64_t rank;                      /* below the layout's world */
    const bool *judged;                 /* of each tensor, whether it is looked at; NULL: all are */
};

/* Local. Judge a rank into an opened report, whose tallies it makes where there are none.
 * EMISMATCH, the error being the foremost finding, when anything differs; EINVAL or ENOMEM when it
 * cannot be judged. */
RESHARD_MUST_CHECK enum reshard_status verify_held(const struct verify_held_options *options,
                                                   struct verify_report *report,
                                                   struct reshard_error *error);

#endif
