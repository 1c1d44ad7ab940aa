/*
 * The files of a checkpoint, judged without the engine: every rank file keeps to FORMAT.md; every
 * element of every tensor is in exactly one piece; the pieces are those of the layout, each written
 * by the rank that owns it; each piece's bytes have its contribution, and the full tensor, streamed
 * row-major, has the manifest's digest; `index.h5`, where there is one, shows just that. Where an
 * oracle, an expected inventory or another checkpoint is given, every element equals theirs.
 *
 * Tensors are judged by several threads, each with a few MiB, whatever the model's size. A local
 * call; the checkpoint is only read.
 */
#ifndef VERIFY_FILES_H
#define VERIFY_FILES_H

#include "verify/groups.h"
#include "verify/oracle.h"
#include "verify/report.h"

/* Zero is the default throughout. */
struct verify_files_options {
    unsigned threads;                         /* 0: as many as there are processors */
    const struct verify_oracle *oracle;       /* the true values, what is absent, and the step */
    const struct verify_param_groups *groups; /* with an oracle: the optimizer's, at its step */
    const struct verify_inventory *expected;  /* tensors, in order, that must be there, no others */
    const char *against; /* another checkpoint's directory: the same tensors, absent ones included,
                            bytes and optimizer's groups, at any layout; its own digests of tensors
                            are not judged.
                            Findings of it borrow this string */
};

/* Local. Judge into an opened, empty report. The status is that of the report (report.h), the error
 * its foremost finding; ENOMEM when it cannot be judged. */
RESHARD_MUST_CHECK enum reshard_status verify_files(const char *directory,
                                                    const struct verify_files_options *options,
                                                    struct verify_report *report,
                                                    struct reshard_error *error);

#endif
