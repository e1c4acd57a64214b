// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Explains why a render node cannot be opened. Permissions are the most frequent reason: on most
 * distributions only members of one group may open it, and a service has none of the user's groups.
 */
#include "render/node.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"

#define DRM_MAJOR    226
#define MODE_OF_TEAM (S_IRGRP | S_IWGRP)

/* Freed with g_free(). */
static char *name_group(gid_t gid)
{
	const struct group *group = getgrgid(gid);

	return group ? g_strdup(group->gr_name) : g_strdup_printf("%u", (unsigned)gid);
}

/* Freed with g_free(). */
static char *name_user(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return user ? g_strdup(user->pw_name) : g_strdup_printf("%u", (unsigned)geteuid());
}

/* EACCES. */
static char *describe_permission(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || (st.st_mode & MODE_OF_TEAM) != MODE_OF_TEAM)
		return g_strdup_printf("%s: its mode does not let a group read and write it",
				       g_strerror(EACCES));

	g_autofree char *group = name_group(st.st_gid), *user = name_user();

	return g_strdup_printf("%s: add the user %s to its group %s (usermod -aG %s %s)",
			       g_strerror(EACCES), user, group, group, user);
}

char *render_node_find_problem(const char *path)
{
	auto_fd fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == EACCES)
		return describe_permission(path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return g_strdup(g_strerror(errno));
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != DRM_MAJOR)
		return g_strdup("not a DRM render node");
	return NULL;
}
