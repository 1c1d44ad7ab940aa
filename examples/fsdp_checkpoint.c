/*
 * The FSDP checkpoint example: a sharded model is trained for a step with Adam, saved by all ranks,
 * and loaded into a *new* model, first its parameters, then its optimizer's state by itself. Values
 * are printed before and after, and compared bit for bit.
 *
 *     mpiexec -n 4 fsdp_checkpoint DIR                 save and load
 *     mpiexec -n 4 fsdp_checkpoint --save-only DIR     save on 4 ranks ...
 *     mpiexec -n 6 fsdp_checkpoint --load-only DIR     ... and load on 6
 *     mpiexec -n 3 fsdp_checkpoint --forms             the optimizer in its three forms
 *
 * The model is torch.nn.Linear(4, 4) under FSDP1: weight and bias flattened into one parameter of
 * 20 elements, of which each rank has an equal interval. Every initial value and gradient is a pure
 * function of (seed, parameter, element), so the model is the same at any number of ranks, and a
 * loading job knows what it must find.
 *
 * On state dict types. A checkpoint has none: it holds tensors, and who wrote which part is its own
 * business. FULL, SHARDED and LOCAL are layouts of the *memory* that is saved from or loaded into.
 * The flat shards of this program are LOCAL; the chunks of rows that SHARDED_STATE_DICT consists of
 * are the layout fsdp2; a layout over one rank is FULL. So saving sharded needs no gathering of the
 * flat parameter and cutting it again, and loading sharded is loading under that layout, which
 * check_sharded() does. --forms carries the optimizer's state from one form to the next, and back,
 * and prints which elements each rank has of it.
 */
#include <reshard.h>

#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 4, PARAMETERS = 2, TEXT_BYTES = 4096 };
enum part { PARAMETER, EXP_AVG, EXP_AVG_SQ, PARTS };

static const char *const names[PARAMETERS] = {"weight", "bias"};
static const char *const slots[PARTS] = {"", "exp_avg", "exp_avg_sq"};

