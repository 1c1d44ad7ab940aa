/*
 * One checkpoint's directory, entry by entry: the manifest and its layout, the token, every rank's
 * file by itself, the index, and what should not be there. What is wrong becomes a finding, one for
 * each entry: that of a file which cannot be used says how much of the state it must have had, and
 * the tensors' own findings do not repeat it. Local.
 */
#ifndef VERIFY_DIRECTORY_H
#define VERIFY_DIRECTORY_H

#include "verify/decoder.h"
#include "verify/report.h"

struct verify_directory {
    const char *label; /* to name in findings; NULL for the one that is judged; borrowed */
    struct verify_checkpoint *checkpoint;
    struct verify_rules *rules;
    uint32_t *lost; /* files that are not usable */
    uint32_t lost_count;
    bool lost_many; /* too many to tell for each tensor what of it is theirs */
};

/* Local. Read the manifest and settle its layout; a fault in them is a finding, and then the rules
 * are NULL. ENOMEM. verify_directory_close() ends it in any case. */
RESHARD_MUST_CHECK enum reshard_status verify_directory_open(struct verify_directory *out,
                                                             const char *path, const char *label,
                                                             struct verify_report *report,
                                                             struct reshard_error *error);
void verify_directory_close(struct verify_directory *directory);

/* Local. Judge the ranks' files, which are decoded by it. No other thread may be inside the
 * verifier. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_directory_files(struct verify_directory *directory,
                                                              struct verify_report *report,
                                                              struct reshard_error *error);

/* Local. Then judge all other entries, the index among them. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status
verify_directory_others(const struct verify_directory *directory, struct verify_report *report,
                        struct reshard_error *error);

#endif
