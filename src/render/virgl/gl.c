// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Calls OpenGL directly, because the library does not report OpenGL's errors, and does not read
 * pixels in the order in which the driver stores them. The current context is the one that the
 * library used last, until the library is called again.
 *
 * The functions come from the libraries that virgl_egl_find_problem() has loaded. If a function is
 * missing, no errors are reported, or no pixels are read.
 */
#include <dlfcn.h>
#include <stdio.h>

#include "base/pixel.h"
#include "render/virgl/virgl_private.h"

/* Calls of glGetError() at most. A context holds at most one error of each kind, or several if the
 * driver is distributed. */
#define MAX_ERRORS 64

#define GL_UNSIGNED_BYTE                    0x1401
#define GL_RGBA                             0x1908
#define GL_VENDOR                           0x1f00
#define GL_RENDERER                         0x1f01
#define GL_VERSION                          0x1f02
#define GL_PACK_ROW_LENGTH                  0x0d02
#define GL_TEXTURE_2D                       0x0de1
#define GL_IMPLEMENTATION_COLOR_READ_TYPE   0x8b9a
#define GL_IMPLEMENTATION_COLOR_READ_FORMAT 0x8b9b
#define GL_READ_FRAMEBUFFER                 0x8ca8
#define GL_READ_FRAMEBUFFER_BINDING         0x8caa
#define GL_COLOR_ATTACHMENT0                0x8ce0

static unsigned (*get_error)(void);
static const char *(*get_string)(unsigned name);
static bool is_gles;

/* Needed by virgl_gl_read_rgba(). */
static void (*get_integer)(unsigned name, int *ret);
static void (*set_packing)(unsigned name, int value);
static void (*make_framebuffers)(int n, unsigned *ret);
static void (*bind_framebuffer)(unsigned target, unsigned framebuffer);
static void (*attach_texture)(unsigned target, unsigned attachment, unsigned texture_target,
			      unsigned texture, int level);
static void (*read_framebuffer)(int x, int y, int width, int height, unsigned format, unsigned type,
				void *data);
static unsigned framebuffer; /* in the library's context 0; 0: not made yet */

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
	get_integer = (void (*)(unsigned, int *))find("glGetIntegerv");
	set_packing = (void (*)(unsigned, int))find("glPixelStorei");
	make_framebuffers = (void (*)(int, unsigned *))find("glGenFramebuffers");
	bind_framebuffer = (void (*)(unsigned, unsigned))find("glBindFramebuffer");
	attach_texture = (void (*)(unsigned, unsigned, unsigned, unsigned, int))find(
		"glFramebufferTexture2D");
	read_framebuffer =
		(void (*)(int, int, int, int, unsigned, unsigned, void *))find("glReadPixels");
	framebuffer = 0;
}

static bool can_read(void)
{
	return get_integer && set_packing && make_framebuffers && bind_framebuffer &&
	       attach_texture && read_framebuffer;
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

/* Whether the driver prefers to read the bound framebuffer as R, G, B, A. */
static bool is_stored_as_rgba(void)
{
	int format = 0, type = 0;

	get_integer(GL_IMPLEMENTATION_COLOR_READ_FORMAT, &format);
	get_integer(GL_IMPLEMENTATION_COLOR_READ_TYPE, &type);
	return format == GL_RGBA && type == GL_UNSIGNED_BYTE;
}

static void read_rows(const struct rect *r, void *data, uint32_t stride)
{
	set_packing(GL_PACK_ROW_LENGTH, (int)(stride / PIXEL_BYTES));
	read_framebuffer((int)r->x, (int)r->y, (int)r->width, (int)r->height, GL_RGBA,
			 GL_UNSIGNED_BYTE, data);
	set_packing(GL_PACK_ROW_LENGTH, 0);
}

/* The texture is detached again: the library may free it, and the framebuffer would keep it. */
bool virgl_gl_read_rgba(uint32_t texture, const struct rect *r, void *data, uint32_t stride)
{
	int bound = 0;

	if (!can_read())
		return false;
	(void)virgl_gl_had_error();
	if (framebuffer == 0)
		make_framebuffers(1, &framebuffer);
	get_integer(GL_READ_FRAMEBUFFER_BINDING, &bound);
	bind_framebuffer(GL_READ_FRAMEBUFFER, framebuffer);
	attach_texture(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, texture, 0);
	bool is_rgba = is_stored_as_rgba();

	if (is_rgba)
		read_rows(r, data, stride);
	attach_texture(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, 0, 0);
	bind_framebuffer(GL_READ_FRAMEBUFFER, (unsigned)bound);
	return !virgl_gl_had_error() && is_rgba;
}
