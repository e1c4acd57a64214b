// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The render server of the guest's Vulkan: where the renderer, which asks for it, and the sandbox,
 * which starts it, meet. */

#include "base/loop.h"
#include "options.h"

struct vulkan {
	const struct options *options; /* borrowed */
	int pidfd;                     /* owned; of the last server that was started, or -1 */
	struct loop_source source;
};

/* Whether a guest may have Venus, if it works here. */
bool vulkan_is_wanted(const struct options *options);
/* Of the daemon, for so many contexts, beside what it has without. */
unsigned vulkan_max_fds(const struct options *options);
unsigned vulkan_max_threads(const struct options *options);

/* For virgl_options::start_server; @vulkan is a struct vulkan. */
char *vulkan_start_server(void *vulkan, int *ret_socket);
/* Has the end of the server logged. Without a server, and if it cannot be watched, nothing. */
void vulkan_watch_server(struct vulkan *vulkan, struct loop *loop);
void vulkan_finish(struct vulkan *vulkan);
