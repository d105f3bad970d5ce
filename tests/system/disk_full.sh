#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The journal's disk is full: said in health, counted, and mended when space returns.
# The disk is roomy: events of the whole host count, not only the test's.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

state=
trial_prepare() {
	state=$work/var/lib/endpoint-agent
	mkdir -p "$state" && mount -t tmpfs -o size=96m,mode=755 tmpfs "$state"
}
trial_clean() { umount "$state"; }
trial_start '{"cloud": {"linger_ms": 100}}'

burst before 10
check "events arrive while there is room" within 30 all_stored before 10
dd if=/dev/zero of="$state/fill" bs=1M 2>/dev/null
fill_rest() { dd if=/dev/zero of="$state/fill2" bs=4k 2>/dev/null; }
fill_rest
errors() { [ "$(health_value journal journal_errors)" -gt 0 ]; }
is_refused() { burst during 5; fill_rest; errors; }
check "batches are refused, and counted" within 30 is_refused
check "health says that the journal cannot be written" has_issue "journal cannot be"
burst kept 30
check "every program runs on" all_run
rm -f "$state/fill" "$state/fill2"
check "health is well again when there is room" within 30 not has_issue "journal cannot be"
check "and what happened meanwhile arrives, each once" within 60 all_stored kept 30
finish
