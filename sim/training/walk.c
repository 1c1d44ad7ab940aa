#include "sim/training/walk.h"

static enum reshard_status walk_box(const struct reshard_box *whole, const struct reshard_box *box,
                                    uint64_t local, walk_visitor *visit, void *context,
                                    struct reshard_error *error)
{
    struct reshard_box_runs runs = reshard_box_runs(box, whole, box);
    while (reshard_box_runs_next(&runs)) {
        const struct segment segment = {runs.source, local + runs.target, runs.count};
        enum reshard_status status = visit(&segment, context, error);
        if (status != RESHARD_OK)
            return status;
    }
    return RESHARD_OK;
}

enum reshard_status walk_tensor(const struct reshard_layout *layout, uint32_t tensor, uint64_t rank,
                                walk_visitor *visit, void *context, struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    const struct reshard_box whole = reshard_box_whole(&reshard_model_tensor(model, tensor)->shape);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    uint64_t local = 0;
    enum reshard_status status = reshard_layout_boxes(layout, tensor, rank, &boxes);
    for (uint64_t i = 0; i < boxes.count && !status; i++) {
        status = walk_box(&whole, &boxes.box[i], local, visit, context, error);
        local += reshard_box_count(&boxes.box[i]);
    }
    reshard_box_list_release(&boxes);
    return status;
}
