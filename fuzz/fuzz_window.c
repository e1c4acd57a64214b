// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The maps in the front-end's window (vhost/shmem.c). Owners map, unmap and are freed at any time.
 * The front-end replies at once, late, in pieces, with a refusal, never or with any bytes, stops
 * the rings, resets the guest, hangs up and connects again. Each owner is called back once for each
 * request. When a map is reported, the owner's own file is in place at the front-end; nothing is
 * mapped over it; nothing is mapped or unmapped while the rings are stopped. When a front-end that
 * kept to the protocol has replied to everything, no owner waits, and the front-end has exactly our
 * maps. No descriptor leaks.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/loop.h"
#include "fuzz.h"
#include "input.h"
#include "vhost/shmem_private.h"
#include "window_front_end.h"

#define PAGE      4096u
#define N_PAGES   16u
#define N_OWNERS  8u
#define FILE_SIZE (N_PAGES * PAGE)
#define MAX_STEPS 128

enum owner_state { OWNER_IDLE, OWNER_MAPS, OWNER_MAPPED, OWNER_UNMAPS };

struct owner {
	struct vhost_mapping mapping;
	enum owner_state state;
	int fd;
	ino_t inode;
};

static struct {
	struct loop loop;
	struct shmem shmem;
	struct window_front_end front_end;
	struct owner owners[N_OWNERS];
	bool has_dropped; /* the front-end has reset the guest; we do not know yet */
	bool has_lost;    /* a channel ended: parts without an owner may be left */
	bool is_ticking;  /* requests may time out: answered maps then count as in place */
	bool is_ready;
} scene;

static bool is_in_place(const struct owner *owner)
{
	return window_front_end_has(&scene.front_end, owner->mapping.offset, owner->mapping.size,
				    owner->inode);
}

static void on_told(struct vhost_mapping *mapping, int error)
{
	struct owner *owner = container_of(mapping, struct owner, mapping);
	bool is_mapped = owner->state == OWNER_MAPS && error == 0;

	CHECK(owner->state == OWNER_MAPS || owner->state == OWNER_UNMAPS);
	CHECK(error == 0 || error == -EINVAL || error == -ETIMEDOUT || error == -ENOTCONN);
	CHECK(is_mapped == (mapping->part != NULL));
	owner->state = is_mapped ? OWNER_MAPPED : OWNER_IDLE;
	if (is_mapped && !scene.front_end.is_liar && !scene.has_dropped && !scene.is_ticking &&
	    scene.shmem.has_barriers)
		CHECK(is_in_place(owner));
}

static void on_failed(void *data, int error, const char *problem)
{
	CHECK(data == &scene && error == -EPROTO && problem);
	CHECK(scene.front_end.is_liar);
}

static void turn(void)
{
	CHECK(loop_turn(&scene.loop, 0) == 0);
}

/* ---- owners ---- */

static void map(struct owner *owner, struct input *in)
{
	uint8_t where = input_u8(in);

	if (owner->state != OWNER_IDLE)
		return;
	owner->mapping = (struct vhost_mapping){
		.fn = on_told,
		.offset = (where & 15) * PAGE,
		.size = (1 + (where >> 4 & 3)) * PAGE,
	};
	if (where & 0x80) {
		owner->mapping.offset += input_number64(in);
		owner->mapping.size += input_number64(in);
	}
	int r = shmem_map(&scene.shmem, &owner->mapping, fcntl(owner->fd, F_DUPFD_CLOEXEC, 0));

	CHECK(r == 0 || !owner->mapping.part);
	if (r == 0)
		owner->state = OWNER_MAPS;
}

static void unmap(struct owner *owner)
{
	if (owner->state != OWNER_MAPPED)
		return;
	owner->state = OWNER_UNMAPS;
	if (shmem_unmap(&scene.shmem, &owner->mapping) < 0) {
		CHECK(!owner->mapping.part);
		owner->state = OWNER_IDLE;
	}
}

static void forget(struct owner *owner)
{
	shmem_forget(&scene.shmem, &owner->mapping);
	CHECK(!owner->mapping.part);
	owner->state = OWNER_IDLE;
}

static void look_for_region(struct owner *owner, struct input *in)
{
	const uint64_t gpa = UINT64_C(0xe0000000), size = owner->mapping.size;
	bool is_known = shmem_owns_file(
		&scene.shmem, owner->fd,
		input_u8(in) & 1 ? input_number64(in) : gpa + owner->mapping.offset, size);

	CHECK(is_known || owner->state == OWNER_IDLE);
	(void)shmem_owns_address(&scene.shmem, input_number64(in), input_number64(in));
}

/* ---- the front-end ---- */

static void connect_channel(void)
{
	scene.has_lost = true;
	CHECK(shmem_connect(&scene.shmem, window_front_end_connect(&scene.front_end)) == 0);
}

static void reset(void)
{
	scene.has_dropped = false;
	shmem_reset(&scene.shmem);
	for (unsigned i = 0; i < N_OWNERS; i++) {
		CHECK(!scene.owners[i].mapping.part);
		scene.owners[i].state = OWNER_IDLE;
	}
}

