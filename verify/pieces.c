#include "verify/pieces.h"

#include "verify/crc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum reshard_status verify_pieces_open(struct verify_pieces *out,
                                       const struct verify_checkpoint *checkpoint, uint32_t tensor,
                                       struct reshard_error *error)
{
    *out = (struct verify_pieces){.checkpoint = checkpoint, .tensor = tensor};
    return verify_checkpoint_pieces(checkpoint, tensor, &out->piece, &out->count, error);
}

void verify_pieces_close(struct verify_pieces *pieces)
{
    free(pieces->piece);
    pieces->piece = NULL;
}

static const struct verify_tensor *tensor_of(const struct verify_pieces *pieces)
{
    return &pieces->checkpoint->inventory.tensor[pieces->tensor];
}

static const char *file_of(const struct verify_pieces *pieces, const struct verify_piece *piece)
{
    return pieces->checkpoint->file[piece->file].name;
}

static struct verify_finding finding_at(const struct verify_pieces *pieces,
                                        enum reshard_status status, uint64_t element,
                                        const struct verify_piece *piece)
{
    struct verify_finding finding =
        verify_finding_tensor(status, &pieces->checkpoint->inventory, pieces->tensor);

    finding.directory = pieces->label;
    finding.element = element;
    if (piece) {
        const uint64_t bytes = piece->count * reshard_dtype_bytes(tensor_of(pieces)->dtype);

        snprintf(finding.file, sizeof finding.file, "%s", file_of(pieces, piece));
        finding.byte_begin = piece->position;
        finding.byte_end = piece->position + bytes;
    }
    return finding;
}

/* No file is named: the neighbours of a gap are not at fault, and a file that would have these
 * elements has its own finding. */
static void add_gap(const struct verify_pieces *pieces, uint64_t begin, uint64_t end,
                    struct verify_report *report)
{
    struct verify_finding finding = finding_at(pieces, RESHARD_ECOVER, begin, NULL);

    verify_finding_say(&finding, "elements %" PRIu64 " to %" PRIu64 " are in no readable file",
                       begin, end - 1);
    verify_report_add(report, &finding);
}

bool verify_pieces_cover(const struct verify_pieces *pieces, struct verify_report *report)
{
    const uint64_t elements = verify_tensor_elements(tensor_of(pieces));
    uint64_t position = 0;
    struct verify_finding finding;

    for (uint32_t p = 0; p < pieces->count; ++p) {
        const struct verify_piece *piece = &pieces->piece[p];

        if (piece->first == position) {
            position += piece->count;
            continue;
        }
        if (piece->first > position) {
            add_gap(pieces, position, piece->first, report);
            return false;
        }
        finding = finding_at(pieces, RESHARD_ECOVER, piece->first, piece);
        verify_finding_say(&finding, "elements from %" PRIu64 " on are in %s too", piece->first,
                           file_of(pieces, piece - 1));
        verify_report_add(report, &finding);
        return false;
    }
    if (position == elements)
        return true;
    add_gap(pieces, position, elements, report);
    return false;
}

/*
 * FORMAT.md cuts an interval into boxes from the outside in; seen from its first element `at`, that
 * gives the largest block which begins there: as many whole sub-arrays of the outermost dimension
 * that begins one at `at` and has room for one before `end`, without leaving the sub-array around
 * them. The number of elements of that box.
 */
static uint64_t box_from(const struct verify_tensor *tensor, uint64_t at, uint64_t end)
{
    uint64_t around = verify_tensor_elements(tensor);

    for (uint32_t d = 0; d < tensor->ndim; ++d) {
        const uint64_t inside = around / tensor->shape[d];
        const uint64_t room = around - at % around;
        const uint64_t left = end - at < room ? end - at : room;

        if (at % inside == 0 && left >= inside)
            return left / inside * inside;
        around = inside;
    }
    return 1;
}

static bool is_cut_so(const struct verify_pieces *pieces, const struct verify_piece *piece,
                      const struct verify_run *run, uint64_t at)
{
    const struct verify_checkpoint *checkpoint = pieces->checkpoint;
    const uint64_t coordinate = checkpoint->file[piece->file].writer % checkpoint->layout.shard;

    return piece->first == at && piece->count == box_from(tensor_of(pieces), at, run->end) &&
           (run->shard == VERIFY_EVERY_SHARD || run->shard == coordinate);
}

