/*
 * A job: one world of a scenario (a stretch of steps at one world size), compiled to a small
 * canonical file, so that ranks parse no YAML and the same bytes always mean the same run. The
 * harness writes it, launches a program on every rank with its path, and each rank reads it.
 *
 * Beside the job file, in the job's folder, ranks leave what happened:
 *   steps.jsonl   by rank 0, one JSON object a line for each finished step (struct job_result);
 *   end-00000 …   by each rank, when and only when it reached the end of the job: its event lines,
 *                 then a last line "end". A job is believed on these alone: launchers exit 0 on
 *                 deadlocks.
 */
#ifndef RESHARD_SIM_JOB_H
#define RESHARD_SIM_JOB_H

#include "core/layout.h"
#include "core/model.h"
#include "core/optimizer.h"
#include "sim/scenario.h"

#include <stdbool.h>
#include <stdint.h>

struct job_step {
    enum scenario_verb verb; /* anything but start */
    int line;                /* in the scenario file */
    uint64_t train;
    char *checkpoint;
    enum scenario_reading reading;        /* load */
    struct reshard_layout_options layout; /* reshard */
    struct scenario_transform transform;
    uint64_t verify;
    enum scenario_outcome outcome; /* expected; any other ends the job */
};

struct job {
    char *scenario; /* its name */
    uint64_t world; /* index of the world in the scenario, from 0 */
    uint64_t ranks;
    uint64_t seed;
    char *checkpoints;                    /* folder of the scenario's checkpoints; exists */
    char *folder;                         /* of the job file */
    char *safetensors;                    /* initial parameters, or NULL */
    bool simulated;                       /* whether costs are charged */
    struct reshard_model *model;          /* for this world, with the optimizer's slots */
    struct reshard_optimizer optimizer;   /* with groups of its own */
    struct reshard_layout_options layout; /* that the world begins with */
    struct scenario_cluster cluster;
    uint64_t step_count;
    struct job_step *steps;
};

/* What rank 0 reports of a step, and the harness reads. */
struct job_result {
    uint64_t step;                 /* index in the job's steps */
    enum scenario_outcome outcome; /* what it was */
    int status;                    /* enum reshard_status */
    char *message;                 /* "" when all went well */
    double seconds;                /* finite; simulated, or wall on MPI; the slowest rank's */
    uint64_t bytes_unique;         /* save, load, reshard, transform: payload, once */
    uint64_t bytes_moved;          /* save, load: payload asked of the store */
    uint64_t bytes_sent;           /* load, reshard, transform: payload from rank to rank */
    uint64_t bytes_lacking;        /* the least that could have been sent */
    uint64_t files;
    uint64_t training_step; /* of the state after the step */
    char *loaded;           /* load: the checkpoint taken, else NULL */
    uint64_t tensors;       /* verify: tensors, elements and replicas that were judged */
    uint64_t elements;
    uint64_t replicas;
    char digest[17]; /* of the state after the step: CRC-64/XZ of the sorted lines
                        "fqn slot dtype shape digest\n"; "" for a failed step */
};

/* Local. Compile world `world` of a scenario. The result borrows nothing. EINVAL when the scenario
 * has no such world, ENOENT when its safetensors file went away. */
RESHARD_MUST_CHECK enum reshard_status job_compile(struct job **out,
                                                   const struct scenario *scenario, uint64_t world,
                                                   const char *checkpoints, const char *folder,
                                                   bool simulated);
uint64_t job_world_count(const struct scenario *scenario);

RESHARD_MUST_CHECK enum reshard_status job_write(const struct job *job, const char *path,
                                                 struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status job_read(struct job **out, const char *path,
                                                struct reshard_error *error);
void job_close(struct job *job); /* accepts NULL */

/* One line of steps.jsonl, without its newline, in new memory, NULL when there is none; and its
 * reading, strict, with the strings in new memory. EFORMAT, naming the member. */
char *job_result_encode(const struct job_result *result);
RESHARD_MUST_CHECK enum reshard_status job_result_decode(struct job_result *out, const char *line,
                                                         struct reshard_error *error);
void job_result_release(struct job_result *result);

/* The path of a rank's end record, in new memory. */
char *job_end_path(const struct job *job, uint64_t rank);

#endif
