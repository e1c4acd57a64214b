// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * One table says what each option is, and help and parser are both made from it. Whatever is wrong
 * with the command line is said in one sentence that names the option: misuse of an option ends
 * with status 2, a wish that this combination cannot fulfil with status 1.
 */
#include "options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "vhost-device-gpu"

/* Pixels; what pixman can convert. */
#define MAX_DIMENSION 32766

static const struct {
	const char *name, *alias;
	uint32_t capsets;
} modes[] = {
	[GPU_MODE_AUTO] = { "auto", NULL, CAPSET_VIRGL | CAPSET_VIRGL2 },
	[GPU_MODE_VIRGLRENDERER] = { "virglrenderer", "virgl-renderer",
				     CAPSET_VIRGL | CAPSET_VIRGL2 },
	[GPU_MODE_GFXSTREAM] = { "gfxstream", NULL,
				 CAPSET_GFXSTREAM_VULKAN | CAPSET_GFXSTREAM_GLES },
	[GPU_MODE_2D] = { "2d", NULL, 0 },
	[GPU_MODE_NULL] = { "null", NULL, 0 },
};

static const struct {
	const char *name;
	uint32_t bit;
} capsets[] = {
	{ "virgl", CAPSET_VIRGL },
	{ "virgl2", CAPSET_VIRGL2 },
	{ "gfxstream-vulkan", CAPSET_GFXSTREAM_VULKAN },
	{ "gfxstream-gles", CAPSET_GFXSTREAM_GLES },
};

/* 0, or the sentence after "--option: ". */
typedef const char *(*option_fn)(struct options *options, const char *value);

static const char *set_socket_path(struct options *options, const char *value)
{
	options->socket_path = value;
	return *value ? NULL : "the path is empty";
}

static const char *parse_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = g_ascii_strtoull(value, &end, 10);
	if (errno || end == value || *end || !g_ascii_isdigit(*value))
		return "expected a number";
	if (*ret < min || *ret > max)
		return "the number is out of range";
	return NULL;
}

static const char *set_fd(struct options *options, const char *value)
{
	uint64_t fd;
	const char *wrong = parse_number(value, 0, INT32_MAX, &fd);

	if (!wrong)
		options->fd = (int)fd;
	return wrong;
}

static const char *set_gpu_mode(struct options *options, const char *value)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
		if (strcmp(value, modes[i].name) == 0 || g_strcmp0(value, modes[i].alias) == 0) {
			options->gpu_mode = (enum gpu_mode)i;
			return NULL;
		}
	}
	return "expected auto, virglrenderer, gfxstream, 2d or null";
}

static const char *set_capset(struct options *options, const char *value)
{
	g_auto(GStrv) names = g_strsplit(value, ",", -1);

	for (char **name = names; *name; name++) {
		unsigned i = 0;

		while (i < G_N_ELEMENTS(capsets) && strcmp(g_strstrip(*name), capsets[i].name) != 0)
			i++;
		if (i == G_N_ELEMENTS(capsets))
			return "expected names from virgl, virgl2, gfxstream-vulkan, "
			       "gfxstream-gles, separated by commas";
		options->capsets |= capsets[i].bit;
	}
	return NULL;
}

static const char *parse_bool(const char *value, bool *ret)
{
	*ret = !value || strcmp(value, "true") == 0;
	return *ret || strcmp(value, "false") == 0 ? NULL : "expected true or false";
}

static const char *set_use_egl(struct options *options, const char *value)
{
	return parse_bool(value, &options->use_egl);
}

static const char *set_use_glx(struct options *options, const char *value)
{
	return parse_bool(value, &options->use_glx);
}

static const char *set_use_gles(struct options *options, const char *value)
{
	options->has_use_gles = true;
	return parse_bool(value, &options->use_gles);
}

static const char *set_use_surfaceless(struct options *options, const char *value)
{
	return parse_bool(value, &options->use_surfaceless);
}

static const char *set_gpu_device(struct options *options, const char *value)
{
	options->gpu_device = value;
	return *value ? NULL : "the path is empty";
}

