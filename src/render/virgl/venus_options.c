// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Whether the user's options ask for Venus. Without an option Venus is used if it works, and a log
 * line says if it does not. If it was asked for among other capsets, that line is a warning. If it
 * was the only capset asked for, its failure is an error.
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
		return g_strdup_printf("--capset venus does not work: %s", why);
	if (options->capsets & VENUS)
		log_warn("no Venus (Vulkan): %s", why);
	else
		log_info("no Venus (Vulkan): %s", why);
	return NULL;
}
