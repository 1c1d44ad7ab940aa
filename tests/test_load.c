/*
 * What a load gives. Goal: any layout's checkpoint fills any other layout's memory, in every way of
 * reading; and each leniency does what it was asked for to the tensors that it was asked for, while
 * all else stays strict. Method: random layouts through storage, against the oracle; then small
 * models that differ from their checkpoints in one respect.
 */
#include "core/cast.h"
#include "parallel/load.h"
#include "parallel/save.h"
#include "support/drawn.h"
#include "support/oracle.h"
#include "support/ranks.h"
#include "support/sample.h"
#include "support/side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 41 };

/* A smaller world, of the first ranks; whether this rank is of it. */
static bool open_first(struct ranks *all, int size, struct ranks *some)
{
    const bool member = all->rank < size;

    *some = *all;
    some->size = size;
    MPI_Comm_split(all->comm, member ? 0 : MPI_UNDEFINED, all->rank, &some->comm);
    return member;
}

static void close_first(struct ranks *all, struct ranks *some)
{
    if (some->comm != MPI_COMM_NULL)
        MPI_Comm_free(&some->comm);
    all->failures = some->failures;
}

/* Save a model, filled, under a layout, on all ranks. */
static void save_as(struct ranks *ranks, const struct reshard_model *model,
                    const struct reshard_layout_options *options, bool on_device, const char *path)
{
    const struct reshard_save_options how = {.step = 6};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group;
    struct side side;

    group = ranks_group(ranks);
    if (side_open(&side, ranks, model, options, on_device, RESHARD_ROLE_COUNT)) {
        side_fill_all(&side, VALUES);
        EXPECT_STATUS(ranks, reshard_save(group, side.state, path, &how, NULL, &error), RESHARD_OK,
                      &error);
    }
    side_close(&side);
    reshard_group_close(group);
}

static enum reshard_status load_into(struct ranks *ranks, struct side *side, const char *path,
                                     const struct reshard_load_options *options,
                                     struct reshard_report *report, struct reshard_error *error)
{
    struct reshard_group *group;
    enum reshard_status status;

    group = ranks_group(ranks);
    status = reshard_load(group, side->state, path, options, report, error);
    EXPECT(ranks, ranks_same_text(ranks->comm, error->text));
    reshard_group_close(group);
    return status;
}

static void path_of(const struct ranks *ranks, const char *name, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/%s", ranks->scratch, name);
}

/* ---- any layout to any other ----------------------------------------------------------------- */

static bool has_rows(const struct reshard_model *model)
{
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        if (reshard_model_tensor(model, t)->role == RESHARD_ROLE_PER_RANK)
            return true;
    return false;
}

static void check_loaded(struct ranks *ranks, const struct side *side, enum reshard_part part)
{
    const struct reshard_model *model = reshard_layout_model(side->layout);
    uint64_t wrong = 0, touched = 0;

    for (uint32_t t = 0; t < side->tensors; t++)
        if (reshard_part_has(part, reshard_model_tensor(model, t)))
            wrong += side_wrong(side, t, VALUES);
        else
            touched += side_touched(side, t);
    EXPECT(ranks, wrong == 0);
    EXPECT(ranks, touched == 0);
}

/* On the first ranks alone: another world. */
static void load_drawn(struct ranks *all, struct test_random *random,
                       const struct reshard_model *model, int size, const char *path)
{
    const struct reshard_load_options options = {
        .part = (enum reshard_part)(test_random_below(random, 6) > 3 ? test_random_below(random, 3)
                                                                     : RESHARD_PART_ALL),
        .reading = (enum reshard_reading)test_random_below(random, 2),
        .budget = test_random_below(random, 2) ? 4096 : 0};
    const bool on_device = test_random_below(random, 2);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report;
    struct random_layout drawn;
    struct ranks some;
    struct side side;

    drawn_layout(&drawn, random, model, (uint64_t)size);
    if (open_first(all, size, &some)) {
        if (side_open(&side, &some, model, &drawn.options, on_device, RESHARD_ROLE_COUNT) &&
            EXPECT_STATUS(&some, load_into(&some, &side, path, &options, &report, &error),
                          RESHARD_OK, &error)) {
            check_loaded(&some, &side, options.part);
            EXPECT(&some, options.reading == RESHARD_READ_EACH
                              ? report.bytes_sent == 0
                              : report.bytes_moved == report.bytes_unique);
            EXPECT(&some, report.bytes_sent == report.bytes_lacking);
        }
        side_close(&side);
    }
    close_first(all, &some);
    random_layout_close(&drawn);
}