/* libvirt asks for 3D with this. */
static const char *set_virgl(struct options *options, const char *value)
{
	(void)value;
	if (options->gpu_mode == GPU_MODE_AUTO)
		options->gpu_mode = GPU_MODE_VIRGLRENDERER;
	return NULL;
}

static const char *set_headless(struct options *options, const char *value)
{
	(void)value;
	options->is_headless = true;
	return NULL;
}

static const char *set_once(struct options *options, const char *value)
{
	(void)value;
	options->is_once = true;
	return NULL;
}

static const char *set_log_level(struct options *options, const char *value)
{
	return log_level_parse(value, &options->log_level) ? NULL
							   : "expected error, warn, info or debug";
}

static const char *set_sandbox(struct options *options, const char *value)
{
	static const char *const names[] = {
		[SANDBOX_OFF] = "off",
		[SANDBOX_AUTO] = "auto",
		[SANDBOX_STRICT] = "strict",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		if (strcmp(value, names[i]) == 0) {
			options->sandbox = (enum sandbox_level)i;
			return NULL;
		}
	}
	return "expected off, auto or strict";
}

static const char *set_max_outputs(struct options *options, const char *value)
{
	uint64_t n;
	const char *wrong = parse_number(value, 1, VIRTIO_GPU_MAX_SCANOUTS, &n);

	if (!wrong)
		options->device.n_scanouts = (uint32_t)n;
	return wrong;
}

static const char *set_max_hostmem(struct options *options, const char *value)
{
	static const char units[] = "KMGT";
	g_autofree char *number = g_strdup(value);
	size_t length = strlen(number);
	const char *unit = length > 0 ? strchr(units, number[length - 1]) : NULL;
	unsigned shift = 0;

	if (unit && *unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		number[length - 1] = '\0';
	}
	const char *wrong =
		parse_number(number, 1, INT64_MAX >> shift, &options->device.limits.max_hostmem);
	options->device.limits.max_hostmem <<= shift;
	return wrong;
}

static const char *set_limit(uint32_t *limit, const char *value)
{
	uint64_t n;
	const char *wrong = parse_number(value, 1, INT32_MAX, &n);

	if (!wrong)
		*limit = (uint32_t)n;
	return wrong;
}

static const char *set_max_resources(struct options *options, const char *value)
{
	return set_limit(&options->device.limits.max_resources, value);
}

static const char *set_max_backing_entries(struct options *options, const char *value)
{
	return set_limit(&options->device.limits.max_backing_entries, value);
}

static const char *set_max_dimension(struct options *options, const char *value)
{
	uint64_t pixels;
	const char *wrong = parse_number(value, 1, MAX_DIMENSION, &pixels);

	if (!wrong)
		options->device.limits.max_dimension = (uint32_t)pixels;
	return wrong;
}

static const char *set_max_contexts(struct options *options, const char *value)
{
	return set_limit(&options->device.limits.max_contexts, value);
}

static const char *set_max_submit(struct options *options, const char *value)
{
	return set_limit(&options->device.limits.max_submit, value);
}

static const char *set_max_fences(struct options *options, const char *value)
{
	return set_limit(&options->device.limits.max_fences, value);
}

static const char *set_scanout(struct options *options, const char *value)
{
	static const char *const names[] = {
		[GPU_SCANOUT_AUTO] = "auto",
		[GPU_SCANOUT_DMABUF] = "dmabuf",
		[GPU_SCANOUT_PIXELS] = "pixels",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		if (strcmp(value, names[i]) == 0) {
			options->device.scanout_mode = (enum gpu_scanout_mode)i;
			return NULL;
		}
	}
	return "expected auto, dmabuf or pixels";
}

