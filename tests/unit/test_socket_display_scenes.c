// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Random scenes on the socket display, read by a model of QEMU (struct screen) in which everything
 * that makes QEMU crash or leak is an assertion. However slowly it reads, the screen ends with the
 * resources' pixels.
 */
#include "socket_rig.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/container.h"
#include "base/fd.h"

/* QEMU's state of one scanout; the assertions here are those that would end QEMU. */
struct screen {
	uint32_t width, height;
	uint32_t *pixels; /* of the last SCANOUT; NULL: none */
	bool is_used;     /* an UPDATE has shown it */
	bool has_dmabuf;
	uint32_t cursor_x, cursor_y, cursor_pixel;
	bool cursor_is_visible;
};

static inline void screen_message(struct screen *screens, uint32_t request, const uint32_t *words,
				  uint32_t size, bool has_fd)
{
	assert_true(words[0] < DISPLAY_MAX_SCANOUTS);
	struct screen *screen = &screens[words[0]];

	switch (request) {
	case VHOST_USER_GPU_SCANOUT:
		assert_true(!screen->pixels || screen->is_used); /* or it leaks */
		free(screen->pixels);
		screen->width = words[1];
		screen->height = words[2];
		screen->is_used = false;
		screen->pixels =
			words[1] ? calloc((size_t)words[1] * words[2], sizeof(uint32_t)) : NULL;
		break;
	case VHOST_USER_GPU_UPDATE: {
		struct rect r = { words[1], words[2], words[3], words[4] };

		assert_non_null(screen->pixels);
		assert_false(screen->has_dmabuf);
		assert_true(rect_is_within(&r, screen->width, screen->height));
		assert_int_equal(size, 20 + r.width * r.height * 4);
		for (uint32_t y = 0; y < r.height; y++)
			memcpy(screen->pixels + (size_t)(r.y + y) * screen->width + r.x,
			       words + 5 + (size_t)y * r.width, (size_t)r.width * 4);
		screen->is_used = true;
		break;
	}
	case VHOST_USER_GPU_DMABUF_SCANOUT:
	case VHOST_USER_GPU_DMABUF_SCANOUT2:
		assert_int_equal(size, request == VHOST_USER_GPU_DMABUF_SCANOUT ? 40 : 48);
		assert_true(has_fd || screen->has_dmabuf);
		screen->has_dmabuf = has_fd;
		break;
	case VHOST_USER_GPU_CURSOR_UPDATE:
		screen->cursor_pixel = words[5];
		__attribute__((fallthrough));
	case VHOST_USER_GPU_CURSOR_POS:
	case VHOST_USER_GPU_CURSOR_POS_HIDE:
		screen->cursor_x = words[1];
		screen->cursor_y = words[2];
		screen->cursor_is_visible = request != VHOST_USER_GPU_CURSOR_POS_HIDE;
		break;
	default:
		fail();
	}
}

static void a_display_that_stops_reading_gets_only_the_last_frame(void **state)
{
	struct screen screens[DISPLAY_MAX_SCANOUTS] = { 0 };
	struct picture picture;
	static uint32_t words[5 + 640 * 480];
	struct vhost_user_gpu_header header;
	unsigned updates = 0;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 640, 480, 0);
	display_scanout_pixels(socket_rig.display, 0, 640, 480, &picture.base);
	for (uint32_t frame = 1; frame <= 200; frame++) {
		picture_fill(&picture, frame);
		display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 640, 480 });
		display_damage(socket_rig.display, 0, &(struct rect){ frame, frame, 9, 9 });
		socket_rig_turns(1);
	}
	while (!screens[0].pixels || updates < 2 || socket_rig_display()->output.message ||
	       memcmp(screens[0].pixels, picture.pixels, 640 * 480 * 4) != 0) {
		socket_rig_read(&header, sizeof(header));
		assert_true(header.size <= sizeof(words));
		socket_rig_read(words, header.size);
		screen_message(screens, header.request, words, header.size, false);
		updates += header.request == VHOST_USER_GPU_UPDATE;
		assert_true(updates <= 4); /* the first, what was damaged since, and no more */
	}
	socket_rig_turns(3);
	free(screens[0].pixels);
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void a_source_in_tiny_pieces_arrives_whole(void **state)
{
	struct screen screens[DISPLAY_MAX_SCANOUTS] = { 0 };
	struct picture picture;
	static uint32_t words[5 + 3000 * 4];
	struct vhost_user_gpu_header header;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 3000, 4, 1);
	picture.piece_limit = 1;
	display_scanout_pixels(socket_rig.display, 0, 3000, 4, &picture.base);
	while (!screens[0].pixels || memcmp(screens[0].pixels, picture.pixels, 3000 * 4 * 4) != 0) {
		socket_rig_read(&header, sizeof(header));
		socket_rig_read(words, header.size);
		screen_message(screens, header.request, words, header.size, false);
	}
	socket_rig_expect_silence();
	free(screens[0].pixels);
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

