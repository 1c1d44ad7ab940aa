/*
 * A reader of checkpoint directories, written from FORMAT.md alone. It refuses whatever breaks a
 * "must" of that page, names the file and what would be right, and trusts no number before it has
 * been held against the size of the file it came from.
 *
 * Opening reads the manifest only. Each rank's file is then decoded once, by one thread at a time;
 * afterwards pieces and data are read by pread, from any number of threads. What is kept is small:
 * for each file, where its tables and arenas lie and which tensors it has; and descriptors only
 * where the process may have plenty: a thread needs one at a time. Nothing here calls libhdf5
 * (ordinary.h does).
 */
#ifndef VERIFY_DECODER_H
#define VERIFY_DECODER_H

#include "verify/box.h"
#include "verify/formula.h"
#include "verify/groups.h"
#include "verify/trailer.h"

enum { VERIFY_RANK_NAME_MAX = 32 };

/* Rows [begin, end) of a file's /pieces are of this tensor. */
struct verify_span {
    uint32_t tensor;
    uint32_t begin;
    uint32_t end;
};

struct verify_file {
    char name[VERIFY_RANK_NAME_MAX];
    uint64_t writer;
    uint64_t bytes;
    uint64_t seal;
    bool usable; /* its pieces can be read, whatever else may be wrong with it */
    int fd;      /* kept open, or -1: then opened for each use */
    uint64_t arena[RESHARD_DTYPE_COUNT];     /* where each arena's data begin in the file */
    uint64_t arena_end[RESHARD_DTYPE_COUNT]; /* where its last piece ends */
    uint64_t pieces;                         /* where the table of pieces begins */
    struct verify_span *span;
    uint32_t span_count;
};

/* Another name for a parameter or buffer. */
struct verify_tie {
    const char *alias;
    uint32_t tensor;
};

struct verify_checkpoint {
    char *directory;
    uint32_t keep_open; /* of the first files, the descriptors */
    uint64_t step;
    uint64_t world;
    char token[VERIFY_TOKEN_BYTES];    /* of the save, and its one domain */
    struct verify_formula formula;     /* its layout, with the world */
    struct verify_inventory inventory; /* names belong to the checkpoint */
    struct verify_names names;
    char **name; /* every string that was copied out of the manifest */
    uint32_t name_count;
    uint64_t *digest; /* of each tensor */
    bool *absent;     /* of each tensor: a slot that is not there, and has no digest */
    struct verify_tie *tie;
    uint32_t tie_count;
    struct verify_param_groups groups;
    struct verify_file *file;
    uint32_t file_count;
};

/* One piece of one tensor: a box, dense in the file. */
struct verify_piece {
    uint32_t file;
    uint64_t first; /* element */
    uint64_t count;
    struct verify_box box;
    uint64_t position; /* of its data in the file, in bytes */
    uint64_t contribution;
};

/* Local. Read and check the manifest. ENOENT when there is none, EDIGEST when its CRC differs,
 * EFORMAT for anything else that is wrong in it, EIO. The error names the manifest; those of the
 * functions below, which are told the file, name no file. */
RESHARD_MUST_CHECK enum reshard_status verify_checkpoint_open(struct verify_checkpoint **out,
                                                              const char *directory,
                                                              struct reshard_error *error);
void verify_checkpoint_close(struct verify_checkpoint *checkpoint); /* accepts NULL */

/* Local. Decode one rank's file. ENOENT, EIO, EFORMAT; EDIGEST for bytes that do not have the CRC
 * which another part, or the manifest, says; EMISMATCH for a whole file of another save. The file
 * is usable also where only its head or what lies behind the last pieces is at fault. */
RESHARD_MUST_CHECK enum reshard_status
verify_checkpoint_decode(struct verify_checkpoint *checkpoint, uint32_t file,
                         struct reshard_error *error);

/* Local, thread-safe. All pieces of a tensor in the usable files, by rising first element and then
 * by file; the caller frees *out. */
RESHARD_MUST_CHECK enum reshard_status
verify_checkpoint_pieces(const struct verify_checkpoint *checkpoint, uint32_t tensor,
                         struct verify_piece **out, uint32_t *count, struct reshard_error *error);

/* Local, thread-safe. Read bytes of a usable file. EIO, also when the file is shorter. */
RESHARD_MUST_CHECK enum reshard_status
verify_checkpoint_read(const struct verify_checkpoint *checkpoint, uint32_t file, void *buffer,
                       size_t bytes, uint64_t position, struct reshard_error *error);

#endif
