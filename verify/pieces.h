/*
 * All pieces of one tensor in a checkpoint, in row-major order: is every element in exactly one of
 * them, are they the boxes that the layout's rules cut, and, once that is known, its bytes from the
 * first to the last. Belongs to one thread.
 */
#ifndef VERIFY_PIECES_H
#define VERIFY_PIECES_H

#include "verify/decoder.h"
#include "verify/report.h"

struct verify_pieces {
    const struct verify_checkpoint *checkpoint;
    const char *label; /* the directory to name in findings, or NULL for the one that is judged */
    uint32_t tensor;
    struct verify_piece *piece; /* by rising first element */
    uint32_t count;
    uint32_t current;   /* the piece that reading has come to */
    uint64_t piece_crc; /* of the bytes of this piece read so far */
    uint64_t whole_crc; /* of all bytes read so far */
};

/* Local. Load a tensor's pieces. verify_pieces_close() ends them and accepts empty ones. */
RESHARD_MUST_CHECK enum reshard_status
verify_pieces_open(struct verify_pieces *out, const struct verify_checkpoint *checkpoint,
                   uint32_t tensor, struct reshard_error *error);
void verify_pieces_close(struct verify_pieces *pieces);

/* Local. Add a finding (ECOVER) for the first element that no piece has, or two; true if none. */
bool verify_pieces_cover(const struct verify_pieces *pieces, struct verify_report *report);

/* Local. Add a finding (EFORMAT) for the first piece that is not the box which the rules cut there
 * for a rank that holds it; true if none. */
bool verify_pieces_agree(const struct verify_pieces *pieces, const struct verify_rules *rules,
                         struct verify_report *report);

/* Local. Read the next `count` elements; first call from element 0, and only when the pieces cover
 * the tensor. Adds a finding (EDIGEST) for each piece whose bytes do not have its contribution.
 * EIO. */
RESHARD_MUST_CHECK enum reshard_status verify_pieces_read(struct verify_pieces *pieces,
                                                          uint64_t begin, uint32_t count,
                                                          void *buffer,
                                                          struct verify_report *report);

/* Local. The piece that has an element; the element must be covered. */
const struct verify_piece *verify_pieces_find(const struct verify_pieces *pieces, uint64_t element);

#endif