static void save_drawn(struct ranks *all, struct test_random *random,
                       const struct reshard_model *model, int size, const char *path)
{
    const bool on_device = test_random_below(random, 2);
    struct random_layout drawn;
    struct ranks some;

    drawn_layout(&drawn, random, model, (uint64_t)size);
    if (open_first(all, size, &some))
        save_as(&some, model, &drawn.options, on_device, path);
    close_first(all, &some);
    random_layout_close(&drawn);
}

static void any_layout_loads_what_any_other_saved(struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    struct test_random random = drawn_start(ranks, "layouts through storage", 1);

    for (int round = 0; round < 40; round++) {
        struct reshard_model *model = random_model(&random, world, 60);
        const struct reshard_layout_options plain = {.kind = RESHARD_LAYOUT_DDP, .world = world};
        char name[32], path[320];
        int sizes[2] = {ranks->size, ranks->size};
        if (!oracle_accepts(model, &plain)) { /* rows of another world */
            reshard_model_close(model);
            continue;
        }
        for (int i = 0; i < 2 && !has_rows(model); i++)
            sizes[i] = 1 + (int)test_random_below(&random, world);
        (void)snprintf(name, sizeof name, "random-%d", round);
        path_of(ranks, name, path, sizeof path);
        save_drawn(ranks, &random, model, sizes[0], path);
        load_drawn(ranks, &random, model, sizes[1], path);
        load_drawn(ranks, &random, model, has_rows(model) ? sizes[1] : ranks->size, path);
        reshard_model_close(model);
    }
}

/* ---- ways of reading ------------------------------------------------------------------------- */

static const struct {
    enum reshard_reading reading;
    double storage, network;
    bool each;
} ways[] = {
    {RESHARD_READ_ONCE, 0, 0, false},        {RESHARD_READ_EACH, 0, 0, true},
    {RESHARD_READ_CHEAPEST, 0, 0, false},    {RESHARD_READ_CHEAPEST, 1e12, 1, true},
    {RESHARD_READ_CHEAPEST, 1, 1e12, false}, {RESHARD_READ_CHEAPEST, 1e12, 0, false},
    {RESHARD_READ_ONCE, 1e12, 1, false},
};

static void bytes_are_read_once_or_by_each_or_as_is_cheaper(struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    const struct reshard_layout_options whole = {.kind = RESHARD_LAYOUT_DDP, .replicate = world};
    struct reshard_model *model = sample_model();
    char path[320];

    path_of(ranks, "ways", path, sizeof path);
    save_as(ranks, model, &whole, false, path);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const struct reshard_load_options options = {.reading = ways[i].reading,
                                                     .storage_rate = ways[i].storage,
                                                     .network_rate = ways[i].network};
        const bool each = ways[i].each && world > 1;
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_report report;
        struct side side;
        if (side_open(&side, ranks, model, &whole, false, RESHARD_ROLE_COUNT) &&
            EXPECT_STATUS(ranks, load_into(ranks, &side, path, &options, &report, &error),
                          RESHARD_OK, &error)) {
            EXPECT(ranks, report.bytes_moved == (each ? world : 1) * report.bytes_unique);
            EXPECT(ranks, report.bytes_sent == (each ? 0 : world - 1) * report.bytes_unique);
            EXPECT(ranks, report.bytes_lacking == report.bytes_sent);
            EXPECT(ranks, report.tensors == side.tensors);
            EXPECT(ranks, side_wrong_all(&side, VALUES) == 0);
        }
        side_close(&side);
    }
    reshard_model_close(model);
}

/* ---- small models ---------------------------------------------------------------------------- */

struct entry {
    const char *fqn; /* "alias=of" is a tie */
    enum reshard_dtype dtype;
    uint64_t rows;
    enum reshard_role role;
    enum reshard_other_world other;
};

static struct reshard_model *make_model(struct ranks *ranks, const struct entry *entries)
{
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_model_open(&model);

