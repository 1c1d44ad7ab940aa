/*
 * What a job trains, as its file has it: the model's inventory with the optimizer's slots, and the
 * optimizer with its groups.
 *
 * All functions are local. The JSON values are new references, NULL without memory.
 */
#ifndef RESHARD_SIM_JOB_MODEL_H
#define RESHARD_SIM_JOB_MODEL_H

#include "core/model.h"
#include "core/optimizer.h"
#include "sim/member.h"

json_t *job_optimizer_encode(const struct reshard_optimizer *optimizer);

/* The caller ends it with optimizer_release(), after a failure too. */
void job_optimizer_decode(struct member_reader *reader, const json_t *object,
                          struct reshard_optimizer *out);

/* The values of a job's members "tensors" and "ties". */
json_t *job_tensors_encode(const struct reshard_model *model);
json_t *job_ties_encode(const struct reshard_model *model);

/* The model of these members of `root`. The caller closes *out, after a failure too. */
void job_model_decode(struct member_reader *reader, const json_t *root, struct reshard_model **out);

#endif
