/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/mark.h"

#include <fcntl.h>
#include <stdio.h>

#include "agent/base/fs.h"

#define PATH_SIZE 768u

/* The next line must be "name NUMBER". */
static int line_get(struct str *rest, struct str name, uint64_t *ret_value)
{
	struct str line = str_split(rest, '\n');
	struct str word = str_split(&line, ' ');

	if (!str_eq(word, name))
		return -EINVAL;
	return parse_u64(line, 0, UINT64_MAX, ret_value) < 0 ? -EINVAL : 0;
}

int mark_parse(struct str text, struct mark *ret_mark)
{
	struct mark m = { 0 };
	struct str rest = text;

	if (!str_ends(text, STR("\n")) || line_get(&rest, STR("reserved"), &m.reserved) < 0 ||
	    line_get(&rest, STR("last"), &m.last) < 0 ||
	    line_get(&rest, STR("cursor"), &m.cursor) < 0 ||
	    line_get(&rest, STR("epoch"), &m.epoch) < 0 || rest.n > 0)
		return -EINVAL;
	if (m.reserved > MARK_RESERVED_MAX || m.last > m.reserved || m.cursor > m.last)
		return -EINVAL;
	*ret_mark = m;
	return 0;
}

int mark_read(const char *dir, struct mark *ret_mark)
{
	cleanup_(buf_cleanup) struct buf b = { .max = MARK_TEXT_MAX };
	char path[PATH_SIZE];
	int e = fs_path(path, sizeof(path), "%s/" MARK_NAME, dir);

	if (e == 0)
		e = fs_read_file(AT_FDCWD, path, &b);
	if (e < 0)
		return e == -EFBIG ? -EINVAL : e;
	return mark_parse(buf_str(&b), ret_mark);
}

int mark_write(const char *dir, const struct mark *m)
{
	char path[PATH_SIZE];
	char text[MARK_TEXT_MAX];
	int e = fs_path(path, sizeof(path), "%s/" MARK_NAME, dir);
	int n = snprintf(text, sizeof(text), "reserved %llu\nlast %llu\ncursor %llu\nepoch %llu\n",
			 (unsigned long long)m->reserved, (unsigned long long)m->last,
			 (unsigned long long)m->cursor, (unsigned long long)m->epoch);

	if (e < 0)
		return e;
	return fs_write_file_atomic(AT_FDCWD, path, (struct str){ .p = text, .n = (size_t)n },
				    0600);
}
