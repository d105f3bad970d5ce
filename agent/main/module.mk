# SPDX-License-Identifier: GPL-2.0-or-later
srcs += agent/main/spawn.c agent/main/family.c agent/main/notify.c agent/main/onboard.c \
        agent/main/boot.c agent/main/broker.c
tests += notify onboard boot family spawn
progs += sbin/agentd
main_sbin/agentd := agent/main/main.c
srcs  += agent/main/audit_owner.c agent/main/audit_ruleset.c agent/main/audit_state.c
tests += audit_state audit_ruleset audit_owner
fuzz  += audit_state
