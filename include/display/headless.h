// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A display that shows nothing and refuses every request with -ENOTSUP; the device then answers the
 * guest from its own configuration. */

struct display;
struct loop;

struct display *headless_display_new(struct loop *loop);
