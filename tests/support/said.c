#include "support/said.h"

#include "support/oracle.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void *must_have(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);

    if (!memory)
        abort();
    return memory;
}

/* ceil(n / w), by counting. */
uint64_t said_chunk(uint64_t n, uint64_t w)
{
    uint64_t chunk = 0;

    while (chunk * w < n)
        chunk++;
    return chunk;
}

/* Bytes of the floats that FSDP1 flattens, 0 for every other type. */
uint64_t said_flat_bytes(enum reshard_dtype dtype)
{
    switch (dtype) {
    case RESHARD_DTYPE_F64:
        return 8;
    case RESHARD_DTYPE_F32:
        return 4;
    case RESHARD_DTYPE_F16:
    case RESHARD_DTYPE_BF16:
        return 2;
    default:
        return 0;
    }
}

/* ---- the mesh -------------------------------------------------------------------------------- */

struct mesh said_mesh(const struct reshard_layout_options *options)
{
    const uint64_t sizes[DIMS] = {options->pipeline, options->replicate, options->shard,
                                  options->expert, options->tensor};
    struct mesh mesh = {.ranks = 1};

    for (int d = 0; d < DIMS; d++) {
        mesh.size[d] = sizes[d] ? sizes[d] : 1;
        if (mesh.size[d] > RESHARD_MESH_RANKS_MAX)
            mesh.ranks = RESHARD_MESH_RANKS_MAX + 1;
        if (mesh.ranks <= RESHARD_MESH_RANKS_MAX)
            mesh.ranks *= mesh.size[d];
    }
    return mesh;
}

uint64_t oracle_world(const struct reshard_layout_options *options)
{
    return options->world ? options->world : said_mesh(options).ranks;
}

void said_coordinates(const struct mesh *mesh, uint64_t rank, uint64_t *at)
{
    for (int d = DIMS; d-- > 0;) {
        at[d] = rank % mesh->size[d];
        rank /= mesh->size[d];
    }
}

/* ---- what rules say -------------------------------------------------------------------------- */

static bool fits(const char *pattern, const char *name, uint64_t *number)
{
    uint64_t value = 0;
    int digits = 0;

    if (!*pattern)
        return !*name;
    if (*pattern == '*') {
        while (!fits(pattern + 1, name, number))
            if (!*name++)
                return false;
        return true;
    }
    if (strncmp(pattern, "{i}", 3) != 0)
        return *pattern == *name && fits(pattern + 1, name + 1, number);
    for (; digits < 18 && isdigit((unsigned char)name[digits]); digits++)
        value = value * 10 + (uint64_t)(name[digits] - '0');
    if (digits == 0 || !fits(pattern + 3, name + digits, number))
        return false;
    *number = value;
    return true;
}

static const struct reshard_setting *setting_of(const struct reshard_rule *rule, int dim)
{
    switch (dim) {
    case P:
        return &rule->pipeline;
    case S:
        return &rule->shard;
    case E:
        return &rule->expert;
    case T:
        return &rule->tensor;
    default:
        return NULL;
    }
}

static bool is_numbered(const struct reshard_model *model, uint32_t unit)
{
    for (uint32_t t = 0; unit > 0 && t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (!tensor->slot[0] && tensor->unit == unit &&
            (tensor->role == RESHARD_ROLE_PARAMETER || tensor->role == RESHARD_ROLE_FROZEN))
            return true;
    }
    return false;
}

/* The unit's number, which is counted up to its first parameter; of all units for none. */
static uint64_t unit_number(const struct reshard_model *model, uint32_t wanted)
{
    bool *seen = must_have(reshard_model_unit_count(model), sizeof *seen);
    uint64_t number = 0;

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (tensor->slot[0] || tensor->unit == 0 || seen[tensor->unit] ||
            (tensor->role != RESHARD_ROLE_PARAMETER && tensor->role != RESHARD_ROLE_FROZEN))
            continue;
        if (tensor->unit == wanted)
            break;
        seen[tensor->unit] = true;
        number++;
    }
    free(seen);
    return number;
}

/* The default stage of what is no slot. */
static uint64_t stage_of(const struct reshard_model *model, uint64_t stages, uint32_t tensor)
{
    const uint64_t chunk = said_chunk(unit_number(model, UINT32_MAX), stages);

    for (uint32_t t = tensor + 1; t-- > 0;) {
        const struct reshard_tensor *before = reshard_model_tensor(model, t);
        if (t != tensor && !reshard_role_is_saved(before->role))
            continue; /* checkpoints know nothing of it */
        if (!before->slot[0] && is_numbered(model, before->unit))
            return unit_number(model, before->unit) / chunk;
    }
    return 0;
}

