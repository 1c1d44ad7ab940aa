#include "sim/store_sim.h"

#include <simgrid/disk.h>
#include <simgrid/host.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a file is, and the names of a directory. */
struct place {
    sg_host_t server; /* NULL: the disk is this node's own */
    sg_disk_t disk;
};

struct sim_file {
    struct store_file file; /* base, first; its path is the real file's */
    struct store_file *real;
    struct place place;
};

static struct sim_file *sim_file(struct store_file *file)
{
    return (struct sim_file *)file;
}

static struct store *real_store(struct store *store)
{
    return ((struct store_sim *)store)->real;
}

/* --- Where a file is ----------------------------------------------------------------------- */

uint32_t store_sim_server(const char *path, uint32_t servers)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const char *digits = dot ? dot : name + strlen(name);
    while (digits > name && isdigit((unsigned char)digits[-1]))
        digits--;
    return (uint32_t)(strtoull(digits, NULL, 10) % servers);
}

static sg_disk_t first_disk(sg_host_t host)
{
    unsigned int count = 0;
    sg_disk_t *disks = NULL;
    sg_host_get_disks(host, &count, &disks);
    sg_disk_t disk = count > 0 ? disks[0] : NULL;
    free(disks);
    return disk;
}

static sg_host_t server_host(uint32_t server)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "storage-%" PRIu32, server);
    return sg_host_by_name(name);
}

static struct place place_of(const struct store *base, const char *path)
{
    const struct store_sim *store = (const struct store_sim *)base;
    if (store->servers == 0)
        return (struct place){NULL, first_disk(sg_host_self())};
    sg_host_t server = server_host(store_sim_server(path, store->servers));
    return (struct place){server, first_disk(server)};
}

/* --- What operations on names cost --------------------------------------------------------- */

static void charge_message(sg_host_t from, sg_host_t to)
{
    if (from && to)
        sg_host_sendto(from, to, STORE_SIM_MESSAGE_BYTES);
}

/* Ask, and be answered; what changes is on the disk before the answer, what is looked at was read
 * from there. */
static void charge(const struct place *place, bool changes)
{
    charge_message(place->server ? sg_host_self() : NULL, place->server);
    if (changes)
        sg_disk_write(place->disk, STORE_SIM_BLOCK_BYTES);
    else
        sg_disk_read(place->disk, STORE_SIM_BLOCK_BYTES);
    charge_message(place->server, place->server ? sg_host_self() : NULL);
}

static void charge_look(const struct store *store, const char *path)
{
    const struct place place = place_of(store, path);
    charge(&place, false);
}

static void charge_change(const struct store *store, const char *path)
{
    const struct place place = place_of(store, path);
    charge(&place, true);
}

/* --- Operations ---------------------------------------------------------------------------- */

static enum reshard_status sim_open(struct store *store, const char *path, enum store_mode mode,
                                    struct store_file **out, struct reshard_error *error)
{
    *out = NULL;
    if (mode == STORE_CREATE)
        charge_change(store, path);
    else
        charge_look(store, path);
    struct sim_file *file = calloc(1, sizeof(*file));
    if (!file)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: no memory to open it", path);
    enum reshard_status status = store_open(real_store(store), path, mode, &file->real, error);
    if (status) {
        free(file);
        return status;
    }
    file->file.ops = store->ops;
    file->file.path = file->real->path;
    file->place = place_of(store, path);
    *out = &file->file;
    return RESHARD_OK;
}

static enum reshard_status sim_allocate(struct store_file *file, uint64_t bytes,
                                        struct reshard_error *error)
{
    return store_allocate(sim_file(file)->real, bytes, error);
}

static enum reshard_status sim_write(struct store_file *base, uint64_t offset, const void *data,
                                     uint64_t bytes, struct reshard_error *error)
{
    const struct sim_file *file = sim_file(base);
    if (file->place.server && bytes > 0)
        sg_host_sendto(sg_host_self(), file->place.server, (double)bytes);
    if (bytes > 0)
        sg_disk_write(file->place.disk, bytes);
    return store_write(file->real, offset, data, bytes, error);
}

