// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Sets flags of a mount and of all mounts below it. A remount changes one mount only, so mounts
 * below a path of the table in rootfs.c would stay writable. mount_setattr() (Linux 5.12) changes
 * all of them at once. Without it, the mounts are read from mountinfo and remounted one by one.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox_private.h"

#define MOUNTINFO_PATH_FIELD 4

/* mount_flags_set() passes the same flags to mount() and to mount_setattr(). */
G_STATIC_ASSERT(MS_RDONLY == MOUNT_ATTR_RDONLY && MS_NOSUID == MOUNT_ATTR_NOSUID &&
		MS_NODEV == MOUNT_ATTR_NODEV && MS_NOEXEC == MOUNT_ATTR_NOEXEC);

/* Returns 0 without a change if @path cannot be reached: another mount hides it, or this process
 * has no access to it. Then this process cannot use the mount either. */
static int remount(const char *path, unsigned long flags)
{
	struct statvfs fs;

	if (statvfs(path, &fs) < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	/* The kernel does not allow clearing flags that were set outside the namespace. */
	flags |= fs.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC);
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0 ? -errno : 0;
}

static bool is_at_or_below(const char *path, const char *top)
{
	size_t length = strlen(top);

	return strncmp(path, top, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static int remount_all(const char *top, unsigned long flags, const char *mountinfo)
{
	g_autofree char *text = NULL;
	int r = 0;

	if (!g_file_get_contents(mountinfo, &text, NULL, NULL))
		return -ENOENT;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; r == 0 && *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, " ", MOUNTINFO_PATH_FIELD + 2);

		if (g_strv_length(fields) <= MOUNTINFO_PATH_FIELD)
			continue;
		/* mountinfo has spaces as octal escapes. */
		g_autofree char *path = g_strcompress(fields[MOUNTINFO_PATH_FIELD]);

		if (is_at_or_below(path, top))
			r = remount(path, flags);
	}
	return r;
}

int mount_flags_set(const char *top, unsigned long flags, const char *mountinfo)
{
	struct mount_attr attr = { .attr_set = flags };

	if (syscall(SYS_mount_setattr, AT_FDCWD, top, AT_RECURSIVE, &attr, sizeof(attr)) == 0)
		return 0;
	return remount_all(top, flags, mountinfo);
}
