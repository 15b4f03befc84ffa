# SPDX-License-Identifier: MIT
"""Shows ring3's locks in gdb by the bits of their words.

    (gdb) source libsync/gdb/ring3.py
    (gdb) print mutex
    $1 = mutex: held on CPU 1, reserved for a waiter
"""
import gdb

ALGORITHMS = ("ttas", "tas", "backoff", "ticket", "mcs", "cas", "delay", "ticket-backoff", "clh",
              "guarded", "queued", "biased", "slice", "adaptive", "array")
WAITS = ("adaptive", "spin", "yield", "park")
OWNER_DIED, WAITERS, TID = 1 << 30, 1 << 31, (1 << 30) - 1


def word(value, *names):
    """The integer in a field, or in a field of a field."""
    for name in names:
        value = value[name]
    return int(value)


def mutex(value):
    bits = word(value, "word")
    owner = bits & 0xffff
    state = f"held on CPU {owner - 1}" if owner else "free"
    return f"mutex: {state}" + (", reserved for a waiter" if bits & 0x10000 else "")


def kernel_word(what, bits):
    state = f"held by thread {bits & TID}" if bits & TID else "free"
    return what + ": " + state + (", owner died" if bits & OWNER_DIED else "") + \
        (", waiters" if bits & WAITERS else "")


def robust(value):
    condition = ("", ", inconsistent", ", lost")[word(value, "state")]
    return kernel_word("robust mutex", word(value, "word")) + condition


def semaphore(value):
    state = word(value, "state")
    low = state & 0xffffffff
    return f"semaphore: {low & 0x7fffffff} permits, {state >> 32} waiters" + \
        (", closed" if low >> 31 else "")


def event(value):
    bits = word(value, "word")
    return "event: " + ("set" if bits & 1 else "not set") + (", waiters" if bits & 2 else "") + \
        (", shared" if bits & 4 else "") + f", set {bits >> 3} times"


def queued(value):
    bits = word(value, "word")
    return "queued lock: " + ("held" if bits & 1 else "free") + (", one waits" if bits & 2 else "") + \
        (f", queue ends at node {bits >> 16}" if bits >> 16 else "")


def ticket(value):
    following, serving = word(value, "next"), word(value, "serving")
    waiting = (following - serving) % (1 << 32)
    return f"ticket lock: serving {serving}, next {following}" + \
        (f", {waiting - 1} waiting" if waiting else ", free")


def array(value):
    following, mask = word(value, "next"), word(value, "mask")
    turn = word((value["slots"] + (following & mask)).dereference(), "turn")
    return f"array lock: {mask + 1} slots, next {following}" + (", free" if turn == following else ", held")


def spinlock(value):
    algorithm, how = word(value, "algorithm"), word(value, "wait")
    inner = {"ticket": lambda: ticket(value["state"]["ticket"]),
             "ticket-backoff": lambda: ticket(value["state"]["ticket"]),
             "queued": lambda: queued(value["state"]["queued"]),
             "slice": lambda: slice_lock(value["state"]["slice"]),
             "adaptive": lambda: mutex(value["state"]["adaptive"]),
             "array": lambda: array(value["state"]["array"])}.get(ALGORITHMS[algorithm])
    return f"spinlock {ALGORITHMS[algorithm]}, waits {WAITS[how & 3]}" + (f": {inner()}" if inner else "")


def slice_lock(value):
    return "slice lock: " + ("held" if word(value, "held") else "free") + \
        (", waiters" if word(value, "last") else "")


def condition(value):
    return f"condition: {word(value, 'waiters')} waiters"


PRINTERS = {
    "ring3_mutex_t": mutex,
    "ring3_pimutex_t": lambda value: kernel_word("PI mutex", word(value, "word")),
    "ring3_robust_t": robust,
    "ring3_sem_t": semaphore,
    "ring3_event_t": event,
    "ring3_qlock_t": queued,
    "ring3_ticket_t": ticket,
    "ring3_spinlock_t": spinlock,
    "ring3_slice_t": slice_lock,
    "ring3_array_t": array,
    "ring3_cond_t": condition,
}


class Printer:
    def __init__(self, show, value):
        self.show, self.value = show, value

    def to_string(self):
        return self.show(self.value)


def find(value):
    """The printer for a value, by the name of its type or of its structure."""
    kind = value.type.unqualified()
    name = kind.name or ""
    show = PRINTERS.get(name) or PRINTERS.get(name + "_t")
    return Printer(show, value) if show else None


gdb.pretty_printers.append(find)
