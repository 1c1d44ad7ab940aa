#include "support/scene.h"

#include "core/digest.h"
#include "core/rekey.h"
#include "parallel/exchange.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 61, STEP = 5 };

/* ---- looking --------------------------------------------------------------------------------- */

static uint64_t look_at_file(uint64_t crc, const char *path)
{
    unsigned char bytes[4096];
    FILE *file = fopen(path, "r");
    size_t count;

    if (!file)
        abort();
    while ((count = fread(bytes, 1, sizeof bytes, file)) > 0)
        crc = digest_crc(crc, bytes, count);
    (void)fclose(file);
    return crc;
}

/* All names under a folder, and the bytes of all files. */
static uint64_t look_at_folder(uint64_t crc, const char *path)
{
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char *below = store_path(path, name);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            crc = digest_crc(crc, name, strlen(name) + 1);
            crc = entries[i]->d_type == DT_DIR ? look_at_folder(crc, below)
                                               : look_at_file(crc, below);
        }
        free(below);
        free(entries[i]);
    }
    free(entries);
    return crc;
}

/* What must be as it was. */
struct look {
    uint64_t folder; /* rank 0 */
    uint64_t absent;
    uint64_t model; /* memory of parameters, buffers and so on */
    uint64_t slots;
    uint64_t groups;
};

static struct look look(const struct scene *scene)
{
    struct look now = {0, 0, 0, 0, 0};

    ranks_barrier(scene->ranks->comm);
    if (scene->ranks->rank == 0)
        now.folder = look_at_folder(0, scene->folder);
    for (uint32_t t = 0; scene->ready && t < scene->side.tensors; t++) {
        const bool absent = reshard_state_is_absent(scene->side.state, t);
        const bool is_slot = reshard_tensor_is_slot(reshard_model_tensor(scene->model, t));
        uint64_t *memory = is_slot ? &now.slots : &now.model;
        now.absent = digest_crc(now.absent, &absent, sizeof absent);
        *memory = digest_crc(*memory, scene->side.memory[t], scene->side.bytes[t]);
    }
    now.groups = scene->groups ? reshard_groups_hash(scene->groups) : 0;
    ranks_barrier(scene->ranks->comm);
    return now;
}

static void must_be_the_same(const struct scene *scene, const struct look *before)
{
    const struct look after = look(scene);
    const bool may_write = scene->row->harm == MEMORY;
    const enum reshard_part part = scene->row->load.part;

    EXPECT(scene->ranks, after.folder == before->folder);
    EXPECT(scene->ranks, after.absent == before->absent);
    EXPECT(scene->ranks, after.groups == before->groups);
    EXPECT(scene->ranks,
           after.model == before->model || (may_write && part != RESHARD_PART_OPTIMIZER));
    EXPECT(scene->ranks, after.slots == before->slots || (may_write && part != RESHARD_PART_MODEL));
}

/* ---- the acts -------------------------------------------------------------------------------- */

static enum reshard_status save_to(struct scene *scene, const char *path,
                                   enum reshard_replicas replicas)
{
    const struct reshard_save_options options = {
        .step = STEP, .store = &scene->store.store, .replicas = replicas, .groups = scene->groups};

    return reshard_save(scene->group, scene->side.state, path, &options, NULL, &scene->error);
}

enum reshard_status scene_save(struct scene *scene)
{
    return save_to(scene, scene->path, RESHARD_REPLICAS_REFUSE);
}

enum reshard_status scene_save_over(struct scene *scene)
{
    return save_to(scene, scene->given, RESHARD_REPLICAS_REFUSE);
}

static enum reshard_status load_from(struct scene *scene, const char *path)
{
    struct reshard_load_options options = scene->row->load;

    options.store = &scene->store.store;
    options.groups = scene->groups;
    return reshard_load(scene->group, scene->side.state, path, &options, NULL, &scene->error);
}

enum reshard_status scene_load(struct scene *scene)
{
    return load_from(scene, scene->given);
}

enum reshard_status scene_load_nothing(struct scene *scene)
{
    return load_from(scene, scene->path);
}

/* The target is no part of what must stay. */
enum reshard_status scene_exchange(struct scene *scene)
{
    const struct reshard_layout_options whole = {.kind = RESHARD_LAYOUT_DDP,
                                                 .replicate = scene->last + 1};
    enum reshard_status status = RESHARD_ENOMEM;
    struct side target;

