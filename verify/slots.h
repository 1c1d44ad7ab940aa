/*
 * Where optimizer state is: as its parameter, or by rule 9 of FORMAT.md section 4, class by class.
 * Inside of rules.h.
 */
#ifndef VERIFY_SLOTS_H
#define VERIFY_SLOTS_H

#include "verify/placement.h"

/* Local. Settle all slots, once their parameters are, flat ones included; but for owners. ENOMEM.
 */
RESHARD_MUST_CHECK enum reshard_status verify_slots_settle(struct verify_rules *rules,
                                                           struct reshard_error *error);

#endif
