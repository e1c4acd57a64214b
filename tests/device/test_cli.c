// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The command line: misuse ends with status 2, options that cannot work with status 1, both with
 * one sentence on stderr and nothing on stdout, before a socket exists.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct daemon daemon_of_test;

static int run_daemon(const char *const *args, char **ret_out, char **ret_err)
{
	struct daemon *d = &daemon_of_test;
	int status;

	*d = (struct daemon){ .pidfd = -1 };
	daemon_start(d, args, -1);
	status = daemon_wait(d, vmm_default_timeout_ms());
	*ret_out = daemon_text(d->out_fd);
	*ret_err = daemon_text(d->err_fd);
	daemon_finish(d);
	return status;
}

static void expect(const char *const *args, int due, const char *word)
{
	char *out, *err, line[256] = "";
	int status = run_daemon(args, &out, &err);

	for (unsigned i = 0; args[i]; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s", args[i]);
	if (status != due)
		vmm_fail("\"%s\": status %d, due is %d; it said: %s", line, status, due, err);
	if (!daemon_sentence(err) || out[0])
		vmm_fail("\"%s\": no single sentence on stderr: \"%s\", \"%s\"", line, err, out);
	if (word && !strstr(err, word))
		vmm_fail("\"%s\": \"%s\" does not mention %s", line, err, word);
	free(out);
	free(err);
}

#define ARGS(...)                                                                                  \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define SOCKET    "--socket-path", "/nonexistent/gpu.sock"
#define NO_SOCKET "--fd", "9"
#define OCCUPIED  "--socket-path", occupied /* a file is there, which the daemon finds last */

static char occupied[] = "/tmp/cli-XXXXXX";

static void misuse_ends_with_status_2(void **state)
{
	const char *const nothing[] = { NULL };

	(void)state;
	expect(nothing, 2, "--socket-path");
	expect(ARGS("--gpu-mode", "2d"), 2, "--socket-path");
	expect(ARGS(SOCKET, "--fd", "3"), 2, "--fd");
	expect(ARGS(NO_SOCKET, "--socket-group", "0"), 2, "--socket-path");
	expect(ARGS(SOCKET, "--socket-group", ""), 2, "expected");
	expect(ARGS(SOCKET, "--socket-group", "no such group"), 1, "no such group");
	expect(ARGS(SOCKET, "--no-such-option"), 2, "--no-such-option");
	expect(ARGS(SOCKET, "-Z"), 2, NULL);
	expect(ARGS(SOCKET, "surplus"), 2, "surplus");
	expect(ARGS("--socket-path"), 2, "--socket-path");
	expect(ARGS("--socket-path", ""), 2, "--socket-path");
	expect(ARGS(SOCKET, "--gpu-mode"), 2, "--gpu-mode");
	expect(ARGS(SOCKET, "--headless=yes"), 2, "headless");
}

static void invalid_values_end_with_status_2(void **state)
{
	(void)state;
	expect(ARGS("--fd", "x"), 2, "--fd");
	expect(ARGS("--fd", "-1"), 2, "--fd");
	expect(ARGS("--fd", "99999999999999999999"), 2, "--fd");
	expect(ARGS("--fd", "3x"), 2, "--fd");
	expect(ARGS(SOCKET, "--gpu-mode", "best"), 2, "best");
	expect(ARGS(SOCKET, "--gpu-mode", ""), 2, "--gpu-mode");
	expect(ARGS(SOCKET, "--gpu-mode", "2D"), 2, "2D");
	expect(ARGS(SOCKET, "--max-hostmem", "12Q"), 2, "--max-hostmem");
	expect(ARGS(SOCKET, "--max-hostmem", "99999999T"), 2, "--max-hostmem");
	expect(ARGS(SOCKET, "--max-hostmem", "K"), 2, "--max-hostmem");
	expect(ARGS(SOCKET, "--max-outputs", "17"), 2, "--max-outputs");
	expect(ARGS(SOCKET, "--max-outputs", "0"), 2, "--max-outputs");
	expect(ARGS(SOCKET, "--log-level", "loud"), 2, "--log-level");
	expect(ARGS(SOCKET, "--capset", "virgl,gl"), 2, "--capset");
	expect(ARGS(SOCKET, "--use-egl", "maybe"), 2, "--use-egl");
	expect(ARGS(SOCKET, "--use-gles=2"), 2, "--use-gles");
	expect(ARGS(SOCKET, "--max-hostmem", "1.G"), 2, "--max-hostmem");
	expect(ARGS(SOCKET, "--max-hostmem", "1.5"), 2, "--max-hostmem");
	expect(ARGS(SOCKET, "--max-hostmem", "0.0001K"), 2, "--max-hostmem");
	expect(ARGS(SOCKET, "--max-hostmem", "1.0000001G"), 2, "--max-hostmem");
	expect(ARGS(SOCKET, "--max-hostmem", "1GiBB"), 2, "--max-hostmem");
	expect(ARGS(SOCKET, "--max-hostmem", "1B"), 2, "--max-hostmem");
	expect(ARGS(SOCKET, "--max-resources", "1K"), 2, "--max-resources");
	expect(ARGS(SOCKET, "--render-node", ""), 2, "--render-node");
	expect(ARGS(SOCKET, "--scanout", "paper"), 2, "--scanout");
	expect(ARGS(SOCKET, "--sandbox", "loose"), 2, "--sandbox");
	expect(ARGS(SOCKET, "--max-dimension", "32767"), 2, "--max-dimension");
	expect(ARGS(SOCKET, "--max-contexts", "0"), 2, "--max-contexts");
	expect(ARGS(SOCKET, "--max-submit", "2147483648"), 2, "--max-submit");
	expect(ARGS(SOCKET, "--max-fences", "-1"), 2, "--max-fences");
}

/* QEMU exits if the size of the shared memory region is no power of two. */
static void a_window_size_that_qemu_refuses_is_refused(void **state)
{
	static const char *const wrong[] = { "1",       "4095", "4K",   "512K", "1048575",
					     "1048577", "3M",   "24M",  "257M", "255M",
					     "1.5G",    "6G",   "1023G" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++)
		expect(ARGS(SOCKET, "--shmem-size", wrong[i]), 2,
		       "--shmem-size must be a power of two of at least 1M, or 0");
	expect(ARGS(SOCKET, "--shmem-size", "2T"), 2, "--shmem-size 2T: expected");
	expect(ARGS(SOCKET, "--shmem-size", "-1"), 2, "--shmem-size -1: expected");
	expect(ARGS(SOCKET, "--shmem-size", ""), 2, "--shmem-size \"\": expected");
	expect(ARGS(SOCKET, "--shmem-size", "16E"), 2, "--shmem-size 16E: expected");
}

static void impossible_options_end_with_status_1(void **state)
{
	(void)state;
	expect(ARGS("--gpu-mode", "2d", SOCKET), 1, "/nonexistent/");
	expect(ARGS("--gpu-mode", "2d", "--capset", "virgl", SOCKET), 1, "virgl");
	expect(ARGS("--gpu-mode", "2d", "--gpu-device", "/dev/null", SOCKET), 1, "--gpu-device");
	expect(ARGS("--gpu-mode", "virgl-renderer", "--capset=virgl, gfxstream-vulkan", SOCKET), 1,
	       "--gpu-mode virglrenderer has no capset gfxstream-vulkan");
	expect(ARGS("--gpu-mode", "2d", "--trace", "/nonexistent/trace", OCCUPIED), 1, "--trace");
	expect(ARGS("--gpu-mode", "2d", "--trace", "/dev/null", OCCUPIED), 1, "regular file");
	/* A request for OpenGL is fulfilled or refused, whichever option makes it. */
	expect(ARGS("--virgl", "--use-egl", "false", OCCUPIED), 1, "EGL");
	expect(ARGS("--gpu-device", "/dev/null", OCCUPIED), 1,
	       "--gpu-device /dev/null cannot be used: not a DRM render node");
	expect(ARGS("--gpu-mode", "2d", "--virgl", "--use-egl", "false", NO_SOCKET), 1,
	       "descriptor 9");
}

/* Nothing is printed before the sentence: no renderer was started. */
static void cheap_checks_run_before_a_driver_starts(void **state)
{
	const char *const *const faults[] = {
		ARGS(NO_SOCKET),
		ARGS("--virgl", NO_SOCKET),
		ARGS(SOCKET),
		ARGS("--virgl", SOCKET),
		ARGS("--socket-path", "/"),
		ARGS("--socket-path", "/dev/null/gpu.sock"),
		ARGS("--virgl", "--gpu-device", "/dev/null", SOCKET),
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(faults); i++) {
		char *out, *err;

		assert_int_equal(run_daemon(faults[i], &out, &err), 1);
		if (strncmp(err, "vhost-device-gpu: ", 18) != 0)
			vmm_fail("before it ended it said: %s", err);
		free(out);
		free(err);
	}
}

static void an_error_says_what_was_expected(void **state)
{
	(void)state;
	expect(ARGS("--max-outputs", "17"), 2,
	       "--max-outputs 17: expected a number from 1 to 16 (see");
	expect(ARGS("--max-dimension", "32767"), 2,
	       "--max-dimension 32767: expected a number of pixels from 1 to 32766 (see");
	expect(ARGS("--max-submit", "2G"), 2,
	       "expected a number of bytes from 1 to 2147483647, for example 512M, 1GiB or 1.5G (");
	expect(ARGS("--max-hostmem", "0K"), 2, "7, for example 512M, 1GiB or 1.5G (");
	expect(ARGS("--fd", ""), 2, "--fd \"\": expected a number from 0 to 2147483647 (");
	expect(ARGS("--gpu-mode", "best"), 2,
	       ": expected auto, virglrenderer, 2d, null or gfxstream (");
	expect(ARGS("--capset", "gl"), 2,
	       ": expected one or more of virgl, virgl2, gfxstream-vulkan, venus, drm, "
	       "gfxstream-gles, gfxstream-composer, separated by commas (");
	expect(ARGS("--gfxstream-features", ""), 2, ": expected a text (");
	expect(ARGS("--use-egl", "maybe"), 2, ": expected false, true, no, yes, off, on, 0 or 1 (");
	expect(ARGS("-xs", "x.sock"), 2, ": unknown option -x (");
	expect(ARGS("--scanout", "paper"), 2, ": expected auto, dmabuf or pixels (");
	expect(ARGS("--sandbox", "loose"), 2, ": expected off, auto or strict (");
	expect(ARGS("--log-level", "loud"), 2, ": expected error, warn, info or debug (");
	expect(ARGS("--headless=yes"), 2, ": --headless takes no value (");
	expect(ARGS("--once", "-Zq"), 2, ": unknown option -Z (");
	expect(ARGS(SOCKET, "--fd", "3"), 2, "cannot be used together (");
}

static void a_limit_can_have_its_largest_value(void **state)
{
	(void)state;
	/* The value is accepted: only the descriptor, which is checked later, is an error. */
	expect(ARGS("--gpu-mode", "null", "--max-hostmem", "8388607T", NO_SOCKET), 1,
	       "descriptor 9");
	expect(ARGS("--gpu-mode", "null", "--max-hostmem", "9223372036854775807", NO_SOCKET), 1,
	       "descriptor 9");
	expect(ARGS("--gpu-mode", "null", "--max-dimension", "32766", NO_SOCKET), 1,
	       "descriptor 9");
	expect(ARGS(SOCKET, "--max-hostmem", "8388608T"), 2, "--max-hostmem");
}

static void gfxstream_needs_its_library(void **state)
{
	(void)state;
	expect(ARGS("-g", "gfxstream", "--gfxstream-library", "/nonexistent/gfx.so", OCCUPIED), 1,
	       "/nonexistent/gfx.so");
	expect(ARGS("--gfxstream-library", "/nonexistent/gfx.so", OCCUPIED), 1,
	       ": --gfxstream-library needs --gpu-mode gfxstream\n");
	expect(ARGS("--gfxstream-features", "A:enabled", OCCUPIED), 1,
	       ": --gfxstream-features needs --gpu-mode gfxstream\n");
	expect(ARGS("-g", "gfxstream", "-c", "virgl", SOCKET), 1,
	       ": --gpu-mode gfxstream has no capset virgl\n");
	expect(ARGS("-g", "gfxstream", "-g", "null", NO_SOCKET), 1, "descriptor 9");
}

/* White space becomes one space, as if the help was one long line. */
static void join_lines(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		bool is_space = *from == ' ' || *from == '\n';

		if (!is_space || (to > text && to[-1] != ' '))
			*to++ = is_space ? ' ' : *from;
	}
	*to = '\0';
}

