# SPDX-License-Identifier: GPL-2.0-or-later
srcs  += agent/sensor/textpool.c agent/sensor/procfs.c agent/sensor/users.c \
         agent/sensor/proctable.c agent/sensor/socktable.c
srcs  += agent/sensor/normalise.c agent/sensor/normalise_exec.c agent/sensor/normalise_net.c \
         agent/sensor/normalise_file.c agent/sensor/normalise_logon.c \
         agent/sensor/normalise_change.c
srcs  += agent/sensor/batch.c agent/sensor/shed.c agent/sensor/heartbeat.c \
         agent/sensor/pipeline.c agent/sensor/health.c
tests += textpool procfs users proctable socktable normalise batch shed heartbeat \
         pipeline sensor_health sensor_program

fuzz  += audit_normalise

progs += libexec/endpoint-agent/agent-sensor
main_libexec/endpoint-agent/agent-sensor := agent/sensor/main.c

# Replays recorded records for tests/golden/run.
progs += tests/golden/audit_replay
main_tests/golden/audit_replay := tests/golden/audit_replay.c

# They start the program they test.
$(O)/tests/unit/sensor_program_test: | $(O)/libexec/endpoint-agent/agent-sensor
