/*
 * The tables of the scenario language and of model files, and the structs that they fill: a file
 * as it was written, with every default in place, before its parts are held against each other
 * (sim/scenario.c, sim/inventory.c). Texts are borrowed from the document.
 */
#ifndef RESHARD_SIM_LANGUAGE_H
#define RESHARD_SIM_LANGUAGE_H

#include "sim/schema.h"

extern const struct schema_object language_scenario;
extern const struct schema_object language_model_file;

/* Parts of the first, in files of their own: sim/language_steps.c, sim/language_optimizer.c. */
extern const struct schema_object language_one_step;
extern const struct schema_object language_one_optimizer;

/* A tensor of an inventory; its node's key is its name. */
struct language_tensor {
    const struct yaml_node *node;
    struct schema_list shape; /* uint64_t */
    enum reshard_dtype dtype; /* NONE: the inventory's */
    const char *unit;         /* NULL: the section's */
    const char *role;
    const char *other_world; /* NULL: not given */
};

/* An alias; its node's key is the alias. */
struct language_tie {
    const struct yaml_node *node;
    const char *of;
};

struct language_section {
    const struct yaml_node *node;
    uint64_t repeat;
    const char *unit;           /* NULL: the root unit */
    struct schema_list tensors; /* struct language_tensor */
};

/* scenarios/models/NAME.yaml */
struct language_model_file {
    const struct yaml_node *node;
    uint64_t version;
    const char *name;
    const char *about;
    enum reshard_dtype dtype;
    struct schema_list sections; /* struct language_section */
    struct schema_list ties;     /* struct language_tie */
};

/* `model:` of a scenario: exactly one of name, safetensors, tensors. */
struct language_model {
    const struct yaml_node *node;
    const char *name;
    const char *safetensors;
    struct schema_list units; /* const char *, with {i} for a number */
    enum reshard_dtype dtype;
    struct schema_list tensors;
    struct schema_list ties;
};

struct language_precision {
    const struct yaml_node *node;
    enum reshard_dtype parameters; /* NONE: as the inventory says */
    enum reshard_dtype optimizer;
};

/* Hyperparameters; which of them are given is told by the node of whom they are. */
struct language_hyper {
    double lr;
    struct schema_list betas; /* double; two */
    double eps;
    double weight_decay;
    double momentum;
    bool nesterov;
    bool amsgrad;
    uint64_t block;
    uint64_t from;
};

struct language_group {
    const struct yaml_node *node;
    const char *name;
    struct schema_list match; /* const char * */
    struct language_hyper hyper;
};

struct language_optimizer {
    const struct yaml_node *node;
    const char *name;
    struct language_hyper hyper;
    struct schema_list groups; /* struct language_group */
};

struct language_network {
    const struct yaml_node *node;
    double bandwidth;
    double latency;
    const char *topology;
};

struct language_disk {
    const struct yaml_node *node;
    double read;
    double write;
};

struct language_storage {
    const struct yaml_node *node;
    uint64_t servers;
    double read;
    double write;
};

struct language_device {
    const struct yaml_node *node;
    double to_host;
};

struct language_cluster {
    const struct yaml_node *node;
    uint64_t nodes;
    uint64_t ranks_per_node;
    struct language_network network;
    struct language_disk disk;
    struct language_storage storage;
    struct language_device device;
};

/* Sizes; 0: not given. */
struct language_mesh {
    const struct yaml_node *node;
    uint64_t pipeline;
    uint64_t replicate;
    uint64_t shard;
    uint64_t expert;
    uint64_t tensor;
};

/* What is said of single tensors; its node's key is a pattern of their names. Settings and boxes
 * are texts that sim/formula.c reads. */
struct language_rule {
    const struct yaml_node *node;
    const char *pipeline;
    const char *shard;
    const char *expert;
    const char *tensor;
    struct schema_list sections; /* uint64_t */
    struct schema_list boxes;    /* const char *, one for each rank */
};

struct language_layout {
    const struct yaml_node *node;
    const char *kind;
    struct language_mesh mesh;
    uint64_t dim;
    bool orig_params;
    enum reshard_dtype forward;
    uint64_t owner;
    uint64_t idle;
    struct schema_list tensors; /* struct language_rule */
};

/* Of a start, and of a reshard, where ranks are 0 when they are not given. */
struct language_start {
    const struct yaml_node *node;
    uint64_t ranks;
    struct language_layout layout;
};

struct language_save {
    const struct yaml_node *node;
    const char *name;
};

struct language_load {
    const struct yaml_node *node;
    const char *name;
    const char *reading;
};

struct language_transform {
    const struct yaml_node *node;
    const char *model; /* a form; NULL: not given */
    const char *optimizer;
    bool rank0_only;
};

struct language_verify {
    const struct yaml_node *node;
    uint64_t step;
};

struct language_seconds {
    const struct yaml_node *node;
    double at_most;
    double at_least;
};

struct language_expect {
    const struct yaml_node *node;
    const char *outcome;
    const char *message;
    const char *loaded;
    double read_amplification;
    struct language_seconds seconds;
};

/* Which verb was given is told by its node alone. */
struct language_step {
    const struct yaml_node *node;
    struct language_start start;
    uint64_t train;
    struct language_save save;
    struct language_load load;
    struct language_start reshard;
    struct language_transform transform;
    struct language_verify verify;
    struct language_expect expect;
};

struct language_outcome {
    const struct yaml_node *node;
    struct schema_list checkpoints; /* const char * */
};

struct language_scenario {
    const struct yaml_node *node;
    uint64_t version;
    const char *name;
    const char *about;
    uint64_t seed;
    struct language_model model;
    struct language_precision precision;
    struct language_optimizer optimizer;
    const char *payload;
    struct language_cluster cluster;
    struct schema_list steps; /* struct language_step */
    struct language_outcome expect;
};

#endif
