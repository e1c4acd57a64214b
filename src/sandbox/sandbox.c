// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The order in which the daemon gives up privileges, and the log lines about those that it cannot
 * give up.
 *
 * There are two steps. The first is before the renderer starts, while the process has one thread.
 * It drops what belongs to a thread and is inherited by later threads: privileges, namespaces, the
 * file tree. The second is when everything is open: it removes the device nodes of unused GPUs,
 * sets resource limits and installs the seccomp filter on all threads. The user namespace, the file
 * tree and a filter are first tried in a child in step one, so that none of them is left half done,
 * and so that a refusal to run usually comes before the socket exists. In step two the daemon
 * refuses only if the filter fails although it worked in the child, or, with strict, if the filter
 * or the removal of the device nodes fails.
 *
 * With --sandbox auto there is one warning for each missing protection, when the daemon is about to
 * serve. If the start fails for another reason, only that reason is logged. With strict there is
 * one error line for each missing protection, and the daemon ends.
 */
#include "sandbox/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <sched.h>
#include <stdlib.h>

#include "base/needs.h"
#include "sandbox/sandbox_private.h"

#define LOG_MODULE "sandbox"
#include "base/log.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* Sanitizers read /proc, start helper processes and make threads; a coverage build writes files
 * when it ends. Such builds are for tests, and leave out the protections that would prevent this.
 */
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
	[SANDBOX_2D_DMABUF] = "2d-dmabuf",
};

static const char x_is_outside[] =
	"GLX needs the X server's socket, which is outside of the sandbox";

/* @what and @why are static. */
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

static void close_descriptors(struct sandbox *sandbox)
{
	int r = descriptors_close_inherited(sandbox->options.keep_fd);

	if (r < 0)
		add_missing(sandbox, "descriptors inherited from the parent stay open",
			    g_strerror(-r));
}

/* Runs @fn if it succeeded in a child. If no child can be made, @fn is not run, because it could
 * fail half-way. */
static int do_if_it_works(int (*fn)(const void *), const void *data)
{
	int r = try_in_child(fn, data);

	return r == 0 ? fn(data) : -abs(r);
}

/* Without a user namespace nothing is missing, if the other namespaces can be made. */
static void enter_user(struct sandbox *sandbox)
{
	sandbox->has_user = do_if_it_works(namespaces_enter_user, NULL) == 0;
}

static void keep_gpu_nodes(struct sandbox *sandbox, GPtrArray *paths)
{
	sandbox->gpu_nodes = gpu_nodes_new(paths);
	if (!sandbox->gpu_nodes)
		add_missing(sandbox, "device nodes of unused GPUs stay in the file tree",
			    g_strerror(errno));
}

static void enter_rootfs(struct sandbox *sandbox)
{
	static const char what[] = "no private file tree: host files stay reachable";

	if (sandbox->options.uses_x11) {
		add_missing(sandbox, what, x_is_outside);
		return;
	}
	struct rootfs *rootfs = rootfs_new(&sandbox->options);
	g_autoptr(GPtrArray) gpu_nodes = rootfs_list_gpu_nodes(rootfs);
	int r = do_if_it_works(rootfs_enter, rootfs);

	if (r < 0)
		add_missing(sandbox, what, g_strerror(-r));
	else if (gpu_nodes->len > 0)
		keep_gpu_nodes(sandbox, gpu_nodes);
	sandbox->has_rootfs = r == 0;
	sandbox->n_paths = rootfs_count(rootfs);
	rootfs_free(rootfs);
}

static void enter_namespaces(struct sandbox *sandbox)
{
	int r = sandbox->options.uses_x11 ? -ENOTSUP : namespaces_enter(CLONE_NEWNET);

	sandbox->has_net = r == 0;
	if (r < 0)
		add_missing(sandbox, "no network namespace",
			    sandbox->options.uses_x11 ? x_is_outside : g_strerror(-r));
	r = namespaces_enter(CLONE_NEWIPC);
	sandbox->has_ipc = r == 0;
	if (r < 0)
		add_missing(sandbox, "no IPC namespace", g_strerror(-r));
}

static int install_filter(const void *unused)
{
	(void)unused;
	return seccomp_install(SANDBOX_2D, true, NULL);
}

/* If no child can be made to try it, the filter is assumed to work. If it then does not,
 * sandbox_lock() reports that. */
static void check_filter(struct sandbox *sandbox)
{
	const char *absent = seccomp_is_absent();
	int r = absent ? 0 : try_in_child(install_filter, NULL);

	if (r < 0)
		absent = g_strerror(-r);
	if (absent)
		add_missing(sandbox, "no system call filter", absent);
	sandbox->has_filter = !absent;
	sandbox->is_filter_tried = r == 0;
}

/* The private file tree has no directory for shader caches except the one that
 * MESA_SHADER_CACHE_DIR names. Without a private tree the daemon would write to the caches of the
 * user, whose content other programs execute. */
static void forbid_shader_caches(void)
{
	if (!getenv("MESA_SHADER_CACHE_DIR"))
		setenv("MESA_SHADER_CACHE_DISABLE", "true", false);
	setenv("__GL_SHADER_DISK_CACHE", "0", false);
}

/* Makes GLib read its files now: it reads the character set at the first error message and the seed
 * at the first random number, and never again. */
