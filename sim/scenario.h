/*
 * A scenario: one YAML file, parsed and checked into plain structs. Everything that can be wrong
 * with it is found here, before anything runs, and reported as file:line:column with the source
 * line, a caret and what would be right; the rest of the harness trusts what it is given.
 *
 * The language is a strict subset of YAML 1.2 described by one table (sim/language.c), from which
 * the JSON Schema beside the scenarios is printed too. scenarios/README.md is its reference.
 */
#ifndef RESHARD_SIM_SCENARIO_H
#define RESHARD_SIM_SCENARIO_H

#include "core/form.h"
#include "core/layout.h"
#include "core/model.h"
#include "core/optimizer.h"
#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The simulated machine. Bandwidths in bytes per second, times in seconds. All are given, by the
 * file or by default, but storage and device, which are 0 where the file has none. */
struct scenario_cluster {
    uint64_t nodes;
    uint64_t ranks_per_node;
    double network_bandwidth; /* of each node's link, each direction */
    double network_latency;
    double disk_read; /* each node's own disk */
    double disk_write;
    uint64_t storage_servers; /* 0: no shared storage, checkpoints are on the nodes' disks */
    double storage_read;      /* each server's */
    double storage_write;
    double device_to_host; /* 0: state lives in host memory, staging costs nothing */
};

/* Of a start, and of a reshard: the ranks that have a part in the layout, as its mesh or idle. The
 * layout's sizes are complete, its world is the world's. */
struct scenario_start {
    uint64_t ranks;
    struct reshard_layout_options layout;
};

/* Who reads what several ranks hold (parallel/load.h has it for the engine). */
enum scenario_reading {
    SCENARIO_READ_ONCE,
    SCENARIO_READ_EACH,
    SCENARIO_READ_CHEAPEST,
};

/* The form of a part of the state, where there is one. */
struct scenario_form {
    bool given;
    enum reshard_form form;
};

struct scenario_transform {
    struct scenario_form model; /* all but slots */
    struct scenario_form optimizer;
    bool rank0_only; /* the full form is */
};

enum scenario_verb {
    SCENARIO_START,
    SCENARIO_TRAIN,
    SCENARIO_SAVE,
    SCENARIO_LOAD,
    SCENARIO_RESHARD,
    SCENARIO_TRANSFORM,
    SCENARIO_VERIFY,
};

enum scenario_outcome {
    SCENARIO_OK,
    SCENARIO_REFUSED, /* an error that says no: bad argument, mismatch, exists, not found */
    SCENARIO_DAMAGED, /* the checkpoint is damaged or incomplete */
    SCENARIO_ERROR,   /* anything else, as no space or a failing disk: none can be expected */
};

/* `expect:` of a step. Absent bounds are negative, absent strings NULL. */
struct scenario_expect {
    enum scenario_outcome outcome;
    char *message;             /* must occur in the step's message */
    char *loaded;              /* the checkpoint that a load took */
    double read_amplification; /* at most this, within one part in a million */
    double seconds_at_most;    /* simulated; not checked on MPI */
    double seconds_at_least;
};

/* Of the verbs' values those of its own verb are set. */
struct scenario_step {
    enum scenario_verb verb;
    int line; /* of the verb in the file, from 1 */
    struct scenario_start start;
    uint64_t train;   /* steps */
    char *checkpoint; /* save, load: a name, or "latest" for load */
    enum scenario_reading reading;
    struct scenario_start reshard;
    struct scenario_transform transform;
    uint64_t verify; /* the training step whose state must be held */
    struct scenario_expect expect;
};

struct scenario {
    char *file;
    char *name;
    char *about;
    uint64_t seed;
    char *safetensors;           /* the path of the file with the initial parameters, or NULL */
    struct reshard_model *model; /* for a world of one rank: tensors with their final dtypes, ties,
                                    and the optimizer's slots (reshard_optimizer_extend) */
    struct reshard_optimizer optimizer; /* with groups of its own (sim/optimizer.h) */
    struct scenario_cluster cluster;
    uint64_t step_count;
    struct scenario_step *steps;
    uint64_t checkpoint_count; /* expect.checkpoints: exactly these must exist at the end */
    char **checkpoints;
    bool checkpoints_expected; /* whether the key was given: an empty list is an expectation too */
};

/*
 * Read and check a scenario file. Relative file names in it are relative to the scenario's folder;
 * a model's name is looked up as models/NAME.yaml in the scenario's folder, then in its parents
 * and in `scenario_home` (may be NULL). `seed` overrides the file's unless NULL. Messages go to
 * `messages` (may be NULL); EINVAL when there were any, ENOENT when the file cannot be read.
 */
RESHARD_MUST_CHECK enum reshard_status scenario_open(struct scenario **out, const char *path,
                                                     const char *scenario_home,
                                                     const uint64_t *seed, FILE *messages);
void scenario_close(struct scenario *scenario); /* accepts NULL */

/* The verb's word in the language. */
const char *scenario_verb_name(enum scenario_verb verb);
const char *scenario_outcome_name(enum scenario_outcome outcome);
const char *scenario_reading_name(enum scenario_reading reading);

/* Print the JSON Schema of the language, from the table that validates. False when memory ran out
 * or `out` refused. */
bool scenario_schema_print(FILE *out);

#endif
