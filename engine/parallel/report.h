/* What a save, a load or an exchange did. */
#ifndef RESHARD_REPORT_H
#define RESHARD_REPORT_H

#include "core/model.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The same on all ranks. Payload is the bytes of tensors, without metadata and padding. */
struct reshard_report {
    uint64_t step;           /* of the state; not of an exchange */
    uint64_t files;          /* ranks' files written, or distinct files read from */
    uint64_t bytes_unique;   /* payload: all elements of all tensors concerned, once */
    uint64_t bytes_moved;    /* payload asked of the store, over all ranks, before alignment */
    uint64_t bytes_sent;     /* payload that went from rank to rank, over all ranks */
    uint64_t bytes_lacking;  /* payload that ranks needed and neither had nor read: the least that
                                could be sent */
    uint64_t tensors;        /* loaded, saved or moved */
    uint64_t tensors_cast;   /* of them, cast on the way, as asked by name */
    uint64_t tensors_kept;   /* of a load: left as they were, as asked by name or by their role */
    uint64_t tensors_unread; /* of a load: of the checkpoint's, unknown here and passed over, as
                                asked by name */
    uint64_t tensors_absent; /* of a save, of them; of a load or exchange, besides: slots that are
                                absent */
    uint64_t values_kept;    /* of a load: hyperparameters that the checkpoint lacks, left as they
                                were, as asked by name */
    uint64_t values_added;   /* of a load: hyperparameters that the loader did not have */
    uint64_t groups_unread;  /* of a load of optimizer state: param groups and entries of the
                                checkpoint that were not asked for */
    uint64_t metadata_operations; /* of a save: what storage was asked for besides bytes, over all
                                     ranks (core/store_counted.h) */
    uint64_t diverged; /* of a save: tensors whose replicas differ from what was written */
    char diverged_text[RESHARD_TENSOR_TEXT_MAX]; /* the first of them, and the rank; or "" */
    char index_text[RESHARD_ERROR_TEXT_MAX];     /* of a save that was asked for an index: why there
                                                    is none, though the checkpoint is whole; or "" */
};

#ifdef __cplusplus
}
#endif

#endif
