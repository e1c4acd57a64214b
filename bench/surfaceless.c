// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * For QEMU's daemon, which starts OpenGL only on a render node and would otherwise exit. Preloaded
 * into it, this lets virglrenderer run without a node, as in our daemon.
 */
#include <dlfcn.h>

#define USE_SURFACELESS (1 << 3)

int virgl_renderer_init(void *cookie, int flags, void *callbacks);

int virgl_renderer_init(void *cookie, int flags, void *callbacks)
{
	int (*real)(void *, int, void *) =
		(int (*)(void *, int, void *))dlsym(RTLD_NEXT, "virgl_renderer_init");

	return real ? real(cookie, flags | USE_SURFACELESS, callbacks) : -1;
}
