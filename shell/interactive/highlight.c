/* SPDX-License-Identifier: MIT */
/* What the lexer makes of the line as it stands: looks, the word at the cursor, and whether Enter ends it. */
#include "interactive/session.h"

#include <sys/stat.h>
#include <unistd.h>

static void report_nothing(void *context, const char *file, struct position at, const char *line,
                           size_t length, const char *message)
{
    (void)context, (void)file, (void)at, (void)line, (void)length, (void)message;
}

static bool is_too_deep(void *context)
{
    return stack_is_low(context);
}

/* Reading of a text that may be unfinished. */
struct reading {
    struct input input;
    struct parser_hooks hooks;
    struct parser parser;
    struct program *program; /* whose memory words live in */
};

static void reading_begin(struct reading *r, struct shell *sh, const char *text, size_t len)
{
    *r = (struct reading){.input = {.name = "line", .line = 1}};
    r->hooks = (struct parser_hooks){.context = sh,
                                     .report = report_nothing,
                                     .too_deep = is_too_deep,
                                     .extensions = !in_posix_mode(sh)};
    buf_add(&r->input.text, text, len);
    parser_init(&r->parser, &r->input, &r->hooks);
    r->program = program_new("line");
    r->parser.program = r->program;
    r->parser.arena = &r->program->arena;
}

static void reading_end(struct reading *r)
{
    parser_free(&r->parser);
    program_drop(r->program);
    buf_free(&r->input.text);
}

/* The parser wants more in the middle of a command: what stands there is not all of it. */
static int note_more(struct input *input, bool continued)
{
    bool *const unfinished = input->context;

    *unfinished = *unfinished || continued;
    return 0;
}

bool session_is_complete(void *ctx, const char *text, size_t len)
{
    struct session *const s = ctx;
    struct reading r;
    enum parse_result got;
    struct program *program;
    bool unfinished = false;

    if (len > 0 && text[len - 1] == '\\' && (len < 2 || text[len - 2] != '\\'))
        return false;
    reading_begin(&r, s->sh, text, len);
    buf_addc(&r.input.text, '\n');
    r.parser.next = buf_str(&r.input.text);
    r.parser.end = r.parser.next + r.input.text.len;
    r.input.more = note_more;
    r.input.context = &unfinished;
    while ((got = parse_program(&r.parser, &program)) == PARSE_OK)
        program_drop(program);
    unfinished = unfinished || (got == PARSE_ERROR && r.parser.at_end);
    reading_end(&r);
    return !unfinished;
}

/* --- Tokens and where commands begin ---------------------------------------------------------------------------------- */

static const char *const reserved[] = {"if",   "then", "else", "elif",  "fi",    "do",
                                       "done", "case", "esac", "while", "until", "for",
                                       "in",   "{",    "}",    "!",     "time"};

static bool is_reserved(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strlen(reserved[i]) == len && memcmp(reserved[i], text, len) == 0)
            return true;
    return false;
}

static bool is_assignment(const char *text, size_t len)
{
    const char *const equals = memchr(text, '=', len);

    return equals && is_name_text(text, (size_t)(equals - text));
}

enum role {
    ROLE_OPERATOR,
    ROLE_COMMAND,
    ROLE_KEYWORD,
    ROLE_ASSIGNMENT,
    ROLE_ARGUMENT,
    ROLE_FILE,
    ROLE_HERE_DOCUMENT,
    ROLE_BROKEN
};

struct seen {
    enum role role;
    size_t start, end;
};

/* What the next token is, by those before it. */
struct walk {
    struct reading r;
    bool command;     /* a command's name comes next */
    bool file;        /* the word behind < or > comes next */
    bool taken_as_is; /* behind for and case: a word, whatever it is */
    bool delimiter;   /* the word behind << comes next */
    char here
        [64]; /* the delimiter of a here-document that begins with the next line; "": none does */
    bool strip_tabs;
};

/* Delimiters are plain words, in quotes or not; of several, the last one ends them all here. */
static void take_delimiter(struct walk *w, const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n < sizeof w->here - 1; i++)
        if (!strchr("'\"\\", text[i]))
            w->here[n++] = text[i];
    w->here[n] = '\0';
    w->delimiter = false;
}

/* The end of the here-document that begins here, behind the line of its delimiter. */
static const char *here_document_end(struct walk *w, const char *text, const char *end)
{
    const size_t len = strlen(w->here);

    while (text < end) {
        const char *const newline = memchr(text, '\n', (size_t)(end - text)), *const stop =
                                                                                  newline ? newline
                                                                                          : end;

        while (w->strip_tabs && text < stop && *text == '\t')
            text++;
        if ((size_t)(stop - text) == len && memcmp(text, w->here, len) == 0) {
            end = stop;
            break;
        }
        text = newline ? newline + 1 : end;
    }
    w->here[0] = '\0';
    return end;
}

