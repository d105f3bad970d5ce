/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The health document, asked of agentd. */
#pragma once

#include "agent/ctl/ctl.h"
#include "agent/ctl/view.h"

/* 0 and the view, or the exit status after telling the user (not when quiet). */
must_check int ask_health(struct ctl *c, bool is_quiet, struct view **ret_view);
