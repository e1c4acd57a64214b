// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* virgl_render_server, the process that draws a guest's Vulkan, in a jail of its own. */

#include <stdint.h>

#include "sandbox/sandbox.h"

struct render_server_options {
	enum sandbox_level level; /* off: no jail; strict: all of it, or it is not started */
	uint64_t max_memory;      /* bytes that each of its processes may have to itself */
	unsigned max_fds;         /* at once, in each of its processes */
};

struct render_server {
	int socket; /* of type SOCK_SEQPACKET; it ends when this is closed */
	int pidfd;  /* readable when it has ended; nobody need wait for it */
};

/* The program: $RENDER_SERVER_EXEC_PATH, or where distributions have it. NULL: it is not here. */
const char *render_server_find(void);

/* Starts it. NULL and both descriptors, which the caller owns, or one sentence, freed with
 * g_free(). */
char *render_server_start(const struct render_server_options *options, struct render_server *ret);
