// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The guest's side of the tests: reads one command a line from the test and carries it out on the
 * DRM device.
 *
 * A command is "NUMBER COMMAND ARGUMENTS". The answer is any number of lines "NUMBER|TEXT" and then
 * exactly one of "NUMBER ok" and "NUMBER error TEXT", so the test knows where an answer ends, and
 * never takes the answer to a timed-out command for another's. "hello" is printed once at the
 * start: it tells the test that the guest is up, or up again.
 *
 * Each command does only what its name says, so the device receives what the commands say. card.c
 * has the buffers and their pattern.
 */
#include "card.h"

#include <drm.h>
#include <drm_fourcc.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_OUTPUTS 4
#define MAX_ARGS    12
#define BAR_ROWS    16

struct output {
	uint32_t connector, crtc;
	struct buffer buffers[2];
	struct buffer cursor;
	unsigned int front; /* the buffer that is shown */
	uint32_t seed;
	uint32_t bar; /* first row of the moving bar */
	bool is_animated;
};

static FILE *line_out;
static unsigned long order;
static struct output outputs[MAX_OUTPUTS];
static unsigned int n_outputs;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list args;

	fprintf(line_out, "%lu|", order);
	va_start(args, format);
	vfprintf(line_out, format, args);
	va_end(args);
	fputc('\n', line_out);
}

/* Tells the device that this rectangle of the shown picture changed. */
static int dirty(struct output *out, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	struct drm_clip_rect clip = { .x1 = x, .y1 = y, .x2 = x + w, .y2 = y + h };
	struct drm_mode_fb_dirty_cmd cmd = {
		.fb_id = out->buffers[out->front].fb,
		.num_clips = 1,
		.clips_ptr = (uintptr_t)&clip,
	};

	return drm(DRM_IOCTL_MODE_DIRTYFB, &cmd);
}

static uint32_t move_bar(struct output *out, struct buffer *buf)
{
	out->bar = out->bar + 2 * BAR_ROWS <= buf->height ? out->bar + 4 : BAR_ROWS;
	return out->bar;
}

/* One frame of the animation: the bar moves, and only the changed rows are flushed. */
static int animate(struct output *out)
{
	struct buffer *buf = &out->buffers[out->front];
	uint32_t old = out->bar, new = move_bar(out, buf);
	int ret;

	paint_rows(buf, old, BAR_ROWS, out->seed);
	fill_rect(buf, 0, new, buf->width, BAR_ROWS, 0x2060ff);
	ret = dirty(out, 0, old, buf->width, BAR_ROWS);
	return ret < 0 ? ret : dirty(out, 0, new, buf->width, BAR_ROWS);
}

static struct output *output_of(char **args)
{
	unsigned long index = strtoul(args[0], NULL, 10);

	return index < n_outputs ? &outputs[index] : NULL;
}

static uint32_t number(const char *text)
{
	return (uint32_t)strtol(text, NULL, 0);
}

static int do_open(char **args)
{
	struct drm_mode_card_res res = { 0 };
	uint32_t connectors[MAX_OUTPUTS], crtcs[MAX_OUTPUTS];
	struct drm_set_client_cap cap = { .capability = DRM_CLIENT_CAP_UNIVERSAL_PLANES,
					  .value = 1 };
	int ret;

	if (card >= 0)
		return -EALREADY;
	card = open(args[0], O_RDWR | O_CLOEXEC);
	if (card < 0)
		return -errno;
	drm(DRM_IOCTL_SET_CLIENT_CAP, &cap);
	ret = drm(DRM_IOCTL_MODE_GETRESOURCES, &res);
	if (ret < 0)
		return ret;
	n_outputs = res.count_connectors;
	if (n_outputs > MAX_OUTPUTS || res.count_crtcs != n_outputs)
		return -ERANGE;
	memset(&res, 0, sizeof(res));
	res.count_connectors = res.count_crtcs = n_outputs;
	res.connector_id_ptr = (uintptr_t)connectors;
	res.crtc_id_ptr = (uintptr_t)crtcs;
	ret = drm(DRM_IOCTL_MODE_GETRESOURCES, &res);
	if (ret < 0)
		return ret;
	memset(outputs, 0, sizeof(outputs));
	for (unsigned int i = 0; i < n_outputs; i++) {
		outputs[i].connector = connectors[i];
		outputs[i].crtc = crtcs[i];
	}
	return 0;
}

