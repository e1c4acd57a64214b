// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Replaces limit_3d.c in a build without virglrenderer.
 */
#include "gl.h"

void limit_submit(struct run *r, const struct gl_script *script, unsigned depth, unsigned warm_up,
		  unsigned n)
{
	(void)script, (void)depth, (void)warm_up, (void)n;
	r->is_missing = true;
}

void limit_flush(struct run *r, const struct gl_script *script, uint32_t width, uint32_t height,
		 struct virtio_gpu_rect damage, unsigned n)
{
	(void)script, (void)width, (void)height, (void)damage, (void)n;
	r->is_missing = true;
}
