#include "parallel/carrier.h"

#include <stdlib.h>
#include <string.h>

/* Runs from DIRECT_MIN bytes on are worth a message of their own, straight from and to memory. */
enum { CHUNK_MIN = 4096, CHUNK_MAX = 1 << 30, DIRECT_MIN = 256 * 1024 };

/* ---- a stream: the bytes of some moves, one after the other ---------------------------------- */

/* One side of the moves between two ranks. Both sides step through the same runs, so what the one
 * packs the other unpacks. */
struct stream {
    const struct reshard_state *state;
    bool is_source;
    const struct plan_move *move; /* the next one */
    uint64_t moves;               /* that are left */
    uint64_t bytes;               /* that are left */
    struct reshard_box_runs runs; /* of the move that is under way */
    uint64_t move_bytes;          /* that are left of it */
    char *memory;
    size_t size; /* of an element */
    char *run;   /* what is left of the run that is under way */
    uint64_t left;
};

static size_t move_size(const struct reshard_state *state, const struct plan_move *move)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(state));

    return reshard_dtype_bytes(reshard_model_tensor(model, move->target_tensor)->dtype);
}

static uint64_t bytes_of(const struct reshard_state *state, const struct plan_move *move)
{
    return reshard_box_count(&move->box) * move_size(state, move);
}

static struct stream stream_of(const struct reshard_state *state, bool is_source,
                               const struct plan_move *moves, uint64_t count)
{
    struct stream stream = {.state = state, .is_source = is_source, .move = moves, .moves = count};

    stream.runs.done = true;
    for (uint64_t i = 0; i < count; i++)
        stream.bytes += bytes_of(state, &moves[i]);
    return stream;
}

static void next_move(struct stream *stream)
{
    const struct plan_move *move = stream->move++;
    const uint32_t tensor = stream->is_source ? move->source_tensor : move->target_tensor;
    const uint64_t offset = stream->is_source ? move->source_offset : move->target_offset;

    stream->moves--;
    stream->size = move_size(stream->state, move);
    stream->move_bytes = bytes_of(stream->state, move);
    stream->memory = (char *)reshard_state_data(stream->state, tensor) + offset * stream->size;
    stream->runs = reshard_box_runs(&move->box, &move->source, &move->target);
}

/* Be at a byte that is left; there must be one. */
static void next_run(struct stream *stream)
{
    while (stream->left == 0) {
        while (!reshard_box_runs_next(&stream->runs))
            next_move(stream);
        stream->run =
            stream->memory +
            (stream->is_source ? stream->runs.source : stream->runs.target) * stream->size;
        stream->left = stream->runs.count * stream->size;
    }
}

static void advance(struct stream *stream, uint64_t bytes)
{
    stream->run += bytes;
    stream->left -= bytes;
    stream->move_bytes -= bytes;
    stream->bytes -= bytes;
}

/* The runs of a move, all of one size, are long enough to be sent as they are. */
static bool is_direct(const struct reshard_box_runs *runs, size_t size)
{
    return runs->count * size >= DIRECT_MIN;
}

/* The bytes of the next message, at most a chunk: a long run by itself, or all short ones up to the
 * next long one. Both sides come to the same, because they have the same moves and runs. */
static uint64_t next_message(struct stream *stream, uint64_t chunk)
{
    uint64_t bytes;

    if (stream->bytes == 0)
        return 0;
    next_run(stream);
    if (is_direct(&stream->runs, stream->size))
        return stream->left < chunk ? stream->left : chunk;
    bytes = stream->move_bytes;
    for (uint64_t i = 0; bytes < chunk && i < stream->moves; i++) {
        const struct plan_move *move = &stream->move[i];
        const struct reshard_box_runs runs =
            reshard_box_runs(&move->box, &move->source, &move->target);
        if (is_direct(&runs, move_size(stream->state, move)))
            break;
        bytes += bytes_of(stream->state, move);
    }
    return bytes < chunk ? bytes : chunk;
}

/* The next bytes where they are, if they are in one piece that MPI can reach; NULL if not. */
static char *stream_direct(struct stream *stream, uint64_t bytes)
{
    char *run;

    if (bytes == 0 || reshard_state_device(stream->state))
        return NULL;
    next_run(stream);
    if (stream->left < bytes)
        return NULL;
    run = stream->run;
    advance(stream, bytes);
    return run;
}

/* Copy the next bytes: out of a source into the buffer, out of the buffer into a target. */
static enum reshard_status stream_copy(struct stream *stream, char *buffer, uint64_t bytes)
{
    const struct reshard_device *device = reshard_state_device(stream->state);
    enum reshard_status status = RESHARD_OK;