static void help_shows_values_and_defaults(void **state)
{
	static const char *const due[] = {
		"renderer: auto (default), virglrenderer, 2d, null or gfxstream --",
		("with gfxstream only gfxstream-vulkan, with null none): virgl, virgl2, "
		 "gfxstream-vulkan, venus, "
		 "drm, gfxstream-gles, gfxstream-composer --"),
		"use EGL: false or true (default) --",
		"use GLX: false (default) or true --",
		"OpenGL fails): false or true --",
		"exit when it ends --",
		"(1 to 16, default 1) --",
		"this process use (default 1G) --",
		"live resources (default 262144) --",
		"(1 to 32766, default 16384) --",
		"stream (default 16M) --",
		"off, auto (default) or strict --",
		"error, warn, info (default) or debug --",
	};
	char *out, *err;

	(void)state;
	assert_int_equal(run_daemon(ARGS("--help"), &out, &err), 0);
	join_lines(out);
	for (unsigned i = 0; i < ARRAY_LENGTH(due); i++)
		if (!strstr(out, due[i]))
			vmm_fail("help does not say \"%s\": %s", due[i], out);
	free(out);
	free(err);
}

static void help_has_groups_examples_and_80_columns(void **state)
{
	static const char *const due[] = { "\nSocket:\n",      "\nRenderer:\n",
					   "\nDisplay:\n",     "\nLimits for one guest:\n",
					   "\nOther:\n",       "\nExit status: 0 ",
					   "--max-stall); 2 ", "3 if --check",
					   "\nExamples:\n  v", "vhost-device-gpu(1)" };
	char *out, *err;

	(void)state;
	assert_int_equal(run_daemon(ARGS("--help"), &out, &err), 0);
	for (unsigned i = 0; i < ARRAY_LENGTH(due); i++)
		if (!strstr(out, due[i]))
			vmm_fail("help does not say \"%s\": %s", due[i], out);
	for (const char *line = out, *end; (end = strchr(line, '\n')); line = end + 1)
		if (end - line > 80)
			vmm_fail("more than 80 columns: %.*s", (int)(end - line), line);
	free(out);
	free(err);
}

