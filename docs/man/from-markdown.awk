# A page of docs/ as a manual page: awk -v title=WARREN-FLEET -v section=5 -v name="warren-fleet - the file …" -f from-markdown.awk PAGE
#
# Knows what our pages have: headings, paragraphs, lists, tables, blocks of code, `code`, *words* and links.

function escaped(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	if (text ~ /^[.']/)
		text = "\\&" text
	return text
}

# `code` and **words** bold, *words* italic, [words](link) the words alone.
function inline(text,    out, rest, mark) {
	out = ""
	while (match(text, /`[^`]*`|\*\*[^*]+\*\*|\*[A-Za-z][^*]*\*|\[[^]]*\]\([^)]*\)/)) {
		out = out escaped_part(substr(text, 1, RSTART - 1))
		rest = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH)
		mark = substr(rest, 1, 1)
		if (mark == "`")
			out = out "\\fB" escaped_part(substr(rest, 2, length(rest) - 2)) "\\fR"
		else if (substr(rest, 1, 2) == "**")
			out = out "\\fB" escaped_part(substr(rest, 3, length(rest) - 4)) "\\fR"
		else if (mark == "*")
			out = out "\\fI" escaped_part(substr(rest, 2, length(rest) - 2)) "\\fR"
		else {
			sub(/\]\([^)]*\)$/, "", rest)
			out = out inline(substr(rest, 2))
		}
	}
	out = out escaped_part(text)
	if (out ~ /^[.']/)
		out = "\\&" out
	return out
}

function escaped_part(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	return text
}

# What was open before a line of another kind.
function close_block() {
	if (block == "table")
		print ".TE"
	if (block == "code")
		print ".EE\n.RE"
	block = ""
}

function open_block(kind) {
	if (block == kind)
		return 0
	close_block()
	block = kind
	return 1
}

function table_begin(columns,    i, format) {
	for (i = 1; i <= columns; i++)
		format = format (i == columns ? " lx" : " lw(" int(60 / columns) "n)")
	print ".TS\nallbox tab(\001) nospaces;\n" substr(format, 2) "."
}

# A | in `code` of a cell is written \| in Markdown.
function table_row(line,    cells, count, i, out) {
	gsub(/\\\|/, "\002", line)
	sub(/^\|[ ]*/, "", line)
	sub(/[ ]*\|[ ]*$/, "", line)
	count = split(line, cells, /[ ]*\|[ ]*/)
	if (open_block("table"))
		table_begin(count)
	for (i = 1; i <= count; i++) {
		gsub(/\002/, "|", cells[i])
		out = out (i > 1 ? "\001" : "") "T{\n" inline(cells[i]) "\nT}"
	}
	print out
}

BEGIN {
	print "'\\\" t"
	printf ".TH \"%s\" %s \"\" \"warren\" \"File Formats\"\n.SH NAME\n", title, section
	at = index(name, " - ")
	print escaped_part(substr(name, 1, at - 1)) " \\- " escaped_part(substr(name, at + 3))
	print ".SH DESCRIPTION\n.ad l"
}

/^```/ {
	if (fenced) {
		fenced = 0
		close_block()
	} else {
		fenced = 1
		close_block()
		block = "code"
		print ".P\n.RS 4\n.EX"
	}
	next
}
fenced { print escaped($0); next }
/^    / {
	if (open_block("code"))
		print ".P\n.RS 4\n.EX"
	print escaped(substr($0, 5))
	next
}
/^# / { next }
/^##+ / {
	close_block()
	deep = /^###/
	sub(/^#+ /, "")
	print (deep ? ".SS " : ".SH ") (deep ? inline($0) : toupper(escaped_part($0)))
	next
}
/^\|[-| ]*\|$/ { next }
/^\|/ { table_row($0); next }
/^- / {
	close_block()
	print ".IP \\(bu 2"
	block = "list"
	print inline(substr($0, 3))
	next
}
/^$/ {
	close_block()
	between = 1
	next
}
{
	if (block != "list" && open_block("text"))
		print ".P"
	sub(/^  /, "")
	print inline($0)
}
END { close_block() }
