#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each program tries from inside its cage to open, connect, execute and trace, and fails.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

inject=$build/tests/system/inject
trial_start '{"supervise": {"backoff_min_ms": 20, "backoff_max_ms": 50}}'

refused() { # ROLE CALL: an error or SIGSYS, never "allowed"
	local out
	within 20 role_runs "$1" || { echo "agent-$1 does not run"; return 1; }
	out=$("$inject" "$(role_pid "$1")" "$2") || return 1
	echo "$out"
	case $out in
	*": killed SIGSYS" | *": EACCES" | *": EPERM") ;;
	*) return 1 ;;
	esac
}

declare -A calls=(
	[store]="open open-passwd create socket socket-netlink exec ptrace kill mmap-exec setuid bpf mount"
	[hunt]="open open-passwd create socket socket-netlink exec ptrace kill mmap-exec setuid bpf mount"
	[reporter]="open create socket-netlink exec ptrace kill mmap-exec setuid bpf mount"
	[sensor]="open create socket socket-netlink exec ptrace kill mmap-exec setuid bpf mount"
	[control]="open open-passwd create socket socket-netlink exec ptrace kill mmap-exec setuid bpf mount"
)
for role in store hunt reporter sensor control; do
	for call in ${calls[$role]}; do
		check "agent-$role cannot $call" refused "$role" "$call"
	done
done

no_caps_but() { # ROLE HEX: effective, permitted, inheritable, ambient and bounding sets
	local status
	within 20 role_runs "$1" || return 1
	status=$(cat "/proc/$(role_pid "$1")/status")
	echo "$status" | grep -E '^(Cap|Uid|Gid|NoNewPrivs|Seccomp|Groups)'
	same "$(echo "$status" | awk '/^CapEff|^CapPrm/{print $2}' | sort -u)" "$2" &&
		same "$(echo "$status" | awk '/^CapInh/{print $2}')" 0000000000000000 &&
		same "$(echo "$status" | awk '/^CapAmb/{print $2}')" 0000000000000000 &&
		same "$(echo "$status" | awk '/^CapBnd/{print $2}')" "$2" &&
		same "$(echo "$status" | awk '/^NoNewPrivs/{print $2}')" 1 &&
		same "$(echo "$status" | awk '/^Seccomp:/{print $2}')" 2 &&
		not [ "$(echo "$status" | awk '/^Uid/{print $2}')" = 0 ] &&
		same "$(echo "$status" | sed -n 's/^Groups:[[:space:]]*//p')" ""
}
none=0000000000000000
check "agent-store holds no capability" no_caps_but store $none
check "agent-hunt holds no capability" no_caps_but hunt $none
check "agent-reporter holds no capability" no_caps_but reporter $none
check "agent-control holds no capability" no_caps_but control $none
check "agent-sensor holds CAP_SYS_PTRACE alone" no_caps_but sensor 0000000000080000

by_hand() { # ROLE: refuses to run without agentd
	local out status
	out=$("$build/libexec/endpoint-agent/agent-$1" 2>&1 </dev/null)
	status=$?
	echo "$out"
	[ "$status" = 2 ] && [ "$out" = "agent-$1 is started by agentd only" ]
}
for role in store hunt reporter sensor control; do
	check "agent-$role refuses to be started by hand" by_hand "$role"
done
finish
