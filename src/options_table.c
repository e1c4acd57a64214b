// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The table of options, and for each type of named values a table of the names. Parser, help and
 * errors all read these tables. A new option, limit, mode or capset is a row here.
 */
#include <glib.h>
#include <linux/virtio_gpu.h>

#include "options_private.h"

/* In pixels: pixman converts no larger image. */
#define MAX_DIMENSION 32766

#define NAMES(strings, ...)                                                                        \
	{                                                                                          \
		.names = (strings), .n = G_N_ELEMENTS(strings), __VA_ARGS__                        \
	}

#define ALIASES(list) .aliases = (list), .n_aliases = G_N_ELEMENTS(list)

static const char *const mode_strings[] = {
	[GPU_MODE_AUTO] = "auto", [GPU_MODE_VIRGLRENDERER] = "virglrenderer", [GPU_MODE_2D] = "2d",
	[GPU_MODE_NULL] = "null", [GPU_MODE_GFXSTREAM] = "gfxstream",
};
/* rust-vmm's daemon calls the mode by this name. */
static const struct option_alias mode_aliases[] = {
	{ "virgl-renderer", GPU_MODE_VIRGLRENDERER, true },
};
const struct option_names options_table_modes = NAMES(mode_strings, ALIASES(mode_aliases));

/* The capsets' ids: up to 5 from the virtio-gpu specification, 6 from Linux's virtio_gpu.h, 8 and 9
 * from rutabaga_gfx. They index the table of names below. */
enum {
	CAPSET_VIRGL = 1,
	CAPSET_VIRGL2 = 2,
	CAPSET_GFXSTREAM_VULKAN = 3,
	CAPSET_VENUS = 4,
	CAPSET_DRM = 6,
	CAPSET_GFXSTREAM_GLES = 8,
	CAPSET_GFXSTREAM_COMPOSER = 9,
};

static const char *const capset_strings[] = {
	[CAPSET_VIRGL] = "virgl",
	[CAPSET_VIRGL2] = "virgl2",
	[CAPSET_GFXSTREAM_VULKAN] = "gfxstream-vulkan",
	[CAPSET_VENUS] = "venus",
	[CAPSET_DRM] = "drm",
	[CAPSET_GFXSTREAM_GLES] = "gfxstream-gles",
	[CAPSET_GFXSTREAM_COMPOSER] = "gfxstream-composer",
};
const struct option_names options_table_capsets = NAMES(capset_strings, .is_set = true);

const char *options_capset_name(unsigned id)
{
	return id < G_N_ELEMENTS(capset_strings) && capset_strings[id] ? capset_strings[id]
								       : "unknown";
}

#define CAPSETS_OF_VIRGLRENDERER                                                                   \
	(1u << CAPSET_VIRGL | 1u << CAPSET_VIRGL2 | 1u << CAPSET_VENUS | 1u << CAPSET_DRM)

const uint32_t options_table_mode_capsets[G_N_ELEMENTS(mode_strings)] = {
	[GPU_MODE_AUTO] = CAPSETS_OF_VIRGLRENDERER,
	[GPU_MODE_VIRGLRENDERER] = CAPSETS_OF_VIRGLRENDERER,
	[GPU_MODE_NULL] = 1u << CAPSET_VENUS,
	[GPU_MODE_GFXSTREAM] = 1u << CAPSET_GFXSTREAM_VULKAN | 1u << CAPSET_GFXSTREAM_GLES |
			       1u << CAPSET_GFXSTREAM_COMPOSER,
};

static const char *const bool_strings[] = { [false] = "false", [true] = "true" };
static const struct option_alias bool_aliases[] = {
	{ "no", false, false }, { "yes", true, false }, { "off", false, false },
	{ "on", true, false },  { "0", false, false },  { "1", true, false },
};
static const struct option_names bool_names = NAMES(bool_strings, ALIASES(bool_aliases));

static const char *const scanout_strings[] = {
	[GPU_SCANOUT_AUTO] = "auto",
	[GPU_SCANOUT_DMABUF] = "dmabuf",
	[GPU_SCANOUT_PIXELS] = "pixels",
};
static const struct option_names scanout_names = NAMES(scanout_strings);

