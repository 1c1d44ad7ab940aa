/*
 * Planning: what one rank computes for itself before it reads a checkpoint of another world, and
 * the proofs that each element is covered exactly once. The baselines do it the plain way: all
 * pieces of all ranks in one list, as a coordinator gathers them, and each compared with each.
 */
#include "core/plan.h"
#include "bench/bench.h"
#include "bench/workload.h"
#include "sim/inventory.h"

#include <stdlib.h>
#include <string.h>

/* The pieces of one tensor that the owners of the source layout have. */
struct pieces {
    struct reshard_box_list boxes;
    uint64_t *holder; /* of each box */
};

struct planning {
    const char *name;
    struct reshard_model *model;
    struct reshard_layout *source, *target;
    uint32_t tensors;
    uint32_t *from;
    uint64_t holder;       /* who plans: a rank in the middle */
    struct plan plan;      /* the engine's */
    struct plan naive;     /* the baseline's, by target tensor; as much memory as the engine's */
    struct pieces *pieces; /* by tensor: gathered beforehand */
    uint64_t repeat;
};

static void gather_pieces(struct pieces *pieces, const struct reshard_layout *layout, uint32_t t)
{
    for (uint64_t shard = 0; shard < reshard_layout_shards(layout, t); shard++) {
        const uint64_t owner = reshard_layout_owner(layout, t, shard);
        uint64_t next = pieces->boxes.count;
        bench_require(!reshard_layout_boxes(layout, t, owner, &pieces->boxes), "no boxes");
        pieces->holder =
            reallocarray(pieces->holder, pieces->boxes.count + 1, sizeof *pieces->holder);
        bench_require(pieces->holder != NULL, "out of memory");
        for (; next < pieces->boxes.count; next++)
            pieces->holder[next] = owner;
    }
}

/* A load's: what owners have written. */
static struct plan_sides sides_of(const struct planning *planning)
{
    return (struct plan_sides){planning->source, planning->target, planning->from, true};
}

/* ---- one rank's plan ------------------------------------------------------------------------- */

static double run_plan(void *context)
{
    const struct planning *planning = context;
    const struct plan_sides sides = sides_of(planning);
    const double start = bench_now();
    struct plan plan;

    for (uint64_t i = 0; i < planning->repeat; i++) {
        bench_require(!plan_build(&plan, &sides, planning->holder, NULL), "there is no plan");
        bench_keep(plan.count);
        plan_release(&plan);
    }
    return bench_now() - start;
}

static void compare_pieces(struct plan *plan, const struct pieces *pieces, struct plan_move *move)
{
    for (uint64_t i = 0; i < pieces->boxes.count; i++) {
        move->source = pieces->boxes.box[i];
        move->holder = pieces->holder[i];
        if (!reshard_box_intersect(&move->source, &move->target, &move->box))
            continue;
        bench_require(plan->count < plan->capacity, "the plain way finds more moves");
        plan->move[plan->count++] = *move;
    }
}

static void plan_plainly(struct planning *planning)
{
    struct reshard_box_list targets = RESHARD_BOX_LIST_INIT;

    planning->naive.count = 0;
    for (uint32_t t = 0; t < planning->tensors; t++) {
        struct plan_move move = {.source_tensor = t, .target_tensor = t};
        targets.count = 0;
        bench_require(!reshard_layout_boxes(planning->target, t, planning->holder, &targets),
                      "no boxes");
        for (uint64_t i = 0; i < targets.count; i++) {
            move.target = targets.box[i];
            compare_pieces(&planning->naive, &planning->pieces[t], &move);
            move.target_offset += reshard_box_count(&move.target);
        }
    }
    reshard_box_list_release(&targets);
}

static double run_plan_plainly(void *context)
{
    struct planning *planning = context;
    const double start = bench_now();

    for (uint64_t i = 0; i < planning->repeat; i++)
        plan_plainly(planning);
    bench_require(planning->naive.count == planning->plan.count, "the plans differ");
    return bench_now() - start;
}

