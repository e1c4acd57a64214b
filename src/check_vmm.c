// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Checks the programs that start this daemon or connect to it: QEMU and libvirt. */
#include <stdbool.h>
#include <string.h>
#include <sys/utsname.h>

#include "check_private.h"

/* Deadline for one run of QEMU. */
#define SECONDS 10

#define JSON_DIRECTORIES "/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user"

/* Returns QEMU's output, or NULL. */
static char *ask_qemu(const char *path, const char *option, const char *topic)
{
	const char *argv[] = { path, option, topic, NULL };

	return check_ask(argv, SECONDS);
}

/* "gtk sdl egl-headless": the lines after the first one. */
static char *join_displays(const char *help)
{
	g_auto(GStrv) lines = g_strsplit(help ? help : "", "\n", -1);
	GString *text = g_string_new(NULL);

	for (unsigned i = 1; lines[0] && lines[i]; i++) {
		if (!lines[i][0] || strchr(lines[i], ' '))
			break; /* a sentence follows the list */
		g_string_append_printf(text, " %s", lines[i]);
	}
	return g_string_free(text, FALSE);
}

/* QEMU's names of machines, where they differ from uname()'s. */
static const struct {
	const char *machine, *name;
} qemu_names[] = {
	{ "i386", "i386" },  { "i486", "i386" },  { "i586", "i386" },  { "i686", "i386" },
	{ "armv6l", "arm" }, { "armv7l", "arm" }, { "armv8l", "arm" }, { "ppc64le", "ppc64" },
};

static char *find_qemu(void)
{
	struct utsname host;
	char *path;

	uname(&host);
	const char *machine = host.machine;

	for (unsigned i = 0; i < G_N_ELEMENTS(qemu_names); i++)
		if (strcmp(host.machine, qemu_names[i].machine) == 0)
			machine = qemu_names[i].name;
	g_autofree char *name = g_strconcat("qemu-system-", machine, NULL);

	path = g_find_program_in_path(name);
	return path ? path : g_find_program_in_path("qemu-kvm");
}

/* "QEMU emulator version 10.0.2; displays: none gtk" */
static char *describe_qemu(const char *version, const char *displays)
{
	g_autofree char *name = g_strndup(version, strcspn(version, "\n("));

	return g_strdup_printf("%s; displays:%s", g_strchomp(name), displays);
}

static void ask_all(GPtrArray *findings, const char *path)
{
	g_autofree char *version = ask_qemu(path, "-version", NULL);
	g_autofree char *devices = version ? ask_qemu(path, "-device", "help") : NULL;
	g_autofree char *help = devices ? ask_qemu(path, "-display", "help") : NULL;
	g_autofree char *displays = join_displays(help);
	g_autofree char *text = describe_qemu(version ? version : "", displays);

	if (!devices)
		check_add(findings, CHECK_LESS, path, "does not answer -version and -device help",
			  "run it by hand to see why");
	else if (!strstr(devices, "vhost-user-gpu"))
		check_add(findings, CHECK_LESS, path, "has no device vhost-user-gpu",
			  "install the distribution's package of QEMU's GPU modules");
	else
		check_add(findings, CHECK_OK, path, text, NULL);
}

void check_qemu(GPtrArray *findings)
{
	g_autofree char *path = find_qemu();

	if (!path)
		check_add(findings, CHECK_LESS, "QEMU", "not found in PATH",
			  "install QEMU, 10.0 or newer");
	else if (!check_may_run(path))
		check_add(
			findings, CHECK_LESS, path,
			"not run: a user other than root can replace it, and --check runs as root",
			"run --check as the user who runs QEMU");
	else
		ask_all(findings, path);
}

/* Returns the value of "key": "value", freed with g_free(), or NULL. */
static char *find_string(const char *json, const char *key)
{
	g_autofree char *pattern = g_strdup_printf("\"%s\"\\s*:\\s*\"([^\"]*)\"", key);
	g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;

	return g_regex_match(regex, json, 0, &match) ? g_match_info_fetch(match, 1) : NULL;
}

static void add_names(GPtrArray *names, const char *directory)
{
	GDir *dir = g_dir_open(directory, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		if (g_str_has_suffix(name, ".json") &&
		    !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
			g_ptr_array_add(names, g_strdup(name));
	if (dir)
		g_dir_close(dir);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Reads the file @name of the first directory that has it, which is the one that libvirt reads. */
static char *read_json(const char *name, char **ret_path)
{
	static const char *const directories[] = { JSON_DIRECTORIES };

	for (unsigned i = 0; i < G_N_ELEMENTS(directories); i++) {
		char *content = NULL;

		*ret_path = g_build_filename(directories[i], name, NULL);
		if (g_file_get_contents(*ret_path, &content, NULL, NULL))
			return content;
		g_clear_pointer(ret_path, g_free);
	}
	return NULL;
}

/* Reads the files as libvirt does: sorted by name. A file in the first directory hides the file of
 * the same name in the second, also if it is empty. */
void check_libvirt(GPtrArray *findings)
{
	static const char *const directories[] = { JSON_DIRECTORIES };
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	for (unsigned i = 0; i < G_N_ELEMENTS(directories); i++)
		add_names(names, directories[i]);
	g_ptr_array_sort(names, compare_names);
	for (unsigned i = 0; i < names->len; i++) {
		g_autofree char *path = NULL;
		g_autofree char *json = read_json(g_ptr_array_index(names, i), &path);
		g_autofree char *type = json ? find_string(json, "type") : NULL;
		g_autofree char *binary = json ? find_string(json, "binary") : NULL;

		if (g_strcmp0(type, "gpu") != 0 || !binary)
			continue;
		g_autofree char *text = g_strdup_printf(
			"would start %s first, to ask for its capabilities (described in %s)",
			binary, path);
		bool is_ours = g_str_has_suffix(binary, "/vhost-device-gpu");

		check_add(findings, CHECK_INFO, "libvirt", text,
			  is_ours ? NULL
				  : "install this daemon's 40-vhost-device-gpu.json, which sorts "
				    "before it");
		return;
	}
	check_add(findings, CHECK_INFO, "libvirt",
		  "no file in /usr/share/qemu/vhost-user describes a GPU",
		  "install this daemon with --prefix=/usr");
}
