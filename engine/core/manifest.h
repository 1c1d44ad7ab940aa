/*
 * The manifest: the only commit record of a checkpoint. It says what was saved (the model's
 * inventory), how it was laid out (a formula, not a list), the digest of every tensor, and the
 * files with their sizes and seals; it closes with a CRC of itself (FORMAT.md, section 4).
 */
#ifndef RESHARD_MANIFEST_H
#define RESHARD_MANIFEST_H

#include "core/groups.h"
#include "core/layout.h"
#include "core/model.h"
#include "core/notes.h"
#include "core/token.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MANIFEST_FILE "manifest.json"

enum {
    MANIFEST_BYTES_MAX = 256 * 1024 * 1024,
    MANIFEST_NAME_BYTES = 32, /* of a file's name, with the final zero */
};

struct manifest_file {
    char name[MANIFEST_NAME_BYTES]; /* rank-00000.h5 */
    uint64_t writer;
    uint64_t bytes;
    uint64_t seal;
};

struct manifest {
    uint64_t step;
    uint64_t world;
    char token[RESHARD_TOKEN_BYTES]; /* of the save, and of its one storage domain */
    uint64_t note_count;
    struct reshard_note *note;            /* owned by a decoded manifest */
    struct reshard_layout_options layout; /* its rules are owned by a decoded manifest */
    struct reshard_model *model;          /* owned by a decoded manifest; see manifest_release */
    uint64_t *digest;                     /* one for each tensor of the model; 0 of absent ones */
    bool *absent; /* by tensor: a slot that is not there; NULL: none, of one to be encoded */
    uint64_t file_count;
    struct manifest_file *file; /* by rising writer */
    bool foreign; /* of one that was refused: it is whole by its CRC, and of another version */
    struct reshard_groups *groups; /* NULL when none were saved; owned by a decoded manifest */
};

#define MANIFEST_INIT                                                                              \
    {                                                                                              \
        .step = 0                                                                                  \
    }

/* Local. The name of a writer's file, into `name` of at least MANIFEST_NAME_BYTES bytes: at least
 * five digits. Ranks are below 2^31, so it fits. */
void manifest_file_name(uint64_t writer, char *name);

/*
 * Local. The manifest's bytes in new memory, which the caller frees, with a zero byte after them
 * that `bytes` does not count. Equal manifests give equal bytes. EINVAL for what no manifest may
 * say: a mesh of more ranks than the world, a step beyond 63 bits, no token, files out of order,
 * tensors that are not saved, groups whose members are no parameters of the model, notes beyond
 * their limits.
 */
RESHARD_MUST_CHECK enum reshard_status manifest_encode(const struct manifest *manifest, char **out,
                                                       size_t *bytes);

/*
 * Local. Decode and check everything that the format says: CRC first, then the JSON, every member
 * strictly. `name` is the file's path, for messages. EFORMAT with line or member and the reason;
 * `out` is empty then but for `foreign`. A decoded layout's sizes are complete.
 */
RESHARD_MUST_CHECK enum reshard_status manifest_decode(struct manifest *out, const char *text,
                                                       size_t bytes, const char *name,
                                                       struct reshard_error *error);

/* Local. Whether both say the same: OK, EMISMATCH, or ENOMEM when that cannot be told. `foreign`
 * does not count, nor does what no manifest says of a tensor. */
RESHARD_MUST_CHECK enum reshard_status manifest_compare(const struct manifest *a,
                                                        const struct manifest *b);

/* Local. The entry of a writer's file, NULL when it wrote none. */
const struct manifest_file *manifest_find_file(const struct manifest *manifest, uint64_t writer);

/* Local. Free what a decoded manifest owns, model and groups included. Accepts an empty one. */
void manifest_release(struct manifest *manifest);

#ifdef __cplusplus
}
#endif

#endif
