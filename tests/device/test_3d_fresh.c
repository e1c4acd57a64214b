// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * New resources are empty, after another guest filled as many and disconnected. One line for each
 * kind of resource says how many bytes were not zero, which shows what a driver does. On a machine
 * with a GPU run it with VMM_FRESH_MIB=106, the MiB of each kind. Multisample textures cannot be
 * read back; they are resolved to other textures, which are read.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <stdlib.h>
#include <string.h>

#define FILL  0x5a
#define GUEST 0x11 /* the initial contents of guest memory */

#define TARGET_CUBE     4
#define TARGET_2D_ARRAY 7
#define BIND_DEPTH      (1u << 0)
#define BIND_SHADER     (1u << 14)

#define OP_BLIT     16
#define BLIT_WORDS  21
#define BLIT_COLOUR 0xf

#define CTX     1
#define FIRST   10 /* resources */
#define RESOLVE 1  /* targets to which multisample textures are resolved */
#define MAX_IDS 3000

/* One kind; bytes are those of one resource. */
static const struct kind {
	const char *name;
	uint32_t target, format, bind, width, height, layers, samples, bytes;
} kinds[] = {
	{ "buffers of 4 KiB", TARGET_BUFFER, FORMAT_R8, BIND_VERTEX_BUFFER, 4096, 1, 1, 0, 4096 },
	{ "buffers of 64 KiB", TARGET_BUFFER, FORMAT_R8, BIND_VERTEX_BUFFER, 65536, 1, 1, 0,
	  65536 },
	{ "buffers of 1 MiB", TARGET_BUFFER, FORMAT_R8, BIND_SHADER, 1 << 20, 1, 1, 0, 1 << 20 },
	{ "buffers of 8 MiB", TARGET_BUFFER, FORMAT_R8, BIND_VERTEX_BUFFER, 8 << 20, 1, 1, 0,
	  8 << 20 },
	{ "textures", 2, BGRA, BIND_RENDER_TARGET, 256, 256, 1, 0, 256 * 256 * 4 },
	{ "small textures", 2, BGRA, BIND_SAMPLER_VIEW, 64, 64, 1, 0, 64 * 64 * 4 },
	{ "large textures", 2, BGRA, BIND_RENDER_TARGET, 1024, 1024, 1, 0, 1024 * 1024 * 4 },
	{ "textures of bytes", 2, FORMAT_R8, BIND_SAMPLER_VIEW, 512, 512, 1, 0, 512 * 512 },
	{ "textures of floats", 2, FORMAT_RGBA32_FLOAT, BIND_SAMPLER_VIEW, 256, 256, 1, 0,
	  256 * 256 * 16 },
	{ "compressed textures", 2, 107, BIND_SAMPLER_VIEW, 512, 512, 1, 0, 512 * 512 },
	{ "depth textures", 2, 18, BIND_DEPTH, 256, 256, 1, 0, 256 * 256 * 4 },
	{ "3D textures", 3, BGRA, BIND_SAMPLER_VIEW, 64, 64, 16, 0, 64 * 64 * 16 * 4 },
	{ "cubes", TARGET_CUBE, BGRA, BIND_SAMPLER_VIEW, 128, 128, 6, 0, 128 * 128 * 6 * 4 },
	{ "arrays", TARGET_2D_ARRAY, BGRA, BIND_SAMPLER_VIEW, 128, 128, 8, 0, 128 * 128 * 8 * 4 },
	{ "textures with samples", 2, BGRA, BIND_RENDER_TARGET, 256, 256, 1, 4, 256 * 256 * 4 },
};

static struct room {
	uint64_t gpa;
	uint8_t *bytes;
} room;

static create_3d_t args_of(const struct kind *kind, uint32_t id)
{
	create_3d_t args = gpu_texture(id, kind->width, kind->height);

	args.target = kind->target;
	args.format = kind->format;
	args.bind = kind->bind;
	args.nr_samples = kind->samples;
	if (kind->target == TARGET_TEXTURE_3D)
		args.depth = kind->layers;
	else
		args.array_size = kind->layers;
	return args;
}

static unsigned count_of(const struct kind *kind)
{
	const char *mib = getenv("VMM_FRESH_MIB");
	uint64_t bytes = (mib ? strtoull(mib, NULL, 10) : 4) << 20;
	uint64_t n = bytes / kind->bytes;

	return n == 0 ? 1 : n < MAX_IDS ? (unsigned)n : MAX_IDS;
}

/* Frees the guest memory that was allocated since @mark (for backing lists and streams), so that it
 * is enough for any number of resources. */
static void forget(struct vmm *vmm, uint64_t mark)
{
	vmm->memory.regions[MEMORY_MAIN].allocated = mark;
}

static bool make(struct vmm *vmm, const struct kind *kind, uint32_t id)
{
	struct virtio_gpu_mem_entry entry = { room.gpa, kind->bytes, 0 };

	if (gpu_create_3d(vmm, args_of(kind, id)) != RESP_OK)
		return false;
	assert_ok(gpu_attach(vmm, id, &entry, 1));
	return true;
}

