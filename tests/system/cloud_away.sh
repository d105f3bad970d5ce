#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The endpoint goes away, comes back, and is killed in the middle: events wait,
# arrive later, and none is doubled.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

trial_start '{"cloud": {"linger_ms": 100, "heartbeat_s": 5}}'
port=${ENDPOINT##*:}

cloud_start() {
	"$CLOUDD" serve --data "$CLOUD" --listen "127.0.0.1:$port" >>"$work/cloudd.log" 2>&1 &
	cloud_pid=$!
}
cloud_pid=$CLOUDD_PID
cloud_kill() {
	kill "-$1" "$cloud_pid" 2>/dev/null
	within 20 not test -d "/proc/$cloud_pid"
}
trial_clean() { cloud_kill KILL; }

burst first 20
check "events arrive" within 30 all_stored first 20
cloud_kill TERM
burst away 50
check "health says that the cloud is away" within 60 has_issue "reporter cannot reach cloud"
waits() { [ "$(health --output json | jq -r .reporterQueueDepth)" -ge 50 ]; }
check "events wait in the journal" within 10 waits
cloud_start
check "and arrive when it is back" within 120 all_stored away 50
check "health is well again" within 30 not has_issue "reporter cannot reach cloud"

for i in 1 2 3 4 5 6 7 8 9 10; do
	burst "killed-$i" 40 &
	burst_pid=$!
	sleep "0.$((RANDOM % 4))"
	cloud_kill KILL
	cloud_start
	wait "$burst_pid"
done
for i in 1 2 3 4 5 6 7 8 9 10; do
	check "kill -9 of cloudd, round $i: each event once" within 120 all_stored "killed-$i" 40
done
check "sequence numbers are distinct" same "$(at_cloud | jq -r .seq | sort -n | uniq -d | wc -l)" 0
finish
