# SPDX-License-Identifier: MIT
"""What the figures were measured on."""
import os
import platform
import re
import subprocess


def read(path, default=""):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return default


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def cpu_model():
    info = read("/proc/cpuinfo")
    for key in ("model name", "Model", "CPU part"):
        found = re.search(rf"^{key}\s*:\s*(.*)$", info, re.M)
        if found:
            return found.group(1)
    return platform.machine()


def hypervisor():
    name = output_of("systemd-detect-virt")
    if name and name != "none":
        return name
    return "yes" if re.search(r"^flags.*\bhypervisor\b", read("/proc/cpuinfo"), re.M) else "none seen"


def governor():
    cpu = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    return read(cpu) or "not visible to this system"


def compiler():
    return output_of(os.environ.get("CC", "gcc"), "--version").split("\n")[0]


def revision():
    commit = output_of("git", "rev-parse", "--short=12", "HEAD")
    if not commit:
        return "not a git checkout"
    changed = output_of("git", "status", "--porcelain", "--untracked-files=no")
    return commit + (" with local changes" if changed else "")


def describe():
    """An ordered mapping, what -> value, for people."""
    usable = len(os.sched_getaffinity(0))
    memory = re.search(r"MemTotal:\s*(\d+)", read("/proc/meminfo"))
    thp = re.search(r"\[(\w+)\]", read("/sys/kernel/mm/transparent_hugepage/enabled"))
    libc = output_of("getconf", "GNU_LIBC_VERSION")
    return {
        "CPU": cpu_model(),
        "CPUs usable": f"{usable} of {os.cpu_count()}",
        "Memory": f"{int(memory.group(1)) / 2**20:.1f} GiB" if memory else "unknown",
        "Kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Virtual machine": hypervisor(),
        "Frequency governor": governor(),
        "Transparent huge pages": thp.group(1) if thp else "unknown",
        "C library": libc or "unknown",
        "Compiler": compiler(),
        "Revision": revision(),
    }


def load():
    return [round(value, 2) for value in os.getloadavg()]


def cpu_ticks():
    """(all, stolen by the hypervisor) since the machine started."""
    ticks = [int(word) for word in read("/proc/stat").split("\n")[0].split()[1:9]]
    return sum(ticks), ticks[7] if len(ticks) > 7 else 0


def steal_percent(before):
    now = cpu_ticks()
    return round(100 * (now[1] - before[1]) / max(1, now[0] - before[0]), 1)
