# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""scripts/bench-elsewhere-guest: a real guest on a machine with a GPU's driver, but no packages.

Each step stands by itself; one that fails says why, and the next begins:
  describe  the machine, its driver's Vulkan, and the versions of what was copied to it
  picture   OpenGL: the renderer's name, the sandbox, kmscube as guest-gpu.png, CPU by thread
  frames    frame_bench: the guest's frame rate with the default --max-fps, with each frame sent,
            headless, and on QEMU's own device
  venus     Vulkan: what works with the driver's own dma-bufs, and with the tests' layer; then rates
"""

import argparse
import os
import re
import subprocess
import sys
import time
import traceback

import frame_bench
import gl_cases
import guest_bench
import rig
import venus_cases

# A GPU takes a second or so for most of them.
MODES = ("clear 640 480 1500", "clear 64 64 8000", "draw 5000", "deep 20000", "churn 65536 400",
         "copy 1048576 200", "latency 500")
TRIES = "clear 64 64 20", "draw 10", "copy 65536 5"
GL_ARGS = ["--gpu-mode", "virglrenderer", "--log-level", "debug"]
VENUS_ARGS = ["--gpu-mode", "virglrenderer", "--headless"]


def say(*words):
    print(*words, flush=True)


def in_root(the_rig, *command):
    done = subprocess.run([rig.IN_ROOT, "--pivot", the_rig.root, "--", "env", *rig.HOST_ENV, *command],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=60, check=False)
    return done.stdout


def tail_logs(the_rig, lines=25):
    for name in ("daemon.log", "qemu.log", "serial.log"):
        path = os.path.join(the_rig.run_dir, name)
        if os.path.exists(path):
            with open(path, errors="replace") as log:
                say("--- %s:\n%s" % (name, "".join(log.readlines()[-lines:])))


def describe(the_rig, out):
    subprocess.run("sed -n 's/^PRETTY_NAME=//p' /etc/os-release; uname -r; nproc; date -u +%%F; cat %s/versions;"
                   "nvidia-smi --query-gpu=name,driver_version --format=csv,noheader;"
                   "ls -d /dev/dri /dev/udmabuf /dev/kvm /dev/nvidia*" % rig.TOP,
                   shell=True, check=False, stderr=subprocess.STDOUT)
    say(" ".join(rig.HOST_ENV))
    said = in_root(the_rig, "vulkaninfo")
    with open(os.path.join(out, "vulkaninfo-host.txt"), "w") as file:
        file.write(said)
    for pattern in (r"deviceName .*", r"apiVersion .*", r"VK_EXT_external_memory_\w+", r"VK_KHR_external_\w+_fd",
                    r"VK_EXT_image_drm_format_modifier", r"ERROR.*"):
        say("; ".join(dict.fromkeys(found.strip() for found in re.findall(pattern, said))))


def threads(process):
    """Thread -> its name and CPU seconds."""
    found = {}
    for tid in os.listdir("/proc/%d/task" % process.pid):
        with open("/proc/%d/task/%s/stat" % (process.pid, tid)) as f:
            name, fields = f.read().partition("(")[2].rpartition(")")[::2]
        fields = fields.split()
        found[tid] = name, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def show_threads(vm, daemon, frames):
    """Prints the CPU use of each thread, from 1 % on, while the guest draws @frames."""
    before = [threads(process) for process in (daemon, vm.qemu)]
    begin = time.monotonic()
    fps = gl_cases.cube_fps(vm, frames)
    seconds = time.monotonic() - begin
    say("kmscube: %.0f frames a second; each thread, of one CPU:" % fps)
    for process, old in zip((daemon, vm.qemu), before):
        for tid, (name, cpu) in threads(process).items():
            used = (cpu - old.get(tid, ("", 0))[1]) / seconds
            if used >= 0.01:
                say("  %-10s %-20s %3.0f %%" % (process.name, name, used * 100))


def picture(the_rig, out):
    the_rig.daemon_args = GL_ARGS
    daemon = rig.Daemon(the_rig)
    try:
        with rig.Machine(the_rig, daemon, **gl_cases.GL_MACHINE) as vm:
            gl_cases.boot(vm)
            say("renderer in the guest: %s (eglinfo took %.1f s)" % gl_cases.renderer(vm))
            pid = gl_cases.cube(vm)
            shot = gl_cases.wait_turning_cube(vm, 60)
            shot.save_png(os.path.join(out, "guest-gpu.png"))
            say("guest-gpu.png: %s" % shot.size)
            gl_cases.stop(vm, pid)
            show_threads(vm, daemon, 3000)
        say("\n".join(line for line in daemon.log().splitlines()
                      if re.search("virgl|sandbox|renderer|warning|error", line)))
    finally:
        daemon.kill()


def frames(the_rig, rounds):
    daemon = ["--daemon", the_rig.daemon, "--in-root", "--rounds", str(rounds)]
    frame_bench.main(daemon + ["--frames", "3000", "--load", "cube-1280x800", "--load", "cube-1920x1080"])
    frame_bench.main(daemon + ["--load", "glmark2"])


class Contender:
    """One way to Vulkan: on the daemon, or with @args None on QEMU's own device."""

    def __init__(self, args, layer):
        self.args, self.layer = args, layer
        who = "QEMU's own" if args is None else "the daemon, sandbox %s" % args[-1]
        self.name = who + (", the tests' layer" if layer else "")

    def run(self, the_rig, modes, also, is_a_try=False):
        """Returns a dictionary name -> figure, and whether all modes worked; prints what failed."""
        daemon, found, works = None, {}, True
        the_rig.daemon_args = (self.args or []) + (["--log-level", "debug"] if is_a_try else [])
        the_rig.daemon_env = venus_cases.environment(self.layer)
        try:
            daemon = rig.Daemon(the_rig) if self.args is not None else None
            with venus_cases.machine(the_rig, daemon, self.layer) as vm:
                gl_cases.boot(vm)
                for mode in modes:
                    try:
                        lines = venus_cases.vk(vm, mode, 60)
                        found.update(guest_bench.figures(lines))
                    except rig.Failure as failure:
                        works = False
                        say("  FAILS, %s: %s" % (mode, failure))
                for action in also:
                    try:
                        action(vm, daemon, found)
                    except rig.Failure as failure:
                        say("  FAILS: %s" % failure)
        except rig.Failure as failure:
            works = False
            say("  FAILS: %s" % failure)
        finally:
            if not works:
                tail_logs(the_rig)
            if daemon:
                daemon.kill()
            the_rig.daemon_env = []
        return found, works


