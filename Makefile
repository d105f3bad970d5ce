# SPDX-License-Identifier: GPL-2.0-or-later
# endpoint-agent: one non-recursive build. A folder adds itself by its module.mk:
#   srcs  += agent/base/buf.c            library code
#   tests += buf                         tests/unit/buf_test.c
#   fuzz  += jsonr                       tests/fuzz/jsonr_fuzz.c, tests/fuzz/corpus/jsonr/
#   progs += sbin/agentd                 a program, its main file below
#   main_sbin/agentd := agent/main/main.c
#   pages += agentd.8                    $(O)/man/agentd.8, its rule in the same module.mk
#   gen   += $(O)/gen/x.h                a generated header, likewise
# tests/bench/*_bench.c and tests/system/*.c are found by name. $(O) mirrors the
# installed tree (sbin, bin, libexec); objects lie beside it. `make help` lists targets.

.DEFAULT_GOAL := all

O          ?= build
CFLAGS     ?= -O2 -g
SAN        ?=
V          ?= 0
PREFIX     ?= /usr
SYSCONFDIR ?= /etc
DESTDIR    ?=
FUZZ_S     ?= 20
Q          := $(if $(filter 0,$(V)),@,)

VERSION := $(shell cat VERSION)
# Whom a build is made for: Production, External, InsiderFast or Dogfood; health shows it.
RELEASE_RING ?= Production
# Builds repeat: the time is the packager's, else the last commit's.
BUILD_EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell git -c safe.directory="$(CURDIR)" log -1 \
                 --format=%ct 2>/dev/null),0)

# -fcf-protection is x86's alone.
machine := $(shell $(CC) -dumpmachine)
warn    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
           -Wformat=2 -Wundef -Wwrite-strings -Wpointer-arith -Wcast-qual -Wimplicit-fallthrough
harden  := -fstack-protector-strong -fstack-clash-protection -fPIE -fno-common \
           $(if $(filter x86_64% i%86%,$(machine)),-fcf-protection) \
           $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
defs    := -std=gnu17 -D_GNU_SOURCE -I. -I$(O) -I$(O)/gen
cflags  := $(defs) $(warn) $(harden) -MMD -MP -ffunction-sections -fdata-sections \
           $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
           $(if $(FUZZ),-fsanitize=fuzzer-no-link) $(if $(OOM),-include tests/oom.h) \
           $(if $(CI),-Werror)
ldflags := -pie -Wl,-z,relro,-z,now -Wl,--as-needed -Wl,--gc-sections \
           $(if $(SAN),-fsanitize=$(SAN))
libs    := -lcjson -lcurl -lsqlite3 -laudit -lseccomp -lmicrohttpd -lgnutls -lzstd -lssl -lcrypto

srcs  :=
tests :=
fuzz  :=
progs :=
pages :=
gen   := $(O)/gen/version.h
include $(wildcard */module.mk */*/module.mk)

objs       := $(srcs:%.c=$(O)/obj/%.o)
main_srcs  := $(foreach p,$(progs),$(main_$(p)))
bench_srcs := $(wildcard tests/bench/*_bench.c)
sys_srcs   := $(wildcard tests/system/*.c)
test_srcs  := $(tests:%=tests/unit/%_test.c) $(fuzz:%=tests/fuzz/%_fuzz.c)
prog_bins  := $(progs:%=$(O)/%)
test_bins  := $(tests:%=$(O)/tests/unit/%_test)
replays    := $(fuzz:%=$(O)/tests/fuzz/%_replay)
fuzz_bins  := $(fuzz:%=$(O)/tests/fuzz/%_fuzz)
bench_bins := $(bench_srcs:%.c=$(O)/%)
sys_bins   := $(sys_srcs:%.c=$(O)/%)
page_files := $(pages:%=$(O)/man/%)
lib_parts  := $(if $(OOM),$(O)/obj/tests/oom.o) $(O)/libagent.a

.PHONY: all progs pages help
all: progs pages $(test_bins)
progs: $(prog_bins)
pages: $(page_files)

help:
	@echo "all progs pages check check-asan check-oom check-compilers lint layers fuzz bench"
	@echo "deps demo install clean; variables: O CFLAGS LDFLAGS CC SAN V PREFIX DESTDIR FUZZ_S"

# Objects are kept: make takes them for intermediate files of the test programs.
.SECONDARY:

$(O)/obj/%.o: %.c | $(gen)
	$(Q)mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(cflags) $(CFLAGS) $(cflags_$<) -c -o $@ $<

# The allocator that fails must itself reach the real one.
$(O)/obj/tests/oom.o: cflags := $(filter-out -include tests/oom.h,$(cflags))

$(O)/libagent.a: $(objs)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Rewritten only when its content changes, so that nothing is compiled in vain.
$(O)/gen/version.h: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '/* Made by the Makefile from VERSION and the last commit. */' \
	  '#pragma once' '#include <stdint.h>' '#define AGENT_VERSION "$(VERSION)"' \
	  '#define AGENT_RELEASE_RING "$(RELEASE_RING)"' \
	  '#define AGENT_BUILD_EPOCH UINT64_C($(BUILD_EPOCH)) /* seconds since 1970 */' >$@.tmp
	$(Q)if cmp -s $@.tmp $@; then rm -f $@.tmp; else mv $@.tmp $@; fi
.PHONY: FORCE
FORCE:

define link
	$(Q)mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(ldflags) $(LDFLAGS) -o $@ $^ $(libs) $(LDLIBS)
endef

define prog_rule
$(O)/$(1): $(O)/obj/$(main_$(1):.c=.o) $(lib_parts)
	$$(link)
endef
$(foreach p,$(progs),$(eval $(call prog_rule,$(p))))

$(O)/tests/unit/%_test: $(O)/obj/tests/unit/%_test.o $(lib_parts)
	$(link)

$(O)/tests/fuzz/%_replay: $(O)/obj/tests/fuzz/%_fuzz.o $(O)/obj/tests/fuzz/replay.o $(lib_parts)
	$(link)

$(O)/tests/fuzz/%_fuzz: $(O)/obj/tests/fuzz/%_fuzz.o $(lib_parts)
	$(Q)mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(ldflags) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(libs) $(LDLIBS)

$(O)/tests/bench/%: $(O)/obj/tests/bench/%.o $(lib_parts)
	$(link)

$(O)/tests/system/%: $(O)/obj/tests/system/%.o $(lib_parts)
	$(link)

include tests/gates.mk
include packaging/install.mk

-include $(objs:.o=.d) $(patsubst %.c,$(O)/obj/%.d,$(main_srcs) $(test_srcs) $(bench_srcs) \
         $(sys_srcs) tests/fuzz/replay.c tests/oom.c)