static const struct option_type {
	char letter; /* 0: none */
	const char *name;
	const char *value; /* what help calls it; NULL: takes none; in brackets: may be left out */
	option_fn set;
	const char *help;
} option_types[] = {
	{ 's', "socket-path", "PATH", set_socket_path,
	  "listen here for the VMM's vhost-user connection" },
	{ 0, "fd", "N", set_fd, "serve the connected socket that was inherited as N, then exit" },
	{ 'g', "gpu-mode", "MODE", set_gpu_mode,
	  "auto (default), virglrenderer, gfxstream, 2d or null" },
	{ 'c', "capset", "A,B", set_capset,
	  "what the guest may use: virgl, virgl2, gfxstream-vulkan, gfxstream-gles" },
	{ 0, "use-egl", "[BOOL]", set_use_egl, "virglrenderer: use EGL (default true)" },
	{ 0, "use-glx", "[BOOL]", set_use_glx, "virglrenderer: use GLX (default false)" },
	{ 0, "use-gles", "[BOOL]", set_use_gles,
	  "OpenGL ES on the host, not OpenGL (default: OpenGL if it works)" },
	{ 0, "use-surfaceless", "[BOOL]", set_use_surfaceless,
	  "work without a native window system (default true)" },
	{ 0, "gpu-device", "PATH", set_gpu_device,
	  "virglrenderer: the DRM render node to use (default: picked by itself)" },
	{ 0, "render-node", "PATH", set_gpu_device, "the same as --gpu-device" },
	{ 0, "virgl", NULL, set_virgl,
	  "the same as --gpu-mode virglrenderer, unless a mode is given" },
	{ 0, "headless", NULL, set_headless, "show nothing; one screen of 1280x800 for the guest" },
	{ 0, "once", NULL, set_once, "serve one connection, then exit with status 0" },
	{ 0, "max-outputs", "N", set_max_outputs,
	  "screens in the configuration space, 1 to 16 (default 1; QEMU sets its own)" },
	{ 0, "max-hostmem", "BYTES", set_max_hostmem,
	  "host memory for the guest's resources, with K, M, G or T (default 1G)" },
	{ 0, "max-resources", "N", set_max_resources, "live resources (default 262144)" },
	{ 0, "max-backing-entries", "N", set_max_backing_entries,
	  "pieces of guest memory behind one resource (default 16384)" },
	{ 0, "max-dimension", "PIXELS", set_max_dimension,
	  "width and height of a resource (default 16384)" },
	{ 0, "max-contexts", "N", set_max_contexts, "live 3D contexts (default 256)" },
	{ 0, "max-submit", "BYTES", set_max_submit, "one 3D command stream (default 16777216)" },
	{ 0, "max-fences", "N", set_max_fences, "fences that wait at once (default 2048)" },
	{ 0, "scanout", "MODE", set_scanout,
	  "show 3D resources by auto (default), dmabuf or pixels" },
	{ 0, "sandbox", "LEVEL", set_sandbox,
	  "give up what is not needed: auto (default), strict or off" },
	{ 0, "log-level", "LEVEL", set_log_level, "error, warn, info (default) or debug" },
	{ 'h', "help", NULL, NULL, "print this and exit" },
	{ 'V', "version", NULL, NULL, "print the version and exit" },
};

const char *gpu_mode_name(enum gpu_mode mode)
{
	return modes[mode].name;
}

static void print_help(void)
{
	printf("Usage: " PROGRAM " --socket-path PATH [OPTION]...\n"
	       "A virtio-gpu device for a virtual machine, over vhost-user.\n\n");
	for (unsigned i = 0; i < G_N_ELEMENTS(option_types); i++) {
		const struct option_type *type = &option_types[i];
		char letter[] = "    ", name[48];

		if (type->letter)
			snprintf(letter, sizeof(letter), "-%c, ", type->letter);
		snprintf(name, sizeof(name), "--%s %s", type->name, type->value ? type->value : "");
		printf("  %s%-28s %s\n", letter, name, type->help);
	}
}

/* The tables that getopt_long() wants; codes are 256 + the index in option_types. */
static void make_getopt_tables(char *letters, struct option *longs)
{
	*letters++ = ':'; /* tell a missing value from an unknown option */
	for (unsigned i = 0; i < G_N_ELEMENTS(option_types); i++) {
		const struct option_type *type = &option_types[i];
		bool is_optional = type->value && type->value[0] == '[';

		longs[i] = (struct option){ type->name,
					    !type->value  ? no_argument
					    : is_optional ? optional_argument
							  : required_argument,
					    NULL, 256 + (int)i };
		if (type->letter) {
			*letters++ = type->letter;
			if (type->value)
				*letters++ = ':';
		}
	}
	*letters = '\0';
	longs[G_N_ELEMENTS(option_types)] = (struct option){ 0 };
}