/* The dimension that a slot has no elements for, ndim where there is none such. */
static uint32_t reduced_dimension(const struct said *said)
{
    const uint32_t ndim = said->tensor->shape.ndim;

    switch (said->asked->slot_class) {
    case RESHARD_CLASS_ROW:
        return ndim - 1;
    case RESHARD_CLASS_COLUMN:
        return ndim - 2;
    default:
        return ndim;
    }
}

/* Whether a dimension other than 0 is in pieces. */
static bool inner_in_pieces(const struct said *said, const struct mesh *mesh)
{
    for (int d = S; d < DIMS; d++) {
        const uint64_t ways = d == S ? said_data_ways(said, mesh) : mesh->size[d];
        if (said->set[d].how == RESHARD_HOW_CUT && said->set[d].number != 0 && ways > 1)
            return true;
    }
    return false;
}

/* Rule 9: which of the parameter's cuts are the slot's. */
static void find_cuts(struct said *said, const struct mesh *mesh)
{
    const enum reshard_slot_class its = said->asked->slot_class;
    const uint32_t reduced = reduced_dimension(said);

    if (said->boxes)
        return;
    for (int d = S; d < DIMS; d++) {
        const bool cuts = said->set[d].how == RESHARD_HOW_CUT;
        if (its == RESHARD_CLASS_LIKE)
            said->cut[d] = cuts;
        else if (its == RESHARD_CLASS_ROW || its == RESHARD_CLASS_COLUMN)
            said->cut[d] = cuts && said->set[d].number != reduced;
        else if (its == RESHARD_CLASS_BLOCKWISE)
            said->cut[d] = cuts && said->set[d].number == 0;
    }
    if (its == RESHARD_CLASS_LIKE)
        said->flat_cut = said->flat;
    else if (its == RESHARD_CLASS_ROW) /* what is cut evenly is nowhere empty, or everywhere */
        said->flat_cut = said->flat && said->tensor->shape.size[reduced] > 0;
    else if (its == RESHARD_CLASS_BLOCKWISE)
        said->flat_cut = said->flat && !inner_in_pieces(said, mesh);
}

bool said_is_given(const struct said *said)
{
    return said->boxes && said->asked->slot_class == RESHARD_CLASS_LIKE;
}

struct said said_of(const struct reshard_model *model, const struct reshard_layout_options *options,
                    uint32_t index)
{
    const struct reshard_tensor *asked = reshard_model_tensor(model, index);
    const uint32_t self = asked->slot[0] ? asked->parameter : index;
    const struct mesh mesh = said_mesh(options);
    struct said said = {.asked = asked, .tensor = reshard_model_tensor(model, self), .index = self};

    if (said.tensor->role == RESHARD_ROLE_PER_RANK)
        return said;
    for (uint32_t r = 0; r < options->rule_count; r++) {
        const struct reshard_rule *rule = &options->rule[r];
        uint64_t number = 0;
        if (!fits(rule->pattern, said.tensor->fqn, &number))
            continue;
        for (int d = 0; d < DIMS; d++)
            if (d != R && setting_of(rule, d)->how && !said.set[d].how) {
                said.set[d] = *setting_of(rule, d);
                said.number[d] = number;
            }
        if (rule->section_count && !said.sections)
            said.sections = rule;
        if (rule->box_count && !said.boxes)
            said.boxes = rule;
    }
    said.stage = stage_of(model, mesh.size[P], self);
    const bool parameter =
        said.tensor->role == RESHARD_ROLE_PARAMETER || said.tensor->role == RESHARD_ROLE_FROZEN;
    const uint32_t ndim = said.tensor->shape.ndim;
    if (!said.set[S].how && parameter && options->kind == RESHARD_LAYOUT_FSDP2 && ndim > 0)
        said.set[S] = (struct reshard_setting){RESHARD_HOW_CUT,
                                               options->dim < ndim ? options->dim : ndim - 1};
    else if (!said.set[S].how && parameter && options->kind == RESHARD_LAYOUT_FSDP1)
        said.flat = said_flat_bytes(said.tensor->dtype) > 0;
    if (said.set[T].how != RESHARD_HOW_CUT)
        said.sections = NULL;
    if (said.boxes) { /* nothing else counts */
        said.flat = false;
        said.set[P].how = said.set[E].how = RESHARD_HOW_WHOLE;
    }
    find_cuts(&said, &mesh);
    return said;
}

/* The one coordinate that has it along pipeline or expert; all where it answers no. */
bool said_coordinate(const struct said *said, const struct mesh *mesh, int dim,
                     uint64_t *coordinate)
{
    const struct reshard_setting *set = &said->set[dim];

    if (set->how == RESHARD_HOW_AT)
        *coordinate = set->number;
    else if (set->how == RESHARD_HOW_OF)
        *coordinate = said->number[dim] / said_chunk(set->number, mesh->size[dim]);
    else if (dim == P && set->how == RESHARD_HOW_DEFAULT)
        *coordinate = said->stage;
    else
        return false;
    return true;
}

