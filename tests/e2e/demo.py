# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""The last step of scripts/demo: one guest, its console, kmscube, and its frame rate. If the daemon
has no OpenGL, the picture is the test pattern. --vulkan: a picture that the guest draws by
Vulkan; the device that gives it Vulkan has no screen, so the guest sends the picture itself.
"""

import argparse
import base64
import os
import shutil
import sys

import cases
import gl_cases
import picture
import rig
import venus_cases


def draw(shot, columns, lines):
    """Prints the picture in the terminal: each character cell is two pixels, one above the other."""
    for line in range(lines):
        cells = []
        for column in range(columns):
            x = (2 * column + 1) * shot.width // (2 * columns)
            upper, lower = (shot.pixel(x, (4 * line + n) * shot.height // (4 * lines))
                            for n in (1, 3))
            cells.append("\033[38;2;%d;%d;%dm\033[48;2;%d;%d;%dm\u2580" % (*upper, *lower))
        print("".join(cells) + "\033[0m")


def show(shot, path, what):
    shot.save_png(path)
    print("%s: %s, %s" % (what, path, shot.size), flush=True)
    if sys.stdout.isatty():
        draw(shot, min(96, shutil.get_terminal_size().columns), 24)


def has_gl(vm):
    return any("+virgl" in line for line in vm.guest.do("sh dmesg"))


def show_cube(vm):
    """Returns the renderer's name and the frame rate."""
    name, _seconds = gl_cases.renderer(vm)
    pid = gl_cases.cube(vm)
    show(gl_cases.wait_turning_cube(vm, 60), "demo.png", "kmscube in the guest")
    gl_cases.stop(vm, pid)
    return name, "%.0f frames" % gl_cases.cube_fps(vm)


def show_pattern(vm):
    vm.guest.do("open /dev/dri/card0")
    cases.show(vm, 1)
    show(vm.qemu.screenshot(), "demo.png", "the guest's test picture, every pixel right")
    return "2D, by the CPU", vm.guest.do("flips 0 200", 60)[0].split()[1] + " page flips"


def show_vulkan(the_rig, vm):
    gl_cases.boot(vm)
    lines = venus_cases.vk(vm, "picture /tmp/picture.ppm 3 - clear 640 480 200 - draw 200")
    data = base64.b64decode("".join(vm.guest.do("sh base64 /disk/tmp/picture.ppm", 120)))
    path = os.path.join(the_rig.run_dir, "picture.ppm")
    with open(path, "wb") as out:
        out.write(data)
    show(picture.read_ppm(path), "demo-vulkan.png", "drawn by Vulkan in the guest, every pixel right")
    for line in lines:
        if not line.startswith("PASS picture"):
            print(line.replace("PASS ", ""))


def demo_vulkan(the_rig):
    the_rig.daemon_args = the_rig.daemon_args or venus_cases.DAEMON_ARGS
    the_rig.daemon_env = venus_cases.environment()
    daemon = rig.Daemon(the_rig)
    try:
        with venus_cases.machine(the_rig, daemon) as vm:
            show_vulkan(the_rig, vm)
    except rig.Failure as failure:
        print(daemon.log(), file=sys.stderr)
        sys.exit("demo: %s" % failure)
    finally:
        daemon.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--daemon", required=True)
    parser.add_argument("--vulkan", action="store_true")
    parser.add_argument("--daemon-arg", action="append", default=[])
    args = parser.parse_args()
    with rig.Rig(args.daemon, args.vulkan) as the_rig:
        the_rig.daemon_args = args.daemon_arg
        if args.vulkan:
            demo_vulkan(the_rig)
            return
        the_rig.accel = "kvm" if the_rig.kvm_works() else "tcg"
        daemon = rig.Daemon(the_rig)
        try:
            with rig.Machine(the_rig, daemon, **gl_cases.GL_MACHINE) as vm:
                vm.wait_up()
                console = vm.qemu.wait_screen("the console", cases.shows_console)
                show(console, "demo-console.png", "the guest's console")
                name, rate = show_cube(vm) if has_gl(vm) else show_pattern(vm)
                print("renderer: %s; %s a second of 1280x800 (%s)" % (
                    name, rate, the_rig.accel.upper()))
        except rig.Failure as failure:
            print(daemon.log(), file=sys.stderr)
            sys.exit("demo: %s" % failure)
        finally:
            daemon.kill()


main()