static int do_close(char **args)
{
	(void)args;
	for (unsigned int i = 0; i < n_outputs; i++) {
		buffer_finish(&outputs[i].buffers[0]);
		buffer_finish(&outputs[i].buffers[1]);
		buffer_finish(&outputs[i].cursor);
	}
	n_outputs = 0;
	if (card >= 0)
		close(card);
	card = -1;
	return 0;
}

static int say_planes(void)
{
	static const char *const types[] = { "overlay", "primary", "cursor" };
	uint32_t planes[16];
	struct drm_mode_get_plane_res res = { .plane_id_ptr = (uintptr_t)planes,
					      .count_planes = 16 };
	int ret = drm(DRM_IOCTL_MODE_GETPLANERESOURCES, &res);

	for (uint32_t i = 0; ret == 0 && i < res.count_planes && i < 16; i++) {
		uint32_t ids[32];
		uint64_t values[32];
		struct drm_mode_obj_get_properties props = {
			.props_ptr = (uintptr_t)ids,
			.prop_values_ptr = (uintptr_t)values,
			.count_props = 32,
			.obj_id = planes[i],
			.obj_type = DRM_MODE_OBJECT_PLANE,
		};

		ret = drm(DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &props);
		for (uint32_t j = 0; ret == 0 && j < props.count_props && j < 32; j++) {
			struct drm_mode_get_property prop = { .prop_id = ids[j] };

			ret = drm(DRM_IOCTL_MODE_GETPROPERTY, &prop);
			if (ret == 0 && strcmp(prop.name, "type") == 0 && values[j] < 3)
				say("plane %u %s", planes[i], types[values[j]]);
		}
	}
	return ret;
}

static int do_info(char **args)
{
	static struct drm_mode_modeinfo modes[MAX_MODES];
	struct drm_mode_get_connector conn;

	(void)args;
	for (unsigned int i = 0; i < n_outputs; i++) {
		int n = modes_of(outputs[i].connector, &conn, modes, MAX_MODES);

		if (n < 0)
			return n;
		say("output %u %s", i, conn.connection == 1 ? "connected" : "disconnected");
		for (int j = 0; j < n; j++)
			say("mode %u %ux%u%s", i, modes[j].hdisplay, modes[j].vdisplay,
			    modes[j].type & DRM_MODE_TYPE_PREFERRED ? " preferred" : "");
	}
	return say_planes();
}

static int do_show(char **args)
{
	struct output *out = output_of(args);
	uint32_t w = number(args[1]), h = number(args[2]);
	struct buffer old[2], *buf;
	struct drm_mode_crtc crtc = { .count_connectors = 1, .mode_valid = 1 };
	int ret;

	if (!out)
		return -ENODEV;
	memcpy(old, out->buffers, sizeof(old));
	memset(out->buffers, 0, sizeof(out->buffers));
	out->front = 0;
	out->bar = BAR_ROWS;
	out->seed = number(args[3]);
	out->is_animated = false;
	buf = &out->buffers[0];
	ret = buffer_init(buf, w, h, DRM_FORMAT_XRGB8888);
	if (ret == 0) {
		paint_rows(buf, 0, h, out->seed);
		crtc.set_connectors_ptr = (uintptr_t)&out->connector;
		crtc.crtc_id = out->crtc;
		crtc.fb_id = buf->fb;
		crtc.mode = mode_for(out->connector, w, h);
		ret = drm(DRM_IOCTL_MODE_SETCRTC, &crtc);
	}
	buffer_finish(&old[0]);
	buffer_finish(&old[1]);
	return ret;
}

static int do_off(char **args)
{
	struct output *out = output_of(args);
	struct drm_mode_crtc crtc = { 0 };

	if (!out)
		return -ENODEV;
	out->is_animated = false;
	crtc.crtc_id = out->crtc;
	return drm(DRM_IOCTL_MODE_SETCRTC, &crtc);
}

