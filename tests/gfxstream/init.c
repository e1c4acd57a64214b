// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The start and the end of the stand-in, and the check around every call. The library can be
 * initialised once in a process; an init without a required parameter does not count.
 */
#include "standin.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t standin_flags;
stream_fence_fn standin_fence_fn;
void *standin_user_data;

static bool was_started, is_running;
static stream_debug_fn debug_fn;
static atomic_int n_inside;

void standin_crash(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	flockfile(stderr);
	fputs("gfxstream stand-in: the library would crash here: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	funlockfile(stderr);
	va_end(args);
	abort();
}

void standin_say(uint32_t type, const char *format, ...)
{
	char text[200];
	struct stream_debug debug = { .type = type, .message = text };
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (debug_fn)
		debug_fn(standin_user_data, &debug);
	else if (type <= 2)
		fprintf(stderr, "%s\n", text);
}

bool standin_has_word(const char *word)
{
	const char *words = getenv("GFXSTREAM_STANDIN");
	size_t length = strlen(word);

	for (; words && *words; words += strcspn(words, ",") + (strchr(words, ',') != NULL)) {
		if (strcspn(words, ",") == length && strncmp(words, word, length) == 0)
			return true;
	}
	return false;
}

void standin_enter(const char *function)
{
	if (standin_is_in_callback())
		standin_crash("%s() is called from the fence callback: a deadlock", function);
	if (atomic_fetch_add(&n_inside, 1) != 0)
		standin_crash("%s() is called while another thread is in the library", function);
	if (!is_running)
		standin_crash("%s() is called without an init", function);
}

void standin_leave(const char *const *function)
{
	atomic_fetch_sub(&n_inside, 1);
}

/* The features of the library of 2025-06 that a user may want to set. */
static const char *const feature_names[] = {
	"BypassVulkanDeviceFeatureOverrides",
	"ExternalBlob",
	"GuestVulkanOnly",
	"SystemBlob",
	"Vulkan",
	"VulkanAllocateDeviceMemoryOnly",
	"VulkanBatchedDescriptorSetUpdate",
	"VulkanExternalSync",
	"VulkanNativeSwapchain",
	"VulkanSnapshots",
	"VulkanUseDedicatedAhbMemoryType",
};

static bool is_known_feature(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(feature_names) / sizeof(feature_names[0]); i++) {
		if (strlen(feature_names[i]) == length &&
		    strncmp(feature_names[i], name, length) == 0)
			return true;
	}
	return false;
}

/* "Name:enabled,Other:disabled" */
static bool has_good_features(const char *text)
{
	while (text && *text) {
		size_t length = strcspn(text, ","), name = strcspn(text, ":,");
		bool is_set = strncmp(text + name, ":enabled", length - name) == 0 ||
			      strncmp(text + name, ":disabled", length - name) == 0;

		if (length && (!is_known_feature(text, name) || name == length || !is_set)) {
			standin_say(1, "Error: invalid renderer feature: '%.*s'", (int)length,
				    text);
			return false;
		}
		text += length + (text[length] == ',');
	}
	return true;
}

struct settings {
	unsigned given; /* a bit for each key up to 31 */
	uint32_t flags;
	void *user_data;
	stream_fence_fn fence_fn;
	const char *features;
};

static void read_param(struct settings *s, const struct stream_param *p)
{
	if (p->key < 32)
		s->given |= 1u << p->key;
	switch (p->key) {
	case STREAM_PARAM_USER_DATA:
		s->user_data = (void *)(uintptr_t)p->value;
		break;
	case STREAM_PARAM_FLAGS:
		s->flags = (uint32_t)p->value;
		break;
	case STREAM_PARAM_FENCE_CALLBACK:
		s->fence_fn = (stream_fence_fn)(uintptr_t)p->value;
		break;
	case STREAM_PARAM_DEBUG_CALLBACK:
		debug_fn = (stream_debug_fn)(uintptr_t)p->value;
		break;
	case STREAM_PARAM_FEATURES:
		s->features = (const char *)(uintptr_t)p->value;
		break;
	case STREAM_PARAM_SKIP_OPENGLES:
		if (p->value)
			standin_crash("SKIP_OPENGLES_INIT, which is for the Android emulator");
		break;
	case STREAM_PARAM_METRICS_ABORT:
		standin_crash("METRICS_CALLBACK_ABORT is deprecated");
	default:
		if (p->key > STREAM_PARAM_HEIGHT && p->key < STREAM_PARAM_METRICS_FIRST)
			standin_say(1, "Skipping unknown parameter key: %u", (unsigned)p->key);
	}
}

static bool has_good_flags(uint32_t flags)
{
	if ((flags & STREAM_USE_SYSTEM_BLOB) && !(flags & STREAM_USE_EXTERNAL_BLOB)) {
		standin_say(1, "The SystemBlob features requires the ExternalBlob feature.");
		return false;
	}
	if (flags & STREAM_USE_SYSTEM_BLOB)
		standin_say(2, "Warning: USE_SYSTEM_BLOB has only been tested on Windows");
	if ((flags & STREAM_USE_SWAPCHAIN) && !(flags & STREAM_USE_VK)) {
		standin_say(1, "can't enable vulkan native swapchain, Vulkan is disabled");
		return false;
	}
	return true;
}

static _Noreturn void hang(void)
{
	for (;;)
		pause();
}

/* On a machine without a screen the library hangs in OpenGL's start, unless EGL is surfaceless. */
static void start_gles(uint32_t flags)
{
	const char *platform = getenv("EGL_PLATFORM");

	if (!(flags & STREAM_USE_GLES))
		return;
	if (!(flags & STREAM_USE_EGL) || !platform || strcmp(platform, "surfaceless") != 0)
		hang();
}

static int start(const struct settings *s)
{
	if (standin_has_word("init-crashes"))
		raise(SIGSEGV);
	if (standin_has_word("init-hangs"))
		hang();
	if (standin_has_word("init-fails"))
		return -EINVAL;
	start_gles(s->flags);
	setenv("ANDROID_EMU_HEADLESS", "1", 1);
	standin_flags = s->flags;
	standin_fence_fn = s->fence_fn;
	standin_fence_start();
	was_started = is_running = true;
	standin_say(3, "Gfxstream initialized successfully!");
	return 0;
}

int stream_renderer_init(struct stream_param *params, uint64_t n)
{
	const unsigned required = 1u << STREAM_PARAM_USER_DATA | 1u << STREAM_PARAM_FLAGS |
				  1u << STREAM_PARAM_FENCE_CALLBACK;
	struct settings s = { 0 };

	debug_fn = NULL;
	for (uint64_t i = 0; i < n; i++)
		read_param(&s, &params[i]);
	standin_user_data = s.user_data;
	if ((s.given & required) != required || !has_good_features(s.features) ||
	    !has_good_flags(s.flags) || was_started)
		return -EINVAL;
	return start(&s);
}

void stream_renderer_teardown(void)
{
	STANDIN_CALL();
	standin_resource_free_all();
	standin_context_free_all();
	standin_fence_stop();
	is_running = false;
}

int stream_renderer_suspend(void)
{
	return 0;
}

int stream_renderer_resume(void)
{
	return 0;
}

int stream_renderer_snapshot(const char *dir)
{
	return -EINVAL;
}

int stream_renderer_restore(const char *dir)
{
	return -EINVAL;
}
