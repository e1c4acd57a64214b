// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Logs what helps to explain a black screen: whether the guest has a driver, whether a scanout is
 * set, how it is shown, and whether frames come. The first changes in a session are logged at level
 * info. A guest can cause such changes as often as it likes, so further ones are logged at level
 * debug.
 */
#include "gpu/report.h"

#include <glib.h>
#include <string.h>

#include "gpu/command.h"
#include "gpu/command_table.h"
#include "gpu/device_private.h"
#include "gpu/fence.h"
#include "gpu/resource.h"
#include "vhost/memory.h"
#include "vhost/session.h"

#define LOG_MODULE "device"
#include "base/log.h"

/* Lines in one session at level info. */
#define MAX_DRIVER_LINES  4
#define MAX_SCANOUT_LINES 16

#define MIB (1 << 20)

/* The virtio-gpu features that tell what a guest will use. */
static const struct {
	unsigned bit;
	const char *name;
} feature_names[] = {
	{ VIRTIO_GPU_F_VIRGL, "virgl" },
	{ VIRTIO_GPU_F_EDID, "edid" },
	{ VIRTIO_GPU_F_RESOURCE_UUID, "resource-uuid" },
	{ VIRTIO_GPU_F_RESOURCE_BLOB, "resource-blob" },
	{ VIRTIO_GPU_F_CONTEXT_INIT, "context-init" },
};

/* Freed with g_free(). */
static char *join_features(uint64_t features)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(feature_names); i++)
		if (features >> feature_names[i].bit & 1)
			g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "",
					       feature_names[i].name);
	return g_string_free(text, FALSE);
}

void report_session_begins(struct gpu_device *device)
{
	device->report = (struct report){ .began = g_get_monotonic_time() };
	memset(device->shown, 0, sizeof(device->shown));
}

void report_driver(struct gpu_device *device)
{
	struct report *report = &device->report;
	const struct guest_memory *memory = vhost_session_memory(device->session);

	if (report->has_driver && report->features == device->features)
		return;
	report->has_driver = true;
	report->features = device->features;
	g_autofree char *features = join_features(device->features);
	const char *names = *features ? features : "no features";
	const unsigned long long size = guest_memory_size(memory) / MIB;

	if (report->n_driver_lines++ < MAX_DRIVER_LINES)
		log_info("the guest's driver is ready: %s; %llu MiB shared in %u regions", names,
			 size, memory->n_regions);
	else
		log_debug("the guest's driver is ready: %s", names);
}

/* "1280x800 of resource 3, shown as pixels" */
static char *describe_scanout(const struct scanout *scanout)
{
	if (!scanout->resource)
		return g_strdup("off");
	return g_strdup_printf("%ux%u of resource %u, shown as %s", scanout->rect.width,
			       scanout->rect.height, scanout->resource->id,
			       scanout->is_dmabuf ? "a dma-buf" : "pixels");
}

void report_scanout(struct gpu_device *device, unsigned i)
{
	const struct scanout *scanout = &device->scanouts[i];
	struct report_shown *shown = &device->shown[i];
	const struct report_shown now = {
		.width = scanout->resource ? scanout->rect.width : 0,
		.height = scanout->resource ? scanout->rect.height : 0,
		.is_dmabuf = scanout->is_dmabuf,
	};

	if (now.width == shown->width && now.height == shown->height &&
	    now.is_dmabuf == shown->is_dmabuf)
		return; /* only the resource changed */
	*shown = now;
	g_autofree char *text = describe_scanout(scanout);

	if (device->report.n_scanout_lines++ < MAX_SCANOUT_LINES)
		log_info("scanout %u: %s", i, text);
	else
		log_debug("scanout %u: %s", i, text);
}

/* Keeps printable ASCII without quotation marks, so that a name chosen by the guest cannot imitate
 * other text or control a terminal. Freed with g_free(). */
