// SPDX-License-Identifier: MIT
// operator new and delete in every form, new-handlers, and bad_alloc.
#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <vector>

static int failures;

static void expect(bool claim, const char *what)
{
    if (!claim) {
        std::printf("not so: %s\n", what);
        failures++;
    }
}

static bool aligned(const void *p, std::size_t alignment)
{
    return p && reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

static std::size_t blocks_in_use()
{
    return mallinfo2().uordblks;
}

static void every_form()
{
    const std::align_val_t a64{64};
    const std::nothrow_t &nothrow = std::nothrow;
    const std::size_t before = blocks_in_use();
    void *p;

    p = ::operator new(100);
    expect(aligned(p, 16), "new is aligned to 16");
    expect(blocks_in_use() > before, "new allocates from ring3's heap");
    ::operator delete(p);
    ::operator delete (::operator new(100), std::size_t{100});
    ::operator delete(::operator new(100, nothrow), nothrow);
    p = ::operator new(100, a64);
    expect(aligned(p, 64), "aligned new");
    ::operator delete(p, a64);
    ::operator delete (::operator new(100, a64), std::size_t{100}, a64);
    p = ::operator new(100, a64, nothrow);
    expect(aligned(p, 64), "aligned nothrow new");
    ::operator delete(p, a64, nothrow);

    ::operator delete[](::operator new[](100));
    ::operator delete[](::operator new[](100), std::size_t{100});
    ::operator delete[](::operator new[](100, nothrow), nothrow);
    p = ::operator new[](100, a64);
    expect(aligned(p, 64), "aligned new[]");
    ::operator delete[](p, a64);
    ::operator delete[](::operator new[](100, a64), std::size_t{100}, a64);
    p = ::operator new[](100, a64, nothrow);
    expect(aligned(p, 64), "aligned nothrow new[]");
    ::operator delete[](p, a64, nothrow);

    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    expect(::operator new(0) != ::operator new(0), "empty objects have addresses of their own");
}

static volatile std::size_t huge = PTRDIFF_MAX;

template <typename F> static bool throws_bad_alloc(F f)
{
    try {
        f();
    } catch (const std::bad_alloc &e) {
        return std::string(e.what()).find("bad_alloc") != std::string::npos;
    }
    return false;
}

static void out_of_memory()
{
    const std::align_val_t a64{64};

    expect(throws_bad_alloc([] { return ::operator new(huge); }), "new throws");
    expect(throws_bad_alloc([] { return ::operator new[](huge); }), "new[] throws");
    expect(throws_bad_alloc([=] { return ::operator new(huge, a64); }), "aligned new throws");
    expect(throws_bad_alloc([=] { return ::operator new[](huge, a64); }), "aligned new[] throws");
    expect(!::operator new(huge, std::nothrow), "nothrow new returns null");
    expect(!::operator new[](huge, std::nothrow), "nothrow new[] returns null");
    expect(!::operator new(huge, a64, std::nothrow), "aligned nothrow new returns null");
    expect(!::operator new[](huge, a64, std::nothrow), "aligned nothrow new[] returns null");
}

static int handler_calls;

struct out_of_patience {
};

static void handler_gives_up()
{
    if (++handler_calls == 3)
        std::set_new_handler(nullptr);
}

static void handler_throws()
{
    handler_calls++;
    throw out_of_patience();
}

static void handler_throws_bad_alloc()
{
    handler_calls++;
    throw std::bad_alloc();
}

static void handlers()
{
    std::set_new_handler(handler_gives_up);
    handler_calls = 0;
    expect(throws_bad_alloc([] { return ::operator new(huge); }),
           "throws when the handler is gone");
    expect(handler_calls == 3, "the handler is called until it gives up");

    std::set_new_handler(handler_gives_up);
    handler_calls = 0;
    expect(!::operator new(huge, std::nothrow), "nothrow new calls the handler, then returns null");
    expect(handler_calls == 3, "nothrow new calls the handler until it gives up");

    std::set_new_handler(handler_throws);
    handler_calls = 0;
    bool caught = false;
    try {
        ::operator delete(::operator new(huge));
    } catch (const out_of_patience &) {
        caught = true;
    }
    expect(caught && handler_calls == 1, "what the handler throws comes through new");

    std::set_new_handler(handler_throws_bad_alloc);
    handler_calls = 0;
    expect(!::operator new(huge, std::nothrow), "what the handler throws ends in nothrow new");
    expect(!::operator new (huge, std::align_val_t{64}, std::nothrow), "aligned too");
    expect(handler_calls == 2, "the handler was asked each time");
    std::set_new_handler(nullptr);
}

struct counted {
    std::string text = "allocated in a thread_local object, freed by its destructor at thread exit";
    std::vector<int> numbers = std::vector<int>(1000);
    ~counted() { numbers.resize(5000); }
};

static void threads()
{
    std::vector<std::thread> all;

    for (int i = 0; i < 8; i++)
        all.emplace_back([] {
            thread_local counted mine;
            mine.numbers[0] = 1;
        });
    for (auto &thread : all)
        thread.join();
}

int main()
{
    every_form();
    out_of_memory();
    handlers();
    threads();
    return failures != 0;
}
