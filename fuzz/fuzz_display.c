// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The display on the vhost-user-gpu socket, between two models. The device shows pictures, draws,
 * makes requests and cancels them. QEMU reads at any pace, answers right, wrong or not at all,
 * closes the socket and opens a new one.
 *
 * The model of QEMU checks each message that it reads (qemu_display.c). At the end of an input it
 * reads and answers everything. Unless it has broken the protocol, it then has what the device
 * shows: the same sizes, pixels and cursor; and no request is pending.
 *
 * The first byte of an input chooses what QEMU offers, the sizes of the pictures, and whether
 * frames are paced; then each byte is an operation, with its numbers behind it.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/loop.h"
#include "display/display.h"
#include "display/socket.h"
#include "fuzz.h"
#include "input.h"
#include "picture.h"
#include "qemu_display.h"

#define N_SCREENS  3 /* outputs that are used; the last one is the highest possible */
#define N_PICTURES 3
#define N_REQUESTS 8
#define MAX_STEPS  128

static struct {
	struct loop loop;
	struct display *display;
	struct qemu_display qemu;
	struct picture pictures[N_PICTURES];
	struct display_request requests[N_REQUESTS];
	bool is_pending[N_REQUESTS]; /* made, and neither called back nor cancelled */
	int dmabuf;
	bool is_paced; /* frames wait until an input ends their intervals */
} scene;

static const unsigned screen_ids[N_SCREENS] = { 0, 1, DISPLAY_MAX_SCANOUTS - 1 };

static struct socket_display *socket_display(void)
{
	return container_of(scene.display, struct socket_display, base);
}

static void turn(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CHECK(loop_turn(&scene.loop, 0) == 0);
}

static void replied(struct display_request *request, int error, const void *reply)
{
	size_t i = (size_t)(request - scene.requests);

	CHECK(i < N_REQUESTS && !request->display);
	CHECK(error == 0 || error == -ENOTSUP || error == -ETIMEDOUT || error == -ENOTCONN);
	CHECK(error == 0 || !reply);
	CHECK(scene.is_pending[i]);
	scene.is_pending[i] = false;
}

/* A request that is not pending, or NULL. */
static struct display_request *new_request(struct input *in)
{
	struct display_request *request = &scene.requests[input_below(in, N_REQUESTS)];

	if (request->display)
		return NULL;
	*request = (struct display_request){ .fn = replied };
	return request;
}

static unsigned take_screen(struct input *in)
{
	return screen_ids[input_below(in, N_SCREENS)];
}

static struct rect take_rect(struct input *in)
{
	struct rect r;

	r.x = input_number(in);
	r.y = input_number(in);
	r.width = input_number(in);
	r.height = input_number(in);
	return r;
}

static void show_pixels(struct input *in)
{
	unsigned scanout = take_screen(in);
	struct picture *picture = &scene.pictures[input_below(in, N_PICTURES)];
	uint8_t cut = input_u8(in);
	uint32_t width = picture->width - cut % 16, height = picture->height - cut / 16;

	for (unsigned i = 0; i < N_SCREENS && picture->base.sent; i++)
		if (screen_ids[i] != scanout &&
		    socket_display()->scanouts[screen_ids[i]].pixels == &picture->base)
			display_scanout_pixels(scene.display, screen_ids[i], 0, 0, NULL);
	display_scanout_pixels(scene.display, scanout, width, height, &picture->base);
}

static void show_dmabuf(struct input *in)
{
	static const uint64_t modifiers[4] = { 0, UINT64_C(0x00ffffffffffffff), 5, 1 };
	unsigned scanout = take_screen(in);
	struct rect shown = { 0, 0, input_u8(in), input_u8(in) };
	struct dmabuf dmabuf = {
		.fd = scene.dmabuf,
		.width = 256,
		.height = 256,
		.modifier = modifiers[input_below(in, 4)],
		.n_planes = 1,
		.stride = { 1024 },
	};

	display_scanout_dmabuf(scene.display, scanout, &dmabuf, &shown);
}

