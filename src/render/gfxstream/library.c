// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The library is opened with dlopen() when it is selected, and not linked: the distributions that
 * we support do not package it, and it loads a C++ runtime and Vulkan, which other renderers do not
 * need. It starts threads and cannot be unloaded, so it stays until the process ends.
 */
#include <dlfcn.h>
#include <glib.h>

#include "render/gfxstream/api_private.h"

#define PREFIX "stream_renderer_"

static const char *const usual_names[] = { "libgfxstream_backend.so.0", "libgfxstream_backend.so" };

static const struct {
	const char *name;
	size_t at; /* in struct gfxstream_library */
} functions[] = {
#define GFXSTREAM_ROW(type, name, parameters)                                                      \
	{ PREFIX #name, offsetof(struct gfxstream_library, name) },
	GFXSTREAM_FUNCTIONS(GFXSTREAM_ROW)
#undef GFXSTREAM_ROW
};

/* Opens the first of @names that can be opened. On failure returns NULL, with the reason for the
 * last name in *@ret_why (freed with g_free()). */
static void *open_any(const char *const *names, unsigned n, char **ret_why)
{
	void *handle = NULL;

	for (unsigned i = 0; i < n && !handle; i++) {
		g_clear_pointer(ret_why, g_free);
		handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		if (!handle)
			*ret_why = g_strdup(dlerror());
	}
	return handle;
}

/* Looks up all functions in @handle. Returns the names of the missing ones, "" if there are none,
 * freed with g_free(). */
static char *find_functions(struct gfxstream_library *library, void *handle)
{
	GString *missing = g_string_new(NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(functions); i++) {
		void *function = dlsym(handle, functions[i].name);

		*(void **)((char *)library + functions[i].at) = function;
		if (!function)
			g_string_append_printf(missing, "%s%s", missing->len > 0 ? ", " : "",
					       functions[i].name);
	}
	return g_string_free(missing, FALSE);
}

char *gfxstream_library_open(struct gfxstream_library *library, const char *path)
{
	g_autofree char *why = NULL;
	void *handle = path ? open_any(&path, 1, &why)
			    : open_any(usual_names, G_N_ELEMENTS(usual_names), &why);

	if (!handle)
		return g_strdup_printf("cannot load gfxstream's library: %s; %s", why,
				       path ? "check --gfxstream-library"
					    : "give its path with --gfxstream-library");
	g_autofree char *missing = find_functions(library, handle);

	if (*missing)
		return g_strdup_printf("%s is not gfxstream's library, or too old: it has no %s",
				       path ? path : "libgfxstream_backend.so", missing);
	return NULL;
}
