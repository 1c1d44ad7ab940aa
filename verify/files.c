#include "verify/files.h"

#include "verify/directory.h"
#include "verify/pieces.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    THREADS_MAX = 64,
    THREAD_DESCRIPTORS = 4,
    READ_BYTES = VERIFY_BLOCK_ELEMENTS * VERIFY_ELEMENT_BYTES_MAX
};

/* What all threads share; only the counter and the report change. */
struct inspection {
    const struct verify_files_options *options;
    struct verify_report *report;
    struct verify_directory directory;
    struct verify_directory against;            /* the checkpoint to compare with, if any */
    const struct verify_checkpoint *checkpoint; /* of the first; of the second, or NULL */
    const struct verify_checkpoint *other;
    struct verify_names truth; /* of the oracle's inventory */
    uint32_t *next;            /* tensors of the same parameter: verify_groups() */
    atomic_uint_fast32_t group;
    atomic_int failure; /* an enum reshard_status: a thread had no memory */
};

/* One thread's memory. */
struct worker {
    struct inspection *inspection;
    struct verify_block *block;
    unsigned char *data;
    unsigned char *other_data;
};

/* One tensor while it is streamed. */
struct lane {
    uint32_t tensor;
    uint32_t truth; /* its number in the oracle's inventory, or UINT32_MAX */
    struct verify_pieces pieces;
    struct verify_pieces other;
    bool compares; /* with the other checkpoint */
    struct verify_mismatch from_truth;
    struct verify_mismatch from_other;
    bool broken;
};

static void add_general(struct verify_report *report, enum reshard_status status, const char *file,
                        const char *text)
{
    struct verify_finding finding = verify_finding_file(status, file);

    verify_finding_say(&finding, "%s", text);
    verify_report_add(report, &finding);
}

/* --- one tensor ------------------------------------------------------------------------------- */

static const struct verify_tensor *tensor_of(const struct worker *worker, const struct lane *lane)
{
    return &worker->inspection->checkpoint->inventory.tensor[lane->tensor];
}

static bool same_kind(const struct verify_tensor *a, const struct verify_tensor *b)
{
    return a->dtype == b->dtype && a->ndim == b->ndim &&
           memcmp(a->shape, b->shape, a->ndim * sizeof a->shape[0]) == 0 && a->like == b->like &&
           a->slot_class == b->slot_class && a->block == b->block;
}

/* Load a tensor's pieces, and settle whether all of it can be read: *whole. What files that are not
 * usable have of it, and that it cannot be, was said of these. */
static enum reshard_status open_pieces(const struct verify_directory *directory, uint32_t tensor,
                                       bool by_layout, struct verify_pieces *pieces, bool *whole,
                                       struct verify_report *report, struct reshard_error *error)
{
    bool agree = !by_layout;
    enum reshard_status status = verify_pieces_open(pieces, directory->checkpoint, tensor, error);

    *whole = false;
    pieces->label = directory->label;
    if (!status && directory->lost_count > 0 && !directory->lost_many)
        status =
            verify_pieces_lose(pieces, directory->rules, directory->lost, directory->lost_count);
    if (status || directory->lost_many)
        return status;
    if (pieces->lost > 0 && by_layout)
        status = verify_pieces_agree(pieces, directory->rules, report, &agree);
    if (!status && (pieces->lost == 0 || agree))
        status = verify_pieces_cover(pieces, report, whole);
    if (!status && *whole && pieces->lost == 0 && by_layout)
        status = verify_pieces_agree(pieces, directory->rules, report, &agree);
    *whole = *whole && pieces->lost == 0;
    return status;
}

static enum reshard_status lane_open_other(const struct worker *worker, struct lane *lane,
                                           struct reshard_error *error)
{
    const struct verify_checkpoint *other = worker->inspection->other;
    const struct verify_tensor *tensor = tensor_of(worker, lane);
    uint32_t number;
    enum reshard_status status;

