// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Command streams that crashed virglrenderer, or that would make it run for days. The daemon
 * refuses each, logs it, and continues to draw. The unit tests virgl_streams and virgl_shaders test
 * the single checks.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <string.h>

#define W 40
#define H 24

enum { TARGET = 1, BUFFER, UNKNOWN };

#define HEADER(command, object, n) ((uint32_t)(n) << 16 | (uint32_t)(object) << 8 | (command))

static struct vmm *boot(void **state)
{
	struct vmm_options options = { .args = gpu3d_args };

	return fixture_boot(state, &options);
}

static create_3d_t texture_of(uint32_t id, uint32_t format)
{
	create_3d_t texture = gpu_texture(id, W, H);

	texture.format = format;
	return texture;
}

/* Asserts that @words are refused as invalid, and that the next stream is drawn. */
static void refuse(struct vmm *vmm, const char *what, const uint32_t *words, uint32_t n)
{
	uint32_t type = gpu_stream_raw(vmm, 1, words, n * 4, n * 4);

	if (type != RESP_INVALID_PARAMETER)
		vmm_fail("%s: answered %x", what, type);
	assert_ok(gpu_paint(vmm, 1, TARGET, 0x204060));
}

#define REFUSE(vmm, what, ...)                                                                     \
	refuse(vmm, what, (const uint32_t[]){ __VA_ARGS__ },                                       \
	       sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

static void start(struct vmm *vmm)
{
	create_3d_t buffer = { .resource_id = BUFFER,
			       .format = FORMAT_R8,
			       .bind = BIND_VERTEX_BUFFER,
			       .width = 256,
			       .height = 1,
			       .depth = 1,
			       .array_size = 1 };

	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_ok(gpu_create_3d(vmm, gpu_texture(TARGET, W, H)));
	assert_ok(gpu_create_3d(vmm, buffer));
	assert_ok(gpu_ctx_attach(vmm, 1, TARGET));
	assert_ok(gpu_ctx_attach(vmm, 1, BUFFER));
}

static void streams_that_crashed_the_library_are_refused(void **state)
{
	struct vmm *vmm = boot(state);

	start(vmm);
	REFUSE(vmm, "an image of a format that is none (44 bytes)", HEADER(35, 0, 10), 1, 0,
	       0x3f000000, 3, 0, 0, TARGET, 0, 0, 0);
	REFUSE(vmm, "a view of a format that is none", HEADER(1, 6, 6), 1, TARGET, 0x400013b, 0, 0,
	       0);
	REFUSE(vmm, "a view without levels", HEADER(1, 6, 6), 1, TARGET, 67, 0, 1, 0);
	REFUSE(vmm, "memory information for a resource without a backing", HEADER(50, 0, 1),
	       BUFFER);
	REFUSE(vmm, "a shader's token count", HEADER(1, 4, 7), 1, 1, 8, 0xfffffff8, 0, 0x47415246,
	       0x0000000a);
	assert_response(gpu_create_3d(vmm, texture_of(UNKNOWN, 309)), RESP_INVALID_PARAMETER);
	assert_alive(vmm);
}

static void endless_streams_are_refused(void **state)
{
	struct vmm *vmm = boot(state);

	start(vmm);
	REFUSE(vmm, "2^31 - 1 instances", HEADER(8, 0, 12), 0, 3, 4, 0, 0x7fffffff, 0, 0, 0, 0, 0,
	       0, 0);
	REFUSE(vmm, "2^32 - 1 vertices", HEADER(8, 0, 12), 0, 0xffffffff, 4, 0, 1, 0, 0, 0, 0, 0, 0,
	       0);
	REFUSE(vmm, "a blit of 2^31 - 1 layers", HEADER(16, 0, 21), 15, 0, 0, TARGET, 0, 1, 0, 0, 0,
	       W, H, 0x7fffffff, TARGET, 0, 1, 0, 0, 0, W, H, 0x7fffffff);
	REFUSE(vmm, "a copy of 2^31 - 1 layers", HEADER(17, 0, 13), TARGET, 0, 0, 0, 0, TARGET, 0,
	       0, 0, 0, W, H, 0x7fffffff);
	assert_alive(vmm);
}

static void append_text(struct stream *s, uint32_t type, const char *text)
{
	uint32_t n = (uint32_t)strlen(text) / 4 + 1;
	uint32_t head[] = { HEADER(1, 4, 5 + n), 1, type, (uint32_t)strlen(text) + 1, 300, 0 };

	memcpy(s->words, head, sizeof(head));
	memset(s->words + 6, 0, n * 4);
	memcpy(s->words + 6, text, strlen(text));
	s->count = 6 + n;
}

static void shaders_that_crashed_the_library_are_refused(void **state)
{
	static const struct {
		uint32_t type;
		const char *text;
	} shaders[] = {
		{ 1, "FRAG\nDCL OUT[0], COLOR\nDCL TEMP[0]\n  0: D2I TEMP[0].w, -ADDR[0].xyzw\n  "
		     "1: END\n" },
		{ 1,
		  "FRAG\nDCL OUT[0], COLOR\nDCL TEMP[0]\n  0: F2D CONST[0], TEMP[0]\n  1: END\n" },
		{ 1, "FRAG\nDCL OUT[0], COLOR\nDCL IN[0..4095], GENERIC[0], LINEAR\n  0: END\n" },
		{ 3, "TESS_CTRL\nDCL OUT[][0], POSITION\n  9: ENDPRIM -CONST[1][4096].xyzw\n  1: "
		     "END\n" },
		{ 0,
		  "VERT\nDCL IN[0]\nDCL OUT[0], POSITION\n  0: MOV OUT[0], IMM[-5]\n  1: END\n" },
	};
	struct vmm *vmm = boot(state);
	struct stream s;

	start(vmm);
	for (unsigned i = 0; i < ARRAY_LENGTH(shaders); i++) {
		append_text(&s, shaders[i].type, shaders[i].text);
		refuse(vmm, shaders[i].text, s.words, s.count);
	}
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(streams_that_crashed_the_library_are_refused),
		DEVICE_TEST(endless_streams_are_refused),
		DEVICE_TEST(shaders_that_crashed_the_library_are_refused),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d streams", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
