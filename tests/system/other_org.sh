#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The host comes to an unrelated organisation while events wait for the old one's
# endpoint: those stay here, said and counted, and the new endpoint gets its own.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# The reporter looks for a trust folder before it closes its cage.
trial_prepare() { mkdir -p "$work/etc/endpoint-agent/trust"; }
trial_start '{"cloud": {"linger_ms": 100}}'
first=$CLOUD
other=$work/other

burst sent 10
check "events arrive at the first endpoint" within 30 all_stored sent 10
kill "$CLOUDD_PID"
within 20 not test -d "/proc/$CLOUDD_PID"
burst kept 50
here() {
	same "$("$AGENTCTL" --prefix "$PREFIX" hunt --output json "SELECT count(*) AS n FROM DeviceProcessEvents
		WHERE ProcessCommandLine LIKE '/bin/true kept %'" | jq -r ".[0].n")" 50
}
check "others wait for it" within 20 here

"$CLOUDD" serve --data "$other" --listen 127.0.0.1:0 >>"$work/cloudd.log" 2>&1 &
other_pid=$!
trial_clean() { kill "$other_pid"; }
within 30 test -s "$other/endpoint"
"$CLOUDD" onboarding --data "$other" --out "$work/other.json" >>"$work/cloudd.log" 2>&1
install -m 644 "$other/pki/onboarding-root.pem" "$work/etc/endpoint-agent/trust/onboarding-ca.pem"
check "the host is onboarded to the other one" "$AGENTCTL" --prefix "$PREFIX" onboard "$work/other.json"
CLOUD=$other
# What the sensor has in hand while the organisation changes is nobody's.
arrives() { burst settled 1 && sleep 0.2 && [ -n "$(stored settled)" ]; }
check "then events arrive there" within 60 arrives
burst own 20
check "its own events arrive there" within 60 all_stored own 20
check "and none of those that waited" same "$(stored kept)" ""
check "they are here still" here
dropped() { [ "$(health_value journal journal_dropped)" -ge 50 ]; }
check "they are counted" dropped
check "and named" grep -q "were gathered for another organisation" "$work/agentd.log"
CLOUD=$first
check "the first endpoint has what it had" all_stored sent 10
finish