/* Without a coordinator: each rank works out every other's pieces first. */
static double run_plan_computed(void *context)
{
    struct planning *planning = context;
    const double start = bench_now();

    for (uint32_t t = 0; t < planning->tensors; t++) {
        planning->pieces[t].boxes.count = 0;
        gather_pieces(&planning->pieces[t], planning->source, t);
    }
    plan_plainly(planning);
    return (bench_now() - start) * (double)planning->repeat;
}

/* ---- the law for one rank -------------------------------------------------------------------- */

static double run_check(void *context)
{
    const struct planning *planning = context;
    const struct plan_sides sides = sides_of(planning);
    const double start = bench_now();

    for (uint64_t i = 0; i < planning->repeat; i++)
        bench_require(!plan_check(&planning->plan, &sides, planning->holder, NULL),
                      "the plan does not hold");
    return bench_now() - start;
}

/* Disjoint, and together as many elements as there must be: then boxes cover a tensor's part. */
static void check_plainly(const struct planning *planning)
{
    const struct plan *plan = &planning->naive;

    for (uint64_t begin = 0, end; begin < plan->count; begin = end) {
        const uint32_t tensor = plan->move[begin].target_tensor;
        struct reshard_box common;
        uint64_t elements = 0;
        for (end = begin; end < plan->count && plan->move[end].target_tensor == tensor; end++) {
            elements += reshard_box_count(&plan->move[end].box);
            for (uint64_t i = begin; i < end; i++)
                bench_require(
                    !reshard_box_intersect(&plan->move[i].box, &plan->move[end].box, &common),
                    "moves overlap");
        }
        bench_require(elements ==
                          reshard_layout_local_count(planning->target, tensor, planning->holder),
                      "elements are missing");
    }
}

static double run_check_plainly(void *context)
{
    const struct planning *planning = context;
    const double start = bench_now();

    for (uint64_t i = 0; i < planning->repeat; i++)
        check_plainly(planning);
    return bench_now() - start;
}

/* ---- the law for a whole layout -------------------------------------------------------------- */

static double run_proof_part(void *context)
{
    const struct planning *planning = context;
    const double start = bench_now();
    struct plan_proof part;

    bench_require(!plan_proof_local(planning->source, planning->holder, 1, &part, NULL),
                  "no proof");
    bench_keep(part.lane[0]);
    return bench_now() - start;
}

static double run_proof(void *context)
{
    const struct planning *planning = context;
    const double start = bench_now();
    const struct plan_proof expected = plan_proof_expected(planning->model, 1);
    struct plan_proof sum = {{0, 0}};

    for (uint64_t holder = 0; holder < reshard_layout_holders(planning->source); holder++) {
        struct plan_proof part;
        bench_require(!plan_proof_local(planning->source, holder, 1, &part, NULL), "no proof");
        sum.lane[0] = plan_proof_add(sum.lane[0], part.lane[0]);
        sum.lane[1] = plan_proof_add(sum.lane[1], part.lane[1]);
    }
    bench_require(memcmp(&sum, &expected, sizeof sum) == 0, "the proof does not hold");
    return bench_now() - start;
}

static double run_proof_plainly(void *context)
{
    const struct planning *planning = context;
    const double start = bench_now();

    for (uint32_t t = 0; t < planning->tensors; t++) {
        const struct reshard_box_list *boxes = &planning->pieces[t].boxes;
        uint64_t elements = 0;
        for (uint64_t i = 0; i < boxes->count; i++) {
            struct reshard_box common;
            elements += reshard_box_count(&boxes->box[i]);
            for (uint64_t other = 0; other < i; other++)
                bench_require(!reshard_box_intersect(&boxes->box[i], &boxes->box[other], &common),
                              "pieces overlap");
        }
        bench_require(elements == reshard_model_tensor(planning->model, t)->count, "not covered");
    }
    return bench_now() - start;
}

/* ---- setting up ------------------------------------------------------------------------------ */

