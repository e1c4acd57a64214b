// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Why a render node cannot be used, and what the user is told to do. */
#include <glib.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "render/node.h"

#define NOBODY 65534

static char path[] = "/tmp/node-XXXXXX";

/* Becomes an ordinary user, for whom file permissions count. */
static char *find_problem(void)
{
	uid_t self = geteuid();

	if (self == 0) {
		assert_int_equal(chown(path, NOBODY, (gid_t)-1), 0);
		assert_int_equal(seteuid(NOBODY), 0);
	}
	char *problem = render_node_find_problem(path);

	assert_int_equal(seteuid(self), 0);
	return problem;
}

/* A build chroot may have no name for the group. */
static char *group_of_self(void)
{
	const struct group *group = getgrgid(getegid());

	return group ? g_strdup(group->gr_name) : g_strdup_printf("%u", (unsigned)getegid());
}

static void a_node_without_permission_names_its_group(void **state)
{
	g_autofree char *group = group_of_self();
	char due[128];

	(void)state;
	assert_int_equal(chmod(path, 0060), 0);
	g_autofree char *problem = find_problem();

	/* In practice the user is not in this group; here only the group's name matters. */
	snprintf(due, sizeof(due), " to its group %s (usermod -aG %s ", group, group);
	assert_non_null(problem);
	assert_true(g_str_has_prefix(problem, "Permission denied: add the user "));
	assert_non_null(strstr(problem, due));
}

static void a_node_without_group_access_suggests_no_group(void **state)
{
	(void)state;
	assert_int_equal(chmod(path, 0), 0);
	g_autofree char *problem = find_problem();

	assert_string_equal(problem,
			    "Permission denied: its mode does not let a group read and write it");
}

static void a_path_that_is_no_render_node_is_reported(void **state)
{
	g_autofree char *missing = render_node_find_problem("/nonexistent");
	g_autofree char *null = render_node_find_problem("/dev/null");

	(void)state;
	assert_string_equal(missing, "No such file or directory");
	assert_string_equal(null, "not a DRM render node");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_without_permission_names_its_group),
		cmocka_unit_test(a_node_without_group_access_suggests_no_group),
		cmocka_unit_test(a_path_that_is_no_render_node_is_reported),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	int failed = cmocka_run_group_tests_name("node", tests, NULL, NULL);

	unlink(path);
	close(fd);
	return failed;
}
