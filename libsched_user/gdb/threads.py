# SPDX-License-Identifier: MIT
"""Shows ring3's user-level threads in gdb: in a live process, and in a core file.

    (gdb) source libsched_user/gdb/threads.py
    (gdb) ring3 threads
    (gdb) ring3 bt 2
    (gdb) ring3 bt all

A thread that does not run is on no CPU, so gdb does not know its registers. They are on its stack, where
the switch left them. An unwinder of ours lets gdb believe that they are those of the caller of the
selected frame; nothing is written, so it works on a core file as well.
"""
import gdb
import gdb.unwinder

STATES = {0: "new", 1: "ready", 2: "running", 3: "blocked", 4: "ended"}
FREE = 99
RUNNING = 2
SLAB_THREADS = 256
IN_UCONTEXT = 4

# What the switch leaves on the stack (arch/x86_64.S), from the lowest address on.
SAVED = ("r15", "r14", "r13", "r12", "rbx", "rbp", "rip")


class FrameId:
    """Names a frame for gdb."""

    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Borrowed(gdb.unwinder.Unwinder):
    """While `registers` is set, they are those of the caller of the innermost frame."""

    def __init__(self):
        super().__init__("ring3 user threads")
        self.registers = None

    def __call__(self, pending):
        if not self.registers:
            return None
        registers, self.registers = self.registers, None
        sp, pc = pending.read_register("rsp"), pending.read_register("rip")
        unwound = pending.create_unwind_info(FrameId(sp, pc))
        for name, value in registers.items():
            unwound.add_saved_register(name, value)
        return unwound


UNWINDER = Borrowed()
gdb.unwinder.register_unwinder(None, UNWINDER, True)


def variable(name, file):
    """A static variable of one of our files, also where a program has others of that name."""
    return gdb.parse_and_eval(f"'{file}'::{name}")


def threads():
    """(number, struct thread) of those that there are."""
    slabs, made = variable("slabs", "table.c"), int(variable("made", "table.c"))
    for i in range(made):
        thread = slabs[i // SLAB_THREADS][i % SLAB_THREADS]
        if int(thread["state"]) != FREE:
            yield i + 1, thread


def describe(number, thread):
    name = thread["name"].string() if int(thread["name"]) else "?"
    state = STATES.get(int(thread["state"]), "?")
    worker = thread["worker"]
    where = f"worker {int(worker['index'])}" if int(worker) else "no worker"
    if int(thread["state"]) == RUNNING:
        where += f", kernel thread {int(worker['kernel_id'])}"
    return f"{number}: {name}: {state}, {where}"


def registers_of(thread):
    """The registers where a thread that does not run left off; None if it has none."""
    context = thread["context"]
    stopped = int(context["stopped"])
    if not stopped or int(context["flags"]) & IN_UCONTEXT:
        return None
    word = gdb.lookup_type("unsigned long")
    place = gdb.Value(stopped).cast(word.pointer())
    registers = {name: place[i] for i, name in enumerate(SAVED)}
    registers["rsp"] = gdb.Value(stopped + word.sizeof * len(SAVED)).cast(word)
    return registers


def backtrace(number, thread):
    print(describe(number, thread))
    if int(thread["state"]) == RUNNING:
        print("   see `thread apply all bt`, which knows those that run")
        return
    if not bool(thread["started"]):
        print("   it has not run yet")
        return
    registers = registers_of(thread)
    if not registers:
        print("   its registers are not known")
        return
    gdb.newest_frame().select()
    UNWINDER.registers = registers
    gdb.invalidate_cached_frames()
    try:
        # Frame 0 is the borrowed one.
        for line in gdb.execute("backtrace", to_string=True).splitlines():
            if not line.startswith("#0 "):
                print("   " + line)
    finally:
        UNWINDER.registers = None
        gdb.invalidate_cached_frames()


class Ring3(gdb.Command):
    """Looks at ring3's user-level threads."""

    def __init__(self):
        super().__init__("ring3", gdb.COMMAND_STATUS, prefix=True)


class Threads(gdb.Command):
    """Lists the user-level threads: number, name, state, worker."""

    def __init__(self):
        super().__init__("ring3 threads", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for number, thread in threads():
            print(describe(number, thread))


class Backtrace(gdb.Command):
    """ring3 bt NUMBER|all: where user-level threads are that do not run."""

    def __init__(self):
        super().__init__("ring3 bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if gdb.newest_frame().architecture().name() != "i386:x86-64":
            raise gdb.GdbError("ring3 bt: only on x86-64")
        for number, thread in threads():
            if argument.strip() in ("", "all", str(number)):
                backtrace(number, thread)


Ring3()
Threads()
Backtrace()
