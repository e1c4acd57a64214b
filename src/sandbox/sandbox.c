// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The order in which the daemon gives up what it does not need, and what is said if it cannot.
 *
 * There are two moments. Before the renderer starts the process has one thread, so what belongs to
 * a thread, and what its threads will inherit, goes now: privileges, namespaces, the file tree.
 * After all is opened the filter comes, which the kernel lays on all threads at once. What can fail
 * is found at the first moment, by trying it in a child: a daemon that refuses to run does so
 * before its socket is there, and nothing is left half done.
 *
 * With --sandbox auto each thing that is missing is one warning, when the daemon is about to serve;
 * if its start fails for another reason, that reason is all it says. With strict each is one error,
 * and the end.
 */
#include "sandbox/sandbox.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/needs.h"
#include "sandbox/sandbox_private.h"

#define LOG_MODULE "sandbox"
#include "base/log.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* Sanitizers read /proc, start helpers and make threads; a coverage build writes files at its end.
 * Such a build is for tests, and is told to do without what would stop these. */
#if defined(SANDBOX_INSTRUMENTED) || defined(__SANITIZE_ADDRESS__) ||                              \
	defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||                        \
	__has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define IS_INSTRUMENTED true
#else
#define IS_INSTRUMENTED false
#endif

static const char *const profile_names[] = {
	[SANDBOX_2D] = "2d",
	[SANDBOX_SOFTWARE_GL] = "software-gl",
	[SANDBOX_HARDWARE_GL] = "hardware-gl",
};

static const char x_is_outside[] = "GLX needs an X server, which is outside";

/* Both live as long as the process. */
static void add_missing(struct sandbox *sandbox, const char *what, const char *why)
{
	assert(sandbox->n_missing < G_N_ELEMENTS(sandbox->missing));
	sandbox->missing[sandbox->n_missing].what = what;
	sandbox->missing[sandbox->n_missing].why = why;
	sandbox->n_missing++;
}

static void report_missing(const struct sandbox *sandbox)
{
	for (unsigned i = 0; i < sandbox->n_missing; i++) {
		if (sandbox->options.level == SANDBOX_STRICT)
			log_error("--sandbox strict: %s: %s", sandbox->missing[i].what,
				  sandbox->missing[i].why);
		else
			log_warn("%s: %s", sandbox->missing[i].what, sandbox->missing[i].why);
	}
}

static int write_without_capabilities(const void *unused)
{
	int r = privileges_drop(false);

	(void)unused;
	if (r == 0 && faccessat(AT_FDCWD, ".", W_OK | X_OK, AT_EACCESS) < 0)
		r = -errno;
	return r;
}

/* Root may have put the socket into a directory that is his only because he is root. */
static bool needs_capability(const struct sandbox *sandbox)
{
	return sandbox->options.keeps_working_directory &&
	       faccessat(AT_FDCWD, ".", W_OK | X_OK, AT_EACCESS) == 0 &&
	       try_in_child(write_without_capabilities, NULL) == -EACCES;
}

/* The capability is over files whose owners a user namespace would not know. */
static void enter_user(struct sandbox *sandbox, bool needs_capability_here)
{
	int r = needs_capability_here ? -EPERM : try_in_child(namespaces_enter_user, NULL);

	/* Not missed if the others can be had without it. */
	if (r == 0)
		r = namespaces_enter_user(NULL);
	sandbox->has_user = r == 0;
}

static void enter_rootfs(struct sandbox *sandbox)
{
	static const char what[] = "no file tree of its own, so that files can be opened";

	if (sandbox->options.uses_x11) {
		add_missing(sandbox, what, x_is_outside);
		return;
	}
	/* 2D, which opens nothing more, needs no less: the filter has its gaps for the socket. */
	struct rootfs *rootfs = rootfs_new(&sandbox->options);
	int r = try_in_child(rootfs_enter, rootfs);

	if (r == 0)
		r = rootfs_enter(rootfs);
	if (r < 0)
		add_missing(sandbox, what, g_strerror(-r));
	sandbox->has_rootfs = r == 0;
	sandbox->n_paths = rootfs_count(rootfs);
	rootfs_free(rootfs);
}

static void enter_namespaces(struct sandbox *sandbox)
{
	int r = sandbox->options.uses_x11 ? -ENOTSUP : namespaces_enter(CLONE_NEWNET);

	sandbox->has_net = r == 0;
	if (r < 0)
		add_missing(sandbox, "no network namespace of its own",
			    sandbox->options.uses_x11 ? x_is_outside : g_strerror(-r));
	r = namespaces_enter(CLONE_NEWIPC);
	sandbox->has_ipc = r == 0;
	if (r < 0)
		add_missing(sandbox, "no IPC namespace of its own", g_strerror(-r));
}

