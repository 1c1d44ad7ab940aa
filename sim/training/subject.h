/*
 * A subject: a parameter that takes part in a training step, with its slots. It is the bridge from
 * a state, with its ranks and absences, to a trainee, which optimizers see. Local.
 */
#ifndef RESHARD_SIM_TRAINING_SUBJECT_H
#define RESHARD_SIM_TRAINING_SUBJECT_H

#include "sim/training/train.h"
#include "sim/training/trainee.h"

struct subject {
    uint32_t parameter;
    struct trainee_slots slots;
};

/* Whether a tensor is a parameter that takes part in a training step. */
bool subject_takes_part(const struct train *train, uint32_t tensor, uint64_t step);

/* The subject that such a parameter is; ENOENT or EMISMATCH when the model's slots are not the
 * optimizer's. */
RESHARD_MUST_CHECK enum reshard_status subject_of(struct subject *out, const struct train *train,
                                                  uint32_t parameter, struct reshard_error *error);

/* A trainee in this rank's memory, in which absent slots become zero bits. EINVAL where there is no
 * memory, and for a count of steps that no training leaves. */
RESHARD_MUST_CHECK enum reshard_status subject_open(struct trainee *out, const struct train *train,
                                                    const struct subject *subject, uint64_t step,
                                                    struct reshard_error *error);

/* The step of such a trainee is done: it is counted, and slots that were absent are there, on ranks
 * that have no part in them, too. */
void subject_close(const struct trainee *trainee, const struct train *train,
                   const struct subject *subject);

/* Whether its step needs what is not in the memory of every rank that has a part of it, or not in
 * the parameter's own order: the same on all ranks. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status subject_is_parted(bool *out, const struct train *train,
                                                         const struct subject *subject);

/* Whether this rank has something that its step changes, the count aside. */
bool subject_is_here(const struct train *train, const struct subject *subject);

/* Bytes of the whole parameter and its slots; UINT64_MAX for more. */
uint64_t subject_bytes(const struct train *train, const struct subject *subject);

/* Subjects in the model's order. */
struct subject_list {
    struct subject *subject;
    uint32_t count;
    uint32_t capacity;
};

RESHARD_MUST_CHECK enum reshard_status subject_list_append(struct subject_list *list,
                                                           const struct subject *subject);
void subject_list_release(struct subject_list *list);

#endif
