// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Starts the render server when virglrenderer asks for it, in a sandbox of its own
 * (sandbox/render_server.h) with the limits of this file. After a trial in a child process
 * (render/virgl/venus_probe.c), the server is started only once: the library accepts no second one,
 * and the daemon cannot run a program once its own filter is installed. When the server ends,
 * Vulkan ends too, with one log line; OpenGL goes on.
 *
 * The server has one process for each Vulkan context of the guest. What the guest's Vulkan programs
 * allocate, these processes allocate. The limit on the private memory of each process is the value
 * of --max-hostmem plus DRIVER_MEMORY. A file may be as large: a driver on the CPU keeps a client's
 * memory in one, which is no private memory.
 */
#include "vulkan.h"

#include "base/fd.h"
#include "sandbox/render_server.h"

#define LOG_MODULE "main"
#include "base/log.h"

#define CAPSET_VENUS 4 /* not in every linux/virtio_gpu.h */

#define DRIVER_MEMORY (UINT64_C(1) << 30)
/* Descriptors of the daemon: for exported memory, and for a context's sockets. */
#define FDS_OF_BLOBS    16384
#define FDS_PER_CONTEXT 8
/* Descriptors of one process of the server. */
#define SERVER_FDS 8192
/* A process and its driver's threads; the kernel counts them together with ours. */
#define THREADS_PER_CONTEXT 96

bool vulkan_is_wanted(const struct options *options)
{
	const bool has_virgl =
		options->gpu_mode == GPU_MODE_AUTO || options->gpu_mode == GPU_MODE_VIRGLRENDERER;

	return has_virgl && (!options->capsets || (options->capsets & 1u << CAPSET_VENUS));
}

unsigned vulkan_max_fds(const struct options *options)
{
	return vulkan_is_wanted(options)
		       ? FDS_OF_BLOBS + FDS_PER_CONTEXT * options->max_venus_contexts
		       : 0;
}

unsigned vulkan_max_threads(const struct options *options)
{
	return vulkan_is_wanted(options) ? THREADS_PER_CONTEXT * (options->max_venus_contexts + 1)
					 : 0;
}

char *vulkan_start_server(void *data, int *ret_socket)
{
	struct vulkan *vulkan = data;
	const uint64_t max_hostmem = vulkan->options->device.limits.max_hostmem;
	const struct render_server_options options = {
		.level = vulkan->options->sandbox,
		.max_memory = MIN(max_hostmem, (uint64_t)INT64_MAX - DRIVER_MEMORY) + DRIVER_MEMORY,
		.max_fds = SERVER_FDS,
	};
	struct render_server server;
	char *sentence = render_server_start(&options, &server);

	fd_close(&vulkan->pidfd);
	vulkan->pidfd = server.pidfd;
	*ret_socket = server.socket;
	return sentence;
}

static int on_server_end(struct loop_source *source, uint32_t events)
{
	(void)events;
	loop_remove(source);
	log_error("the render server has ended: no Vulkan until the daemon is started again; "
		  "OpenGL goes on");
	return 0;
}

void vulkan_watch_server(struct vulkan *vulkan, struct loop *loop)
{
	if (vulkan->pidfd >= 0 &&
	    loop_add(loop, &vulkan->source, vulkan->pidfd, EPOLLIN, on_server_end) < 0)
		log_warn("cannot watch the render server: the log will not say when it ends");
}

void vulkan_finish(struct vulkan *vulkan)
{
	loop_remove(&vulkan->source);
	fd_close(&vulkan->pidfd);
}
