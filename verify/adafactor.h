/*
 * adafactor of scenarios/TRAINING.md: variances by row and by column, and three sums over the whole
 * parameter in every step. Part of the course. Local.
 */
#ifndef VERIFY_ADAFACTOR_H
#define VERIFY_ADAFACTOR_H

#include "verify/course.h"

/* Take all steps of the course, of a parameter that is not empty. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_adafactor(const struct verify_course *course);

#endif