static const struct reshard_optimizer adam = {
    .name = RESHARD_OPTIMIZER_ADAMW, /* which is Adam without weight decay */
    .dtype = RESHARD_DTYPE_F32,
    .hyper = {.lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
};

/* A sharded model with its optimizer, in this rank's memory: one flat shard for the parameters and
 * one for each of the optimizer's moments, as FSDP1 has them. */
struct training {
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_state *state;
    uint64_t rank;
    uint32_t
        device; /* on this rank's node: where a program with accelerators would hold its shards */
    uint64_t shard_count; /* elements of each flat shard, padding included */
    float *flat[PARTS];
    float step[PARAMETERS];
};

/* --- A model ------------------------------------------------------------------------------- */

static enum reshard_status describe_model(struct training *training, struct reshard_error *error)
{
    const struct reshard_shape weight = {2, {WIDTH, WIDTH}};
    const struct reshard_shape bias = {1, {WIDTH}};
    enum reshard_status status = reshard_model_open(&training->model);
    if (!status)
        status =
            reshard_model_add(training->model, "weight", "", RESHARD_DTYPE_F32, &weight, error);
    if (!status)
        status = reshard_model_add(training->model, "bias", "", RESHARD_DTYPE_F32, &bias, error);
    if (!status)
        status = reshard_optimizer_extend(training->model, &adam, error);
    return status;
}

/* What this rank's flat shard has of a parameter. */
static struct reshard_shard_info shard_of(const struct training *training, int parameter)
{
    uint32_t tensor = 0;
    enum reshard_status status = reshard_model_find(training->model, names[parameter], "", &tensor);
    const struct reshard_shard_info nothing = {0};
    return status ? nothing : reshard_layout_shard_info(training->layout, tensor, training->rank);
}

/* The memory is ours; the state learns where in it each tensor is. */
static enum reshard_status bind_parameter(struct training *training, int parameter,
                                          struct reshard_error *error)
{
    const struct reshard_shard_info info = shard_of(training, parameter);
    const uint64_t bytes = info.in_shard ? (info.end - info.begin) * sizeof(float) : 0;
    enum reshard_status status = RESHARD_OK;
    for (int part = 0; part < PARTS && !status; part++)
        status =
            reshard_state_bind(training->state, names[parameter], slots[part],
                               bytes ? training->flat[part] + info.offset : NULL, bytes, error);
    if (!status)
        status = reshard_state_bind(training->state, names[parameter], "step",
                                    &training->step[parameter], sizeof(float), error);
    return status;
}

static enum reshard_status bind_memory(struct training *training, struct reshard_error *error)
{
    enum reshard_status status =
        reshard_state_open(&training->state, training->layout, training->rank);
    training->shard_count = reshard_layout_flat(training->layout, 0, NULL).shard_count;
    for (int part = 0; part < PARTS; part++) {
        training->flat[part] = calloc(training->shard_count, sizeof(float));
        if (!training->flat[part])
            return RESHARD_ENOMEM;
    }
    for (int p = 0; p < PARAMETERS && !status; p++)
        status = bind_parameter(training, p, error);
    return status;
}

/* Between -1 and 1: a pure function of its arguments (a round of mixing by Vigna's splitmix64). */
static float value_of(uint64_t seed, int parameter, uint64_t element)
{
    uint64_t x = seed * 1000003 + (uint64_t)parameter * 1009 + element + 1;
    x *= 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (float)((double)(x >> 40) * 0x1p-23 - 1);
}

/* Initial values, then one step of Adam on a gradient; the moments begin at 0. */
static void train_one_step(struct training *training, uint64_t seed)
{
    for (int parameter = 0; parameter < PARAMETERS; parameter++) {
        const struct reshard_shard_info info = shard_of(training, parameter);
        training->step[parameter] = 1;
        for (uint64_t i = info.begin; info.in_shard && i < info.end; i++) {
            const uint64_t at = info.offset + (i - info.begin);
            const double gradient = (double)value_of(seed + 100, parameter, i);
            const double mean = (1 - adam.hyper.beta1) * gradient;
            const double square = (1 - adam.hyper.beta2) * gradient * gradient;
            const double corrected = sqrt(square / (1 - adam.hyper.beta2)) + adam.hyper.eps;
            const double change = adam.hyper.lr * (mean / (1 - adam.hyper.beta1)) / corrected;
            training->flat[EXP_AVG][at] = (float)mean;
            training->flat[EXP_AVG_SQ][at] = (float)square;
            training->flat[PARAMETER][at] = (float)((double)value_of(seed, parameter, i) - change);
        }
    }
}

static enum reshard_status training_open(struct training *training,
                                         const struct reshard_group *group, uint64_t seed,
                                         struct reshard_error *error)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP1,
                                                   .shard = reshard_group_world(group)};
    *training =
        (struct training){.rank = reshard_group_rank(group), .device = reshard_group_device(group)};
    enum reshard_status status = describe_model(training, error);
    if (!status)
        status = reshard_layout_open(&training->layout, training->model, &options, error);
    if (!status)
        status = bind_memory(training, error);
    if (!status)
        train_one_step(training, seed);
    return status;
}

static void training_close(struct training *training)
{
    for (int part = 0; part < PARTS; part++)
        free(training->flat[part]);
    reshard_state_close(training->state);
    reshard_layout_close(training->layout);
    reshard_model_close(training->model);
}

static bool training_equal(const struct training *a, const struct training *b, enum part part)
{
    return memcmp(a->flat[part], b->flat[part], a->shard_count * sizeof(float)) == 0;
}

/* --- Printing and comparing ---------------------------------------------------------------- */

