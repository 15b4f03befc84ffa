/* SPDX-License-Identifier: MIT */
#include "lang/bracket.h"

#include <errno.h>
#include <string.h>

/* Raw bytes that are no characters sort above all characters. */
#define RAW(byte) ((wint_t)0x40000000 + (byte))

/* One item of the list: a character, a class, or the start of a range. */
struct item {
    bool is_class;
    wctype_t class; /* 0: a class that the locale does not know; nothing belongs to it */
    wint_t value;
};

struct reader {
    const char *text;
    size_t at, len;
};

static wint_t read_character(struct reader *r)
{
    wint_t value;
    const size_t at = r->at;

    r->at += mb_decode(r->text + at, r->len - at, &value);
    return value == MB_NONE ? RAW((unsigned char)r->text[at]) : value;
}

/* Names of characters that XBD 6.1 gives and people write in [.name.]. */
static wint_t symbol_named(const char *name, size_t len)
{
    static const struct {
        const char *name;
        char value;
    } names[] = {
        {"NUL", '\0'},
        {"tab", '\t'},
        {"newline", '\n'},
        {"space", ' '},
        {"exclamation-mark", '!'},
        {"quotation-mark", '"'},
        {"number-sign", '#'},
        {"dollar-sign", '$'},
        {"percent-sign", '%'},
        {"ampersand", '&'},
        {"apostrophe", '\''},
        {"left-parenthesis", '('},
        {"right-parenthesis", ')'},
        {"asterisk", '*'},
        {"plus-sign", '+'},
        {"comma", ','},
        {"hyphen", '-'},
        {"hyphen-minus", '-'},
        {"period", '.'},
        {"full-stop", '.'},
        {"slash", '/'},
        {"solidus", '/'},
        {"colon", ':'},
        {"semicolon", ';'},
        {"less-than-sign", '<'},
        {"equals-sign", '='},
        {"greater-than-sign", '>'},
        {"question-mark", '?'},
        {"commercial-at", '@'},
        {"left-square-bracket", '['},
        {"backslash", '\\'},
        {"reverse-solidus", '\\'},
        {"right-square-bracket", ']'},
        {"circumflex", '^'},
        {"underscore", '_'},
        {"low-line", '_'},
        {"grave-accent", '`'},
        {"left-brace", '{'},
        {"vertical-line", '|'},
        {"right-brace", '}'},
        {"tilde", '~'},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == len && memcmp(names[i].name, name, len) == 0)
            return (wint_t)names[i].value;
    return WEOF;
}

/* The end of [:x:], [.x.] or [=x=], whose inside begins at r->at; SIZE_MAX if there is none. */
static size_t inner_end(const struct reader *r, char kind)
{
    for (size_t i = r->at; i + 1 < r->len; i++)
        if (r->text[i] == kind && r->text[i + 1] == ']' && i > r->at)
            return i;
    return SIZE_MAX;
}

/* [:class:], [.symbol.] and [=equivalent=], with r->at behind the first [. False if it is none of them. */
static bool read_inner(struct reader *r, struct item *item)
{
    const char kind = r->at < r->len ? r->text[r->at] : '\0';
    struct reader inside = {r->text, r->at + 1, r->len};
    char name[64];
    size_t end, len;

    if (kind != ':' && kind != '.' && kind != '=')
        return false;
    end = inner_end(&inside, kind);
    if (end == SIZE_MAX)
        return false;
    len = end - inside.at;
    r->at = end + 2;
    if (kind == ':') {
        item->is_class = true;
        if (len < sizeof name) {
            memcpy(name, r->text + inside.at, len);
            name[len] = '\0';
            item->class = wctype(name);
        }
        return true;
    }
    inside.len = end;
    item->value = read_character(&inside);
    if (inside.at != end) /* more than one character: a name, or no collating element here */
        item->value = symbol_named(r->text + end - len, len);
    return true;
}

