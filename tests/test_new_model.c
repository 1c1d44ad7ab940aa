/*
 * A checkpoint meets a new model. Goal: the model's state and the optimizer's, loaded apart and
 * together, come to each parameter and slot by name, whatever the units, alignment and layout of
 * the new model are; where the models differ, nothing is guessed: by default the message lists each
 * parameter and slot concerned, and no other; named in the options, the difference does what was
 * asked of it and nothing else. Method: a table of pairs of models with what must be said of them.
 * After each load each tensor is compared bit for bit, and whether a slot is there; after each
 * refusal nothing may have changed.
 */
#include "core/cast.h"
#include "core/rekey.h"
#include "parallel/load.h"
#include "parallel/save.h"
#include "support/lying.h"
#include "support/oracle.h"
#include "support/ranks.h"
#include "support/sample.h"
#include "support/side.h"
#include "support/tabled.h"

#include <stdio.h>
#include <string.h>

enum { VALUES = 53, STEP = 8 };

/* ---- a model and its state ------------------------------------------------------------------- */

struct party {
    const struct tabled *table;
    struct reshard_model *model; /* by names */
    struct reshard_model *keyed; /* the same by ids, where these are saved; NULL: they are not */
    struct reshard_groups *groups;
    struct lying_given given;
    struct reshard_layout_options options;
    struct side side;
    bool ready;
};

static void rekey(struct ranks *ranks, struct party *party)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_groups *groups = NULL;

    EXPECT_STATUS(ranks,
                  reshard_rekey(&party->keyed, &groups, party->model, party->groups,
                                RESHARD_KEYS_IDS, NULL, &error),
                  RESHARD_OK, &error);
    reshard_groups_close(party->groups);
    party->groups = groups;
}

static void open_party(struct party *party, struct ranks *ranks, const struct tabled *table,
                       const struct tabled_group *groups, bool by_ids, enum lying how,
                       bool on_device)
{
    memset(party, 0, sizeof *party);
    party->table = table;
    party->model = tabled_model(table);
    party->groups = groups ? tabled_groups(groups) : NULL;
    if (by_ids)
        rekey(ranks, party);
    party->options = lying_options(how, (uint64_t)ranks->size, &party->given);
    party->ready = EXPECT(ranks, party->model != NULL) &&
                   side_open(&party->side, ranks, party->keyed ? party->keyed : party->model,
                             &party->options, on_device, RESHARD_ROLE_COUNT);
    if (party->ready)
        tabled_set_absent(party->side.state, table);
}

static void close_party(struct party *party)
{
    side_close(&party->side);
    reshard_groups_close(party->groups);
    reshard_model_close(party->keyed);
    reshard_model_close(party->model);
}

/* As before any load: what the table says is absent is, and no memory has been written. */
static void reset(struct party *party)
{
    tabled_set_absent(party->side.state, party->table);
    for (uint32_t t = 0; t < party->side.tensors; t++)
        side_stain(&party->side, t);
}

static void save_party(struct ranks *ranks, struct party *party, struct reshard_group *group,
                       const char *path)
{
    const struct reshard_save_options options = {.step = STEP, .groups = party->groups};
    struct reshard_error error = RESHARD_ERROR_INIT;

    for (uint32_t t = 0; party->ready && t < party->side.tensors; t++)
        if (!reshard_state_is_absent(party->side.state, t))
            side_fill(&party->side, t, VALUES);
    if (party->ready)
        EXPECT_STATUS(ranks, reshard_save(group, party->side.state, path, &options, NULL, &error),
                      RESHARD_OK, &error);
}

/* ---- what must come of it -------------------------------------------------------------------- */

/* Something of a parameter: letters of slots (support/tabled.h), and 'p' for itself. */
struct some {
    const char *fqn;
    const char *what;
    const char *why; /* words of the complaint */
};

struct trial {
    const char *name;
    const struct tabled *saved;
    const struct tabled *wanted;
    struct some refused[12]; /* of these complains a load without options, and of no others */
    struct reshard_match_options policy;
    struct some still[6]; /* and a load by the policy of these */
    struct some kept[6];  /* left as they are by the policy */
    struct {
        const char *now, *then;
    } renamed[3];
    const struct tabled_group *groups; /* saved, by ids; the loader's have other values */
    const struct tabled_group *groups_wanted;
};

