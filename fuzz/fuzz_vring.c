// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A split ring over the memory of a guest that writes whatever it likes into it: descriptors,
 * indirect tables, both indices, also between the pop of a chain and its reload or push. Regions of
 * memory are removed and added again meanwhile. What must hold after each step:
 *
 * - a chain that comes out lies byte for byte in memory that is mapped now (the first and last byte
 *   of each piece are read, and the last is written where it may be), its sizes are the sums of its
 *   pieces;
 * - no more is in flight than the ring has descriptors;
 * - a ring that is stopped or broken hands nothing out and changes nothing in memory.
 *
 * An input begins with how the ring is set up; then each byte is an operation, with its numbers
 * behind it.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"
#include "input.h"
#include "vhost/memory.h"
#include "vhost/ring_layout.h"
#include "vhost/vhost_user.h"
#include "vhost/vring.h"

#define N_REGIONS  3
#define FILE_SIZE  0xd000u
#define DESC_AT    0x0000u
#define AVAIL_AT   0x4000u
#define USED_AT    0x5000u
#define TABLES_AT  0x7100u /* indirect tables */
#define MAX_STEPS  96
#define MAX_FLIGHT 2048

static const struct vhost_user_memory_region specs[N_REGIONS] = {
	{ 0x1000, 0x8000, UINT64_C(0x7f0000000000), 0 },
	{ 0x9000, 0x4000, UINT64_C(0x7f1000000000), 0x8000 }, /* after the first, for the guest */
	{ UINT64_MAX - 0xfff, 0x1000, UINT64_C(0x7f2000000000), 0xc000 },
};

struct scene {
	struct guest_memory memory; /* kept from input to input, for speed */
	bool is_there[N_REGIONS];
	struct vring vring;
	uint16_t flight[MAX_FLIGHT]; /* heads that were popped and not pushed */
	unsigned n_flight;
	uint8_t sink;
};

static struct scene scene;
static int file = -1, call_fd = -1;
static uint8_t *bytes; /* the whole file, as the fuzzer maps it */

/* Whether it is in one region that is mapped now. */
static bool is_guest(const uint8_t *at, size_t size)
{
	for (unsigned i = 0; i < N_REGIONS; i++) {
		const uint8_t *first = guest_memory_at(&scene.memory, specs[i].gpa, specs[i].size);

		CHECK(!first == !scene.is_there[i]);
		if (first && at >= first && at < first + specs[i].size &&
		    size <= specs[i].size - (size_t)(at - first))
			return true;
	}
	return false;
}

static size_t check_pieces(const struct iovec *iov, int n, bool is_writable)
{
	size_t size = 0;

	for (int i = 0; i < n; i++) {
		uint8_t *at = iov[i].iov_base;

		CHECK(iov[i].iov_len > 0 && is_guest(at, iov[i].iov_len));
		scene.sink ^= at[0] ^ at[iov[i].iov_len - 1];
		if (is_writable)
			at[iov[i].iov_len - 1] ^= scene.sink;
		size += iov[i].iov_len;
	}
	return size;
}

static void check_chain(const struct vring_chain *chain)
{
	CHECK(chain->head < scene.vring.size);
	CHECK(chain->n_out >= 0 && chain->n_in >= 0);
	CHECK(chain->n_out + chain->n_in <= VRING_MAX_IOV);
	CHECK(check_pieces(chain->out, chain->n_out, false) == chain->out_size);
	CHECK(check_pieces(chain->in, chain->n_in, true) == chain->in_size);
}

static void check_ring(void)
{
	const struct vring *vring = &scene.vring;

	if (!vring->is_running || vring->is_broken)
		return;
	CHECK((uint16_t)(vring->last_avail - vring->next_used) <= vring->size);
	CHECK(vring->desc && vring->avail && vring->used);
}

static void put16(uint32_t at, uint16_t value)
{
	if (at <= FILE_SIZE - sizeof(value))
		memcpy(bytes + at, &value, sizeof(value));
}

static uint16_t get16(uint32_t at)
{
	uint16_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return value;
}

/* An address, mostly of mapped memory. */
static uint64_t take_address(struct input *in)
{
	static const uint64_t bases[8] = {
		0x1000,
		0x9000,
		0xcff0,
		0x8ff0,
		UINT64_MAX - 0xfff,
		UINT64_MAX - 0xf,
		0x1000 + TABLES_AT,
		0,
	};
	uint64_t base = bases[input_below(in, 8)];

	return base + input_number64(in);
}