/* One line "name: values" at the end of a text. */
static void print_values(char text[TEXT_BYTES], const char *name, const float *values,
                         uint64_t count)
{
    size_t length = strlen(text);
    length += (size_t)snprintf(text + length, TEXT_BYTES - length, "%s:", name);
    for (uint64_t i = 0; i < count && length < TEXT_BYTES; i++)
        length += (size_t)snprintf(text + length, TEXT_BYTES - length, " %.6g", (double)values[i]);
    if (length < TEXT_BYTES - 1)
        (void)snprintf(text + length, TEXT_BYTES - length, "\n");
}

/* [collective] Every rank's text, printed by rank 0 in the order of ranks. */
static void print_in_order(MPI_Comm comm, char text[TEXT_BYTES])
{
    int rank = 0;
    int world = 1;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &world);
    if (rank != 0) {
        MPI_Send(text, TEXT_BYTES, MPI_CHAR, 0, 0, comm);
        return;
    }
    (void)fputs(text, stdout);
    for (int source = 1; source < world; source++) {
        MPI_Recv(text, TEXT_BYTES, MPI_CHAR, source, 0, comm, MPI_STATUS_IGNORE);
        (void)fputs(text, stdout);
    }
    (void)fflush(stdout);
}

/* [collective] The whole flat parameter, from every rank's shard; NULL without memory. */
static float *gather_parameters(MPI_Comm comm, const struct training *training)
{
    int world = 1;
    MPI_Comm_size(comm, &world);
    float *whole = malloc((size_t)world * training->shard_count * sizeof(float));
    int missing = whole == NULL;
    MPI_Allreduce(MPI_IN_PLACE, &missing, 1, MPI_INT, MPI_MAX, comm);
    if (missing) {
        free(whole);
        return NULL;
    }
    MPI_Allgather(training->flat[PARAMETER], (int)training->shard_count, MPI_FLOAT, whole,
                  (int)training->shard_count, MPI_FLOAT, comm);
    return whole;
}

/* [collective] Both models: the full parameters, and this rank's flat shard of the optimizer. */
static void print_trainings(MPI_Comm comm, const char *stage, const struct training *first,
                            const struct training *second)
{
    char text[TEXT_BYTES];
    float *one = gather_parameters(comm, first);
    float *two = gather_parameters(comm, second);
    (void)snprintf(text, sizeof(text), "%s --- rank: %d, device: %d\n", stage, (int)first->rank,
                   (int)first->device);
    if (one && two) {
        print_values(text, "model.weight", one, WIDTH * WIDTH);
        print_values(text, "model_2.weight", two, WIDTH * WIDTH);
        print_values(text, "model.bias", one + WIDTH * WIDTH, WIDTH);
        print_values(text, "model_2.bias", two + WIDTH * WIDTH, WIDTH);
    }
    print_values(text, "optim exp_avg", first->flat[EXP_AVG], first->shard_count);
    print_values(text, "optim_2 exp_avg", second->flat[EXP_AVG], second->shard_count);
    print_values(text, "optim exp_avg_sq", first->flat[EXP_AVG_SQ], first->shard_count);
    print_values(text, "optim_2 exp_avg_sq", second->flat[EXP_AVG_SQ], second->shard_count);
    print_in_order(comm, text);
    free(one);
    free(two);
}

/* [collective] A local comparison holds on all ranks; says so if not. */
static bool holds_everywhere(MPI_Comm comm, bool holds, const char *what)
{
    int rank = 0;
    int all = holds;
    MPI_Comm_rank(comm, &rank);
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, comm);
    if (!all && rank == 0)
        (void)fprintf(stderr, "not equal after loading: %s\n", what);
    return all != 0;
}

/* [collective] The worst of all ranks' statuses. What a rank does by itself may fail on it alone,
 * and no rank may begin what another will not take part in. */
static enum reshard_status agree(MPI_Comm comm, enum reshard_status status)
{
    int worst = (int)status;
    MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_INT, MPI_MAX, comm);
    return (enum reshard_status)worst;
}

/* --- Saving and loading -------------------------------------------------------------------- */

