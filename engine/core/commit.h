/*
 * The commit: from durable files in a staging directory to a visible checkpoint. What one rank does
 * once all agree that their part is written: it writes the manifest, looks whether what lies in
 * that very directory is what it says, and only then renames.
 */
#ifndef RESHARD_COMMIT_H
#define RESHARD_COMMIT_H

#include "core/manifest.h"
#include "core/staging.h"

/*
 * Local, one rank. The manifest is read back and decoded, and must be the one that was meant; every
 * file that it lists must be in the directory (that it has its size, who wrote it has seen). EIO,
 * with the file, when something is not; nothing is visible then. Otherwise as staging_publish().
 */
RESHARD_MUST_CHECK enum reshard_status commit_publish(struct staging *staging, struct store *store,
                                                      const struct manifest *manifest,
                                                      struct reshard_error *error);

/* Local, every rank that wrote a file: that under its path in the directory is a regular file of
 * that size. EIO when not. */
RESHARD_MUST_CHECK enum reshard_status commit_check_file(const struct staging *staging,
                                                         struct store *store, const char *name,
                                                         uint64_t bytes,
                                                         struct reshard_error *error);

#endif
