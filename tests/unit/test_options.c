// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The command line: which field each option sets, and that it changes no other. */
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "options.h"

#define MAX_ARGS 8

static struct options parse(const char *const *args)
{
	char *argv[MAX_ARGS + 2] = { (char *)"vhost-device-gpu" };
	struct options options;
	int argc = 1;

	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)args[argc - 1];
	optind = 0; /* getopt_long() starts again */
	assert_int_equal(options_parse(&options, argc, argv), OPTIONS_RUN);
	return options;
}

#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

static void assert_same_limits(const struct gpu_limits *a, const struct gpu_limits *b)
{
	assert_int_equal(a->max_hostmem, b->max_hostmem);
	assert_int_equal(a->max_resources, b->max_resources);
	assert_int_equal(a->max_backing_entries, b->max_backing_entries);
	assert_int_equal(a->max_dimension, b->max_dimension);
	assert_int_equal(a->max_contexts, b->max_contexts);
	assert_int_equal(a->max_submit, b->max_submit);
	assert_int_equal(a->max_fences, b->max_fences);
}

static void assert_same_text(const char *a, const char *b)
{
	assert_string_equal(a ? a : "", b ? b : "");
}

/* Compares all but is_mode_given, which only options.c uses. */
static void assert_same(const struct options *a, const struct options *b)
{
	assert_string_equal(a->socket_path, b->socket_path);
	assert_int_equal(a->fd, b->fd);
	assert_int_equal(a->gpu_mode, b->gpu_mode);
	assert_int_equal(a->capsets, b->capsets);
	assert_int_equal(a->use_egl, b->use_egl);
	assert_int_equal(a->use_glx, b->use_glx);
	assert_int_equal(a->use_surfaceless, b->use_surfaceless);
	assert_int_equal(a->has_use_gles, b->has_use_gles);
	assert_int_equal(a->use_gles, b->use_gles);
	assert_same_text(a->gpu_device, b->gpu_device);
	assert_same_text(a->gfxstream_library, b->gfxstream_library);
	assert_same_text(a->gfxstream_features, b->gfxstream_features);
	assert_same_text(a->trace, b->trace);
	assert_same_text(a->socket_group, b->socket_group);
	assert_int_equal(a->is_headless, b->is_headless);
	assert_int_equal(a->is_once, b->is_once);
	assert_int_equal(a->max_fps, b->max_fps);
	assert_int_equal(a->max_stall, b->max_stall);
	assert_int_equal(a->max_venus_contexts, b->max_venus_contexts);
	assert_int_equal(a->log_level, b->log_level);
	assert_int_equal(a->sandbox, b->sandbox);
	assert_int_equal(a->check, b->check);
	assert_int_equal(a->device.n_scanouts, b->device.n_scanouts);
	assert_int_equal(a->device.scanout_mode, b->device.scanout_mode);
	assert_int_equal(a->device.shmem_size, b->device.shmem_size);
	assert_int_equal(a->device.trace_fd, b->device.trace_fd);
	assert_int_equal(a->device.udmabuf, b->device.udmabuf);
	assert_same_limits(&a->device.limits, &b->device.limits);
}

/* The options after "-s S" set @field to @due, and change nothing else. */
#define EXPECT(field, due, ...)                                                                    \
	do {                                                                                       \
		struct options expected = PARSE("-s", "S");                                        \
		struct options options = PARSE("-s", "S", __VA_ARGS__);                            \
		assert_true(expected.field != (due));                                              \
		expected.field = (due);                                                            \
		assert_same(&options, &expected);                                                  \
	} while (0)

static void the_defaults_are_those_of_the_device(void **state)
{
	struct options options = PARSE("-s", "S");

	(void)state;
	assert_string_equal(options.socket_path, "S");
	assert_int_equal(options.fd, -1);
	assert_int_equal(options.gpu_mode, GPU_MODE_AUTO);
	assert_true(options.use_egl && options.use_surfaceless);
	assert_false(options.use_glx || options.has_use_gles || options.use_gles);
	assert_false(options.is_headless || options.is_once);
	assert_int_equal(options.log_level, LOG_LEVEL_INFO);
	assert_int_equal(options.sandbox, SANDBOX_AUTO);
	assert_int_equal(options.device.n_scanouts, 1);
	assert_same_limits(&options.device.limits, &GPU_LIMITS_DEFAULT);
}

