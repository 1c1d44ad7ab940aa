#include "support/lying.h"

static const struct reshard_rule tensor_rule = {.pattern = "*weight",
                                                .tensor = {RESHARD_HOW_CUT, 0}};

struct reshard_layout_options lying_options(enum lying how, uint64_t ranks,
                                            struct lying_given *given)
{
    const uint64_t copies = ranks % 2 ? ranks : 2;

    switch (how) {
    case LYING_FLAT:
        return (struct reshard_layout_options){.kind = RESHARD_LAYOUT_FSDP1, .shard = ranks};
    case LYING_FLAT_ORIG_F32:
        return (struct reshard_layout_options){.kind = RESHARD_LAYOUT_FSDP1,
                                               .shard = ranks,
                                               .orig_params = true,
                                               .forward = RESHARD_DTYPE_F32};
    case LYING_FLAT_ORIG_BF16:
        return (struct reshard_layout_options){.kind = RESHARD_LAYOUT_FSDP1,
                                               .shard = ranks,
                                               .orig_params = true,
                                               .forward = RESHARD_DTYPE_BF16};
    case LYING_FLAT_HYBRID:
        return (struct reshard_layout_options){
            .kind = RESHARD_LAYOUT_FSDP1, .replicate = copies, .shard = ranks / copies};
    case LYING_ROWS:
        return (struct reshard_layout_options){.kind = RESHARD_LAYOUT_FSDP2, .shard = ranks};
    case LYING_COLUMNS:
        return (struct reshard_layout_options){
            .kind = RESHARD_LAYOUT_FSDP2, .shard = ranks, .dim = 1};
    case LYING_TENSOR:
        return (struct reshard_layout_options){
            .kind = RESHARD_LAYOUT_DDP, .tensor = ranks, .rule = &tensor_rule, .rule_count = 1};
    case LYING_WHOLE:
        return (struct reshard_layout_options){
            .kind = RESHARD_LAYOUT_DDP, .replicate = ranks, .owner = 1};
    default:
        given->box[0] = (struct reshard_rank_box){0, {2, {0, 0}, {3, 5}}};
        given->box[1] = (struct reshard_rank_box){ranks - 1, {2, {3, 0}, {7, 5}}};
        given->rule =
            (struct reshard_rule){.pattern = "a.weight", .box = given->box, .box_count = 2};
        return (struct reshard_layout_options){.kind = RESHARD_LAYOUT_BOXES,
                                               .replicate = ranks,
                                               .rule = &given->rule,
                                               .rule_count = 1};
    }
}
