/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/event/views.h"

#include <string.h>
#include <strings.h>

/* True when no earlier kind has the same table: each view is made once. */
static bool is_first_of_table(size_t kind)
{
	for (size_t i = 0; i < kind; i++)
		if (strcmp(event_kinds[i].table, event_kinds[kind].table) == 0)
			return false;
	return true;
}

/* The ActionType without a look at the body, which is the expensive column. */
static void put_action(const char *table, struct buf *out)
{
	buf_add_str(out, STR("CASE kind"));
	for (size_t i = 0; i < EVENT_KINDS; i++)
		if (strcmp(event_kinds[i].table, table) == 0)
			buf_printf(out, " WHEN '%s' THEN '%s'", event_kinds[i].id,
				   event_kinds[i].action);
	buf_add_str(out, STR(" END AS ActionType"));
}

static bool is_name(struct str s, const char *name)
{
	return s.n == strlen(name) && strncasecmp(s.p, name, s.n) == 0;
}

/* The condition for all kinds whose table or ActionType is `name`; how many they are. */
static size_t put_kinds(struct str name, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < EVENT_KINDS; i++) {
		if (!is_name(name, event_kinds[i].table) && !is_name(name, event_kinds[i].action))
			continue;
		buf_printf(out, "%s'%s'", n == 0 ? "kind IN (" : ",", event_kinds[i].id);
		n++;
	}
	if (n > 0)
		buf_add_char(out, ')');
	return n;
}

static void put_view(const struct views_source *source, const char *table, struct buf *out)
{
	buf_printf(out, "DROP VIEW IF EXISTS %s;\nCREATE VIEW %s AS SELECT ", table, table);
	if (source->extra != NULL)
		buf_printf(out, "%s, ", source->extra);
	/* The same text as in the body, at a tenth of the cost of looking there. */
	buf_add_str(out, STR("strftime('%Y-%m-%dT%H:%M:%S', ts / 1000000, 'unixepoch')"
			     " || printf('.%06dZ', ts % 1000000) AS Timestamp"));
	buf_printf(out, ", %s AS DeviceId, %s AS DeviceName, seq AS ReportId, ", source->device_id,
		   source->device_name);
	put_action(table, out);
	for (size_t i = 0; i < EVENT_FIELDS; i++)
		if (event_fields[i].place == EVENT_PLACE_TOP)
			buf_printf(out, ",\njson_extract(body,'$.%s') AS %s", event_fields[i].name,
				   event_fields[i].name);
	buf_add_str(out, STR(",\njson_extract(body,'$.AdditionalFields') AS AdditionalFields"
			     ", json_extract(body,'$.SchemaVersion') AS SchemaVersion"));
	buf_printf(out, " FROM %s WHERE ", source->table);
	(void)put_kinds(str_of(table), out);
	buf_add_str(out, STR(";\n"));
}

void views_format(const struct views_source *source, struct buf *out)
{
	for (size_t i = 0; i < EVENT_KINDS; i++)
		if (is_first_of_table(i))
			put_view(source, event_kinds[i].table, out);
}

int views_filter_format(struct str name, struct buf *out)
{
	return put_kinds(name, out) > 0 ? 0 : -ENOENT;
}

int views_kind_find(struct str table, struct str action, enum event_kind *ret_kind)
{
	for (size_t i = 0; i < EVENT_KINDS; i++) {
		if (!str_eq(table, str_of(event_kinds[i].table)) ||
		    !str_eq(action, str_of(event_kinds[i].action)))
			continue;
		*ret_kind = (enum event_kind)i;
		return 0;
	}
	return -ENOENT;
}

int views_kind_parse(struct str id, enum event_kind *ret_kind)
{
	for (size_t i = 0; i < EVENT_KINDS; i++) {
		if (!str_eq(id, str_of(event_kinds[i].id)))
			continue;
		*ret_kind = (enum event_kind)i;
		return 0;
	}
	return -ENOENT;
}
