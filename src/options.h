// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The command line. */

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "gpu/device.h"
#include "sandbox/sandbox.h"

enum gpu_mode {
	GPU_MODE_AUTO,
	GPU_MODE_VIRGLRENDERER,
	GPU_MODE_2D,
	GPU_MODE_NULL,
	GPU_MODE_GFXSTREAM,
};

enum check_format {
	CHECK_FORMAT_NONE, /* serve */
	CHECK_FORMAT_JSON,
	CHECK_FORMAT_TEXT,
};

/* Strings are borrowed, from argv or from a copy of the environment that lives until the next
 * options_parse(). */
struct options {
	const char *socket_path; /* NULL with fd */
	int fd;                  /* -1 with socket_path */
	enum gpu_mode gpu_mode;
	bool is_mode_given; /* also by --virgl */
	uint32_t capsets;   /* bits 1 << id; 0: the default of the mode */
	bool use_egl, use_glx, use_surfaceless;
	bool has_use_gles, use_gles;    /* use_gles counts only if it was given */
	const char *gpu_device;         /* NULL: the first that works */
	const char *gfxstream_library;  /* NULL: the system's */
	const char *gfxstream_features; /* NULL: the library's defaults */
	const char *trace;              /* NULL: none */
	const char *socket_group;       /* NULL: the umask decides */
	bool is_headless, is_once;
	uint32_t max_fps;   /* as in socket_display_new() */
	uint32_t max_stall; /* seconds */
	uint32_t max_venus_contexts;
	enum log_level log_level;
	enum sandbox_level sandbox;
	enum check_format check;
	struct gpu_device_options device;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,  /* help, version or capabilities were printed: exit 0 */
	OPTIONS_WRONG, /* an error was printed: exit 1 */
	OPTIONS_USAGE, /* an error was printed: exit 2 */
};

/* The name of capset @id; static. */
const char *options_capset_name(unsigned id);

/* Reads $VHOST_DEVICE_GPU_OPTIONS, then @argv. Without --socket-path and --fd it takes the socket
 * that the service manager passed. With --print-capabilities it prints the capabilities and ignores
 * all other options. */
enum options_result options_parse(struct options *ret, int argc, char **argv);
