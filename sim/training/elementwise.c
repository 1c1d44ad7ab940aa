#include "sim/training/elementwise.h"

#include "sim/training/numbers.h"
#include "sim/training/walk.h"

#include <math.h>

/* The slots in the optimizers' order (core/optimizer.h). */
enum { MOMENTUM = 0, EXP_AVG = 0, EXP_AVG_SQ = 1, MAX_EXP_AVG_SQ = 2 };

/* What all elements of a parameter share. */
struct factors {
    double decay;       /* 1 - lr * weight_decay */
    double rate;        /* lr / c1, where steps are counted */
    double correction2; /* c2, likewise */
};

/* A block of elements in work: their gradients and values, and where they are in local memory. */
struct block {
    const struct trainee *trainee;
    const struct factors *factors;
    uint64_t local;
    uint64_t count;
    double g[STREAM_BLOCK];
    double p[STREAM_BLOCK];
};

static void block_load(const struct block *block, uint32_t slot, double *values)
{
    const struct stored *stored = &block->trainee->slot[slot];
    numbers_decode(stored->dtype, trainee_at(stored, block->local), values, block->count);
}

/* Round, store, and read back for what follows. */
static void block_store(const struct block *block, uint32_t slot, double *values)
{
    const struct stored *stored = &block->trainee->slot[slot];
    numbers_encode(stored->dtype, values, trainee_at(stored, block->local), block->count);
    block_load(block, slot, values);
}

/* --- The rules, each in the order of operations that TRAINING.md gives ---------------------- */

/* Advance the momentum by `d` and leave in it what the step goes by. */
static void block_momentum(const struct block *block, double *d)
{
    const double mu = block->trainee->hyper->momentum;
    double buffer[STREAM_BLOCK];
    if (block->trainee->slot[MOMENTUM].fresh) {
        for (uint64_t i = 0; i < block->count; i++)
            buffer[i] = d[i];
    } else {
        block_load(block, MOMENTUM, buffer);
        for (uint64_t i = 0; i < block->count; i++)
            buffer[i] = mu * buffer[i] + d[i];
    }
    block_store(block, MOMENTUM, buffer);
    if (block->trainee->hyper->nesterov) {
        for (uint64_t i = 0; i < block->count; i++)
            d[i] = d[i] + mu * buffer[i];
    } else {
        for (uint64_t i = 0; i < block->count; i++)
            d[i] = buffer[i];
    }
}

static void block_sgd(struct block *block)
{
    const struct reshard_hyper *hyper = block->trainee->hyper;
    const double lr = hyper->lr;
    const double wd = hyper->weight_decay;
    double *d = block->g;
    double *p = block->p;
    for (uint64_t i = 0; i < block->count; i++)
        d[i] = d[i] + wd * p[i];
    if (block->trainee->slot_count > 0)
        block_momentum(block, d);
    for (uint64_t i = 0; i < block->count; i++)
        p[i] = p[i] - lr * d[i];
}

/* The moments, of which `v` is left to divide by. */
static void block_moments(const struct block *block, double *m, double *v)
{
    const struct trainee *trainee = block->trainee;
    const double beta1 = trainee->hyper->beta1;
    const double beta2 = trainee->hyper->beta2;
    const double rest1 = 1 - beta1;
    const double rest2 = 1 - beta2;
    const double *g = block->g;
    block_load(block, EXP_AVG, m);
    block_load(block, EXP_AVG_SQ, v);
    for (uint64_t i = 0; i < block->count; i++) {
        m[i] = beta1 * m[i] + rest1 * g[i];
        v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);
    }
    block_store(block, EXP_AVG, m);
    block_store(block, EXP_AVG_SQ, v);
}

static void block_largest(const struct block *block, double *v)
{
    double most[STREAM_BLOCK];
    block_load(block, MAX_EXP_AVG_SQ, most);
    for (uint64_t i = 0; i < block->count; i++)
        v[i] = most[i] > v[i] ? most[i] : v[i];
    block_store(block, MAX_EXP_AVG_SQ, v);
}

static void block_adam(struct block *block)
{
    const struct trainee *trainee = block->trainee;
    const bool decoupled = trainee->by == RESHARD_OPTIMIZER_ADAMW;
    const bool amsgrad = trainee->slot_count == MAX_EXP_AVG_SQ + 2; /* `step` comes last */
    const double wd = trainee->hyper->weight_decay;
    const double decay = decoupled ? block->factors->decay : 1;
    const double rate = block->factors->rate;
    const double correction2 = block->factors->correction2;
    const double eps = trainee->hyper->eps;
    double *p = block->p;
    double m[STREAM_BLOCK];
    double v[STREAM_BLOCK];
    if (!decoupled)
        for (uint64_t i = 0; i < block->count; i++)
            block->g[i] = block->g[i] + wd * p[i];
    block_moments(block, m, v);
    if (amsgrad)
        block_largest(block, v);
    for (uint64_t i = 0; i < block->count; i++)
        p[i] = p[i] * decay - rate * (m[i] / (sqrt(v[i] / correction2) + eps));
}

static void block_muon(struct block *block)
{
    const double lr = block->trainee->hyper->lr;
    const double decay = block->factors->decay;
    double *d = block->g;
    double *p = block->p;
    block_momentum(block, d);
    for (uint64_t i = 0; i < block->count; i++)
        p[i] = p[i] * decay - lr * (double)((d[i] > 0) - (d[i] < 0));
}

/* --- A parameter --------------------------------------------------------------------------- */

static void block_step(struct block *block)
{
    switch (block->trainee->by) {
    case RESHARD_OPTIMIZER_SGD:
        block_sgd(block);
        return;
    case RESHARD_OPTIMIZER_MUON:
        block_muon(block);
        return;
    default:
        block_adam(block);
    }
}

struct work {
    const struct trainee *trainee;
    struct factors factors;
};

static enum reshard_status segment_step(const struct segment *segment, void *context,
                                        struct reshard_error *error)
{
    (void)error;
    const struct work *work = context;
    const struct stored *value = &work->trainee->value;
    struct block block;
    block.trainee = work->trainee;
    block.factors = &work->factors;
    for (uint64_t done = 0; done < segment->count; done += block.count) {
        const uint64_t left = segment->count - done;
        block.count = left < STREAM_BLOCK ? left : STREAM_BLOCK;
        block.local = segment->local + done;
        stream_values(&work->trainee->gradient, segment->begin + done, block.count, block.g);
        numbers_decode(value->dtype, trainee_at(value, block.local), block.p, block.count);
        block_step(&block);
        numbers_encode(value->dtype, block.p, trainee_at(value, block.local), block.count);
    }
    return RESHARD_OK;
}

enum reshard_status elementwise_step(const struct trainee *trainee,
                                     const struct reshard_layout *layout, uint32_t parameter,
                                     uint64_t rank, struct reshard_error *error)
{
    const struct reshard_hyper *hyper = trainee->hyper;
    struct work work = {trainee, {.decay = 1 - hyper->lr * hyper->weight_decay}};
    if (trainee->counted > 0) {
        work.factors.rate = hyper->lr / trainee_correction(trainee, hyper->beta1);
        work.factors.correction2 = trainee_correction(trainee, hyper->beta2);
    }
    return walk_tensor(layout, parameter, rank, segment_step, &work, error);
}
