// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A display that shows nothing and answers no request; the device then answers for itself. */

struct display;
struct loop;

struct display *headless_display_new(struct loop *loop);
