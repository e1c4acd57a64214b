// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Reads the command line. Each mistake is answered with one sentence that names the option: wrong
 * usage ends with status 2, options that this binary cannot serve together with status 1.
 */
#include "options.h"

#include <assert.h>
#include <getopt.h>
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>

#include "options_private.h"

#define PROGRAM "vhost-device-gpu"

/* getopt_long() calls a row of the table FIRST_CODE + its index, or by its letter. */
#define FIRST_CODE 256

/* Of the table for getopt_long(), in rows. */
#define ROOM 64

static struct option describe_to_getopt(unsigned i)
{
	const struct option_type *type = &options_table[i];

	return (struct option){ type->name,
				!type->value                      ? no_argument
				: options_value_is_optional(type) ? optional_argument
								  : required_argument,
				NULL, FIRST_CODE + (int)i };
}

/* @longs: ROOM of them; the last is all zero. */
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

static void print_sentence(const char *format, va_list args, const char *end)
{
	fputs(PROGRAM ": ", stderr);
	vfprintf(stderr, format, args);
	fputs(end, stderr);
}

static enum options_result report_usage(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static enum options_result report_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_sentence(format, args, " (see --help)\n");
	va_end(args);
	return OPTIONS_USAGE;
}

static enum options_result report_wrong(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static enum options_result report_wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_sentence(format, args, "\n");
	va_end(args);
	return OPTIONS_WRONG;
}

/* What getopt_long() answers with '?'. */
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

static enum options_result check_socket(const struct options *options)
{
	if (!options->socket_path && options->fd < 0)
		return report_usage("--socket-path PATH or --fd N is required");
	if (options->socket_path && options->fd >= 0)
		return report_usage("--socket-path and --fd cannot be used together");
	if (options->socket_group && !options->socket_path)
		return report_usage("--socket-group needs --socket-path");
	return OPTIONS_RUN;
}

/* The mode must be built in and have the capsets. */
static enum options_result check_mode(const struct options *options)
{
	const char *mode = options_table_modes.names[options->gpu_mode];
	uint32_t foreign = options->capsets & ~options_table_mode_capsets[options->gpu_mode];

	if (options_table_modes.reserved & 1u << options->gpu_mode)
		return report_wrong("--gpu-mode %s is not built into this binary", mode);
	if (foreign)
		return report_wrong("--gpu-mode %s has no capset %s", mode,
				    options_table_capsets.names[g_bit_nth_lsf(foreign, -1)]);
	return OPTIONS_RUN;
}

/* With a device named, auto must not fall back to 2D. */
static enum options_result check_device(struct options *options)
{
	if (options->gpu_device && options->gpu_mode == GPU_MODE_AUTO)
		options->gpu_mode = GPU_MODE_VIRGLRENDERER;
	if (options->gpu_device && options->gpu_mode != GPU_MODE_VIRGLRENDERER)
		return report_wrong("--gpu-device needs --gpu-mode virglrenderer");
	return OPTIONS_RUN;
}

/* Each option is valid by itself; checks the combination. */
static enum options_result check_options(struct options *options)
{
	enum options_result result = check_socket(options);

	if (result == OPTIONS_RUN)
		result = check_mode(options);
	if (result == OPTIONS_RUN)
		result = check_device(options);
	return result;
}

static enum options_result print_and_end(char letter, const struct options *defaults)
{
	if (letter == 'h')
		options_help_print(defaults);
	else
		puts(PROGRAM " " PROJECT_VERSION);
	return OPTIONS_DONE;
}

/* "--use-egl false" is what the Rust daemon takes; getopt_long() wants an equals sign. */
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
	while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (code == '?')
			return report_unknown(argv);
		if (code == ':')
			return report_usage("%s needs a value", argv[optind - 1]);

		const struct option_type *type = find_option(code);

		assert(type); /* getopt_long() returns what the table gave it */
		if (!type->set)
			return print_and_end(type->letter, defaults);

		const char *value = take_value(type, argc, argv);

		if (!type->set(type, options, value))
			return report_value(type, value);
	}
	if (optind < argc)
		return report_usage("unexpected argument %s", argv[optind]);
	return check_options(options);
}

enum options_result options_parse(struct options *ret, int argc, char **argv)
{
	const struct options defaults = {
		.fd = -1,
		.use_egl = true,
		.use_surfaceless = true,
		.max_stall = 10,
		.log_level = LOG_LEVEL_INFO,
		.sandbox = SANDBOX_AUTO,
		.device = { .limits = GPU_LIMITS_DEFAULT, .n_scanouts = 1 },
	};

	*ret = defaults;
	return read_options(ret, &defaults, argc, argv);
}