/* rect OUT X Y W H COLOUR: paints a rectangle, and flushes exactly that. */
static int do_rect(char **args)
{
	struct output *out = output_of(args);
	uint32_t x = number(args[1]), y = number(args[2]), w = number(args[3]), h = number(args[4]);

	if (!out || !out->buffers[out->front].pixels)
		return -ENODEV;
	fill_rect(&out->buffers[out->front], x, y, w, h, number(args[5]));
	return dirty(out, x, y, w, h);
}

static int do_animate(char **args)
{
	struct output *out = output_of(args);
	struct buffer *buf;

	if (!out || !out->buffers[out->front].pixels)
		return -ENODEV;
	out->is_animated = strcmp(args[1], "on") == 0;
	if (out->is_animated)
		return 0;
	buf = &out->buffers[out->front];
	paint_rows(buf, out->bar, BAR_ROWS, out->seed);
	return dirty(out, 0, out->bar, buf->width, BAR_ROWS);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* updates OUT N: N small updates as fast as possible; prints how many per second. */
static int do_updates(char **args)
{
	struct output *out = output_of(args);
	uint32_t n = number(args[1]);
	double start = now();
	int ret = 0;

	if (!out || !out->buffers[out->front].pixels)
		return -ENODEV;
	for (uint32_t i = 0; ret == 0 && i < n; i++)
		ret = animate(out);
	say("fps %.1f", n / (now() - start));
	args[1] = "off";
	return ret < 0 ? ret : do_animate(args);
}

static int flip(struct output *out, unsigned int to)
{
	struct drm_mode_crtc_page_flip cmd = {
		.crtc_id = out->crtc,
		.fb_id = out->buffers[to].fb,
		.flags = DRM_MODE_PAGE_FLIP_EVENT,
	};
	struct pollfd event = { .fd = card, .events = POLLIN };
	char events[256];
	int ret = drm(DRM_IOCTL_MODE_PAGE_FLIP, &cmd);

	if (ret < 0)
		return ret;
	if (poll(&event, 1, 5000) <= 0)
		return -ETIMEDOUT;
	if (read(card, events, sizeof(events)) < 0)
		return -errno;
	out->front = to;
	return 0;
}

/* flips OUT N: N whole-picture page flips as fast as possible; ends with the plain pattern. */
static int do_flips(char **args)
{
	struct output *out = output_of(args);
	uint32_t n = number(args[1]), bars[2] = { BAR_ROWS, BAR_ROWS };
	struct buffer *front, *back;
	double start;
	int ret = 0;

	if (!out || !out->buffers[out->front].pixels)
		return -ENODEV;
	front = &out->buffers[out->front];
	back = &out->buffers[1 - out->front];
	if (!back->pixels) {
		ret = buffer_init(back, front->width, front->height, DRM_FORMAT_XRGB8888);
		if (ret < 0)
			return ret;
	}
	paint_rows(back, 0, back->height, out->seed);
	start = now();
	for (uint32_t i = 0; ret == 0 && i < n; i++) {
		unsigned int to = 1 - out->front;
		struct buffer *buf = &out->buffers[to];

		paint_rows(buf, bars[to], BAR_ROWS, out->seed);
		bars[to] = move_bar(out, buf);
		fill_rect(buf, 0, bars[to], buf->width, BAR_ROWS, 0x2060ff);
		ret = flip(out, to);
	}
	say("fps %.1f", n / (now() - start));
	if (ret < 0)
		return ret;
	paint_rows(&out->buffers[1 - out->front], bars[1 - out->front], BAR_ROWS, out->seed);
	return flip(out, 1 - out->front);
}

/* cursor OUT X Y HOT_X HOT_Y SEED */
static int do_cursor(char **args)
{
	struct output *out = output_of(args);
	struct drm_mode_cursor2 cmd = { .flags = DRM_MODE_CURSOR_BO | DRM_MODE_CURSOR_MOVE };
	struct buffer old;
	int ret;

	if (!out)
		return -ENODEV;
	old = out->cursor;
	ret = buffer_init(&out->cursor, CURSOR_SIZE, CURSOR_SIZE, DRM_FORMAT_ARGB8888);
	if (ret < 0)
		return ret;
	for (uint32_t y = 0; y < CURSOR_SIZE; y++)
		for (uint32_t x = 0; x < CURSOR_SIZE; x++)
			out->cursor.pixels[y * out->cursor.pitch / 4 + x] =
				cursor_pixel(x, y, number(args[5]));
	cmd.crtc_id = out->crtc;
	cmd.width = cmd.height = CURSOR_SIZE;
	cmd.handle = out->cursor.handle;
	cmd.x = (int)number(args[1]);
	cmd.y = (int)number(args[2]);
	cmd.hot_x = (int)number(args[3]);
	cmd.hot_y = (int)number(args[4]);
	ret = drm(DRM_IOCTL_MODE_CURSOR2, &cmd);
	buffer_finish(&old);
	return ret;
}

static int do_cursor_move(char **args)
{
	struct output *out = output_of(args);
	struct drm_mode_cursor cmd = { .flags = DRM_MODE_CURSOR_MOVE };

	if (!out)
		return -ENODEV;
	cmd.crtc_id = out->crtc;
	cmd.x = (int)number(args[1]);
	cmd.y = (int)number(args[2]);
	return drm(DRM_IOCTL_MODE_CURSOR, &cmd);
}

static int do_cursor_hide(char **args)
{
	struct output *out = output_of(args);
	struct drm_mode_cursor cmd = { .flags = DRM_MODE_CURSOR_BO };

	if (!out)
		return -ENODEV;
	cmd.crtc_id = out->crtc;
	return drm(DRM_IOCTL_MODE_CURSOR, &cmd);
}

/* sh COMMAND...: the rest of the line, run by the shell. */
static int do_sh(char **args)
{
	char text[512];
	FILE *pipe = popen(args[0], "r");
	int status;

	if (!pipe)
		return -errno;
	while (fgets(text, sizeof(text), pipe)) {
		text[strcspn(text, "\n")] = '\0';
		say("%s", text);
	}
	status = pclose(pipe);
	return status == 0 ? 0 : -ECHILD;
}

static const struct command {
	const char *name;
	int n_args;
	int (*run)(char **args); /* 0 or -errno */
} commands[] = {
	{ "open", 1, do_open },       { "close", 0, do_close },      { "info", 0, do_info },
	{ "show", 4, do_show },       { "off", 1, do_off },          { "rect", 6, do_rect },
	{ "animate", 2, do_animate }, { "updates", 2, do_updates },  { "flips", 2, do_flips },
	{ "cursor", 6, do_cursor },   { "move", 3, do_cursor_move }, { "hide", 1, do_cursor_hide },
};

static int obey(char *name, char *rest)
{
	char *args[MAX_ARGS + 1] = { rest };
	int n = 0;

	if (strcmp(name, "sh") == 0)
		return do_sh(args);
	for (char *arg = strtok(rest, " "); arg && n < MAX_ARGS; arg = strtok(NULL, " "))
		args[n++] = arg;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return n == commands[i].n_args ? commands[i].run(args) : -EINVAL;
	return -ENOSYS;
}

static void take_order(char *line)
{
	char *name, *rest;
	int ret;

	order = strtoul(line, &name, 10);
	name += strspn(name, " ");
	rest = name + strcspn(name, " ");
	if (*rest)
		*rest++ = '\0';
	ret = obey(name, rest);
	if (ret < 0)
		fprintf(line_out, "%lu error %s: %s\n", order, name, strerror(-ret));
	else
		fprintf(line_out, "%lu ok\n", order);
	fflush(line_out);
}

int main(int argc, char **argv)
{
	static char line[1024];
	size_t have = 0;
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;

	line_out = fd < 0 ? NULL : fdopen(dup(fd), "w");
	if (!line_out) {
		perror("kms");
		return 1;
	}
	fprintf(line_out, "hello\n");
	fflush(line_out);
	for (;;) {
		struct pollfd input = { .fd = fd, .events = POLLIN };
		bool is_animated = false;
		char *end;
		ssize_t n;

		for (unsigned int i = 0; i < n_outputs; i++)
			if (outputs[i].is_animated) {
				is_animated = true;
				animate(&outputs[i]);
			}
		if (poll(&input, 1, is_animated ? 0 : -1) <= 0)
			continue;
		n = read(fd, line + have, sizeof(line) - 1 - have);
		if (n <= 0)
			return 1;
		have += n;
		line[have] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			take_order(line);
			have -= end + 1 - line;
			memmove(line, end + 1, have + 1);
		}
		if (have == sizeof(line) - 1)
			have = 0;
	}
}