static void read_item(struct reader *r, struct item *item)
{
    *item = (struct item){0};
    if (r->text[r->at] == '[') {
        r->at++;
        if (read_inner(r, item))
            return;
        item->value = '[';
        return;
    }
    if (r->text[r->at] == '\\' && r->at + 1 < r->len)
        r->at++;
    item->value = read_character(r);
}

static bool add_class(struct bracket *set, wctype_t class)
{
    wctype_t *more;

    if (!class)
        return true;
    more = realloc(set->classes, (set->class_count + 1) * sizeof *more);
    if (!more)
        return false;
    set->classes = more;
    set->classes[set->class_count++] = class;
    return true;
}

static bool add_range(struct bracket *set, wint_t first, wint_t last)
{
    struct bracket_range *more;

    if (first == WEOF || last == WEOF || first > last)
        return true;
    for (wint_t c = first; c <= last && c < 128; c++)
        set->bytes[c / 32] |= 1u << (c % 32);
    if (last < 128)
        return true;
    more = realloc(set->ranges, (set->range_count + 1) * sizeof *more);
    if (!more)
        return false;
    set->ranges = more;
    set->ranges[set->range_count++] = (struct bracket_range){first, last};
    return true;
}

/* Walks over the list; fills `set` in, unless it is NULL. As bracket_parse. */
static ptrdiff_t walk(struct bracket *set, const char *text, size_t len)
{
    struct reader r = {text, 0, len};
    struct item item, last;
    bool ok = true;

    if (r.at < len && (text[r.at] == '!' || text[r.at] == '^')) {
        r.at++;
        if (set)
            set->negated = true;
    }
    for (bool first = true;; first = false) {
        if (r.at >= len)
            return 0;
        if (text[r.at] == ']' && !first)
            return ok ? (ptrdiff_t)r.at + 1 : -ENOMEM;
        read_item(&r, &item);
        last = item;
        if (!item.is_class && r.at + 1 < len && text[r.at] == '-' && text[r.at + 1] != ']') {
            r.at++;
            read_item(&r, &last);
        }
        if (!set)
            continue;
        if (item.is_class)
            ok = ok && add_class(set, item.class);
        else if (last.is_class) /* [a-[:digit:]] has no meaning: the parts stand for themselves */
            ok = ok && add_range(set, item.value, item.value) && add_range(set, '-', '-') &&
                 add_class(set, last.class);
        else
            ok = ok && add_range(set, item.value, last.value);
    }
}

size_t bracket_length(const char *text, size_t len)
{
    return (size_t)walk(NULL, text, len);
}

static bool in_list(const struct bracket *set, wint_t value)
{
    for (size_t i = 0; i < set->range_count; i++)
        if (set->ranges[i].first <= value && value <= set->ranges[i].last)
            return true;
    for (size_t i = 0; i < set->class_count; i++)
        if (value < RAW(0) && iswctype(value, set->classes[i]))
            return true;
    return false;
}

static bool has_slowly(const struct bracket *set, wint_t value, unsigned char byte)
{
    return in_list(set, value == MB_NONE ? RAW(byte) : value) != set->negated;
}

bool bracket_has(const struct bracket *set, wint_t value, unsigned char byte)
{
    return value < 128 ? bracket_has_byte(set, (unsigned char)value) : has_slowly(set, value, byte);
}

ptrdiff_t bracket_parse(struct bracket *set, const char *text, size_t len)
{
    ptrdiff_t size;

    *set = (struct bracket){0};
    size = walk(set, text, len);
    if (size <= 0) {
        bracket_free(set);
        return size;
    }
    for (unsigned c = 0; c < 256; c++) {
        const char byte = (char)c;
        wint_t value;
        bool listed = set->bytes[c / 32] >> (c % 32) & 1;

        mb_decode(&byte, 1, &value);
        listed = listed || in_list(set, value == MB_NONE ? RAW(c) : value);
        if (listed != set->negated)
            set->bytes[c / 32] |= 1u << (c % 32);
        else
            set->bytes[c / 32] &= ~(1u << (c % 32));
    }
    return size;
}

void bracket_free(struct bracket *set)
{
    free(set->ranges);
    free(set->classes);
    *set = (struct bracket){0};
}
