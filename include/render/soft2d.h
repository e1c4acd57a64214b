// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct renderer;

extern const struct renderer_kind soft2d_renderer_kind;

/* 2D resources on the CPU. It needs only memory from the host. With @udmabuf (borrowed, of
 * udmabuf_open(); 0: none) pictures as large as a screen can be exported as dma-bufs. */
struct renderer *soft2d_renderer_new(int udmabuf);
