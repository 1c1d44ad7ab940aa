/*
 * Matching: which tensor of a checkpoint fills which of a model. Strict: whatever is missing,
 * unexpected, of another shape or dtype is listed, all at once; leniency is asked for by name, and
 * for those names alone.
 */
#ifndef RESHARD_MATCH_H
#define RESHARD_MATCH_H

#include "core/manifest.h"
#include "core/rename.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Zero is the default throughout: nothing is lenient. The lists are of patterns of the model's
 * FQNs (`unexpected`: the checkpoint's, after renaming), each with its length. Slots go by the FQN
 * of their parameter, or are named themselves, as `FQN:SLOT`. They are cast only if they are named
 * themselves: whoever wants bf16 weights of f32 ones does not thereby want bf16 moments. Of several
 * renames the first that matches counts.
 *
 * A new model, and what happens unless it is named:
 *   other units, alignment, orig_params, world   nothing: none of it is part of what is saved
 *   a parameter added, or unfrozen               it, or its state, is `missing`; named, it is left
 *                                                as it is: what is absent stays absent
 *   a parameter removed, or frozen               it, or its state, is `unexpected`
 *   a parameter renamed                          both, unless `rename` says how
 *   another optimizer                            its slots are missing, the others unexpected
 *   a slot of another class, block or dtype      differs, always; its dtype, unless `cast`
 *   a state that is absent in the checkpoint     nothing: it is absent here, too
 *   `step` that differs within a unit            nothing: each parameter has its own
 *
 * Param groups that a load fills (core/groups.h) are known by name, in whatever order. Each must be
 * there on both sides with the same members in the same order, but for members that are `missing`
 * or `unexpected`, after `rename`; members that were saved by ids are those at that place in the
 * loader's group of that name. The checkpoint's values replace the loader's, of which they must be
 * of a kind: bool, integer and number are three, None is of every one. Values that the loader has
 * not are added. The same of entries, but that these are added too, and their values may be of any
 * kind.
 */
struct reshard_match_options {
    const struct reshard_rename *rename;
    uint32_t rename_count;
    const char *const *cast; /* may differ in dtype: floats are cast, each rounded once; a slot as
                                FQN:SLOT */
    uint32_t cast_count;
    const char *const *missing; /* may be absent in the checkpoint: memory is left as it is */
    uint32_t missing_count;
    const char *const *unexpected; /* may be in the checkpoint alone: they are passed over */
    uint32_t unexpected_count;
    const char *const *keep_values; /* values, as GROUP:KEY or ENTRY:KEY, that the loader has and
                                       the checkpoint may lack: they are left as they are */
    uint32_t keep_values_count;
    const char *const *untie; /* may be a second name in the checkpoint: they get a copy */
    uint32_t untie_count;
};

/* ---- for the engine's own use ---------------------------------------------------------------- */

enum { MATCH_SKIP = UINT32_MAX };

/* The part of a tensor that a load concerns, as reshard_part_has() says (parallel/state.h). */
typedef bool match_wanted(int part, const struct reshard_tensor *tensor);

struct match {
    uint32_t *from; /* by tensor of the model: the checkpoint's, or MATCH_SKIP */
    bool *cast;     /* by tensor of the model: the dtypes differ */
    bool *wrapped;  /* by tensor of the model: rows of another world wrap around */
    uint64_t cast_count;
    uint64_t kept;   /* tensors of the model that are left as they are */
    uint64_t unread; /* tensors of the checkpoint that are passed over */
};

#define MATCH_INIT                                                                                 \
    {                                                                                              \
        NULL, NULL, NULL, 0, 0, 0                                                                  \
    }

/*
 * Local. Match what `wanted` says of a part. `groups`, the loader's, name what the checkpoint has
 * by ids; NULL: nothing does. `directory` is the checkpoint's, for messages. EINVAL for options
 * that cannot be; EMISMATCH with a line for each tensor that does not fit. A tie of the model must
 * be one in the checkpoint, or a tensor of the same digest there.
 */
RESHARD_MUST_CHECK enum reshard_status
match_tensors(struct match *out, const struct reshard_model *model, const struct manifest *manifest,
              const struct reshard_groups *groups, const struct reshard_match_options *options,
              match_wanted *wanted, int part, const char *directory, struct reshard_error *error);
void match_release(struct match *match);

/* Local. Whether options can be used: EINVAL names a pattern that is none. */
RESHARD_MUST_CHECK enum reshard_status
match_check_options(const struct reshard_match_options *options, struct reshard_error *error);

/* Local. CRC-64/XZ of the options: ranks agree on them by this number. */
uint64_t match_options_hash(const struct reshard_match_options *options);

#ifdef __cplusplus
}
#endif

#endif
