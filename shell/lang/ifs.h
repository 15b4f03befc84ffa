/* SPDX-License-Identifier: MIT */
/*
 * Field splitting (XCU 2.6.5) for read and for expansions. The characters of IFS are compiled once; what was
 * quoted never separates.
 */
#ifndef R3SH_IFS_H
#define R3SH_IFS_H

#include <stdbool.h>
#include <stddef.h>

enum ifs_class { IFS_NONE, IFS_WHITE, IFS_OTHER };

struct ifs {
    unsigned char byte[256]; /* enum ifs_class of single bytes */
    char *wide; /* the characters of more than one byte, as they stand in IFS; or NULL */
    size_t wide_len;
};

/* `value` is that of the variable IFS, NULL when it is unset: then space, tab, newline. 0 or -ENOMEM. */
int ifs_compile(struct ifs *ifs, const char *value);
void ifs_free(struct ifs *ifs);

/* What the character at the start of the text is, and its length. */
enum ifs_class ifs_at(const struct ifs *ifs, const char *text, size_t len, size_t *size);

struct ifs_field {
    size_t start, len;
};

/*
 * Splits as `read` does into at most `want` fields; the last one takes the rest, separators and all, but for
 * trailing IFS white space, and for one separator when nothing follows it. quoted[i] says that byte i of the
 * text was behind a backslash; NULL: none was. Returns how many fields were filled in; others are empty.
 */
size_t ifs_read(const struct ifs *ifs, const char *text, const bool *quoted, size_t len,
                struct ifs_field *fields, size_t want);

#endif