static enum role role_of_word(struct walk *w, const char *text, size_t len)
{
    if (w->file) {
        w->file = false;
        if (w->delimiter)
            take_delimiter(w, text, len);
        return ROLE_FILE;
    }
    if (w->taken_as_is) {
        w->taken_as_is = false;
        w->command = false;
        return ROLE_ARGUMENT;
    }
    if (len == 2 && memcmp(text, "in", 2) == 0)
        return ROLE_KEYWORD;
    if (!w->command)
        return ROLE_ARGUMENT;
    if (is_reserved(text, len)) {
        w->taken_as_is =
            (len == 3 && memcmp(text, "for", 3) == 0) || (len == 4 && memcmp(text, "case", 4) == 0);
        return ROLE_KEYWORD;
    }
    if (is_assignment(text, len))
        return ROLE_ASSIGNMENT;
    w->command = false;
    return ROLE_COMMAND;
}

static enum role role_of(struct walk *w, uint8_t kind, const char *text, size_t len)
{
    switch (kind) {
    case TOKEN_WORD:
        return role_of_word(w, text, len);
    case TOKEN_LESS:
    case TOKEN_GREATER:
    case TOKEN_CLOBBER:
    case TOKEN_APPEND:
    case TOKEN_LESS_GREATER:
    case TOKEN_LESS_AND:
    case TOKEN_GREATER_AND:
    case TOKEN_HERE:
    case TOKEN_HERE_TABS:
    case TOKEN_HERE_STRING:
        w->file = true;
        w->delimiter = kind == TOKEN_HERE || kind == TOKEN_HERE_TABS;
        w->strip_tabs = kind == TOKEN_HERE_TABS;
        return ROLE_OPERATOR;
    case TOKEN_NUMBER:
        return ROLE_OPERATOR;
    default:
        w->command = kind != TOKEN_CLOSE;
        w->file = false;
        return ROLE_OPERATOR;
    }
}

/* The next token; false at the end. A token that is not finished reaches to the end of the text. */
static bool next_token(struct walk *w, struct seen *seen)
{
    struct parser *const p = &w->r.parser;
    const char *const text = buf_str(&w->r.input.text);
    const size_t len = w->r.input.text.len;
    struct token token;

    while (p->next < p->end && (*p->next == ' ' || *p->next == '\t'))
        p->next++, p->at.column++;
    seen->start = (size_t)(p->next - text);
    if (seen->start >= len)
        return false;
    if (lex_token(p, &token) != 0) {
        seen->end = len;
        seen->role = ROLE_BROKEN;
        p->next = p->end;
        return true;
    }
    if (token.kind == TOKEN_END)
        return false;
    seen->end = p->next >= text && p->next <= text + len ? (size_t)(p->next - text) : len;
    seen->role = role_of(w, token.kind, text + seen->start, seen->end - seen->start);
    if (token.kind == TOKEN_NEWLINE && w->here[0]) {
        p->next = here_document_end(w, p->next, p->end);
        seen->end = (size_t)(p->next - text);
        seen->role = ROLE_HERE_DOCUMENT;
    }
    return true;
}

/* --- Looks ---------------------------------------------------------------------------------------------------------- */

static void paint(uint8_t *style, size_t from, size_t to, enum edit_style look)
{
    memset(style + from, (int)look, to - from);
}

static bool is_name_byte(char c)
{
    return is_name_text(&c, 1) || (c >= '0' && c <= '9');
}

/* The end of what begins with $ at `i`. */
static size_t expansion_end(const char *text, size_t i, size_t end)
{
    const char open = i + 1 < end ? text[i + 1] : '\0', close = open == '{' ? '}' : ')';
    int depth = 0;

    if (open != '{' && open != '(') {
        size_t n = i + 1;

        if (n < end && !is_name_byte(text[n]))
            return strchr("@*#?-$!", text[n]) ? n + 1 : n;
        while (n < end && is_name_byte(text[n]))
            n++;
        return n;
    }
    for (size_t n = i + 1; n < end; n++) {
        depth += text[n] == open;
        depth -= text[n] == close;
        if (depth == 0)
            return n + 1;
    }
    return end;
}

/* Quotes and expansions inside a word. */
static void paint_word(const char *text, size_t from, size_t to, uint8_t *style)
{
    char quote = '\0';

    for (size_t i = from; i < to; i++) {
        const char c = text[i];

        if (c == '\\' && quote != '\'') {
            paint(style, i, i + 2 < to ? i + 2 : to, EDIT_QUOTED);
            i++;
        } else if (c == '$' && quote != '\'' && i + 1 < to && text[i + 1] != '\'') {
            const size_t end = expansion_end(text, i, to);

            paint(style, i, end, EDIT_EXPANSION);
            i = end - 1;
        } else if (c == '\'' || c == '"') {
            style[i] = EDIT_QUOTED;
            quote = !quote ? c : quote == c ? '\0' : quote;
        } else if (quote) {
            style[i] = EDIT_QUOTED;
        }
    }
}