static void set_running(bool is_running)
{
	if (is_running && scene.has_dropped)
		reset();
	window_front_end_stop(&scene.front_end, !is_running);
	shmem_set_running(&scene.shmem, is_running);
}

static void drop_all(void)
{
	set_running(false);
	window_front_end_drop(&scene.front_end);
	scene.has_dropped = true;
}

static void tick(unsigned n)
{
	scene.is_ticking = true;
	for (unsigned i = 0; i < n; i++)
		shmem_on_tick(&scene.shmem.timer);
	scene.is_ticking = false;
}

static void front_end_step(struct input *in, unsigned op)
{
	switch (op) {
	case 0:
		window_front_end_answer(&scene.front_end, input_u8(in));
		break;
	case 1:
		window_front_end_lie(&scene.front_end, in);
		break;
	case 2:
		scene.has_lost = true;
		window_front_end_hang_up(&scene.front_end);
		break;
	case 3:
		connect_channel();
		break;
	case 4:
		set_running(input_u8(in) & 1);
		break;
	case 5:
		drop_all();
		break;
	case 6:
		tick(1);
		break;
	default: /* as often as a request needs to time out */
		tick(SHMEM_REQUEST_MS / SHMEM_TICK_MS + 1);
	}
}

/* Bits 0 to 2: which owner or property of the front-end; 3 to 5: what happens; 6 and 7: turns of
 * the loop after it. */
static void step(struct input *in)
{
	uint8_t op = input_u8(in);
	struct owner *owner = &scene.owners[op & 7];

	switch (op >> 3 & 7) {
	case 0:
	case 1:
		map(owner, in);
		break;
	case 2:
		unmap(owner);
		break;
	case 3:
		forget(owner);
		break;
	case 4:
		look_for_region(owner, in);
		break;
	case 5:
		front_end_step(in, op & 7);
		break;
	default:
		(void)window_front_end_serve(&scene.front_end, in);
	}
	for (unsigned i = 0; i < op >> 6; i++)
		turn();
}

/* Everything is answered. */
static void settle(void)
{
	struct input none = input_none();

	set_running(true);
	for (unsigned idle = 0; idle < 3; idle++) {
		if (scene.front_end.reply_left > 0 ||
		    window_front_end_serve(&scene.front_end, &none))
			idle = 0;
		window_front_end_answer(&scene.front_end, SIZE_MAX);
		turn();
	}
	scene.front_end.is_last_in_place = true; /* in the end even if no request follows */
}

static void check_settled(void)
{
	unsigned n_mapped = 0;

	if (scene.front_end.is_liar)
		return;
	for (unsigned i = 0; i < N_OWNERS; i++) {
		const struct owner *owner = &scene.owners[i];

		CHECK(owner->state == OWNER_IDLE || owner->state == OWNER_MAPPED);
		n_mapped += owner->state == OWNER_MAPPED;
		CHECK(owner->state == OWNER_IDLE || is_in_place(owner));
	}
	CHECK(scene.front_end.n_maps >= n_mapped);
	if (!scene.has_lost && !scene.front_end.has_kept)
		CHECK(scene.front_end.n_maps == n_mapped && scene.shmem.parts.length == n_mapped);
}

/* ---- inputs ---- */

static void prepare(void)
{
	fuzz_prepare();
	CHECK(loop_init(&scene.loop) == 0);
	for (unsigned i = 0; i < N_OWNERS; i++) {
		struct owner *owner = &scene.owners[i];
		struct stat st;

		owner->fd = memfd_create("blob", MFD_CLOEXEC);
		CHECK(owner->fd >= 0 && ftruncate(owner->fd, FILE_SIZE) == 0);
		CHECK(fstat(owner->fd, &st) == 0);
		owner->inode = st.st_ino;
	}
	scene.is_ready = true;
}

static int next_descriptor(void)
{
	int fd = fcntl(scene.owners[0].fd, F_DUPFD_CLOEXEC, 0), next = fd;

	CHECK(fd >= 0);
	fd_close(&fd);
	return next;
}

static void begin(void)
{
	scene.front_end = (struct window_front_end){
		.fd = -1,
		.size = N_PAGES * PAGE,
		.is_last_in_place = true,
	};
	scene.has_dropped = false;
	CHECK(shmem_init(&scene.shmem, &scene.loop, N_PAGES * PAGE, on_failed, &scene) == 0);
	connect_channel();
	set_running(true);
	scene.has_lost = false;
}

static void end(void)
{
	window_front_end_hang_up(&scene.front_end);
	for (unsigned i = 0; i < N_OWNERS; i++)
		forget(&scene.owners[i]);
	shmem_finish(&scene.shmem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!scene.is_ready)
		prepare();
	int before = next_descriptor();

	begin();
	for (unsigned i = 0; i < MAX_STEPS && !input_is_empty(&in); i++)
		step(&in);
	settle();
	check_settled();
	end();
	CHECK(g_queue_is_empty(&scene.loop.tasks) && next_descriptor() == before);
	return 0;
}
