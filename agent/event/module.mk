# SPDX-License-Identifier: GPL-2.0-or-later
srcs  += agent/event/event.c agent/event/encode.c agent/event/views.c
tests += event encode views
fuzz  += record
