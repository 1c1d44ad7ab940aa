#include "verify/adafactor.h"

#include "verify/numbers.h"

#include <math.h>
#include <stdlib.h>

/* A parameter as matrices of `rows` rows, all its numbers as doubles. */
struct work {
    const struct verify_training *training;
    enum reshard_dtype dtype;
    bool factored; /* of 2 or more dimensions */
    size_t elements;
    size_t matrices;
    size_t rows;
    size_t columns;
    double *p;
    double *g;
    double *u;
    double *row;      /* of all matrices, one after the other */
    double *column;   /* likewise */
    double *variance; /* where it is not factored */
};

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static double sum_of_squares(const double *x, size_t count)
{
    double sum = 0.0;

    for (size_t i = 0; i < count; ++i)
        sum += x[i] * x[i];
    return sum;
}

/* row_var and col_var of one matrix. `sums` has room for one number for each column. */
static void update_matrix(const struct work *work, double w, const double *g, double *row,
                          double *column, double *sums)
{
    const size_t m = work->rows;
    const size_t n = work->columns;

    for (size_t j = 0; j < n; ++j)
        sums[j] = 0.0;
    for (size_t i = 0; i < m; ++i) {
        const double *line = g + i * n;
        const double r = sum_of_squares(line, n) / (double)n;

        row[i] = row[i] + w * (r - row[i]);
        for (size_t j = 0; j < n; ++j)
            sums[j] += line[j] * line[j];
    }
    for (size_t j = 0; j < n; ++j)
        column[j] = column[j] + w * (sums[j] / (double)m - column[j]);
    verify_numbers_round(work->training->state, row, m);
    verify_numbers_round(work->training->state, column, n);
}

/* v of one matrix. */
static void estimate_matrix(const struct work *work, const double *row, const double *column,
                            double *v)
{
    const size_t m = work->rows;
    const size_t n = work->columns;
    double mean = 0.0;

    for (size_t i = 0; i < m; ++i)
        mean += row[i];
    mean = larger(mean / (double)m, 0x1p-23);
    for (size_t i = 0; i < m; ++i) {
        for (size_t j = 0; j < n; ++j)
            v[i * n + j] = (row[i] * column[j]) / mean;
    }
}

/* v of all elements into `u`, whose place a matrix' sums take before. */
static void estimate(const struct work *work, double w)
{
    const size_t matrix = work->rows * work->columns;
    double *variance = work->variance;

    for (size_t k = 0; k < work->matrices && work->factored; ++k) {
        double *row = work->row + k * work->rows;
        double *column = work->column + k * work->columns;

        update_matrix(work, w, work->g + k * matrix, row, column, work->u + k * matrix);
        estimate_matrix(work, row, column, work->u + k * matrix);
    }
    if (work->factored)
        return;
    for (size_t i = 0; i < work->elements; ++i)
        variance[i] = variance[i] + w * (work->g[i] * work->g[i] - variance[i]);
    verify_numbers_round(work->training->state, variance, work->elements);
    for (size_t i = 0; i < work->elements; ++i)
        work->u[i] = variance[i];
}

static void take_step(const struct work *work, uint64_t s)
{
    const struct verify_hyper *hyper = &work->training->hyper;
    const double root = sqrt((double)s);
    const double w = 1.0 / (root * sqrt(root));
    const double n = (double)work->elements;
    const double rms = sqrt(sum_of_squares(work->p, work->elements) / n);
    const double rho = smaller(hyper->lr, 1.0 / root);
    const double alpha = larger(1e-3, rms) * rho;
    const double decay = 1.0 - hyper->lr * hyper->weight_decay;
    double *p = work->p;
    double *u = work->u;
    double rate;

    estimate(work, w);
    for (size_t i = 0; i < work->elements; ++i)
        u[i] = work->g[i] / sqrt(larger(u[i], 0x1p-46));
    rate = alpha / larger(1.0, sqrt(sum_of_squares(u, work->elements) / n));
    for (size_t i = 0; i < work->elements; ++i)
        p[i] = p[i] * decay - rate * u[i];
    verify_numbers_round(work->dtype, p, work->elements);
}

static double *doubles(size_t count)
{
    return calloc(count, sizeof(double));
}

static enum reshard_status work_open(struct work *work, const struct verify_course *course)
{
    const struct verify_tensor *parameter = course->parameter;
    const uint32_t ndim = parameter->ndim;

    *work = (struct work){.training = course->training,
                          .dtype = parameter->dtype,
                          .factored = ndim >= 2,
                          .elements = (size_t)course->elements,
                          .rows = 1,
                          .columns = 1};
    if (work->factored) {
        work->rows = (size_t)parameter->shape[ndim - 2];
        work->columns = (size_t)parameter->shape[ndim - 1];
        work->matrices = work->elements / work->rows / work->columns;
    }
    work->p = doubles(work->elements);
    work->g = doubles(work->elements);
    work->u = doubles(work->elements);
    work->row = doubles(work->matrices * work->rows + 1);
    work->column = doubles(work->matrices * work->columns + 1);
    work->variance = doubles(work->factored ? 1 : work->elements);
    return work->p && work->g && work->u && work->row && work->column && work->variance
               ? RESHARD_OK
               : RESHARD_ENOMEM;
}

static void work_close(struct work *work)
{
    free(work->p);
    free(work->g);
    free(work->u);
    free(work->row);
    free(work->column);
    free(work->variance);
}

static void keep(const struct work *work, const struct verify_course *course)
{
    const enum reshard_dtype state = work->training->state;

    verify_numbers_store(work->dtype, work->p, course->p, work->elements);
    if (!work->factored) {
        verify_numbers_store(state, work->variance, course->slot[VERIFY_SLOT_VARIANCE],
                             work->elements);
        return;
    }
    verify_numbers_store(state, work->row, course->slot[VERIFY_SLOT_ROW_VAR],
                         work->matrices * work->rows);
    verify_numbers_store(state, work->column, course->slot[VERIFY_SLOT_COL_VAR],
                         work->matrices * work->columns);
}

enum reshard_status verify_adafactor(const struct verify_course *course)
{
    struct work work;
    enum reshard_status status = work_open(&work, course);

    if (!status) {
        verify_numbers_load(work.dtype, course->p, work.p, work.elements);
        for (uint64_t s = 1; s <= course->taken; ++s) {
            verify_course_draw(course, s, 0, work.g, work.elements);
            take_step(&work, s);
        }
        keep(&work, course);
    }
    work_close(&work);
    return status;
}
