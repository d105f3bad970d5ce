# SPDX-License-Identifier: GPL-2.0-or-later
# endpoint-agent: one non-recursive build. A folder adds itself by its module.mk:
#   srcs  += agent/base/buf.c            library code
#   tests += buf                         tests/unit/buf_test.c
#   fuzz  += jsonr                       tests/fuzz/jsonr_fuzz.c
#   progs += sbin/agentd                 a program, its main file below
#   main_sbin/agentd := agent/main/main.c
# $(O) mirrors the installed tree (sbin, bin, libexec); objects lie beside it.

.DEFAULT_GOAL := all

O       ?= build
CFLAGS  ?= -O2 -g
SAN     ?=
V       ?= 0
PREFIX  ?= /usr
DESTDIR ?=
FUZZ_S  ?= 20
Q       := $(if $(filter 0,$(V)),@,)

VERSION := $(shell cat VERSION)
# Builds repeat: the time is the packager's, else the last commit's.
BUILD_EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)

warn    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
           -Wformat=2 -Wundef -Wwrite-strings -Wpointer-arith -Wcast-qual -Wimplicit-fallthrough
harden  := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE -fno-common \
           $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
defs    := -std=gnu17 -D_GNU_SOURCE -I. -I$(O)/gen
cflags  := $(defs) $(warn) $(harden) -MMD -MP -ffunction-sections -fdata-sections \
           $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
           $(if $(OOM),-include tests/oom.h) $(if $(CI),-Werror)
ldflags := -pie -Wl,-z,relro,-z,now -Wl,--as-needed -Wl,--gc-sections \
           $(if $(SAN),-fsanitize=$(SAN))
libs    := -lcjson -lcurl -lsqlite3 -laudit -lseccomp -lmicrohttpd -lgnutls -lzstd -lssl -lcrypto

srcs  :=
tests :=
fuzz  :=
progs :=
include $(wildcard */module.mk */*/module.mk)

objs       := $(srcs:%.c=$(O)/obj/%.o)
prog_bins  := $(progs:%=$(O)/%)
test_bins  := $(tests:%=$(O)/tests/unit/%_test)
bench_srcs := $(wildcard tests/bench/*_bench.c)
bench_bins := $(bench_srcs:%.c=$(O)/%)

.PHONY: all clean install progs
all: $(prog_bins) $(test_bins)
progs: $(prog_bins)

$(O)/obj/%.o: %.c
	$(Q)mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(cflags) $(CFLAGS) $(cflags_$<) -c -o $@ $<

$(O)/libagent.a: $(objs)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

define prog_rule
$(O)/$(1): $(O)/obj/$(main_$(1):.c=.o) $(O)/libagent.a
	$(Q)mkdir -p $$(@D)
	@echo "  LD   $$@"
	$(Q)$$(CC) $$(ldflags) $$(LDFLAGS) -o $$@ $$^ $$(libs) $$(LDLIBS)
endef
$(foreach p,$(progs),$(eval $(call prog_rule,$(p))))

$(O)/tests/unit/%_test: $(O)/obj/tests/unit/%_test.o $(O)/libagent.a
	$(Q)mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(ldflags) $(LDFLAGS) -o $@ $^ $(libs) $(LDLIBS)

$(O)/tests/bench/%: $(O)/obj/tests/bench/%.o $(O)/libagent.a
	$(Q)mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(ldflags) $(LDFLAGS) -o $@ $^ $(libs) $(LDLIBS)

include tests/gates.mk

-include $(objs:.o=.d) $(test_bins:$(O)/%=$(O)/obj/%.d) $(bench_bins:$(O)/%=$(O)/obj/%.d) \
         $(foreach p,$(progs),$(O)/obj/$(main_$(p):.c=.d))