/* The largest message of the random scenes. */
#define SCENE_BYTES (20 + 256 * 280 * 4)

/* Reads some messages, as QEMU would, answering flushes. */
static void model_read(struct screen *screens, uint8_t *buffer, size_t *len, size_t max)
{
	size_t size = 12 + SCENE_BYTES, due = 12;
	uint32_t header[3];

	/* Not past this message, so that a descriptor belongs to its message. */
	if (*len >= 12) {
		memcpy(header, buffer, sizeof(header));
		due += header[2];
	}
	ssize_t n = socket_rig_recv(buffer + *len, max < due - *len ? max : due - *len);

	if (n > 0)
		*len += (size_t)n;
	while (*len >= 12) {
		memcpy(header, buffer, 12);
		assert_true(header[2] <= size - 12);
		if (*len < 12 + header[2])
			return;
		if (header[0] == VHOST_USER_GPU_DMABUF_UPDATE) {
			assert_true(screens[((uint32_t *)(void *)buffer)[3]].has_dmabuf);
			socket_rig_reply(header[0], NULL, 0);
		} else {
			screen_message(screens, header[0], (uint32_t *)(void *)(buffer + 12),
				       header[2],
				       header[0] == VHOST_USER_GPU_DMABUF_SCANOUT2 &&
					       socket_rig.last_fd >= 0);
		}
		if (header[0] == VHOST_USER_GPU_DMABUF_SCANOUT2)
			fd_close(&socket_rig.last_fd);
		*len -= 12 + header[2];
		memmove(buffer, buffer + 12 + header[2], *len);
	}
}

static void draw(struct picture *picture, unsigned *seed)
{
	struct rect r = { (uint32_t)rand_r(seed) % 200, (uint32_t)rand_r(seed) % 200, 1, 1 };

	r.width += (uint32_t)rand_r(seed) % (picture->width - r.x);
	r.height += (uint32_t)rand_r(seed) % (picture->height - r.y);
	for (uint32_t y = 0; y < r.height; y++)
		for (uint32_t x = 0; x < r.width; x++)
			picture->pixels[(r.y + y) * picture->stride + r.x + x] += *seed;
	display_damage(socket_rig.display, 0, &r);
	display_damage(socket_rig.display, 1, &r);
}

static void random_step(struct picture *pictures, int fd, unsigned *seed)
{
	struct dmabuf dmabuf = socket_rig_dmabuf(fd, 5);
	unsigned scanout = (unsigned)rand_r(seed) % 2;
	unsigned which = (unsigned)rand_r(seed) % 3;
	uint32_t cut = (uint32_t)rand_r(seed) % 2 * 20;

	switch (rand_r(seed) % 12) {
	case 0:
		display_scanout_pixels(socket_rig.display, scanout, 256 - cut, 280 - cut,
				       &pictures[which].base);
		break;
	case 1:
		display_scanout_pixels(socket_rig.display, scanout, 0, 0, NULL);
		break;
	case 2:
		if (display_shows_dmabufs(socket_rig.display))
			assert_int_equal(display_scanout_dmabuf(socket_rig.display, scanout,
								&dmabuf, &socket_rig_dmabuf_rect),
					 0);
		break;
	case 3:
		display_cursor_move(socket_rig.display, scanout, *seed % 999, 1, *seed % 3 != 0);
		break;
	case 4: { /* new memory, as after ATTACH_BACKING */
		struct picture *p = &pictures[which];
		size_t bytes = (size_t)p->stride * p->height * 4;
		uint32_t *moved = malloc(bytes);

		display_pixels_changed(socket_rig.display, &p->base);
		memcpy(moved, p->pixels, bytes);
		memset(p->pixels, 0xee, bytes);
		free(p->pixels);
		p->pixels = moved;
		break;
	}
	default:
		draw(&pictures[which], seed);
	}
}

