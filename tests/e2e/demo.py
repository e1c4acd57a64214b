# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""The end of scripts/demo: one guest, its console, its test picture, and how fast it goes."""

import argparse
import re
import shutil
import sys

import cases
import picture
import rig


def draw(shot, columns, lines):
    """The picture in the terminal: each character cell is two pixels, one above the other."""
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


def renderer_of(log):
    found = re.search(r"renderer: ([^,\n]+)", log)
    return found.group(1) if found else "not said"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--daemon", required=True)
    parser.add_argument("--daemon-arg", action="append", default=[])
    args = parser.parse_args()
    with rig.Rig(args.daemon) as the_rig:
        the_rig.daemon_args = args.daemon_arg
        the_rig.accel = "kvm" if the_rig.kvm_works() else "tcg"
        daemon = rig.Daemon(the_rig)
        try:
            with rig.Machine(the_rig, daemon) as vm:
                vm.guest.wait_up()
                console = vm.qemu.wait_screen("the console", cases.shows_console)
                show(console, "demo-console.png", "the guest's console")
                vm.guest.do("open /dev/dri/card0")
                cases.show(vm, 1)
                shot = vm.qemu.screenshot()
                show(shot, "demo.png", "the guest's test picture, every pixel right")
                flips = vm.guest.do("flips 0 200", 60)[0].split()[1]
                print("renderer: %s; the guest: %s page flips a second of 1280x800 (%s)" % (
                    renderer_of(daemon.log()), flips, the_rig.accel.upper()))
        except rig.Failure as failure:
            print(daemon.log(), file=sys.stderr)
            sys.exit("demo: %s" % failure)
        finally:
            daemon.kill()


main()
