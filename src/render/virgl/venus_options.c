// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What the person asked for: nothing (then Venus is there if it works, and a line says so if not),
 * Venus among others (then that line is a warning), or Venus alone (then nothing starts without).
 */
#include "render/virgl/rings_private.h"
#include "render/virgl/venus_private.h"

#define LOG_MODULE "virgl"
#include "base/log.h"

#define VENUS (1u << VIRGL_CAPSET_VENUS)

bool virgl_venus_is_wanted(const struct virgl_options *options)
{
	return options->start_server && (!options->capsets || (options->capsets & VENUS));
}

char *virgl_venus_refuse(const struct virgl_options *options, const char *why)
{
	if (options->capsets == VENUS)
		return g_strdup_printf("--capset venus cannot be: %s", why);
	if (options->capsets & VENUS)
		log_warn("no Venus (Vulkan): %s", why);
	else
		log_info("no Venus (Vulkan): %s", why);
	return NULL;
}