static void random_scenes_end_with_the_resources_pixels(void **state)
{
	auto_fd fd = memfd_create("dmabuf", MFD_CLOEXEC);
	uint8_t *buffer = malloc(12 + SCENE_BYTES);
	struct screen screens[DISPLAY_MAX_SCANOUTS] = { 0 };
	struct picture pictures[3];
	unsigned seed = 42;
	size_t len = 0;

	(void)state;
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	for (unsigned i = 0; i < 3; i++)
		picture_init(&pictures[i], 256, 280, i);
	pictures[1].base.ops = &picture_prepared_ops;
	pictures[2].piece_limit = 100;
	for (unsigned step = 0; step < 4000; step++) {
		random_step(pictures, fd, &seed);
		socket_rig_turns((int)(step % 3));
		model_read(screens, buffer, &len, (size_t)rand_r(&seed) % 20000);
	}
	for (unsigned i = 0; i < 2; i++) /* whatever draw() damaged before */
		display_damage(socket_rig.display, i, &(struct rect){ 0, 0, 256, 280 });
	for (unsigned idle = 0; idle < 20; idle++) {
		model_read(screens, buffer, &len, SIZE_MAX);
		socket_rig_turns(1);
		if (len > 0 || socket_rig_display()->output.message)
			idle = 0;
	}
	for (unsigned i = 0; i < 2; i++) {
		const struct socket_scanout *s = &socket_rig_display()->scanouts[i];

		assert_int_equal(screens[i].has_dmabuf, s->kind == SCANOUT_DMABUF);
		if (s->kind != SCANOUT_PIXELS)
			continue;
		struct picture *p = container_of(s->pixels, struct picture, base);
		assert_int_equal(screens[i].width, s->width);
		for (uint32_t y = 0; y < s->height; y++)
			assert_memory_equal(screens[i].pixels + (size_t)y * s->width,
					    p->pixels + (size_t)y * p->stride,
					    (size_t)s->width * 4);
	}
	display_reset(socket_rig.display);
	for (unsigned i = 0; i < 3; i++)
		picture_finish(&pictures[i]);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		free(screens[i].pixels);
	free(buffer);
}

#define SMALL 32 /* pixels a side */

static struct rect small_rect(unsigned i)
{
	return (struct rect){ i % 4 * 200 + i, i / 4 * 200 + i, SMALL, SMALL };
}

/* Reads an UPDATE of @r whose pixels are all of one of @pictures; returns its index. */
static unsigned expect_small(const struct rect *r, const struct picture *pictures)
{
	const struct picture *p;
	uint32_t wanted[5] = { 0, r->x, r->y, r->width, r->height }, got[5];
	uint32_t pixels[SMALL * SMALL];

	socket_rig_expect_header(VHOST_USER_GPU_UPDATE, sizeof(got) + sizeof(pixels));
	socket_rig_read(got, sizeof(got));
	assert_memory_equal(got, wanted, sizeof(got));
	socket_rig_read(pixels, sizeof(pixels));
	p = &pictures[pixels[0] != pictures[0].pixels[(size_t)r->y * pictures[0].stride + r->x]];
	for (uint32_t y = 0; y < SMALL; y++)
		assert_memory_equal(&pixels[(size_t)y * SMALL],
				    &p->pixels[(size_t)(r->y + y) * p->stride + r->x], SMALL * 4);
	return (unsigned)(p - pictures);
}

/* Shows it on scanout 0 and reads all of it. */
static void show(struct picture *p)
{
	display_scanout_pixels(socket_rig.display, 0, p->width, p->height, &p->base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, p->width, p->height);
	socket_rig_expect_update(0, p, 0, 0, p->width, p->height);
	socket_rig_expect_silence();
}