static const char *const sandbox_strings[] = {
	[SANDBOX_OFF] = "off",
	[SANDBOX_AUTO] = "auto",
	[SANDBOX_STRICT] = "strict",
};
static const struct option_names sandbox_names = NAMES(sandbox_strings);

/* --check without a value means the last name of this table: text. */
static const char *const check_strings[] = {
	[CHECK_FORMAT_JSON] = "json",
	[CHECK_FORMAT_TEXT] = "text",
};
static const struct option_names check_names = NAMES(check_strings);

static const struct option_names log_names = NAMES(log_level_names);

static bool set_gpu_mode(const struct option_type *type, struct options *options, const char *value)
{
	options->is_mode_given = true;
	return options_value_set_name(type, options, value);
}

/* libvirt passes --virgl for 3D. */
static bool set_virgl(const struct option_type *type, struct options *options, const char *value)
{
	(void)type;
	(void)value;
	if (options->gpu_mode == GPU_MODE_AUTO)
		options->gpu_mode = GPU_MODE_VIRGLRENDERER;
	options->is_mode_given = true;
	return true;
}

static bool set_use_gles(const struct option_type *type, struct options *options, const char *value)
{
	options->has_use_gles = true;
	return options_value_set_name(type, options, value);
}

#define FIELD(field)                                                                               \
	.at = offsetof(struct options, field), .size = sizeof(((struct options *)NULL)->field)
#define PATH(field)     options_value_set_path, FIELD(field)
#define TEXT(field)     options_value_set_text, FIELD(field)
#define FLAG(field)     options_value_set_flag, FIELD(field)
#define NAME(field, of) options_value_set_name, FIELD(field), .names = &(of)
#define NUMBER(field, least, most)                                                                 \
	options_value_set_number, FIELD(field), .min = (least), .max = (most)
#define LIMIT(field, most) NUMBER(device.limits.field, 1, most)
#define SIZE(field, most)  LIMIT(field, most), .unit = "bytes", .has_suffix = true

#define SOCKET   OPTION_GROUP_SOCKET
#define RENDERER OPTION_GROUP_RENDERER
#define DISPLAY  OPTION_GROUP_DISPLAY
#define LIMITS   OPTION_GROUP_LIMITS
#define OTHER    OPTION_GROUP_OTHER

