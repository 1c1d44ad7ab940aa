#include "support/written.h"

#include "support/scratch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char *folder;
static char path[256];

void written_begin(void)
{
    folder = scratch_make("written");
    (void)snprintf(path, sizeof(path), "%s/case.yaml", folder);
}

void written_end(void)
{
    scratch_remove(folder);
}

const char *written_path(void)
{
    return path;
}

void written_write(const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

enum reshard_status written_open(const char *text, struct scenario **out, char **messages)
{
    size_t size = 0;
    FILE *stream = open_memstream(messages, &size);
    ck_assert_ptr_nonnull(stream);
    written_write(text);
    const enum reshard_status status =
        scenario_open(out, path, RESHARD_SOURCE_DIR "/scenarios", NULL, stream);
    ck_assert_int_eq(fclose(stream), 0);
    return status;
}

struct scenario *written_valid(const char *text)
{
    struct scenario *scenario = NULL;
    char *messages = NULL;
    const enum reshard_status status = written_open(text, &scenario, &messages);
    ck_assert_msg(status == RESHARD_OK, "%s", messages);
    ck_assert_str_eq(messages, "");
    free(messages);
    return scenario;
}

char *written_heads(const char *messages)
{
    char *heads = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&heads, &size);
    for (const char *line = messages; *line; line += strcspn(line, "\n") + 1) {
        if (strncmp(line, path, strlen(path)) == 0)
            (void)fprintf(stream, "%.*s\n", (int)(strcspn(line, "\n") - strlen(path) - 1),
                          line + strlen(path) + 1);
    }
    ck_assert_int_eq(fclose(stream), 0);
    return heads;
}

void written_refused(const char *text, const char *heads)
{
    struct scenario *scenario = NULL;
    char *messages = NULL;
    ck_assert_int_eq(written_open(text, &scenario, &messages), RESHARD_EINVAL);
    ck_assert_ptr_null(scenario);
    char *said = written_heads(messages);
    ck_assert_str_eq(said, heads);
    free(said);
    free(messages);
}
