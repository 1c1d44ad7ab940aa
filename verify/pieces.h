/*
 * All pieces of one tensor in a checkpoint: is every element in exactly one of them, are they the
 * boxes that the layout's rules cut, by the ranks that own them, and, once that is known, the
 * tensor's bytes from the first to the last. Belongs to one thread; a piece that is read has a
 * buffer of its own, and all of them together a few MiB.
 */
#ifndef VERIFY_PIECES_H
#define VERIFY_PIECES_H

#include "verify/decoder.h"
#include "verify/report.h"

/* How far one piece has been read: its elements come in the order in which they lie in the file. */
struct verify_cursor {
    bool begun;
    bool ended;
    bool odd; /* a `bool` of it that is neither 0 nor 1 was named */
    struct verify_rows rows;
    uint64_t at;      /* the element that comes next, of the tensor */
    uint64_t left;    /* elements left of the run that it is in */
    uint64_t crc;     /* of this run so far */
    uint64_t runs;    /* the CRC of the runs before it, as if they were all */
    uint64_t behind;  /* the element behind the last of these */
    uint64_t leap;    /* bytes from the end of a run to that of the next, last time; */
    uint64_t power;   /* and verify_crc_power() of them */
    uint64_t fetched; /* bytes that have come from the file */
    unsigned char *ahead;
    size_t ahead_begin;
    size_t ahead_end;
};

struct verify_pieces {
    const struct verify_checkpoint *checkpoint;
    const char *label; /* the directory to name in findings, or NULL for the one that is judged */
    uint32_t tensor;
    struct verify_piece *piece; /* by rising first element; behind them the lost ones */
    uint32_t count;
    uint32_t lost;                /* pieces of files that are not usable */
    struct verify_cursor *cursor; /* of each piece */
    uint32_t unread;              /* pieces before this one have been read to their ends */
    uint64_t whole_crc;           /* of all bytes read so far */
};

/* Local. Load a tensor's pieces. verify_pieces_close() ends them and accepts empty ones. */
RESHARD_MUST_CHECK enum reshard_status
verify_pieces_open(struct verify_pieces *out, const struct verify_checkpoint *checkpoint,
                   uint32_t tensor, struct reshard_error *error);
void verify_pieces_close(struct verify_pieces *pieces);

/* Local. Put in, as lost, the boxes that by the rules these files, which are not usable, must have:
 * what they leave open is no other fault. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_pieces_lose(struct verify_pieces *pieces,
                                                          const struct verify_rules *rules,
                                                          const uint32_t *file, uint32_t count);

/* Local. Add a finding (ECOVER) for the first element that no piece has, lost ones included, or
 * two; *whole says that there is none. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status
verify_pieces_cover(const struct verify_pieces *pieces, struct verify_report *report, bool *whole);

/* Local. Add a finding (EFORMAT) for the first piece that is not the box which the rules cut there
 * for the rank that owns it; *agree says that there is none. Only ranks that have pieces are looked
 * at: pieces that are all as they must be, and cover the tensor, are all there are. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_pieces_agree(const struct verify_pieces *pieces,
                                                           const struct verify_rules *rules,
                                                           struct verify_report *report,
                                                           bool *agree);

/* Local. Read the next `count` elements; first call from element 0, and only when the pieces cover
 * the tensor. Adds a finding (EDIGEST) for each piece whose bytes do not have its contribution.
 * EIO, ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_pieces_read(struct verify_pieces *pieces,
                                                          uint64_t begin, uint32_t count,
                                                          void *buffer,
                                                          struct verify_report *report);

/* Local. Where pieces are lost: read those that are there, each by itself, through a buffer for
 * `room` elements, with the same findings as above. */
void verify_pieces_check(struct verify_pieces *pieces, uint32_t room, void *buffer,
                         struct verify_report *report);

/* Local. The piece that has an element, and where in its data, in elements. The element must be
 * covered. */
const struct verify_piece *verify_pieces_find(const struct verify_pieces *pieces, uint64_t element,
                                              uint64_t *local);

/* Local. The piece that begins with an element, or NULL. */
struct verify_piece *verify_pieces_from(const struct verify_pieces *pieces, uint64_t first);

#endif
