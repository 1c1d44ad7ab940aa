/*
 * Running a scenario: world after world is compiled, launched and judged, and what was expected is
 * held against what happened. State goes from one world to the next through the checkpoint folder
 * alone. Nothing is printed; the whole outcome is a struct run_report, for sim/report.h to show.
 *
 * A run works in a folder of its own:
 *     checkpoints/   the scenario's checkpoints
 *     world-0/ …     a job's folder: job.json, platform.xml, hosts, log, steps.jsonl, end records
 * It is a temporary folder that goes when the run ends, however it ends, or stays where the caller
 * names one. It never appears in a report, so that equal runs give equal reports.
 */
#ifndef RESHARD_SIM_RUN_H
#define RESHARD_SIM_RUN_H

#include "sim/launch.h"
#include "sim/scenario.h"

/* What a run is doing, for people who watch: told before each world. */
struct run_progress {
    void (*tell)(void *context, const char *scenario, uint64_t world, uint64_t world_count,
                 uint64_t ranks);
    void *context;
};

struct run_options {
    bool simulated;
    struct launch_options launch; /* of the jobs; borrowed */
    const char *keep;             /* the run works in keep/NAME, which must not exist; or NULL */
    struct run_progress progress; /* tell may be NULL */
};

enum run_result {
    RUN_PASS,
    RUN_FAIL,        /* it ran, and something did not hold */
    RUN_ERROR,       /* a job crashed, hung, or found its storage failing; or what it left makes no
                        sense */
    RUN_INVALID,     /* the scenario file is wrong, or its kept folder is taken; nothing ran */
    RUN_UNAVAILABLE, /* it could not run: something lacks on this machine */
    RUN_INTERRUPTED,
};

enum run_step_result {
    RUN_STEP_PASS,
    RUN_STEP_FAIL,
    RUN_STEP_SKIP, /* not reached */
};

struct run_step {
    enum scenario_verb verb;
    int line;
    uint64_t world;
    uint64_t ranks;
    enum run_step_result result;
    char *subject; /* "8 ranks fsdp1", "3 steps", "step3", "model full", "step 3" */
    /* What happened; nothing of it where the step was not reached, or is a start. */
    bool reported;
    enum scenario_outcome outcome;
    char *message; /* "" when all went well */
    char *loaded;  /* the checkpoint that a load took, or NULL */
    double seconds;
    uint64_t bytes; /* payload, once */
    uint64_t bytes_moved;
    uint64_t network_bytes; /* load, reshard, transform: payload from rank to rank, */
    uint64_t network_bound; /* and the least that could have been */
    uint64_t files;
    uint64_t training_step;
    uint64_t tensors; /* judged by a verify or a transform */
    uint64_t elements;
    uint64_t replicas;
    char *failures; /* what did not hold, a line each; "" */
};

struct run_report {
    char *name; /* of the scenario */
    char *file;
    bool simulated;
    uint64_t seed;
    enum run_result result;
    char *failures;  /* of the scenario as a whole, a line each; "" */
    char *warning;   /* about the run rather than the scenario; NULL when there is none */
    char digest[17]; /* of the final state; "" when none was reported */
    char
        trace_digest[17]; /* of all event lines, by world and rank; "" on MPI or when not all ran */
    uint64_t world_count;
    uint64_t step_count;
    struct run_step *steps;
    uint64_t bytes;      /* payload of all saves, loads, reshards and transforms */
    double seconds;      /* of all steps */
    double wall_seconds; /* that the run took */
};

/*
 * Local. Run it. RUN_… in out->result; a status that is not OK means that there is no report, for
 * want of memory. What keeps a run from beginning is RUN_UNAVAILABLE, or RUN_INVALID for a folder
 * that is in the way, with the reason in `failures`.
 */
RESHARD_MUST_CHECK enum reshard_status run_scenario(struct run_report *out,
                                                    const struct scenario *scenario,
                                                    const struct run_options *options);

/* Local. The report of a file that is no valid scenario, with what is wrong with it. */
RESHARD_MUST_CHECK enum reshard_status run_report_invalid(struct run_report *out, const char *path,
                                                          const char *messages, bool simulated);
void run_report_release(struct run_report *report); /* accepts an empty one */

/* "pass", "fail", "error", "invalid", "unavailable", "interrupted"; "pass", "fail", "skip". */
const char *run_result_name(enum run_result result);
const char *run_step_result_name(enum run_step_result result);

/* Whether payload goes from rank to rank in a step that was reported as done. */
bool run_step_sends(const struct run_step *step);

/* Payload bytes asked of the store for each unique one; negative where there is none to tell. */
double run_step_amplification(const struct run_step *step);

#endif
