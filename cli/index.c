/* `reshard index`: the derived view of a checkpoint, for people and their tools. */
#include "cli/cli.h"
#include "cli/options.h"

#include "core/index.h"

#include <inttypes.h>
#include <stdlib.h>

static int exit_status(enum reshard_status status)
{
    switch (status) {
    case RESHARD_ENOENT:
        return CLI_USAGE;
    case RESHARD_EFORMAT:
    case RESHARD_EINVAL: /* a layout that cannot be: the manifest's */
    case RESHARD_EOVERFLOW:
        return CLI_DAMAGED;
    default:
        return CLI_ENVIRONMENT;
    }
}

static enum reshard_status read_manifest(struct manifest *out, const char *directory,
                                         struct reshard_error *error)
{
    char *path = store_path(directory, MANIFEST_FILE), *text = NULL;
    uint64_t bytes = 0;
    enum reshard_status status =
        path ? store_read_file(store_posix(), path, MANIFEST_BYTES_MAX, &text, &bytes, error)
             : RESHARD_ENOMEM;
    if (!status)
        status = manifest_decode(out, text, bytes, path, error);
    free(text);
    free(path);
    return status;
}

/* HDF5 would show fill values, and no error, for the elements of a file that is not there. */
static enum reshard_status check_files(const char *directory, const struct manifest *manifest,
                                       struct reshard_error *error)
{
    for (uint64_t i = 0; i < manifest->file_count; i++) {
        const struct manifest_file *file = &manifest->file[i];
        struct store_entry entry;
        char *path = store_path(directory, file->name);
        const bool whole = path && !store_examine(store_posix(), path, &entry, NULL) &&
                           entry.kind == STORE_REGULAR && entry.bytes == file->bytes;
        free(path);
        if (!whole)
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "%s/%s: is missing, or not a file of %" PRIu64
                                     " bytes: no index is made of a checkpoint that is not whole",
                                     directory, file->name, file->bytes);
    }
    return RESHARD_OK;
}

static enum reshard_status make_index(const char *directory, struct reshard_error *error)
{
    struct manifest manifest = MANIFEST_INIT;
    struct reshard_layout *layout = NULL;
    enum reshard_status status = read_manifest(&manifest, directory, error);
    if (!status)
        status = check_files(directory, &manifest, error);
    if (!status)
        status = reshard_layout_open(&layout, manifest.model, &manifest.layout, error);
    if (!status)
        status = index_write(store_posix(), directory, &manifest, layout, error);
    reshard_layout_close(layout);
    manifest_release(&manifest);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct cli_arguments directory;
    struct reshard_error error = RESHARD_ERROR_INIT;
    int status = CLI_OK;
    if (!cli_options_parse(command, NULL, 0, 1, 1, argc, argv, &directory, &status))
        return status;
    const enum reshard_status made = make_index(directory.value[0], &error);
    if (made == RESHARD_ENOMEM)
        return cli_out_of_memory();
    return made ? cli_error(exit_status(made), "%s",
                            error.text[0] ? error.text : reshard_status_text(made))
                : CLI_OK;
}

const struct cli_command cli_index = {
    .name = "index",
    .arguments = "DIR",
    .summary = "write index.h5 into a checkpoint: full tensors by name, for h5dump and h5py",
    .about =
        "Writes DIR/index.h5, in which every full tensor of the checkpoint DIR stands under its\n"
        "name, as a view of the ranks' files beside it. One that is there is replaced. It is for\n"
        "people and their tools: no load reads it, and HDF5 shows NaN, without an error, where a\n"
        "file behind it goes missing. `reshard verify` is the proof.",
    .run = run,
};
