// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Reads the command line. Each mistake prints one sentence that names the option. Wrong usage
 * (--socket-path with --fd, for example) exits with status 2. Options that do not fit --gpu-mode
 * exit with status 1.
 *
 * libvirt and unit files start the daemon with arguments that an administrator cannot change. The
 * administrator puts further options into $VHOST_DEVICE_GPU_OPTIONS, which is read before the
 * arguments.
 *
 * libvirt passes a connected socket, adds --virgl only for 3D, and names a render node in both
 * cases. So with a connected --fd the default is 2D, and a render node alone does not select 3D. In
 * all other cases the default is the best mode that works; with --gpu-device it is virglrenderer.
 */
#include "options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fd.h"
#include "capabilities.h"
#include "display/socket.h"
#include "options_private.h"
#include "service_manager.h"

#define LOG_MODULE "main"
#include "base/log.h"

#define PROGRAM "vhost-device-gpu"

#define ENVIRONMENT "VHOST_DEVICE_GPU_OPTIONS"

/* getopt_long() returns the letter of an option, or FIRST_CODE + its index in the table. */
#define FIRST_CODE 256

/* Rows of the table for getopt_long(). */
#define ROOM 64

#define MIN_SHMEM_SIZE (UINT64_C(1) << 20)

static struct option describe_to_getopt(unsigned i)
{
	const struct option_type *type = &options_table[i];

	return (struct option){ type->name,
				!type->value                      ? no_argument
				: options_value_is_optional(type) ? optional_argument
								  : required_argument,
				NULL, FIRST_CODE + (int)i };
}

/* @longs has ROOM rows; the row after the last option is all zero. */
static void fill_long_options(struct option *longs)
{
	assert(options_table_length < ROOM);
	for (unsigned i = 0; i < options_table_length; i++)
		longs[i] = describe_to_getopt(i);
	longs[options_table_length] = (struct option){ 0 };
}

/* Freed with g_free(). */
static char *make_letters(void)
{
	GString *letters = g_string_new(":"); /* tell a missing value from an unknown option */

	for (unsigned i = 0; i < options_table_length; i++) {
		if (!options_table[i].letter)
			continue;
		g_string_append_c(letters, options_table[i].letter);
		if (options_table[i].value)
			g_string_append_c(letters, ':');
	}
	return g_string_free(letters, FALSE);
}

static const struct option_type *find_option(int code)
{
	if (code >= FIRST_CODE)
		return &options_table[code - FIRST_CODE];
	for (unsigned i = 0; i < options_table_length; i++)
		if (options_table[i].letter == code)
			return &options_table[i];
	return NULL;
}

/* Begins each sentence: "", or the name of the variable that is being read. */
static const char *reading = "";

static void print_sentence(const char *format, va_list args, const char *end)
{
	g_autofree char *sentence = g_strdup_vprintf(format, args);

	log_fatal("%s%s%s", reading, sentence, end);
}

static enum options_result report_usage(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static enum options_result report_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_sentence(format, args, " (see --help)");
	va_end(args);
	return OPTIONS_USAGE;
}

static enum options_result report_wrong(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static enum options_result report_wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_sentence(format, args, "");
	va_end(args);
	return OPTIONS_WRONG;
}

/* Called when getopt_long() returns '?'. */
static enum options_result report_unknown(char **argv)
{
	if (optopt >= FIRST_CODE)
		return report_usage("--%s takes no value", find_option(optopt)->name);
	if (optopt)
		return report_usage("unknown option -%c", optopt);
	return report_usage("unknown option %s", argv[optind - 1]);
}

static enum options_result report_value(const struct option_type *type, const char *value)
{
	g_autofree char *expected = options_value_expected(type);

	return report_usage("--%s %s: expected %s", type->name, *value ? value : "\"\"", expected);
}

/* Without --socket-path and --fd, takes the socket that the service manager passed. */
static enum options_result check_socket(struct options *options)
{
	if (options->socket_path && options->fd >= 0)
		return report_usage("--socket-path and --fd cannot be used together");
	if (options->socket_group && !options->socket_path)
		return report_usage("--socket-group needs --socket-path");
	if (options->socket_path || options->fd >= 0 || options->check)
		return OPTIONS_RUN;

	int n = service_manager_take_sockets();

	if (n == 0)
		return report_usage("--socket-path PATH or --fd N is required");
	if (n > 1)
		return report_usage(
			"the service manager passed %d sockets, but only one can be served", n);
	options->fd = SERVICE_MANAGER_FIRST_FD;
	return OPTIONS_RUN;
}

/* Refuses capsets and options that do not belong to the mode. */
static enum options_result check_mode(const struct options *options)
{
	const char *mode = options_table_modes.names[options->gpu_mode];
	uint32_t foreign = options->capsets & ~options_table_mode_capsets[options->gpu_mode];

	if (foreign)
		return report_wrong("--gpu-mode %s has no capset %s", mode,
				    options_table_capsets.names[g_bit_nth_lsf(foreign, -1)]);
	if (options->gfxstream_library && options->gpu_mode != GPU_MODE_GFXSTREAM)
		return report_wrong("--gfxstream-library needs --gpu-mode gfxstream");
	if (options->gfxstream_features && options->gpu_mode != GPU_MODE_GFXSTREAM)
		return report_wrong("--gfxstream-features needs --gpu-mode gfxstream");
	return OPTIONS_RUN;
}

/* Whether the renderer of @mode can draw on a render node. */
static bool uses_device(enum gpu_mode mode)
{
	return mode == GPU_MODE_VIRGLRENDERER || mode == GPU_MODE_GFXSTREAM;
}

