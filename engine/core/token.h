/*
 * A token: 128 random bits, drawn anew for each save, as 32 lower-case hexadecimal digits. It names
 * the staging directory, which so is never used twice, and stands in the file `token` of the
 * checkpoint, in its manifest and in its other files: what carries one token belongs together.
 */
#ifndef RESHARD_TOKEN_H
#define RESHARD_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RESHARD_TOKEN_DIGITS = 32,
    RESHARD_TOKEN_BYTES = 33, /* with the final zero */
    RESHARD_TOKEN_RANDOM = 16 /* random bytes that make one */
};

/* Local. The token that these random bytes make. */
void token_print(const unsigned char random[RESHARD_TOKEN_RANDOM], char out[RESHARD_TOKEN_BYTES]);

/* Local. Whether a text of that many bytes is a token and nothing else; `out` is it then, and ""
 * otherwise. The text need not end in a zero. */
bool token_parse(const char *text, size_t bytes, char out[RESHARD_TOKEN_BYTES]);

/* Local. Of two tokens; the empty one, which is none, equals nothing. */
bool token_equal(const char a[RESHARD_TOKEN_BYTES], const char b[RESHARD_TOKEN_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
