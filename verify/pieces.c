#include "verify/pieces.h"

#include "verify/cover.h"
#include "verify/crc.h"
#include "verify/walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Read ahead of small runs: for each piece so much, for all of one tensor no more than this. */
enum { AHEAD_EACH = 64 << 10, AHEAD_ALL = 8 << 20 };

enum reshard_status verify_pieces_open(struct verify_pieces *out,
                                       const struct verify_checkpoint *checkpoint, uint32_t tensor,
                                       struct reshard_error *error)
{
    enum reshard_status status;

    *out = (struct verify_pieces){.checkpoint = checkpoint, .tensor = tensor};
    status = verify_checkpoint_pieces(checkpoint, tensor, &out->piece, &out->count, error);
    if (status)
        return status;
    out->cursor = calloc((size_t)out->count + 1, sizeof *out->cursor);
    if (out->cursor)
        return RESHARD_OK;
    verify_pieces_close(out);
    return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a tensor's pieces");
}

void verify_pieces_close(struct verify_pieces *pieces)
{
    for (uint32_t p = 0; p < pieces->count && pieces->cursor; ++p)
        free(pieces->cursor[p].ahead);
    free(pieces->cursor);
    free(pieces->piece);
    pieces->cursor = NULL;
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

static uint64_t writer_of(const struct verify_pieces *pieces, const struct verify_piece *piece)
{
    return pieces->checkpoint->file[piece->file].writer;
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

/* The first element of a box that is not before `element`; UINT64_MAX when there is none. */
static uint64_t box_from(const struct verify_box *box, const struct verify_tensor *tensor,
                         uint64_t element)
{
    struct verify_box rest = *box;
    uint64_t index[VERIFY_DIMS_MAX];
    uint32_t d = 0;

    verify_tensor_index(tensor, element, index);
    for (; d < box->ndim && index[d] >= box->begin[d] && index[d] < box->end[d]; ++d)
        rest.begin[d] = index[d];
    if (d == box->ndim || index[d] < box->begin[d])
        return verify_box_first(&rest, tensor);
    while (d-- > 0) {
        if (++rest.begin[d] < box->end[d])
            return verify_box_first(&rest, tensor);
        rest.begin[d] = box->begin[d];
    }
    return UINT64_MAX;
}

static void add_gap_at(const struct verify_pieces *pieces, uint64_t element,
                       struct verify_report *report)
{
    const struct verify_tensor *tensor = tensor_of(pieces);
    uint64_t end = verify_tensor_elements(tensor);

    for (uint32_t p = 0; p < pieces->count + pieces->lost; ++p) {
        const uint64_t next = box_from(&pieces->piece[p].box, tensor, element);

        end = next < end ? next : end;
    }
    add_gap(pieces, element, end, report);
}

enum reshard_status verify_pieces_cover(const struct verify_pieces *pieces,
                                        struct verify_report *report, bool *whole)
{
    const struct verify_boxes boxes = {&pieces->piece->box, sizeof *pieces->piece,
                                       pieces->count + pieces->lost};
    struct verify_cover cover;
    struct verify_finding finding;
    const enum reshard_status status = verify_cover(tensor_of(pieces), &boxes, &cover);

    *whole = !status && cover.whole;
    if (status || cover.whole)
        return status;
    if (cover.count == 0) {
        add_gap_at(pieces, cover.element, report);
        return RESHARD_OK;
    }
    finding = finding_at(pieces, RESHARD_ECOVER, cover.element, &pieces->piece[cover.box[1]]);
    verify_finding_say(&finding, "elements from %" PRIu64 " on are in %s too", cover.element,
                       file_of(pieces, &pieces->piece[cover.box[0]]));
    verify_report_add(report, &finding);
    return RESHARD_OK;
}

/* --- by the rules ----------------------------------------------------------------------------- */

/* A box that a rank must have written. */
struct expected {
    struct verify_box box;
    uint64_t first;
    uint64_t rank;
};

struct expectation {
    struct expected *expected;
    size_t count;
    size_t room;
};

static int by_first(const void *a, const void *b)
{
    const uint64_t left = ((const struct expected *)a)->first;
    const uint64_t right = ((const struct expected *)b)->first;

    return left < right ? -1 : left > right;
}

static enum reshard_status expect(struct expectation *out, const struct expected *expected)
{
    if (out->count == out->room) {
        const size_t room = out->room ? 2 * out->room : 64;
        struct expected *grown = realloc(out->expected, room * sizeof *grown);

        if (!grown)
            return RESHARD_ENOMEM;
        out->expected = grown;
        out->room = room;
    }
    out->expected[out->count++] = *expected;
    return RESHARD_OK;
}

static enum reshard_status expect_file(struct expectation *out, const struct verify_rules *rules,
                                       uint32_t tensor, uint64_t rank)
{
    struct expected next = {.rank = rank};
    enum reshard_status status = RESHARD_OK;
    struct verify_walk walk;
    uint64_t local;

    if (!verify_rules_owns(rules, tensor, rank))
        return RESHARD_OK;
    verify_walk_begin(&walk, rules, tensor, rank);
    while (!status && verify_walk_box(&walk, &next.box, &local)) {
        next.first = verify_box_first(&next.box, walk.tensor);
        status = expect(out, &next);
    }
    return status;
}

/* All boxes that the usable files must have of a tensor, by rising first element. */
static enum reshard_status expect_all(struct expectation *out, const struct verify_pieces *pieces,
                                      const struct verify_rules *rules)
{
    const struct verify_checkpoint *checkpoint = pieces->checkpoint;
    enum reshard_status status = RESHARD_OK;

    for (uint32_t f = 0; f < checkpoint->file_count && !status; ++f) {
        if (checkpoint->file[f].usable)
            status = expect_file(out, rules, pieces->tensor, checkpoint->file[f].writer);
    }
    if (!status && out->count > 0)
        qsort(out->expected, out->count, sizeof *out->expected, by_first);
    return status;
}

static void add_stranger(const struct verify_pieces *pieces, const struct verify_piece *piece,
                         const struct expected *expected, struct verify_report *report)
{
    struct verify_finding finding = finding_at(pieces, RESHARD_EFORMAT, piece->first, piece);
    char is[VERIFY_BOX_TEXT_MAX];
    char must[VERIFY_BOX_TEXT_MAX];

    verify_box_text(&piece->box, is, sizeof is);
    verify_box_text(&expected->box, must, sizeof must);
    verify_finding_say(&finding,
                       "the piece is %s by rank %" PRIu64 "; by the layout %s by rank %" PRIu64
                       " comes here",
                       is, writer_of(pieces, piece), must, expected->rank);
    verify_report_add(report, &finding);
}

static void add_unowned(const struct verify_pieces *pieces, const struct verify_piece *piece,
                        struct verify_report *report)
{
    struct verify_finding finding = finding_at(pieces, RESHARD_EFORMAT, piece->first, piece);
    char is[VERIFY_BOX_TEXT_MAX];

    verify_box_text(&piece->box, is, sizeof is);
    verify_finding_say(&finding,
                       "the piece is %s by rank %" PRIu64
                       "; by the layout that rank has no such box "
                       "to write",
                       is, writer_of(pieces, piece));
    verify_report_add(report, &finding);
}

/* Something is not by the layout: name the first piece that is not. */
static enum reshard_status add_first_stranger(const struct verify_pieces *pieces,
                                              const struct verify_rules *rules, uint32_t known,
                                              struct verify_report *report)
{
    struct expectation all = {NULL, 0, 0};
    const enum reshard_status status = expect_all(&all, pieces, rules);
    uint32_t p = 0;

    while (p < pieces->count && p < all.count &&
           verify_box_compare(&pieces->piece[p].box, &all.expected[p].box) == 0 &&
           writer_of(pieces, &pieces->piece[p]) == all.expected[p].rank)
        p += 1;
    if (!status && p < pieces->count && p < all.count)
        add_stranger(pieces, &pieces->piece[p], &all.expected[p], report);
    else if (!status)
        add_unowned(pieces, &pieces->piece[known], report);
    free(all.expected);
    return status;
}

static int by_file(const void *a, const void *b, void *context)
{
    const struct verify_piece *piece = context;
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;

    if (piece[left].file != piece[right].file)
        return piece[left].file < piece[right].file ? -1 : 1;
    return left < right ? -1 : left > right;
}

/* The first piece, in this order, that is not the next box of its file's rank; the number of pieces
 * where all are. A rank that lacks one leaves a gap, which verify_pieces_cover() finds. */
static uint32_t find_stranger(const struct verify_pieces *pieces, const struct verify_rules *rules,
                              const uint32_t *order)
{
    struct verify_walk walk = {.ended = true};
    uint32_t file = UINT32_MAX;
    struct verify_box box;
    uint64_t local;

    for (uint32_t i = 0; i < pieces->count; ++i) {
        const struct verify_piece *piece = &pieces->piece[order[i]];
        const uint64_t rank = writer_of(pieces, piece);

        if (piece->file != file) {
            if (!verify_rules_owns(rules, pieces->tensor, rank))
                return order[i];
            verify_walk_begin(&walk, rules, pieces->tensor, rank);
            file = piece->file;
        }
        do {
            if (!verify_walk_box(&walk, &box, &local))
                return order[i];
        } while (verify_box_first(&box, walk.tensor) < piece->first);
        if (verify_box_compare(&box, &piece->box) != 0)
            return order[i];
    }
    return pieces->count;
}

enum reshard_status verify_pieces_agree(const struct verify_pieces *pieces,
                                        const struct verify_rules *rules,
                                        struct verify_report *report, bool *agree)
{
    uint32_t *order = malloc(((size_t)pieces->count + 1) * sizeof *order);
    uint32_t stranger;

    *agree = false;
    if (!order)
        return RESHARD_ENOMEM;
    for (uint32_t p = 0; p < pieces->count; ++p)
        order[p] = p;
    qsort_r(order, pieces->count, sizeof *order, by_file, pieces->piece);
    stranger = find_stranger(pieces, rules, order);
    free(order);
    *agree = stranger == pieces->count;
    return *agree ? RESHARD_OK : add_first_stranger(pieces, rules, stranger, report);
}

/* --- lost pieces ------------------------------------------------------------------------------ */

enum reshard_status verify_pieces_lose(struct verify_pieces *pieces,
                                       const struct verify_rules *rules, const uint32_t *file,
                                       uint32_t count)
{
    const struct verify_checkpoint *checkpoint = pieces->checkpoint;
    struct expectation lost = {NULL, 0, 0};
    enum reshard_status status = RESHARD_OK;
    struct verify_piece *grown;

    for (uint32_t f = 0; f < count && !status; ++f)
        status = expect_file(&lost, rules, pieces->tensor, checkpoint->file[file[f]].writer);
    if (!status && lost.count > 0) {
        grown =
            realloc(pieces->piece, ((size_t)pieces->count + lost.count) * sizeof *pieces->piece);
        if (!grown || pieces->count + lost.count >= UINT32_MAX)
            status = RESHARD_ENOMEM;
        pieces->piece = grown ? grown : pieces->piece;
    }
    for (size_t i = 0; i < lost.count && !status; ++i)
        pieces->piece[pieces->count + i] =
            (struct verify_piece){.first = lost.expected[i].first, .box = lost.expected[i].box};
    pieces->lost = status ? 0 : (uint32_t)lost.count;
    free(lost.expected);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The next bytes of a piece, by way of its buffer when they are few. */
static enum reshard_status fetch(const struct verify_pieces *pieces, uint32_t number,
                                 unsigned char *target, size_t bytes, struct reshard_error *error)
{
    const struct verify_piece *piece = &pieces->piece[number];
    struct verify_cursor *cursor = &pieces->cursor[number];
    const size_t share = AHEAD_ALL / pieces->count;
    const size_t room = share < AHEAD_EACH ? share : AHEAD_EACH;
    enum reshard_status status = RESHARD_OK;

    while (bytes > 0 && !status) {
        const uint64_t left =
            piece->count * reshard_dtype_bytes(tensor_of(pieces)->dtype) - cursor->fetched;
        const size_t ready = cursor->ahead_end - cursor->ahead_begin;
        const size_t take = ready < bytes ? ready : bytes;
        const bool straight = bytes >= room || bytes == left;
        const size_t next = straight ? bytes : left < room ? (size_t)left : room;

        if (ready > 0) {
            memcpy(target, cursor->ahead + cursor->ahead_begin, take);
            cursor->ahead_begin += take;
            target += take;
            bytes -= take;
            continue;
        }
        if (!straight && !cursor->ahead && !(cursor->ahead = malloc(next)))
            return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a tensor's pieces");
        status = verify_checkpoint_read(pieces->checkpoint, piece->file,
                                        straight ? target : cursor->ahead, next,
                                        piece->position + cursor->fetched, error);
        cursor->fetched += next;
        cursor->ahead_begin = 0;
        cursor->ahead_end = straight ? 0 : next;
        bytes -= straight ? bytes : 0;
    }
    return status;
}

/* Go on to a piece's next run; a cursor that has none is at its end. */
static void next_run(struct verify_cursor *cursor)
{
    cursor->ended = !verify_rows_next(&cursor->rows, &cursor->at);
    cursor->left = cursor->rows.run;
    cursor->crc = 0;
}

/* Put a run that has been read behind those before it: between them lies what other pieces have. */
static void end_run(struct verify_cursor *cursor, size_t width)
{
    const uint64_t leap = (cursor->at - cursor->behind) * width;

    if (cursor->runs != 0 && leap != cursor->leap) {
        cursor->leap = leap;
        cursor->power = verify_crc_power(leap);
    }
    cursor->runs = verify_crc_multiply(cursor->runs, cursor->power) ^ cursor->crc;
    cursor->behind = cursor->at;
}

/* A piece has been read to its end: its bytes must have the contribution that its row says. */
static void check_piece(const struct verify_pieces *pieces, uint32_t number,
                        struct verify_report *report)
{
    const struct verify_piece *piece = &pieces->piece[number];
    const struct verify_tensor *tensor = tensor_of(pieces);
    struct verify_cursor *cursor = &pieces->cursor[number];
    const uint64_t behind =
        (verify_tensor_elements(tensor) - cursor->behind) * reshard_dtype_bytes(tensor->dtype);
    const uint64_t contribution = verify_crc_shift(cursor->runs, behind);
    struct verify_finding finding;
    char box[VERIFY_BOX_TEXT_MAX];

    free(cursor->ahead);
    cursor->ahead = NULL;
    if (contribution == piece->contribution)
        return;
    finding = finding_at(pieces, RESHARD_EDIGEST, piece->first, piece);
    verify_box_text(&piece->box, box, sizeof box);
    verify_finding_say(
        &finding, "elements %s contribute %016" PRIx64 ", not %016" PRIx64 ": they are damaged",
        box, contribution, piece->contribution);
    verify_report_add(report, &finding);
}

/* Elements [at, at + count) of a `bool` have been read: each must be 0 or 1. One is named. */
static void check_bools(const struct verify_pieces *pieces, uint32_t number, uint64_t at,
                        const unsigned char *value, uint64_t count, struct verify_report *report)
{
    struct verify_cursor *cursor = &pieces->cursor[number];

    for (uint64_t i = 0; i < count && !cursor->odd; ++i) {
        struct verify_finding finding;

        if (value[i] <= 1)
            continue;
        finding = finding_at(pieces, RESHARD_EFORMAT, at + i, &pieces->piece[number]);
        verify_finding_say(&finding, "element %" PRIu64 ", a bool, is %u, not 0 or 1", at + i,
                           value[i]);
        verify_report_add(report, &finding);
        cursor->odd = true;
    }
}

/* Read what a piece has of elements [begin, end), each to its place in the buffer. */
static enum reshard_status read_piece(const struct verify_pieces *pieces, uint32_t number,
                                      uint64_t begin, uint64_t end, unsigned char *buffer,
                                      struct verify_report *report, struct reshard_error *error)
{
    const struct verify_tensor *tensor = tensor_of(pieces);
    const size_t width = reshard_dtype_bytes(tensor->dtype);
    struct verify_cursor *cursor = &pieces->cursor[number];

    if (!cursor->begun) {
        cursor->begun = true;
        cursor->rows = verify_rows_begin(&pieces->piece[number].box, tensor);
        next_run(cursor);
    }
    while (!cursor->ended && cursor->at < end) {
        const uint64_t count = cursor->left < end - cursor->at ? cursor->left : end - cursor->at;
        unsigned char *target = buffer + (cursor->at - begin) * width;
        const enum reshard_status status = fetch(pieces, number, target, count * width, error);

        if (status)
            return status;
        if (tensor->dtype == RESHARD_DTYPE_BOOL)
            check_bools(pieces, number, cursor->at, target, count, report);
        cursor->crc = verify_crc(cursor->crc, target, count * width);
        cursor->at += count;
        cursor->left -= count;
        if (cursor->left > 0)
            return RESHARD_OK;
        end_run(cursor, width);
        next_run(cursor);
        if (cursor->ended)
            check_piece(pieces, number, report);
    }
    return RESHARD_OK;
}

static void add_unread(const struct verify_pieces *pieces, uint32_t number, uint64_t element,
                       const struct reshard_error *error, struct verify_report *report)
{
    struct verify_finding finding =
        finding_at(pieces, error->status, element, &pieces->piece[number]);

    verify_finding_say(&finding, "%.*s", VERIFY_TEXT_MAX - 1, error->text);
    verify_report_add(report, &finding);
}

void verify_pieces_check(struct verify_pieces *pieces, uint32_t room, void *buffer,
                         struct verify_report *report)
{
    for (uint32_t p = 0; p < pieces->count; ++p) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct verify_cursor *cursor = &pieces->cursor[p];
        uint64_t at = pieces->piece[p].first;

        while (!cursor->ended && !error.status) {
            error.status = read_piece(pieces, p, at, at + room, buffer, report, &error);
            at = cursor->at;
        }
        if (error.status)
            add_unread(pieces, p, at, &error, report);
    }
}

enum reshard_status verify_pieces_read(struct verify_pieces *pieces, uint64_t begin, uint32_t count,
                                       void *buffer, struct verify_report *report)
{
    const size_t width = reshard_dtype_bytes(tensor_of(pieces)->dtype);
    const uint64_t end = begin + count;

    for (uint32_t p = pieces->unread; p < pieces->count && pieces->piece[p].first < end; ++p) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        const enum reshard_status status =
            read_piece(pieces, p, begin, end, buffer, report, &error);

        if (status) {
            error.status = status;
            add_unread(pieces, p, begin, &error, report);
            return status;
        }
    }
    while (pieces->unread < pieces->count && pieces->cursor[pieces->unread].ended)
        pieces->unread += 1;
    pieces->whole_crc = verify_crc(pieces->whole_crc, buffer, count * width);
    return RESHARD_OK;
}

const struct verify_piece *verify_pieces_find(const struct verify_pieces *pieces, uint64_t element,
                                              uint64_t *local)
{
    uint32_t p = 0;

    while (p + 1 < pieces->count &&
           !verify_box_locate(&pieces->piece[p].box, tensor_of(pieces), element, local))
        p += 1;
    (void)verify_box_locate(&pieces->piece[p].box, tensor_of(pieces), element, local);
    return &pieces->piece[p];
}

struct verify_piece *verify_pieces_from(const struct verify_pieces *pieces, uint64_t first)
{
    uint32_t begin = 0;
    uint32_t end = pieces->count;

    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;

        if (pieces->piece[middle].first == first)
            return &pieces->piece[middle];
        if (pieces->piece[middle].first > first)
            end = middle;
        else
            begin = middle + 1;
    }
    return NULL;
}