/* With a device named, auto must not fall back to 2D. */
static enum options_result check_device(struct options *options)
{
	if (options->gpu_device && options->gpu_mode == GPU_MODE_AUTO)
		options->gpu_mode = GPU_MODE_VIRGLRENDERER;
	if (options->gpu_device && !uses_device(options->gpu_mode))
		return report_wrong("--gpu-device needs --gpu-mode virglrenderer or gfxstream");
	return OPTIONS_RUN;
}

/* Called instead of check_device() if --fd is a connected socket, as libvirt passes it. */
static enum options_result check_device_of_libvirt(struct options *options)
{
	if (!options->is_mode_given && !options->capsets)
		options->gpu_mode = GPU_MODE_2D;
	if (options->gpu_mode != GPU_MODE_AUTO && !uses_device(options->gpu_mode))
		options->gpu_device = NULL;
	return OPTIONS_RUN;
}

/* QEMU exits if the size is not a power of two. Below MIN_SHMEM_SIZE no Vulkan program fits. */
static enum options_result check_window(const struct options *options)
{
	uint64_t size = options->device.shmem_size;

	if (size != 0 && (size < MIN_SHMEM_SIZE || (size & (size - 1)) != 0))
		return report_usage("--shmem-size must be a power of two of at least 1M, or 0");
	return OPTIONS_RUN;
}

/* Checks how the options combine; each one is valid by itself. */
static enum options_result check_options(struct options *options)
{
	bool is_connected = options->fd >= 0 && fd_is_connected(options->fd);
	enum options_result result = check_socket(options);

	if (result == OPTIONS_RUN)
		result = check_mode(options);
	if (result == OPTIONS_RUN)
		result = check_window(options);
	if (result == OPTIONS_RUN)
		result = is_connected ? check_device_of_libvirt(options) : check_device(options);
	return result;
}

static enum options_result print_capabilities(void)
{
	return capabilities_print() ? OPTIONS_DONE : OPTIONS_WRONG;
}

/* Prints help, version or capabilities. */
static enum options_result print_and_end(const struct option_type *type,
					 const struct options *defaults)
{
	if (type->letter == 'h')
		options_help_print(defaults);
	else if (type->letter == 'V')
		options_version_print();
	else
		return print_capabilities();
	if (fflush(stdout) != 0 || ferror(stdout))
		return report_wrong("cannot write to standard output: %s", g_strerror(errno));
	return OPTIONS_DONE;
}

/* For an optional value getopt_long() needs an equals sign. rust-vmm's vhost-device-gpu accepts
 * also "--use-egl false", so the next argument is taken as the value. */
static const char *take_value(const struct option_type *type, int argc, char **argv)
{
	if (options_value_is_optional(type) && !optarg && optind < argc && argv[optind][0] != '-')
		return argv[optind++];
	return optarg;
}

static enum options_result read_options(struct options *options, const struct options *defaults,
					int argc, char **argv)
{
	g_autofree char *letters = make_letters();
	struct option longs[ROOM];
	int code;

	fill_long_options(longs);
	opterr = 0;
	optind = 0; /* makes getopt_long() start again at the second call */
	while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (code == '?')
			return report_unknown(argv);
		if (code == ':')
			return report_usage("%s needs a value", argv[optind - 1]);

		const struct option_type *type = find_option(code);

		assert(type); /* getopt_long() returns only codes of the table */
		if (!type->set)
			return print_and_end(type, defaults);

		const char *value = take_value(type, argc, argv);

		if (!type->set(type, options, value))
			return report_value(type, value);
	}
	if (optind < argc)
		return report_usage("unexpected argument %s", argv[optind]);
	return OPTIONS_RUN;
}

/* Splits the variable into words after the program's name, for getopt_long(). NULL on a syntax
 * error. The words stay allocated until the next call, because options borrow from them. */
static char **split_environment(const char *text, int *ret_argc, GError **ret_error)
{
	static char **words;
	g_autofree char *line = g_strconcat(PROGRAM " ", text, NULL);

	g_clear_pointer(&words, g_strfreev);
	return g_shell_parse_argv(line, ret_argc, &words, ret_error) ? words : NULL;
}

static enum options_result read_environment(struct options *options, const struct options *defaults)
{
	const char *text = g_getenv(ENVIRONMENT);
	g_autoptr(GError) error = NULL;
	enum options_result result;
	int argc;

	if (!text)
		return OPTIONS_RUN;

	char **argv = split_environment(text, &argc, &error);

	reading = ENVIRONMENT ": ";
	result = argv ? read_options(options, defaults, argc, argv)
		      : report_usage("%s", error->message);
	reading = "";
	return result;
}

enum options_result options_parse(struct options *ret, int argc, char **argv)
{
	const struct options defaults = {
		.fd = -1,
		.use_egl = true,
		.use_surfaceless = true,
		.max_fps = SOCKET_DISPLAY_FPS_OF_SCREEN,
		.max_stall = 10,
		.max_venus_contexts = 32,
		.log_level = LOG_LEVEL_INFO,
		.sandbox = SANDBOX_AUTO,
		.device = { .limits = GPU_LIMITS_DEFAULT,
			    .n_scanouts = 1,
			    .shmem_size = GPU_SHMEM_SIZE_DEFAULT },
	};

	*ret = defaults;
	if (capabilities_are_asked_for(argc, argv))
		return print_capabilities();

	enum options_result result = read_environment(ret, &defaults);

	if (result == OPTIONS_RUN)
		result = read_options(ret, &defaults, argc, argv);
	return result == OPTIONS_RUN ? check_options(ret) : result;
}