static void each_limit_sets_its_field(void **state)
{
	(void)state;
	EXPECT(device.n_scanouts, 16, "--max-outputs", "16");
	EXPECT(device.limits.max_hostmem, 3, "--max-hostmem", "3");
	EXPECT(device.limits.max_hostmem, 3 * 1024, "--max-hostmem", "3K");
	EXPECT(device.limits.max_hostmem, 3 << 20, "--max-hostmem", "3M");
	EXPECT(device.limits.max_hostmem, UINT64_C(3) << 30, "--max-hostmem", "3G");
	EXPECT(device.limits.max_hostmem, UINT64_C(3) << 40, "--max-hostmem", "3T");
	EXPECT(device.limits.max_hostmem, 3 << 20, "--max-hostmem", "3MB");
	EXPECT(device.limits.max_hostmem, 3 << 20, "--max-hostmem", "3MiB");
	EXPECT(device.limits.max_hostmem, 3 << 29, "--max-hostmem", "1.5G");
	EXPECT(device.limits.max_hostmem, 1 << 19, "--max-hostmem", "0.5MiB");
	EXPECT(device.limits.max_hostmem, UINT64_C(1099510528264), "--max-hostmem", "0.999999T");
	EXPECT(device.limits.max_submit, 1 << 20, "--max-submit", "1M");
	EXPECT(device.shmem_size, 0, "--shmem-size", "0");
	EXPECT(device.shmem_size, 1 << 20, "--shmem-size", "1M");
	EXPECT(device.shmem_size, UINT64_C(8) << 30, "--shmem-size", "8GiB");
	EXPECT(device.shmem_size, UINT64_C(1) << 40, "--shmem-size", "1T");
	EXPECT(device.limits.max_resources, 3, "--max-resources", "3");
	EXPECT(device.limits.max_backing_entries, 3, "--max-backing-entries", "3");
	EXPECT(device.limits.max_dimension, 3, "--max-dimension", "3");
	EXPECT(device.limits.max_contexts, 3, "--max-contexts", "3");
	EXPECT(device.limits.max_submit, 3, "--max-submit", "3");
	EXPECT(device.limits.max_fences, 3, "--max-fences", "3");
}

static void each_name_sets_its_value(void **state)
{
	(void)state;
	EXPECT(gpu_mode, GPU_MODE_VIRGLRENDERER, "--gpu-mode", "virglrenderer");
	EXPECT(gpu_mode, GPU_MODE_2D, "-g", "2d");
	EXPECT(gpu_mode, GPU_MODE_NULL, "-gnull");
	EXPECT(capsets, 1u << 1, "-c", "virgl");
	EXPECT(capsets, 1u << 1 | 1u << 2, "--capset", "virgl, virgl2");
	EXPECT(capsets, 1u << 1 | 1u << 2, "-c", "virgl2", "-c", "virgl");
	EXPECT(device.scanout_mode, GPU_SCANOUT_DMABUF, "--scanout", "dmabuf");
	EXPECT(device.scanout_mode, GPU_SCANOUT_PIXELS, "--scanout", "pixels");
	EXPECT(sandbox, SANDBOX_OFF, "--sandbox", "off");
	EXPECT(sandbox, SANDBOX_STRICT, "--sandbox", "strict");
	EXPECT(log_level, LOG_LEVEL_ERROR, "--log-level", "error");
	EXPECT(log_level, LOG_LEVEL_WARN, "--log-level", "warn");
	EXPECT(log_level, LOG_LEVEL_DEBUG, "--log-level=debug");
}

static void each_switch_sets_its_field(void **state)
{
	(void)state;
	EXPECT(use_egl, false, "--use-egl", "false");
	EXPECT(use_glx, true, "--use-glx");
	EXPECT(use_surfaceless, false, "--use-surfaceless=false");
	EXPECT(use_egl, false, "--use-egl", "no");
	EXPECT(use_egl, false, "--use-egl=off");
	EXPECT(use_egl, false, "--use-egl", "0");
	EXPECT(use_glx, true, "--use-glx", "yes");
	EXPECT(use_glx, true, "--use-glx=on");
	EXPECT(use_glx, true, "--use-glx", "1");
	EXPECT(has_use_gles, true, "--use-gles=false");
	EXPECT(is_headless, true, "--headless");
	EXPECT(is_once, true, "--once");
	EXPECT(gpu_mode, GPU_MODE_VIRGLRENDERER, "--virgl");
	EXPECT(gpu_mode, GPU_MODE_2D, "--virgl", "-g", "2d");
}

static void use_gles_is_true_if_its_value_is_left_out(void **state)
{
	struct options options = PARSE("-s", "S", "--use-gles");

	(void)state;
	assert_true(options.has_use_gles && options.use_gles);
	options = PARSE("-s", "S", "--use-gles", "--once");
	assert_true(options.has_use_gles && options.use_gles && options.is_once);
}

/* Other daemons' spellings. */
static void the_spellings_of_the_rust_daemon_are_understood(void **state)
{
	struct options options = PARSE("-s", "S", "--gpu-mode", "virgl-renderer", "--use-gles",
				       "true", "--use-egl", "false");

	(void)state;
	assert_int_equal(options.gpu_mode, GPU_MODE_VIRGLRENDERER);
	assert_true(options.use_gles);
	assert_false(options.use_egl);
}

static void a_named_render_node_selects_virglrenderer(void **state)
{
	struct options options = PARSE("-s", "S", "--render-node", "/dev/a");

	(void)state;
	assert_string_equal(options.gpu_device, "/dev/a");
	assert_int_equal(options.gpu_mode, GPU_MODE_VIRGLRENDERER);
	options = PARSE("-s", "S", "--gpu-device", "/dev/b");
	assert_string_equal(options.gpu_device, "/dev/b");
}

