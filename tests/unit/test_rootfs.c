// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The file tree of OpenGL, mount by mount, on fake hosts: with file systems mounted below listed
 * paths, with several GPUs, and with a kernel that cannot change mounts recursively.
 */
#include <fcntl.h>
#include <glib.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "base/needs.h"
#include "sandbox/sandbox.h"
#include "sandbox/sandbox_private.h"
#include "sandbox_child.h"

#define DRIVER_NEEDS (NEEDS_FILES | NEEDS_THREADS | NEEDS_GENERATED_CODE)
#define ALL_NEEDS    (DRIVER_NEEDS | NEEDS_GPU_DEVICES)

static char directory[] = "/tmp/test-rootfs-XXXXXX";

static const struct sandbox_options strict_gl = {
	.level = SANDBOX_STRICT,
	.needs = ALL_NEEDS,
	.keep_fd = -1,
	.max_fds = 512,
	.max_threads = 512,
};

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);

	CHECK(fd >= 0 && close(fd) == 0);
}

static void enter_host(void)
{
	if (namespaces_enter_user(NULL) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(NO_VERDICT);
}

/* Creates a listed directory, and below it a writable file system with a device. */
static void mount_below(void)
{
	enter_host();
	setenv("LD_LIBRARY_PATH", directory, true);
	CHECK(chdir(directory) == 0 && (mkdir("a mount", 0777) == 0 || errno == EEXIST));
	if (mount("below", "a mount", "tmpfs", 0, NULL) < 0)
		_exit(NO_VERDICT);
	CHECK(chdir("a mount") == 0);
	make_file("file");
	make_file("null");
	CHECK(mount("/dev/null", "null", NULL, MS_BIND, NULL) == 0);
	CHECK(open("null", O_RDWR | O_CLOEXEC) >= 0 && open("file", O_RDWR | O_CLOEXEC) >= 0);
}

static bool has_option(const char *options, const char *option)
{
	g_auto(GStrv) list = g_strsplit(options, ",", -1);

	return g_strv_contains((const char *const *)list, option);
}

/* The options of one mount in mountinfo. */
static void check_mount(const char *line)
{
	g_auto(GStrv) fields = g_strsplit(line, " ", -1);
	const char *path = fields[4], *options = fields[5], *cache;
	bool is_device = g_str_has_prefix(path, "/dev/");

	cache = getenv("MESA_SHADER_CACHE_DIR");
	if (has_option(options, "nosuid") &&
	    (has_option(options, "ro") || g_strcmp0(path, cache) == 0) &&
	    has_option(options, is_device ? "noexec" : "nodev"))
		return;
	fprintf(stderr, "too much is allowed: %s\n", line);
	_exit(1);
}

static void look_at_all_mounts(void)
{
	g_autofree char *text = NULL;
	unsigned n = 0;

	CHECK(g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL));
	g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);

	for (; lines[n]; n++)
		check_mount(lines[n]);
	CHECK(n > 4 && strstr(text, "a\\040mount/null"));
}

static int open_below(const char *name, int flags)
{
	g_autofree char *path = g_build_filename(directory, "a mount", name, NULL);

	return open(path, flags, 0600);
}

static void find_nothing_open_below(void)
{
	struct sandbox sandbox;

	CHECK(sandbox_start(&sandbox, &strict_gl));
	CHECK(sandbox_lock(&sandbox, DRIVER_NEEDS));
	look_at_all_mounts();
	CHECK(open_below("file", O_RDONLY) >= 0);
	CHECK(open_below("file", O_RDWR) < 0 && errno == EROFS);
	CHECK(open_below("new", O_CREAT | O_WRONLY) < 0 && errno == EROFS);
	CHECK(open_below("null", O_RDONLY) < 0 && errno == EACCES);
}

static void look_below(const void *unused)
{
	(void)unused;
	mount_below();
	find_nothing_open_below();
}

