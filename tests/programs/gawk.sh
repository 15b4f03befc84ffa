# SPDX-License-Identifier: MIT
# Associative arrays, string building, regular expressions, big fields, a co-process.
under gawk -v scale="$SCALE" '
function draw(n) { seed = (seed * 1103515245 + 12345) % 2147483648; return int(seed / 128) % n }
BEGIN {
    seed = 7
    for (i = 0; i < 120000 * scale; i++) {
        key = sprintf("%c%c%d", 97 + draw(26), 97 + draw(26), draw(500))
        count[key]++
        last[key] = last[key] (i % 10)
        if (length(last[key]) > 40)
            delete last[key]
    }
    n = asorti(count, keys)
    for (i = 1; i <= n; i += int(n / 40))
        print keys[i], count[keys[i]], last[keys[i]]
    print n, length(last)

    line = ""
    for (i = 0; i < 20000; i++)
        line = line " field" i
    fields = split(line, part)
    changed = gsub(/field([0-9])/, "<&>", line)
    print fields, changed, length(line), part[fields]

    for (i = 0; i < 300; i++)
        for (j = 0; j < 300; j++)
            table[i][j] = i * j
    for (i = 0; i < 300; i += 3)
        delete table[i]
    sum = 0
    for (i in table)
        for (j in table[i])
            sum += table[i][j]
    print sum, length(table)

    command = "sort -n"
    for (i = 0; i < 5000; i++)
        print draw(100000) |& command
    close(command, "to")
    while ((command |& getline got) > 0)
        total += got * ++line_number
    print close(command), line_number, total
    exit 3
}'
echo "status $?"
