#include "verify/course.h"

#include "verify/adafactor.h"
#include "verify/adam8bit.h"

#include <stdlib.h>
#include <string.h>

bool verify_course_needed(const struct verify_training *training)
{
    return training->name == VERIFY_ADAFACTOR || training->name == VERIFY_ADAM8BIT;
}

void verify_course_draw(const struct verify_course *course, uint64_t s, uint64_t begin, double *g,
                        size_t count)
{
    verify_stream_draw(&course->stream, course->training->hyper.from + s - 1, begin, g, count);
}

/* Memory for the elements of a tensor, all bits zero. */
static unsigned char *elements_open(const struct verify_tensor *tensor)
{
    uint64_t elements;

    if (!verify_tensor_measure(tensor, &elements))
        return NULL;
    return calloc((size_t)elements + 1, reshard_dtype_bytes(tensor->dtype));
}

static enum reshard_status open_memory(struct verify_course *course)
{
    struct verify_tensor slot;

    course->p = elements_open(course->parameter);
    if (!course->p)
        return RESHARD_ENOMEM;
    for (enum verify_slot s = 0; s < VERIFY_SLOT_COUNT; ++s) {
        if (!verify_training_slot(course->training, course->parameter, s, &slot))
            continue;
        course->slot[s] = elements_open(&slot);
        if (!course->slot[s])
            return RESHARD_ENOMEM;
    }
    return RESHARD_OK;
}

static void set_initial(const struct verify_course *course, const unsigned char *file)
{
    const enum reshard_dtype dtype = course->parameter->dtype;

    if (file)
        memcpy(course->p, file, (size_t)course->elements * reshard_dtype_bytes(dtype));
    else
        verify_stream_initial(&course->stream, dtype, 0, course->p, (size_t)course->elements);
}

/* Step 0 leaves the bytes as they are: the way through double would quieten NaNs. */
static enum reshard_status train(const struct verify_course *course)
{
    const float count = (float)course->taken;
    enum reshard_status status = RESHARD_OK;

    if (course->taken > 0 && course->elements > 0)
        status = course->training->name == VERIFY_ADAFACTOR ? verify_adafactor(course)
                                                            : verify_adam8bit(course);
    memcpy(course->slot[VERIFY_SLOT_STEP], &count, sizeof count);
    return status;
}

enum reshard_status verify_course_open(struct verify_course *out,
                                       const struct verify_tensor *parameter,
                                       const struct verify_training *training,
                                       struct verify_stream stream, uint64_t step,
                                       const unsigned char *file)
{
    enum reshard_status status;

    *out = (struct verify_course){.parameter = parameter,
                                  .training = training,
                                  .stream = stream,
                                  .elements = verify_tensor_elements(parameter),
                                  .taken = verify_training_taken(training, step)};
    status = open_memory(out);
    if (!status) {
        set_initial(out, file);
        status = train(out);
    }
    if (status)
        verify_course_close(out);
    return status;
}

void verify_course_close(struct verify_course *course)
{
    free(course->p);
    for (enum verify_slot s = 0; s < VERIFY_SLOT_COUNT; ++s)
        free(course->slot[s]);
    memset(course, 0, sizeof *course);
}
