// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "memory3d.h"

#include <string.h>

#define MAX_HOSTMEM "16M"
#define LIMIT_KIB   ((64 + 20) * 1024L)

static const char *const args[] = { "--gpu-mode", "virglrenderer", "--max-hostmem", MAX_HOSTMEM,
				    NULL };

struct guest g;

void guest_watch(void)
{
	long now = daemon_rss_kib(&g.vmm->daemon);

	if (now > g.most)
		g.most = now;
	if (now - g.start > LIMIT_KIB)
		vmm_fail("the daemon grew from %ld to %ld KiB", g.start, now);
}

void guest_start(void **state)
{
	struct vmm_options options = { .args = args };

	g = (struct guest){ .vmm = fixture_boot(state, &options) };
	if (daemon_has_sanitizer(&g.vmm->daemon))
		skip(); /* a sanitizer's memory is several times the daemon's */
	g.start = daemon_rss_kib(&g.vmm->daemon);
}

void guest_say(const char *what)
{
	guest_watch();
	print_message("%s: %ld KiB at the start, at most %ld more\n", what, g.start,
		      g.most - g.start);
}

void guest_add(uint32_t op, uint32_t object, const uint32_t *words, uint32_t n)
{
	g.s.words[g.s.count++] = n << 16 | object << 8 | op;
	memcpy(g.s.words + g.s.count, words, n * sizeof(*words));
	g.s.count += n;
}

void guest_add_shader(uint32_t handle, uint32_t type, const char *text)
{
	uint32_t words[1024] = { handle, type, (uint32_t)strlen(text) + 1, 300 };

	memcpy(words + 5, text, strlen(text));
	guest_add(CREATE_OBJECT, SHADER, words, 5 + (words[2] + 3) / 4);
}

uint32_t guest_submit(uint32_t ctx)
{
	uint32_t type = gpu_stream(g.vmm, ctx, &g.s);

	g.s.count = 0;
	guest_watch();
	return type;
}

void guest_make_context(uint32_t ctx)
{
	create_3d_t buffer = { .resource_id = BUFFER,
			       .format = FORMAT_R8,
			       .bind = BIND_VERTEX_BUFFER,
			       .width = 256,
			       .height = 1,
			       .depth = 1,
			       .array_size = 1 };

	assert_ok(gpu_ctx_create(g.vmm, ctx, 0));
	assert_ok(gpu_create_3d(g.vmm, gpu_texture(TARGET, 64, 64)));
	assert_ok(gpu_create_3d(g.vmm, buffer));
	assert_ok(gpu_ctx_attach(g.vmm, ctx, TARGET));
	assert_ok(gpu_ctx_attach(g.vmm, ctx, BUFFER));
}

uint32_t guest_add_elements(void)
{
	for (unsigned i = 0; i < 400; i++)
		ADD(CREATE_OBJECT, ELEMENTS, ++g.handle, 0, 0, 0, 31);
	return guest_submit(1);
}

uint32_t guest_add_resources(void)
{
	for (unsigned i = 0; i < 100; i++)
		ADD(PIPE_RESOURCE_CREATE, 0, 2, 1, 10, 256, 256, 1, 1, 0, 0, 0, i + 1);
	return guest_submit(1);
}
