// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The render server of the guest's Vulkan. The renderer asks for it, and the sandbox starts it. */

#include "base/loop.h"
#include "options.h"

struct vulkan {
	const struct options *options; /* borrowed */
	int pidfd;                     /* owned; of the server, or -1 */
	struct loop_source source;
};

/* Whether the options allow Venus; it may still not work on this host. */
bool vulkan_is_wanted(const struct options *options);
/* Descriptors and threads that the daemon needs for Venus, in addition to all others. */
unsigned vulkan_max_fds(const struct options *options);
unsigned vulkan_max_threads(const struct options *options);

/* For virgl_options::start_server; @vulkan is a struct vulkan. */
char *vulkan_start_server(void *vulkan, int *ret_socket);
/* Logs the end of the server when it comes. Does nothing without a server; warns if the server
 * cannot be watched. */
void vulkan_watch_server(struct vulkan *vulkan, struct loop *loop);
void vulkan_finish(struct vulkan *vulkan);
