#include "core/json_read.h"

#include <errno.h>
#include <string.h>

/* What the parser is fed: an array of a long string, on a line of its own, and the text. */
struct feed {
    const char *text;
    size_t bytes;
    size_t filler; /* bytes of the long string */
    size_t at;     /* of all that is fed */
};

static const char opening[] = "[\"", between[] = "\",\n", closing[] = "]";

/* Copy a part of what begins `begin` bytes into all that is fed; NULL stands for 'x'. */
static size_t copy_part(const struct feed *feed, char *out, size_t room, size_t begin,
                        const char *part, size_t bytes)
{
    const size_t done = feed->at - begin;
    const size_t count = bytes - done < room ? bytes - done : room;

    if (part)
        memcpy(out, part + done, count);
    else
        memset(out, 'x', count);
    return count;
}

static size_t next_bytes(void *out, size_t room, void *data)
{
    struct feed *feed = data;
    const struct {
        const char *part;
        size_t bytes;
    } parts[] = {{opening, sizeof opening - 1},
                 {NULL, feed->filler},
                 {between, sizeof between - 1},
                 {feed->text, feed->bytes},
                 {closing, sizeof closing - 1}};
    size_t filled = 0, begin = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const size_t end = begin + parts[i].bytes;
        if (filled < room && feed->at < end) {
            const size_t count = copy_part(feed, (char *)out + filled, room - filled, begin,
                                           parts[i].part, parts[i].bytes);
            filled += count;
            feed->at += count;
        }
        begin = end;
    }
    return filled;
}

/* All that is fed. */
static size_t feed_bytes(const struct feed *feed)
{
    return sizeof opening - 1 + feed->filler + sizeof between - 1 + feed->bytes + sizeof closing -
           1;
}

/* The longest string or number that the text can have, and how many objects and arrays. */
static void measure(const char *text, size_t bytes, size_t *longest, size_t *values)
{
    size_t length = 0;

    *longest = *values = 0;
    for (size_t i = 0; i < bytes; i++) {
        const char c = text[i];
        *values += c == '{' || c == '[';
        length = c == '"' && (i == 0 || text[i - 1] != '\\') ? 0 : length + 1;
        if (length > *longest)
            *longest = length;
    }
}

/* The second element of the array, to be released by the caller; NULL when it is not one of two. */
static json_t *take_text(json_t *array, size_t filler, enum reshard_status *status)
{
    json_t *value = NULL;

    *status = json_string_length(json_array_get(array, 0)) == filler ? RESHARD_OK : RESHARD_ENOMEM;
    if (!*status && json_array_size(array) == 2)
        value = json_incref(json_array_get(array, 1));
    json_decref(array);
    return value;
}

enum reshard_status json_read(json_t **out, const char *text, size_t bytes, const char *name,
                              struct reshard_error *error)
{
    struct feed feed = {.text = text, .bytes = bytes};
    enum reshard_status status = RESHARD_OK;
    json_error_t fault;
    json_t *array;
    size_t values;

    *out = NULL;
    measure(text, bytes, &feed.filler, &values);
    if (values > bytes / JSON_READ_BYTES_PER_VALUE + JSON_READ_VALUES_FREE)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: has %zu objects and arrays, more than one for each %d bytes",
                                 name, values, JSON_READ_BYTES_PER_VALUE);
    /* The parser keeps the room that the long string needed, so that no later one makes it grow. */
    errno = 0;
    array = json_load_callback(next_bytes, &feed, JSON_REJECT_DUPLICATES, &fault);
    if (!array && (errno == ENOMEM || json_error_code(&fault) == json_error_out_of_memory))
        return RESHARD_ENOMEM;
    if (!array && feed.at == feed_bytes(&feed) && (size_t)fault.position == feed.at)
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: its JSON ends too early", name);
    if (!array)
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: line %d, column %d: %s", name,
                                 fault.line - 1, fault.column, fault.text);
    *out = take_text(array, feed.filler, &status);
    if (!status && !*out)
        status = reshard_error_set(error, RESHARD_EFORMAT, "%s: more than one JSON value", name);
    return status;
}