    for (; !status && entries->fqn; entries++) {
        const struct reshard_shape shape = {2, {entries->rows, 3}};
        const char *is = strchr(entries->fqn, '=');
        char alias[64];
        if (is) {
            (void)snprintf(alias, sizeof alias, "%.*s", (int)(is - entries->fqn), entries->fqn);
            status = reshard_model_tie(model, alias, is + 1, NULL);
        } else {
            status = reshard_model_add_role(model, entries->fqn, "", entries->dtype, &shape,
                                            entries->role, entries->other, NULL);
        }
    }
    EXPECT(ranks, status == RESHARD_OK);
    return model;
}

static struct reshard_layout_options sharded(const struct ranks *ranks)
{
    return (struct reshard_layout_options){.kind = RESHARD_LAYOUT_FSDP2,
                                           .shard = (uint64_t)ranks->size};
}

/* One model saved and another opened to load it. */
struct trial {
    struct reshard_model *model;
    struct reshard_layout_options options;
    struct side side;
    struct reshard_report report;
    struct reshard_error error;
    char path[320];
    bool ready;
};

static void open_trial(struct trial *trial, struct ranks *ranks, const char *name,
                       const struct entry *saved, const struct entry *wanted, bool on_device)
{
    struct reshard_model *model = make_model(ranks, saved);

    memset(trial, 0, sizeof *trial);
    trial->options = sharded(ranks);
    path_of(ranks, name, trial->path, sizeof trial->path);
    save_as(ranks, model, &trial->options, false, trial->path);
    reshard_model_close(model);
    trial->model = make_model(ranks, wanted);
    trial->ready = side_open(&trial->side, ranks, trial->model, &trial->options, on_device,
                             RESHARD_ROLE_COUNT);
}

static void try(struct trial *trial, struct ranks *ranks, const struct reshard_match_options *match,
                enum reshard_status expected)
{
    struct reshard_load_options options = {.reading = RESHARD_READ_ONCE};

    if (match)
        options.match = *match;
    if (trial->ready)
        EXPECT_STATUS(
            ranks,
            load_into(ranks, &trial->side, trial->path, &options, &trial->report, &trial->error),
            expected, &trial->error);
}

static void close_trial(struct trial *trial)
{
    side_close(&trial->side);
    reshard_model_close(trial->model);
}

static void must_say(struct ranks *ranks, const struct trial *trial, const char *words)
{
    if (!EXPECT(ranks, strstr(trial->error.text, words) != NULL) && ranks->rank == 0)
        printf("no '%s' in: %s\n", words, trial->error.text);
}

static void without_leniency_nothing_is_loaded_and_all_is_listed(struct ranks *ranks)
{
    static const struct entry saved[] = {
        {"w", RESHARD_DTYPE_F32, 5, 0, 0}, {"old", RESHARD_DTYPE_F32, 5, 0, 0}, {NULL, 0, 0, 0, 0}};
    static const struct entry wanted[] = {{"w", RESHARD_DTYPE_BF16, 5, 0, 0},
                                          {"new", RESHARD_DTYPE_F32, 5, 0, 0},
                                          {NULL, 0, 0, 0, 0}};
    struct trial trial;

    open_trial(&trial, ranks, "strict", saved, wanted, false);
    try(&trial, ranks, NULL, RESHARD_EMISMATCH);
    must_say(ranks, &trial, "'w'");
    must_say(ranks, &trial, "'old'");
    must_say(ranks, &trial, "'new'");
    for (uint32_t t = 0; trial.ready && t < 2; t++)
        EXPECT(ranks, side_touched(&trial.side, t) == 0);
    close_trial(&trial);
}

static void what_may_be_missing_or_unexpected_is_counted_and_left_alone(struct ranks *ranks)
{
    static const struct entry saved[] = {{"w", RESHARD_DTYPE_F32, 5, 0, 0},
                                         {"head.a", RESHARD_DTYPE_F32, 7, 0, 0},
                                         {"head.b", RESHARD_DTYPE_F32, 7, 0, 0},
                                         {NULL, 0, 0, 0, 0}};
    static const struct entry wanted[] = {{"w", RESHARD_DTYPE_F32, 5, 0, 0},
                                          {"lora.a", RESHARD_DTYPE_F32, 6, 0, 0},
                                          {NULL, 0, 0, 0, 0}};
    const struct reshard_match_options match = {.missing = (const char *[]){"lora.*"},
                                                .missing_count = 1,
                                                .unexpected = (const char *[]){"head.*"},
                                                .unexpected_count = 1};
    struct trial trial;

    open_trial(&trial, ranks, "partial", saved, wanted, false);
    try(&trial, ranks, &match, RESHARD_OK);
    EXPECT(ranks, trial.report.tensors == 1 && trial.report.tensors_kept == 1 &&
                      trial.report.tensors_unread == 2);
    EXPECT(ranks, trial.report.bytes_unique == 60 && trial.report.bytes_moved == 60);
    EXPECT(ranks, side_wrong(&trial.side, 0, VALUES) == 0);
    EXPECT(ranks, side_touched(&trial.side, 1) == 0);
    close_trial(&trial);
}

