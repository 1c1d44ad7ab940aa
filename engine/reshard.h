/*
 * reshard: save, load and reshard the training state of large models, and prove that not one bit
 * was lost or moved. The headers below, in reading order, are the manual.
 *
 * A program opens a group over its communicator, describes its model (names, shapes, dtypes), says
 * how it is laid out over the ranks, binds its memory, and saves or loads:
 *
 *     reshard_group_open     the ranks               parallel/group.h
 *     reshard_model_open     what there is           core/model.h, core/optimizer.h
 *     reshard_groups_open    hyperparameters         core/groups.h, core/rekey.h
 *     reshard_layout_open    who holds what of it    core/formula.h, core/layout.h
 *     reshard_state_open     where it is in memory   parallel/state.h
 *     reshard_save, reshard_load                     parallel/save.h, parallel/load.h
 *     reshard_exchange       from memory to memory   parallel/exchange.h, core/form.h
 *
 * examples/fsdp_checkpoint.c does all of that.
 *
 * A function that returns a status refuses a pointer that is NULL with EINVAL and the argument's
 * name, unless its comment says that NULL will do; `error` always may be NULL. A collective one
 * does so on all ranks, whichever rank it was; only a rank whose group is NULL is alone with it
 * (parallel/group.h). Functions that return anything else do not look: what they are given must be
 * there, and an index below its count.
 */
#ifndef RESHARD_H
#define RESHARD_H

#include "core/device.h"
#include "core/dtype.h"
#include "core/form.h"
#include "core/formula.h"
#include "core/groups.h"
#include "core/layout.h"
#include "core/match.h"
#include "core/mesh.h"
#include "core/model.h"
#include "core/notes.h"
#include "core/optimizer.h"
#include "core/rekey.h"
#include "core/status.h"
#include "parallel/environment.h"
#include "parallel/exchange.h"
#include "parallel/group.h"
#include "parallel/latest.h"
#include "parallel/load.h"
#include "parallel/proof.h"
#include "parallel/report.h"
#include "parallel/save.h"
#include "parallel/state.h"

#endif
