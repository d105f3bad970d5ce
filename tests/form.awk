# SPDX-License-Identifier: GPL-2.0-or-later
# awk -f tests/form.awk FILES...: what a C file may not hold. Banned calls (comments
# and strings are left out of the search), more than 900 lines, no SPDX line first,
# a header without #pragma once, threads in the agent, work left for later.

function say(text)
{
	printf "%s:%d: %s\n", FILENAME, FNR, text
	bad++
}

function file_end()
{
	if (last == "")
		return
	if (lines > 900)
		printf "%s: %d lines, 900 are allowed\n", last, lines
	if (last ~ /\.h$/ && !has_pragma)
		printf "%s: no #pragma once\n", last
	bad += (lines > 900) + (last ~ /\.h$/ && !has_pragma)
}

# The line without strings, character constants and comments.
function code_of(line,    out, c, two)
{
	out = ""
	while (line != "") {
		if (in_comment) {
			if (!match(line, /\*\//))
				return out
			line = substr(line, RSTART + 2)
			in_comment = 0
			continue
		}
		c = substr(line, 1, 1)
		two = substr(line, 1, 2)
		if (two == "//")
			return out
		if (two == "/*") {
			in_comment = 1
			line = substr(line, 3)
		} else if (c == "\"" && match(line, /^"([^"\\]|\\.)*"/)) {
			out = out "\"\""
			line = substr(line, RLENGTH + 1)
		} else if (c == "'" && match(line, /^'([^'\\]|\\.)*'/)) {
			out = out "' '"
			line = substr(line, RLENGTH + 1)
		} else {
			out = out c
			line = substr(line, 2)
		}
	}
	return out
}

BEGIN {
	names = "strcpy strcat sprintf vsprintf gets strtok strtok_r strncpy strncat atoi atol " \
		"atoll atof strtol strtoll strtoul strtoull scanf fscanf sscanf vscanf vsscanf " \
		"system popen tmpnam tempnam mktemp alloca asctime localtime gmtime ctime rand " \
		"srand readdir_r signal getenv stpcpy wordexp"
	n_banned = split(names, list, " ")
	for (i = 1; i <= n_banned; i++)
		banned[list[i]] = 1
}

FNR == 1 {
	file_end()
	last = FILENAME
	has_pragma = in_comment = 0
	if ($0 !~ /SPDX-License-Identifier: GPL-2\.0-or-later/)
		say("the first line is not the SPDX line")
}

{
	lines = FNR
	# The issue that a TODO names makes it a plan; a bare one is forgotten.
	if ($0 ~ /(^|[^A-Za-z_])(TODO|FIXME)([^A-Za-z_]|$)/ && $0 !~ /#[0-9]/)
		say("work left for later")
	if ($0 ~ /NOLINT/ && $0 !~ /NOLINT(NEXTLINE|BEGIN|END)?\([a-z]/)
		say("NOLINT names no check")
	code = code_of($0)
	if (code ~ /^[ \t]*#[ \t]*pragma[ \t]+once/)
		has_pragma = 1
	rest = code
	while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
		word = substr(rest, RSTART, RLENGTH)
		before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
		sub(/[ \t]*\($/, "", word)
		# A member of that name is another thing.
		if ((word in banned) && before != "." && before != ">")
			say(word "() is banned")
		if (word == "pthread_create" && FILENAME !~ /^cloud\//)
			say("threads are cloud's alone")
		rest = substr(rest, RSTART + RLENGTH)
	}
	if (code ~ /^[ \t]+extern[ \t]|^extern[ \t]/ && FILENAME ~ /\.c$/)
		say("extern belongs into a header")
}

END {
	file_end()
	exit bad > 0
}
