// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Log lines about the front-end's display: its features, and whether it reads. */
#include "display/socket/socket_private.h"

#define LOG_MODULE "display"
#include "base/log.h"

static const char *yes_or_no(bool is_yes)
{
	return is_yes ? "yes" : "no";
}

void socket_report_features(struct socket_display *sd)
{
	if (sd->has_told && sd->told_features == sd->features)
		return; /* QEMU passes a new socket at each start of the device */
	sd->has_told = true;
	sd->told_features = sd->features;
	log_info("the display is connected; EDID: %s, dma-bufs with modifiers: %s",
		 yes_or_no(socket_has_features(sd, VHOST_USER_GPU_PROTOCOL_F_EDID)),
		 yes_or_no(socket_has_features(sd, VHOST_USER_GPU_PROTOCOL_F_DMABUF2)));
}

void socket_log_state(struct display *display)
{
	const struct socket_display *sd = socket_display_of(display);
	unsigned n_requests = 0;

	for (const struct display_request *r = sd->requests; r; r = r->next)
		n_requests++;
	if (sd->fd < 0)
		log_info("statistics: display: not connected");
	else
		log_info("statistics: display: connected, %s; %u requests unanswered",
			 sd->is_full ? "its socket is full" : "its socket has room", n_requests);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		const struct socket_scanout *s = &sd->scanouts[i];

		if (s->kind != SCANOUT_OFF)
			log_info("statistics: display of scanout %u: %ux%u, %u damaged rectangles "
				 "not sent yet, %s",
				 i, s->width, s->height, s->damage.count + s->waiting.count,
				 s->flush_is_asked ? "a dma-buf flush is pending"
						   : "no dma-buf flush is pending");
	}
}