    if (!other)
        return RESHARD_OK;
    number = verify_names_find(&other->names, tensor->fqn, tensor->slot);
    if (number == UINT32_MAX || other->absent[number] ||
        !same_kind(tensor, &other->inventory.tensor[number]))
        return RESHARD_OK; /* found by compare_inventories() and compare_absence() */
    status = open_pieces(&worker->inspection->against, number, false, &lane->other, &lane->compares,
                         worker->inspection->report, error);
    if (status)
        reshard_error_prefix(error, "in %s", worker->inspection->options->against);
    else if (!lane->compares && worker->inspection->against.lost_count > 0)
        verify_pieces_check(&lane->other, VERIFY_BLOCK_ELEMENTS, worker->other_data,
                            worker->inspection->report);
    return status;
}

static enum reshard_status lane_open(const struct worker *worker, struct lane *lane,
                                     uint32_t tensor, struct reshard_error *error)
{
    const struct inspection *inspection = worker->inspection;
    bool whole = false;
    enum reshard_status status;

    *lane = (struct lane){.tensor = tensor, .truth = UINT32_MAX};
    status = open_pieces(&inspection->directory, tensor, true, &lane->pieces, &whole,
                         inspection->report, error);
    lane->broken = !whole;
    if (status)
        return status;
    if (inspection->options->oracle) {
        const struct verify_tensor *mine = tensor_of(worker, lane);

        lane->truth = verify_names_find(&inspection->truth, mine->fqn, mine->slot);
        if (lane->truth != UINT32_MAX &&
            (verify_oracle_absent(inspection->options->oracle, lane->truth) ||
             !same_kind(mine, &inspection->truth.inventory->tensor[lane->truth])))
            lane->truth = UINT32_MAX;
    }
    if (lane->broken && inspection->directory.lost_count > 0)
        verify_pieces_check(&lane->pieces, VERIFY_BLOCK_ELEMENTS, worker->data, inspection->report);
    return lane_open_other(worker, lane, error);
}

static void lane_close(struct lane *lane)
{
    verify_pieces_close(&lane->pieces);
    verify_pieces_close(&lane->other);
}

/* What the oracle says of elements from `begin` on; of what follows its parameter those of the
 * block that was filled last. */
static const void *truth_from(const struct worker *worker, const struct lane *lane, uint64_t begin)
{
    const struct verify_oracle *oracle = worker->inspection->options->oracle;
    const struct verify_tensor *tensor = tensor_of(worker, lane);
    const char *whole;

    if (tensor->like)
        return verify_block_values(oracle, worker->block, lane->truth);
    whole = verify_oracle_whole(oracle, lane->truth);
    return whole + begin * reshard_dtype_bytes(tensor->dtype);
}

/* Read the next elements of a tensor and hold them against whatever there is to hold against. */
static void lane_read(const struct worker *worker, struct lane *lane, uint64_t begin,
                      uint32_t count)
{
    const struct inspection *inspection = worker->inspection;
    const size_t width = reshard_dtype_bytes(tensor_of(worker, lane)->dtype);
    struct verify_pair pair = {
        .actual = worker->data, .width = width, .count = count, .begin = begin};

    if (lane->broken || count == 0)
        return;
    if (verify_pieces_read(&lane->pieces, begin, count, worker->data, inspection->report)) {
        lane->broken = true;
        return;
    }
    verify_report_count(inspection->report, count, count * width);
    if (lane->truth != UINT32_MAX) {
        pair.expected = truth_from(worker, lane, begin);
        verify_compare(&lane->from_truth, &pair);
    }
    if (lane->compares) {
        lane->compares =
            !verify_pieces_read(&lane->other, begin, count, worker->other_data, inspection->report);
        pair.expected = worker->other_data;
        if (lane->compares)
            verify_compare(&lane->from_other, &pair);
    }
}

