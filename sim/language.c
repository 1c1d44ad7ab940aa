#include "sim/language.h"

#include "core/optimizer.h"

/* Limits that keep a slip of the finger from asking for the impossible, not limits of the engine.
 */
enum {
    NODES_MAX = 1000000,
    RANKS_PER_NODE_MAX = 1024,
    REPEAT_MAX = 100000,
};

#define AT(object, member) .offset = offsetof(struct language_##object, member)
#define END                                                                                        \
    {                                                                                              \
        .key = NULL                                                                                \
    }

/* Of a list's elements only the type matters. */
static const struct schema_field any_count = {.key = "size", .type = SCHEMA_COUNT};
static const struct schema_field any_name = {.key = "name", .type = SCHEMA_NAME};
static const struct schema_field any_text = {.key = "text", .type = SCHEMA_TEXT};

/* Models. */

static const char *const role_words[] = {"parameter", "frozen",   "buffer", "transient",
                                         "opaque",    "per_rank", NULL};
static const char *const other_world_words[] = {"refuse", "keep", NULL};
static const struct schema_field tensor_fields[] = {
    {.key = "shape",
     .type = SCHEMA_LIST,
     AT(tensor, shape),
     .required = true,
     .most = 8,
     .element = &any_count,
     .about = "Sizes of the dimensions; [] for a single element."},
    {.key = "dtype",
     .type = SCHEMA_DTYPE,
     AT(tensor, dtype),
     .about = "Element type; the inventory's when absent."},
    {.key = "unit",
     .type = SCHEMA_TEXT,
     AT(tensor, unit),
     .about = "The module whose parameters FSDP1 flattens together; the section's when absent."},
    {.key = "role",
     .type = SCHEMA_WORD,
     AT(tensor, role),
     .fallback = "parameter",
     .words = role_words,
     .about = "What it is; per_rank: each rank has one of that shape for itself."},
    {.key = "other_world",
     .type = SCHEMA_WORD,
     AT(tensor, other_world),
     .words = other_world_words,
     .about = "Of a per_rank tensor: what a load at another world size does; refuse when absent."},
    END,
};
static const struct schema_object tensor = {
    .title = "a tensor",
    .bytes = sizeof(struct language_tensor),
    .field = tensor_fields,
    .shorthand = "shape",
};

static const struct schema_field tie_fields[] = {
    {.key = "of",
     .type = SCHEMA_TEXT,
     AT(tie, of),
     .required = true,
     .about = "The tensor that holds the data."},
    END,
};
static const struct schema_object tie = {
    .title = "a tie",
    .bytes = sizeof(struct language_tie),
    .field = tie_fields,
    .shorthand = "of",
};

static const struct schema_field section_fields[] = {
    {.key = "repeat",
     .type = SCHEMA_COUNT,
     AT(section, repeat),
     .fallback = "1",
     .least = 1,
     .most = REPEAT_MAX,
     .about = "How often the section occurs; {i} in its texts counts from 0."},
    {.key = "unit",
     .type = SCHEMA_TEXT,
     AT(section, unit),
     .about = "The module whose parameters FSDP1 flattens together; the root when absent."},
    {.key = "tensors",
     .type = SCHEMA_MAP,
     AT(section, tensors),
     .required = true,
     .least = 1,
     .object = &tensor,
     .about = "Tensor names and their shapes, in the order of registration."},
    END,
};
static const struct schema_object section = {
    .title = "a section",
    .bytes = sizeof(struct language_section),
    .field = section_fields,
};
static const struct schema_field any_section = {
    .key = "section", .type = SCHEMA_OBJECT, .object = &section};

static const struct schema_field model_file_fields[] = {
    {.key = "model",
     .type = SCHEMA_COUNT,
     AT(model_file, version),
     .required = true,
     .least = 1,
     .most = 1,
     .about = "Version of this format."},
    {.key = "name",
     .type = SCHEMA_NAME,
     AT(model_file, name),
     .required = true,
     .about = "The model's name, as scenarios say it."},
    {.key = "about", .type = SCHEMA_TEXT, AT(model_file, about), .about = "What it is."},
    {.key = "dtype",
     .type = SCHEMA_DTYPE,
     AT(model_file, dtype),
     .fallback = "f32",
     .about = "Element type of the tensors that name none."},
    {.key = "sections",
     .type = SCHEMA_LIST,
     AT(model_file, sections),
     .required = true,
     .least = 1,
     .element = &any_section,
     .about = "Sections in module-tree order."},
    {.key = "ties",
     .type = SCHEMA_MAP,
     AT(model_file, ties),
     .object = &tie,
     .about = "Second names of tensors: alias and the tensor that holds the data."},
    END,
};
const struct schema_object language_model_file = {
    .title = "a model file",
    .bytes = sizeof(struct language_model_file),
    .field = model_file_fields,
    .first = "model",
};

