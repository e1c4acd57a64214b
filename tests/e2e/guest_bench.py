# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""scripts/bench guest: Vulkan in a real guest on the daemon, and on QEMU's own device. Rounds
alternate between the two, each in a new guest; both draw by the same Vulkan on the CPU, with the
layer of vulkan_layer/. The best of all rounds is printed, because other work of the machine only slows a
round down.
"""

import argparse
import os
import re
import sys

import rig
import venus_cases
from gl_cases import boot

MODES = ("clear 640 480 %d - clear 64 64 %d - draw %d - deep 2000 - churn 65536 %d - copy 1048576 30 "
         "- latency 500")
FRAMES = 400
# Name in the table -> the least ratio of ours to QEMU's own.
FLOORS = {"clear 640x480": 0.8, "draw 256x256": 0.8, "deep": 0.8, "churn": 1.5,
          "vkmark vertex": 0.8, "vkmark cube": 0.8, "vkmark shading": 0.8}


def figures(lines):
    """Reads vk's output as name: value; rates per second, or microseconds."""
    found = {}
    for line in lines:
        rate = re.match(r"PASS (\w+(?: \d+x\d+)?).* rate=([0-9.]+)", line)
        late = re.match(r"PASS latency (\w+) .*p50=(\d+) p99=(\d+)", line)
        if rate:
            found[rate[1]] = float(rate[2])
        if late:
            found[late[1] + " p50, us"] = float(late[2])
            found[late[1] + " p99, us"] = float(late[3])
    return found


def measure(the_rig, daemon):
    with venus_cases.machine(the_rig, daemon, append="") as vm:
        boot(vm)
        found = figures(venus_cases.vk(vm, MODES % (FRAMES, FRAMES, FRAMES, FRAMES), 300))
        if daemon:
            before = daemon.cpu_seconds()
            venus_cases.vk(vm, "clear 64 64 5000", 300)
            found["CPU of the daemon a frame, us"] = (daemon.cpu_seconds() - before) / 5000 * 1e6
        for scene, fps in venus_cases.vkmark(vm).items():
            found["vkmark " + scene] = float(fps)
    return found


def measure_ours(the_rig):
    daemon = rig.Daemon(the_rig)
    try:
        return measure(the_rig, daemon)
    finally:
        daemon.kill()


def best(rounds, name):
    values = [found[name] for found in rounds if name in found]
    return (min if name.endswith(", us") else max)(values) if values else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    ours, theirs = [], []
    with rig.Rig(os.path.abspath(args.daemon), True) as the_rig:
        the_rig.daemon_args = venus_cases.DAEMON_ARGS
        the_rig.daemon_env = venus_cases.environment()
        for number in range(args.rounds):
            print("round %d of %d" % (number + 1, args.rounds), file=sys.stderr, flush=True)
            ours.append(measure_ours(the_rig))
            theirs.append(measure(the_rig, None))
    low = []
    print("%-32s %12s %12s %8s" % ("best of %d" % args.rounds, "the daemon", "QEMU's own", "ratio"))
    for name in ours[0]:
        mine, other = best(ours, name), best(theirs, name)
        ratio = mine / other if other else None
        print("%-32s %12.1f %12s %8s" % (name, mine, "%.1f" % other if other else "-",
                                         "%.2f" % ratio if ratio else "-"))
        if ratio and ratio < FLOORS.get(name, 0):
            low.append("%s: %.2f, less than %.1f" % (name, ratio, FLOORS[name]))
    print("\n".join(low), end="\n" if low else "")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