static const struct option_type *find_option(int code)
{
	if (code >= 256)
		return &option_types[code - 256];
	for (unsigned i = 0; i < G_N_ELEMENTS(option_types); i++)
		if (option_types[i].letter == code)
			return &option_types[i];
	return NULL;
}

static enum options_result report_usage(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static enum options_result report_usage(const char *format, ...)
{
	va_list args;

	fputs(PROGRAM ": ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(" (see --help)\n", stderr);
	return OPTIONS_USAGE;
}

/* What each option says is good; now all of them together. */
static enum options_result check_options(struct options *options)
{
	uint32_t foreign = options->capsets & ~modes[options->gpu_mode].capsets;

	if (!options->socket_path && options->fd < 0)
		return report_usage(
			"say where the VMM connects, with --socket-path PATH or --fd N");
	if (options->socket_path && options->fd >= 0)
		return report_usage("--socket-path and --fd exclude each other");
	for (unsigned i = 0; i < G_N_ELEMENTS(capsets); i++) {
		if (foreign & capsets[i].bit) {
			fprintf(stderr, PROGRAM ": --gpu-mode %s has no capset %s\n",
				gpu_mode_name(options->gpu_mode), capsets[i].name);
			return OPTIONS_WRONG;
		}
	}
	/* Who names a device wants that one, and nothing to fall back to. */
	if (options->gpu_device && options->gpu_mode == GPU_MODE_AUTO)
		options->gpu_mode = GPU_MODE_VIRGLRENDERER;
	if (options->gpu_device && options->gpu_mode != GPU_MODE_VIRGLRENDERER) {
		fprintf(stderr, PROGRAM ": --gpu-device needs --gpu-mode virglrenderer\n");
		return OPTIONS_WRONG;
	}
	if ((options->capsets & CAPSET_GFXSTREAM_GLES) && options->has_use_gles &&
	    !options->use_gles) {
		fprintf(stderr, PROGRAM ": capset gfxstream-gles needs --use-gles true\n");
		return OPTIONS_WRONG;
	}
	return OPTIONS_RUN;
}

enum options_result options_parse(struct options *ret, int argc, char **argv)
{
	char letters[2 * G_N_ELEMENTS(option_types) + 2];
	struct option longs[G_N_ELEMENTS(option_types) + 1];
	int code;

	*ret = (struct options){
		.fd = -1,
		.use_egl = true,
		.use_surfaceless = true,
		.log_level = LOG_LEVEL_INFO,
		.sandbox = SANDBOX_AUTO,
		.device = { .limits = GPU_LIMITS_DEFAULT, .n_scanouts = 1 },
	};
	make_getopt_tables(letters, longs);
	opterr = 0;
	while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (code == '?')
			return report_usage("%s is not an option", argv[optind - 1]);
		if (code == ':')
			return report_usage("%s needs a value", argv[optind - 1]);

		const struct option_type *type = find_option(code);

		assert(type); /* getopt returns what the table gave it */
		if (type->letter == 'h') {
			print_help();
			return OPTIONS_DONE;
		}
		if (type->letter == 'V') {
			puts(PROGRAM " " PROJECT_VERSION);
			return OPTIONS_DONE;
		}
		/* "--use-egl false" is what the Rust daemon takes; getopt wants an equals sign. */
		if (type->value && type->value[0] == '[' && !optarg && optind < argc &&
		    argv[optind][0] != '-')
			optarg = argv[optind++];
		const char *wrong = type->set(ret, optarg);
		if (wrong)
			return report_usage("--%s %s: %s", type->name, optarg, wrong);
	}
	if (optind < argc)
		return report_usage("%s is not an option", argv[optind]);
	return check_options(ret);
}