static const struct schema_field model_fields[] = {
    {.key = "name",
     .type = SCHEMA_TEXT,
     AT(model, name),
     .choice = true,
     .about = "A model of scenarios/models/, or the path of such a file, ending in .yaml."},
    {.key = "safetensors",
     .type = SCHEMA_TEXT,
     AT(model, safetensors),
     .choice = true,
     .about = "A safetensors file: its tensors in the order of their bytes, and their values."},
    {.key = "units",
     .type = SCHEMA_LIST,
     AT(model, units),
     .element = &any_text,
     .about = "With safetensors: modules that FSDP1 flattens alone; {i} stands for a number."},
    {.key = "dtype",
     .type = SCHEMA_DTYPE,
     AT(model, dtype),
     .fallback = "f32",
     .about = "With tensors: the element type of those that name none."},
    {.key = "tensors",
     .type = SCHEMA_MAP,
     AT(model, tensors),
     .choice = true,
     .least = 1,
     .object = &tensor,
     .about = "The tensors written out: names and shapes, in order."},
    {.key = "ties",
     .type = SCHEMA_MAP,
     AT(model, ties),
     .object = &tie,
     .about = "With tensors: second names, alias and the tensor that holds the data."},
    END,
};
static const struct schema_object model = {
    .title = "the model",
    .bytes = sizeof(struct language_model),
    .field = model_fields,
    .shorthand = "name",
};

/* Training. */

static const struct schema_field precision_fields[] = {
    {.key = "parameters",
     .type = SCHEMA_DTYPE,
     AT(precision, parameters),
     .dtype_allowed = reshard_optimizer_trains,
     .about = "Element type of all trained parameters; as the model says when absent."},
    {.key = "optimizer",
     .type = SCHEMA_DTYPE,
     AT(precision, optimizer),
     .fallback = "f32",
     .dtype_allowed = reshard_optimizer_trains,
     .about = "Element type of the optimizer's states that have no other."},
    END,
};
static const struct schema_object precision = {
    .title = "the precision",
    .bytes = sizeof(struct language_precision),
    .field = precision_fields,
};

/* The machine. */

static const char *const topology_words[] = {"star", NULL};
static const struct schema_field network_fields[] = {
    {.key = "bandwidth",
     .type = SCHEMA_QUANTITY,
     AT(network, bandwidth),
     .fallback = "25 GB/s",
     .quantity = QUANTITY_RATE,
     .about = "Of each node's link, in each direction."},
    {.key = "latency",
     .type = SCHEMA_QUANTITY,
     AT(network, latency),
     .fallback = "2 us",
     .quantity = QUANTITY_DURATION,
     .about = "Of each node's link."},
    {.key = "topology",
     .type = SCHEMA_WORD,
     AT(network, topology),
     .fallback = "star",
     .words = topology_words,
     .about = "How the nodes are connected."},
    END,
};
static const struct schema_object network = {
    .title = "the network",
    .bytes = sizeof(struct language_network),
    .field = network_fields,
};

static const struct schema_field disk_fields[] = {
    {.key = "read",
     .type = SCHEMA_QUANTITY,
     AT(disk, read),
     .fallback = "6 GB/s",
     .quantity = QUANTITY_RATE,
     .about = "Reading, of each node's own disk."},
    {.key = "write",
     .type = SCHEMA_QUANTITY,
     AT(disk, write),
     .fallback = "3 GB/s",
     .quantity = QUANTITY_RATE,
     .about = "Writing, of each node's own disk."},
    END,
};
static const struct schema_object disk = {
    .title = "the disk",
    .bytes = sizeof(struct language_disk),
    .field = disk_fields,
};

static const struct schema_field storage_fields[] = {
    {.key = "servers",
     .type = SCHEMA_COUNT,
     AT(storage, servers),
     .fallback = "1",
     .least = 1,
     .most = NODES_MAX,
     .about = "Storage servers, each with a link like a node's."},
    {.key = "read",
     .type = SCHEMA_QUANTITY,
     AT(storage, read),
     .fallback = "10 GB/s",
     .quantity = QUANTITY_RATE,
     .about = "Reading, of each server."},
    {.key = "write",
     .type = SCHEMA_QUANTITY,
     AT(storage, write),
     .fallback = "8 GB/s",
     .quantity = QUANTITY_RATE,
     .about = "Writing, of each server."},
    END,
};
static const struct schema_object storage = {
    .title = "the storage",
    .bytes = sizeof(struct language_storage),
    .field = storage_fields,
};

