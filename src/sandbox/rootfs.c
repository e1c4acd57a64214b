// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The private file tree: a read-only root that contains only the paths of one table (entries) and
 * those that options name (--gpu-device, --gfxstream-library). Which entries are used depends on
 * what the renderer may need. The 2D and null renderers need none, except /dev/udmabuf for
 * --scanout dmabuf.
 *
 * OpenGL opens files while it runs, because it loads drivers and their helpers at first use. So the
 * table lists what drivers need. Each entry has the same path in the tree as on the host, and is
 * read-only together with all mounts below it. The tree has no home directory, no /tmp and no other
 * process's /proc. The only writable directory is the shader cache that MESA_SHADER_CACHE_DIR
 * names. The user's default cache is not in the tree, because other programs of the user trust its
 * content.
 *
 * Through an open descriptor of a directory outside the tree a process can leave it, so the sandbox
 * closes all of them (descriptors.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glob.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/needs.h"
#include "sandbox/sandbox_private.h"

#define LOG_MODULE "sandbox"
#include "base/log.h"

/* The new root is assembled in a tmpfs mounted on STAGE, a directory that every system has. The
 * mount hides the host's /dev only until pivot_root(); then the host's /dev is at OLD "/dev". */
#define STAGE       "/dev"
#define OLD         "/.old"
#define MOUNTINFO   OLD "/proc/self/mountinfo"
#define DRI_PATTERN "/dev/dri/renderD*"

enum kind {
	FILES,   /* read-only, no devices */
	DEVICES, /* read-only; the devices themselves can be written */
	WRITABLE /* no devices, no programs */
};

/* A pattern is a glob(7), or $NAME for the list of paths in an environment variable. Missing paths
 * are left out. */
static const struct rootfs_entry {
	const char *pattern;
	enum kind kind;
	unsigned needs; /* enum needs: used if the renderer has any of these */
} entries[] = {
	{ DRI_PATTERN, DEVICES, NEEDS_GPU_DEVICES },
	{ "/dev/nvidia*", DEVICES, NEEDS_GPU_DEVICES },
	{ "/dev/mali0", DEVICES, NEEDS_GPU_DEVICES },
	{ "/dev/udmabuf", DEVICES, NEEDS_FILES | NEEDS_UDMABUF },
	{ "/dev/null", DEVICES, NEEDS_FILES },
	{ "/dev/zero", DEVICES, NEEDS_FILES },
	{ "/dev/urandom", DEVICES, NEEDS_FILES },
	{ "/sys/dev/char", FILES, NEEDS_FILES },
	{ "/sys/devices", FILES, NEEDS_FILES },
	{ "/sys/class/drm", FILES, NEEDS_GPU_DEVICES },
	{ "/sys/bus/pci", FILES, NEEDS_FILES },
	{ "/sys/module/nvidia*", FILES, NEEDS_GPU_DEVICES },
	{ "/proc/self", FILES, NEEDS_FILES },
	{ "/proc/cpuinfo", FILES, NEEDS_FILES },
	{ "/proc/devices", FILES, NEEDS_FILES },
	{ "/proc/driver/nvidia*", FILES, NEEDS_GPU_DEVICES },
	{ "/proc/filesystems", FILES, NEEDS_FILES },
	{ "/proc/meminfo", FILES, NEEDS_FILES },
	{ "/proc/modules", FILES, NEEDS_FILES },
	{ "/proc/version", FILES, NEEDS_FILES },
	{ "/usr/lib", FILES, NEEDS_FILES },
	{ "/usr/lib32", FILES, NEEDS_FILES },
	{ "/usr/lib64", FILES, NEEDS_FILES },
	{ "/lib", FILES, NEEDS_FILES },
	{ "/lib64", FILES, NEEDS_FILES },
	{ "/usr/local/lib*", FILES, NEEDS_FILES },
	{ "/usr/local/nvidia", FILES, NEEDS_FILES },
	{ "/run/opengl-driver", FILES, NEEDS_FILES },
	{ "/nix/store", FILES, NEEDS_FILES },
	{ "/gnu/store", FILES, NEEDS_FILES },
	{ "/usr/share/drirc.d", FILES, NEEDS_FILES },
	{ "/usr/share/egl", FILES, NEEDS_FILES },
	{ "/usr/share/glvnd", FILES, NEEDS_FILES },
	{ "/usr/share/libdrm", FILES, NEEDS_FILES },
	{ "/usr/share/nvidia", FILES, NEEDS_FILES },
	{ "/usr/share/vulkan", FILES, NEEDS_FILES },
	{ "/etc/drirc", FILES, NEEDS_FILES },
	{ "/etc/egl", FILES, NEEDS_FILES },
	{ "/etc/glvnd", FILES, NEEDS_FILES },
	{ "/etc/ld.so.cache", FILES, NEEDS_FILES },
	{ "/etc/vulkan", FILES, NEEDS_FILES },
	{ "$LD_LIBRARY_PATH", FILES, NEEDS_FILES },
	{ "$LIBGL_DRIVERS_PATH", FILES, NEEDS_FILES },
	{ "$GBM_BACKENDS_PATH", FILES, NEEDS_FILES },
	{ "$__EGL_VENDOR_LIBRARY_DIRS", FILES, NEEDS_FILES },
	{ "$__EGL_VENDOR_LIBRARY_FILENAMES", FILES, NEEDS_FILES },
	{ "$__EGL_EXTERNAL_PLATFORM_CONFIG_DIRS", FILES, NEEDS_FILES },
	{ "$RENDER_SERVER_EXEC_PATH", FILES, NEEDS_RENDER_SERVER },
	{ "/usr/libexec/virgl_render_server", FILES, NEEDS_RENDER_SERVER },
	{ "/usr/local/libexec/virgl_render_server", FILES, NEEDS_RENDER_SERVER },
	{ "$VK_LAYER_PATH", FILES, NEEDS_RENDER_SERVER | NEEDS_VULKAN },
	{ "$VK_ADD_LAYER_PATH", FILES, NEEDS_RENDER_SERVER | NEEDS_VULKAN },
	{ "$VK_ADD_DRIVER_FILES", FILES, NEEDS_RENDER_SERVER | NEEDS_VULKAN },
	{ "$VK_DRIVER_FILES", FILES, NEEDS_FILES },
	{ "$VK_ICD_FILENAMES", FILES, NEEDS_FILES },
	{ "$MESA_SHADER_CACHE_DIR", WRITABLE, NEEDS_FILES },
};

struct rootfs_path {
	char *name; /* the path as listed */
	char *real; /* the path without symbolic links */
	enum kind kind;
	bool is_gpu_node;
};

struct rootfs {
	GArray *paths; /* of struct rootfs_path */
};

static void clear_path(void *data)
{
	struct rootfs_path *path = data;

	g_free(path->name);
	free(path->real);
}

static void add_path(struct rootfs *rootfs, const char *name, const struct rootfs_entry *entry)
{
	struct rootfs_path path = {
		.kind = entry->kind,
		.is_gpu_node = entry->kind == DEVICES && (entry->needs & NEEDS_GPU_DEVICES),
	};

	if (!g_path_is_absolute(name))
		return;
	path.real = realpath(name, NULL);
	if (!path.real)
		return;
	path.name = g_strdup(name);
	g_array_append_val(rootfs->paths, path);
}

static void add_entry(struct rootfs *rootfs, const struct rootfs_entry *entry)
{
	glob_t found;

	if (entry->pattern[0] == '$') {
		const char *value = getenv(entry->pattern + 1);
		g_auto(GStrv) names = g_strsplit(value ? value : "", ":", -1);

		for (char **name = names; *name; name++)
			add_path(rootfs, *name, entry);
		return;
	}
	if (glob(entry->pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		add_path(rootfs, found.gl_pathv[i], entry);
	globfree(&found);
}

/* If the options name a render node, the others are left out. */
static bool is_wanted(const struct rootfs_entry *entry, const struct sandbox_options *options)
{
	bool is_other_node = options->gpu_device && strcmp(entry->pattern, DRI_PATTERN) == 0;

	return (entry->needs & options->needs) && !is_other_node;
}

struct rootfs *rootfs_new(const struct sandbox_options *options)
{
	const struct rootfs_entry named = { options->gpu_device, DEVICES, NEEDS_GPU_DEVICES };
	const struct rootfs_entry library = { options->library, FILES, NEEDS_FILES };
	struct rootfs *rootfs = g_new0(struct rootfs, 1);

	rootfs->paths = g_array_new(false, false, sizeof(struct rootfs_path));
	g_array_set_clear_func(rootfs->paths, clear_path);
	for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++)
		if (is_wanted(&entries[i], options))
			add_entry(rootfs, &entries[i]);
	if (options->gpu_device && (options->needs & NEEDS_GPU_DEVICES))
		add_path(rootfs, options->gpu_device, &named);
	if (options->library && (options->needs & NEEDS_FILES))
		add_path(rootfs, options->library, &library);
	return rootfs;
}

void rootfs_free(struct rootfs *rootfs)
{
	if (!rootfs)
		return;
	g_array_unref(rootfs->paths);
	g_free(rootfs);
}

GPtrArray *rootfs_list_gpu_nodes(const struct rootfs *rootfs)
{
	GPtrArray *nodes = g_ptr_array_new_with_free_func(g_free);

	for (unsigned i = 0; i < rootfs->paths->len; i++) {
		const struct rootfs_path *path =
			&g_array_index(rootfs->paths, struct rootfs_path, i);

		if (path->is_gpu_node)
			g_ptr_array_add(nodes, g_strdup(path->real));
	}
	return nodes;
}

unsigned rootfs_count(const struct rootfs *rootfs)
{
	return rootfs->paths->len;
}

static int make_parents(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);

	return g_mkdir_with_parents(dir, 0755) < 0 ? -errno : 0;
}

/* Creates a mount point: a directory for a directory, a file for anything else. */
static int make_mount_point(const char *path, bool is_dir)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return 0;
	int r = make_parents(path);

	if (r < 0)
		return r;
	if (is_dir)
		return mkdir(path, 0755) < 0 ? -errno : 0;
	auto_fd fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
	return fd < 0 ? -errno : 0;
}

