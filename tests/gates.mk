# SPDX-License-Identifier: GPL-2.0-or-later
# Targets that check: included by the Makefile. CI=1 makes warnings errors.

JOBS := $(shell nproc)
# Gates run their own jobs in parallel; a -j from the command line wins.
par = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS) --output-sync=target)
sub = +$(Q)$(MAKE) $(par) --no-print-directory

# --- tests ---------------------------------------------------------------------
# tests/run says what each program did and, last, `N passed, N failed, N skipped`.
# Sanitizers do not live in the roles' sandboxes: check-asan has no system tests.

SUITES ?= unit golden fuzz pages system

suite_unit   := $(test_bins:%=unit:%)
suite_fuzz   := $(replays:%=fuzz:%)
suite_golden := $(patsubst %,golden:%,$(sort $(wildcard tests/golden/run tests/golden/*/run)))
suite_pages  := $(if $(pages),pages:tests/pages)
suite_system := $(patsubst %,system:%,$(sort $(filter-out %/lib.sh,$(wildcard tests/system/*.sh))))

.PHONY: check check-bins check-asan check-oom check-oom-run check-compilers
check:
	$(sub) check-bins
	$(Q)BUILD=$(abspath $(O)) tests/run $(foreach s,$(SUITES),$(suite_$(s)))

check-bins: progs pages $(test_bins) $(replays) $(sys_bins)

check-asan:
	$(sub) O=$(O)-asan SAN=address,undefined CFLAGS='-O1 -g' SUITES='unit golden fuzz' check

# Each unit test with the nth allocation failing, for every n; how a test is
# judged: tests/oom.
check-oom:
	$(sub) O=$(O)-oom OOM=1 SAN=address,undefined CFLAGS='-O1 -g' check-oom-run
check-oom-run: $(test_bins)
	$(Q)tests/oom $(abspath $(O))/oom $(test_bins)

check-compilers:
	$(sub) O=$(O)-gcc CC=gcc CI=1 progs check-bins bench-bins
	$(sub) O=$(O)-clang CC=clang CI=1 progs check-bins bench-bins

# --- fuzzing -------------------------------------------------------------------
# The corpora are copied, the tree is not written. What crashed stays in $(O)/fuzz.

.PHONY: fuzz fuzz-run
fuzz:
	$(sub) O=$(O)-fuzz CC=clang FUZZ=1 SAN=address,undefined CFLAGS='-O1 -g' fuzz-run
fuzz-run: $(fuzz_bins)
	$(Q)FUZZ_S=$(FUZZ_S) tests/fuzz/run $(abspath $(O))/fuzz $(fuzz_bins)

# --- figures -------------------------------------------------------------------

.PHONY: bench bench-bins
bench-bins: $(bench_bins)
bench: progs bench-bins
	$(Q)BUILD=$(abspath $(O)) tests/bench/run $(bench_bins) $(sort $(wildcard tests/bench/*.sh))

# --- lint ----------------------------------------------------------------------
# What a tool has passed is remembered by a stamp under $(O)/lint and looked at
# again when the file, a header it includes or the tool's configuration changes.

c_files  := $(sort $(wildcard $(addsuffix *.c,./ */ */*/ */*/*/) $(addsuffix *.h,*/ */*/ */*/*/)))
c_files  := $(patsubst ./%,%,$(filter-out $(O)/% $(O)-%,$(c_files)))
tu_files := $(sort $(wildcard packaging/*/*.c) $(srcs) $(main_srcs) $(test_srcs) $(bench_srcs) $(sys_srcs) \
              $(if $(fuzz),tests/fuzz/replay.c) tests/oom.c)
scripts   = $(shell grep -lE '^\#!/bin/(ba|da)?sh|^\# shellcheck shell=' $$(find tests packaging .ci \
              -type f ! -name '*.c' ! -name '*.h') </dev/null)
tidy_ok  := $(tu_files:%.c=$(O)/lint/%.tidy)
gcc_ok   := $(filter-out $(O)/lint/tests/%,$(tu_files:%.c=$(O)/lint/%.gcc))
format_ok := $(c_files:%=$(O)/lint/%.format)

.PHONY: lint lint-all layers form shell cppcheck man-lint
lint:
	$(sub) lint-all
lint-all: layers form shell man-lint cppcheck $(format_ok) $(gcc_ok) $(tidy_ok)

layers:
	@echo "  LINT layers"
	$(Q)awk -f tests/layers.awk tests/layers.txt $(c_files)

form:
	@echo "  LINT banned calls, lengths"
	$(Q)awk -f tests/form.awk $(c_files)

shell:
	@echo "  LINT shellcheck"
	$(Q)shellcheck -x $(scripts)

man-lint: pages
	@echo "  LINT mandoc"
	$(Q)$(if $(page_files),mandoc -T lint -W warning $(page_files))

# Its own folder remembers what is unchanged.
cppcheck: $(gen)
	@echo "  LINT cppcheck"
	$(Q)mkdir -p $(O)/lint/cppcheck
	$(Q)cppcheck --quiet --enable=warning,portability --error-exitcode=1 --inline-suppr -j2 \
	  --std=c11 --cppcheck-build-dir=$(O)/lint/cppcheck --suppressions-list=tests/cppcheck.txt \
	  -D__x86_64__ -D__GNUC__=12 -I. -I$(O) -I$(O)/gen $(tu_files)

$(format_ok): $(O)/lint/%.format: % .clang-format
	$(Q)mkdir -p $(@D)
	$(Q)clang-format --dry-run -Werror $<
	$(Q)touch $@

$(O)/lint/%.tidy: %.c .clang-tidy tests/.clang-tidy | $(gen)
	$(Q)mkdir -p $(@D)
	@echo "  TIDY $<"
	$(Q)clang-tidy --quiet $< -- $(defs) 2>$@.err || { cat $@.err; exit 1; }
	$(Q)$(CC) $(defs) -MM -MP -MT $@ -MF $@.d $<
	$(Q)touch $@

# The analyzer of gcc follows the cleanup attribute, which clang's does not: it
# looks for leaks, double frees and use after free. Where clang's is as good, gcc 12
# takes an output parameter for unset after the second call of a function.
no_analyzer := -Wno-analyzer-null-dereference -Wno-analyzer-use-of-uninitialized-value
$(O)/lint/%.gcc: %.c | $(gen)
	$(Q)mkdir -p $(@D)
	@echo "  ANLZ $<"
	$(Q)gcc $(defs) -O1 -fanalyzer -Werror $(no_analyzer) -MMD -MP -MT $@ -MF $@.d -c -o $(O)/lint/$*.gcc.o $<
	$(Q)mv $(O)/lint/$*.gcc.o $@

-include $(tidy_ok:=.d) $(gcc_ok:=.d)
