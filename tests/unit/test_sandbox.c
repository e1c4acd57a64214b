// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The whole sandbox, from inside: what can be reached, which privileges are left, and what happens
 * if the host refuses a part. Each case runs as the user of the test. If that is root, it also runs
 * as root without user namespaces, and as the user "nobody". Cases are skipped on a host that
 * allows no sandbox.
 */
#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "base/needs.h"
#include "sandbox/sandbox_private.h"
#include "sandbox/sandbox.h"
#include "sandbox_child.h"
#include "sandbox_starter.h"

#define MAX_FDS     333
#define MAX_THREADS 77
#define ALL_NEEDS   (NEEDS_FILES | NEEDS_THREADS | NEEDS_GENERATED_CODE | NEEDS_GPU_DEVICES)

static char directory[] = "/tmp/test-sandbox-XXXXXX";

static const struct sandbox_options strict_2d = {
	.level = SANDBOX_STRICT,
	.keep_fd = -1,
	.max_fds = MAX_FDS,
	.max_threads = MAX_THREADS,
};
static const struct sandbox_options strict_gl = {
	.level = SANDBOX_STRICT,
	.needs = ALL_NEEDS,
	.keep_fd = -1,
	.max_fds = MAX_FDS,
	.max_threads = MAX_THREADS,
};