/* As on a full disk. */
static void unwritable_help_ends_with_status_1(void **state)
{
	static const char *const requests[] = { "--help", "--version", "--print-capabilities" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(requests); i++) {
		struct daemon *d = &daemon_of_test;
		char *err;

		*d = (struct daemon){ .pidfd = -1, .script = "exec \"$0\" \"$@\" >/dev/full" };
		daemon_start(d, ARGS(requests[i]), -1);
		assert_int_equal(daemon_wait(d, vmm_default_timeout_ms()), 1);
		err = daemon_text(d->err_fd);
		if (!strstr(err, "cannot write to standard output"))
			vmm_fail("%s: it said \"%s\"", requests[i], err);
		free(err);
		daemon_finish(d);
	}
}

static void version_names_renderers_and_libraries(void **state)
{
	char *out, *err;

	(void)state;
	assert_int_equal(run_daemon(ARGS("--version"), &out, &err), 0);
	assert_non_null(strstr(out, "2d, null, gfxstream\nlibraries: GLib 2."));
	assert_non_null(strstr(out, ", pixman 0."));
	free(out);
	free(err);
}

static void help_and_version_go_to_standard_output(void **state)
{
	static const char *const requests[] = { "-h", "--help", "-V", "--version" };
	static const char *const due[] = { "--socket-path", "--gpu-mode", "vhost-device-gpu ",
					   "vhost-device-gpu " };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(requests); i++) {
		char *out, *err;

		assert_int_equal(run_daemon(ARGS(requests[i]), &out, &err), 0);
		assert_non_null(strstr(out, due[i]));
		assert_string_equal(err, "");
		free(out);
		free(err);
	}
}

