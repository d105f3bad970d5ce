# SPDX-License-Identifier: GPL-2.0-or-later
srcs  += agent/config/config.c agent/config/settings.c agent/config/merge.c agent/config/load.c \
         agent/config/plan.c agent/config/roles.c agent/config/health.c agent/config/host.c \
         agent/config/paths.c
tests += config config_load plan health host paths roles
fuzz  += config payload host
srcs  += agent/config/policy.c
tests += policy
fuzz  += onboard_blob
srcs  += agent/config/control.c
tests += control
