// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Writes lines like "12.345678 control SUBMIT_3D (context 1) fence 77 -> 0x1100 in 213 us". The
 * first number is when the command was returned to the guest, in seconds since the trace began; the
 * last is the time since the command was taken from its queue.
 *
 * The guest decides how many lines there are, so the size of the file is limited. At the limit, or
 * if the disk is full, the trace stops and the guest is still served.
 */
#include "gpu/trace.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "gpu/command.h"
#include "gpu/command_table.h"
#include "gpu/device_private.h"

#define LOG_MODULE "trace"
#include "base/log.h"

#define MAX_BYTES (UINT64_C(64) << 20)

#define LINE_BYTES 256

void trace_init(struct trace *trace, int fd)
{
	*trace = (struct trace){ .fd = fd > 0 ? fd : -1, .began = g_get_monotonic_time() };
}

void trace_finish(struct trace *trace)
{
	fd_close(&trace->fd);
}

static void write_line(struct trace *trace, const char *line, int length)
{
	ssize_t n = write(trace->fd, line, (size_t)length);

	if (n == length) {
		trace->n_bytes += (uint64_t)n;
		return;
	}
	log_warn("--trace stopped: %s", n < 0 ? g_strerror(errno) : "the disk is full");
	fd_close(&trace->fd);
}

void trace_command(struct trace *trace, const struct gpu_command *command)
{
	const struct virtio_gpu_ctrl_hdr *hdr = &command->request.hdr;
	int64_t now = g_get_monotonic_time(), since = now - trace->began;
	char line[LINE_BYTES], fence[40] = "";

	if (hdr->flags & VIRTIO_GPU_FLAG_FENCE)
		g_snprintf(fence, sizeof(fence), " fence %llu", (unsigned long long)hdr->fence_id);
	int n = g_snprintf(line, sizeof(line), "%lld.%06lld %s %s%s -> 0x%x in %lld us\n",
			   (long long)(since / G_USEC_PER_SEC), (long long)(since % G_USEC_PER_SEC),
			   command->queue == QUEUE_CONTROL ? "control" : "cursor",
			   command_describe(command).text, fence, command->response,
			   (long long)(now - command->taken_at));

	write_line(trace, line, MIN(n, LINE_BYTES - 1));
	if (trace->n_bytes < MAX_BYTES || !trace_is_on(trace))
		return;
	log_warn("--trace stopped: the file has reached %llu MiB",
		 (unsigned long long)(MAX_BYTES >> 20));
	fd_close(&trace->fd);
}
