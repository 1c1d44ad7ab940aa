#include "cli/place.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first of the places, absolute or relative to the running file's folder, that exists. */
static char *find(const char *const *places, size_t count)
{
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length <= 0)
        return NULL;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    for (size_t i = 0; i < count; i++) {
        char *path = NULL;
        const bool absolute = places[i][0] == '/';
        if (asprintf(&path, "%s%s%s", absolute ? "" : self, absolute ? "" : "/", places[i]) < 0)
            return NULL;
        if (access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

char *place_rank_program(bool simulated)
{
    static const char *const simulation[] = {"reshard-rank-sim.so",
                                             "../libexec/reshard/reshard-rank-sim.so"};
    static const char *const reality[] = {"reshard-rank-mpi",
                                          "../libexec/reshard/reshard-rank-mpi"};
    return find(simulated ? simulation : reality, 2);
}

char *place_scenarios(void)
{
    static const char *const places[] = {"../share/reshard/scenarios", "../scenarios",
                                         RESHARD_SOURCE_SCENARIOS};
    return find(places, 3);
}
