#include "sim/json_text.h"

#include <stdlib.h>
#include <string.h>

void json_text_set(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) == 0)
        return;
    json_decref(*object);
    *object = NULL;
}

void json_text_append(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, value) == 0)
        return;
    json_decref(*array);
    *array = NULL;
}

/* Text that grows; the first failure sticks. */
struct growing {
    char *text;
    size_t bytes;
    size_t room;
    bool failed;
};

static int grow(const char *bytes, size_t count, void *data)
{
    struct growing *to = data;
    if (!to->failed && count >= to->room - to->bytes) {
        const size_t room = 2 * (to->bytes + count) + 256;
        char *text = realloc(to->text, room);
        to->failed = !text;
        to->text = text ? text : to->text;
        to->room = text ? room : to->room;
    }
    if (to->failed)
        return -1;
    memcpy(to->text + to->bytes, bytes, count);
    to->bytes += count;
    to->text[to->bytes] = '\0';
    return 0;
}

char *json_text_print(const json_t *value, size_t flags)
{
    struct growing to = {NULL, 0, 0, false};
    if (value && json_dump_callback(value, grow, &to, flags) == 0 && !to.failed)
        return to.text;
    free(to.text);
    return NULL;
}

bool json_text_write(const json_t *value, FILE *out, size_t flags)
{
    char *text = json_text_print(value, flags);
    const bool written = text && fputs(text, out) != EOF && fputc('\n', out) != EOF;
    free(text);
    return written && !ferror(out);
}
