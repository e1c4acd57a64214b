// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Takes privileges from the daemon, so that a guest that has taken it over can do little. */

#include <stdbool.h>

enum sandbox_level {
	SANDBOX_OFF,
	SANDBOX_AUTO,   /* all protections that this host allows; one warning for each that it does
			   not */
	SANDBOX_STRICT, /* all protections, or the daemon does not start */
};

struct sandbox_options {
	enum sandbox_level level;
	unsigned needs;   /* enum needs: all that the renderer may need */
	bool uses_x11;    /* OpenGL uses an X server, whose socket is outside the file tree */
	int keep_fd;      /* left open, besides 0 to 2 and files locked by us; -1: none */
	unsigned max_fds; /* at once, by the daemon's own limits */
	unsigned max_threads;
	const char *gpu_device; /* borrowed; absolute; a device to keep, or NULL */
	const char *library;    /* borrowed; absolute; a file to keep, or NULL */
};

struct sandbox {
	struct sandbox_options options;
	struct {
		const char *what, *why; /* static */
	} missing[10];
	unsigned n_missing;
	bool has_user, has_net, has_ipc, has_rootfs, has_no_capabilities, has_filter;
	bool is_filter_tried, may_limit_threads;
	unsigned n_paths;            /* in the tree */
	struct gpu_nodes *gpu_nodes; /* NULL: no node is to be unmounted */
};

/* Of libseccomp, as it is loaded; freed with g_free(). NULL: not built in. */
char *sandbox_library_version(void);

/*
 * Before the renderer starts, in a process without threads: takes away what threads inherit, which
 * is privileges, namespaces and the file tree. Closes what the parent left open. False, with an
 * error line for each thing that is missing, if this host does not allow what options::level wants.
 */
bool sandbox_start(struct sandbox *sandbox, const struct sandbox_options *options);

/* Called when everything is open. Allows all threads only the system calls that a renderer with
 * @needs (enum needs) makes. Logs a warning for each missing protection, and one line with all that
 * is in force. False, with error lines, if the filter fails although it worked in a child, or, with
 * --sandbox strict, if the filter or the removal of unused GPUs' device nodes fails. */
bool sandbox_lock(struct sandbox *sandbox, unsigned needs);

/* In a child that waits for the end of its parent and then removes a file: leaves it the system
 * calls for that and no other. Does nothing where there can be no filter. */
void sandbox_confine_keeper(void);
