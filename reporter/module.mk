# SPDX-License-Identifier: GPL-2.0-or-later
srcs  += reporter/answer.c reporter/backoff.c reporter/compress.c reporter/enroller.c \
         reporter/beacon.c reporter/https.c reporter/identity.c reporter/onboarder.c \
         reporter/parcel.c reporter/session.c reporter/ship.c reporter/store_link.c \
         reporter/vitals.c
tests += answer backoff beacon compress enroller https identity onboarder parcel \
         session ship
fuzz  += server_answer
libs  += -lz
progs += libexec/endpoint-agent/agent-reporter
main_libexec/endpoint-agent/agent-reporter := reporter/main.c
