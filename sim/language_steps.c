/* The tables of steps: layouts, verbs, and what is expected of them. */
#include "sim/language.h"

#include "core/optimizer.h"
#include "core/placement.h"

enum { RANKS_MAX = 10000000, TRAIN_MAX = 1000000 };

#define AT(object, member) .offset = offsetof(struct language_##object, member)
#define END                                                                                        \
    {                                                                                              \
        .key = NULL                                                                                \
    }

/* Of a list's elements only the type matters. */
static const struct schema_field any_size = {.key = "size", .type = SCHEMA_COUNT, .least = 1};
static const struct schema_field any_boxes = {
    .key = "boxes", .type = SCHEMA_TEXT, .may_be_empty = true};

/* Layouts. */

static const struct schema_field mesh_fields[] = {
    {.key = "pipeline",
     .type = SCHEMA_COUNT,
     AT(mesh, pipeline),
     .least = 1,
     .most = RANKS_MAX,
     .about = "Stages over which the units are dealt out; 1 when absent."},
    {.key = "replicate",
     .type = SCHEMA_COUNT,
     AT(mesh, replicate),
     .least = 1,
     .most = RANKS_MAX,
     .about = "Replicas of the whole state; what is over when absent, if shard is given or none."},
    {.key = "shard",
     .type = SCHEMA_COUNT,
     AT(mesh, shard),
     .least = 1,
     .most = RANKS_MAX,
     .about = "Ranks over which fsdp1 and fsdp2 cut the state; what is over when absent."},
    {.key = "expert",
     .type = SCHEMA_COUNT,
     AT(mesh, expert),
     .least = 1,
     .most = RANKS_MAX,
     .about = "Groups of experts; for all other tensors a part of shard; 1 when absent."},
    {.key = "tensor",
     .type = SCHEMA_COUNT,
     AT(mesh, tensor),
     .least = 1,
     .most = RANKS_MAX,
     .about = "Ranks that share single tensors, as rules say; 1 when absent."},
    END,
};
static const struct schema_object mesh = {
    .title = "the mesh",
    .bytes = sizeof(struct language_mesh),
    .field = mesh_fields,
};

static const struct schema_field rule_fields[] = {
    {.key = "pipeline",
     .type = SCHEMA_TEXT,
     AT(rule, pipeline),
     .about = "Who has it: whole (every stage), at K (stage K), of N (it is entry {i} of N)."},
    {.key = "shard",
     .type = SCHEMA_TEXT,
     AT(rule, shard),
     .about = "How the data coordinates have it: a dimension to cut, or whole."},
    {.key = "expert",
     .type = SCHEMA_TEXT,
     AT(rule, expert),
     .about = "Who has it: a dimension to cut, whole, at K, of N (it is expert {i} of N)."},
    {.key = "tensor",
     .type = SCHEMA_TEXT,
     AT(rule, tensor),
     .about = "How the tensor coordinates have it: a dimension to cut, or whole."},
    {.key = "sections",
     .type = SCHEMA_LIST,
     AT(rule, sections),
     .least = 2,
     .most = RESHARD_SECTIONS_MAX,
     .element = &any_size,
     .about = "Sizes of the parts of the dimension that tensor cuts, such as q, k and v."},
    {.key = "boxes",
     .type = SCHEMA_LIST,
     AT(rule, boxes),
     .least = 1,
     .element = &any_boxes,
     .about = "For each rank its boxes, such as '0:4, 0:8; 6:8, 0:8', or nothing."},
    END,
};
static const struct schema_object rule = {
    .title = "a rule",
    .bytes = sizeof(struct language_rule),
    .field = rule_fields,
};