    while (bytes > 0) {
        uint64_t part;
        next_run(stream);
        part = stream->left < bytes ? stream->left : bytes;
        if (!status) /* after a failure the place in the stream is kept all the same */
            status = stream->is_source ? device_read(device, buffer, stream->run, part)
                                       : device_write(device, stream->run, buffer, part);
        advance(stream, part);
        buffer += part;
        bytes -= part;
    }
    return status;
}

/* ---- peers ----------------------------------------------------------------------------------- */

static int compare_peers(const void *a, const void *b)
{
    const struct leg_peer *left = a, *right = b;

    return (left->distance > right->distance) - (left->distance < right->distance);
}

/* The peers of a plan, whose moves are sorted by rank, by rising distance. */
static enum reshard_status find_peers(const struct plan *plan, uint64_t rank, uint64_t world,
                                      bool outgoing, struct leg_peer **out, uint64_t *count)
{
    struct leg_peer *peers;

    *count = 0;
    for (uint64_t i = 0; i < plan->count; i++)
        *count += i == 0 || plan->move[i].holder != plan->move[i - 1].holder;
    *out = peers = calloc(*count + 1, sizeof *peers);
    if (!peers)
        return RESHARD_ENOMEM;
    *count = 0;
    for (uint64_t i = 0; i < plan->count; i++) {
        const uint64_t other = plan->move[i].holder;
        if (i == 0 || other != plan->move[i - 1].holder)
            peers[(*count)++] = (struct leg_peer){
                .distance = (outgoing ? other + world - rank : rank + world - other) % world,
                .rank = other,
                .first = i};
        peers[*count - 1].count++;
    }
    qsort(peers, *count, sizeof *peers, compare_peers);
    return RESHARD_OK;
}

/* ---- carrying out ---------------------------------------------------------------------------- */

/* Bytes that this rank has itself, run by run where both sides are host memory. */
static enum reshard_status copy_runs(struct stream *from, struct stream *to)
{
    while (from->bytes > 0) {
        uint64_t part;
        next_run(from);
        next_run(to);
        part = from->left < to->left ? from->left : to->left;
        memcpy(to->run, from->run, part);
        advance(from, part);
        advance(to, part);
    }
    return RESHARD_OK;
}

/* The same through the buffer. */
static enum reshard_status copy_staged(struct stream *from, struct stream *to, char *buffer,
                                       uint64_t chunk)
{
    enum reshard_status status = RESHARD_OK;

    while (!status && from->bytes > 0) {
        const uint64_t part = from->bytes < chunk ? from->bytes : chunk;
        status = stream_copy(from, buffer, part);
        if (!status)
            status = stream_copy(to, buffer, part);
    }
    return status;
}

/* What this rank has itself. */
static enum reshard_status copy_own(const struct carrier *carrier, const struct leg *leg,
                                    const struct leg_peer *self)
{
    const struct plan_move *moves = leg->incoming.move + self->first;
    struct stream from = stream_of(carrier->source, true, moves, self->count);
    struct stream to = stream_of(carrier->target, false, moves, self->count);

    if (!reshard_state_device(carrier->source) && !reshard_state_device(carrier->target))
        return copy_runs(&from, &to);
    return copy_staged(&from, &to, carrier->send_buffer, carrier->chunk);
}

/* One message each way, at most. */
static enum reshard_status swap_chunk(struct carrier *carrier, struct stream *out,
                                      struct group_message *send, struct stream *in,
                                      struct group_message *receive, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    char *direct;

    send->count = next_message(out, carrier->chunk);
    receive->count = next_message(in, carrier->chunk);
    send->bytes = stream_direct(out, send->count);
    if (!send->bytes) {
        send->bytes = carrier->send_buffer;
        status = stream_copy(out, send->bytes, send->count);
        carrier->status = reshard_first_failure(carrier->status, status);
    }
    direct = stream_direct(in, receive->count);
    receive->bytes = direct ? direct : carrier->receive_buffer;
    status = group_exchange(carrier->group, send, receive, error);
    if (status)
        return status;
    carrier->sent += send->count;
    carrier->received += receive->count;
    if (!direct)
        carrier->status =
            reshard_first_failure(carrier->status, stream_copy(in, receive->bytes, receive->count));
    return RESHARD_OK;
}

/*
 * All that goes to the rank at some distance and comes from the one as far back. Ranks go through
 * the distances in rising order, and through the messages of each in order, so of those that have
 * got least far each finds its partners where it is: none waits for ever.
 */
static enum reshard_status swap(struct carrier *carrier, const struct leg *leg,
                                const struct leg_peer *to, const struct leg_peer *from,
                                struct reshard_error *error)
{
    struct stream out = stream_of(carrier->source, true, NULL, 0);
    struct stream in = stream_of(carrier->target, false, NULL, 0);
    struct group_message send = {.bytes = NULL}, receive = {.bytes = NULL};
    enum reshard_status status = RESHARD_OK;

