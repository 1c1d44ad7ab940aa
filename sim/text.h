/*
 * Text from files and programs on its way to people and to other programs. It may be anything: no
 * UTF-8, a terminal's control sequences, a line of a megabyte. What is printed for people moves no
 * cursor, changes no colour and reorders nothing; each byte of what would do so is shown as \xNN.
 * Characters are those of RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF.
 */
#ifndef RESHARD_SIM_TEXT_H
#define RESHARD_SIM_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The bytes of the character that a text of `bytes` bytes begins with, and its code in `*code`; 0
 * where it begins with no UTF-8. */
size_t text_character(const char *text, size_t bytes, uint32_t *code);

/* Print for people, control characters escaped; the tab alone passes. */
void text_print(FILE *out, const char *text, size_t bytes);

/* The columns that text_print() takes for a whole text. */
size_t text_columns(const char *text);

/* A text in JSON, whatever its bytes are: each that is no UTF-8 is \xNN there, four characters;
 * null for NULL. NULL without memory. */
json_t *text_json(const char *text);

/* The bytes of what text_print() prints at once at the start of a text, and the columns that it
 * takes: a character, or a byte escaped. `bytes` is not 0; a tab counts as one column. */
size_t text_step(const char *text, size_t bytes, size_t *columns);

/* "1 rank", "2 ranks"; returns `text`. */
char *text_plural(uint64_t count, const char *noun, char *text, size_t size);

#endif