/* Changes pixels, and reports the damage to every scanout that shows the picture. */
static void draw(struct input *in)
{
	struct picture *picture = &scene.pictures[input_below(in, N_PICTURES)];
	struct rect all = { 0, 0, picture->width, picture->height };
	struct rect wanted = take_rect(in);
	struct rect r = rect_intersect(&wanted, &all);

	for (uint32_t y = 0; y < r.height; y++)
		for (uint32_t x = 0; x < r.width; x++)
			picture->pixels[(size_t)(r.y + y) * picture->width + r.x + x] +=
				0x9e3779b9u;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		if (socket_display()->scanouts[i].pixels == &picture->base)
			display_damage(scene.display, i, &r);
}

static void move_memory(struct input *in)
{
	struct picture *picture = &scene.pictures[input_below(in, N_PICTURES)];

	display_pixels_changed(scene.display, &picture->base);
	picture_move(picture);
}

/* The display must not read a picture that no scanout shows any more. */
static void let_go(void)
{
	for (unsigned i = 0; i < N_PICTURES; i++) {
		struct picture *picture = &scene.pictures[i];
		bool is_shown = false;

		for (unsigned k = 0; k < N_SCREENS; k++)
			is_shown |=
				socket_display()->scanouts[screen_ids[k]].pixels == &picture->base;
		if (picture->is_shown && !is_shown)
			picture_move(picture);
		picture->is_shown = is_shown;
	}
}

static void ask(struct input *in, unsigned kind)
{
	struct display_request *request = new_request(in);
	unsigned scanout = take_screen(in);
	struct rect r = { 0, 0, 1000, 1000 };
	int result;

	if (!request)
		return;
	if (kind == 0)
		result = display_request_info(scene.display, request);
	else if (kind == 1)
		result = display_request_edid(scene.display, request, scanout);
	else
		result = display_flush_dmabuf(scene.display, request, scanout, &r);
	CHECK(result == 0 || result == -ENOTSUP);
	CHECK((result == 0) == (request->display != NULL));
	scene.is_pending[request - scene.requests] = result == 0;
}

static void cancel(struct input *in)
{
	unsigned i = input_below(in, N_REQUESTS);

	display_cancel(&scene.requests[i]);
	CHECK(!scene.requests[i].display);
	scene.is_pending[i] = false;
}

static void set_cursor(struct input *in)
{
	static struct display_cursor cursor;
	unsigned scanout = take_screen(in);

	cursor.x = input_number(in);
	cursor.y = input_number(in);
	cursor.hot_x = cursor.hot_y = cursor.x % DISPLAY_CURSOR_SIZE;
	cursor.pixels[0]++;
	display_cursor_set(scene.display, scanout, &cursor);
}

static void move_cursor(struct input *in)
{
	unsigned scanout = take_screen(in);
	uint32_t x = input_number(in), y = input_number(in);

	display_cursor_move(scene.display, scanout, x, y, input_u8(in) & 1);
}

static void connect_qemu(struct input *in)
{
	static const int buffers[4] = { 0, 0, 4608, 20000 };

	CHECK(display_set_socket(scene.display,
				 qemu_display_connect(&scene.qemu, buffers[input_below(in, 4)])) ==
	      0);
}

/* Time runs out for any of: the requests, the negotiation of features, the dma-buf flushes. */
static void expire(struct input *in)
{
	struct socket_display *sd = socket_display();
	uint8_t what = input_u8(in);

	for (struct display_request *r = sd->requests; r; r = r->next)
		if (what & 1)
			r->deadline = 0;
	if ((what & 2) && sd->protocol_deadline)
		sd->protocol_deadline = 1;
	for (unsigned i = 0; i < sd->flush_order_len; i++)
		if (what & 4)
			sd->scanouts[sd->flush_order[i]].flush_deadline = 0;
	/* For the display, a late reply is a reply without a request. */
	scene.qemu.has_broken_protocol = true;
	CHECK(socket_request_expire(&sd->timer) == 0);
}