static const struct schema_field device_fields[] = {
    {.key = "to_host",
     .type = SCHEMA_QUANTITY,
     AT(device, to_host),
     .required = true,
     .quantity = QUANTITY_RATE,
     .about = "Copying between device and host, for each rank."},
    END,
};
static const struct schema_object device = {
    .title = "the device",
    .bytes = sizeof(struct language_device),
    .field = device_fields,
};

static const struct schema_field cluster_fields[] = {
    {.key = "nodes",
     .type = SCHEMA_COUNT,
     AT(cluster, nodes),
     .fallback = "1",
     .least = 1,
     .most = NODES_MAX,
     .about = "Nodes."},
    {.key = "ranks_per_node",
     .type = SCHEMA_COUNT,
     AT(cluster, ranks_per_node),
     .fallback = "8",
     .least = 1,
     .most = RANKS_PER_NODE_MAX,
     .about = "Ranks that a node has room for."},
    {.key = "network",
     .type = SCHEMA_OBJECT,
     AT(cluster, network),
     .object = &network,
     .about = "What connects the nodes."},
    {.key = "disk",
     .type = SCHEMA_OBJECT,
     AT(cluster, disk),
     .object = &disk,
     .about = "Each node's own disk."},
    {.key = "storage",
     .type = SCHEMA_OBJECT,
     AT(cluster, storage),
     .object = &storage,
     .about = "Storage shared by all nodes; when present, checkpoints go there."},
    {.key = "device",
     .type = SCHEMA_OBJECT,
     AT(cluster, device),
     .object = &device,
     .about = "State lives on devices; when absent it lives in host memory."},
    END,
};
static const struct schema_object cluster = {
    .title = "the cluster",
    .bytes = sizeof(struct language_cluster),
    .field = cluster_fields,
};

/* The whole. */

static const struct schema_field any_step = {
    .key = "step", .type = SCHEMA_OBJECT, .object = &language_one_step};

static const struct schema_field outcome_fields[] = {
    {.key = "checkpoints",
     .type = SCHEMA_LIST,
     AT(outcome, checkpoints),
     .element = &any_name,
     .about = "Exactly these checkpoints exist at the end, all of them whole."},
    END,
};
static const struct schema_object outcome = {
    .title = "the expectation",
    .bytes = sizeof(struct language_outcome),
    .field = outcome_fields,
};

static const char *const payload_words[] = {"bytes", NULL};
static const struct schema_field scenario_fields[] = {
    {.key = "scenario",
     .type = SCHEMA_COUNT,
     AT(scenario, version),
     .required = true,
     .least = 1,
     .most = 1,
     .about = "Version of this language; the first key."},
    {.key = "name",
     .type = SCHEMA_NAME,
     AT(scenario, name),
     .required = true,
     .about = "A short name for reports."},
    {.key = "about",
     .type = SCHEMA_TEXT,
     AT(scenario, about),
     .required = true,
     .about = "Why this scenario exists."},
    {.key = "seed",
     .type = SCHEMA_COUNT,
     AT(scenario, seed),
     .fallback = "0",
     .about = "Of the initial values and gradients."},
    {.key = "model",
     .type = SCHEMA_OBJECT,
     AT(scenario, model),
     .required = true,
     .object = &model,
     .about = "Whose state is saved and loaded."},
    {.key = "precision",
     .type = SCHEMA_OBJECT,
     AT(scenario, precision),
     .object = &precision,
     .about = "Element types of parameters and optimizer state."},
    {.key = "optimizer",
     .type = SCHEMA_OBJECT,
     AT(scenario, optimizer),
     .object = &language_one_optimizer,
     .about = "What trains the model; none when absent."},
    {.key = "payload",
     .type = SCHEMA_WORD,
     AT(scenario, payload),
     .fallback = "bytes",
     .words = payload_words,
     .about = "bytes: real data and files, verified bit for bit."},
    {.key = "cluster",
     .type = SCHEMA_OBJECT,
     AT(scenario, cluster),
     .object = &cluster,
     .about = "The simulated machine; on real MPI only the rank counts matter."},
    {.key = "steps",
     .type = SCHEMA_LIST,
     AT(scenario, steps),
     .required = true,
     .least = 1,
     .element = &any_step,
     .about = "What happens, in order; the first step is a start."},
    {.key = "expect",
     .type = SCHEMA_OBJECT,
     AT(scenario, expect),
     .object = &outcome,
     .about = "What must hold at the end."},
    END,
};
const struct schema_object language_scenario = {
    .title = "a scenario",
    .bytes = sizeof(struct language_scenario),
    .field = scenario_fields,
    .first = "scenario",
};