static int install_filter(const void *unused)
{
	(void)unused;
	return seccomp_install(SANDBOX_2D, true);
}

static void check_filter(struct sandbox *sandbox)
{
	const char *absent = seccomp_is_absent();
	int r = absent ? 0 : try_in_child(install_filter, NULL);

	if (r < 0)
		absent = g_strerror(-r);
	if (absent)
		add_missing(sandbox, "no filter of system calls", absent);
	sandbox->has_filter = !absent;
}

/* What Mesa and NVIDIA's driver would complain about: there is no place for their caches. */
static void forbid_shader_caches(void)
{
	if (!getenv("MESA_SHADER_CACHE_DIR"))
		setenv("MESA_SHADER_CACHE_DISABLE", "true", false);
	setenv("__GL_SHADER_DISK_CACHE", "0", false);
}

/* What a careless parent left open: from a directory outside ".." leads to all files. */
static void close_directories(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (fd != dirfd(dir) && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
			close(fd);
	}
	if (dir)
		closedir(dir);
}

/* GLib reads files at its first error message (the character set) and its first random number (the
 * seed). Its second are made without. */
static void read_files_of_glib(void)
{
	const char *volatile message = g_strerror(EINVAL);
	volatile uint32_t number = g_random_int();

	(void)message;
	(void)number;
}

bool sandbox_start(struct sandbox *sandbox, const struct sandbox_options *options)
{
	*sandbox = (struct sandbox){ .options = *options };
	if (options->level == SANDBOX_OFF)
		return true;
	read_files_of_glib();
	close_directories();

	bool keeps_capability = needs_capability(sandbox);
	int r = privileges_refuse_new();

	if (r < 0)
		add_missing(sandbox, "new privileges cannot be refused", g_strerror(-r));
	enter_user(sandbox, keeps_capability);
	enter_namespaces(sandbox);
	if (IS_INSTRUMENTED) {
		add_missing(sandbox, "no file tree of its own and no filter of system calls",
			    "this binary was built for sanitizers or coverage");
	} else {
		enter_rootfs(sandbox);
		check_filter(sandbox);
	}
	if (keeps_capability)
		add_missing(sandbox, "the capability to override permissions stays",
			    "without it the socket's directory could not be written");
	r = privileges_drop(keeps_capability);
	sandbox->has_no_capabilities = r == 0 && !keeps_capability;
	if (r < 0)
		add_missing(sandbox, "capabilities cannot be dropped", g_strerror(-r));
	if ((options->needs & NEEDS_FILES) && sandbox->has_rootfs)
		forbid_shader_caches();
	if (sandbox->n_missing == 0 || options->level == SANDBOX_AUTO)
		return true;
	report_missing(sandbox);
	return false;
}

enum sandbox_profile sandbox_profile_of(unsigned needs)
{
	if (needs & NEEDS_GPU_DEVICES)
		return SANDBOX_HARDWARE_GL;
	return needs ? SANDBOX_SOFTWARE_GL : SANDBOX_2D;
}

static void report_in_force(const struct sandbox *sandbox, enum sandbox_profile profile)
{
	g_autofree char *paths = g_strdup_printf("%u listed paths", sandbox->n_paths);
	const char *files = sandbox->n_paths > 0 ? paths : "none";

	bool is_apart =
		sandbox->has_user || sandbox->has_rootfs || sandbox->has_net || sandbox->has_ipc;

	log_info("own namespaces:%s%s%s%s%s; files: %s; capabilities: %s; system calls: %s",
		 is_apart ? "" : " none", sandbox->has_user ? " user" : "",
		 sandbox->has_rootfs ? " mount" : "", sandbox->has_net ? " network" : "",
		 sandbox->has_ipc ? " IPC" : "", sandbox->has_rootfs ? files : "all",
		 sandbox->has_no_capabilities ? "none" : "some",
		 sandbox->has_filter ? profile_names[profile] : "all");
}

bool sandbox_lock(struct sandbox *sandbox, unsigned needs)
{
	enum sandbox_profile profile = sandbox_profile_of(needs);

	if (sandbox->options.level == SANDBOX_OFF) {
		log_info("off");
		return true;
	}
	if (sandbox->has_filter) {
		int r = seccomp_install(profile, sandbox->options.level == SANDBOX_STRICT);

		if (r < 0) {
			log_error("no filter of system calls: %s", g_strerror(-r));
			return false;
		}
	}
	report_missing(sandbox);
	report_in_force(sandbox, profile);
	return true;
}
