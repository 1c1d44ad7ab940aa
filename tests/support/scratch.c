#include "support/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *scratch_make(const char *name)
{
    char *path = NULL;

    if (asprintf(&path, RESHARD_BINARY_DIR "/scratch-%s-XXXXXX", name) < 0 || !mkdtemp(path)) {
        fprintf(stderr, "no scratch directory: %s\n", strerror(errno));
        abort();
    }
    return path;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void scratch_remove(char *path)
{
    if (path)
        (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}
