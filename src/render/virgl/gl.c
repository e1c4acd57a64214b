// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Calls OpenGL directly, because the library does not report OpenGL's errors. The current context
 * is the one that the library used last, until the library is called again.
 *
 * The functions come from the libraries that virgl_egl_find_problem() has loaded. If a function is
 * missing, no errors are reported.
 */
#include <dlfcn.h>
#include <stdio.h>

#include "render/virgl/virgl_private.h"

/* Calls of glGetError() at most. A context holds at most one error of each kind, or several if the
 * driver is distributed. */
#define MAX_ERRORS 64

#define GL_VENDOR   0x1f00
#define GL_RENDERER 0x1f01
#define GL_VERSION  0x1f02

static unsigned (*get_error)(void);
static const char *(*get_string)(unsigned name);
static bool is_gles;

static void *find(const char *name)
{
	void *handle = dlopen(is_gles ? "libGLESv2.so.2" : "libOpenGL.so.0", RTLD_LAZY);

	if (!handle && !is_gles)
		handle = dlopen("libGL.so.1", RTLD_LAZY);
	return handle ? dlsym(handle, name) : NULL;
}

void virgl_gl_init(bool with_gles)
{
	is_gles = with_gles;
	get_error = (unsigned (*)(void))find("glGetError");
	get_string = (const char *(*)(unsigned))find("glGetString");
}

static const char *string(unsigned name)
{
	const char *text = get_string ? get_string(name) : NULL;

	return text ? text : "";
}

const char *virgl_gl_vendor(void)
{
	return string(GL_VENDOR);
}

const char *virgl_gl_renderer(void)
{
	return string(GL_RENDERER);
}

bool virgl_gl_is_at_least(unsigned major, unsigned minor)
{
	const char *format = is_gles ? "OpenGL ES %u.%u" : "%u.%u";
	unsigned its_major, its_minor;

	return sscanf(string(GL_VERSION), format, &its_major, &its_minor) == 2 &&
	       (its_major > major || (its_major == major && its_minor >= minor));
}

bool virgl_gl_can_clear(void)
{
	return !is_gles && virgl_gl_is_at_least(4, 4);
}

bool virgl_gl_had_error(void)
{
	bool had_error = false;

	/* A lost context may report an error in every call, so the number of calls is limited. */
	for (unsigned i = 0; get_error && i < MAX_ERRORS && get_error() != 0; i++)
		had_error = true;
	return had_error;
}
