// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "painted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static bool is_painted(const struct vmm *vmm)
{
	char path[64], line[512];
	bool is_there = false;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)vmm->daemon.pid);
	FILE *maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		is_there |= strstr(line, "paint_malloc") != NULL;
	fclose(maps);
	return is_there;
}

struct vmm *painted_boot(void **state)
{
	struct vmm_options options = { .args = gpu3d_args };
	const char *module = getenv("VMM_PAINT_MALLOC");

	assert_non_null(module);
	setenv("LD_PRELOAD", module, 1);
	struct vmm *vmm = fixture_boot(state, &options);
	unsetenv("LD_PRELOAD");
	assert_true(is_painted(vmm));
	return vmm;
}

struct room room_new(struct vmm *vmm)
{
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, ROOM, 4096);

	return (struct room){ gpa, memory_at(&vmm->memory, gpa, ROOM) };
}

void room_attach(struct vmm *vmm, uint32_t id, const struct room *room, unsigned pieces)
{
	struct virtio_gpu_mem_entry entries[] = { { room->gpa, 4096, 0 },
						  { room->gpa + 8192, ROOM - 8192, 0 } };

	if (pieces == 1)
		entries[0].length = ROOM;
	assert_ok(gpu_attach(vmm, id, entries, pieces));
}

bool room_holds(const struct room *room, uint32_t from, uint32_t to, uint8_t byte)
{
	for (uint32_t i = from; i < to; i++)
		if (room->bytes[i] != byte)
			return false;
	return true;
}

/* One byte may have the value PAINT by accident. Two adjacent ones are unwritten memory. */
unsigned room_count_paint(const struct room *room)
{
	unsigned n = 0;

	for (uint32_t i = 0; i + 1 < ROOM; i += 2)
		n += room->bytes[i] == PAINT && room->bytes[i + 1] == PAINT;
	return n;
}

create_3d_t painted_buffer(uint32_t format, uint32_t size)
{
	create_3d_t args = gpu_texture(1, size, 1);

	args.target = TARGET_BUFFER;
	args.format = format;
	args.bind = BIND_VERTEX_BUFFER;
	return args;
}

create_3d_t painted_texture(uint32_t target, uint32_t format, uint32_t samples)
{
	create_3d_t args = gpu_texture(1, SIDE, SIDE);
	bool is_depth =
		(format >= 16 && format <= 23) || format == 126 || (format >= 136 && format <= 138);

	args.target = target;
	args.format = format;
	args.bind = BIND_SAMPLER_VIEW | (is_depth ? BIND_DEPTH : 0);
	args.nr_samples = samples;
	if (target == 1 || target == TARGET_1D_ARRAY)
		args.height = 1;
	if (target == TARGET_TEXTURE_3D)
		args.depth = 4;
	if (target >= TARGET_1D_ARRAY)
		args.array_size = 12;
	if (target == TARGET_CUBE)
		args.array_size = 6;
	return args;
}
