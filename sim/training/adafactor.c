#include "sim/training/adafactor.h"

#include "sim/training/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The slots in the optimizer's order: the first two of a parameter of 2 or more dimensions, the
 * last of others. */
enum { ROW_VAR = 0, COL_VAR = 1, VARIANCE = 0 };

/* A parameter in work, seen as matrices of m rows and n columns: m * n is not 0. One of fewer
 * dimensions is one row. */
struct adafactor {
    const struct trainee *trainee;
    bool factored;
    uint64_t m;
    uint64_t n;
    uint64_t count;
    double w;
    double mean;    /* of row_var in the matrix that the work is at */
    double *column; /* n sums */
};

/* Elements of one row: consecutive, in at most one block. */
struct piece {
    uint64_t begin;
    uint64_t row; /* of all matrices' rows */
    uint64_t column;
    uint64_t count;
};

/* The piece that follows another; of count 0 after the last. The first follows one of zeros. */
static struct piece piece_after(const struct adafactor *a, const struct piece *piece)
{
    struct piece next = {.begin = piece->begin + piece->count};
    next.row = next.begin / a->n;
    next.column = next.begin % a->n;
    const uint64_t left = next.begin < a->count ? a->n - next.column : 0;
    next.count = left < STREAM_BLOCK ? left : STREAM_BLOCK;
    return next;
}

static void load(const struct stored *stored, uint64_t at, double *values, uint64_t count)
{
    numbers_decode(stored->dtype, trainee_at(stored, at), values, count);
}

/* Round, store, and read back for what follows. */
static void store(const struct stored *stored, uint64_t at, double *values, uint64_t count)
{
    numbers_encode(stored->dtype, values, trainee_at(stored, at), count);
    load(stored, at, values, count);
}

static void squares(const struct adafactor *a, const struct piece *piece, double *g2)
{
    stream_values(&a->trainee->gradient, piece->begin, piece->count, g2);
    for (uint64_t i = 0; i < piece->count; i++)
        g2[i] = g2[i] * g2[i];
}

/* --- The second moment --------------------------------------------------------------------- */

/* Move `count` stored averages from `at` on towards sums that are over `size` elements each. */
static void advance(const struct adafactor *a, const struct stored *stored, uint64_t at,
                    const double *sums, double size, uint64_t count)
{
    double values[STREAM_BLOCK];
    for (uint64_t done = 0; done < count; done += STREAM_BLOCK) {
        const uint64_t left = count - done;
        const uint64_t part = left < STREAM_BLOCK ? left : STREAM_BLOCK;
        load(stored, at + done, values, part);
        for (uint64_t i = 0; i < part; i++)
            values[i] = values[i] + a->w * (sums[done + i] / size - values[i]);
        store(stored, at + done, values, part);
    }
}

/* The rows and columns of all matrices, each row as it ends and each matrix's columns likewise. */
static void advance_factors(const struct adafactor *a)
{
    const struct stored *slot = a->trainee->slot;
    double g2[STREAM_BLOCK];
    double row = 0;
    memset(a->column, 0, a->n * sizeof(*a->column));
    for (struct piece p = piece_after(a, &(struct piece){0}); p.count; p = piece_after(a, &p)) {
        squares(a, &p, g2);
        for (uint64_t i = 0; i < p.count; i++)
            row += g2[i];
        for (uint64_t i = 0; i < p.count; i++)
            a->column[p.column + i] += g2[i];
        if (p.column + p.count < a->n)
            continue;
        advance(a, &slot[ROW_VAR], p.row, &row, (double)a->n, 1);
        row = 0;
        if ((p.row + 1) % a->m != 0)
            continue;
        advance(a, &slot[COL_VAR], p.row / a->m * a->n, a->column, (double)a->m, a->n);
        memset(a->column, 0, a->n * sizeof(*a->column));
    }
}

static void advance_variance(const struct adafactor *a)
{
    double g2[STREAM_BLOCK];
    for (struct piece p = piece_after(a, &(struct piece){0}); p.count; p = piece_after(a, &p)) {
        squares(a, &p, g2);
        advance(a, &a->trainee->slot[VARIANCE], p.begin, g2, 1, p.count);
    }
}

static double mean_of_rows(const struct adafactor *a, uint64_t matrix)
{
    double sum = 0;
    for (uint64_t i = 0; i < a->m; i++) {
        double row;
        load(&a->trainee->slot[ROW_VAR], matrix * a->m + i, &row, 1);
        sum += row;
    }
    return sum / (double)a->m;
}