static void expect_capabilities(const char *const *args)
{
	char *out, *err;

	assert_int_equal(run_daemon(args, &out, &err), 0);
	if (!strstr(out, "\"type\": \"gpu\""))
		vmm_fail("not the capabilities: %s", out);
	assert_string_equal(err, "");
	free(out);
	free(err);
}

static void capabilities_can_be_asked_for_like_any_option(void **state)
{
	(void)state;
	expect_capabilities(ARGS("--print-cap"));
	setenv("VHOST_DEVICE_GPU_OPTIONS", "--print-capabilities", 1);
	expect_capabilities(ARGS(SOCKET));
	unsetenv("VHOST_DEVICE_GPU_OPTIONS");
}

static void limits_are_obeyed(void **state)
{
	static const char *const args[] = {
		"--gpu-mode",
		"2d",
		"--max-hostmem",
		"1028K", /* with what each resource takes beside its pixels */
		"--max-resources",
		"3",
		"--max-dimension",
		"1024",
		"--max-outputs",
		"4",
		"--max-backing-entries",
		"2",
		NULL
	};
	struct vmm_options options = { .args = args };
	struct virtio_gpu_mem_entry e[3] = { { 0x100000, 4096, 0 },
					     { 0x101000, 4096, 0 },
					     { 0x102000, 4096, 0 } };
	struct vmm *vmm = fixture_boot(state, &options);
	uint8_t config[16];

	assert_true(vhost_get_config(vmm, 0, sizeof(config), config));
	assert_int_equal(config[8], 4);
	assert_response(gpu_create_2d(vmm, 1, BGRX, 1025, 1), RESP_INVALID_PARAMETER);
	assert_response(gpu_create_2d(vmm, 1, BGRX, 1024, 512), RESP_OUT_OF_MEMORY);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 512, 511));
	assert_response(gpu_create_2d(vmm, 2, BGRX, 32, 32), RESP_OUT_OF_MEMORY);
	assert_ok(gpu_unref(vmm, 1));
	for (uint32_t id = 1; id <= 3; id++)
		assert_ok(gpu_create_2d(vmm, id, BGRX, 16, 16));
	assert_response(gpu_create_2d(vmm, 4, BGRX, 16, 16), RESP_OUT_OF_MEMORY);
	assert_response(gpu_attach(vmm, 1, e, 3), RESP_INVALID_PARAMETER);
	assert_ok(gpu_attach(vmm, 1, e, 2));
}

