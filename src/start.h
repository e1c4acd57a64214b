// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Creates sandbox and renderer from the options. */

#include <stdbool.h>

struct options;
struct renderer;
struct sandbox;
struct vulkan;

/* Prints why the daemon does not start, after the messages that libraries printed. Returns the exit
 * status. */
int start_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Checks whether the render nodes can be opened, without a driver. If the options name a node, only
 * that one is checked; if it cannot be opened, calls start_fail() and returns false. If they name
 * none, each node that cannot be opened gets a warning that says what would help. */
bool start_look_at_nodes(const struct options *options);

/* Calls sandbox_start() with what the mode in @options may need. */
bool start_sandbox(struct sandbox *sandbox, const struct options *options);

/* Called inside the sandbox. Opens /dev/udmabuf with --scanout dmabuf, unless --headless is given.
 * The caller owns the descriptor. 0: there is none; if it was wanted, the reason was logged. */
int start_udmabuf(const struct options *options);

/* Creates the renderer of the mode in @options, or returns NULL and the reason in *@ret_message
 * (freed with g_free()). @vulkan is borrowed, and gets the render server if the renderer starts
 * one. @udmabuf, of start_udmabuf(), is borrowed. */
struct renderer *start_renderer(const struct options *options, struct vulkan *vulkan, int udmabuf,
				char **ret_message);
