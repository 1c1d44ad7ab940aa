/*
 * adam8bit of scenarios/TRAINING.md: moments as codes of a byte, with a scale for each block of
 * elements. Part of the course. Local.
 */
#ifndef VERIFY_ADAM8BIT_H
#define VERIFY_ADAM8BIT_H

#include "verify/course.h"

/* Take all steps of the course, block by block, each of which is on its own. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_adam8bit(const struct verify_course *course);

#endif
