#include "core/device.h"

#include <string.h>

enum reshard_status device_read(const struct reshard_device *device, void *host, const void *memory,
                                uint64_t bytes)
{
    if (bytes == 0)
        return RESHARD_OK;
    if (device)
        return device->to_host(device->context, host, memory, bytes);
    memcpy(host, memory, bytes);
    return RESHARD_OK;
}

enum reshard_status device_write(const struct reshard_device *device, void *memory,
                                 const void *host, uint64_t bytes)
{
    if (bytes == 0)
        return RESHARD_OK;
    if (device)
        return device->to_device(device->context, memory, host, bytes);
    memcpy(memory, host, bytes);
    return RESHARD_OK;
}