/* Before Linux 5.12. */
static void forget_mount_setattr(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount_setattr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void look_below_with_an_old_kernel(const void *unused)
{
	(void)unused;
	mount_below();
	forget_mount_setattr();
	find_nothing_open_below();
}

/* Two render nodes and a card, backed by other devices. */
static void enter_host_with_gpus(void)
{
	static const char *const names[] = { "/dev/dri/renderD128", "/dev/dri/renderD129",
					     "/dev/dri/card0", "/dev/null" };
	int devices[2];

	enter_host();
	devices[0] = open("/dev/zero", O_PATH | O_CLOEXEC);
	devices[1] = open("/dev/full", O_PATH | O_CLOEXEC);
	CHECK(mount("dev", "/dev", "tmpfs", 0, NULL) == 0 && mkdir("/dev/dri", 0755) == 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *device = g_strdup_printf("/proc/self/fd/%d", devices[i % 2]);

		make_file(names[i]);
		CHECK(mount(device, names[i], NULL, MS_BIND, NULL) == 0);
	}
	CHECK(close(devices[0]) == 0 && close(devices[1]) == 0);
}

static bool is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode);
}

static void keep_the_node_that_is_open(const void *unused)
{
	struct sandbox sandbox;

	(void)unused;
	enter_host_with_gpus();
	CHECK(sandbox_start(&sandbox, &strict_gl));
	CHECK(is_device("/dev/dri/renderD128") && is_device("/dev/dri/renderD129"));
	CHECK(!is_device("/dev/dri/card0"));
	CHECK(open("/dev/dri/renderD129", O_RDWR | O_CLOEXEC) >= 0);
	CHECK(sandbox_lock(&sandbox, ALL_NEEDS));
	CHECK(!is_device("/dev/dri/renderD128") && is_device("/dev/dri/renderD129"));
}

static void keep_no_node_on_the_cpu(const void *unused)
{
	struct sandbox sandbox;

	(void)unused;
	enter_host_with_gpus();
	CHECK(sandbox_start(&sandbox, &strict_gl));
	CHECK(sandbox_lock(&sandbox, DRIVER_NEEDS));
	CHECK(!is_device("/dev/dri/renderD128") && !is_device("/dev/dri/renderD129"));
}

static void have_the_named_node_alone(const void *unused)
{
	struct sandbox_options options = strict_gl;
	struct sandbox sandbox;

	(void)unused;
	enter_host_with_gpus();
	options.gpu_device = "/dev/dri/card0";
	CHECK(sandbox_start(&sandbox, &options));
	CHECK(!is_device("/dev/dri/renderD128") && !is_device("/dev/dri/renderD129"));
	CHECK(is_device("/dev/dri/card0"));
}

static void assert_well(void (*fn)(const void *))
{
	int result = sandbox_child_run(fn, NULL);

	if (result == NO_VERDICT)
		skip();
	assert_int_equal(result, 0);
}

static void mounts_below_a_listed_path_are_read_only_too(void **state)
{
	(void)state;
	assert_well(look_below);
}

static void mounts_below_a_listed_path_are_read_only_without_mount_setattr(void **state)
{
	(void)state;
	assert_well(look_below_with_an_old_kernel);
}

static void only_the_gpu_that_draws_stays(void **state)
{
	(void)state;
	assert_well(keep_the_node_that_is_open);
}

static void no_gpu_stays_if_the_cpu_draws(void **state)
{
	(void)state;
	assert_well(keep_no_node_on_the_cpu);
}

static void only_the_named_gpu_is_in_the_tree(void **state)
{
	(void)state;
	assert_well(have_the_named_node_alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mounts_below_a_listed_path_are_read_only_too),
		cmocka_unit_test(mounts_below_a_listed_path_are_read_only_without_mount_setattr),
		cmocka_unit_test(only_the_gpu_that_draws_stays),
		cmocka_unit_test(no_gpu_stays_if_the_cpu_draws),
		cmocka_unit_test(only_the_named_gpu_is_in_the_tree),
	};

#ifdef SANDBOX_INSTRUMENTED
	fprintf(stderr, "skipped: an instrumented build has no file tree\n");
	return 77;
#endif
	if (seccomp_is_absent()) {
		fprintf(stderr, "skipped: --sandbox strict needs a filter: %s\n",
			seccomp_is_absent());
		return 77;
	}
	if (!mkdtemp(directory) || chmod(directory, 0777) < 0)
		return 1;
	int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
	g_autofree char *mount_point = g_build_filename(directory, "a mount", NULL);

	rmdir(mount_point);
	rmdir(directory);
	return n_failed;
}
