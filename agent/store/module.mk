# SPDX-License-Identifier: GPL-2.0-or-later
srcs += agent/store/sql.c agent/store/mark.c agent/store/schema.c agent/store/journal.c \
        agent/store/cursor.c agent/store/retention.c agent/store/wire.c agent/store/query.c \
        agent/store/tail.c agent/store/hunt_child.c
progs += libexec/endpoint-agent/agent-store libexec/endpoint-agent/agent-hunt
main_libexec/endpoint-agent/agent-store := agent/store/main.c
main_libexec/endpoint-agent/agent-hunt := agent/store/hunt_main.c
tests += mark journal journal_crash cursor retention wire query tail store_programs
fuzz += mark store_wire hunt_sql
# Started by the test, not linked into it.
$(O)/tests/unit/store_programs_test: | $(O)/libexec/endpoint-agent/agent-store \
                                       $(O)/libexec/endpoint-agent/agent-hunt