/* --- The update ---------------------------------------------------------------------------- */

/* The square of what gradients are divided by. */
static void variances(struct adafactor *a, const struct piece *piece, double *v)
{
    const struct stored *slot = a->trainee->slot;
    double row;
    if (!a->factored) {
        load(&slot[VARIANCE], piece->begin, v, piece->count);
        return;
    }
    const uint64_t matrix = piece->row / a->m;
    if (piece->column == 0 && piece->row % a->m == 0)
        a->mean = mean_of_rows(a, matrix);
    const double mean = a->mean > 0x1p-23 ? a->mean : 0x1p-23;
    load(&slot[ROW_VAR], piece->row, &row, 1);
    load(&slot[COL_VAR], matrix * a->n + piece->column, v, piece->count);
    for (uint64_t i = 0; i < piece->count; i++)
        v[i] = row * v[i] / mean;
}

/* The updates of a piece; pieces must come in their order. */
static void updates(struct adafactor *a, const struct piece *piece, double *u)
{
    double v[STREAM_BLOCK];
    variances(a, piece, v);
    stream_values(&a->trainee->gradient, piece->begin, piece->count, u);
    for (uint64_t i = 0; i < piece->count; i++)
        u[i] = u[i] / sqrt(v[i] > 0x1p-46 ? v[i] : 0x1p-46);
}

static double mean_square_of_values(const struct adafactor *a)
{
    double p[STREAM_BLOCK];
    double sum = 0;
    for (struct piece at = piece_after(a, &(struct piece){0}); at.count; at = piece_after(a, &at)) {
        load(&a->trainee->value, at.begin, p, at.count);
        for (uint64_t i = 0; i < at.count; i++)
            sum += p[i] * p[i];
    }
    return sum / (double)a->count;
}

static double mean_square_of_updates(struct adafactor *a)
{
    double u[STREAM_BLOCK];
    double sum = 0;
    for (struct piece at = piece_after(a, &(struct piece){0}); at.count; at = piece_after(a, &at)) {
        updates(a, &at, u);
        for (uint64_t i = 0; i < at.count; i++)
            sum += u[i] * u[i];
    }
    return sum / (double)a->count;
}

static void apply(struct adafactor *a, double decay, double rate)
{
    double p[STREAM_BLOCK];
    double u[STREAM_BLOCK];
    for (struct piece at = piece_after(a, &(struct piece){0}); at.count; at = piece_after(a, &at)) {
        updates(a, &at, u);
        load(&a->trainee->value, at.begin, p, at.count);
        for (uint64_t i = 0; i < at.count; i++)
            p[i] = p[i] * decay - rate * u[i];
        store(&a->trainee->value, at.begin, p, at.count);
    }
}

/* All sums are over the values before the step, all updates by the moments after it. */
static void step(struct adafactor *a)
{
    const struct reshard_hyper *hyper = a->trainee->hyper;
    const double root = sqrt((double)a->trainee->counted);
    const double rms = sqrt(mean_square_of_values(a));
    const double rho = hyper->lr < 1 / root ? hyper->lr : 1 / root;
    const double alpha = (1e-3 > rms ? 1e-3 : rms) * rho;
    a->w = 1 / (root * sqrt(root));
    if (a->factored)
        advance_factors(a);
    else
        advance_variance(a);
    const double most = sqrt(mean_square_of_updates(a));
    const double clip = 1 > most ? 1 : most;
    apply(a, 1 - hyper->lr * hyper->weight_decay, alpha / clip);
}

enum reshard_status adafactor_step(const struct trainee *trainee, struct reshard_error *error)
{
    const struct reshard_shape *shape = &trainee->parameter->shape;
    struct adafactor a = {.trainee = trainee,
                          .factored = shape->ndim >= 2,
                          .m = 1,
                          .n = trainee->parameter->count,
                          .count = trainee->parameter->count};
    if (a.count == 0)
        return RESHARD_OK;
    if (a.factored) {
        a.m = shape->size[shape->ndim - 2];
        a.n = shape->size[shape->ndim - 1];
        a.column = calloc(a.n, sizeof(*a.column));
        if (a.column == NULL)
            return reshard_error_set(error, RESHARD_ENOMEM, "%s: no memory for sums of columns",
                                     trainee->parameter->fqn);
    }
    step(&a);
    free(a.column);
    return RESHARD_OK;
}
