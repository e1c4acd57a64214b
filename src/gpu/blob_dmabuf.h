// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>

struct gpu_device;
struct resource;
struct scanout;

/* Makes a dma-buf of the guest memory behind the blob @resource and charges what the kernel keeps
 * for it. Sets resource->dmabuf.fd (owned) and dmabuf_charge; size, stride and format are filled in
 * when a scanout shows the blob. False: this memory can only be copied. */
bool blob_dmabuf_new(struct gpu_device *device, struct resource *resource);
/* Whether GPU drivers can import the format and the stride of the blob on @scanout. */
bool blob_dmabuf_fits(const struct scanout *scanout);