static enum reshard_status sim_read(struct store_file *base, uint64_t offset, void *data,
                                    uint64_t bytes, struct reshard_error *error)
{
    const struct sim_file *file = sim_file(base);
    enum reshard_status status = store_read(file->real, offset, data, bytes, error);
    if (status || bytes == 0)
        return status;
    sg_disk_read(file->place.disk, bytes);
    if (file->place.server)
        sg_host_sendto(file->place.server, sg_host_self(), (double)bytes);
    return RESHARD_OK;
}

static enum reshard_status sim_size(struct store_file *file, uint64_t *out,
                                    struct reshard_error *error)
{
    return store_size(sim_file(file)->real, out, error);
}

/* The simulated disk had the bytes when the write returned, so that a sync waits for one block, and
 * this machine's own durability is no part of the simulation. A thousand ranks would spend most of
 * a save in it. */
static enum reshard_status sim_sync(struct store_file *base, struct reshard_error *error)
{
    (void)error;
    charge(&sim_file(base)->place, true);
    return RESHARD_OK;
}

static enum store_lock sim_lock(struct store_file *base)
{
    const struct sim_file *file = sim_file(base);
    charge(&file->place, false);
    return store_lock(file->real);
}

static enum reshard_status sim_close(struct store_file *base, struct reshard_error *error)
{
    struct sim_file *file = sim_file(base);
    enum reshard_status status = store_close(file->real, error);
    free(file);
    return status;
}

static enum reshard_status sim_make_directory(struct store *store, const char *path,
                                              struct reshard_error *error)
{
    charge_change(store, path);
    return store_make_directory(real_store(store), path, error);
}

static enum reshard_status sim_sync_directory(struct store *store, const char *path,
                                              struct reshard_error *error)
{
    charge_change(store, path);
    return store_sync_directory(real_store(store), path, error);
}

static enum reshard_status sim_rename(struct store *store, const char *from, const char *to,
                                      struct reshard_error *error)
{
    charge_change(store, to);
    return store_rename(real_store(store), from, to, error);
}

static enum reshard_status sim_remove(struct store *store, const char *path,
                                      struct reshard_error *error)
{
    charge_change(store, path);
    return store_remove(real_store(store), path, error);
}

static enum reshard_status sim_examine(struct store *store, const char *path,
                                       struct store_entry *out, struct reshard_error *error)
{
    charge_look(store, path);
    return store_examine(real_store(store), path, out, error);
}

static enum reshard_status sim_list(struct store *store, const char *path, char ***names,
                                    uint64_t *count, struct reshard_error *error)
{
    charge_look(store, path);
    return store_list(real_store(store), path, names, count, error);
}

/* --- Opening ------------------------------------------------------------------------------- */

static enum reshard_status check_servers(uint32_t servers, struct reshard_error *error)
{
    for (uint32_t i = 0; i < servers; i++) {
        sg_host_t host = server_host(i);
        if (!host || !first_disk(host))
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "the platform has no host storage-%" PRIu32 " with a disk", i);
    }
    if (servers == 0 && !first_disk(sg_host_self()))
        return reshard_error_set(error, RESHARD_EINVAL, "the platform's host %s has no disk",
                                 sg_host_self_get_name());
    return RESHARD_OK;
}

enum reshard_status store_sim_open(struct store_sim *out, struct store *real, uint32_t servers,
                                   struct reshard_error *error)
{
    static const struct store_ops ops = {
        .open = sim_open,
        .allocate = sim_allocate,
        .write = sim_write,
        .read = sim_read,
        .size = sim_size,
        .sync = sim_sync,
        .close = sim_close,
        .lock = sim_lock,
        .make_directory = sim_make_directory,
        .sync_directory = sim_sync_directory,
        .rename = sim_rename,
        .remove = sim_remove,
        .examine = sim_examine,
        .list = sim_list,
    };
    *out = (struct store_sim){{&ops}, real, servers};
    return check_servers(servers, error);
}