static void add_mismatch(const struct worker *worker, const struct lane *lane,
                         const struct verify_mismatch *mismatch)
{
    const struct inspection *inspection = worker->inspection;
    const struct verify_tensor *tensor = tensor_of(worker, lane);
    const size_t width = reshard_dtype_bytes(tensor->dtype);
    const struct verify_piece *piece;
    struct verify_finding finding;
    uint64_t local;

    if (mismatch->differing == 0)
        return;
    piece = verify_pieces_find(&lane->pieces, mismatch->element, &local);
    finding =
        verify_finding_tensor(RESHARD_EMISMATCH, &inspection->checkpoint->inventory, lane->tensor);
    snprintf(finding.file, sizeof finding.file, "%s",
             inspection->checkpoint->file[piece->file].name);
    finding.byte_begin = piece->position + local * width;
    finding.byte_end = finding.byte_begin + width;
    verify_finding_mismatch(&finding, tensor, mismatch);
    if (mismatch == &lane->from_truth)
        verify_finding_say(&finding, "not the state of training step %" PRIu64,
                           verify_oracle_step(inspection->options->oracle));
    else
        verify_finding_say(&finding, "not what %s has", inspection->options->against);
    verify_report_add(inspection->report, &finding);
}

static void lane_end(const struct worker *worker, struct lane *lane)
{
    const struct inspection *inspection = worker->inspection;
    const uint64_t digest = inspection->checkpoint->digest[lane->tensor];
    struct verify_tally *tally = &inspection->report->tally[lane->tensor];

    if (!lane->broken) {
        tally->held = verify_tensor_elements(tensor_of(worker, lane));
        tally->compared = tally->held;
        tally->differing = lane->from_truth.differing + lane->from_other.differing;
    }
    if (!lane->broken && lane->pieces.whole_crc != digest) {
        struct verify_finding finding = verify_finding_tensor(
            RESHARD_EDIGEST, &inspection->checkpoint->inventory, lane->tensor);

        verify_finding_say(&finding,
                           "its bytes have digest %016" PRIx64 "; the manifest says %016" PRIx64,
                           lane->pieces.whole_crc, digest);
        verify_report_add(inspection->report, &finding);
    }
    add_mismatch(worker, lane, &lane->from_truth);
    add_mismatch(worker, lane, &lane->from_other);
    lane_close(lane);
}

/* --- a parameter and its slots ---------------------------------------------------------------- */

static bool is_group(const struct inspection *inspection, uint32_t tensor)
{
    return inspection->checkpoint->inventory.tensor[tensor].parameter == tensor;
}

static bool any_whole(const struct lane *lane, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (!lane[i].broken)
            return true;
    }
    return false;
}

/* Stream tensors of one shape side by side, so that the oracle computes each block once. */
static void stream(const struct worker *worker, struct lane *lane, uint32_t lane_count)
{
    const struct verify_oracle *oracle = worker->inspection->options->oracle;
    const uint64_t elements = verify_tensor_elements(tensor_of(worker, &lane[0]));
    uint32_t parameter = UINT32_MAX;

    for (uint32_t i = 0; i < lane_count; ++i) {
        if (lane[i].truth != UINT32_MAX)
            parameter = worker->inspection->truth.inventory->tensor[lane[i].truth].parameter;
    }
    for (uint64_t begin = 0; begin < elements && any_whole(lane, lane_count);
         begin += VERIFY_BLOCK_ELEMENTS) {
        const uint64_t left = elements - begin;
        const uint32_t count =
            left < VERIFY_BLOCK_ELEMENTS ? (uint32_t)left : VERIFY_BLOCK_ELEMENTS;

        if (parameter != UINT32_MAX && tensor_of(worker, &lane[0])->like)
            verify_oracle_fill(oracle, worker->block, parameter, begin, count);
        for (uint32_t i = 0; i < lane_count; ++i)
            lane_read(worker, &lane[i], begin, count);
    }
}