/* Saved as tensors 0 and 1 in the other order: the values are those of the name. */
static void renamed_tensors_are_loaded_under_their_new_names(struct ranks *ranks)
{
    static const struct entry saved[] = {{"module.h.1.w", RESHARD_DTYPE_F32, 5, 0, 0},
                                         {"module.h.0.w", RESHARD_DTYPE_F32, 5, 0, 0},
                                         {NULL, 0, 0, 0, 0}};
    static const struct entry wanted[] = {{"blocks.1.w", RESHARD_DTYPE_F32, 5, 0, 0},
                                          {"blocks.0.w", RESHARD_DTYPE_F32, 5, 0, 0},
                                          {NULL, 0, 0, 0, 0}};
    const struct reshard_rename rename = {"module.h.{i}.*", "blocks.{i}.*"};
    const struct reshard_match_options match = {.rename = &rename, .rename_count = 1};
    struct trial trial;

    open_trial(&trial, ranks, "renamed", saved, wanted, false);
    try(&trial, ranks, &match, RESHARD_OK);
    EXPECT(ranks, side_wrong_all(&trial.side, VALUES) == 0);
    close_trial(&trial);
}

/* ---- casts ----------------------------------------------------------------------------------- */

static uint64_t wrongly_cast(const struct trial *trial, uint32_t t, enum reshard_dtype from)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(trial->model, t);
    const size_t size = reshard_dtype_bytes(tensor->dtype), source = reshard_dtype_bytes(from);
    struct oracle_places places = oracle_places(trial->model, &trial->options, t, trial->side.rank);
    unsigned char in[8], out[8];
    uint64_t wrong = 0;

    for (uint64_t e = 0; e < places.count; e++) {
        if (places.packed[e] == ORACLE_ABSENT)
            continue;
        for (size_t b = 0; b < source; b++)
            in[b] = sample_byte(VALUES, t, e * source + b);
        if (from == tensor->dtype)
            memcpy(out, in, size);
        else
            cast_elements(from, in, tensor->dtype, out, 1);
        wrong += memcmp(out, &trial->side.memory[t][places.packed[e] * size], size) != 0;
    }
    oracle_places_release(&places);
    return wrong;
}

static void floats_are_cast_where_it_is_asked_for(struct ranks *ranks)
{
    static const enum reshard_dtype floats[] = {RESHARD_DTYPE_F64, RESHARD_DTYPE_F32,
                                                RESHARD_DTYPE_F16, RESHARD_DTYPE_BF16};
    const struct reshard_match_options match = {.cast = (const char *[]){"w*"}, .cast_count = 1};

    for (int i = 0; i < 16; i++) {
        const enum reshard_dtype from = floats[i / 4], to = floats[i % 4];
        const struct entry saved[] = {{"w", from, 11, 0, 0},
                                      {"w.buffer", from, 4, RESHARD_ROLE_BUFFER, 0},
                                      {NULL, 0, 0, 0, 0}};
        const struct entry wanted[] = {
            {"w", to, 11, 0, 0}, {"w.buffer", to, 4, RESHARD_ROLE_BUFFER, 0}, {NULL, 0, 0, 0, 0}};
        struct trial trial;
        char name[32];
        (void)snprintf(name, sizeof name, "cast-%d", i);
        open_trial(&trial, ranks, name, saved, wanted, i % 3 == 0);
        if (from != to)
            try(&trial, ranks, NULL, RESHARD_EMISMATCH);
        try(&trial, ranks, &match, RESHARD_OK);
        EXPECT(ranks, trial.report.tensors_cast == (from == to ? 0 : 2));
        for (uint32_t t = 0; t < 2; t++)
            EXPECT(ranks, wrongly_cast(&trial, t, from) == 0);
        close_trial(&trial);
    }
}

/* ---- ties ------------------------------------------------------------------------------------ */