/* Binds @real of the old root to the same path in the new root. */
static int bind_path(const char *real, unsigned long flags)
{
	g_autofree char *source = g_strconcat(OLD, real, NULL);
	struct stat st;

	if (stat(source, &st) < 0)
		return -errno;
	int r = make_mount_point(real, S_ISDIR(st.st_mode));

	if (r < 0)
		return r;
	/* MS_REC, because in a user namespace the kernel refuses to bind a directory without the
	 * mounts below it: that would show the files that they hide. */
	if (mount(source, real, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -errno;
	r = mount_flags_set(real, MS_NOSUID | flags, MOUNTINFO);
	if (r < 0)
		umount2(real, MNT_DETACH);
	return r;
}

static int bind_entry(const struct rootfs_path *path)
{
	static const unsigned long flags[] = {
		[FILES] = MS_RDONLY | MS_NODEV,
		[DEVICES] = MS_RDONLY | MS_NOEXEC,
		[WRITABLE] = MS_NODEV | MS_NOEXEC,
	};
	bool is_there = path->kind == FILES && access(path->real, F_OK) == 0;
	int r = is_there ? 0 : bind_path(path->real, flags[path->kind]);

	if (r < 0 || strcmp(path->name, path->real) == 0 || access(path->name, F_OK) == 0)
		return r;
	r = make_parents(path->name);
	if (r == 0 && symlink(path->real, path->name) < 0)
		r = -errno;
	return r;
}

/* Fills the new root, which is already the root of this process. */
static void fill_rootfs(const struct rootfs *rootfs)
{
	for (unsigned i = 0; i < rootfs->paths->len; i++) {
		const struct rootfs_path *path =
			&g_array_index(rootfs->paths, struct rootfs_path, i);
		int r = bind_entry(path);

		/* Not an error: most drivers do not need every path. */
		if (r < 0)
			log_debug("%s is not in the file tree: %s", path->name, g_strerror(-r));
	}
}

int rootfs_enter(const void *data)
{
	const struct rootfs *rootfs = data;
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	/* Mounts in this namespace must not propagate to others. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sandbox", STAGE, "tmpfs", flags, "mode=0755,size=1m") < 0 ||
	    mkdir(STAGE OLD, 0700) < 0 || syscall(SYS_pivot_root, STAGE, STAGE OLD) < 0)
		return -errno;

	fill_rootfs(rootfs);
	if (chdir("/") < 0 || umount2(OLD, MNT_DETACH) < 0 || rmdir(OLD) < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL))
		return -errno;
	return 0;
}