def name_device(vm, _daemon, _found):
    said = venus_cases.vulkaninfo(vm)
    say("  ", "; ".join(re.findall(r"(?:deviceName|driverInfo|apiVersion)\s*= [^=]*(?= \w+ +=)", said)) or said[-300:])


def vkmark(vm, _daemon, found):
    found.update(("vkmark " + scene, float(fps)) for scene, fps in venus_cases.vkmark(vm).items())


def cpu_of_a_frame(vm, daemon, found):
    before = vm.qemu.processor_seconds(), vm.qemu.cpu_seconds(), daemon.cpu_seconds() if daemon else 0
    venus_cases.vk(vm, "clear 640 480 3000", 120)
    processors = vm.qemu.processor_seconds() - before[0]
    found["guest, us a frame"] = processors / 3000 * 1e6
    found["QEMU, us a frame"] = (vm.qemu.cpu_seconds() - before[1] - processors) / 3000 * 1e6
    if daemon:
        found["daemon and server, us a frame"] = (daemon.cpu_seconds() - before[2]) / 3000 * 1e6


def venus(the_rig, rounds):
    working = {}
    for args in (VENUS_ARGS + ["--sandbox", "strict"], VENUS_ARGS + ["--sandbox", "off"], None):
        for layer in (False, True):
            contender = Contender(args, layer)
            key = args is None
            if key in working and (args is None or not working[key].layer):
                continue
            say("%s:" % contender.name)
            found, works = contender.run(the_rig, TRIES, [name_device], True)
            say("  %s: %s" % ("works" if works else "does not work", found))
            if works:
                working.setdefault(key, contender)
    results = {contender.name: [] for contender in working.values()}
    for _ in range(rounds if working else 0):
        for contender in working.values():
            results[contender.name].append(
                contender.run(the_rig, MODES, [cpu_of_a_frame, vkmark])[0])
    for name, all_found in results.items():
        say("%s, each of %d rounds:" % (name, rounds))
        for figure in dict.fromkeys(key for found in all_found for key in found):
            say("  %-34s %s" % (figure, "  ".join("%10.1f" % found[figure] if figure in found else "-"
                                                  for found in all_found)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("step", nargs="*", help="describe, picture, frames, venus; default: all")
    args = parser.parse_args()
    steps = {"describe": lambda r: describe(r, args.out), "picture": lambda r: picture(r, args.out),
             "frames": lambda r: frames(r, args.rounds), "venus": lambda r: venus(r, args.rounds)}
    status = 0
    for name in args.step or steps:
        say("== %s" % name)
        begin = time.monotonic()
        with rig.Rig(os.path.abspath(args.daemon), True) as the_rig:
            try:
                steps[name](the_rig)
            except (rig.Failure, OSError, subprocess.SubprocessError):
                status = 1
                traceback.print_exc(file=sys.stdout)
                tail_logs(the_rig)
        say("== %s took %.0f s" % (name, time.monotonic() - begin))
    return status


if __name__ == "__main__":
    sys.exit(main())