static void a_run_of_small_updates_survives_a_full_socket(void **state)
{
	/* The contents before and after, and the picture that is shown, which has first the one
	 * content, then the other. */
	struct picture pictures[3];
	unsigned is_now = 0;

	(void)state;
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	for (unsigned i = 0; i < 3; i++)
		picture_init(&pictures[i], 800, 800, i);
	picture_fill(&pictures[2], 0);
	show(&pictures[2]);
	socket_rig_expect_silence();
	for (unsigned i = 0; i < 16; i++) {
		struct rect r = small_rect(i);

		display_damage(socket_rig.display, 0, &r);
	}
	socket_rig_turns(3);
	assert_true(socket_rig_display()->is_full);
	picture_fill(&pictures[2], 1);
	for (unsigned i = 0; i < 16; i++) {
		struct rect r = small_rect(i);
		unsigned which = expect_small(&r, pictures);

		assert_true(which >= is_now);
		is_now = which;
	}
	assert_int_equal(is_now, 1); /* pixels that had not been copied are new */
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	for (unsigned i = 0; i < 3; i++)
		picture_finish(&pictures[i]);
}

static void a_descriptor_comes_with_its_own_message_and_not_with_those_before(void **state)
{
	auto_fd fd = memfd_create("dmabuf", MFD_CLOEXEC);
	struct dmabuf dmabuf = socket_rig_dmabuf(fd, 0);
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 640, 64, 0);
	show(&picture);
	socket_rig_display()->next_scanout = 0;
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 8, 8 });
	display_damage(socket_rig.display, 0, &(struct rect){ 600, 50, 8, 8 });
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 1, &dmabuf, &socket_rig_dmabuf_rect), 0);
	socket_rig_turns(2);
	socket_rig_expect_update(0, &picture, 0, 0, 8, 8);
	assert_int_equal(socket_rig.last_fd, -1);
	socket_rig_expect_header(VHOST_USER_GPU_DMABUF_SCANOUT2, 48);
	assert_true(socket_rig.last_fd >= 0);
	socket_rig_read((uint8_t[48]){ 0 }, 48);
	socket_rig_expect_update(0, &picture, 600, 50, 8, 8);
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void a_further_update_in_a_batch_may_be_larger_than_the_rest_of_the_buffer(void **state)
{
	const struct rect rects[] = { { 0, 0, 200, 160 }, { 700, 700, 200, 160 } };
	struct picture picture;

	(void)state;
	assert_true(2 * 200 * 160 * 4 > SOCKET_BAND_BYTES);
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 1024, 1024, 0);
	show(&picture);
	display_damage(socket_rig.display, 0, &rects[0]);
	display_damage(socket_rig.display, 0, &rects[1]);
	socket_rig_expect_update(0, &picture, 0, 0, 200, 160);
	socket_rig_expect_update(0, &picture, 700, 700, 200, 160);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

/* Sets the send buffer to @wish bytes, unless that is 0. Returns its size afterwards. */
static int send_buffer_of(int fd, int wish)
{
	int bytes = 0;
	socklen_t size = sizeof(bytes);

	if (wish)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wish, sizeof(wish));
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &size), 0);
	return bytes;
}

static void a_socket_is_made_to_hold_two_bands(void **state)
{
	auto_fd plain = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	/* Every host allows it by default; skipped where the administrator allows less. */
	if (send_buffer_of(plain, 1 << 28) < 2 * SOCKET_BAND_BYTES)
		skip();
	socket_rig_connect(0, NULL);
	assert_true(send_buffer_of(socket_rig_display()->fd, 0) >= 2 * SOCKET_BAND_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALONE(a_display_that_stops_reading_gets_only_the_last_frame),
		ALONE(a_source_in_tiny_pieces_arrives_whole),
		ALONE(random_scenes_end_with_the_resources_pixels),
		ALONE(a_run_of_small_updates_survives_a_full_socket),
		ALONE(a_descriptor_comes_with_its_own_message_and_not_with_those_before),
		ALONE(a_further_update_in_a_batch_may_be_larger_than_the_rest_of_the_buffer),
		ALONE(a_socket_is_made_to_hold_two_bands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
