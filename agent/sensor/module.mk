# SPDX-License-Identifier: GPL-2.0-or-later
srcs  += agent/sensor/textpool.c agent/sensor/procfs.c agent/sensor/users.c \
         agent/sensor/proctable.c agent/sensor/socktable.c
srcs  += agent/sensor/normalise.c agent/sensor/normalise_exec.c agent/sensor/normalise_net.c \
         agent/sensor/normalise_file.c agent/sensor/normalise_logon.c \
         agent/sensor/normalise_change.c