    if (to) {
        out = stream_of(carrier->source, true, leg->outgoing.move + to->first, to->count);
        send.rank = to->rank;
    }
    if (from) {
        in = stream_of(carrier->target, false, leg->incoming.move + from->first, from->count);
        receive.rank = from->rank;
    }
    while (!status && (out.bytes > 0 || in.bytes > 0))
        status = swap_chunk(carrier, &out, &send, &in, &receive, error);
    return status;
}

/* Both ways' peers, in step. */
enum reshard_status carrier_go(struct carrier *carrier, const struct leg *leg,
                               struct reshard_error *error)
{
    const struct leg_peer *to = leg->to, *from = leg->from;
    enum reshard_status status = RESHARD_OK;
    uint64_t i = 0, j = 0;

    if (j < leg->from_count && from[j].distance == 0)
        carrier->status =
            reshard_first_failure(carrier->status, copy_own(carrier, leg, &from[j++]));
    while (!status && (i < leg->to_count || j < leg->from_count)) {
        const uint64_t next_to = i < leg->to_count ? to[i].distance : UINT64_MAX;
        const uint64_t next_from = j < leg->from_count ? from[j].distance : UINT64_MAX;
        const uint64_t distance = next_to < next_from ? next_to : next_from;
        status = swap(carrier, leg, next_to == distance ? &to[i] : NULL,
                      next_from == distance ? &from[j] : NULL, error);
        i += next_to == distance;
        j += next_from == distance;
    }
    return status;
}

/* ---- getting ready --------------------------------------------------------------------------- */

/* The bytes of the largest message that peers make; no buffer need be larger. */
static uint64_t largest(const struct carrier *carrier, const struct plan *plan,
                        const struct leg_peer *peers, uint64_t count)
{
    uint64_t most = 0;

    for (uint64_t i = 0; i < count && most < carrier->chunk; i++) {
        const struct stream stream =
            stream_of(carrier->target, false, plan->move + peers[i].first, peers[i].count);
        if (stream.bytes > most)
            most = stream.bytes;
    }
    return most < carrier->chunk ? most : carrier->chunk;
}

enum reshard_status leg_prepare(struct carrier *carrier, struct leg *leg)
{
    const uint64_t rank = reshard_group_rank(carrier->group);
    const uint64_t world = reshard_group_world(carrier->group);
    enum reshard_status status =
        find_peers(&leg->outgoing, rank, world, true, &leg->to, &leg->to_count);
    uint64_t in, out;

    if (!status)
        status = find_peers(&leg->incoming, rank, world, false, &leg->from, &leg->from_count);
    if (status)
        return status;
    in = largest(carrier, &leg->incoming, leg->from, leg->from_count);
    out = largest(carrier, &leg->outgoing, leg->to, leg->to_count);
    if (carrier->receive_bytes < in)
        carrier->receive_bytes = in;
    if (carrier->send_bytes < (in > out ? in : out)) /* what is copied goes through it, too */
        carrier->send_bytes = in > out ? in : out;
    return RESHARD_OK;
}

void leg_release(struct leg *leg)
{
    plan_release(&leg->incoming);
    plan_release(&leg->outgoing);
    free(leg->to);
    free(leg->from);
    *leg = (struct leg){.to = NULL};
}

struct carrier carrier_begin(struct reshard_group *group, const struct reshard_state *source,
                             struct reshard_state *target, uint64_t budget)
{
    const uint64_t half = (budget ? budget : CARRIER_BUDGET_DEFAULT) / 2;

    return (struct carrier){.group = group,
                            .source = source,
                            .target = target,
                            .chunk = half < CHUNK_MIN   ? CHUNK_MIN
                                     : half > CHUNK_MAX ? CHUNK_MAX
                                                        : half};
}

enum reshard_status carrier_allocate(struct carrier *carrier)
{
    carrier->send_buffer = malloc(carrier->send_bytes + 1);
    carrier->receive_buffer = malloc(carrier->receive_bytes + 1);
    return carrier->send_buffer && carrier->receive_buffer ? RESHARD_OK : RESHARD_ENOMEM;
}

void carrier_end(struct carrier *carrier)
{
    host_charge(group_host(carrier->group), RESHARD_WORK_TO_HOST, carrier->sent);
    host_charge(group_host(carrier->group), RESHARD_WORK_TO_DEVICE, carrier->received);
    free(carrier->send_buffer);
    free(carrier->receive_buffer);
    carrier->send_buffer = carrier->receive_buffer = NULL;
}
