/*
 * A scratch directory for one test program: made in the build tree, wherever the program runs, and
 * removed with all that is in it at the end; that of a test that failed stays there to be looked
 * at. Not shared between ranks unless the caller shares its name.
 */
#ifndef RESHARD_TESTS_SCRATCH_H
#define RESHARD_TESTS_SCRATCH_H

/* Make a directory named after `name`, unique to this process; aborts the test if that fails. The
 * path is absolute, and the caller's to free. */
char *scratch_make(const char *name);

/* Remove it, with everything in it, and free the path. */
void scratch_remove(char *path);

#endif
