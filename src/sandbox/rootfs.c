// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The file tree: an empty, read-only root, in which only what one table lists can be found, and the
 * working directory. Which entries those are depends on what the renderer may need: one without
 * OpenGL gets none.
 *
 * OpenGL opens files as long as it runs: drivers and their helpers are loaded at the first use. So
 * the list is of what drivers need, read-only, under the names that they have outside. No home
 * directory, no /tmp, no other process's /proc. A cache of shaders is what other programs of the
 * user believe: it is there only if MESA_SHADER_CACHE_DIR names one.
 *
 * The working directory is the socket's, so that its file can go at the end. It is a mount of its
 * own under this root: ".." leads to this root, not out of it. A descriptor of a directory outside
 * would lead out, so none may be kept.
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
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/needs.h"
#include "sandbox/sandbox_private.h"

#define LOG_MODULE "sandbox"
#include "base/log.h"

/* The new root is put together on top of this directory, which every system has. It comes back to
 * light when the root has moved away. */
#define STAGE       "/dev"
#define OLD         "/.old"
#define WORKING_DIR "/socket"

enum kind {
	FILES,   /* read-only, no devices */
	DEVICES, /* read-only, but what is behind a device node is not */
	WRITABLE /* no devices, nothing that can be run */
};

/* Patterns as of the shell, or $NAME for a list of paths in an environment variable. What is not
 * there is left out. */
static const struct rootfs_entry {
	const char *pattern;
	enum kind kind;
	unsigned needs; /* enum needs: there for any of these */
} entries[] = {
	{ "/dev/dri", DEVICES, NEEDS_GPU_DEVICES },
	{ "/dev/nvidia*", DEVICES, NEEDS_GPU_DEVICES },
	{ "/dev/mali0", DEVICES, NEEDS_GPU_DEVICES },
	{ "/dev/udmabuf", DEVICES, NEEDS_FILES },
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
	{ "$VK_DRIVER_FILES", FILES, NEEDS_FILES },
	{ "$VK_ICD_FILENAMES", FILES, NEEDS_FILES },
	{ "$MESA_SHADER_CACHE_DIR", WRITABLE, NEEDS_FILES },
};

struct rootfs_path {
	char *name; /* what it is opened by */
	char *real; /* without symbolic links */
	enum kind kind;
};

struct rootfs {
	GArray *paths;     /* of struct rootfs_path */
	char *working_dir; /* NULL: not kept */
};

static void clear_path(void *data)
{
	struct rootfs_path *path = data;

	g_free(path->name);
	free(path->real);
}

static void add_path(struct rootfs *rootfs, const char *name, enum kind kind)
{
	struct rootfs_path path = { .kind = kind };

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
			add_path(rootfs, *name, entry->kind);
		return;
	}
	if (glob(entry->pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		add_path(rootfs, found.gl_pathv[i], entry->kind);
	globfree(&found);
}

struct rootfs *rootfs_new(const struct sandbox_options *options)
{
	struct rootfs *rootfs = g_new0(struct rootfs, 1);

	rootfs->paths = g_array_new(false, false, sizeof(struct rootfs_path));
	g_array_set_clear_func(rootfs->paths, clear_path);
	if (options->keeps_working_directory)
		rootfs->working_dir = g_get_current_dir();
	for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++)
		if (entries[i].needs & options->needs)
			add_entry(rootfs, &entries[i]);
	if (options->gpu_device && (options->needs & NEEDS_GPU_DEVICES))
		add_path(rootfs, options->gpu_device, DEVICES);
	return rootfs;
}

void rootfs_free(struct rootfs *rootfs)
{
	if (!rootfs)
		return;
	g_array_unref(rootfs->paths);
	g_free(rootfs->working_dir);
	g_free(rootfs);
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

/* Something to mount on: a directory on a directory, a file on anything else. */
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

/* Binds @real of the old root to @target. */
static int bind_path(const char *real, const char *target, unsigned long flags)
{
	g_autofree char *source = g_strconcat(OLD, real, NULL);
	struct statvfs fs;
	struct stat st;

	if (stat(source, &st) < 0)
		return -errno;
	int r = make_mount_point(target, S_ISDIR(st.st_mode));

	if (r < 0)
		return r;
	/* Recursively, because a user namespace may not see what lies under another's mounts. */
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0 || statvfs(target, &fs) < 0)
		return -errno;
	/* Flags that were set outside may not be taken back. */
	flags |= fs.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC);
	if (mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | flags, NULL) < 0)
		return -errno;
	return 0;
}

static int bind_entry(const struct rootfs_path *path)
{
	static const unsigned long flags[] = {
		[FILES] = MS_RDONLY | MS_NODEV,
		[DEVICES] = MS_RDONLY | MS_NOEXEC,
		[WRITABLE] = MS_NODEV | MS_NOEXEC,
	};
	bool is_there = path->kind == FILES && access(path->real, F_OK) == 0;
	int r = is_there ? 0 : bind_path(path->real, path->real, flags[path->kind]);

	if (r < 0 || strcmp(path->name, path->real) == 0 || access(path->name, F_OK) == 0)
		return r;
	r = make_parents(path->name);
	if (r == 0 && symlink(path->real, path->name) < 0)
		r = -errno;
	return r;
}

/* Fills the new root, which is the process's already. */
static int fill_rootfs(const struct rootfs *rootfs)
{
	for (unsigned i = 0; i < rootfs->paths->len; i++) {
		const struct rootfs_path *path =
			&g_array_index(rootfs->paths, struct rootfs_path, i);
		int r = bind_entry(path);

		/* A driver that needs it will say so; most do not. */
		if (r < 0)
			log_debug("%s is not in the file tree: %s", path->name, g_strerror(-r));
	}
	if (!rootfs->working_dir)
		return 0;
	return bind_path(rootfs->working_dir, WORKING_DIR, MS_NODEV | MS_NOEXEC);
}

int rootfs_enter(const void *data)
{
	const struct rootfs *rootfs = data;
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	/* What happens to mounts here stays here. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sandbox", STAGE, "tmpfs", flags, "mode=0755,size=1m") < 0 ||
	    mkdir(STAGE OLD, 0700) < 0 || syscall(SYS_pivot_root, STAGE, STAGE OLD) < 0)
		return -errno;

	int r = fill_rootfs(rootfs);

	if (r < 0)
		return r;
	if (chdir(rootfs->working_dir ? WORKING_DIR : "/") < 0 || umount2(OLD, MNT_DETACH) < 0 ||
	    rmdir(OLD) < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL))
		return -errno;
	return 0;
}
