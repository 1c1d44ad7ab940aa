/*
 * The manifest of Llama 3 8B with AdamW's state on 512 ranks: the one text that every load reads
 * and checks whole. The baselines turn the same text into a tree of values and back, checking
 * nothing.
 */
#include "core/manifest.h"
#include "bench/bench.h"
#include "bench/workload.h"
#include "sim/inventory.h"

#include <jansson.h>
#include <stdlib.h>

enum { RANKS = 512 };

struct texts {
    struct manifest manifest;
    char *text;
    size_t bytes;
    json_t *tree;
};

static double run_encode(void *context)
{
    const struct texts *texts = context;
    const double start = bench_now();
    char *text = NULL;
    size_t bytes = 0;

    bench_require(manifest_encode(&texts->manifest, &text, &bytes) == RESHARD_OK &&
                      bytes == texts->bytes,
                  "the manifest is not encoded");
    free(text);
    return bench_now() - start;
}

static double run_dump(void *context)
{
    const struct texts *texts = context;
    const double start = bench_now();
    char *text = json_dumps(texts->tree, JSON_COMPACT);

    bench_require(text != NULL, "the tree is not dumped");
    free(text);
    return bench_now() - start;
}

static double run_decode(void *context)
{
    const struct texts *texts = context;
    const double start = bench_now();
    struct manifest manifest = MANIFEST_INIT;
    struct reshard_error error = RESHARD_ERROR_INIT;

    bench_require(!manifest_decode(&manifest, texts->text, texts->bytes, MANIFEST_FILE, &error),
                  error.text);
    manifest_release(&manifest);
    return bench_now() - start;
}

static double run_parse(void *context)
{
    const struct texts *texts = context;
    const double start = bench_now();
    json_t *tree = json_loadb(texts->text, texts->bytes, 0, NULL);

    bench_require(tree != NULL, "the text is not JSON");
    json_decref(tree);
    return bench_now() - start;
}

static void texts_open(struct texts *texts)
{
    struct manifest *manifest = &texts->manifest;
    uint32_t tensors;

    bench_require(inventory_open(&manifest->model,
                                 RESHARD_SOURCE_DIR "/scenarios/models/llama3-8b.yaml", NULL,
                                 stderr) == RESHARD_OK,
                  "the model cannot be read");
    workload_train(manifest->model);
    tensors = reshard_model_tensor_count(manifest->model);
    manifest->step = 1;
    memcpy(manifest->token, "0123456789abcdef0123456789abcdef", sizeof manifest->token);
    manifest->world = manifest->layout.shard = manifest->file_count = RANKS;
    manifest->digest = bench_memory(tensors * sizeof *manifest->digest, 1);
    manifest->file = calloc(RANKS, sizeof *manifest->file);
    bench_require(manifest->file != NULL, "out of memory");
    for (uint64_t rank = 0; rank < RANKS; rank++) {
        struct manifest_file *file = &manifest->file[rank];
        manifest_file_name(rank, file->name);
        file->writer = rank;
        file->bytes = (UINT64_C(150) << 20) + 4096 * rank;
        file->seal = manifest->digest[rank];
    }
    bench_require(manifest_encode(manifest, &texts->text, &texts->bytes) == RESHARD_OK,
                  "the manifest cannot be encoded");
    texts->tree = json_loadb(texts->text, texts->bytes, 0, NULL);
    bench_require(texts->tree != NULL, "the manifest is not JSON");
}

static void texts_close(struct texts *texts)
{
    json_decref(texts->tree);
    free(texts->text);
    free(texts->manifest.digest);
    free(texts->manifest.file);
    reshard_model_close(texts->manifest.model);
}

int main(int argc, char **argv)
{
    struct texts texts = {.manifest = MANIFEST_INIT};
    struct bench bench = bench_open(argc, argv, true);
    const struct bench_case encode = {
        .name = "manifest: encode llama3-8b on 512",
        .unit = BENCH_MS,
        .amount = 1,
        .context = &texts,
        .way = {{"manifest_encode", run_encode}, {"jansson's dump of the tree", run_dump}}};
    const struct bench_case decode = {
        .name = "manifest: decode llama3-8b on 512",
        .unit = BENCH_MS,
        .amount = 1,
        .context = &texts,
        .way = {{"manifest_decode", run_decode}, {"jansson's parse to a tree", run_parse}}};

    texts_open(&texts);
    bench_measure(&bench, &encode);
    bench_measure(&bench, &decode);
    texts_close(&texts);
    bench_close(&bench);
    return 0;
}