/* [collective] The parameters into the second model; then, by itself, the optimizer's state. */
static enum reshard_status load_parts(struct reshard_group *group, struct training *second,
                                      const char *directory, struct reshard_error *error)
{
    static const enum reshard_part parts[] = {RESHARD_PART_MODEL, RESHARD_PART_OPTIMIZER};
    enum reshard_status status = RESHARD_OK;
    for (int i = 0; i < 2 && !status; i++) {
        const struct reshard_load_options options = {.part = parts[i]};
        status = reshard_load(group, second->state, directory, &options, NULL, error);
    }
    return status;
}

/* [collective] The weight as SHARDED_STATE_DICT has it, this rank's chunk of rows, loaded from the
 * same checkpoint and held against the first model. */
static enum reshard_status check_sharded(struct reshard_group *group, MPI_Comm comm,
                                         const struct training *first, const char *directory,
                                         bool *equal, struct reshard_error *error)
{
    const uint64_t world = reshard_group_world(group);
    const struct reshard_layout_options rows = {.kind = RESHARD_LAYOUT_FSDP2, .shard = world};
    const struct reshard_load_options options = {.part = RESHARD_PART_MODEL};
    const struct reshard_chunk chunk = reshard_chunk(WIDTH, world, first->rank);
    const uint64_t bytes = (chunk.end - chunk.begin) * WIDTH * sizeof(float);
    struct reshard_layout *layout = NULL;
    struct reshard_state *state = NULL;
    float *whole = gather_parameters(comm, first);
    enum reshard_status status = reshard_layout_open(&layout, first->model, &rows, error);
    if (!status)
        status = reshard_state_open(&state, layout, first->rank);
    if (!status)
        status = reshard_state_allocate(state, error);
    status = agree(comm, status || whole ? status : RESHARD_ENOMEM);
    if (!status)
        status = reshard_load(group, state, directory, &options, NULL, error);
    if (!status)
        *equal = bytes == 0 ||
                 memcmp(reshard_state_data(state, 0), whole + chunk.begin * WIDTH, bytes) == 0;
    free(whole);
    reshard_state_close(state);
    reshard_layout_close(layout);
    return status;
}

/* [collective] */
static enum reshard_status load_and_compare(struct reshard_group *group, MPI_Comm comm,
                                            const struct training *first, struct training *second,
                                            const char *directory, bool *equal,
                                            struct reshard_error *error)
{
    bool sharded = false;
    print_trainings(comm, "Before loading", first, second);
    /* What a load must replace: memory that was right already would prove nothing. */
    memset(second->step, 0, sizeof(second->step));
    enum reshard_status status = load_parts(group, second, directory, error);
    if (!status)
        status = check_sharded(group, comm, first, directory, &sharded, error);
    if (status)
        return status;
    print_trainings(comm, "After loading", first, second);
    const bool steps = memcmp(first->step, second->step, sizeof(first->step)) == 0;
    *equal = holds_everywhere(comm, training_equal(first, second, PARAMETER), "parameters");
    *equal &= holds_everywhere(comm, training_equal(first, second, EXP_AVG), "exp_avg");
    *equal &= holds_everywhere(comm, training_equal(first, second, EXP_AVG_SQ), "exp_avg_sq");
    *equal &= holds_everywhere(comm, steps, "step");
    *equal &= holds_everywhere(comm, sharded, "parameters as chunks of rows");
    return RESHARD_OK;
}

/* --- Forms of the optimizer's state --------------------------------------------------------- */

static const struct {
    const char *title;
    enum reshard_form form;
    bool rank0_only;
} forms[] = {
    {"FULL, on rank 0", RESHARD_FORM_FULL, true},
    {"FULL, on all ranks", RESHARD_FORM_FULL, false},
    {"SHARDED", RESHARD_FORM_SHARDED, false},
    {"LOCAL", RESHARD_FORM_LOCAL, false},
};
enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