static void start(struct sandbox *sandbox, const struct sandbox_options *options)
{
	signal(SIGCHLD, SIG_IGN); /* as some parents leave it */
	CHECK(chdir(directory) == 0);
	if (try_in_child(starter_have_namespaces, NULL) < 0)
		_exit(NO_VERDICT);
	CHECK(sandbox_start(sandbox, options));
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static unsigned count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void see_nothing_in_2d(void)
{
	struct sandbox sandbox;
	struct stat st;

	start(&sandbox, &strict_2d);
	CHECK(count_entries("/") == 0);
	CHECK(!is_there("../etc/passwd") && !is_there("../../../../etc/passwd"));
	CHECK(!is_there("file") && !is_there(directory));
	CHECK(mkdir("/here", 0755) < 0 && errno == EROFS);
	CHECK(sandbox_lock(&sandbox, 0));
	CHECK(open("/etc/passwd", O_RDONLY) < 0 && open(".", O_RDONLY | O_DIRECTORY) < 0);
	CHECK(lstat("file", &st) < 0 && errno == ENOENT);
	CHECK(unlink("file") < 0 && errno == EACCES);
	CHECK(strcmp(g_strerror(EINVAL), "Invalid argument") == 0);
	g_random_int();
}

static void see_the_list_in_gl(void)
{
	static const char *const absent[] = {
		"/etc/passwd",
		"/etc/shadow",
		"/root",
		"/home",
		"/tmp",
		"/var",
		"/run",
		"/bin/sh",
		"/usr/bin",
		"/boot",
		"/proc/1",
		"/dev/mem",
		"/dev/shm",
		"/dev/pts",
		"/sys/kernel",
		"../etc/passwd",
		"/proc/self/root/etc/passwd",
		"/proc/self/cwd/../etc/passwd",
	};
	const char *cache = getenv("MESA_SHADER_CACHE_DIR");
	struct sandbox sandbox;

	start(&sandbox, &strict_gl);
	CHECK(sandbox.n_paths > 3);
	CHECK(sandbox_lock(&sandbox, ALL_NEEDS));
	for (unsigned i = 0; i < G_N_ELEMENTS(absent); i++) {
		/* MESA_SHADER_CACHE_DIR is the only writable directory; coverage builds set it. */
		if (g_str_has_prefix(cache ? cache : "", absent[i]))
			continue;
		if (is_there(absent[i])) {
			fprintf(stderr, "%s is in the file tree\n", absent[i]);
			_exit(1);
		}
	}
	CHECK(is_there("/lib") && is_there("/usr/lib") && is_there("/proc/self/maps"));
	CHECK(open("/dev/null", O_RDWR) >= 0);
	CHECK(open("/usr/lib/new", O_CREAT | O_WRONLY, 0644) < 0);
	CHECK(open("/proc/self/mem", O_RDWR) < 0);
	CHECK(!is_there("file") && unlink("file") < 0);
	CHECK(open("made", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
}

static void be_powerless(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	struct sandbox sandbox;
	struct stat net[2];
	pid_t pid = getpid();
	uid_t uid = getuid();
	gid_t gid = getgid();

	CHECK(stat("/proc/self/ns/net", &net[0]) == 0);
	start(&sandbox, &strict_gl);
	CHECK(stat("/proc/self/ns/net", &net[1]) == 0);
	CHECK(net[0].st_ino != net[1].st_ino);
	CHECK(getpid() == pid && getuid() == uid && getgid() == gid);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(syscall(SYS_capget, &header, sets) == 0);
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		CHECK((sets[i].permitted | sets[i].effective | sets[i].inheritable) == 0);
	CHECK(unshare(CLONE_NEWNET) < 0 && errno == EPERM);
}

static int open_file(int flags)
{
	int fd = open("/proc/version", O_RDONLY | flags);

	CHECK(fd > STDERR_FILENO);
	return fd;
}

/* Whether @fd is still open on the file @path. The number alone says nothing: it may be reused. */
static bool is_open(int fd, const char *path)
{
	struct stat here, there;

	CHECK(stat(path, &there) == 0);
	return fstat(fd, &here) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static void keep_no_descriptor(void)
{
	struct sandbox_options options = strict_gl;
	struct sandbox sandbox;
	int outside = open("/", O_PATH | O_DIRECTORY), file = open_file(0), kept = open_file(0);
	int own = open_file(O_CLOEXEC);
	struct stat st;

	CHECK(dup2(outside, STDIN_FILENO) == STDIN_FILENO);
	options.keep_fd = kept;
	start(&sandbox, &options);
	CHECK(!is_open(file, "/proc/version") && is_open(kept, "/proc/version"));
	CHECK(is_open(own, "/proc/version"));
	CHECK(fstat(outside, &st) < 0 || !S_ISDIR(st.st_mode));
	CHECK(fcntl(STDOUT_FILENO, F_GETFD) == 0 && fcntl(STDERR_FILENO, F_GETFD) == 0);
	CHECK(openat(STDIN_FILENO, "etc/passwd", O_RDONLY) < 0 && errno == ENOTDIR);
}

static int find_lock(const void *data)
{
	struct flock lock = { .l_type = F_WRLCK };

	CHECK(fcntl(*(const int *)data, F_GETLK, &lock) == 0);
	return lock.l_type == F_UNLCK ? -ENOLCK : 0;
}

/* As libvirt does: closing the second descriptor would release the lock that the first took. */
static void keep_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	struct sandbox sandbox;

	CHECK(chdir(directory) == 0);
	int pid_file = open("file", O_RDWR), again = open("file", O_RDONLY), other = open_file(0);

	CHECK(pid_file >= 0 && again >= 0 && fcntl(pid_file, F_SETLK, &lock) == 0);
	start(&sandbox, &strict_2d);
	CHECK(fcntl(other, F_GETFD) < 0 && errno == EBADF);
	CHECK(try_in_child(find_lock, &pid_file) == 0);
	CHECK(close(again) == 0 && try_in_child(find_lock, &pid_file) == -ENOLCK);
}

static rlim_t limit_of(int resource)
{
	struct rlimit limit;

	CHECK(getrlimit(resource, &limit) == 0 && limit.rlim_cur == limit.rlim_max);
	return limit.rlim_max;
}

static void be_limited(void)
{
	struct sandbox sandbox;

	start(&sandbox, &strict_2d);
	CHECK(sandbox_lock(&sandbox, 0));
	CHECK(limit_of(RLIMIT_CORE) == 0 && limit_of(RLIMIT_NOFILE) == MAX_FDS);
	CHECK(limit_of(RLIMIT_AS) == RLIM_INFINITY);
	if (sandbox.has_user)
		CHECK(limit_of(RLIMIT_NPROC) == MAX_THREADS);
	else
		CHECK(limit_of(RLIMIT_NPROC) != MAX_THREADS);
}

static void refuse_glx_when_strict(void)
{
	struct sandbox_options options = strict_gl;
	struct sandbox sandbox;

	options.uses_x11 = true;
	CHECK(!sandbox_start(&sandbox, &options));
}

/* As where the nodes of unused GPUs cannot be removed. */
static void refuse_to_lock_what_is_incomplete(void)
{
	struct sandbox sandbox;

	start(&sandbox, &strict_2d);
	sandbox.missing[0].what = "a protection is missing";
	sandbox.missing[0].why = "a test says so";
	sandbox.n_missing = 1;
	CHECK(!sandbox_lock(&sandbox, 0));
	sandbox.options.level = SANDBOX_AUTO;
	CHECK(sandbox_lock(&sandbox, 0));
}

/* Without a private file tree the daemon could reach the user's own shader cache. */
static void have_no_shader_cache_without_a_file_tree(void)
{
	struct sandbox_options options = strict_gl;
	struct sandbox sandbox;

	options.uses_x11 = true;
	options.level = SANDBOX_AUTO;
	unsetenv("MESA_SHADER_CACHE_DIR");
	CHECK(sandbox_start(&sandbox, &options));
	CHECK(!sandbox.has_rootfs);
	CHECK(g_strcmp0(getenv("MESA_SHADER_CACHE_DISABLE"), "true") == 0);
}

struct trial {
	void (*be)(void);
	void (*then)(void);
};

static void run_trial(const void *data)
{
	const struct trial *trial = data;

	trial->be();
	trial->then();
}

static void assert_good_for_all(void (*then)(void))
{
	void (*const beings[])(void) = { starter_be_oneself, starter_be_nobody,
					 starter_be_without_user_namespaces };
	unsigned n_good = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(beings); i++) {
		const struct trial trial = { beings[i], then };
		int result = sandbox_child_run(run_trial, &trial);

		if (result != 0 && result != NO_VERDICT)
			fail_msg("as number %u: %d", i, result);
		n_good += result == 0;
	}
	if (n_good == 0)
		skip();
}

static void the_2d_tree_is_empty(void **state)
{
	(void)state;
	assert_good_for_all(see_nothing_in_2d);
}

static void the_opengl_tree_has_only_listed_paths(void **state)
{
	(void)state;
	assert_good_for_all(see_the_list_in_gl);
}

static void the_user_id_stays_and_all_privileges_are_dropped(void **state)
{
	(void)state;
	assert_good_for_all(be_powerless);
}

static void inherited_descriptors_are_closed(void **state)
{
	(void)state;
	assert_good_for_all(keep_no_descriptor);
}

static void a_file_locked_by_this_process_stays_open_and_locked(void **state)
{
	(void)state;
	assert_good_for_all(keep_lock);
}

static void limits_are_set_to_what_the_daemon_needs(void **state)
{
	(void)state;
	assert_good_for_all(be_limited);
}

static void without_a_file_tree_there_is_no_shader_cache(void **state)
{
	(void)state;
	assert_good_for_all(have_no_shader_cache_without_a_file_tree);
}

static void strict_refuses_glx(void **state)
{
	(void)state;
	assert_good_for_all(refuse_glx_when_strict);
}

static void strict_refuses_what_goes_missing_after_the_start(void **state)
{
	(void)state;
	assert_good_for_all(refuse_to_lock_what_is_incomplete);
}

static void live_without_namespaces(void)
{
	struct sandbox_options options = strict_gl;
	struct sandbox sandbox;

	CHECK(chdir(directory) == 0);
	CHECK(!sandbox_start(&sandbox, &options));
	options.level = SANDBOX_AUTO;
	CHECK(sandbox_start(&sandbox, &options));
	CHECK(!sandbox.has_rootfs && !sandbox.has_net && sandbox.has_filter);

	CHECK(sandbox_lock(&sandbox, 0));
	CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	CHECK(unlink("file") < 0 && errno == EACCES);
}

static void without_namespaces_strict_refuses_and_auto_goes_on(void **state)
{
	const struct trial trial = { starter_be_without_anything, live_without_namespaces };
	int result = sandbox_child_run(run_trial, &trial);

	(void)state;
	if (result == NO_VERDICT)
		skip();
	assert_int_equal(result, 0);
}

static void live_without_processes(void)
{
	struct sandbox_options options = strict_2d;
	struct sandbox sandbox;

	CHECK(setrlimit(RLIMIT_NPROC, &(struct rlimit){ 0, 0 }) == 0);
	CHECK(fork() < 0);
	CHECK(!sandbox_start(&sandbox, &options));
	options.level = SANDBOX_AUTO;
	CHECK(sandbox_start(&sandbox, &options));
	CHECK(sandbox_lock(&sandbox, 0) && sandbox.has_filter && !sandbox.has_rootfs);
	CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
}

static void without_processes_auto_still_has_the_filter(void **state)
{
	const struct trial trial = { starter_be_nobody, live_without_processes };
	int result = sandbox_child_run(run_trial, &trial);

	(void)state;
	if (result == NO_VERDICT)
		skip();
	assert_int_equal(result, 0);
}

static void off_changes_nothing(void **state)
{
	const struct sandbox_options options = { .level = SANDBOX_OFF };
	struct sandbox sandbox;

	(void)state;
	assert_true(sandbox_start(&sandbox, &options));
	assert_true(sandbox_lock(&sandbox, 0));
	assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	assert_true(is_there("/etc/passwd"));
}

/* A file that existed before the start, and that cannot be reached afterwards. */
static bool make_file(void)
{
	g_autofree char *path = g_build_filename(directory, "file", NULL);

	return g_file_set_contents(path, "precious", -1, NULL) && chmod(path, 0666) == 0;
}

static void remove_file(void)
{
	g_autofree char *path = g_build_filename(directory, "file", NULL);

	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_2d_tree_is_empty),
		cmocka_unit_test(the_opengl_tree_has_only_listed_paths),
		cmocka_unit_test(the_user_id_stays_and_all_privileges_are_dropped),
		cmocka_unit_test(inherited_descriptors_are_closed),
		cmocka_unit_test(a_file_locked_by_this_process_stays_open_and_locked),
		cmocka_unit_test(limits_are_set_to_what_the_daemon_needs),
		cmocka_unit_test(strict_refuses_glx),
		cmocka_unit_test(strict_refuses_what_goes_missing_after_the_start),
		cmocka_unit_test(without_a_file_tree_there_is_no_shader_cache),
		cmocka_unit_test(without_namespaces_strict_refuses_and_auto_goes_on),
		cmocka_unit_test(without_processes_auto_still_has_the_filter),
		cmocka_unit_test(off_changes_nothing),
	};

#ifdef SANDBOX_INSTRUMENTED
	fprintf(stderr, "skipped: an instrumented build has no file tree and no filter\n");
	return 77;
#endif
	if (seccomp_is_absent()) {
		fprintf(stderr, "skipped: --sandbox strict needs a filter: %s\n",
			seccomp_is_absent());
		return 77;
	}
	if (!mkdtemp(directory) || chmod(directory, 0777) < 0 || !make_file())
		return 1;
	int n_failed = cmocka_run_group_tests(tests, NULL, NULL);

	remove_file();
	rmdir(directory);
	return n_failed;
}
