// SPDX-License-Identifier: MIT
// A C++ shared object for C programs: says whether operator new threw a bad_alloc it could catch.
#include <cstddef>
#include <cstdint>
#include <new>

extern "C" __attribute__((visibility("default"))) int new_throws(std::size_t size)
{
    try {
        ::operator delete(::operator new(size));
    } catch (const std::bad_alloc &) {
        return 1;
    }
    return 0;
}