/* The optimizer's state in some form: a layout, and memory for this rank's part under it. */
struct formed {
    struct reshard_layout *layout;
    struct reshard_state *state;
};

static enum reshard_status formed_open(struct formed *formed, const struct training *training,
                                       enum reshard_form form, bool rank0_only,
                                       struct reshard_error *error)
{
    enum reshard_status status =
        reshard_form_layout(&formed->layout, training->layout, form, rank0_only, error);
    if (!status)
        status = reshard_state_open(&formed->state, formed->layout, training->rank);
    return status ? status : reshard_state_allocate(formed->state, error);
}

static void formed_close(struct formed *formed)
{
    reshard_state_close(formed->state);
    reshard_layout_close(formed->layout);
}

/* The boxes that this rank has of a moment, and their values. */
static enum reshard_status print_boxes(char text[TEXT_BYTES], const struct formed *formed,
                                       uint32_t tensor, const char *name, uint64_t rank)
{
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    const float *values = reshard_state_data(formed->state, tensor);
    const enum reshard_status status = reshard_layout_boxes(formed->layout, tensor, rank, &boxes);
    char box[256];
    char words[320];
    for (uint64_t i = 0; !status && i < boxes.count; i++) {
        const uint64_t count = reshard_box_count(&boxes.box[i]);
        if (count == 0)
            continue;
        (void)snprintf(words, sizeof(words), "  rank %d %s.exp_avg %s", (int)rank, name,
                       reshard_box_print(&boxes.box[i], box, sizeof(box)));
        print_values(text, words, values, count);
        values += count;
    }
    reshard_box_list_release(&boxes);
    return status;
}

/* Where in a flat shard those are. */
static void print_shard(char text[TEXT_BYTES], const struct formed *formed, uint32_t tensor,
                        const char *name, uint64_t rank)
{
    const struct reshard_shard_info info = reshard_layout_shard_info(formed->layout, tensor, rank);
    const size_t length = strlen(text);
    if (info.in_shard)
        (void)snprintf(text + length, TEXT_BYTES - length,
                       "  rank %d %s.exp_avg: elements %d to %d, from %d on in the flat shard\n",
                       (int)rank, name, (int)info.begin, (int)info.end - 1, (int)info.offset);
}

/* [collective] Fill the form from another state of the same optimizer, and print its exp_avg. */
static enum reshard_status print_form(struct reshard_group *group, MPI_Comm comm,
                                      const struct formed *formed,
                                      const struct reshard_state *source, const char *title,
                                      struct reshard_error *error)
{
    const struct reshard_exchange_options options = {.part = RESHARD_PART_OPTIMIZER};
    const uint64_t rank = reshard_group_rank(group);
    struct reshard_report report;
    char text[TEXT_BYTES] = "";
    enum reshard_status status =
        reshard_exchange(group, source, formed->state, &options, &report, error);
    if (!status && rank == 0)
        (void)snprintf(text, sizeof(text), "%s: %d bytes went from rank to rank\n", title,
                       (int)report.bytes_sent);
    for (int p = 0; p < PARAMETERS && !status; p++) {
        uint32_t tensor = 0;
        status =
            reshard_model_find(reshard_layout_model(formed->layout), names[p], "exp_avg", &tensor);
        if (!status)
            status = print_boxes(text, formed, tensor, names[p], rank);
        if (!status)
            print_shard(text, formed, tensor, names[p], rank);
    }
    status = agree(comm, status);
    if (!status)
        print_in_order(comm, text);
    return status;
}

/* [collective] Each form is made of the one before, and the second training's live state of the
 * last: it must be what the first one's was. */
