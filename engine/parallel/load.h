/*
 * Loading: any checkpoint onto any layout, at any world size. Each rank reads, of the files that
 * hold them, the elements that it has under its own layout, into its own memory, and nothing else.
 *
 * Nothing is believed: every rank proves before reading that its boxes are covered exactly once;
 * every file is held against the manifest and against the layout's formula; and afterwards the
 * digests of what is in memory are held against those recorded from memory at the save, and every
 * replica against its owner. Whatever fails, all ranks return the same status. Memory that was to
 * be loaded is unspecified after a failure; nothing else is touched.
 */
#ifndef RESHARD_LOAD_H
#define RESHARD_LOAD_H

#include "core/groups.h"
#include "core/manifest.h"
#include "core/match.h"
#include "core/store.h"
#include "parallel/group.h"
#include "parallel/report.h"
#include "parallel/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Who reads what several ranks hold. */
enum reshard_reading {
    RESHARD_READ_ONCE,     /* one rank reads each byte and its replicas get it over the network */
    RESHARD_READ_EACH,     /* every rank reads for itself */
    RESHARD_READ_CHEAPEST, /* whichever the rates below let expect to be faster: with few replicas
                              and links slower than the storage there is little in it */
};

/* Zero is the default throughout: strict, and each byte is read once. Equal on all ranks, but for
 * the store. */
struct reshard_load_options {
    enum reshard_part part;
    struct store *store; /* NULL: POSIX files */
    struct reshard_match_options match;
    enum reshard_reading reading;
    double storage_rate; /* bytes a second that all ranks together read; for READ_CHEAPEST */
    double network_rate; /* bytes a second that a rank receives; without both it is READ_ONCE */
    uint64_t budget;     /* of memory for spreading, each rank; 0: 64 MiB */
    struct reshard_groups *groups; /* the loader's own, filled from the checkpoint's by the rules of
                                      reshard_match_options, and as they were after a failure; of
                                      PART_MODEL they only name what was saved by ids. NULL: not
                                      read */
};

/*
 * [collective] Load a part of the checkpoint `directory` into the state's memory. Names, shapes and
 * dtypes of the part must be those of the checkpoint, ties be ties there (or tensors that are
 * equal), but for what `match` asks for by name: EMISMATCH lists every tensor that is missing,
 * unexpected, or differs, and all that does not fit of the groups. Slots that are absent there are
 * absent here afterwards, others of the part that are loaded are not. EFORMAT, ECOVER, EDIGEST: the
 * checkpoint is damaged, and the text names file and tensor. ENOENT: `directory` holds no manifest.
 * `report` may be NULL.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_load(struct reshard_group *group, struct reshard_state *state, const char *directory,
             const struct reshard_load_options *options, struct reshard_report *report,
             struct reshard_error *error);

/* [collective] Read a checkpoint's manifest once and give it to every rank; the caller releases it.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_manifest_read(struct reshard_group *group, struct store *store, const char *directory,
                      struct manifest *out, struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
