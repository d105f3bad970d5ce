/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/shed.h"

#include "agent/sensor/normalise.h"
#include "probes/audit/decode.h"
#include "probes/audit/syscalls.h"

/* From which fill on, in percent, a class is turned away. */
static const uint8_t limits[EVENT_CLASSES] = {
	[EVENT_CLASS_NOISE] = 50, [EVENT_CLASS_FILE] = 70,  [EVENT_CLASS_NET] = 80,
	[EVENT_CLASS_EXEC] = 90,  [EVENT_CLASS_KEEP] = 101,
};

/* Records that only decorate an event. */
static bool is_decoration(uint16_t type)
{
	return type == AUDIT_REC_PROCTITLE || type == AUDIT_REC_BPRM_FCAPS ||
	       type == AUDIT_REC_MMAP;
}

static enum event_class call_class(struct str text)
{
	struct audit_call c;
	const char *name;

	audit_call_decode(text, &c);
	name = c.has_call ? audit_syscall_name(c.arch, c.nr) : NULL;
	if (name == NULL)
		return EVENT_CLASS_NOISE;
	if (strcmp(name, "connect") == 0 || strcmp(name, "socketcall") == 0)
		return EVENT_CLASS_NET;
	if (normaliser_is_file_call(name))
		return EVENT_CLASS_FILE;
	return EVENT_CLASS_EXEC; /* programs, modules, identities: whatever rule asked for it */
}

static bool is_marked(const struct shed *s, uint32_t serial)
{
	return s->serials[serial % SHED_SERIALS] == (uint64_t)serial + 1;
}

enum shed_verdict shed_record(struct shed *s, uint16_t type, struct str payload, size_t fill,
			      size_t size, enum event_class *ret_class)
{
	unsigned int percent = (unsigned int)((uint64_t)fill * 100 / size);
	struct audit_record rec;
	enum event_class class;

	if (percent < limits[EVENT_CLASS_NOISE])
		return SHED_ADMIT;
	if (audit_record_parse(type, payload, &rec) < 0)
		return SHED_ADMIT;
	if (type != AUDIT_REC_SYSCALL) {
		if (is_marked(s, rec.serial))
			return SHED_QUIET;
		return is_decoration(type) ? SHED_QUIET : SHED_ADMIT;
	}
	class = call_class(rec.text);
	if (percent < limits[class]) {
		/* The place may hold an old event's serial. */
		s->serials[rec.serial % SHED_SERIALS] = 0;
		return SHED_ADMIT;
	}
	s->serials[rec.serial % SHED_SERIALS] = (uint64_t)rec.serial + 1;
	*ret_class = class;
	return SHED_COUNT;
}
