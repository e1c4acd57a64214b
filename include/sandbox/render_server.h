// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* virgl_render_server, the process that draws a guest's Vulkan, in its own jail. */

#include <stdint.h>

#include "sandbox/sandbox.h"

struct render_server_options {
	enum sandbox_level level; /* off: no jail; strict: the whole jail, or no server */
	uint64_t max_memory;      /* bytes of private memory of each process, and of each file */
	unsigned max_fds;         /* descriptors of each process */
};

struct render_server {
	int socket; /* of type SOCK_SEQPACKET; closing it ends the server */
	int pidfd;  /* readable when the server has ended; the kernel reaps it */
};

/* The path of the program: $RENDER_SERVER_EXEC_PATH, or a place where distributions install it.
 * NULL if there is none. */
const char *render_server_find(void);

/* Starts the server. NULL, with both descriptors of *@ret, which the caller owns; or a sentence,
 * freed with g_free(), with both -1. */
char *render_server_start(const struct render_server_options *options, struct render_server *ret);
