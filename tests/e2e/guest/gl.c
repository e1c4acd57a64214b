// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * gl CARD SEED: draws one picture by OpenGL ES, shows it on the first connected output in its
 * preferred mode, prints "shown WxH by RENDERER" and waits until it is killed.
 *
 * The picture shows every way in which it can be wrong. Cells of 32 by 32 pixels are cleared, each
 * to a colour that depends on its place and the seed. Clears are exact on every driver, so each
 * pixel has one right value, and a picture that is upside down, shifted, with red and blue swapped
 * or of an older seed has wrong pixels. One white triangle, point up, is then drawn over the cells
 * in the middle, by shaders from a buffer of vertices.
 */
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES2/gl2.h>
#include <gbm.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CELL 32

static const char vertex_source[] =
	"attribute vec2 place; void main() { gl_Position = vec4(place, 0.0, 1.0); }";
static const char fragment_source[] = "void main() { gl_FragColor = vec4(1.0); }";
static const GLfloat triangle[] = { -0.5F, -0.5F, 0.5F, -0.5F, 0.0F, 0.5F };

static void die(const char *what)
{
	printf("gl: no %s\n", what);
	exit(1);
}

static void compile(GLuint program, GLenum type, const char *source)
{
	GLuint shader = glCreateShader(type);
	GLint is_good = 0;

	glShaderSource(shader, 1, &source, NULL);
	glCompileShader(shader);
	glGetShaderiv(shader, GL_COMPILE_STATUS, &is_good);
	if (!is_good)
		die("shader");
	glAttachShader(program, shader);
}

static void draw_cells(int width, int height, unsigned int seed)
{
	glEnable(GL_SCISSOR_TEST);
	for (int y = 0; y < height; y += CELL)
		for (int x = 0; x < width; x += CELL) {
			unsigned int column = x / CELL, row = y / CELL;

			/* OpenGL counts rows from below, and the last row of cells may be cut. */
			glScissor(x, height - y - CELL, CELL, CELL);
			glClearColor(((column * 6 + seed) & 255) / 255.0F,
				     ((row * 9 + seed * 3) & 255) / 255.0F,
				     ((column * row + seed * 5) & 127) / 255.0F, 1.0F);
			glClear(GL_COLOR_BUFFER_BIT);
		}
	glDisable(GL_SCISSOR_TEST);
}

static void draw_triangle(void)
{
	GLuint program = glCreateProgram(), buffer;
	GLint is_good = 0;

	compile(program, GL_VERTEX_SHADER, vertex_source);
	compile(program, GL_FRAGMENT_SHADER, fragment_source);
	glBindAttribLocation(program, 0, "place");
	glLinkProgram(program);
	glGetProgramiv(program, GL_LINK_STATUS, &is_good);
	if (!is_good)
		die("program");
	glUseProgram(program);
	glGenBuffers(1, &buffer);
	glBindBuffer(GL_ARRAY_BUFFER, buffer);
	glBufferData(GL_ARRAY_BUFFER, sizeof(triangle), triangle, GL_STATIC_DRAW);
	glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, NULL);
	glEnableVertexAttribArray(0);
	glDrawArrays(GL_TRIANGLES, 0, 3);
}

static drmModeConnector *first_connected(int card, const drmModeRes *res)
{
	for (int i = 0; i < res->count_connectors; i++) {
		drmModeConnector *connector = drmModeGetConnector(card, res->connectors[i]);

		if (connector && connector->connection == DRM_MODE_CONNECTED &&
		    connector->count_modes > 0)
			return connector;
		drmModeFreeConnector(connector);
	}
	return NULL;
}

/* Creates a window surface on @surface and a context, makes both current, returns the former. */
static EGLSurface start_egl(EGLDisplay display, struct gbm_surface *surface)
{
	static const EGLint config_wish[] = {
		EGL_SURFACE_TYPE,    EGL_WINDOW_BIT,     EGL_RED_SIZE, 8,
		EGL_RENDERABLE_TYPE, EGL_OPENGL_ES2_BIT, EGL_NONE
	};
	static const EGLint context_wish[] = { EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE };
	EGLConfig configs[64], config = NULL;
	EGLint n = 0, visual;

	if (!eglInitialize(display, NULL, NULL) || !eglBindAPI(EGL_OPENGL_ES_API) ||
	    !eglChooseConfig(display, config_wish, configs, 64, &n))
		die("EGL");
	for (EGLint i = 0; i < n && !config; i++)
		if (eglGetConfigAttrib(display, configs[i], EGL_NATIVE_VISUAL_ID, &visual) &&
		    visual == GBM_FORMAT_XRGB8888)
			config = configs[i];
	if (!config)
		die("EGL configuration for XRGB8888");

	EGLContext context = eglCreateContext(display, config, EGL_NO_CONTEXT, context_wish);
	EGLSurface window =
		eglCreateWindowSurface(display, config, (EGLNativeWindowType)surface, NULL);

	if (!eglMakeCurrent(display, window, window, context))
		die("EGL context");
	return window;
}

static void show(int card, const drmModeRes *res, drmModeConnector *connector, struct gbm_bo *bo)
{
	drmModeModeInfo *mode = &connector->modes[0];
	uint32_t fb;

	if (!bo || drmModeAddFB(card, mode->hdisplay, mode->vdisplay, 24, 32, gbm_bo_get_stride(bo),
				gbm_bo_get_handle(bo).u32, &fb) != 0)
		die("frame buffer");
	if (drmModeSetCrtc(card, res->crtcs[0], fb, 0, 0, &connector->connector_id, 1, mode) != 0)
		die("way to show it");
}

int main(int argc, char **argv)
{
	int card = argc == 3 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
	drmModeRes *res = card < 0 ? NULL : drmModeGetResources(card);
	drmModeConnector *connector = res ? first_connected(card, res) : NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!connector)
		die("output");

	int width = connector->modes[0].hdisplay, height = connector->modes[0].vdisplay;
	struct gbm_device *gbm = gbm_create_device(card);
	struct gbm_surface *surface =
		gbm ? gbm_surface_create(gbm, width, height, GBM_FORMAT_XRGB8888,
					 GBM_BO_USE_SCANOUT | GBM_BO_USE_RENDERING)
		    : NULL;
	if (!surface)
		die("GBM surface");

	EGLDisplay display = eglGetPlatformDisplay(EGL_PLATFORM_GBM_KHR, gbm, NULL);
	EGLSurface window = start_egl(display, surface);

	glViewport(0, 0, width, height);
	draw_cells(width, height, (unsigned int)strtoul(argv[2], NULL, 10));
	draw_triangle();
	eglSwapBuffers(display, window);
	show(card, res, connector, gbm_surface_lock_front_buffer(surface));
	printf("shown %dx%d by %s\n", width, height, (const char *)glGetString(GL_RENDERER));
	for (;;)
		pause();
}
