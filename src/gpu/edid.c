// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A base EDID block (VESA E-EDID 1.4, section 3) for displays that have none of their own. It holds
 * one detailed timing, the preferred mode at 60 Hz with reduced blanking, a monitor name and range
 * limits that allow that timing. Its checksum is right, so guests accept it as a monitor's.
 */
#include "gpu/edid.h"

#include <string.h>

#define DETAILED_TIMING 54
#define DESCRIPTOR_SIZE 18
#define MAX_ACTIVE      4095 /* pixels or lines: 12 bits */
#define REFRESH_HZ      60
#define DPI             96

/* Blanking like that of CVT reduced blanking: enough for every guest to accept it. */
#define H_BLANK 160
#define H_FRONT 48
#define H_SYNC  32
#define V_BLANK 35
#define V_FRONT 3
#define V_SYNC  6

static void put_detailed_timing(uint8_t *d, uint32_t width, uint32_t height)
{
	uint32_t width_mm = width * 254 / (DPI * 10), height_mm = height * 254 / (DPI * 10);
	uint64_t clock = (uint64_t)(width + H_BLANK) * (height + V_BLANK) * REFRESH_HZ / 10000;

	if (clock > UINT16_MAX) /* unit 10 kHz; a mode this large runs slower */
		clock = UINT16_MAX;
	d[0] = clock & 0xff;
	d[1] = (uint8_t)(clock >> 8);
	d[2] = width & 0xff;
	d[3] = H_BLANK & 0xff;
	d[4] = (uint8_t)((width >> 8) << 4 | H_BLANK >> 8);
	d[5] = height & 0xff;
	d[6] = V_BLANK & 0xff;
	d[7] = (uint8_t)((height >> 8) << 4 | V_BLANK >> 8);
	d[8] = H_FRONT;
	d[9] = H_SYNC;
	d[10] = V_FRONT << 4 | V_SYNC;
	d[12] = width_mm & 0xff;
	d[13] = height_mm & 0xff;
	d[14] = (uint8_t)((width_mm >> 8) << 4 | height_mm >> 8);
	d[17] = 0x18; /* digital, separate syncs */
}

/* A display descriptor: @tag is 0xfc for the name, 0xfd for range limits, 0x10 for none. */
static void put_descriptor(uint8_t *d, uint8_t tag, const char *data, size_t size)
{
	memset(d, 0, DESCRIPTOR_SIZE);
	d[3] = tag;
	memcpy(d + 5, data, size);
}

void edid_make(uint8_t edid[EDID_SIZE], uint32_t width, uint32_t height)
{
	static const uint8_t magic[8] = { 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00 };
	/* Vertical 30 to 125 Hz, horizontal 1 to 255 kHz, up to 2550 MHz, no timing formula. */
	static const char range[13] = { 30,  125, 1,   (char)255, (char)255, 1,  '\n',
					' ', ' ', ' ', ' ',       ' ',       ' ' };
	uint8_t sum = 0;

	if (width > MAX_ACTIVE)
		width = MAX_ACTIVE;
	if (height > MAX_ACTIVE)
		height = MAX_ACTIVE;
	memset(edid, 0, EDID_SIZE);
	memcpy(edid, magic, sizeof(magic));
	edid[8] = 0x58; /* manufacturer "VGD": five bits a letter */
	edid[9] = 0xe4;
	edid[10] = 0x01; /* product code */
	edid[16] = 1;    /* week and year (since 1990) of manufacture */
	edid[17] = 36;
	edid[18] = 1; /* EDID 1.4 */
	edid[19] = 4;
	edid[20] = 0xa5; /* digital, 8 bits per colour, DisplayPort */
	edid[21] = (uint8_t)(width * 254 / (DPI * 100));
	edid[22] = (uint8_t)(height * 254 / (DPI * 100));
	edid[23] = 120;  /* gamma 2.2 */
	edid[24] = 0x06; /* sRGB; the first timing is the preferred one */
	/* The sRGB primaries and white point. */
	memcpy(edid + 25, "\xee\x91\xa3\x54\x4c\x99\x26\x0f\x50\x54", 10);
	memset(edid + 38, 0x01, 16); /* no standard timings */
	put_detailed_timing(edid + DETAILED_TIMING, width, height);
	put_descriptor(edid + DETAILED_TIMING + DESCRIPTOR_SIZE, 0xfd, range, sizeof(range));
	put_descriptor(edid + DETAILED_TIMING + 2 * DESCRIPTOR_SIZE, 0xfc, "vhost-gpu\n   ", 13);
	put_descriptor(edid + DETAILED_TIMING + 3 * DESCRIPTOR_SIZE, 0x10, "", 0);
	for (unsigned i = 0; i < EDID_SIZE - 1; i++)
		sum = (uint8_t)(sum + edid[i]);
	edid[EDID_SIZE - 1] = (uint8_t)-sum;
}