const struct option_type options_table[] = {
	{ SOCKET, 's', "socket-path", "PATH", PATH(socket_path),
	  .help = "listen on this socket for the front-end (QEMU)" },
	{ SOCKET, 0, "socket-group", "NAME", PATH(socket_group),
	  .help = "group, by name or number, that may connect too (mode 0660)" },
	{ SOCKET, 0, "fd", "N", NUMBER(fd, 0, INT32_MAX), .hides_default = true,
	  .help = "serve the inherited socket N; if it is a connection, exit when it ends" },
	{ SOCKET, 0, "once", NULL, FLAG(is_once),
	  .help = "serve one connection, then exit with status 0" },

	{ RENDERER, 'g', "gpu-mode", "MODE", set_gpu_mode, FIELD(gpu_mode),
	  .names = &options_table_modes, .help = "renderer" },
	{ RENDERER, 0, "virgl", NULL, set_virgl,
	  .help = "same as --gpu-mode virglrenderer, unless a mode is given" },
	{ RENDERER, 'c', "capset", "A,B", NAME(capsets, options_table_capsets),
	  .help = "capsets that the guest may use (default: all of the mode that work here; "
		  "with gfxstream only gfxstream-vulkan, with null none)" },
	{ RENDERER, 0, "gpu-device", "PATH", PATH(gpu_device),
	  .help = "DRM render node to draw with; auto then means virglrenderer (default: the first "
		  "that works)" },
	{ RENDERER, 0, "render-node", "PATH", PATH(gpu_device), .help = "same as --gpu-device" },
	{ RENDERER, 0, "use-egl", "[BOOL]", NAME(use_egl, bool_names),
	  .help = "let virglrenderer use EGL" },
	{ RENDERER, 0, "use-glx", "[BOOL]", NAME(use_glx, bool_names),
	  .help = "let virglrenderer use GLX" },
	{ RENDERER, 0, "use-gles", "[BOOL]", set_use_gles, FIELD(use_gles), .names = &bool_names,
	  .hides_default = true,
	  .help = "use OpenGL ES on the host (default: only where OpenGL fails)" },
	{ RENDERER, 0, "use-surfaceless", "[BOOL]", NAME(use_surfaceless, bool_names),
	  .help = "let EGL run without a render node" },
	{ RENDERER, 0, "gfxstream-library", "PATH", PATH(gfxstream_library),
	  .help = "gfxstream's library (default: the system's libgfxstream_backend.so.0)" },
	{ RENDERER, 0, "gfxstream-features", "A,B", TEXT(gfxstream_features),
	  .help = "features to enable or disable in gfxstream's library: "
		  "NAME:enabled,NAME:disabled" },

	{ DISPLAY, 0, "headless", NULL, FLAG(is_headless),
	  .help = "no display; the guest gets one screen of 1280x800" },
	{ DISPLAY, 0, "max-outputs", "N", NUMBER(device.n_scanouts, 1, VIRTIO_GPU_MAX_SCANOUTS),
	  .help = "number of screens; QEMU uses its own max_outputs= instead" },
	{ DISPLAY, 0, "max-fps", "N", NUMBER(max_fps, 0, 1000), .hides_default = true,
	  .help = "limit of pixel updates per second and screen; 0: no limit (default: the "
		  "screen's refresh rate)" },
	{ DISPLAY, 0, "scanout", "MODE", NAME(device.scanout_mode, scanout_names),
	  .help = "how pictures are sent to the display" },

	{ LIMITS, 0, "max-hostmem", "BYTES", SIZE(max_hostmem, INT64_MAX),
	  .help = "memory that a guest may make this process use" },
	{ LIMITS, 0, "shmem-size", "BYTES", NUMBER(device.shmem_size, 0, UINT64_C(1) << 40),
	  .unit = "bytes", .has_suffix = true,
	  .help = "size of the window through which the guest maps host memory, a power of two; 0: "
		  "no window" },
	{ LIMITS, 0, "max-resources", "N", LIMIT(max_resources, INT32_MAX),
	  .help = "live resources" },
	{ LIMITS, 0, "max-backing-entries", "N", LIMIT(max_backing_entries, INT32_MAX),
	  .help = "entries of guest memory in one resource's backing" },
	{ LIMITS, 0, "max-dimension", "PIXELS", LIMIT(max_dimension, MAX_DIMENSION),
	  .unit = "pixels", .help = "width and height of a resource" },
	{ LIMITS, 0, "max-contexts", "N", LIMIT(max_contexts, INT32_MAX),
	  .help = "live 3D contexts" },
	{ LIMITS, 0, "max-venus-contexts", "N", NUMBER(max_venus_contexts, 1, 256),
	  .help = "live Vulkan contexts; each is a process on the host" },
	{ LIMITS, 0, "max-submit", "BYTES", SIZE(max_submit, INT32_MAX),
	  .help = "size of one 3D command stream" },
	{ LIMITS, 0, "max-fences", "N", LIMIT(max_fences, INT32_MAX), .help = "pending fences" },
	{ LIMITS, 0, "max-stall", "SECONDS", NUMBER(max_stall, 1, 3600), .unit = "seconds",
	  .help = "time after which a session ends if the renderer does not return; after as long "
		  "again the daemon exits" },

	{ OTHER, 0, "sandbox", "LEVEL", NAME(sandbox, sandbox_names),
	  .help = "drop privileges that the daemon does not need" },
	{ OTHER, 0, "log-level", "LEVEL", NAME(log_level, log_names),
	  .help = "most detailed level that is logged" },
	{ OTHER, 0, "trace", "FILE", PATH(trace),
	  .help = "write a line for each guest command to this file, which is emptied first; stops "
		  "at 64 MiB" },
	{ OTHER, 0, "check", "[FORMAT]", NAME(check, check_names), .hides_default = true,
	  .help = "print what works on this host and what would help; exit with status 0, 3 (works "
		  "with limits) or 1 (does not work)" },
	{ OTHER, 0, "print-capabilities", NULL, NULL,
	  .help = "print the features that libvirt asks for, and exit" },
	{ OTHER, 'h', "help", NULL, NULL, .help = "print this help and exit" },
	{ OTHER, 'V', "version", NULL, NULL,
	  .help = "print the version, the renderers and the libraries, and exit" },
};

const unsigned options_table_length = G_N_ELEMENTS(options_table);
