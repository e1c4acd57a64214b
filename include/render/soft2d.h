// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct renderer;

extern const struct renderer_kind soft2d_renderer_kind;

/* 2D resources on the CPU. It needs only memory from the host. @udmabuf is a descriptor from
 * udmabuf_open(), which the caller keeps, or 0: with it, resources that are large enough to be
 * shown on a scanout can be exported as dma-bufs. */
struct renderer *soft2d_renderer_new(int udmabuf);