static const char *const layout_words[] = {"fsdp1", "fsdp2", "ddp", "boxes", NULL};
static const struct schema_field layout_fields[] = {
    {.key = "kind",
     .type = SCHEMA_WORD,
     AT(layout, kind),
     .required = true,
     .words = layout_words,
     .about = "fsdp1: flat parameters; fsdp2: every parameter cut on a dimension; ddp: replicas; "
              "boxes: as its tensors say."},
    {.key = "mesh",
     .type = SCHEMA_OBJECT,
     AT(layout, mesh),
     .object = &mesh,
     .about = "Sizes of the mesh dimensions; their product and the idle ranks are the ranks."},
    {.key = "dim",
     .type = SCHEMA_COUNT,
     AT(layout, dim),
     .fallback = "0",
     .most = RESHARD_DIMS_MAX - 1,
     .about = "Of fsdp2: the dimension to cut; tensors of fewer are cut on their last."},
    {.key = "orig_params",
     .type = SCHEMA_BOOL,
     AT(layout, orig_params),
     .fallback = "false",
     .about = "fsdp1's use_orig_params: parameters are aligned, the flat one is padded."},
    {.key = "forward",
     .type = SCHEMA_DTYPE,
     AT(layout, forward),
     .dtype_allowed = reshard_optimizer_trains,
     .about = "With orig_params: the forward dtype, whose 16 bytes are the alignment."},
    {.key = "owner",
     .type = SCHEMA_COUNT,
     AT(layout, owner),
     .most = RANKS_MAX,
     .about = "The replica whose copies are written; balanced over all when absent."},
    {.key = "idle",
     .type = SCHEMA_COUNT,
     AT(layout, idle),
     .fallback = "0",
     .most = RANKS_MAX,
     .about = "Ranks beyond the mesh, which hold nothing."},
    {.key = "tensors",
     .type = SCHEMA_MAP,
     AT(layout, tensors),
     .object = &rule,
     .about = "Rules for single tensors, by a pattern of their names with * and {i}."},
    END,
};
static const struct schema_object layout = {
    .title = "the layout",
    .bytes = sizeof(struct language_layout),
    .field = layout_fields,
    .shorthand = "kind",
};

/* Steps. */

static const struct schema_field start_fields[] = {
    {.key = "ranks",
     .type = SCHEMA_COUNT,
     AT(start, ranks),
     .required = true,
     .least = 1,
     .most = RANKS_MAX,
     .about = "Size of the new world."},
    {.key = "layout",
     .type = SCHEMA_OBJECT,
     AT(start, layout),
     .required = true,
     .object = &layout,
     .about = "How the state lies on the ranks."},
    END,
};
static const struct schema_object start = {
    .title = "a start",
    .bytes = sizeof(struct language_start),
    .field = start_fields,
};

static const struct schema_field save_fields[] = {
    {.key = "name",
     .type = SCHEMA_NAME,
     AT(save, name),
     .required = true,
     .about = "The new checkpoint's name."},
    END,
};
static const struct schema_object save = {
    .title = "a save",
    .bytes = sizeof(struct language_save),
    .field = save_fields,
    .shorthand = "name",
};

static const char *const reading_words[] = {"once", "each", "cheapest", NULL};
static const struct schema_field load_fields[] = {
    {.key = "name",
     .type = SCHEMA_NAME,
     AT(load, name),
     .required = true,
     .about = "The checkpoint; latest: the one with the highest training step."},
    {.key = "reading",
     .type = SCHEMA_WORD,
     AT(load, reading),
     .fallback = "once",
     .words = reading_words,
     .about = "Who reads what several ranks hold: one for all, each for itself, or as is faster."},
    END,
};
static const struct schema_object load = {
    .title = "a load",
    .bytes = sizeof(struct language_load),
    .field = load_fields,
    .shorthand = "name",
};

static const struct schema_field reshard_fields[] = {
    {.key = "ranks",
     .type = SCHEMA_COUNT,
     AT(start, ranks),
     .least = 1,
     .most = RANKS_MAX,
     .about = "The first so many ranks of the world have the state then; all when absent."},
    {.key = "layout",
     .type = SCHEMA_OBJECT,
     AT(start, layout),
     .required = true,
     .object = &layout,
     .about = "How the state lies on the ranks from here on."},
    END,
};
static const struct schema_object reshard = {
    .title = "a reshard",
    .bytes = sizeof(struct language_start),
    .field = reshard_fields,
};

