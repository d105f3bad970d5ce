/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of system calls by the audit arch and number of a SYSCALL record. The tables
 * are generated from the kernel's headers of the build host: x86_64, i386, aarch64 (and
 * riscv64, which shares its table). Numbers from 424 on are the same everywhere.
 */
#pragma once

#include "agent/base/base.h"

/* Borrowed constant; NULL when the arch or the number is not known. */
const char *audit_syscall_name(uint32_t arch, uint32_t nr);