static bool is_plain(const char *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (strchr("'\"\\$`*?[~", text[i]))
            return false;
    return true;
}

static void paint_command(struct shell *sh, const char *text, const struct seen *seen,
                          uint8_t *style)
{
    char name[256];
    const void *found;
    const size_t len = seen->end - seen->start;
    bool known;

    if (!is_plain(text, seen->start, seen->end) || len >= sizeof name) {
        paint_word(text, seen->start, seen->end, style);
        return;
    }
    memcpy(name, text + seen->start, len);
    name[len] = '\0';
    if (strchr(name, '/'))
        known = access(name, X_OK) == 0;
    else
        known = alias_find(sh, name) || command_look_up(sh, name, &found) != COMMAND_NONE;
    paint(style, seen->start, seen->end, known ? EDIT_COMMAND : EDIT_UNKNOWN);
}

static void paint_argument(const char *text, const struct seen *seen, uint8_t *style)
{
    char name[512];
    const size_t len = seen->end - seen->start;

    paint_word(text, seen->start, seen->end, style);
    if (!is_plain(text, seen->start, seen->end) || len >= sizeof name || len == 0 ||
        text[seen->start] == '-')
        return;
    memcpy(name, text + seen->start, len);
    name[len] = '\0';
    if (access(name, F_OK) == 0)
        paint(style, seen->start, seen->end, EDIT_PATH);
}

/* A comment, which the lexer leaves out: between tokens, from a # on. */
static void paint_comments(const char *text, size_t from, size_t to, uint8_t *style)
{
    for (size_t i = from; i < to; i++) {
        if (text[i] != '#')
            continue;
        while (i < to && text[i] != '\n')
            style[i++] = EDIT_COMMENT;
    }
}

void session_highlight(void *ctx, const char *text, size_t len, uint8_t *style)
{
    struct session *const s = ctx;
    struct walk w = {.command = true};
    struct seen seen;

    reading_begin(&w.r, s->sh, text, len);
    while (next_token(&w, &seen)) {
        switch (seen.role) {
        case ROLE_OPERATOR:
            paint(style, seen.start, seen.end, EDIT_OPERATOR);
            paint_comments(text, seen.start, seen.end, style);
            break;
        case ROLE_COMMAND:
            paint_command(s->sh, text, &seen, style);
            break;
        case ROLE_KEYWORD:
            paint(style, seen.start, seen.end, EDIT_KEYWORD);
            break;
        case ROLE_ASSIGNMENT:
            paint_word(text, seen.start, seen.end, style);
            break;
        case ROLE_ARGUMENT:
        case ROLE_FILE:
            paint_argument(text, &seen, style);
            break;
        case ROLE_HERE_DOCUMENT:
            paint(style, seen.start, seen.end, EDIT_QUOTED);
            break;
        case ROLE_BROKEN:
            paint_word(text, seen.start, seen.end, style);
            if (text[seen.start] == '\'' || text[seen.start] == '"')
                style[seen.start] = EDIT_ERROR;
            break;
        }
    }
    reading_end(&w.r);
}

void session_find_word(struct shell *sh, const char *text, size_t cursor, struct word_place *place)
{
    struct walk w = {.command = true};
    struct seen seen;

    *place = (struct word_place){.start = cursor, .end = cursor, .command = true};
    reading_begin(&w.r, sh, text, cursor);
    while (next_token(&w, &seen)) {
        const bool at_cursor = seen.end == cursor;

        if (seen.role == ROLE_OPERATOR || seen.role == ROLE_HERE_DOCUMENT ||
            seen.role == ROLE_KEYWORD) {
            if (seen.role == ROLE_OPERATOR && !w.file)
                place->command_start = place->command_end = 0;
            if (seen.role != ROLE_KEYWORD || !at_cursor)
                continue;
        }
        if (seen.role == ROLE_COMMAND && !at_cursor) {
            place->command_start = seen.start;
            place->command_end = seen.end;
        }
        if (!at_cursor)
            continue;
        place->start = seen.start;
        place->command = seen.role == ROLE_COMMAND || seen.role == ROLE_KEYWORD;
        place->redirect = seen.role == ROLE_FILE;
        reading_end(&w.r);
        return;
    }
    place->command = w.command;
    place->redirect = w.file;
    reading_end(&w.r);
}
