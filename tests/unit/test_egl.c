// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Render nodes, on a fake host: each case is a child with its own /dev. Files can act as unusable
 * nodes; no file can act as a usable one.
 */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/needs.h"
#include "render/virgl/egl.h"
#include "render/renderer.h"
#include "render/virgl.h"
#include "sandbox/sandbox_private.h"
#include "sandbox_child.h"

#define LOG_MODULE "test"
#include "base/log.h"

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && close(fd) == 0);
}

static int host_null; /* valid in the mount namespace of enter_host() */

/* Names as the kernel gives them after cards were removed. */
static void enter_host(void)
{
	if (namespaces_enter_user(NULL) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(NO_VERDICT);
	host_null = open("/dev/null", O_PATH);
	if (mount("dev", "/dev", "tmpfs", 0, NULL) < 0)
		_exit(NO_VERDICT);
	CHECK(mkdir("/dev/dri", 0755) == 0);
	make_file("/dev/dri/renderD1000");
	make_file("/dev/dri/card0");
	make_file("/dev/dri/renderD129");
	make_file("/dev/dri/renderD128");
}

static void list_nodes(const void *unused)
{
	(void)unused;
	enter_host();
	GPtrArray *nodes = virgl_egl_list_nodes();

	CHECK(nodes->len == 3);
	CHECK(strcmp(g_ptr_array_index(nodes, 0), "/dev/dri/renderD128") == 0);
	CHECK(strcmp(g_ptr_array_index(nodes, 1), "/dev/dri/renderD129") == 0);
	CHECK(strcmp(g_ptr_array_index(nodes, 2), "/dev/dri/renderD1000") == 0);
	g_ptr_array_unref(nodes);
}

static void open_what_is_none(const void *unused)
{
	(void)unused;
	enter_host();
	CHECK(virgl_egl_open_node("/dev/dri/renderD128") == -ENODEV);
	CHECK(virgl_egl_open_node("/dev/dri/renderD130") == -ENOENT);
	CHECK(virgl_egl_open_node("/dev/dri") == -EISDIR);
}

static void start_renderer(const void *needs_no_gpu)
{
	const struct virgl_options options = { .use_egl = true, .use_surfaceless = true };
	g_autofree char *message = NULL;
	struct renderer *renderer = virgl_new(&options, &message);

	if (!renderer)
		_exit(NO_VERDICT);
	CHECK(renderer->needs & NEEDS_GENERATED_CODE);
	CHECK((renderer->needs & ~virgl_renderer_kind.needs) == 0);
	CHECK(!needs_no_gpu || !(renderer->needs & NEEDS_GPU_DEVICES));
	renderer_free(renderer);
}

/* Binds /dev/null to the name of a node. */
static void open_node(const void *unused)
{
	int null = open("/dev/null", O_RDWR);
	char source[32];

	(void)unused;
	enter_host();
	snprintf(source, sizeof(source), "/proc/self/fd/%d", host_null);
	CHECK(mount(source, "/dev/dri/renderD128", NULL, MS_BIND, NULL) == 0);
	CHECK(null >= 0 && !virgl_egl_uses_gpu());
	int file = open("/dev/dri/renderD129", O_RDONLY);

	CHECK(file >= 0 && !virgl_egl_uses_gpu());
	int node = open("/dev/dri/renderD128", O_RDWR);

	CHECK(node >= 0 && virgl_egl_uses_gpu());
	CHECK(close(node) == 0 && !virgl_egl_uses_gpu());
}

/* Each node gets one line, no GPU ioctls are requested, and the start goes on as if the nodes did
 * not exist. */
static void start_with_them(const void *data)
{
	const int fd = *(const int *)data;
	char text[4096] = "";

	enter_host();
	CHECK(dup2(fd, STDERR_FILENO) >= 0);
	log_set_level(LOG_LEVEL_INFO);
	start_renderer("no GPU");
	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
	CHECK(strstr(text, "warn virgl: /dev/dri/renderD128 cannot be opened: No such device\n"));
	CHECK(strstr(text, "warn virgl: /dev/dri/renderD1000 cannot be opened: No such device\n"));
	CHECK(strstr(text, "info virgl: rendering without a render node"));
}

static void assert_well(void (*fn)(const void *), const void *data)
{
	int result = sandbox_child_run(fn, data);

	if (result == NO_VERDICT)
		skip();
	assert_int_equal(result, 0);
}

static void nodes_are_tried_in_the_order_of_their_numbers(void **state)
{
	(void)state;
	assert_well(list_nodes, NULL);
}

static void paths_that_are_not_render_nodes_are_not_opened(void **state)
{
	(void)state;
	assert_well(open_what_is_none, NULL);
}

static void unusable_nodes_are_logged_and_skipped(void **state)
{
	FILE *said = tmpfile();
	const int fd = fileno(said);

	(void)state;
	if (sandbox_child_run(start_renderer, NULL) != 0) {
		fclose(said);
		skip();
	}
	assert_well(start_with_them, &fd);
	fclose(said);
}

static void an_open_render_node_means_that_a_gpu_draws(void **state)
{
	(void)state;
	assert_well(open_node, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_are_tried_in_the_order_of_their_numbers),
		cmocka_unit_test(paths_that_are_not_render_nodes_are_not_opened),
		cmocka_unit_test(an_open_render_node_means_that_a_gpu_draws),
		cmocka_unit_test(unusable_nodes_are_logged_and_skipped),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
