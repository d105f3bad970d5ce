#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Proportional set size of all programs, idle and onboarded (proc_pid_smaps_rollup(5)).
# shellcheck source-path=SCRIPTDIR source=../system/lib.sh
. "$(dirname "$0")/../system/lib.sh" >/dev/null
limit_kib=$((20 * 1024))

trial_start
burst warm 50
within 60 all_stored warm 50
sleep 15 # idle: batches sent, buffers given back
total=0
for pid in "$AGENTD_PID" $(pgrep -P "$AGENTD_PID"); do
	kib=$(awk '/^Pss:/{print $2}' "/proc/$pid/smaps_rollup")
	printf '  %-16s %6d KiB PSS\n' "$(cat "/proc/$pid/comm")" "$kib"
	total=$((total + kib))
done
printf 'memory of all programs, idle and onboarded: %d KiB PSS, limit %d: %s\n' "$total" $limit_kib \
	"$([ $total -le $limit_kib ] && echo reached || echo MISSED)"
trial_end
