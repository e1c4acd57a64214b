// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* From options to a sandbox and a renderer. */

#include <stdbool.h>

struct options;
struct renderer;
struct sandbox;
struct vulkan;

/* Why the daemon does not serve, after what libraries said of it. The exit status. */
int start_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What can be seen of the render nodes without a driver. A node that was named has to work; of the
 * others it is only said what would help. False if what is wrong was said. */
bool start_look_at_nodes(const struct options *options);

/* As sandbox_start(), with what the mode of the options may come to need. */
bool start_sandbox(struct sandbox *sandbox, const struct options *options);

/* The renderer for the mode, or NULL with the reason in *@ret_message (freed with g_free()).
 * @vulkan is borrowed; it has the render server, if the renderer started one. */
struct renderer *start_renderer(const struct options *options, struct vulkan *vulkan,
				char **ret_message);