/* No damage is forgotten. */
static void check_pace(void)
{
	const struct socket_display *sd = socket_display();

	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		CHECK(sd->scanouts[i].waiting.count == 0 ||
		      (scene.is_paced && (sd->fd < 0 || sd->is_full || sd->pace_timer.is_armed ||
					  ((sd->awake | sd->drawn) >> i & 1))));
}

static void spoil(struct input *in)
{
	struct picture *picture = &scene.pictures[input_below(in, N_PICTURES)];
	uint8_t how = input_u8(in);

	picture->fails = how & 1;
	picture->piece = how & 2 ? 5 + input_below(in, 64) : 0;
}

static void device_step(struct input *in, unsigned op)
{
	struct rect r;
	unsigned scanout;

	switch (op) {
	case 0:
		show_pixels(in);
		break;
	case 1:
		display_scanout_pixels(scene.display, take_screen(in), 0, 0, NULL);
		break;
	case 2:
		show_dmabuf(in);
		break;
	case 3:
		draw(in);
		break;
	case 4:
		scanout = take_screen(in);
		r = take_rect(in);
		display_damage(scene.display, scanout, &r);
		break;
	case 5:
	case 6:
	case 7:
		ask(in, op - 5);
		break;
	case 8:
		cancel(in);
		break;
	case 9:
		set_cursor(in);
		break;
	case 10:
		move_cursor(in);
		break;
	case 11:
		move_memory(in);
		break;
	case 12:
		display_reset(scene.display);
		break;
	default:
		spoil(in);
	}
}

static void qemu_step(struct input *in, unsigned op)
{
	switch (op) {
	case 0:
		qemu_display_read(&scene.qemu, input_number(in));
		break;
	case 1:
		qemu_display_read(&scene.qemu, SIZE_MAX);
		break;
	case 2:
		qemu_display_answer(&scene.qemu, in);
		break;
	case 3:
		while (qemu_display_answer(&scene.qemu, in))
			;
		break;
	case 4:
		qemu_display_send_invalid(&scene.qemu, in);
		break;
	case 5:
		qemu_display_hang_up(&scene.qemu);
		break;
	case 6:
		connect_qemu(in);
		break;
	case 7:
		expire(in);
		break;
	case 8:
		qemu_display_end_intervals(socket_display());
		break;
	default:
		turn(1);
	}
}

static void step(struct input *in)
{
	uint8_t op = input_u8(in);

	if (op & 0x10)
		qemu_step(in, op & 15);
	else
		device_step(in, op & 15);
	let_go();
	if (op & 0x20)
		turn(1);
	if (op & 0x40)
		qemu_display_read(&scene.qemu, SIZE_MAX);
	CHECK(!(socket_display()->fd < 0) || !socket_display()->output.message);
	if (scene.is_paced) /* an answer may have had an EDID */
		qemu_display_stretch_intervals(socket_display());
	check_pace();
}

static void check_screen(const struct socket_scanout *s, const struct qemu_screen *screen)
{
	CHECK(s->kind == SCANOUT_DMABUF || !screen->has_dmabuf);
	CHECK(s->kind == SCANOUT_DMABUF || screen->is_live == (s->kind == SCANOUT_PIXELS));
	if (screen->cursor_is_known) {
		CHECK(screen->cursor_is_visible == s->cursor.is_visible);
		CHECK(!screen->cursor_is_visible || (screen->cursor_x == s->cursor.shape->x &&
						     screen->cursor_y == s->cursor.shape->y));
	} else {
		CHECK(!s->cursor.is_visible);
	}
	if (s->kind != SCANOUT_PIXELS)
		return;
	struct picture *picture = container_of(s->pixels, struct picture, base);

	CHECK(screen->width == s->width && screen->height == s->height);
	for (uint32_t y = 0; !picture->is_dirty && y < s->height; y++)
		CHECK(memcmp(screen->pixels + (size_t)y * s->width,
			     picture->pixels + (size_t)y * picture->width,
			     (size_t)s->width * 4) == 0);
}