static void a_tie_is_filled_by_equal_tensors_and_not_by_others(struct ranks *ranks)
{
    static const struct entry saved[] = {{"w", RESHARD_DTYPE_F32, 5, 0, 0},
                                         {"head", RESHARD_DTYPE_F32, 5, 0, 0},
                                         {NULL, 0, 0, 0, 0}};
    static const struct entry wanted[] = {
        {"w", RESHARD_DTYPE_F32, 5, 0, 0}, {"head=w", 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}};
    struct reshard_model *model = make_model(ranks, saved);
    const struct reshard_layout_options options = sharded(ranks);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group;
    struct trial trial;
    struct side side;

    open_trial(&trial, ranks, "two-tensors", saved, wanted, false);
    try(&trial, ranks, NULL, RESHARD_EMISMATCH);
    must_say(ranks, &trial, "'head' is tied to 'w' here");
    group = ranks_group(ranks);
    if (side_open(&side, ranks, model, &options, false, RESHARD_ROLE_COUNT)) {
        unsigned char *alias = malloc(side.bytes[0] + 1);
        side_fill_all(&side, VALUES);
        memcpy(side.memory[1], side.memory[0], side.bytes[0]);
        path_of(ranks, "equal-tensors", trial.path, sizeof trial.path);
        EXPECT_STATUS(ranks, reshard_save(group, side.state, trial.path, NULL, NULL, &error),
                      RESHARD_OK, &error);
        EXPECT(ranks,
               !reshard_state_bind(trial.side.state, "head", "", alias, side.bytes[0], NULL));
        try(&trial, ranks, NULL, RESHARD_OK);
        EXPECT(ranks, side_wrong(&trial.side, 0, VALUES) == 0);
        EXPECT(ranks, memcmp(alias, side.memory[0], side.bytes[0]) == 0);
        side_close(&trial.side); /* before what is bound to it */
        memset(&trial.side, 0, sizeof trial.side);
        free(alias);
    }
    side_close(&side);
    reshard_group_close(group);
    close_trial(&trial);
    reshard_model_close(model);
}

static void a_second_name_that_is_untied_gets_a_copy(struct ranks *ranks)
{
    static const struct entry saved[] = {
        {"w", RESHARD_DTYPE_F32, 5, 0, 0}, {"head=w", 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}};
    static const struct entry wanted[] = {{"w", RESHARD_DTYPE_F32, 5, 0, 0},
                                          {"head", RESHARD_DTYPE_F32, 5, 0, 0},
                                          {NULL, 0, 0, 0, 0}};
    const struct reshard_match_options match = {.untie = (const char *[]){"head"},
                                                .untie_count = 1};
    struct trial trial;

    open_trial(&trial, ranks, "untied", saved, wanted, false);
    try(&trial, ranks, NULL, RESHARD_EMISMATCH);
    must_say(ranks, &trial, "untied");
    try(&trial, ranks, &match, RESHARD_OK);
    EXPECT(ranks, side_wrong(&trial.side, 0, VALUES) == 0);
    EXPECT(ranks, trial.ready &&
                      memcmp(trial.side.memory[0], trial.side.memory[1], trial.side.bytes[0]) == 0);
    close_trial(&trial);
}

/* ---- rows of other worlds -------------------------------------------------------------------- */

/* Saved by all ranks; loaded by the first `size`, each of which takes row r modulo the saved. */
static void load_rows(struct ranks *all, const char *path, int size, uint64_t saved_rows)
{
    const struct entry wanted[] = {
        {"w", RESHARD_DTYPE_F32, 5, 0, 0},
        {"kept", RESHARD_DTYPE_U8, (uint64_t)size, RESHARD_ROLE_PER_RANK, RESHARD_OTHER_WORLD_KEEP},
        {"wrapped", RESHARD_DTYPE_I32, (uint64_t)size, RESHARD_ROLE_PER_RANK,
         RESHARD_OTHER_WORLD_WRAP},
        {NULL, 0, 0, 0, 0}};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report;
    struct ranks some;
    struct side side;

    if (open_first(all, size, &some)) {
        const struct reshard_layout_options options = sharded(&some);
        struct reshard_model *model = make_model(&some, wanted);
        const uint64_t row = (uint64_t)all->rank % saved_rows;
        if (side_open(&side, &some, model, &options, false, RESHARD_ROLE_COUNT) &&
            EXPECT_STATUS(&some, load_into(&some, &side, path, NULL, &report, &error), RESHARD_OK,
                          &error)) {
            EXPECT(&some, report.tensors_kept == ((uint64_t)size != saved_rows));
            EXPECT(&some, side_wrong(&side, 0, VALUES) == 0);
            EXPECT(&some, (uint64_t)size == saved_rows ? side_wrong(&side, 1, VALUES) == 0
                                                       : side_touched(&side, 1) == 0);
            for (uint64_t b = 0; b < 12; b++)
                EXPECT(&some, side.memory[2][b] == sample_byte(VALUES, 2, row * 12 + b));
        }
        side_close(&side);
        reshard_model_close(model);
    }
    close_first(all, &some);
    ranks_barrier(all->comm);
}

