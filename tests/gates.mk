# SPDX-License-Identifier: GPL-2.0-or-later
# Targets that check: included by the Makefile.

.PHONY: check
check: $(test_bins)
	$(Q)prove -e '' $(test_bins)