static enum reshard_status print_forms(struct reshard_group *group, MPI_Comm comm,
                                       const struct training *first, struct training *second,
                                       bool *equal, struct reshard_error *error)
{
    const struct reshard_exchange_options options = {.part = RESHARD_PART_OPTIMIZER};
    struct formed formed[FORMS] = {{NULL, NULL}};
    const struct reshard_state *source = first->state;
    enum reshard_status status = RESHARD_OK;
    for (int i = 0; i < FORMS && !status; i++) {
        status = formed_open(&formed[i], first, forms[i].form, forms[i].rank0_only, error);
        status = agree(comm, status);
        if (!status)
            status = print_form(group, comm, &formed[i], source, forms[i].title, error);
        source = formed[i].state;
    }
    if (!status)
        status = reshard_exchange(group, source, second->state, &options, NULL, error);
    if (!status) {
        *equal = holds_everywhere(comm, training_equal(first, second, EXP_AVG), "exp_avg");
        *equal &= holds_everywhere(comm, training_equal(first, second, EXP_AVG_SQ), "exp_avg_sq");
    }
    for (int i = 0; i < FORMS; i++)
        formed_close(&formed[i]);
    return status;
}

/* What the command line asks for. */
struct request {
    const char *directory; /* NULL: forms alone */
    bool save;
    bool load;
};

static bool parse_arguments(int argc, char **argv, struct request *out)
{
    *out = (struct request){NULL, true, true};
    if (argc == 2 && strcmp(argv[1], "--forms") == 0) {
        out->save = out->load = false;
        return true;
    }
    if (argc == 3) {
        out->load = strcmp(argv[1], "--save-only") != 0;
        out->save = strcmp(argv[1], "--load-only") != 0;
    }
    if (argc < 2 || argc > 3 || (argc == 3 && out->load == out->save) || argv[argc - 1][0] == '-')
        return false;
    out->directory = argv[argc - 1];
    return true;
}

/* [collective] Every rank returns the same status: the engine's collective functions see to that by
 * themselves, and agree() does for what is local. */
static enum reshard_status run(const struct request *request, MPI_Comm comm, bool *equal,
                               struct reshard_error *error)
{
    struct reshard_environment environment;
    struct reshard_group *group = NULL;
    struct training first = {0};
    struct training second = {0};

    /* RANK, WORLD_SIZE, MASTER_ADDR and the like, where a launcher has set them, must say what MPI
     * says; the device of a rank is its place on its node. */
    reshard_environment_from_process(&environment);
    const struct reshard_group_options options = {.environment = &environment};
    enum reshard_status status = reshard_group_open(&group, comm, &options, error);
    if (status)
        return status;
    if (reshard_group_rank(group) == 0)
        printf("Running fsdp checkpoint example on %llu devices.\n",
               (unsigned long long)reshard_group_world(group));
    status = training_open(&first, group, 1, error);
    if (!status)
        status = training_open(&second, group, 2, error);
    status = agree(comm, status);
    if (!status && request->save) {
        const struct reshard_save_options save = {.step = 1};
        status = reshard_save(group, first.state, request->directory, &save, NULL, error);
    }
    *equal = true;
    if (!status && !request->directory)
        status = print_forms(group, comm, &first, &second, equal, error);
    if (!status && request->load)
        status = load_and_compare(group, comm, &first, &second, request->directory, equal, error);
    training_close(&second);
    training_close(&first);
    reshard_group_close(group);
    return status;
}

int main(int argc, char **argv)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct request request;
    bool equal = false;
    int rank = 0;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (!parse_arguments(argc, argv, &request)) {
        if (rank == 0)
            (void)fprintf(stderr,
                          "usage: fsdp_checkpoint [--save-only | --load-only] DIR | --forms\n");
        MPI_Finalize();
        return 2;
    }
    const enum reshard_status status = run(&request, MPI_COMM_WORLD, &equal, &error);
    if (status && rank == 0)
        (void)fprintf(stderr, "fsdp_checkpoint: %s: %s\n", reshard_status_text(status), error.text);
    else if (rank == 0 && equal && request.load)
        printf("Loaded bit for bit.\n");
    else if (rank == 0 && equal && !request.directory)
        printf("There and back bit for bit.\n");
    MPI_Finalize();
    return status || !equal ? 1 : 0;
}
