/*
 * Memory that the host cannot reach by pointer: accelerators' memory, through the caller's copy
 * functions, so that the library needs no CUDA. Whatever touches a state's memory goes through
 * here; memory without a device is plain host memory.
 */
#ifndef RESHARD_DEVICE_H
#define RESHARD_DEVICE_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The caller's copy functions, for a few MiB at a time. They return when the copy is done, and a
 * status that the engine passes on: EIO for a device that fails, and for what is no status. One
 * thread calls at a time. The device's memory is addressed as the pointers that were bound plus an
 * offset, never dereferenced.
 */
struct reshard_device {
    enum reshard_status (*to_host)(void *context, void *host, const void *device, uint64_t bytes);
    enum reshard_status (*to_device)(void *context, void *device, const void *host, uint64_t bytes);
    void *context; /* borrowed, handed back */
};

/* For the engine's own use. Local. Copy between host memory and a state's memory; `device` NULL:
 * that is host memory too. */
RESHARD_MUST_CHECK enum reshard_status device_read(const struct reshard_device *device, void *host,
                                                   const void *memory, uint64_t bytes);
RESHARD_MUST_CHECK enum reshard_status device_write(const struct reshard_device *device,
                                                    void *memory, const void *host, uint64_t bytes);

#ifdef __cplusplus
}
#endif

#endif