static bool is_of(enum reshard_part part, char what)
{
    return part == RESHARD_PART_ALL || (part == RESHARD_PART_MODEL) == (what == 'p');
}

/* One line of the message has the tensor, as it prints them, and the words. */
static bool has_line(const char *text, const char *fqn, char what, const char *why)
{
    char start[256];
    const char *line, *words;

    (void)snprintf(start, sizeof start, "\n  '%s'%s%s ", fqn, what == 'p' ? "" : " slot ",
                   what == 'p' ? "" : tabled_slot(what));
    line = strstr(text, start);
    words = line ? strstr(line, why) : NULL;
    return words && strcspn(line + 1, "\n") > (size_t)(words - line - 1);
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static unsigned count_some(const struct some *some, enum reshard_part part)
{
    unsigned count = 0;

    for (; some->fqn; some++)
        for (const char *what = some->what; *what; what++)
            count += is_of(part, *what);
    return count;
}

static void must_list(struct ranks *ranks, const struct some *some, enum reshard_part part,
                      const char *text)
{
    const unsigned count = count_some(some, part);

    EXPECT(ranks, ranks_same_text(ranks->comm, text));
    if (!EXPECT(ranks, count_lines(text) == count) && ranks->rank == 0)
        printf("not %u lines: %s\n", count, text);
    for (; some->fqn; some++)
        for (const char *what = some->what; *what; what++)
            if (is_of(part, *what) && !EXPECT(ranks, has_line(text, some->fqn, *what, some->why)) &&
                ranks->rank == 0)
                printf("no '%s' '%c' %s in: %s\n", some->fqn, *what, some->why, text);
}

static bool is_some(const struct some *some, const struct reshard_tensor *tensor)
{
    for (; some->fqn; some++)
        for (const char *what = some->what; *what; what++)
            if (strcmp(some->fqn, tensor->fqn) == 0 &&
                strcmp(*what == 'p' ? "" : tabled_slot(*what), tensor->slot) == 0)
                return true;
    return false;
}

/* The saved tensor that one must be loaded from. */
static uint32_t origin_of(struct ranks *ranks, const struct trial *trial, const struct party *saved,
                          const struct reshard_tensor *tensor)
{
    const char *then = tensor->fqn;
    uint32_t s = 0;

    for (int i = 0; i < 3 && trial->renamed[i].now; i++)
        if (strcmp(trial->renamed[i].now, tensor->fqn) == 0)
            then = trial->renamed[i].then;
    EXPECT_STATUS(ranks, reshard_model_find(saved->model, then, tensor->slot, &s), RESHARD_OK,
                  NULL);
    return s;
}

/* Bytes that are not those of the saved tensor, each element rounded once. */
static uint64_t wrongly_cast(const struct party *party, uint32_t t,
                             const struct reshard_tensor *saved, uint32_t s)
{
    const enum reshard_dtype dtype = reshard_model_tensor(party->model, t)->dtype;
    const size_t size = reshard_dtype_bytes(dtype), source = reshard_dtype_bytes(saved->dtype);
    struct oracle_places places = oracle_places(party->model, &party->options, t, party->side.rank);
    unsigned char in[8], out[8];
    uint64_t wrong = 0;

    for (uint64_t e = 0; e < places.count; e++) {
        if (places.packed[e] == ORACLE_ABSENT)
            continue;
        for (size_t b = 0; b < source; b++)
            in[b] = sample_byte(VALUES, s, e * source + b);
        cast_elements(saved->dtype, in, dtype, out, 1);
        wrong += memcmp(out, &party->side.memory[t][places.packed[e] * size], size) != 0;
    }
    oracle_places_release(&places);
    return wrong;
}

/* One tensor that has been loaded; whether it is there. */
static bool must_be_loaded(struct ranks *ranks, const struct party *party, uint32_t t,
                           const struct party *saved, uint32_t s)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(party->model, t);
    const struct reshard_tensor *origin = reshard_model_tensor(saved->model, s);
    const bool absent = reshard_state_is_absent(saved->side.state, s);

    EXPECT(ranks, reshard_state_is_absent(party->side.state, t) == absent);
    if (absent)
        EXPECT(ranks, side_touched(&party->side, t) == 0);
    else if (tensor->dtype == origin->dtype)
        EXPECT(ranks, side_wrong_as(&party->side, t, VALUES, s) == 0);
    else
        EXPECT(ranks, wrongly_cast(party, t, origin, s) == 0);
    return !absent;
}

