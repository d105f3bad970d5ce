# SPDX-License-Identifier: GPL-2.0-or-later
srcs  += probes/audit/report.c
tests += audit_report
