/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between agent-store and shipping: messages to and fro, and what shipping wants done. */
#pragma once

#include "reporter/reporter.h"

/* What the store may send. */
extern const struct peer_table store_link_table;

extern const struct ship_ops store_link_ship_ops; /* ctx is the struct reporter */

/* Names the organisation of the onboarding file, once; before anything is shipped for it. */
void store_link_org_tell(struct reporter *r);

/* Ships what the store has, if it is there; harmless while that goes on. */
void store_link_start(struct reporter *r);

/* Stops shipping; a request on its way is forgotten. */
void store_link_stop(struct reporter *r);

/* The timer that shipping sets by its wake_at(). */
int store_link_on_timer(void *ctx, uint64_t now_ns);

/* Takes over the boot and the clock as they are now for the header line of batches,
 * if they are others; only while no batch is on its way. */
void store_link_header_update(struct reporter *r);
