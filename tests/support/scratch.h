/*
 * A scratch directory for one test program: made under the working directory, removed with all that
 * is in it at the end. Not shared between ranks unless the caller shares its name.
 */
#ifndef RESHARD_TESTS_SCRATCH_H
#define RESHARD_TESTS_SCRATCH_H

/* Make a directory named after `name`, unique to this process; aborts the test if that fails. The
 * caller frees the path. */
char *scratch_make(const char *name);

/* Remove it, with everything in it, and free the path. */
void scratch_remove(char *path);

#endif