/* One layer at a time, because not every version of the library accepts more. */
static void fill(struct vmm *vmm, const struct kind *kind, uint32_t id)
{
	uint32_t size = kind->bytes / kind->layers;

	if (kind->samples > 0) {
		assert_ok(gpu_ctx_attach(vmm, CTX, id));
		assert_ok(gpu_paint(vmm, CTX, id, 0x5a5a5a));
		return;
	}
	memset(room.bytes, FILL, kind->bytes);
	for (uint32_t z = 0; z < kind->layers; z++)
		assert_ok(gpu_to_host_3d(
			vmm, (transfer_3d_t){ .resource_id = id,
					      .offset = (uint64_t)z * size,
					      .box = { 0, 0, z, kind->width, kind->height, 1 } }));
}

static void resolve(struct vmm *vmm, const struct kind *kind, uint32_t id)
{
	static struct stream s;
	const uint32_t blit[BLIT_WORDS + 1] = {
		BLIT_WORDS << 16 | OP_BLIT,
		BLIT_COLOUR,
		0,
		0,
		RESOLVE,
		0,
		BGRA,
		0,
		0,
		0,
		kind->width,
		kind->height,
		1,
		id,
		0,
		BGRA,
		0,
		0,
		0,
		kind->width,
		kind->height,
		1,
	};

	assert_ok(gpu_ctx_attach(vmm, CTX, id));
	memcpy(s.words, blit, sizeof(blit));
	s.count = BLIT_WORDS + 1;
	assert_ok(gpu_stream(vmm, CTX, &s));
}

static void read_back(struct vmm *vmm, const struct kind *kind, uint32_t id)
{
	uint32_t size = kind->bytes / kind->layers;

	for (uint32_t z = 0; z < kind->layers; z++)
		assert_ok(gpu_from_host_3d(
			vmm, (transfer_3d_t){ .resource_id = id,
					      .offset = (uint64_t)z * size,
					      .box = { 0, 0, z, kind->width, kind->height, 1 } }));
}

/* Counts bytes that are not zero, and bytes that were not read back. */
static unsigned count_leftovers(struct vmm *vmm, const struct kind *kind, uint32_t id)
{
	unsigned n = 0;

	memset(room.bytes, GUEST, kind->bytes);
	if (kind->samples > 0)
		resolve(vmm, kind, id);
	read_back(vmm, kind, kind->samples > 0 ? RESOLVE : id);
	for (uint32_t i = 0; i < kind->bytes; i++)
		n += room.bytes[i] != 0;
	return n;
}

static void prepare(struct vmm *vmm)
{
	struct kind target = kinds[4];

	assert_int_equal(target.width, 256); /* of multisample textures */
	assert_ok(gpu_ctx_create(vmm, CTX, 0));
	assert_true(make(vmm, &target, RESOLVE));
	assert_ok(gpu_ctx_attach(vmm, CTX, RESOLVE));
}

/* All of a kind at once, because memory that was freed is what the next ones get. */
static bool fill_all(struct vmm *vmm, const struct kind *kind, uint64_t mark)
{
	unsigned n = count_of(kind);

	for (unsigned i = 0; i < n; i++, forget(vmm, mark)) {
		if (!make(vmm, kind, FIRST + i))
			return false;
		fill(vmm, kind, FIRST + i);
	}
	for (unsigned i = 0; i < n; i++)
		assert_ok(gpu_unref(vmm, FIRST + i));
	forget(vmm, mark);
	return true;
}

static uint64_t look_at_all(struct vmm *vmm, const struct kind *kind, uint64_t mark)
{
	uint64_t leftovers = 0;
	unsigned n = count_of(kind);

	for (unsigned i = 0; i < n; i++, forget(vmm, mark)) {
		assert_true(make(vmm, kind, FIRST + i));
		leftovers += count_leftovers(vmm, kind, FIRST + i);
	}
	for (unsigned i = 0; i < n; i++)
		assert_ok(gpu_unref(vmm, FIRST + i));
	return leftovers;
}

static void next_guest(struct vmm *vmm)
{
	vmm_disconnect(vmm);
	ring_clear(&vmm->rings[CONTROL]);
	ring_clear(&vmm->rings[CURSOR]);
	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
}

static void a_new_guest_finds_zeros_in_new_resources(void **state)
{
	struct vmm_options options = { .args = gpu3d_args };
	struct vmm *vmm = fixture_boot(state, &options);
	bool is_made[ARRAY_LENGTH(kinds)];
	uint64_t all = 0;

	room.gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, 8 << 20, 4096);
	room.bytes = memory_at(&vmm->memory, room.gpa, 8 << 20);
	prepare(vmm);
	uint64_t mark = vmm->memory.regions[MEMORY_MAIN].allocated;
	for (unsigned i = 0; i < ARRAY_LENGTH(kinds); i++)
		is_made[i] = fill_all(vmm, &kinds[i], mark);
	next_guest(vmm);
	prepare(vmm);
	for (unsigned i = 0; i < ARRAY_LENGTH(kinds); i++) {
		uint64_t n = is_made[i] ? look_at_all(vmm, &kinds[i], mark) : 0;

		print_message("%s: %llu of %llu bytes are not zero%s\n", kinds[i].name,
			      (unsigned long long)n,
			      (unsigned long long)count_of(&kinds[i]) * kinds[i].bytes,
			      is_made[i] ? "" : ": there are none");
		all += n;
	}
	assert_int_equal(all, 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(a_new_guest_finds_zeros_in_new_resources),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d fresh", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
