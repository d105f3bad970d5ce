# SPDX-License-Identifier: GPL-2.0-or-later
srcs += agent/control/gather.c agent/control/queries.c agent/control/report.c \
        agent/control/request.c agent/control/server.c
progs += libexec/endpoint-agent/agent-control
main_libexec/endpoint-agent/agent-control := agent/control/main.c
tests += control_gather control_queries control_report control_request control_server
fuzz  += control_request
