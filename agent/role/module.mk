# SPDX-License-Identifier: GPL-2.0-or-later
srcs += agent/role/role.c
tests += role
