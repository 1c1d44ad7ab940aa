/*
 * The training of a whole parameter from its initial values on, for optimizers that cannot be
 * computed range by range: adafactor reduces over the parameter, adam8bit over blocks of any size.
 * What comes out is kept as it is stored, so a course needs the memory of its parameter and slots,
 * and on the way that of a few doubles for each element.
 */
#ifndef VERIFY_COURSE_H
#define VERIFY_COURSE_H

#include "verify/optimizer.h"
#include "verify/stream.h"

struct verify_course {
    const struct verify_tensor *parameter;
    const struct verify_training *training;
    struct verify_stream stream;
    uint64_t elements;
    uint64_t taken;                         /* steps to take */
    unsigned char *p;                       /* stored: initial values first, then trained ones */
    unsigned char *slot[VERIFY_SLOT_COUNT]; /* stored, zeros first; NULL: not kept */
};

/* Local. Does a training take courses? */
bool verify_course_needed(const struct verify_training *training);

/* Local. Train up to a step. `file` has the initial values, or is NULL for those of the stream.
 * Parameter and training are borrowed. ENOMEM; on failure `out` is empty. */
RESHARD_MUST_CHECK enum reshard_status verify_course_open(struct verify_course *out,
                                                          const struct verify_tensor *parameter,
                                                          const struct verify_training *training,
                                                          struct verify_stream stream,
                                                          uint64_t step, const unsigned char *file);
void verify_course_close(struct verify_course *course); /* accepts an empty one */

/* Local. g of the course's s-th step, for `count` elements from `begin` on. */
void verify_course_draw(const struct verify_course *course, uint64_t s, uint64_t begin, double *g,
                        size_t count);

#endif