/* Save on the first `saved` ranks, load on the first `loaded`. */
static void rows_of_other_worlds_are_kept_or_wrapped(struct ranks *ranks)
{
    for (int saved = 1; saved <= ranks->size; saved += saved < 4 ? 1 : 4) {
        const struct entry entries[] = {
            {"w", RESHARD_DTYPE_F32, 5, 0, 0},
            {"kept", RESHARD_DTYPE_U8, (uint64_t)saved, RESHARD_ROLE_PER_RANK, 0},
            {"wrapped", RESHARD_DTYPE_I32, (uint64_t)saved, RESHARD_ROLE_PER_RANK, 0},
            {NULL, 0, 0, 0, 0}};
        struct ranks some;
        char name[32], path[320];
        (void)snprintf(name, sizeof name, "rows-%d", saved);
        path_of(ranks, name, path, sizeof path);
        if (open_first(ranks, saved, &some)) {
            struct reshard_model *model = make_model(&some, entries);
            const struct reshard_layout_options options = sharded(&some);
            save_as(&some, model, &options, false, path);
            reshard_model_close(model);
        }
        close_first(ranks, &some);
        ranks_barrier(ranks->comm);
        for (int loaded = 1; loaded <= ranks->size; loaded += loaded < 4 ? 1 : 3)
            load_rows(ranks, path, loaded, (uint64_t)saved);
    }
}

/* ---- options --------------------------------------------------------------------------------- */

static void options_that_differ_between_ranks_are_refused(struct ranks *ranks)
{
    static const struct entry entries[] = {{"w", RESHARD_DTYPE_F32, 5, 0, 0}, {NULL, 0, 0, 0, 0}};
    const bool odd = ranks->rank == ranks->size - 1;
    const struct reshard_load_options options[] = {
        {.part = odd ? RESHARD_PART_MODEL : RESHARD_PART_ALL},
        {.reading = odd ? RESHARD_READ_EACH : RESHARD_READ_ONCE},
        {.budget = odd ? 4096 : 0},
        {.match = {.missing = (const char *[]){"x"}, .missing_count = odd}},
        {.storage_rate = odd ? 1 : 2, .network_rate = 1, .reading = RESHARD_READ_CHEAPEST},
    };
    struct trial trial;

    open_trial(&trial, ranks, "options", entries, entries, false);
    for (size_t i = 0; trial.ready && ranks->size > 1 && i < sizeof options / sizeof *options; i++)
        EXPECT_STATUS(ranks,
                      load_into(ranks, &trial.side, trial.path, &options[i], NULL, &trial.error),
                      RESHARD_EMISMATCH, &trial.error);
    close_trial(&trial);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"any layout loads what any other saved", any_layout_loads_what_any_other_saved},
        {"bytes are read once, or by each, or as is cheaper",
         bytes_are_read_once_or_by_each_or_as_is_cheaper},
        {"without leniency nothing is loaded and all is listed",
         without_leniency_nothing_is_loaded_and_all_is_listed},
        {"what may be missing or unexpected is counted and left alone",
         what_may_be_missing_or_unexpected_is_counted_and_left_alone},
        {"renamed tensors are loaded under their new names",
         renamed_tensors_are_loaded_under_their_new_names},
        {"floats are cast where it is asked for", floats_are_cast_where_it_is_asked_for},
        {"a tie is filled by equal tensors and not by others",
         a_tie_is_filled_by_equal_tensors_and_not_by_others},
        {"a second name that is untied gets a copy", a_second_name_that_is_untied_gets_a_copy},
        {"rows of other worlds are kept or wrapped", rows_of_other_worlds_are_kept_or_wrapped},
        {"options that differ between ranks are refused",
         options_that_differ_between_ranks_are_refused},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