static void put_descriptor(struct input *in, uint32_t table, unsigned i)
{
	struct vring_desc d = {
		.addr = take_address(in),
		.len = input_number(in),
		.flags = input_u8(in) & 7,
		.next = (uint16_t)input_number(in),
	};
	uint32_t at = table + i * (uint32_t)sizeof(d);

	if (at <= FILE_SIZE - sizeof(d))
		memcpy(bytes + at, &d, sizeof(d));
}

static uint32_t avail_slot(uint16_t i)
{
	uint16_t size = scene.vring.size ? scene.vring.size : 1;

	return AVAIL_AT + 4 + 2u * (i % size);
}

static void publish(uint16_t head)
{
	uint16_t index = get16(AVAIL_AT + 2);

	put16(avail_slot(index), head);
	put16(AVAIL_AT + 2, (uint16_t)(index + 1));
}

/* A chain of valid descriptors, in the ring or in an indirect table. */
static void put_chain(struct input *in)
{
	uint8_t shape = input_u8(in);
	unsigned head = input_below(in, 64);
	unsigned n = 1 + (shape & 7), n_out = shape >> 3 & 7;
	bool is_indirect = shape & 0x40;
	uint32_t table = is_indirect ? TABLES_AT + (head % 4) * 0x200 : DESC_AT;
	unsigned first = is_indirect ? 0 : head;

	for (unsigned i = 0; i < n; i++) {
		struct vring_desc d = {
			.addr = take_address(in),
			.len = input_number(in),
			.flags = (uint16_t)((i < n_out ? 0 : VRING_DESC_F_WRITE) |
					    (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
			.next = (uint16_t)(first + i + 1),
		};

		memcpy(bytes + table + (first + i) * sizeof(d), &d, sizeof(d));
	}
	if (is_indirect) {
		struct vring_desc d = { 0x1000 + table, (uint32_t)(n * sizeof(d)),
					VRING_DESC_F_INDIRECT, 0 };

		memcpy(bytes + DESC_AT + head * sizeof(d), &d, sizeof(d));
	}
	publish((uint16_t)head);
}

static void pop(void)
{
	bool was_usable = scene.vring.is_running && !scene.vring.is_broken;
	uint16_t used = scene.vring.next_used;
	struct vring_chain chain;
	bool is_there = vring_pop(&scene.vring, &chain);

	CHECK((uint16_t)(scene.vring.next_used - used) <= VRING_MAX_SKIPPED);
	if (!is_there)
		return;
	CHECK(was_usable);
	check_chain(&chain);
	if (scene.n_flight < MAX_FLIGHT)
		scene.flight[scene.n_flight++] = chain.head;
}

static void push(struct input *in)
{
	unsigned i = input_u8(in);
	uint32_t written = input_number(in);

	if (scene.n_flight == 0 || !scene.vring.is_running)
		return;
	i %= scene.n_flight;
	uint16_t used = scene.vring.next_used;

	vring_push(&scene.vring, scene.flight[i], written);
	CHECK(scene.vring.is_broken || scene.vring.next_used == (uint16_t)(used + 1));
	scene.flight[i] = scene.flight[--scene.n_flight];
}

static void reload(struct input *in)
{
	struct vring_chain chain;
	unsigned i = input_u8(in);
	uint16_t head = scene.n_flight ? scene.flight[i % scene.n_flight] : (uint16_t)i;

	if (vring_reload(&scene.vring, head, &chain))
		check_chain(&chain);
}

static void toggle_region(unsigned i)
{
	int r = scene.is_there[i] ? guest_memory_remove(&scene.memory, &specs[i])
				  : guest_memory_add(&scene.memory, &specs[i], file);

	CHECK(r == 0);
	scene.is_there[i] = !scene.is_there[i];
}

static void start_or_stop(void)
{
	if (scene.vring.is_running) {
		vring_stop(&scene.vring);
		return;
	}
	int r = vring_start(&scene.vring);
	CHECK((r == 0) == scene.vring.is_running && (r == 0) == !scene.vring.is_broken);
	/* Chains that the guest's used index reports as done are done. */
	uint16_t in_flight = (uint16_t)(scene.vring.last_avail - scene.vring.next_used);

	if (r == 0 && scene.n_flight > in_flight)
		scene.n_flight = in_flight;
}

static void write_raw(struct input *in)
{
	const uint8_t *raw;
	uint32_t at = input_u16(in) % FILE_SIZE;
	uint32_t room = FILE_SIZE - at;
	uint32_t want = input_u8(in);
	size_t n = input_take(in, want < room ? want : room, &raw);

	if (n > 0)
		memcpy(bytes + at, raw, n);
}

static void step(struct input *in)
{
	struct vring *vring = &scene.vring;

	switch (input_u8(in) & 15) {
	case 0:
		put_chain(in);
		break;
	case 1:
	case 2:
		pop();
		break;
	case 3:
		push(in);
		break;
	case 4:
		vring_notify(vring);
		break;
	case 5:
		vring_disable_kicks(vring);
		break;
	case 6:
		if (vring_enable_kicks(vring))
			CHECK(vring->is_running && !vring->is_broken);
		break;
	case 7:
		put_descriptor(in, DESC_AT, (unsigned)input_number(in) % 1024);
		break;
	case 8:
		put_descriptor(in, TABLES_AT, (unsigned)input_number(in) % 256);
		break;
	case 9:
		publish((uint16_t)input_number(in));
		break;
	case 10:
		put16(AVAIL_AT + 2, input_u16(in));
		break;
	case 11:
		put16(avail_slot(0) + 2u * vring->size, input_u16(in)); /* used_event */
		break;
	case 12:
		reload(in);
		break;
	case 13:
		toggle_region(input_below(in, N_REGIONS));
		break;
	case 14:
		start_or_stop();
		break;
	default:
		write_raw(in);
	}
	check_ring();
}

/* The ring's addresses: valid, unless the input says otherwise. */
static void take_setup(struct input *in)
{
	uint8_t flags = input_u8(in);
	struct vring *vring = &scene.vring;

	vring->size = (uint16_t)(flags & 0x10 ? input_number(in) : 1u << (flags & 15));
	vring->has_event_idx = flags & 0x20;
	vring->last_avail = flags & 0x40 ? input_u16(in) : 0;
	put16(AVAIL_AT + 2, vring->last_avail);
	put16(USED_AT + 2, flags & 0x40 ? input_u16(in) : 0);
	vring->addresses = (struct vring_addresses){
		.desc = specs[0].user_addr + DESC_AT,
		.avail = specs[0].user_addr + AVAIL_AT,
		.used = specs[0].user_addr + USED_AT,
	};
	if (flags & 0x80) {
		vring->addresses.desc += input_number64(in);
		vring->addresses.avail += input_number64(in);
		vring->addresses.used += input_number64(in);
	}
}

static void changed(void *data)
{
	(void)data;
	vring_memory_changed(&scene.vring);
}

static void prepare(void)
{
	const int files[N_REGIONS] = { -1, -1, -1 };
	int fds[N_REGIONS];

	fuzz_prepare();
	file = memfd_create("guest", MFD_CLOEXEC);
	call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(file >= 0 && call_fd >= 0 && ftruncate(file, FILE_SIZE) == 0);
	bytes = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(bytes != MAP_FAILED);
	guest_memory_init(&scene.memory, changed, NULL);
	CHECK(guest_memory_set(&scene.memory, specs, files, 0) == 0);
	for (unsigned i = 0; i < N_REGIONS; i++)
		fds[i] = file;
	CHECK(guest_memory_set(&scene.memory, specs, fds, N_REGIONS) == 0);
	for (unsigned i = 0; i < N_REGIONS; i++)
		scene.is_there[i] = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (file < 0)
		prepare();
	memset(bytes, 0, FILE_SIZE);
	scene.n_flight = 0;
	vring_init(&scene.vring, 0, &scene.memory);
	scene.vring.call_fd = call_fd;
	take_setup(&in);
	start_or_stop();
	for (unsigned i = 0; i < MAX_STEPS && !input_is_empty(&in); i++)
		step(&in);
	scene.vring.call_fd = -1;
	vring_finish(&scene.vring);
	for (unsigned i = 0; i < N_REGIONS; i++)
		if (!scene.is_there[i])
			toggle_region(i);
	return 0;
}