static char *make_harmless(const char *name, uint32_t length)
{
	char *text = g_strndup(name, length);

	for (char *c = text; *c; c++)
		if (!g_ascii_isprint(*c) || *c == '"')
			*c = '?';
	return text;
}

void report_context(struct gpu_device *device, const char *name, uint32_t length)
{
	if (device->report.has_context)
		return;
	device->report.has_context = true;
	g_autofree char *text = make_harmless(name, length);

	log_info("the guest made its first 3D context (\"%s\")", text);
}

void report_error(struct gpu_command *command, int result)
{
	struct report *report = &command->device->report;
	const struct command_description description = command_describe(command);
	const char *text = description.text;

	if (result > 0) {
		report->n_guest_errors++;
		g_snprintf(report->last_error, sizeof(report->last_error), "%s: error 0x%x (%s)",
			   text, (unsigned)result, command_error_name((uint32_t)result));
	} else {
		report->n_host_errors++;
		g_snprintf(report->last_error, sizeof(report->last_error), "%s: %s", text,
			   g_strerror(-result));
	}
}

/* "41 commands, 9 frames (8 as dma-bufs), 2 guest errors, 0 host errors" */
static char *describe_totals(const struct report *report)
{
	return g_strdup_printf("%llu commands, %llu frames (%llu as dma-bufs), %llu guest errors, "
			       "%llu host errors",
			       (unsigned long long)report->n_commands,
			       (unsigned long long)report->n_frames,
			       (unsigned long long)report->n_dmabuf_frames,
			       (unsigned long long)report->n_guest_errors,
			       (unsigned long long)report->n_host_errors);
}

/* "00:12:03" */
static char *describe_time(int64_t began)
{
	unsigned seconds = (unsigned)((g_get_monotonic_time() - began) / G_USEC_PER_SEC);

	return g_strdup_printf("%02u:%02u:%02u", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

void report_session_ends(const struct gpu_device *device)
{
	const struct report *report = &device->report;
	g_autofree char *time = describe_time(report->began);
	g_autofree char *totals = describe_totals(report);

	if (!report->has_driver)
		return;
	log_info("served %s: %s%s", time, totals,
		 report->n_guest_errors > 0 ? " (--log-level debug shows them)" : "");
}

static void log_fences(const struct gpu_device *device)
{
	int64_t oldest = fence_oldest(device);

	if (device->n_fences > 0)
		log_info("statistics: %u fences pending, the oldest for %lld ms", device->n_fences,
			 (long long)((g_get_monotonic_time() - oldest) / 1000));
	else
		log_info("statistics: no fence is pending");
}

static void log_memory(const struct gpu_device *device)
{
	const struct hostmem *memory = &device->hostmem;
	bool is_measured = memory->statm_fd >= 0 && memory->measured > memory->base;

	log_info("statistics: %u resources, %u contexts; %llu of %llu MiB charged to the "
		 "guest, %llu MiB measured beyond the daemon's own; %u dma-bufs open",
		 device->resources.n, device->contexts.n, (unsigned long long)(memory->used / MIB),
		 (unsigned long long)(memory->max / MIB),
		 (unsigned long long)(is_measured ? (memory->measured - memory->base) / MIB : 0),
		 device->n_dmabufs);
}

void gpu_device_log_state(const struct gpu_device *device)
{
	const struct report *report = &device->report;

	if (device->session) {
		g_autofree char *time = describe_time(report->began);
		g_autofree char *features = join_features(device->features);
		g_autofree char *totals = describe_totals(report);

		log_info("statistics: session: %s so far; driver %s; features: %s", time,
			 report->has_driver ? "ready" : "not ready", *features ? features : "none");
		log_info("statistics: %s", totals);
	}
	log_memory(device);
	log_fences(device);
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		g_autofree char *text = describe_scanout(&device->scanouts[i]);

		if (device->scanouts[i].resource || i == 0)
			log_info("statistics: scanout %u: %s", i, text);
	}
	log_info("statistics: last error: %s", *report->last_error ? report->last_error : "none");
}