/* Data coordinates: how many, and which one a rank is. */
uint64_t said_data_ways(const struct said *said, const struct mesh *mesh)
{
    return said->set[E].how ? mesh->size[S] : mesh->size[S] * mesh->size[E];
}

uint64_t said_data_coordinate(const struct said *said, const struct mesh *mesh, const uint64_t *at)
{
    return said->set[E].how ? at[S] : at[S] * mesh->size[E] + at[E];
}

/* ---- what may not be said -------------------------------------------------------------------- */

static bool setting_accepted(const struct reshard_setting *set, int dim, const char *pattern)
{
    switch (set->how) {
    case RESHARD_HOW_DEFAULT:
    case RESHARD_HOW_WHOLE:
        return true;
    case RESHARD_HOW_CUT:
        return dim != P;
    case RESHARD_HOW_AT:
        return dim == P || dim == E;
    case RESHARD_HOW_OF:
        return (dim == P || dim == E) && set->number > 0 && strstr(pattern, "{i}");
    default:
        return false;
    }
}

static bool pattern_accepted(const char *pattern)
{
    const char *number = strstr(pattern, "{i}");

    return *pattern && !(number && strstr(number + 1, "{i}"));
}

static bool rule_accepted(const struct reshard_rule *rule)
{
    bool any = rule->section_count || rule->box_count;

    if (!pattern_accepted(rule->pattern))
        return false;
    for (int d = 0; d < DIMS; d++)
        if (d != R) {
            any = any || setting_of(rule, d)->how;
            if (!setting_accepted(setting_of(rule, d), d, rule->pattern))
                return false;
        }
    for (uint32_t i = 0; i < rule->section_count; i++)
        if (rule->section[i] == 0)
            return false;
    return any && rule->section_count != 1 && rule->section_count <= 16;
}

static bool options_accepted(const struct reshard_layout_options *options)
{
    const struct mesh mesh = said_mesh(options);
    const bool flat = options->kind == RESHARD_LAYOUT_FSDP1;
    uint32_t wild = 0;

    if (mesh.ranks > RESHARD_MESH_RANKS_MAX || oracle_world(options) < mesh.ranks ||
        oracle_world(options) > RESHARD_MESH_RANKS_MAX)
        return false;
    if (options->kind == RESHARD_LAYOUT_DDP && mesh.size[S] != 1)
        return false;
    if (options->kind == RESHARD_LAYOUT_BOXES && mesh.size[R] != mesh.ranks)
        return false;
    if (options->dim && options->kind != RESHARD_LAYOUT_FSDP2)
        return false;
    if ((options->orig_params || options->forward) && !flat)
        return false;
    if ((options->forward && !said_flat_bytes(options->forward)) || options->owner > mesh.size[R])
        return false;
    for (uint32_t r = 0; r < options->rule_count; r++) {
        if (!rule_accepted(&options->rule[r]))
            return false;
        wild += strpbrk(options->rule[r].pattern, "*") || strstr(options->rule[r].pattern, "{i}");
    }
    return options->rule_count <= 4096 && wild <= 64;
}

static bool has_index(const struct reshard_box *box, const uint64_t *index)
{
    for (uint32_t d = 0; d < box->ndim; d++)
        if (index[d] < box->begin[d] || index[d] >= box->end[d])
            return false;
    return true;
}

/* Whether two ranks have the same boxes, and whether they share an element. */
static bool same_boxes(const struct reshard_rule *rule, uint64_t a, uint64_t b)
{
    uint64_t mine = 0, both = 0, others = 0;

    for (uint64_t i = 0; i < rule->box_count; i++) {
        mine += rule->box[i].rank == a;
        others += rule->box[i].rank == b;
        for (uint64_t j = 0; j < rule->box_count; j++)
            both += rule->box[i].rank == a && rule->box[j].rank == b &&
                    reshard_box_equal(&rule->box[i].box, &rule->box[j].box);
    }
    return mine == both && others == both;
}