bool verify_pieces_agree(const struct verify_pieces *pieces, const struct verify_rules *rules,
                         struct verify_report *report)
{
    struct verify_walk walk = verify_walk_begin(rules, pieces->tensor);
    struct verify_run run = {0};
    uint64_t at = 0;

    for (uint32_t p = 0; p < pieces->count; ++p) {
        const struct verify_piece *piece = &pieces->piece[p];
        struct verify_finding finding;

        if (at == run.end && !verify_walk_next(&walk, &run))
            return true;
        if (is_cut_so(pieces, piece, &run, at)) {
            at += piece->count;
            continue;
        }
        finding = finding_at(pieces, RESHARD_EFORMAT, piece->first, piece);
        verify_finding_say(&finding,
                           "the piece has elements %" PRIu64 " to %" PRIu64
                           "; by the layout a piece of elements %" PRIu64 " to %" PRIu64
                           " by shard coordinate %" PRIu64 " comes here",
                           piece->first, piece->first + piece->count - 1, at,
                           at + box_from(tensor_of(pieces), at, run.end) - 1,
                           run.shard == VERIFY_EVERY_SHARD
                               ? pieces->checkpoint->file[piece->file].writer %
                                     pieces->checkpoint->layout.shard
                               : run.shard);
        verify_report_add(report, &finding);
        return false;
    }
    return true;
}

/* A piece has been read to its end: its bytes must have the contribution that its row says. */
static void check_piece(struct verify_pieces *pieces, struct verify_report *report)
{
    const struct verify_piece *piece = &pieces->piece[pieces->current];
    const struct verify_tensor *tensor = tensor_of(pieces);
    const uint64_t behind = (verify_tensor_elements(tensor) - piece->first - piece->count) *
                            reshard_dtype_bytes(tensor->dtype);
    const uint64_t contribution = verify_crc_shift(pieces->piece_crc, behind);
    struct verify_finding finding;

    if (contribution == piece->contribution)
        return;
    finding = finding_at(pieces, RESHARD_EDIGEST, piece->first, piece);
    verify_finding_say(&finding,
                       "elements %" PRIu64 " to %" PRIu64 " contribute %016" PRIx64
                       ", not %016" PRIx64 ": they are damaged",
                       piece->first, piece->first + piece->count - 1, contribution,
                       piece->contribution);
    verify_report_add(report, &finding);
}

enum reshard_status verify_pieces_read(struct verify_pieces *pieces, uint64_t begin, uint32_t count,
                                       void *buffer, struct verify_report *report)
{
    const size_t width = reshard_dtype_bytes(tensor_of(pieces)->dtype);
    const uint64_t end = begin + count;
    char *target = buffer;

    while (begin < end) {
        const struct verify_piece *piece = &pieces->piece[pieces->current];
        const uint64_t piece_end = piece->first + piece->count;
        const size_t bytes = (size_t)((piece_end < end ? piece_end : end) - begin) * width;
        struct reshard_error error = RESHARD_ERROR_INIT;
        const enum reshard_status status =
            verify_checkpoint_read(pieces->checkpoint, piece->file, target, bytes,
                                   piece->position + (begin - piece->first) * width, &error);

        if (status) {
            struct verify_finding finding = finding_at(pieces, status, begin, piece);

            verify_finding_say(&finding, "%.*s", VERIFY_TEXT_MAX - 1, error.text);
            verify_report_add(report, &finding);
            return status;
        }
        pieces->piece_crc = verify_crc(pieces->piece_crc, target, bytes);
        pieces->whole_crc = verify_crc(pieces->whole_crc, target, bytes);
        target += bytes;
        begin += bytes / width;
        if (begin == piece_end) {
            check_piece(pieces, report);
            pieces->piece_crc = 0;
            pieces->current += 1;
        }
    }
    return RESHARD_OK;
}

const struct verify_piece *verify_pieces_find(const struct verify_pieces *pieces, uint64_t element)
{
    uint32_t begin = 0;
    uint32_t end = pieces->count;

    while (end - begin > 1) {
        const uint32_t middle = begin + (end - begin) / 2;

        if (pieces->piece[middle].first > element)
            end = middle;
        else
            begin = middle;
    }
    return &pieces->piece[begin];
}