static void read_files_of_glib(void)
{
	const char *volatile message = g_strerror(EINVAL);
	volatile uint32_t number = g_random_int();

	(void)message;
	(void)number;
}

static void take_privileges(struct sandbox *sandbox)
{
	int r = privileges_refuse_new();

	if (r < 0)
		add_missing(sandbox, "cannot set no_new_privs", g_strerror(-r));
	enter_user(sandbox);
	sandbox->may_limit_threads = sandbox->has_user && limits_count_own_processes();
	enter_namespaces(sandbox);
	if (IS_INSTRUMENTED) {
		add_missing(sandbox, "no private file tree and no system call filter",
			    "this binary was built for sanitizers or coverage");
	} else {
		enter_rootfs(sandbox);
		check_filter(sandbox);
	}
	r = privileges_drop();
	sandbox->has_no_capabilities = r == 0;
	if (r < 0)
		add_missing(sandbox, "cannot drop capabilities", g_strerror(-r));
	if (sandbox->options.needs & NEEDS_FILES)
		forbid_shader_caches();
}

/* A missing limit does not help a guest to escape, so it is no reason to refuse to run. */
static void set_limits(const struct sandbox *sandbox)
{
	int r = limits_set(sandbox->options.max_fds);

	if (r == 0 && sandbox->may_limit_threads)
		r = limits_set_threads(sandbox->options.max_threads);
	if (r < 0)
		log_warn("cannot set all resource limits: %s", g_strerror(-r));
}

/* False, with error lines, if something is missing that --sandbox strict wants. */
static bool has_enough(const struct sandbox *sandbox)
{
	if (sandbox->n_missing == 0 || sandbox->options.level == SANDBOX_AUTO)
		return true;
	report_missing(sandbox);
	return false;
}

bool sandbox_start(struct sandbox *sandbox, const struct sandbox_options *options)
{
	*sandbox = (struct sandbox){ .options = *options };
	if (options->level == SANDBOX_OFF)
		return true;
	read_files_of_glib();
	close_descriptors(sandbox);
	take_privileges(sandbox);
	return has_enough(sandbox);
}

enum sandbox_profile sandbox_profile_of(unsigned needs)
{
	if (needs & NEEDS_GPU_DEVICES)
		return SANDBOX_HARDWARE_GL;
	if (needs & ~(unsigned)NEEDS_UDMABUF)
		return SANDBOX_SOFTWARE_GL;
	return needs ? SANDBOX_2D_DMABUF : SANDBOX_2D;
}

static void report_in_force(const struct sandbox *sandbox, enum sandbox_profile profile)
{
	g_autofree char *paths = g_strdup_printf("only %u paths", sandbox->n_paths);
	const char *files = sandbox->n_paths > 0 ? paths : "none";

	bool is_apart =
		sandbox->has_user || sandbox->has_rootfs || sandbox->has_net || sandbox->has_ipc;

	log_info("own namespaces:%s%s%s%s%s; files: %s; capabilities: %s; "
		 "system call filter: %s",
		 is_apart ? "" : " none", sandbox->has_user ? " user" : "",
		 sandbox->has_rootfs ? " mount" : "", sandbox->has_net ? " network" : "",
		 sandbox->has_ipc ? " IPC" : "", sandbox->has_rootfs ? files : "all",
		 sandbox->has_no_capabilities ? "none" : "some",
		 sandbox->has_filter ? profile_names[profile] : "none");
}

/* False, with an error line, if the filter fails with --sandbox strict, or although it worked in a
 * child. */
static bool install_profile(struct sandbox *sandbox, enum sandbox_profile profile)
{
	static const char what[] = "no system call filter";
	g_autoptr(GArray) uvm_fds = descriptors_find("/dev/nvidia-uvm");
	bool kills = sandbox->options.level == SANDBOX_STRICT;
	int r = seccomp_install(profile, kills, uvm_fds);

	if (r == 0)
		return true;
	sandbox->has_filter = false;
	if (sandbox->is_filter_tried || kills) {
		log_error("%s: %s", what, g_strerror(-r));
		return false;
	}
	add_missing(sandbox, what, g_strerror(-r));
	return true;
}

static void drop_gpu_nodes(struct sandbox *sandbox, unsigned needs)
{
	int r = gpu_nodes_keep_used(sandbox->gpu_nodes, needs);

	sandbox->gpu_nodes = NULL;
	if (r < 0)
		add_missing(sandbox, "device nodes of unused GPUs stay in the file tree",
			    g_strerror(-r));
}

bool sandbox_lock(struct sandbox *sandbox, unsigned needs)
{
	enum sandbox_profile profile = sandbox_profile_of(needs);

	if (sandbox->options.level == SANDBOX_OFF) {
		log_info("off");
		return true;
	}
	if (sandbox->gpu_nodes)
		drop_gpu_nodes(sandbox, needs);
	if (!has_enough(sandbox))
		return false;
	set_limits(sandbox);
	if (sandbox->has_filter && !install_profile(sandbox, profile))
		return false;
	report_missing(sandbox);
	report_in_force(sandbox, profile);
	return true;
}

void sandbox_confine_keeper(void)
{
	if (!IS_INSTRUMENTED)
		seccomp_install_for_keeper();
}