    if (side_open(&target, scene->ranks, scene->model, &whole, false, RESHARD_ROLE_COUNT))
        status = reshard_exchange(scene->group, scene->side.state, target.state, NULL, NULL,
                                  &scene->error);
    side_close(&target);
    return status;
}

enum reshard_status scene_lay_out(struct scene *scene)
{
    struct reshard_layout *layout = NULL;
    const enum reshard_status status =
        reshard_layout_open(&layout, scene->model, &scene->row->layout, &scene->error);

    EXPECT(scene->ranks, (layout == NULL) == (status != RESHARD_OK));
    reshard_layout_close(layout);
    return status;
}

/* ---- acts that succeed ----------------------------------------------------------------------- */

/* Whatever is known of the state is wrong. */
static void forget(struct scene *scene)
{
    tabled_set_absent(scene->side.state,
                      scene->row->wanted ? scene->row->wanted : scene->row->saved);
    for (uint32_t t = 0; t < scene->side.tensors; t++) {
        side_stain(&scene->side, t);
        reshard_state_set_absent(scene->side.state, t,
                                 !reshard_state_is_absent(scene->side.state, t));
    }
}

static void must_have_groups(const struct scene *scene)
{
    struct reshard_groups *expected =
        scene->row->groups_then ? tabled_groups(scene->row->groups_then) : NULL;

    EXPECT(scene->ranks, (expected != NULL) == (scene->groups != NULL));
    if (expected)
        EXPECT(scene->ranks, reshard_groups_hash(expected) == reshard_groups_hash(scene->groups));
    reshard_groups_close(expected);
}

/* What was there when it was saved is, and holds what it was filled with; what was not is not. */
static void must_hold_all(const struct scene *scene)
{
    const struct look loaded = look(scene);
    uint64_t wrong = 0;

    for (uint32_t t = 0; t < scene->side.tensors; t++)
        if (reshard_state_is_absent(scene->side.state, t))
            wrong += side_touched(&scene->side, t);
        else
            wrong += side_wrong(&scene->side, t, VALUES);
    EXPECT(scene->ranks, wrong == 0);
    tabled_set_absent(scene->side.state, scene->row->saved);
    EXPECT(scene->ranks, look(scene).absent == loaded.absent);
    must_have_groups(scene);
}

static enum reshard_status load_all_of(struct scene *scene, const char *path)
{
    enum reshard_status status;

    forget(scene);
    status = load_from(scene, path);
    if (!status)
        must_hold_all(scene);
    return status;
}

enum reshard_status scene_round_trip(struct scene *scene)
{
    const enum reshard_status status = scene_save(scene);

    return status ? status : load_all_of(scene, scene->path);
}

enum reshard_status scene_round_trip_warned(struct scene *scene)
{
    const enum reshard_status status = save_to(scene, scene->path, RESHARD_REPLICAS_WARN);

    return status ? status : load_all_of(scene, scene->path);
}

enum reshard_status scene_load_all(struct scene *scene)
{
    return load_all_of(scene, scene->given);
}

static bool is_load(const struct row *row)
{
    return row->act == scene_load || row->act == scene_load_nothing;
}

/* ---- a row ----------------------------------------------------------------------------------- */

/* A state, its tensors filled. */
static bool open_side(struct scene *scene, struct side *side, const struct reshard_model *model)
{
    if (!EXPECT(scene->ranks, model != NULL) ||
        !side_open(side, scene->ranks, model, &scene->options, false, RESHARD_ROLE_COUNT))
        return false;
    side_fill_all(side, VALUES);
    return true;
}

/* By ids, where the row wants it: tensors, and so their memory, keep their numbers. */
static void rekey(struct scene *scene, struct reshard_model **model, struct reshard_groups **groups)
{
    struct reshard_model *other_model = NULL;
    struct reshard_groups *other_groups = NULL;

    EXPECT_STATUS(scene->ranks,
                  reshard_rekey(&other_model, &other_groups, *model, *groups, RESHARD_KEYS_IDS,
                                NULL, &scene->error),
                  RESHARD_OK, &scene->error);
    reshard_model_close(*model);
    reshard_groups_close(*groups);
    *model = other_model;
    *groups = other_groups;
}