/* The tensors of a group that follow the parameter (`like`), or one at a time those that do not. */
static enum reshard_status judge_lanes(const struct worker *worker, const uint32_t *tensor,
                                       uint32_t count)
{
    struct lane *lane = calloc(count, sizeof *lane);
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status = lane ? RESHARD_OK : RESHARD_ENOMEM;
    uint32_t opened = 0;

    while (opened < count && !status) {
        status = lane_open(worker, &lane[opened], tensor[opened], &error);
        opened += 1;
    }
    if (!status)
        stream(worker, lane, count);
    for (uint32_t i = 0; i < opened; ++i) {
        if (status)
            lane_close(&lane[i]);
        else
            lane_end(worker, &lane[i]);
    }
    free(lane);
    if (status && status != RESHARD_ENOMEM) {
        add_general(worker->inspection->report, status, "", error.text);
        return RESHARD_OK;
    }
    return status;
}

/* Absent slots have nothing to look at. */
static enum reshard_status judge_group(const struct worker *worker, uint32_t parameter)
{
    const struct inspection *inspection = worker->inspection;
    const struct verify_tensor *tensor = inspection->checkpoint->inventory.tensor;
    const bool *absent = inspection->checkpoint->absent;
    enum reshard_status status = RESHARD_OK;
    uint32_t *alike;
    uint32_t count = 0;

    for (uint32_t t = parameter; t != UINT32_MAX; t = inspection->next[t])
        count += tensor[t].like;
    alike = calloc(count, sizeof *alike);
    if (!alike)
        return RESHARD_ENOMEM;
    count = 0;
    for (uint32_t t = parameter; t != UINT32_MAX && !status; t = inspection->next[t]) {
        if (absent[t])
            continue;
        if (tensor[t].like)
            alike[count++] = t;
        else
            status = judge_lanes(worker, &t, 1);
    }
    if (!status)
        status = judge_lanes(worker, alike, count);
    free(alike);
    return status;
}

static void *work(void *argument)
{
    struct inspection *inspection = argument;
    struct worker worker = {
        .inspection = inspection, .data = malloc(READ_BYTES), .other_data = malloc(READ_BYTES)};
    enum reshard_status status = verify_block_open(&worker.block);

    if (!worker.data || !worker.other_data)
        status = RESHARD_ENOMEM;
    while (!status && !atomic_load(&inspection->failure)) {
        const uint_fast32_t tensor = atomic_fetch_add(&inspection->group, 1);

        if (tensor >= inspection->checkpoint->inventory.tensor_count)
            break;
        if (is_group(inspection, (uint32_t)tensor))
            status = judge_group(&worker, (uint32_t)tensor);
    }
    if (status)
        atomic_store(&inspection->failure, (int)status);
    verify_block_close(worker.block);
    free(worker.data);
    free(worker.other_data);
    return NULL;
}

/* As many as there are processors, and as descriptors allow: each has one file open at a time, of
 * either checkpoint. */
static unsigned count_threads(unsigned asked)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = asked;
    struct rlimit limit;

    if (threads == 0)
        threads = processors > 0 ? (unsigned)processors : 1;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / THREAD_DESCRIPTORS < threads)
        threads = (unsigned)(limit.rlim_cur / THREAD_DESCRIPTORS);
    return threads < THREADS_MAX ? threads : THREADS_MAX;
}

static void judge_tensors(struct inspection *inspection)
{
    const unsigned threads = count_threads(inspection->options->threads);
    pthread_t thread[THREADS_MAX];
    unsigned started = 0;

    /* This thread works too, so one that cannot be started only costs time. */
    while (started + 1 < threads && pthread_create(&thread[started], NULL, work, inspection) == 0)
        started += 1;
    work(inspection);
    for (unsigned t = 0; t < started; ++t)
        pthread_join(thread[t], NULL);
}

/* --- the whole checkpoint --------------------------------------------------------------------- */