static struct options parse_with_fd(int fd, const char *arg, const char *value)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	return PARSE("--fd", number, arg, value);
}

/* libvirt's --fd: without a request for 3D the guest gets 2D. */
static void a_connected_descriptor_means_2d_unless_3d_is_asked_for(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(parse_with_fd(pair[0], NULL, NULL).gpu_mode, GPU_MODE_2D);
	assert_int_equal(parse_with_fd(pair[0], "--virgl", NULL).gpu_mode, GPU_MODE_VIRGLRENDERER);
	assert_int_equal(parse_with_fd(pair[0], "-g", "auto").gpu_mode, GPU_MODE_AUTO);
	assert_int_equal(parse_with_fd(pair[0], "-g", "null").gpu_mode, GPU_MODE_NULL);
	assert_int_equal(parse_with_fd(pair[0], "-c", "virgl").gpu_mode, GPU_MODE_AUTO);
	close(pair[0]);
	close(pair[1]);
}

static void a_render_node_does_not_select_3d_with_a_connected_descriptor(void **state)
{
	struct options options;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	options = parse_with_fd(pair[0], "--render-node", "/dev/a");
	assert_int_equal(options.gpu_mode, GPU_MODE_2D);
	assert_null(options.gpu_device);
	options = parse_with_fd(pair[0], "--virgl", "--render-node=/dev/a");
	assert_int_equal(options.gpu_mode, GPU_MODE_VIRGLRENDERER);
	assert_string_equal(options.gpu_device, "/dev/a");
	setenv("VHOST_DEVICE_GPU_OPTIONS", "-g auto", 1);
	options = parse_with_fd(pair[0], "--render-node", "/dev/a");
	unsetenv("VHOST_DEVICE_GPU_OPTIONS");
	assert_int_equal(options.gpu_mode, GPU_MODE_AUTO);
	assert_string_equal(options.gpu_device, "/dev/a");
	close(pair[0]);
	close(pair[1]);
}

static void a_listening_descriptor_has_the_defaults_of_a_path(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr address = { .sa_family = AF_UNIX }; /* the kernel chooses a name */

	(void)state;
	assert_int_equal(bind(fd, &address, sizeof(address.sa_family)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(parse_with_fd(fd, NULL, NULL).gpu_mode, GPU_MODE_AUTO);
	assert_int_equal(parse_with_fd(fd, "--render-node", "/dev/a").gpu_mode,
			 GPU_MODE_VIRGLRENDERER);
	close(fd);
}

static void the_environment_is_read_before_the_arguments(void **state)
{
	struct options options;

	(void)state;
	setenv("VHOST_DEVICE_GPU_OPTIONS", " --max-hostmem '3'M -s 'a b' --once # why", 1);
	options = PARSE("--max-resources", "4");
	assert_int_equal(options.device.limits.max_hostmem, 3 << 20);
	assert_int_equal(options.device.limits.max_resources, 4);
	assert_string_equal(options.socket_path, "a b");
	assert_true(options.is_once);
	options = PARSE("-s", "S", "--max-hostmem", "5");
	assert_int_equal(options.device.limits.max_hostmem, 5);
	assert_string_equal(options.socket_path, "S");
	/* An administrator chooses 2D, although libvirt asks for 3D. */
	setenv("VHOST_DEVICE_GPU_OPTIONS", "--gpu-mode 2d", 1);
	options = PARSE("-s", "S", "--virgl");
	assert_int_equal(options.gpu_mode, GPU_MODE_2D);
	setenv("VHOST_DEVICE_GPU_OPTIONS", "", 1);
	options = PARSE("-s", "S");
	assert_false(options.is_once);
	unsetenv("VHOST_DEVICE_GPU_OPTIONS");
}

static void without_a_socket_the_service_managers_is_used(void **state)
{
	struct options options;
	char pid[16];

	(void)state;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	options = PARSE("-s", "S");
	assert_int_equal(options.fd, -1);
	options = PARSE("--once");
	assert_int_equal(options.fd, 3);
	assert_int_equal(options.gpu_mode, GPU_MODE_AUTO);
	assert_null(getenv("LISTEN_FDS"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_those_of_the_device),
		cmocka_unit_test(each_limit_sets_its_field),
		cmocka_unit_test(each_name_sets_its_value),
		cmocka_unit_test(each_switch_sets_its_field),
		cmocka_unit_test(use_gles_is_true_if_its_value_is_left_out),
		cmocka_unit_test(the_spellings_of_the_rust_daemon_are_understood),
		cmocka_unit_test(a_named_render_node_selects_virglrenderer),
		cmocka_unit_test(a_connected_descriptor_means_2d_unless_3d_is_asked_for),
		cmocka_unit_test(a_render_node_does_not_select_3d_with_a_connected_descriptor),
		cmocka_unit_test(a_listening_descriptor_has_the_defaults_of_a_path),
		cmocka_unit_test(the_environment_is_read_before_the_arguments),
		cmocka_unit_test(without_a_socket_the_service_managers_is_used),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