/* Lets QEMU read and answer everything, and compares what it has with what is shown. */
static void settle(void)
{
	struct socket_display *sd = socket_display();
	struct input none = input_none();

	for (unsigned i = 0, idle = 0; i < 200 && idle < 3; i++) {
		bool is_idle = !qemu_display_read(&scene.qemu, SIZE_MAX);

		while (qemu_display_answer(&scene.qemu, &none))
			is_idle = false;
		idle = is_idle ? idle + 1 : 0;
		qemu_display_end_intervals(socket_display());
		turn(1);
	}
	if (scene.qemu.has_broken_protocol || sd->fd < 0 || scene.qemu.fd < 0)
		return;
	CHECK(!scene.qemu.is_hung_up && scene.qemu.len == 0 && scene.qemu.n_fds == 0);
	for (const struct display_request *r = sd->requests; r; r = r->next)
		CHECK(!r); /* no request can be pending */
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		check_screen(&sd->scanouts[i], &scene.qemu.screens[i]);
}

static void scene_start(struct input *in)
{
	uint8_t flags = input_u8(in);
	bool is_big = (flags & 0xc0) == 0xc0, is_comparing = (flags & 0xc0) == 0x80;

	scene.qemu.offered = flags & 3;
	scene.is_paced = socket_display()->paces_by_edid = flags >> 3 & 1;
	if (scene.is_paced)
		qemu_display_stretch_intervals(socket_display());
	scene.qemu.n_outputs = 1 + (flags >> 2 & 1) * 15;
	picture_start(&scene.pictures[0], PICTURE_SIDE, PICTURE_SIDE);
	picture_start(&scene.pictures[1], PICTURE_SIDE,
		      is_comparing ? PICTURE_SIDE : PICTURE_SIDE / 2);
	picture_start(&scene.pictures[2], is_big ? PICTURE_WIDE : PICTURE_SIDE,
		      is_big ? PICTURE_TALL : PICTURE_SIDE);
	if (is_big)
		picture_wants_bands(&scene.pictures[2]);
	if (is_comparing)
		picture_wants_comparing(&scene.pictures[1]);
	else
		picture_wants_preparing(&scene.pictures[1]);
	if (!(flags & 0x10))
		connect_qemu(in);
	if (flags & 0x20) { /* the features are negotiated */
		struct input none = input_none();

		turn(1);
		qemu_display_read(&scene.qemu, SIZE_MAX);
		qemu_display_answer(&scene.qemu, &none);
		turn(2);
	}
}

static void scene_end(void)
{
	display_reset(scene.display);
	display_set_socket(scene.display, -1);
	qemu_display_renew(socket_display());
	for (unsigned i = 0; i < N_REQUESTS; i++)
		CHECK(!scene.requests[i].display && !scene.is_pending[i]);
	qemu_display_reset(&scene.qemu);
	CHECK(g_queue_is_empty(&scene.loop.tasks));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (scene.loop.epoll_fd == 0) {
		fuzz_prepare();
		scene.qemu.fd = -1;
		scene.qemu.keeps_pixels = true;
		CHECK(loop_init(&scene.loop) == 0);
		scene.dmabuf = memfd_create("dma-buf", MFD_CLOEXEC);
		scene.display = socket_display_new(&scene.loop, 0);
		CHECK(scene.dmabuf >= 0 && scene.display);
	}
	scene_start(&in);
	for (unsigned i = 0; i < MAX_STEPS && !input_is_empty(&in); i++)
		step(&in);
	settle();
	scene_end();
	return 0;
}
