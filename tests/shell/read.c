/* SPDX-License-Identifier: MIT */
/* Lines for read, their splitting into fields, and names of directories. */
#include "builtins/readline.h"
#include "lang/ifs.h"
#include "lang/path.h"
#include "ring3_test.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct read_source source = {.fd = -1};
static struct read_line line;

/* A seekable file, or a pipe, with this text. */
static int input(const char *text, size_t len, bool seekable)
{
    FILE *file = seekable ? tmpfile() : NULL;
    int ends[2];

    if (seekable) {
        fwrite(text, 1, len, file);
        rewind(file);
        return fileno(file);
    }
    check_eq(pipe(ends), 0);
    check_eq(write(ends[1], text, len), (ssize_t)len);
    close(ends[1]);
    return ends[0];
}

static int joined;
static void count_joined(void *ctx)
{
    (void)ctx;
    joined++;
}

TEST(shell_read, takes_lines_and_leaves_the_rest)
{
    static const char text[] = "one\ntw\\\no\n\\a\\\\ b\nrest of it\nlast";
    char rest[32] = "";

    for (int seekable = 0; seekable < 2; seekable++) {
        const int fd = input(text, strlen(text), seekable);

        joined = 0;
        read_source_open(&source, fd);
        check_eq(read_source_line(&source, &line, '\n', false, count_joined, NULL), 1);
        check_str_eq(line.text.data, "one");
        check(line.quoted == NULL);
        check_eq(read_source_line(&source, &line, '\n', false, count_joined, NULL), 1);
        check_str_eq(line.text.data, "two");
        check_eq(joined, 1);
        check_eq(read_source_line(&source, &line, '\n', false, NULL, NULL), 1);
        check_str_eq(line.text.data, "a\\ b");
        check(line.quoted[0] && line.quoted[1] && !line.quoted[2] && !line.quoted[3]);
        read_source_sync(&source);
        check_eq(read(fd, rest, 8), 8);
        check_str_eq(rest, "rest of ");
        check_eq(read_source_line(&source, &line, '\n', true, NULL, NULL), 1);
        check_str_eq(line.text.data, "it");
        check_eq(read_source_line(&source, &line, '\n', true, NULL, NULL), 0);
        check_str_eq(line.text.data, "last");
        check_eq(read_source_line(&source, &line, '\n', true, NULL, NULL), 0);
        check_eq(line.text.len, 0u);
    }
    read_line_free(&line);
}

TEST(shell_read, takes_raw_lines_with_other_delimiters)
{
    const int fd = input("a\\b\nc\0d:e", 9, true);

    read_source_open(&source, fd);
    check_eq(read_source_line(&source, &line, '\0', true, NULL, NULL), 1);
    check_str_eq(line.text.data, "a\\b\nc");
    check_eq(read_source_line(&source, &line, ':', true, NULL, NULL), 1);
    check_str_eq(line.text.data, "d");
    read_line_free(&line);
    close(fd);
    read_source_sync(&source);
    source.fd = -1;
    read_source_open(&source, fd);
    check_eq(read_source_line(&source, &line, '\n', true, NULL, NULL), -EBADF);
}

/* The fields, each in brackets. */
static const char *split(const char *ifs_value, const char *text, const bool *quoted, size_t want)
{
    static struct buf shown;
    struct ifs_field fields[8];
    struct ifs ifs;

    check_eq(ifs_compile(&ifs, ifs_value), 0);
    ifs_read(&ifs, text, quoted, strlen(text), fields, want);
    buf_clear(&shown);
    for (size_t i = 0; i < want; i++)
        buf_addf(&shown, "[%.*s]", (int)fields[i].len, text + fields[i].start);
    ifs_free(&ifs);
    return buf_str(&shown);
}

TEST(shell_ifs, splits_as_read_does)
{
    check_str_eq(split(NULL, "  a  b  c  ", NULL, 2), "[a][b  c]");
    check_str_eq(split(NULL, "  a  ", NULL, 2), "[a][]");
    check_str_eq(split(NULL, "", NULL, 2), "[][]");
    check_str_eq(split("", "a b", NULL, 2), "[a b][]");
    check_str_eq(split(":", "a:b:c", NULL, 3), "[a][b][c]");
    check_str_eq(split(":", "a::c", NULL, 3), "[a][][c]");
    check_str_eq(split(":", ":a", NULL, 2), "[][a]");
    check_str_eq(split(":", "a:b:", NULL, 2), "[a][b]");
    check_str_eq(split(":", "a:b:c:", NULL, 2), "[a][b:c:]");
    check_str_eq(split(":", "a:b::", NULL, 2), "[a][b::]");
    check_str_eq(split(": ", "a : b : c ", NULL, 2), "[a][b : c]");
    check_str_eq(split(": ", "  a :: b", NULL, 3), "[a][][b]");
    check_str_eq(split(":", "a:b", NULL, 1), "[a:b]");
    check_str_eq(split(":", "a:", NULL, 1), "[a]");
    check_str_eq(split(": ", " a b: ", NULL, 1), "[a b:]");
}

TEST(shell_ifs, does_not_split_at_what_was_quoted)
{
    static const bool quoted[] = {false, true, false, false, true, true};

    check_str_eq(split(NULL, "a b c ", quoted, 2), "[a b][c ]");
}

TEST(shell_ifs, knows_characters_of_several_bytes)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return;
    check_str_eq(split("\xc3\xa9",
                       "a\xc3\xa9"
                       "b\xc3\xa8"
                       "c",
                       NULL, 2),
                 "[a][b\xc3\xa8"
                 "c]");
    check_str_eq(split("\xff",
                       "a\xff"
                       "b",
                       NULL, 2),
                 "[a][b]");
}

TEST(shell_path, walks_names_as_cd_does)
{
    struct buf path = {0};
    char dir[] = "/tmp/r3sh-path-XXXXXX", link[64], *real;

    check_eq(path_logical(&path, "/usr/lib", "../bin/./x//y/"), 0);
    check_str_eq(path.data, "/usr/bin/x/y");
    check_eq(path_logical(&path, "/", ".."), 0);
    check_str_eq(path.data, "/");
    check_eq(path_logical(&path, "/usr", "/../../tmp"), 0);
    check_str_eq(path.data, "/tmp");
    check_eq(path_logical(&path, "/usr", "no-such-directory/.."), -ENOENT);
    check_eq(path_logical(&path, "/", "dev/null/.."), -ENOTDIR);
    check(mkdtemp(dir) != NULL);
    snprintf(link, sizeof link, "%s/link", dir);
    check_eq(symlink("/usr", link), 0);
    check_eq(chdir(link), 0);
    check(path_names_here(link));
    check(path_names_here("/usr"));
    check(!path_names_here("/usr/."));
    check(!path_names_here("usr"));
    check(!path_names_here("/tmp"));
    check_eq(path_logical(&path, link, ".."), 0);
    check_str_eq(path.data, dir);
    real = realpath(".", NULL);
    check_eq(path_physical(&path), 0);
    check_str_eq(path.data, real);
    check_eq(unlink(link) | rmdir(dir), 0);
    free(real);
    buf_free(&path);
}
