# SPDX-License-Identifier: GPL-2.0-or-later
# awk -f tests/layers.awk tests/layers.txt FILES...
# Fails on an include that layers.txt does not allow: of a folder of ours, of a
# library's header outside the files that wrap that library, or of a .c file.

function say(text)
{
	printf "%s:%d: %s\n", FILENAME, FNR, text
	bad++
}

# The row of layers.txt with the longest folder that `folder` is or lies in.
function row_of(folder)
{
	while (folder != "" && !(folder in may)) {
		if (folder !~ /\//)
			return ""
		sub(/\/[^\/]*$/, "", folder)
	}
	return folder
}

# Whether `path` is in the list of files and folders ("*" is all).
function is_listed(path, list,    i, n, words)
{
	n = split(list, words, " ")
	for (i = 1; i <= n; i++)
		if (words[i] == "*" || words[i] == path || index(path, words[i] "/") == 1)
			return 1
	return 0
}

NR == FNR {
	sub(/#.*/, "")
	if ($0 ~ /^[ \t]*$/)
		next
	at = index($0, ":")
	key = substr($0, 1, at - 1)
	if (sub(/^library /, "", key))
		library[key] = substr($0, at + 1)
	else
		may[key] = substr($0, at + 1)
	next
}

FNR == 1 {
	folder = FILENAME
	sub(/\/[^\/]*$/, "", folder)
	row = row_of(folder)
	if (row == "")
		say("folder " folder " is not in tests/layers.txt")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, parts, "\"")
	name = parts[2]
	if (name ~ /\.c$/)
		say("includes the source " name)
	if (name !~ /\// || name ~ /^gen\//)
		next # made by the build: $(O)/gen
	if (row == "")
		next
	to = name
	sub(/\/[^\/]*$/, "", to)
	if (row_of(to) != row && !is_listed(to, may[row]))
		say(row " may not include " name)
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	name = $0
	sub(/^[^<]*</, "", name)
	sub(/>.*/, "", name)
	for (key in library)
		if (index(name, key) == 1 && !is_listed(FILENAME, library[key]))
			say("only" library[key] " may include <" name ">")
}

END {
	exit bad > 0
}
