#include "support/twists.h"

#include "core/digest.h"
#include "core/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t tensor_of(const struct scene *scene, const char *fqn, const char *slot)
{
    uint32_t t = 0;

    EXPECT_STATUS(scene->ranks, reshard_model_find(scene->model, fqn, slot, &t), RESHARD_OK, NULL);
    return t;
}

static bool is_last(const struct scene *scene)
{
    return scene->ranks->rank == (int)scene->last;
}

void change_a_copy(struct scene *scene)
{
    if (is_last(scene))
        scene->side.memory[tensor_of(scene, "a.weight", "exp_avg_sq")][3] ^= 1;
}

void lose_a_state_on_one_rank(struct scene *scene)
{
    if (is_last(scene))
        reshard_state_set_absent(scene->side.state, tensor_of(scene, "a.weight", "exp_avg"), true);
}

void break_the_store_of_one_rank(struct scene *scene)
{
    scene->store.fail_at = is_last(scene);
    scene->store.persistent = true;
}

void put_a_file_there(struct scene *scene)
{
    ranks_barrier(scene->ranks->comm);
    if (scene->ranks->rank == 0)
        EXPECT(scene->ranks,
               store_write_file(store_posix(), scene->path, "mine", 4, NULL) == RESHARD_OK);
    ranks_barrier(scene->ranks->comm);
}

/* Rank 0: cut bytes off the end of a file of the checkpoint. */
static void cut(struct scene *scene, const char *name, off_t bytes)
{
    char *path = store_path(scene->given, name);
    FILE *file;

    ranks_barrier(scene->ranks->comm);
    if (scene->ranks->rank == 0 && EXPECT(scene->ranks, (file = fopen(path, "r+")) != NULL)) {
        EXPECT(scene->ranks, fseeko(file, -bytes, SEEK_END) == 0);
        EXPECT(scene->ranks, ftruncate(fileno(file), ftello(file)) == 0);
        EXPECT(scene->ranks, fclose(file) == 0);
    }
    free(path);
    ranks_barrier(scene->ranks->comm);
}

void cut_a_byte_off_a_file(struct scene *scene)
{
    cut(scene, "rank-00000.h5", 1);
}

void cut_half_of_the_manifest_off(struct scene *scene)
{
    cut(scene, MANIFEST_FILE, 700);
}

void lose_a_file(struct scene *scene)
{
    char *path = store_path(scene->given, "rank-00000.h5");

    ranks_barrier(scene->ranks->comm);
    if (scene->ranks->rank == 0)
        EXPECT(scene->ranks, unlink(path) == 0);
    free(path);
    ranks_barrier(scene->ranks->comm);
}

/* Rank 0: say something else in the manifest, and seal that. */
static void rewrite(struct scene *scene, const char *from, const char *to)
{
    char *path = store_path(scene->given, MANIFEST_FILE), *text = NULL, *at, crc[17];
    uint64_t bytes = 0;

    ranks_barrier(scene->ranks->comm);
    if (scene->ranks->rank == 0 && EXPECT(scene->ranks, strlen(from) == strlen(to)) &&
        EXPECT(scene->ranks,
               !store_read_file(store_posix(), path, MANIFEST_BYTES_MAX, &text, &bytes, NULL)) &&
        EXPECT(scene->ranks, (at = strstr(text, from)) != NULL)) {
        memcpy(at, to, strlen(to));
        (void)snprintf(crc, sizeof crc, "%016llx",
                       (unsigned long long)digest_crc(0, text, bytes - 32));
        memcpy(text + bytes - 20, crc, 16);
        EXPECT(scene->ranks, unlink(path) == 0);
        EXPECT(scene->ranks,
               store_write_file(store_posix(), path, text, bytes, NULL) == RESHARD_OK);
    }
    free(text);
    free(path);
    ranks_barrier(scene->ranks->comm);
}

void leave_a_hole(struct scene *scene)
{
    rewrite(scene, "\"end\": [3, 5]", "\"end\": [2, 5]");
}

void let_boxes_overlap(struct scene *scene)
{
    rewrite(scene, "\"end\": [3, 5]", "\"end\": [4, 5]");
}

void let_a_box_stick_out(struct scene *scene)
{
    rewrite(scene, "\"end\": [7, 5]", "\"end\": [8, 5]");
}
