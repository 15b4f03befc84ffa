# SPDX-License-Identifier: MIT
# gcc and g++ with their cc1, as and ld: assembly, object and program must be the same.
source=$HERE/../../libsync/src/bitmap.c
include=$HERE/../../libsync/include
for ((i = 0; i < 2 * SCALE; i++)); do
    under gcc -std=gnu17 -O$((i % 4 + 1)) -I"$include" -Wall -Wextra -fverbose-asm -S -o "result/bitmap$i.s" "$source"
    echo "status $?"
done
under gcc -std=gnu17 -O3 -g -flto -fno-lto -I"$include" -c -o result/bitmap.o "$source"
echo "status $?"
cat >heavy.cc <<'CXX'
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <vector>
int main()
{
    std::map<std::string, std::vector<std::shared_ptr<std::string>>> seen;
    const std::regex word("([a-z]+)([0-9]*)");
    std::smatch match;
    for (int i = 0; i < 3000; i++) {
        const std::string text = std::string(1 + i % 5, static_cast<char>('a' + i % 26)) + std::to_string(i % 97);
        if (std::regex_match(text, match, word))
            seen[match[1]].push_back(std::make_shared<std::string>(match[2]));
    }
    for (auto &entry : seen)
        std::cout << entry.first << ' ' << entry.second.size() << ' ' << *entry.second.back() << '\n';
}
CXX
under g++ -O2 -o result/heavy heavy.cc
echo "status $?"
under result/heavy
echo "status $?"
echo 'int main(void) { return undeclared; }' >wrong.c
under gcc -c wrong.c
echo "status $?"