static void planning_open(struct planning *planning, const char *file, uint64_t source,
                          uint64_t target)
{
    bench_require(!inventory_open(&planning->model, file, NULL, stderr), file);
    workload_train(planning->model);
    planning->tensors = reshard_model_tensor_count(planning->model);
    planning->source = workload_layout(planning->model, RESHARD_LAYOUT_FSDP1, source);
    planning->target = workload_layout(planning->model, RESHARD_LAYOUT_FSDP1, target);
    planning->holder = target / 2;
    planning->from = calloc(planning->tensors, sizeof *planning->from);
    planning->pieces = calloc(planning->tensors, sizeof *planning->pieces);
    bench_require(planning->from && planning->pieces, "out of memory");
    for (uint32_t t = 0; t < planning->tensors; t++) {
        planning->from[t] = t;
        gather_pieces(&planning->pieces[t], planning->source, t);
    }
    const struct plan_sides sides = sides_of(planning);
    bench_require(!plan_build(&planning->plan, &sides, planning->holder, NULL), "there is no plan");
    planning->naive.capacity = planning->plan.count;
    planning->naive.move = calloc(planning->plan.count, sizeof *planning->naive.move);
    bench_require(planning->naive.move != NULL, "out of memory");
}

static void planning_close(struct planning *planning)
{
    for (uint32_t t = 0; t < planning->tensors; t++) {
        reshard_box_list_release(&planning->pieces[t].boxes);
        free(planning->pieces[t].holder);
    }
    free(planning->pieces);
    free(planning->from);
    plan_release(&planning->plan);
    plan_release(&planning->naive);
    reshard_layout_close(planning->source);
    reshard_layout_close(planning->target);
    reshard_model_close(planning->model);
}

static void measure(const struct bench *bench, struct planning *planning, const char *what,
                    enum bench_unit unit, double amount, struct bench_way subject,
                    struct bench_way baseline, struct bench_way other)
{
    char name[96];
    const struct bench_case entry = {.name = name,
                                     .unit = unit,
                                     .amount = amount,
                                     .context = planning,
                                     .way = {subject, baseline, other}};

    (void)snprintf(name, sizeof name, "%s %s", planning->name, what);
    bench_measure(bench, &entry);
}

static void measure_planning(const struct bench *bench, const char *name, const char *file,
                             uint64_t source, uint64_t target, uint64_t repeat)
{
    const struct bench_way none = {NULL, NULL}, plan = {"plan_build", run_plan};
    const struct bench_way gathered = {"pairs, pieces gathered before", run_plan_plainly};
    const struct bench_way computed = {"pairs, pieces computed here", run_plan_computed};
    const struct bench_way law = {"plan_check", run_check};
    const struct bench_way pairs = {"pairs of moves", run_check_plainly};
    const struct bench_way part = {"plan_proof_local", run_proof_part};
    const struct bench_way parts = {"plan_proof_local", run_proof};
    const struct bench_way plain = {"pairs, pieces gathered before", run_proof_plainly};
    struct planning planning = {.name = name, .repeat = repeat, .plan = PLAN_INIT};
    double moves;

    planning_open(&planning, file, source, target);
    moves = (double)(planning.plan.count * repeat);
    measure(bench, &planning, "one rank's, a move", BENCH_NS, moves, plan, gathered, computed);
    measure(bench, &planning, "one rank's, total", BENCH_MS, (double)repeat, plan, gathered,
            computed);
    measure(bench, &planning, "its law, a move", BENCH_NS, moves, law, pairs, none);
    measure(bench, &planning, "proof, one rank's part", BENCH_MS, 1, part, plain, none);
    measure(bench, &planning, "proof, all ranks in turn", BENCH_MS, 1, parts, plain, none);
    planning_close(&planning);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_open(argc, argv, true);

    measure_planning(&bench, "plan: gpt2-124m 8 to 6,",
                     RESHARD_SOURCE_DIR "/scenarios/models/gpt2-124m.yaml", 8, 6, 100);
    measure_planning(&bench, "plan: llama3-8b 512 to 384,",
                     RESHARD_SOURCE_DIR "/scenarios/models/llama3-8b.yaml", 512, 384, 20);
    bench_close(&bench);
    return 0;
}