static void must_be_as_it_was(struct ranks *ranks, const struct party *party, uint32_t t,
                              bool absent)
{
    EXPECT(ranks, side_touched(&party->side, t) == 0);
    EXPECT(ranks, reshard_state_is_absent(party->side.state, t) == absent);
}

/* The slots that a party's table has as absent, by tensor. */
static void list_absent(const struct party *party, bool *absent)
{
    for (uint32_t t = 0; t < party->side.tensors; t++)
        absent[t] = reshard_state_is_absent(party->side.state, t);
}

enum { TENSORS_MAX = 64 };

/* ---- one load -------------------------------------------------------------------------------- */

struct attempt {
    const struct trial *trial;
    const struct party *saved;
    struct party *party;
    struct reshard_group *group;
    const char *path;
    bool before[TENSORS_MAX]; /* which slots were absent */
};

static void check_loaded(struct ranks *ranks, const struct attempt *attempt, enum reshard_part part,
                         bool by_policy, const struct reshard_report *report)
{
    const struct trial *trial = attempt->trial;
    uint64_t loaded = 0, absent = 0, kept = 0;

    for (uint32_t t = 0; t < attempt->party->side.tensors; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(attempt->party->model, t);
        const bool is_kept = by_policy && is_some(trial->kept, tensor);
        if (!reshard_part_has(part, tensor))
            continue;
        if (is_kept) {
            must_be_as_it_was(ranks, attempt->party, t, attempt->before[t]);
            kept++;
        } else if (must_be_loaded(ranks, attempt->party, t, attempt->saved,
                                  origin_of(ranks, trial, attempt->saved, tensor))) {
            loaded++;
        } else {
            absent++;
        }
    }
    EXPECT(ranks, report->step == STEP);
    EXPECT(ranks, report->tensors == loaded && report->tensors_absent == absent &&
                      report->tensors_kept == kept);
}

static uint64_t groups_hash(const struct tabled_group *table)
{
    struct reshard_groups *groups = tabled_groups(table);
    const uint64_t hash = reshard_groups_hash(groups);

    reshard_groups_close(groups);
    return hash;
}

/* Load a part into a state that has not been loaded to, and see to what is not of the part. */
static void load_part(struct ranks *ranks, struct attempt *attempt, enum reshard_part part,
                      bool by_policy)
{
    const struct trial *trial = attempt->trial;
    const struct some *refused = by_policy ? trial->still : trial->refused;
    struct reshard_groups *groups = NULL;
    struct reshard_load_options options = {.part = part};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report;
    enum reshard_status status;

    if (by_policy)
        options.match = trial->policy;
    if (trial->groups_wanted)
        options.groups = groups = tabled_groups(trial->groups_wanted);
    status = reshard_load(attempt->group, attempt->party->side.state, attempt->path, &options,
                          &report, &error);
    if (count_some(refused, part)) {
        EXPECT_STATUS(ranks, status, RESHARD_EMISMATCH, &error);
        must_list(ranks, refused, part, error.text);
        for (uint32_t t = 0; t < attempt->party->side.tensors; t++)
            if (reshard_part_has(part, reshard_model_tensor(attempt->party->model, t)))
                must_be_as_it_was(ranks, attempt->party, t, attempt->before[t]);
    } else if (EXPECT_STATUS(ranks, status, RESHARD_OK, &error)) {
        check_loaded(ranks, attempt, part, by_policy, &report);
    }
    if (groups)
        EXPECT(ranks, reshard_groups_hash(groups) ==
                          groups_hash(status || part == RESHARD_PART_MODEL ? trial->groups_wanted
                                                                           : trial->groups));
    reshard_groups_close(groups);
}

