# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""scripts/bench frames: the frame rate of a real guest's OpenGL as it is shown. The same load runs
in a new guest on each contender in turn: on the daemon, always with --scanout pixels, alone or with
--max-fps 0 (each frame is sent) or --headless (none is sent), and on QEMU's own device. Frames per
second are the guest's; CPU is that of the daemon, of QEMU's vCPU threads (the table calls it the
guest's), and of the rest of QEMU.
Figures are medians of the rounds, and ratios the medians of the rounds' ratios.
"""

import argparse
import collections
import os
import re
import statistics
import sys

import rig
from gl_cases import GL_MACHINE, boot, cube_fps, disk_sh

Contender = collections.namedtuple("Contender", "name args")
CONTENDERS = (Contender("shown", []), Contender("each frame", ["--max-fps", "0"]),
              Contender("headless", ["--headless"]), Contender("QEMU's own", None))
LOADS = {
    "cube-1280x800": (1280, 800), "cube-1920x1080": (1920, 1080),
    "glmark2": (1280, 800),
}
SCENES = "build", "texture", "shading"


def cpu_seconds(vm, daemon):
    processors = vm.qemu.processor_seconds()
    found = {"guest, ms a frame": processors, "QEMU, ms a frame": vm.qemu.cpu_seconds() - processors}
    if daemon:
        found["daemon, ms a frame"] = daemon.cpu_seconds()
    return found


def run_cube(vm, daemon, frames):
    cube_fps(vm, 10)
    before = cpu_seconds(vm, daemon)
    found = {"fps": cube_fps(vm, frames)}
    for name, seconds in cpu_seconds(vm, daemon).items():
        found[name] = (seconds - before[name]) / frames * 1e3
    return found


def run_glmark2(vm, seconds):
    scenes = " ".join("-b %s:duration=%d" % (scene, seconds) for scene in SCENES)
    lines = disk_sh(vm, "[ -p /tmp/in ] || mkfifo /tmp/in; glmark2-es2-drm --off-screen %s <>/tmp/in" % scenes,
                    60 + 20 * seconds)
    rates = [re.search(r"\[(\w+)\].* FPS: (\d+)", line) for line in lines]
    return {"%s, fps" % rate[1]: float(rate[2]) for rate in rates if rate}


def measure(the_rig, contender, load, frames):
    width, height = LOADS[load]
    of_size = ",xres=%d,yres=%d" % (width, height)
    daemon = None
    if contender.args is not None:
        the_rig.daemon_args = ["--gpu-mode", "virglrenderer", "--scanout", "pixels",
                               *contender.args]
        daemon = rig.Daemon(the_rig)
        machine = rig.Machine(the_rig, daemon, device="vhost-user-gpu-pci" + of_size, **GL_MACHINE)
    else:
        machine = rig.Machine(the_rig, None, device="virtio-gpu-gl-pci" + of_size,
                              display="sdl,gl=on", **GL_MACHINE)
    try:
        with machine as vm:
            boot(vm)
            return run_glmark2(vm, 3) if load == "glmark2" else run_cube(vm, daemon, frames)
    finally:
        if daemon:
            daemon.kill()


def print_table(load, rounds):
    """@rounds: of each a dictionary contender -> figures."""
    print("\n%s, medians of %d\n%-12s" % (load, len(rounds), ""), end="")
    names = sorted({figure for one in rounds for found in one.values() for figure in found})
    print("".join("%22s%10s" % (name, "/ shown") for name in names))
    for contender in rounds[0]:
        print("%-12s" % contender, end="")
        for name in names:
            values = [one[contender][name] for one in rounds if name in one[contender]]
            ratios = [one[contender][name] / one["shown"][name] for one in rounds
                      if name in one[contender] and one.get("shown", {}).get(name)]
            print("%22s%10s" % ("%.2f" % statistics.median(values) if values else "-",
                                "%.2f" % statistics.median(ratios) if ratios else "-"), end="")
        print()
    sys.stdout.flush()


def measure_or_say(the_rig, contender, load, frames):
    """Returns the figures, or {} if the run failed; then standard error says why."""
    try:
        found = measure(the_rig, contender, load, frames)
    except rig.Failure as failure:
        print("  %s failed: %s" % (contender.name, failure), file=sys.stderr, flush=True)
        return {}
    print("  %s: %s" % (contender.name, found), file=sys.stderr, flush=True)
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", required=True)
    parser.add_argument("--in-root", action="store_true", help="run the daemon in the Debian 13 root, for which it was built")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=1000, help="of kmscube, in each round")
    parser.add_argument("--load", action="append", choices=LOADS)
    parser.add_argument("--also", action="append", default=[], metavar="OPTIONS",
                        help="one more contender: the daemon with these options")
    parser.add_argument("--contender", action="append", choices=[c.name for c in CONTENDERS])
    args = parser.parse_args(arguments)
    failed = False
    with rig.Rig(os.path.abspath(args.daemon), args.in_root) as the_rig:
        for load in args.load or LOADS:
            # With --headless the scanout is always 1280x800, so "headless" is compared in that load
            # only; not in glmark2: it draws in the largest mode, 5120x2160 if QEMU gives the modes.
            wanted = [Contender(also, also.split()) for also in args.also]
            wanted += [c for c in CONTENDERS if not args.contender or c.name in args.contender
                       if c.name != "headless" or load == "cube-1280x800"]
            rounds = []
            for number in range(args.rounds):
                print("%s: round %d of %d" % (load, number + 1, args.rounds), file=sys.stderr,
                      flush=True)
                rounds.append({})
                for c in wanted:
                    rounds[-1][c.name] = measure_or_say(the_rig, c, load, args.frames)
                    failed = failed or not rounds[-1][c.name]
            print_table(load, rounds)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