/* With OpenGL the daemon limits its descriptors and threads by the number of contexts. */
static void a_limit_that_no_host_reaches_leaves_descriptors(void **state)
{
	/* Without EGL it uses 2D in the end, so this needs no driver. */
	static const char *const args[] = { "--capset",       "virgl",      "--use-egl", "no",
					    "--max-contexts", "1073741504", NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm);
}

static void the_log_level_decides_what_is_logged(void **state)
{
	static const char *const args[] = { "--gpu-mode", "2d",  "--log-level", "debug",
					    "--sandbox",  "off", NULL };
	struct vmm_options options = { .args = args };
	char *text;

	fixture_boot(state, &options);
	text = daemon_text(((struct vmm *)*state)->daemon.err_fd);
	assert_non_null(strstr(text, "debug session: GET_FEATURES\n"));
	assert_non_null(strstr(text, "info sandbox: off\n"));
	free(text);
}

static void null_mode_accepts_everything_and_shows_nothing(void **state)
{
	static const char *const args[] = { "--gpu-mode", "null", NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = fixture_boot(state, &options);
	struct image i = image_new(vmm, 1, BGRX, 64, 64);

	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(misuse_ends_with_status_2),
		DEVICE_TEST(invalid_values_end_with_status_2),
		DEVICE_TEST(a_window_size_that_qemu_refuses_is_refused),
		DEVICE_TEST(impossible_options_end_with_status_1),
		DEVICE_TEST(cheap_checks_run_before_a_driver_starts),
		DEVICE_TEST(an_error_says_what_was_expected),
		DEVICE_TEST(a_limit_can_have_its_largest_value),
		DEVICE_TEST(gfxstream_needs_its_library),
		DEVICE_TEST(help_shows_values_and_defaults),
		DEVICE_TEST(help_has_groups_examples_and_80_columns),
		DEVICE_TEST(unwritable_help_ends_with_status_1),
		DEVICE_TEST(version_names_renderers_and_libraries),
		DEVICE_TEST(help_and_version_go_to_standard_output),
		DEVICE_TEST(capabilities_can_be_asked_for_like_any_option),
		DEVICE_TEST(limits_are_obeyed),
		DEVICE_TEST(a_limit_that_no_host_reaches_leaves_descriptors),
		DEVICE_TEST(the_log_level_decides_what_is_logged),
		DEVICE_TEST(null_mode_accepts_everything_and_shows_nothing),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	int fd = mkstemp(occupied);
	int failed = fd < 0 || fixture_run(argc, argv, run);

	close(fd);
	unlink(occupied);
	return failed;
}
