# SPDX-License-Identifier: GPL-2.0-or-later
srcs  += probes/audit/report.c
tests += audit_report
srcs  += probes/audit/rule.c probes/audit/rules.c probes/audit/netlink.c
tests += audit_rule audit_rules audit_netlink
fuzz  += audit_reply audit_report
srcs  += probes/audit/types.c probes/audit/parse.c probes/audit/decode.c probes/audit/syscalls.c
srcs  += probes/audit/ring.c probes/audit/gaps.c probes/audit/assemble.c
tests += audit_parse audit_decode audit_ring audit_ring_kill audit_gaps audit_assemble
fuzz  += audit_record audit_assemble audit_ring

# Tables of system call names from the kernel's headers. A header of another architecture
# has other contents under the same name, hence the #if.
audit_unistd = printf '\043if $(2)\n\043include <$(1)>\n\043endif\n' | \
	$(CC) -E -dM -D__BITS_PER_LONG=64 -D__ARCH_WANT_RENAMEAT -D__ARCH_WANT_NEW_STAT \
	-D__ARCH_WANT_SET_GET_RLIMIT -D__ARCH_WANT_TIME32_SYSCALLS -D__ARCH_WANT_SYS_CLONE3 - | \
	awk -v table=$(3) -f probes/audit/syscalls.awk
gen += $(O)/gen/audit_syscalls.h
$(O)/gen/audit_syscalls.h: probes/audit/syscalls.awk
	$(Q)mkdir -p $(@D)
	@echo "  GEN  $@"
	$(Q)( $(call audit_unistd,asm/unistd_64.h,defined(__x86_64__),names_x86_64) && \
	  $(call audit_unistd,asm/unistd_32.h,defined(__x86_64__),names_i386) && \
	  $(call audit_unistd,asm-generic/unistd.h,1,names_generic64) ) > $@.tmp && mv $@.tmp $@
$(O)/obj/probes/audit/syscalls.o: $(O)/gen/audit_syscalls.h
