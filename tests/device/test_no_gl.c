// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Hosts that lack a part of OpenGL. If the options ask for OpenGL, one sentence says what to
 * install or to change; in auto mode the guest gets 2D and there is one warning. An empty file that
 * the loader finds first hides a library.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_SKIPPED 77
#define MESA           "/usr/share/glvnd/egl_vendor.d/50_mesa.json"

/* No socket: if OpenGL starts after all, the daemon exits with a sentence about this path, where a
 * file already exists. */
#define GL "--gpu-mode", "virglrenderer", "--socket-path", occupied
#define ARGS(...)                                                                                  \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static char directory[] = "/tmp/no-gl-XXXXXX";
static char occupied[sizeof(directory) + 16];

static void take_away(const char *library)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, library);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
	setenv("LD_LIBRARY_PATH", directory, 1);
}

static void give_all_back(void)
{
	static const char *const libraries[] = { "libEGL.so.1", "libGL.so.1", "libGLESv2.so.2",
						 "libOpenGL.so.0" };
	char path[64];

	for (unsigned i = 0; i < ARRAY_LENGTH(libraries); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, libraries[i]);
		unlink(path);
	}
	unsetenv("LD_LIBRARY_PATH");
	unsetenv("LIBGL_DRIVERS_PATH");
	unsetenv("GALLIUM_DRIVER");
	unsetenv("__EGL_VENDOR_LIBRARY_FILENAMES");
}

static int teardown(void **state)
{
	give_all_back();
	return fixture_teardown(state);
}

/* Returns the output of a daemon that has no usable socket; heap. */
static char *say(const char *const *args)
{
	struct daemon d = { .pidfd = -1 };
	char *text;

	daemon_start(&d, args, -1);
	assert_int_equal(daemon_wait(&d, vmm_default_timeout_ms()), 1);
	text = daemon_text(d.err_fd);
	daemon_finish(&d);
	return text;
}

static void expect(const char *const *args, const char *words)
{
	char *text = say(args);

	if (!strstr(text, words))
		vmm_fail("\"%s\" does not say \"%s\"", text, words);
	free(text);
}

static void expect_sentence(const char *const *args, const char *words)
{
	char *text = say(args);

	if (!daemon_sentence(text) || !strstr(text, words))
		vmm_fail("\"%s\" is no sentence that says \"%s\"", text, words);
	free(text);
}

static void a_missing_opengl_library_is_named(void **state)
{
	(void)state;
	take_away("libEGL.so.1");
	expect_sentence(ARGS(GL), "libEGL.so.1 cannot be loaded");
	give_all_back();
	take_away("libGLESv2.so.2");
	expect_sentence(ARGS(GL, "--use-gles"), "libGLESv2.so.2 cannot be loaded");
	give_all_back();
	take_away("libGL.so.1");
	take_away("libOpenGL.so.0");
	expect_sentence(ARGS(GL, "--use-gles", "false"), "libOpenGL.so.0 cannot be loaded");
}

static void without_opengl_opengl_es_is_used(void **state)
{
	(void)state;
	take_away("libGL.so.1");
	take_away("libOpenGL.so.0");
	expect(ARGS(GL), "renderer: virglrenderer");
}

static void a_missing_driver_is_reported(void **state)
{
	(void)state;
	setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/dev/null", 1);
	expect_sentence(ARGS(GL), "EGL has no driver");
}

static void a_driver_that_does_not_start_ends_the_daemon(void **state)
{
	(void)state;
	if (access(MESA, F_OK) < 0)
		skip();
	setenv("__EGL_VENDOR_LIBRARY_FILENAMES", MESA, 1);
	setenv("LIBGL_DRIVERS_PATH", "/nonexistent", 1);
	setenv("GALLIUM_DRIVER", "nonexistent", 1); /* Mesa 24.2 and newer ignore that path */
	expect(ARGS(GL), "cannot start without one");
}

static void options_that_leave_no_driver_are_refused(void **state)
{
	(void)state;
	unsetenv("DISPLAY");
	expect_sentence(ARGS(GL, "--use-egl", "false"), "both are disabled");
	expect_sentence(ARGS(GL, "--use-egl=false", "--use-glx", "--gpu-device", "/dev/null"),
			"--gpu-device needs EGL");
	expect_sentence(ARGS(GL, "--use-egl", "false", "--use-glx"), "DISPLAY names an X server");
	expect_sentence(ARGS(GL, "--gpu-device", "/dev/null"), "not a DRM render node");
	expect_sentence(ARGS(GL, "--gpu-device", "/nonexistent"), "cannot be used: No such");
	if (access("/dev/dri", F_OK) < 0)
		expect_sentence(ARGS(GL, "--use-surfaceless", "false"), "--use-surfaceless is off");
}

static void auto_mode_falls_back_to_2d_with_one_warning(void **state)
{
	static const char *const args[] = { "--gpu-mode", "auto", NULL };
	struct vmm_options options = { .args = args };

	take_away("libEGL.so.1");

	struct vmm *vmm = fixture_boot(state, &options);
	struct image i = image_new(vmm, 1, BGRX, 64, 48);
	char *text = daemon_text(vmm->daemon.err_fd), *warning = strstr(text, "warn main: ");

	assert_false(vmm->offered & BIT64(VIRTIO_GPU_F_VIRGL));
	assert_non_null(warning);
	assert_non_null(strstr(warning, "libEGL.so.1"));
	assert_null(strstr(warning + 1, "warn main: "));
	free(text);
	image_fill(&i, 1);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)
		TEST(a_missing_opengl_library_is_named),
		TEST(without_opengl_opengl_es_is_used),
		TEST(a_missing_driver_is_reported),
		TEST(a_driver_that_does_not_start_ends_the_daemon),
		TEST(options_that_leave_no_driver_are_refused),
		TEST(auto_mode_falls_back_to_2d_with_one_warning),
	};
	char *text = say(ARGS(GL));
	bool works = strstr(text, "renderer: virglrenderer");

	free(text);
	if (!works) {
		printf("skipped: there is no OpenGL that could be taken away\n");
		return STATUS_SKIPPED;
	}
	return cmocka_run_group_tests_name("no_gl", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (!mkdtemp(directory))
		return 1;
	chmod(directory, 0755);
	snprintf(occupied, sizeof(occupied), "%s/occupied", directory);
	close(open(occupied, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	int result = fixture_run(argc, argv, run);

	unlink(occupied);
	rmdir(directory);
	return result;
}
