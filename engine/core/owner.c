#include "core/owner.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { FIELD_MAX = 160 };

struct owner {
    char host[FIELD_MAX];      /* its name, and its machine id: names alone are not unique */
    char boot[FIELD_MAX];      /* a UUID of the kernel */
    char container[FIELD_MAX]; /* the namespace in which the process id counts */
    intmax_t process;
    uint64_t start; /* in the kernel's ticks since the boot */
};

/* The first word of a file, "-" where there is none. */
static void read_word(const char *path, char out[64])
{
    FILE *file = fopen(path, "re");

    if (!file || fscanf(file, "%63s", out) != 1)
        memcpy(out, "-", 2);
    if (file)
        fclose(file);
}

/* When a process started (proc(5): field 22, the name in field 2 may hold anything); 0 where the
 * system does not say. */
static uint64_t start_of(intmax_t process)
{
    char path[64], line[1024], *at;
    uint64_t start = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%" PRIdMAX "/stat", process);
    file = fopen(path, "re");
    at = file && fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at && sscanf(at, "%" SCNu64, &start) != 1)
        start = 0;
    if (file)
        fclose(file);
    return start;
}

static void owner_of_this_process(struct owner *out)
{
    struct utsname system = {.nodename = "-"};
    char machine[64], boot[64];
    ssize_t length;

    (void)!uname(&system);
    read_word("/etc/machine-id", machine);
    read_word("/proc/sys/kernel/random/boot_id", boot);
    snprintf(out->host, sizeof out->host, "%.80s/%s", system.nodename, machine);
    snprintf(out->boot, sizeof out->boot, "%s", boot);
    length = readlink("/proc/self/ns/pid", out->container, sizeof out->container - 1);
    if (length <= 0)
        memcpy(out->container, "-", (size_t)(length = 1));
    out->container[length] = '\0';
    out->process = getpid();
    out->start = start_of(out->process);
}

void owner_print(char out[OWNER_TEXT_MAX])
{
    struct owner owner;

    owner_of_this_process(&owner);
    snprintf(out, OWNER_TEXT_MAX, "%s %s %s %" PRIdMAX " %" PRIu64, owner.host, owner.boot,
             owner.container, owner.process, owner.start);
}

enum owner_state owner_ask(const char *line)
{
    struct owner self, owner;
    uint64_t start;

    owner_of_this_process(&self);
    if (sscanf(line, "%159s %159s %159s %" SCNdMAX " %" SCNu64, owner.host, owner.boot,
               owner.container, &owner.process, &owner.start) != 5 ||
        strcmp(owner.host, self.host) != 0 || owner.process <= 0)
        return OWNER_UNKNOWN;
    if (strcmp(owner.boot, self.boot) != 0)
        return owner.boot[0] != '-' && self.boot[0] != '-' ? OWNER_DEAD : OWNER_UNKNOWN;
    if (strcmp(owner.container, self.container) != 0)
        return OWNER_UNKNOWN;
    if (kill((pid_t)owner.process, 0) && errno == ESRCH)
        return OWNER_DEAD;
    start = start_of(owner.process);
    return start && owner.start && start != owner.start ? OWNER_DEAD : OWNER_LIVES;
}
