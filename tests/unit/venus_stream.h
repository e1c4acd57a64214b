// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The few words of Venus's protocol that make a queue: streams for contexts of capset 4, which go
 * to the context's worker in the render server. */

#include <stdint.h>

struct venus_stream {
	uint32_t words[256];
	uint32_t size; /* bytes, a multiple of 4 */
};

/* Makes an instance, a device, and its queue, whose fences are those of @ring. */
void venus_stream_make_queue(struct venus_stream *stream, uint32_t ring);
/* Has that queue wait for a semaphore that nobody signals. */
void venus_stream_block_queue(struct venus_stream *stream);