static void add_inventory_finding(struct verify_report *report,
                                  const struct verify_inventory *inventory, uint32_t tensor,
                                  const char *text)
{
    struct verify_finding finding = verify_finding_tensor(RESHARD_EMISMATCH, inventory, tensor);

    finding.order = 0;
    verify_finding_say(&finding, "%s", text);
    verify_report_add(report, &finding);
}

/* Hold the checkpoint's inventory against another, wherever that comes from. */
static void compare_inventories(const struct verify_checkpoint *checkpoint,
                                const struct verify_names *wanted, struct verify_report *report)
{
    const struct verify_inventory *mine = &checkpoint->inventory;
    const struct verify_inventory *theirs = wanted->inventory;
    uint32_t last = 0;

    for (uint32_t t = 0; t < theirs->tensor_count; ++t) {
        const struct verify_tensor *tensor = &theirs->tensor[t];
        const uint32_t found = verify_names_find(&checkpoint->names, tensor->fqn, tensor->slot);

        if (found == UINT32_MAX)
            add_inventory_finding(report, theirs, t, "is expected, but not in the checkpoint");
        else if (!same_kind(tensor, &mine->tensor[found]) ||
                 tensor->role != mine->tensor[found].role)
            add_inventory_finding(report, theirs, t, "has another dtype, shape, placement or role");
        else if (found < last)
            add_inventory_finding(report, theirs, t, "comes at another place of the order");
        if (found != UINT32_MAX)
            last = found;
    }
    for (uint32_t t = 0; t < mine->tensor_count; ++t) {
        if (verify_names_find(wanted, mine->tensor[t].fqn, mine->tensor[t].slot) == UINT32_MAX)
            add_inventory_finding(report, mine, t, "is in the checkpoint, but not expected");
    }
}

static void add_absence(const struct inspection *inspection, uint32_t tensor, const char *whose)
{
    const bool absent = inspection->checkpoint->absent[tensor];
    struct verify_finding finding =
        verify_finding_tensor(RESHARD_EMISMATCH, &inspection->checkpoint->inventory, tensor);

    verify_finding_say(&finding, "is %s, and %s in %s", absent ? "absent" : "there",
                       absent ? "there" : "absent", whose);
    verify_report_add(inspection->report, &finding);
}

/* What the oracle's state is called. */
static void name_state(const struct verify_oracle *oracle, char text[VERIFY_TEXT_MAX])
{
    snprintf(text, VERIFY_TEXT_MAX, "the state of training step %" PRIu64,
             verify_oracle_step(oracle));
}

/* Is what is absent, and no other slot, absent in the oracle's state and the other checkpoint? */
static void compare_absence(const struct inspection *inspection)
{
    const struct verify_inventory *inventory = &inspection->checkpoint->inventory;
    const struct verify_oracle *oracle = inspection->options->oracle;
    const struct verify_checkpoint *other = inspection->other;
    char state[VERIFY_TEXT_MAX];

    if (oracle)
        name_state(oracle, state);
    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &inventory->tensor[t];
        const bool absent = inspection->checkpoint->absent[t];
        uint32_t number = UINT32_MAX;

        if (oracle)
            number = verify_names_find(&inspection->truth, tensor->fqn, tensor->slot);
        if (number != UINT32_MAX && verify_oracle_absent(oracle, number) != absent)
            add_absence(inspection, t, state);
        number = other ? verify_names_find(&other->names, tensor->fqn, tensor->slot) : UINT32_MAX;
        if (number != UINT32_MAX && other->absent[number] != absent)
            add_absence(inspection, t, inspection->options->against);
    }
}

static void compare_step(const struct inspection *inspection, uint64_t step)
{
    char text[VERIFY_TEXT_MAX];

    if (inspection->checkpoint->step == step)
        return;
    snprintf(text, sizeof text, "is of training step %" PRIu64 ", not %" PRIu64,
             inspection->checkpoint->step, step);
    add_general(inspection->report, RESHARD_EMISMATCH, "manifest.json", text);
}