static bool boxes_accepted(const struct reshard_rule *rule, const struct reshard_tensor *tensor,
                           const struct mesh *mesh)
{
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    struct oracle_walk walk = oracle_walk(&whole);

    for (uint64_t i = 0; i < rule->box_count; i++) {
        const struct reshard_box *box = &rule->box[i].box;
        if (rule->box[i].rank >= mesh->ranks || box->ndim != tensor->shape.ndim)
            return false;
        for (uint32_t d = 0; d < box->ndim; d++)
            if (box->begin[d] >= box->end[d] || box->end[d] > tensor->shape.size[d])
                return false;
    }
    if (tensor->count == 0)
        return false;
    while (oracle_walk_next(&walk)) {
        uint64_t first = UINT64_MAX;
        for (uint64_t i = 0; i < rule->box_count; i++) {
            if (!has_index(&rule->box[i].box, walk.index))
                continue;
            for (uint64_t j = 0; j < i; j++)
                if (rule->box[j].rank == rule->box[i].rank &&
                    has_index(&rule->box[j].box, walk.index))
                    return false;
            if (first == UINT64_MAX)
                first = rule->box[i].rank;
            else if (!same_boxes(rule, first, rule->box[i].rank))
                return false;
        }
        if (first == UINT64_MAX)
            return false;
    }
    return true;
}

/* Rule 7, and the dimensions that cuts need. */
static bool cuts_accepted(const struct said *said, const struct mesh *mesh)
{
    const struct reshard_shape *shape = &said->tensor->shape;
    uint64_t sum = 0;

    for (int d = S; d < DIMS; d++)
        if (said->set[d].how == RESHARD_HOW_CUT && said->set[d].number >= shape->ndim)
            return false;
    if (!said->sections)
        return true;
    for (uint32_t i = 0; i < said->sections->section_count; i++) {
        sum += said->sections->section[i];
        if (said->sections->section[i] % mesh->size[T] != 0)
            return false;
    }
    return sum == shape->size[said->set[T].number] &&
           !(said->set[E].how == RESHARD_HOW_CUT && said->set[E].number == said->set[T].number);
}

static bool flat_accepted(const struct said *said, const struct mesh *mesh)
{
    for (int d = E; d < DIMS; d++)
        if (said->set[d].how == RESHARD_HOW_CUT &&
            said->tensor->shape.size[said->set[d].number] % mesh->size[d] != 0)
            return false;
    if (said->set[E].how == RESHARD_HOW_CUT && said->set[T].how == RESHARD_HOW_CUT &&
        said->set[E].number == said->set[T].number &&
        said->tensor->shape.size[said->set[E].number] % (mesh->size[E] * mesh->size[T]) != 0)
        return false;
    return !(said->sections && said->set[T].number != 0) && said->set[P].how != RESHARD_HOW_WHOLE;
}

bool said_in_one_unit(const struct said *a, const struct said *b, const struct mesh *mesh)
{
    uint64_t here = 0, there = 0;

    return a->flat && b->flat && a->tensor->unit == b->tensor->unit &&
           said_coordinate(a, mesh, P, &here) && said_coordinate(b, mesh, P, &there) &&
           here == there;
}

/* The same setting, up to the dimension that it cuts. */
static bool same_expert(const struct said *a, const struct said *b)
{
    return a->set[E].how == b->set[E].how &&
           (a->set[E].how == RESHARD_HOW_CUT || a->set[E].number == b->set[E].number);
}

/* Two flat parameters of one unit at one coordinate. */
static bool pair_accepted(const struct said *a, const struct said *b, bool orig_params)
{
    return a->tensor->dtype == b->tensor->dtype && same_expert(a, b) &&
           (orig_params || a->tensor->role == b->tensor->role);
}

static bool tensor_accepted(const struct said *said, const struct mesh *mesh, uint64_t world)
{
    const struct reshard_tensor *tensor = said->tensor;

    if (tensor->role == RESHARD_ROLE_PER_RANK)
        return tensor->shape.ndim > 0 && tensor->shape.size[0] == world;
    if (said->boxes)
        return boxes_accepted(said->boxes, tensor, mesh);
    for (int d = 0; d < DIMS; d++)
        if ((said->set[d].how == RESHARD_HOW_OF && said->number[d] >= said->set[d].number) ||
            (said->set[d].how == RESHARD_HOW_AT && said->set[d].number >= mesh->size[d]))
            return false;
    return cuts_accepted(said, mesh) && (!said->flat || flat_accepted(said, mesh));
}

bool oracle_accepts(const struct reshard_model *model, const struct reshard_layout_options *options)
{
    const uint32_t tensors = reshard_model_tensor_count(model);
    const struct mesh mesh = said_mesh(options);
    struct said *said = must_have(tensors, sizeof *said);
    bool accepted = options_accepted(options);

    for (uint32_t t = 0; accepted && t < tensors; t++) {
        said[t] = said_of(model, options, t);
        accepted = tensor_accepted(&said[t], &mesh, oracle_world(options));
        for (uint32_t u = 0; accepted && u < t; u++)
            accepted = !said_in_one_unit(&said[u], &said[t], &mesh) ||
                       pair_accepted(&said[u], &said[t], options->orig_params);
    }
    free(said);
    return accepted;
}
