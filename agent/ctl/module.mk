# SPDX-License-Identifier: GPL-2.0-or-later
srcs += agent/ctl/args.c agent/ctl/ask_health.c agent/ctl/commands.c agent/ctl/conn.c \
        agent/ctl/event_row.c agent/ctl/events.c agent/ctl/exchange.c agent/ctl/grid.c \
        agent/ctl/health.c agent/ctl/hunt.c agent/ctl/onboard.c agent/ctl/since.c \
        agent/ctl/text.c agent/ctl/view.c
progs += bin/agentctl
main_bin/agentctl := agent/ctl/main.c
tests += ctl_args ctl_conn ctl_event_row ctl_grid ctl_since ctl_text ctl_view health_golden
fuzz  += control_answer health_rows
