# SPDX-License-Identifier: GPL-2.0-or-later
# deps, install, clean, demo: included by the Makefile.

datadir := $(DESTDIR)$(PREFIX)/share
etcdir  := $(DESTDIR)$(SYSCONFDIR)/endpoint-agent

.PHONY: deps install clean demo

# Everything that building, testing, checking and measuring needs.
deps:
	$(Q)packaging/deps $(abspath $(O))/peers

# Programs find each other relative to their own path, so a DESTDIR tree runs too.
# The configuration folders are made empty: every setting has a built-in value.
# Tools of the tests are built like programs but stay where they are.
installed := $(filter-out tests/%,$(progs))

install: progs pages
	$(Q)$(foreach p,$(installed),install -D -m 755 $(O)/$(p) $(DESTDIR)$(PREFIX)/$(p) &&) true
	$(Q)$(foreach m,$(pages),install -D -m 644 $(O)/man/$(m) \
	  $(datadir)/man/man$(patsubst .%,%,$(suffix $(m)))/$(m) &&) true
	$(Q)install -d -m 755 $(datadir)/endpoint-agent $(etcdir) $(etcdir)/conf.d

clean:
	$(Q)rm -rf $(O) $(O)-asan $(O)-oom $(O)-fuzz $(O)-gcc $(O)-clang

# The main job from end to end. KEEP=1 keeps agent and cloud endpoint running.
demo: deps
	+$(Q)$(MAKE) $(par) --no-print-directory progs
	$(Q)KEEP='$(KEEP)' BUILD=$(abspath $(O)) tests/demo
