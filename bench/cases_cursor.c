// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A pointer that moves. An operation is one MOVE_CURSOR on its queue, and is over when the reader
 * of the display socket has CURSOR_POS. The socket delivers messages in the order in which they
 * were sent, so a move that comes just after a frame waits for that frame. QEMU, too, reads the
 * whole frame first.
 */
#include "bench.h"

#include <stdlib.h>

enum { ALONE, BEHIND_A_FRAME };

static bool has_moved(struct vmm *vmm, const void *arg)
{
	const struct display_cursor *c = &vmm->display.cursors[0];

	return c->x == *(const uint32_t *)arg;
}

static void flush(struct vmm *vmm, struct virtio_gpu_rect r)
{
	if (gpu_flush(vmm, RESOURCE, r) != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("a flush was refused");
}

static void run_cursor(struct run *r, const struct bench_case *c)
{
	unsigned n = run_count(r, c->parameter == ALONE ? 2000 : 200);
	double *us = calloc(n, sizeof(us[0]));

	run_boot(r, (struct vmm_options){ 0 });
	struct image image = run_show(r->vmm, 1280, 800);

	if (gpu_update_cursor(r->vmm, 0, 1, 1, 0, 0, 0) != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("a cursor was refused");
	run_settle(r->vmm);
	run_begin(r, r->vmm->daemon.pid, &r->vmm->display);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t x = 10 + i % 1000;

		display_forget(&r->vmm->display);
		if (c->parameter == BEHIND_A_FRAME)
			flush(r->vmm, image_rect(&image));
		uint64_t start = now_ns();

		if (gpu_move_cursor(r->vmm, 0, x, 5, 0) != VIRTIO_GPU_RESP_OK_NODATA)
			vmm_fail("a move was refused");
		vmm_wait(r->vmm, has_moved, &x, "a move of the cursor");
		us[i] = (double)(now_ns() - start) / 1000;
		run_pause(r);
	}
	run_end(r, n, &r->vmm->display);
	run_set_percentiles(r, us, n);
	free(us);
}

const struct bench_case cases_cursor[] = {
	{ "cursor", "MOVE_CURSOR to CURSOR_POS", "", CPU_NS, ALONE, run_cursor, NULL, false },
	{ "cursor-frame", "MOVE_CURSOR just after a flush of 1280x800", "", P50_US, BEHIND_A_FRAME,
	  run_cursor, NULL, false },
	{ 0 },
};
