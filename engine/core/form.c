#include "core/form.h"

#include "core/argument.h"
#include <string.h>

static const char *const form_names[] = {
    [RESHARD_FORM_FULL] = "full",
    [RESHARD_FORM_SHARDED] = "sharded",
    [RESHARD_FORM_LOCAL] = "local",
};

const char *reshard_form_name(enum reshard_form form)
{
    return form_names[form];
}

bool reshard_form_from_name(const char *name, enum reshard_form *out)
{
    for (size_t i = 0; i < sizeof form_names / sizeof *form_names; i++) {
        if (strcmp(form_names[i], name) == 0) {
            *out = (enum reshard_form)i;
            return true;
        }
    }
    return false;
}

/* All tensors whole on the ranks of the live mesh, or on the first of them. */
static struct reshard_layout_options full_options(const struct reshard_layout_options *live,
                                                  bool rank0_only)
{
    const struct reshard_mesh mesh = reshard_layout_options_mesh(live);

    return (struct reshard_layout_options){.kind = RESHARD_LAYOUT_DDP,
                                           .world = live->world,
                                           .replicate = rank0_only ? 1 : reshard_mesh_ranks(&mesh)};
}

/* The live mesh, cut another way along its data dimensions: rules about `shard` are of the live
 * way. */
static enum reshard_status open_cut(struct reshard_layout **out, const struct reshard_layout *live,
                                    enum reshard_form form, struct reshard_error *error)
{
    struct reshard_layout_options options;
    struct reshard_rule *rule;
    enum reshard_status status =
        reshard_layout_options_copy(&options, reshard_layout_options(live));
    uint32_t kept = 0;

    if (status)
        return status;
    if (form == RESHARD_FORM_SHARDED) {
        options.kind = RESHARD_LAYOUT_FSDP2;
        options.orig_params = false;
        options.forward = RESHARD_DTYPE_NONE;
    } else {
        options.kind = RESHARD_LAYOUT_FSDP1;
    }
    options.dim = 0;
    rule = (struct reshard_rule *)options.rule;
    for (uint32_t i = 0; i < options.rule_count; i++) {
        struct reshard_rule next = rule[i];
        next.shard = (struct reshard_setting){RESHARD_HOW_DEFAULT, 0};
        if (!next.pipeline.how && !next.expert.how && !next.tensor.how && !next.section_count &&
            !next.box_count)
            continue;
        rule[i] = rule[kept];
        rule[kept++] = next;
    }
    const uint32_t all = options.rule_count;
    options.rule_count = kept;
    status = reshard_layout_open(out, reshard_layout_model(live), &options, error);
    options.rule_count = all; /* those left out are released too */
    reshard_layout_options_release(&options);
    return status;
}

enum reshard_status reshard_form_layout(struct reshard_layout **out,
                                        const struct reshard_layout *live, enum reshard_form form,
                                        bool rank0_only, struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(out), ARGUMENT(live));
    const struct reshard_layout_options *options;
    struct reshard_layout_options full;

    if (status)
        return status;
    *out = NULL;
    options = reshard_layout_options(live);
    if (form == RESHARD_FORM_FULL) {
        full = full_options(options, rank0_only);
        return reshard_layout_open(out, reshard_layout_model(live), &full, error);
    }
    if (rank0_only)
        return reshard_error_set(error, RESHARD_EINVAL, "only the full form can be rank 0's alone");
    if (options->kind == RESHARD_LAYOUT_BOXES)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "a state whose boxes are given one by one has no %s form",
                                 reshard_form_name(form));
    status = open_cut(out, live, form, error);
    if (status)
        reshard_error_prefix(error, "there is no %s form", reshard_form_name(form));
    return status;
}
