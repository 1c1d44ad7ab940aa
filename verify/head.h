/*
 * The head of a rank's file as ordinary HDF5 tools see it (FORMAT.md section 3): the attributes and
 * datasets that must be there, by hard links, of the right types, each where the trailer says.
 * Nothing of a checkpoint depends on it but what people see. To be called in a child (ordinary.h):
 * libhdf5 may crash, hang or exit on bytes that were made for it to.
 */
#ifndef VERIFY_HEAD_H
#define VERIFY_HEAD_H

#include "verify/decoder.h"

/* Judge the head of a usable file. EFORMAT, naming what is wrong, for the first thing that is not
 * as specified; EIO. */
RESHARD_MUST_CHECK enum reshard_status verify_head_judge(const struct verify_checkpoint *checkpoint,
                                                         uint32_t file,
                                                         struct reshard_error *error);

#endif
