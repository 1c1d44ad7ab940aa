/*
 * Any bytes as the file of rank 1 of 3, of a small model: read as a load does, then every piece
 * moved and checked. So that more than the seal is tried, the CRC of the tables and the seal are
 * made right, and the manifest is made to expect them, when the first bit of the input says so.
 */
// Seeds: tests/golden/linear-fsdp1/rank-*.h5
#include "core/digest.h"
#include "core/reader.h"
#include "fuzz/fuzz.h"
#include "support/store_memory.h"

#include <stdlib.h>
#include <string.h>

enum { RANKS = 3, WRITER = 1, STEP = 7, TABLES_CRC = 136, SEALED = TRAILER_BYTES - 8 };

static void put_number(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static struct reshard_model *open_model(void)
{
    const struct reshard_shape weight = {2, {5, 4}}, bias = {1, {7}}, scalar = {0, {0}};
    struct reshard_model *model = NULL;
    if (reshard_model_open(&model) ||
        reshard_model_add(model, "weight", "", RESHARD_DTYPE_F32, &weight, NULL) ||
        reshard_model_add(model, "bias", "b", RESHARD_DTYPE_BF16, &bias, NULL) ||
        reshard_model_add_slot(model, "weight", "step", RESHARD_DTYPE_F64, &scalar, false, NULL))
        abort();
    return model;
}

static uint64_t reseal(unsigned char *bytes, size_t size)
{
    if (size < TRAILER_BYTES)
        return 0;
    unsigned char *const last = bytes + size - TRAILER_BYTES;
    struct trailer trailer;
    put_number(last + SEALED, digest_crc(0, last, SEALED));
    if (!trailer_decode(&trailer, last, "", NULL)) {
        const struct container_offsets *const at = &trailer.offsets;
        if (at->tensors <= size && at->tensors_bytes <= size && at->pieces_bytes <= size &&
            at->tensors_bytes + at->pieces_bytes <= size - at->tensors)
            put_number(last + TABLES_CRC,
                       digest_crc(0, bytes + at->tensors, at->tensors_bytes + at->pieces_bytes));
    }
    const uint64_t seal = digest_crc(0, last, SEALED);
    put_number(last + SEALED, seal);
    return seal;
}

static void read_all(struct reader *reader, const struct reshard_model *model,
                     const struct reshard_layout *layout)
{
    struct arena_pieces pieces = ARENA_PIECES_INIT;
    struct reshard_error error = RESHARD_ERROR_INIT;
    unsigned char memory[4096];
    if (arena_pieces_of(&pieces, layout, WRITER, NULL))
        return;
    for (uint64_t i = 0; i < pieces.count; i++) {
        const struct arena_piece *const piece = &pieces.piece[i];
        const struct plan_move move = {.source_tensor = piece->tensor,
                                       .box = piece->box,
                                       .source = piece->box,
                                       .target = piece->box};
        const struct reader_target target = {memory, NULL,
                                             reshard_model_tensor(model, piece->tensor)->dtype};
        (void)!reader_move(reader, &move, &target, &error);
        (void)!reader_check(reader, &move, &error);
    }
    arena_pieces_release(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP1, .shard = RANKS};
    struct manifest_file entry = {.writer = WRITER};
    struct manifest manifest = {.step = STEP, .world = RANKS, .file_count = 1, .file = &entry};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout = NULL;
    struct reader *reader = NULL;
    struct store_memory store;
    if (size < 1)
        return 0;
    unsigned char *const bytes = malloc(size);
    if (!bytes)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    manifest.model = open_model();
    if (reshard_layout_open(&layout, manifest.model, &options, &error))
        abort();
    memcpy(manifest.token, "0123456789abcdef0123456789abcdef", RESHARD_TOKEN_BYTES);
    manifest_file_name(WRITER, entry.name);
    entry.bytes = size - 1;
    entry.seal = data[0] & 1 ? reseal(bytes, size - 1) : 0;
    store_memory_init(&store, bytes, size - 1);
    if (!reader_open(&reader, &store.store, "fuzz", &manifest, layout, WRITER, &error))
        read_all(reader, manifest.model, layout);
    reader_close(reader);
    reshard_layout_close(layout);
    reshard_model_close(manifest.model);
    free(bytes);
    return 0;
}