static const char *const form_words[] = {"full", "sharded", "local", NULL};
static const struct schema_field transform_fields[] = {
    {.key = "model",
     .type = SCHEMA_WORD,
     AT(transform, model),
     .words = form_words,
     .about = "The form into which all but the optimizer's states are carried, and back."},
    {.key = "optimizer",
     .type = SCHEMA_WORD,
     AT(transform, optimizer),
     .words = form_words,
     .about = "The form into which the optimizer's states are carried, and back."},
    {.key = "rank0_only",
     .type = SCHEMA_BOOL,
     AT(transform, rank0_only),
     .fallback = "false",
     .about = "The full form is on rank 0 alone."},
    END,
};
static const struct schema_object transform = {
    .title = "a transform",
    .bytes = sizeof(struct language_transform),
    .field = transform_fields,
};

static const struct schema_field verify_fields[] = {
    {.key = "step",
     .type = SCHEMA_COUNT,
     AT(verify, step),
     .required = true,
     .about = "The training step whose state every rank must hold, bit for bit."},
    END,
};
static const struct schema_object verify = {
    .title = "a verify",
    .bytes = sizeof(struct language_verify),
    .field = verify_fields,
};

static const struct schema_field seconds_fields[] = {
    {.key = "at_most", .type = SCHEMA_NUMBER, AT(seconds, at_most), .about = "Upper bound."},
    {.key = "at_least", .type = SCHEMA_NUMBER, AT(seconds, at_least), .about = "Lower bound."},
    END,
};
static const struct schema_object seconds = {
    .title = "the bounds",
    .bytes = sizeof(struct language_seconds),
    .field = seconds_fields,
};

static const char *const outcome_words[] = {"ok", "refused", "damaged", NULL};
static const struct schema_field expect_fields[] = {
    {.key = "outcome",
     .type = SCHEMA_WORD,
     AT(expect, outcome),
     .fallback = "ok",
     .words = outcome_words,
     .about = "ok; refused: an error that says no; damaged: a checkpoint found broken."},
    {.key = "message",
     .type = SCHEMA_TEXT,
     AT(expect, message),
     .about = "Must occur in the step's message."},
    {.key = "loaded",
     .type = SCHEMA_NAME,
     AT(expect, loaded),
     .about = "Of a load: the checkpoint that it took."},
    {.key = "read_amplification",
     .type = SCHEMA_NUMBER,
     AT(expect, read_amplification),
     .least = 1,
     .about = "Of a load: payload bytes read over unique ones, at most this."},
    {.key = "seconds",
     .type = SCHEMA_OBJECT,
     AT(expect, seconds),
     .object = &seconds,
     .about = "Bounds of the simulated seconds; not checked on real MPI."},
    END,
};
static const struct schema_object expect = {
    .title = "the expectation",
    .bytes = sizeof(struct language_expect),
    .field = expect_fields,
};

static const struct schema_field step_fields[] = {
    {.key = "start",
     .type = SCHEMA_OBJECT,
     AT(step, start),
     .choice = true,
     .object = &start,
     .about = "A new world begins with the initial state; of the last one only files survive."},
    {.key = "train",
     .type = SCHEMA_COUNT,
     AT(step, train),
     .choice = true,
     .least = 1,
     .most = TRAIN_MAX,
     .about = "Train that many steps."},
    {.key = "save",
     .type = SCHEMA_OBJECT,
     AT(step, save),
     .choice = true,
     .object = &save,
     .about = "Save a checkpoint of that name."},
    {.key = "load",
     .type = SCHEMA_OBJECT,
     AT(step, load),
     .choice = true,
     .object = &load,
     .about = "Load a checkpoint."},
    {.key = "reshard",
     .type = SCHEMA_OBJECT,
     AT(step, reshard),
     .choice = true,
     .object = &reshard,
     .about = "Bring the state under another layout, from memory to memory."},
    {.key = "transform",
     .type = SCHEMA_OBJECT,
     AT(step, transform),
     .choice = true,
     .object = &transform,
     .about = "Carry the state into a form of state dict, judge it there, and carry it back."},
    {.key = "verify",
     .type = SCHEMA_OBJECT,
     AT(step, verify),
     .choice = true,
     .object = &verify,
     .about = "Hold what the ranks have against the state computed without any sharding."},
    {.key = "expect",
     .type = SCHEMA_OBJECT,
     AT(step, expect),
     .object = &expect,
     .about = "What must come of the step."},
    END,
};
const struct schema_object language_one_step = {
    .title = "a step",
    .bytes = sizeof(struct language_step),
    .field = step_fields,
};
