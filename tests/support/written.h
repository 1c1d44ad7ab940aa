/*
 * Scenarios written out in a test: a text goes into a file of a fresh folder and is opened from
 * there, and what is said of it is taken from a memory stream.
 */
#ifndef RESHARD_TESTS_WRITTEN_H
#define RESHARD_TESTS_WRITTEN_H

#include "sim/scenario.h"

/* A folder for the files, and its end: fixtures of a test case, unchecked. */
void written_begin(void);
void written_end(void);

/* The path of the file that is written. */
const char *written_path(void);

void written_write(const char *text);

/* Open a scenario of that text; `*messages` is to be freed. */
enum reshard_status written_open(const char *text, struct scenario **out, char **messages);

/* The same of a text that must be valid. */
struct scenario *written_valid(const char *text);

/* The messages without source lines and without the file's name: "LINE:COLUMN: error: TEXT\n". */
char *written_heads(const char *messages);

/* Assert that a text is refused with exactly these heads. */
void written_refused(const char *text, const char *heads);

#endif