static void make_given(struct scene *scene)
{
    const struct row *row = scene->row;
    struct reshard_model *model = tabled_model(row->saved);
    struct reshard_groups *groups = row->groups_saved ? tabled_groups(row->groups_saved) : NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct side side = {0};

    if (row->by_ids)
        rekey(scene, &model, &groups);
    if (open_side(scene, &side, model)) {
        const struct reshard_save_options options = {.step = STEP, .groups = groups};
        tabled_set_absent(side.state, row->saved);
        EXPECT_STATUS(scene->ranks,
                      reshard_save(scene->group, side.state, scene->given, &options, NULL, &error),
                      RESHARD_OK, &error);
    }
    side_close(&side);
    reshard_groups_close(groups);
    reshard_model_close(model);
}

/* What this rank has. */
static void make_own(struct scene *scene)
{
    const struct row *row = scene->row;
    const bool is_odd = scene->ranks->rank == (int)scene->last;
    const struct tabled *wanted = is_odd && row->odd ? row->odd
                                  : row->wanted      ? row->wanted
                                                     : row->saved;
    const struct tabled_group *groups =
        is_odd && row->groups_odd ? row->groups_odd : row->groups_wanted;

    scene->model = tabled_model(wanted);
    scene->groups = groups ? tabled_groups(groups) : NULL;
    scene->ready = open_side(scene, &scene->side, scene->model);
    if (scene->ready)
        tabled_set_absent(scene->side.state, wanted);
    for (uint32_t t = 0; scene->ready && t < scene->side.tensors; t++)
        if (is_load(row) || reshard_state_is_absent(scene->side.state, t))
            side_stain(&scene->side, t);
}

static void open_scene(struct scene *scene, struct ranks *ranks, const struct row *row)
{
    memset(scene, 0, sizeof *scene);
    scene->ranks = ranks;
    scene->row = row;
    scene->last = (uint64_t)ranks->size - 1;
    scene->options = lying_options(row->lying, scene->last + 1, &scene->boxes);
    store_faulty_init(&scene->store, store_posix());
    (void)snprintf(scene->folder, sizeof scene->folder, "%s/row", ranks->scratch);
    (void)snprintf(scene->given, sizeof scene->given, "%s/given", scene->folder);
    (void)snprintf(scene->path, sizeof scene->path, "%s/new", scene->folder);
    EXPECT_STATUS(ranks,
                  reshard_group_open(&scene->group, ranks->comm, &ranks->options, &scene->error),
                  RESHARD_OK, &scene->error);
    if (ranks->rank == 0)
        EXPECT(ranks, store_make_directory(store_posix(), scene->folder, NULL) == RESHARD_OK);
    ranks_barrier(ranks->comm);
    make_given(scene);
    make_own(scene);
    if (scene->ready && row->twist)
        row->twist(scene);
}

static void close_scene(struct scene *scene)
{
    side_close(&scene->side);
    reshard_groups_close(scene->groups);
    reshard_model_close(scene->model);
    reshard_group_close(scene->group);
    ranks_barrier(scene->ranks->comm);
    if (scene->ranks->rank == 0)
        EXPECT(scene->ranks, store_remove(store_posix(), scene->folder, NULL) == RESHARD_OK);
    ranks_barrier(scene->ranks->comm);
}

static void must_say(const struct scene *scene, const char *words)
{
    char text[512], *at;

    (void)snprintf(text, sizeof text, "%s", words);
    at = strchr(text, '@');
    if (at)
        (void)snprintf(at, sizeof text - (size_t)(at - text), "%llu%s",
                       (unsigned long long)scene->last, strchr(words, '@') + 1);
    if (!EXPECT(scene->ranks, strstr(scene->error.text, text) != NULL) && scene->ranks->rank == 0)
        printf("no '%s' in: %s\n", text, scene->error.text);
}

void scene_play(struct ranks *ranks, const struct row *row)
{
    enum reshard_status status = RESHARD_OK;
    struct scene scene;
    struct look before;

    open_scene(&scene, ranks, row);
    before = look(&scene);
    if (scene.ready)
        status = row->act(&scene);
    EXPECT(ranks, ranks_same(ranks->comm, (long)status));
    EXPECT(ranks, ranks_same_text(ranks->comm, scene.error.text));
    EXPECT_STATUS(ranks, status, row->status, &scene.error);
    EXPECT(ranks, scene.error.status == row->status);
    for (int i = 0; i < 7 && row->says[i]; i++)
        must_say(&scene, row->says[i]);
    if (row->status)
        must_be_the_same(&scene, &before);
    close_scene(&scene);
}