/* What a load of the one part has left of the other. */
static void must_be_untouched(struct ranks *ranks, const struct attempt *attempt,
                              enum reshard_part part)
{
    for (uint32_t t = 0; t < attempt->party->side.tensors; t++)
        if (reshard_part_has(part, reshard_model_tensor(attempt->party->model, t)))
            must_be_as_it_was(ranks, attempt->party, t, attempt->before[t]);
}

/* Together, and one part after the other. */
static void load_every_way(struct ranks *ranks, struct attempt *attempt, bool by_policy)
{
    reset(attempt->party);
    load_part(ranks, attempt, RESHARD_PART_ALL, by_policy);
    reset(attempt->party);
    load_part(ranks, attempt, RESHARD_PART_MODEL, by_policy);
    must_be_untouched(ranks, attempt, RESHARD_PART_OPTIMIZER);
    load_part(ranks, attempt, RESHARD_PART_OPTIMIZER, by_policy);
    reset(attempt->party);
    load_part(ranks, attempt, RESHARD_PART_OPTIMIZER, by_policy);
    must_be_untouched(ranks, attempt, RESHARD_PART_MODEL);
}

static void try(struct ranks *ranks, const struct trial *trial, enum lying from, enum lying to,
                const char *name)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct attempt attempt = {.trial = trial};
    struct party saved, party;
    char path[320];

    (void)snprintf(path, sizeof path, "%s/%s", ranks->scratch, name);
    EXPECT_STATUS(ranks, reshard_group_open(&attempt.group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    open_party(&saved, ranks, trial->saved, trial->groups, trial->groups != NULL, from, false);
    open_party(&party, ranks, trial->wanted, NULL, false, to, to % 3 == 1);
    save_party(ranks, &saved, attempt.group, path);
    attempt.saved = &saved;
    attempt.party = &party;
    attempt.path = path;
    if (saved.ready && party.ready && EXPECT(ranks, party.side.tensors <= TENSORS_MAX)) {
        list_absent(&party, attempt.before);
        load_every_way(ranks, &attempt, false);
        if (trial->refused[0].fqn)
            load_every_way(ranks, &attempt, true);
    }
    close_party(&party);
    close_party(&saved);
    reshard_group_close(attempt.group);
    ranks_barrier(ranks->comm);
    if (ranks->rank == 0)
        EXPECT(ranks, store_remove(store_posix(), path, NULL) == RESHARD_OK);
    ranks_barrier(ranks->comm);
}

/* ---- the same model, lying otherwise --------------------------------------------------------- */

#define F32 RESHARD_DTYPE_F32
#define BF16 RESHARD_DTYPE_BF16

/* Slots of every class, there and absent; steps that differ within each unit. */
static const struct tabled whole[] = {
    {"embed.weight", F32, {2, {11, 4}}, "", 0, "mvs"},
    {"scale", F32, {0, {0}}, "", 0, "mvS"},
    {"a.weight", BF16, {2, {7, 5}}, "a", 0, "mvxks"},
    {"a.bias", BF16, {1, {7}}, "a", 0, "MVlsQ"},
    {"a.norm", BF16, {1, {13}}, "a", 0, "hqo"},
    {"body.1.weight", BF16, {3, {3, 4, 5}}, "body.1", 0, "rcs"},
    {"body.1.bias", BF16, {1, {3}}, "body.1", 0, "ns"},
    {"body.1.mixed", BF16, {2, {6, 2}}, "body.1", 0, "RCS"},
    {"counts", RESHARD_DTYPE_I64, {1, {9}}, "body.1", 0, "t"},
    {"running", F32, {1, {4}}, "a", RESHARD_ROLE_BUFFER, NULL},
    {"once.weight", F32, {2, {4, 3}}, "once", RESHARD_ROLE_FROZEN, NULL},
    {"once.bias", F32, {1, {5}}, "once", RESHARD_ROLE_FROZEN, "mVs"},
    {"head.weight=embed.weight", 0, {0, {0}}, NULL, 0, NULL},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};

static void every_layout_loads_the_state_that_every_other_saved(struct ranks *ranks)
{
    const struct trial trial = {.name = "the same", .saved = whole, .wanted = whole};

    /* Of all pairs some of each, those of neighbours in the list among them. */
    for (int from = 0; from < LYING_COUNT; from++)
        for (int apart = 0; apart < LYING_COUNT; apart += apart ? 3 : 1)
            try(ranks, &trial, (enum lying)from, (enum lying)((from + apart) % LYING_COUNT),
                "same");
}

/* ---- another model --------------------------------------------------------------------------- */

/* Units are of one dtype and trained as a whole, as FSDP1 wants them without orig_params. */
static const struct tabled plain[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "mvs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "MVs"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcs"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "mvS"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled one_unit[] = {
    {"a.weight", F32, {2, {7, 5}}, "", 0, "mvs"},
    {"a.bias", F32, {1, {7}}, "", 0, "mvs"},
    {"b.weight", BF16, {2, {6, 4}}, "b.weight", 0, "rcs"},
    {"b.bias", BF16, {1, {6}}, "b.bias", 0, "mvs"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled reordered[] = {
    {"b.bias", BF16, {1, {6}}, "b", 0, "svm"},
    {"a.bias", F32, {1, {7}}, "a", 0, "vms"},
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "svm"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "scr"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled with_more[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "mvs"},
    {"a.more", F32, {2, {2, 5}}, "a", 0, "mVs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "mvs"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcs"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "mvs"},
    {"c.more", F32, {1, {9}}, "c", 0, "MVS"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled prefixed[] = {
    {"net.1.weight", F32, {2, {7, 5}}, "a", 0, "mvs"},
    {"net.1.bias", F32, {1, {7}}, "a", 0, "mvs"},
    {"net.0.weight", BF16, {2, {6, 4}}, "b", 0, "rcs"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "mvs"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled frozen[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", RESHARD_ROLE_FROZEN, NULL},
    {"a.bias", F32, {1, {7}}, "a", RESHARD_ROLE_FROZEN, "mvs"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcs"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "mvs"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled amsgrad[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "mvxs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "mvXs"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcs"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "mvs"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled with_more_amsgrad[] = {
    {"a.more", F32, {2, {2, 5}}, "a", 0, "mS"}, {"a.weight", F32, {2, {7, 5}}, "a", 0, "mvxs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "mvs"},   {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcs"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "mvs"},  {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled another_optimizer[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "rCs"},
    {"a.bias", F32, {1, {7}}, "a", 0, "vs"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "mvs"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "mvs"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled stateless[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, NULL},
    {"a.bias", F32, {1, {7}}, "a", 0, NULL},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, NULL},
    {"b.bias", BF16, {1, {6}}, "b", 0, NULL},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled shorter[] = {
    {"a.weight", BF16, {2, {7, 5}}, "a", 0, "hvs"},
    {"a.bias", BF16, {1, {7}}, "a", 0, "mvs"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rcs"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "hvs"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
/* For slots that lie otherwise. */
static const struct tabled of_classes[] = {
    {"a.weight", F32, {2, {5, 5}}, "a", 0, "rkg"},
    {"b.weight", F32, {2, {5, 5}}, "b", 0, "rkg"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled of_other_classes[] = {
    {"a.weight", F32, {2, {5, 5}}, "a", 0, "alo"},
    {"b.weight", F32, {2, {5, 5}}, "b", 0, "rkg"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
/* All at once: "a.bias" is removed, "c.more" added, "b" renamed and "b.bias" frozen; "d" is
 * unfrozen. */
static const struct tabled before[] = {
    {"a.weight", F32, {2, {7, 5}}, "a", 0, "ms"},
    {"a.bias", F32, {1, {7}}, "a", 0, "ms"},
    {"b.weight", BF16, {2, {6, 4}}, "b", 0, "rs"},
    {"b.bias", BF16, {1, {6}}, "b", 0, "s"},
    {"d.weight", F32, {1, {6}}, "d", RESHARD_ROLE_FROZEN, NULL},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};
static const struct tabled after[] = {
    {"d.weight", F32, {1, {6}}, "ad", 0, "S"},
    {"a.weight", F32, {2, {7, 5}}, "ad", 0, "ms"},
    {"net.0.weight", BF16, {2, {6, 4}}, "net.0", 0, "rs"},
    {"net.0.bias", BF16, {1, {6}}, "net.0.bias", RESHARD_ROLE_FROZEN, NULL},
    {"c.more", F32, {1, {9}}, "c", 0, "s"},
    {NULL, 0, {0, {0}}, NULL, 0, NULL},
};

/* Ids go by groups, not by the order of the model. */
#define NUMBER(key_, value_)                                                                       \
    {                                                                                              \
        (key_),                                                                                    \
        {                                                                                          \
            .kind = RESHARD_VALUE_NUMBER, .number = (value_)                                       \
        }                                                                                          \
    }
static const struct tabled_group groups[] = {
    {"decay", false, {"b.weight", "a.weight"}, {NUMBER("lr", 0.25), NUMBER("eps", 0.125)}},
    {"rest", false, {"b.bias", "a.bias"}, {NUMBER("lr", 0.5)}},
    {NULL, false, {NULL}, {{NULL, {0}}}},
};
static const struct tabled_group other_groups[] = {
    {"decay", false, {"b.weight", "a.weight"}, {NUMBER("lr", 1), NUMBER("eps", 2)}},
    {"rest", false, {"b.bias", "a.bias"}, {NUMBER("lr", 3)}},
    {NULL, false, {NULL}, {{NULL, {0}}}},
};

static const struct reshard_rename to_net[] = {{"a.*", "net.1.*"}, {"b.weight", "net.0.weight"}};
static const struct reshard_rename to_net_0[] = {{"b.*", "net.0.*"}};

#define LIST(list, ...)                                                                            \
    .list = (const char *const[])                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

#define HERE_ALONE "missing in the checkpoint"
#define SLOT_HERE_ALONE "missing in the checkpoint, which has the parameter"
#define THERE_ALONE "unknown to the model"
#define SLOT_THERE_ALONE "the model has the parameter, but no such state of it"
#define WAS_FROZEN "missing in the checkpoint, where the parameter is frozen"
#define IS_FROZEN "the parameter is frozen here: its state would be lost"

static const struct trial trials[] = {
    {.name = "other units", .saved = plain, .wanted = one_unit},
    {.name = "units united", .saved = one_unit, .wanted = plain},
    {.name = "another order", .saved = plain, .wanted = reordered},
    {.name = "added",
     .saved = plain,
     .wanted = with_more,
     .refused = {{"a.more", "pmvs", HERE_ALONE}, {"c.more", "pmvs", HERE_ALONE}},
     .policy = {LIST(missing, "*.more"), .missing_count = 1},
     .kept = {{"a.more", "pmvs", NULL}, {"c.more", "pmvs", NULL}}},
    {.name = "added, one of them named",
     .saved = plain,
     .wanted = with_more,
     .refused = {{"a.more", "pmvs", HERE_ALONE}, {"c.more", "pmvs", HERE_ALONE}},
     .policy = {LIST(missing, "a.more", "c.more:exp_avg"), .missing_count = 2},
     .still = {{"c.more", "pvs", HERE_ALONE}}},
    {.name = "removed",
     .saved = with_more,
     .wanted = plain,
     .refused = {{"a.more", "pmvs", THERE_ALONE}, {"c.more", "pmvs", THERE_ALONE}},
     .policy = {LIST(unexpected, "a.more", "c.*"), .unexpected_count = 2}},
    {.name = "removed, one slot not named",
     .saved = with_more,
     .wanted = plain,
     .refused = {{"a.more", "pmvs", THERE_ALONE}, {"c.more", "pmvs", THERE_ALONE}},
     .policy = {LIST(unexpected, "a.more", "c.more:exp*"), .unexpected_count = 2},
     .still = {{"c.more", "ps", THERE_ALONE}}},
    {.name = "renamed",
     .saved = plain,
     .wanted = prefixed,
     .refused = {{"net.1.weight", "pmvs", HERE_ALONE},
                 {"net.1.bias", "pmvs", HERE_ALONE},
                 {"net.0.weight", "prcs", HERE_ALONE},
                 {"a.weight", "pmvs", THERE_ALONE},
                 {"a.bias", "pmvs", THERE_ALONE},
                 {"b.weight", "prcs", THERE_ALONE}},
     .policy = {.rename = to_net, .rename_count = 2},
     .renamed = {{"net.1.weight", "a.weight"},
                 {"net.1.bias", "a.bias"},
                 {"net.0.weight", "b.weight"}}},
    {.name = "frozen",
     .saved = plain,
     .wanted = frozen,
     .refused = {{"a.weight", "mvs", IS_FROZEN}},
     .policy = {LIST(unexpected, "a.weight:*"), .unexpected_count = 1}},
    {.name = "unfrozen",
     .saved = frozen,
     .wanted = plain,
     .refused = {{"a.weight", "mvs", WAS_FROZEN}},
     .policy = {LIST(missing, "a.weight"), .missing_count = 1},
     .kept = {{"a.weight", "mvs", NULL}}},
    {.name = "one slot more",
     .saved = plain,
     .wanted = amsgrad,
     .refused = {{"a.weight", "x", SLOT_HERE_ALONE}, {"a.bias", "x", SLOT_HERE_ALONE}},
     .policy = {LIST(missing, "*:max_exp_avg_sq"), .missing_count = 1},
     .kept = {{"a.weight", "x", NULL}, {"a.bias", "x", NULL}}},
    {.name = "one slot less",
     .saved = amsgrad,
     .wanted = plain,
     .refused = {{"a.weight", "x", SLOT_THERE_ALONE}, {"a.bias", "x", SLOT_THERE_ALONE}},
     .policy = {LIST(unexpected, "*:max_exp_avg_sq"), .unexpected_count = 1}},
    {.name = "another optimizer",
     .saved = plain,
     .wanted = another_optimizer,
     .refused = {{"a.weight", "rc", SLOT_HERE_ALONE},
                 {"a.weight", "mv", SLOT_THERE_ALONE},
                 {"a.bias", "m", SLOT_THERE_ALONE},
                 {"b.weight", "mv", SLOT_HERE_ALONE},
                 {"b.weight", "rc", SLOT_THERE_ALONE}},
     .policy = {LIST(missing, "b.weight:exp*", "a.weight:*_var"), .missing_count = 2,
                LIST(unexpected, "a.*:exp*", "b.weight:*_var"), .unexpected_count = 2},
     .kept = {{"a.weight", "rc", NULL}, {"b.weight", "mv", NULL}}},
    {.name = "no optimizer was saved",
     .saved = stateless,
     .wanted = plain,
     .refused = {{"a.weight", "mvs", SLOT_HERE_ALONE},
                 {"a.bias", "mvs", SLOT_HERE_ALONE},
                 {"b.weight", "rcs", SLOT_HERE_ALONE},
                 {"b.bias", "mvs", SLOT_HERE_ALONE}},
     .policy = {LIST(missing, "*:*"), .missing_count = 1},
     .kept = {{"a.weight", "mvs", NULL},
              {"a.bias", "mvs", NULL},
              {"b.weight", "rcs", NULL},
              {"b.bias", "mvs", NULL}}},
    {.name = "no optimizer is wanted",
     .saved = plain,
     .wanted = stateless,
     .refused = {{"a.weight", "mvs", SLOT_THERE_ALONE},
                 {"a.bias", "mvs", SLOT_THERE_ALONE},
                 {"b.weight", "rcs", SLOT_THERE_ALONE},
                 {"b.bias", "mvs", SLOT_THERE_ALONE}},
     .policy = {LIST(unexpected, "*:*"), .unexpected_count = 1}},
    {.name = "other dtypes",
     .saved = plain,
     .wanted = shorter,
     .refused = {{"a.weight", "p", "the checkpoint has f32 (7, 5)"},
                 {"a.weight", "h", "the checkpoint has f32 (7, 5)"},
                 {"a.bias", "p", "the checkpoint has f32 (7)"},
                 {"b.bias", "h", "the checkpoint has f32 (6)"}},
     .policy = {LIST(cast, "a.*", "*:exp_avg"), .cast_count = 2}},
    {.name = "other dtypes, those of slots not named",
     .saved = plain,
     .wanted = shorter,
     .refused = {{"a.weight", "p", "the checkpoint has f32 (7, 5)"},
                 {"a.weight", "h", "the checkpoint has f32 (7, 5)"},
                 {"a.bias", "p", "the checkpoint has f32 (7)"},
                 {"b.bias", "h", "the checkpoint has f32 (6)"}},
     .policy = {LIST(cast, "*", "b.bias:exp_avg"), .cast_count = 2},
     .still = {{"a.weight", "h", "the checkpoint has f32 (7, 5)"}}},
    {.name = "other classes, which no policy lets pass",
     .saved = of_classes,
     .wanted = of_other_classes,
     .refused = {{"a.weight", "a", "it is column here, but row in the checkpoint"},
                 {"a.weight", "l",
                  "it is blockwise, of 5 elements here, but blockwise, of 4 elements in"},
                 {"a.weight", "o", "it is opaque here, but replicated in the checkpoint"}},
     .policy = {LIST(cast, "*", "*:*"), .cast_count = 2, LIST(missing, "*", "*:*"),
                .missing_count = 2, LIST(unexpected, "*", "*:*"), .unexpected_count = 2},
     .still = {{"a.weight", "a", "it is column here, but row in the checkpoint"},
               {"a.weight", "l",
                "it is blockwise, of 5 elements here, but blockwise, of 4 elements in"},
               {"a.weight", "o", "it is opaque here, but replicated in the checkpoint"}}},
    {.name = "by ids, other units",
     .saved = plain,
     .wanted = one_unit,
     .groups = groups,
     .groups_wanted = other_groups},
    {.name = "by ids, another order",
     .saved = plain,
     .wanted = reordered,
     .groups = groups,
     .groups_wanted = other_groups},
    {.name = "by ids, added and of one slot more",
     .saved = plain,
     .wanted = with_more_amsgrad,
     .refused = {{"a.more", "pms", HERE_ALONE}, {"a.weight", "x", SLOT_HERE_ALONE}},
     .policy = {LIST(missing, "a.more", "a.weight:max*"), .missing_count = 2},
     .kept = {{"a.more", "pms", NULL}, {"a.weight", "x", NULL}},
     .groups = groups,
     .groups_wanted = other_groups},
    {.name = "all at once",
     .saved = before,
     .wanted = after,
     .refused = {{"d.weight", "s", WAS_FROZEN},
                 {"a.bias", "pms", THERE_ALONE},
                 {"b.weight", "prs", THERE_ALONE},
                 {"b.bias", "ps", THERE_ALONE},
                 {"net.0.weight", "prs", HERE_ALONE},
                 {"net.0.bias", "p", HERE_ALONE},
                 {"c.more", "ps", HERE_ALONE}},
     .policy = {.rename = to_net_0,
                .rename_count = 1,
                LIST(missing, "c.*", "d.weight:step"),
                .missing_count = 2,
                LIST(unexpected, "a.bias", "net.0.bias:*"),
                .unexpected_count = 2},
     .kept = {{"d.weight", "s", NULL}, {"c.more", "ps", NULL}},
     .renamed = {{"net.0.weight", "b.weight"}, {"net.0.bias", "b.bias"}}},
};

enum { TRIALS = sizeof trials / sizeof *trials };

static void another_model_is_loaded_by_name_or_refused_by_list(struct ranks *ranks)
{
    const char *const test = ranks->test;

    for (int i = 0; i < TRIALS; i++) {
        ranks->test = trials[i].name;
        try(ranks, &trials[i], (enum lying)(i % LYING_GIVEN), (enum lying)((i + 3) % LYING_GIVEN),
            "one");
        try(ranks, &trials[i], (enum lying)((i + 5) % LYING_GIVEN), (enum lying)(i % LYING_GIVEN),
            "other");
    }
    ranks->test = test;
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"every layout loads the state that every other saved",
         every_layout_loads_the_state_that_every_other_saved},
        {"another model is loaded by name or refused by list",
         another_model_is_loaded_by_name_or_refused_by_list},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