static enum reshard_status open_other(struct inspection *inspection, struct reshard_error *error)
{
    const char *path = inspection->options->against;
    struct verify_directory *against = &inspection->against;
    enum reshard_status status =
        verify_directory_open(against, path, path, inspection->report, error);

    if (status || !against->rules)
        return status;
    status = verify_directory_files(against, inspection->report, error);
    if (status)
        return status;
    inspection->other = against->checkpoint;
    compare_inventories(inspection->checkpoint, &inspection->other->names, inspection->report);
    compare_step(inspection, inspection->other->step);
    verify_param_groups_compare(&inspection->checkpoint->groups, &inspection->other->groups, path,
                                inspection->report);
    return RESHARD_OK;
}

/* The step, and the optimizer's groups where they are known, of the oracle's state. */
static void compare_training(const struct inspection *inspection)
{
    const struct verify_files_options *options = inspection->options;
    char state[VERIFY_TEXT_MAX];

    name_state(options->oracle, state);
    compare_step(inspection, verify_oracle_step(options->oracle));
    if (options->groups)
        verify_param_groups_compare(&inspection->checkpoint->groups, options->groups, state,
                                    inspection->report);
}

static enum reshard_status compare_expected(struct inspection *inspection,
                                            struct reshard_error *error)
{
    const struct verify_files_options *options = inspection->options;
    enum reshard_status status = RESHARD_OK;

    if (options->expected) {
        struct verify_names names;

        status = verify_names_open(&names, options->expected, error);
        if (!status)
            compare_inventories(inspection->checkpoint, &names, inspection->report);
        verify_names_close(&names);
    }
    if (!status && options->oracle) {
        status =
            verify_names_open(&inspection->truth, verify_oracle_inventory(options->oracle), error);
        compare_training(inspection);
    }
    if (!status && options->against)
        status = open_other(inspection, error);
    if (!status)
        compare_absence(inspection);
    return status;
}

static enum reshard_status inspect(struct inspection *inspection, struct reshard_error *error)
{
    const struct verify_inventory *inventory = &inspection->checkpoint->inventory;
    enum reshard_status status = verify_report_tensors(inspection->report, inventory->tensor_count);

    inspection->next = verify_groups(inventory);
    if (status || !inspection->next)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory to verify a checkpoint");
    for (uint32_t t = 0; t < inventory->tensor_count; ++t)
        inspection->report->absent_count += inspection->checkpoint->absent[t];
    status = verify_directory_files(&inspection->directory, inspection->report, error);
    if (!status)
        status = verify_directory_others(&inspection->directory, inspection->report, error);
    if (!status)
        status = compare_expected(inspection, error);
    if (status)
        return status;
    judge_tensors(inspection);
    status = (enum reshard_status)atomic_load(&inspection->failure);
    return status ? reshard_error_set(error, status, "no memory to verify a tensor") : RESHARD_OK;
}

enum reshard_status verify_files(const char *directory, const struct verify_files_options *options,
                                 struct verify_report *report, struct reshard_error *error)
{
    struct inspection inspection = {.options = options, .report = report};
    struct reshard_error fault = RESHARD_ERROR_INIT;
    enum reshard_status status =
        verify_directory_open(&inspection.directory, directory, NULL, report, &fault);
    char line[RESHARD_ERROR_TEXT_MAX];

    inspection.checkpoint = inspection.directory.checkpoint;
    if (!status && inspection.directory.rules)
        status = inspect(&inspection, &fault);
    verify_names_close(&inspection.truth);
    free(inspection.next);
    verify_directory_close(&inspection.against);
    verify_directory_close(&inspection.directory);
    if (status == RESHARD_ENOMEM || report->finding_total == 0)
        return status ? reshard_error_set(error, status, "%s", fault.text) : RESHARD_OK;
    verify_finding_line(&report->finding[0], line, sizeof line);
    return reshard_error_set(error, report->status, "%s: %s", directory, line);
}
