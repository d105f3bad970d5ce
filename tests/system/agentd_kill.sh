#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of agentd itself: no program outlives it, the next one takes over where
# it stopped, what happened in between is stored or counted, and after the last
# one the kernel's audit is as it was before the first.
# ROUNDS: how often (10).
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

rounds=${ROUNDS:-10}
mark=agentd-$$-$(date +%s)
audit_state() {
	auditctl -s | grep -Ev '^(lost|backlog|backlog_wait_time_actual) '
	auditctl -l
}
before=$(audit_state)
trial_start '{"cloud": {"linger_ms": 100}, "events": {"flush_ms": 50}}'

workload() {
	local i=0
	while [ ! -e "$work/stop" ]; do
		i=$((i + 1))
		/bin/true "$mark" $i
		read -rt 0.01 <> <(:)
	done
	echo $i >"$work/happened"
}
family_is_gone() { ! pgrep -f -- "--prefix $PREFIX\$" >/dev/null; }
restart() {
	setsid "$AGENTD" --prefix "$PREFIX" >>"$work/agentd.log" 2>&1 </dev/null &
	AGENTD_PID=$!
	# the trial ends what it knows of
	sed -i "s/^agentd_pid=.*/agentd_pid=$AGENTD_PID/; s/^agentd_start=.*/agentd_start=$(
		sed 's/.*) //' "/proc/$AGENTD_PID/stat" | cut -d' ' -f20)/" "$work/trial.state"
}

workload &
workload_pid=$!
gone=0 ran=0
for ((i = 0; i < rounds; i++)); do
	within 30 all_run && ran=$((ran + 1))
	sleep "0.$((RANDOM % 9))"
	kill -9 "$AGENTD_PID"
	within 5 family_is_gone && gone=$((gone + 1))
	restart
done
check "no program outlives agentd" same $gone "$rounds"
check "each new agentd brings all programs up" same $ran "$rounds"
within 30 all_run
touch "$work/stop"
wait $workload_pid 2>/dev/null
happened=$(cat "$work/happened")
burst "$mark-end" 5
check "events arrive again" within 60 all_stored "$mark-end" 5
stored "$mark" >"$work/stored"
missing=$(comm -13 <(sort -u "$work/stored") <(seq "$happened" | sort) | wc -l)
dropped=$(at_cloud --table DeviceEvents |
	jq -n '[inputs | select(.ActionType=="AgentEventsDropped") | .AdditionalFields.DroppedCount] | add // 0')
note "$happened programs, stored $(wc -l <"$work/stored"), missing $missing, counted as dropped $dropped"
check "nothing is doubled" same "$(uniq -d "$work/stored" | wc -l)" 0
check "what is missing was counted" test "$missing" -le "$dropped"
kill -9 "$AGENTD_PID"
within 5 family_is_gone
check "the trial's end undoes what a killed agentd left" "$top/tests/trial" stop "$work"
check "the kernel's audit is as before" same "$(audit_state)" "$before"
finish
