# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""Real guests in 2D: each scenario boots once and makes many checks, each named by a sentence.

A scenario gets t, which has t.rig, t.check(sentence) and t.daemon(): see run. Checks of one
scenario depend on each other only where a machine must be in some state.
"""

import time

from picture import cursor_pixels, pattern
from rig import Failure, Machine, wait_for

GLYPH = b"\xaa\xaa\xaa"      # Linux's console text
VGA_GLYPH = b"\xa8\xa8\xa8"  # of the BIOS, in a VGA text mode
BLACK = b"\x00\x00\x00"
# A leak of one 1280x800 picture is 4000 KiB. Smaller changes come from malloc's caches and log
# buffers.
MEMORY_TOLERANCE_KIB = 2048

scenarios = []


def scenario(*labels):
    def add(function):
        scenarios.append((function.__name__.replace("_", "-"), set(labels), function))
        return function
    return add


def expect(condition, reason):
    if not condition:
        raise Failure(reason)


def shows_console(shot):
    """The four lines of the guest's init, all in one colour: 2 and 3 are equal, 4 differs."""
    lines = [shot.rows(16 * n, 16) for n in range(5)]
    return (set(shot.colours()) == {BLACK, GLYPH} and lines[1] == lines[2] and lines[1] != lines[3]
            and GLYPH in lines[0] and GLYPH in lines[3] and GLYPH not in lines[4])


def open_card(vm):
    vm.wait_up()
    vm.guest.do("open /dev/dri/card0")


def show(vm, seed, width=1280, height=800, output=0):
    vm.guest.do("show %d %d %d %d" % (output, width, height, seed))
    vm.qemu.wait_picture(pattern(width, height, seed), head=output)


def probe_seconds(vm):
    """The time from the first line of the guest's driver to its last: Linux waits 5 s for a missing
    reply."""
    times = {}
    for line in vm.guest.do("sh dmesg"):
        for what in ("virtio-gpu-pci detected", "Initialized virtio_gpu"):
            if what in line:
                times[what] = float(line[1:].split("]")[0])
    expect(len(times) == 2, "the driver did not start")
    return times["Initialized virtio_gpu"] - times["virtio-gpu-pci detected"]


def basic_picture(t, vm):
    with t.check("the guest's console text is on the screen"):
        vm.wait_up()
        shot = vm.qemu.wait_screen("the console", shows_console)
    with t.check("the guest's driver starts at once and in the size that QEMU has for it"):
        expect(probe_seconds(vm) < 5, "it took %.1f s to start" % probe_seconds(vm))
        expect(shot.size == "1280x800", "the console is %s" % shot.size)
    with t.check("every pixel of the guest's test pattern is on the screen"):
        vm.guest.do("open /dev/dri/card0")
        show(vm, 1)
    with t.check("a change to 800x600 changes the screen's size and every pixel"):
        show(vm, 2, 800, 600)
    with t.check("a change back to 1280x800 changes the screen's size and every pixel"):
        show(vm, 3)


@scenario("2d", "quick")
def gpu_pci(t):
    with t.daemon() as daemon, Machine(t.rig, daemon) as vm:
        basic_picture(t, vm)
        with t.check("a size whose rows are no multiple of 64 bytes is shown exactly"):
            show(vm, 4, 1366, 768)
        with t.check("a rectangle drawn alone changes its pixels and no others"):
            vm.guest.do("rect 0 101 57 33 21 0x123456")
            vm.guest.do("rect 0 1365 767 1 1 0xfedcba")
            wanted = pattern(1366, 768, 4).with_rect(101, 57, 33, 21, b"\x12\x34\x56")
            vm.qemu.wait_picture(wanted.with_rect(1365, 767, 1, 1, b"\xfe\xdc\xba"))
        with t.check("page flips at full speed end on the right picture"):
            show(vm, 5)
            t.note("page flips of 1280x800: " + vm.guest.do("flips 0 120", 60)[0])
            vm.qemu.wait_picture(pattern(1280, 800, 5))
        with t.check("small updates at full speed end on the right picture"):
            t.note("updates of 1280x16: " + vm.guest.do("updates 0 300", 60)[0])
            vm.qemu.wait_picture(pattern(1280, 800, 5))
        with t.check("an output that is switched off and on again is right"):
            vm.guest.do("off 0")
            time.sleep(0.3)
            show(vm, 6)
        with t.check("the output has an EDID whose sum is right and whose first mode is 1280x800"):
            check_edid(vm)
        with t.check("the console comes back when the picture's owner lets go"):
            vm.guest.do("close")
            vm.qemu.wait_screen("the console", shows_console)


def check_edid(vm):
    text = vm.guest.do("sh hexdump -ve '1/1 \"%02x\"' /sys/class/drm/card0-Virtual-1/edid")
    edid = bytes.fromhex("".join(text))
    expect(len(edid) >= 128 and len(edid) % 128 == 0, "the EDID has %d bytes" % len(edid))
    expect(edid[:8] == bytes.fromhex("00ffffffffffff00"), "the EDID starts with " + edid[:8].hex())
    for block in range(0, len(edid), 128):
        expect(sum(edid[block:block + 128]) % 256 == 0, "EDID block %d has a wrong sum" % block)
    preferred = [line for line in vm.guest.do("info") if line.endswith(" preferred")]
    expect(preferred == ["mode 0 1280x800 preferred"], "preferred: %s" % preferred)


@scenario("2d")
def gpu_pci_on_qemu_10(t):
    with t.daemon() as daemon, Machine(t.rig, daemon, version="10.0") as vm:
        basic_picture(t, vm)


@scenario("2d")
def cursor_and_two_outputs(t):
    device = "vhost-user-gpu-pci,max_outputs=2"
    with t.daemon() as daemon, Machine(t.rig, daemon, with_spy=True, device=device) as vm:
        open_card(vm)
        with t.check("two outputs show different pictures of different sizes"):
            vm.guest.do("sh echo on >/sys/class/drm/card0-Virtual-2/status")
            vm.guest.do("show 0 1024 768 7")
            vm.guest.do("show 1 800 600 8")
            vm.qemu.wait_picture(pattern(1024, 768, 7), head=0)
            vm.qemu.wait_picture(pattern(800, 600, 8), head=1)
        with t.check("drawing on one output leaves the other alone"):
            vm.guest.do("rect 1 10 20 30 40 0x00ff55")
            vm.qemu.wait_picture(pattern(800, 600, 8).with_rect(10, 20, 30, 40, b"\x00\xff\x55"), 1)
            vm.qemu.wait_picture(pattern(1024, 768, 7), head=0)
        with t.check("a change is sent once, to its output alone, without a new SCANOUT"):
            check_traffic_of_one_change(vm)
        cursor(t, vm, 0)
        cursor(t, vm, 1)
        with t.check("the cursor is sent again after stop and cont"):
            vm.guest.do("cursor 0 30 40 0 0 77")
            vm.qemu.qmp("stop")
            mark = vm.spy.mark()
            vm.qemu.qmp("cont")
            wait_for("a cursor update", 10, lambda: [
                m for m in vm.spy.since(mark, "CURSOR_UPDATE") if m.pixels == cursor_pixels(77)])


def check_traffic_of_one_change(vm):
    """Linux 6.12 flushes the whole picture after a buffer flip, so up to one whole picture may be
    sent."""
    mark = vm.spy.mark()
    vm.guest.do("rect 0 64 64 32 32 0x0000aa")
    wait_for("an update", 5, lambda: vm.spy.since(mark, "UPDATE"))
    time.sleep(0.5)
    updates = vm.spy.since(mark, "UPDATE")
    expect(all(m.scanout == 0 for m in updates), "updates: %s" % updates)
    expect(sum(m.n_bytes for m in updates) <= 1024 * 768 * 4, "updates: %s" % updates)
    expect(not vm.spy.since(mark, "SCANOUT"), "a SCANOUT was sent")


def cursor(t, vm, output):
    def last(name, mark, holds):
        def find():
            found = [m for m in vm.spy.since(mark, name) if m.scanout == output]
            return found and holds(found[-1]) and found[-1]
        try:
            return wait_for(name, 10, find)
        except Failure:
            raise Failure("no such %s: %s" % (name, vm.spy.since(mark, name)[-3:])) from None

    with t.check("a cursor on output %d arrives with its pixels, hot spot and place" % output):
        mark = vm.spy.mark()
        vm.guest.do("cursor %d 100 200 5 9 %d" % (output, 20 + output))
        m = last("CURSOR_UPDATE", mark, lambda m: m.pixels == cursor_pixels(20 + output))
        expect((m.hot_x, m.hot_y) == (5, 9), "hot spot %d,%d, not 5,9" % (m.hot_x, m.hot_y))
        expect((m.x, m.y) == (100, 200), "place %d,%d, not 100,200" % (m.x, m.y))
    with t.check("the cursor on output %d moves where the guest moves it" % output):
        mark = vm.spy.mark()
        vm.guest.do("move %d 321 123" % output)
        last("CURSOR_POS", mark, lambda m: (m.x, m.y) == (321, 123))
    with t.check("the cursor on output %d is hidden when the guest hides it" % output):
        mark = vm.spy.mark()
        vm.guest.do("hide %d" % output)
        last("CURSOR_POS_HIDE", mark, lambda m: True)


@scenario("2d")
def vga(t):
    extra = ["-boot", "menu=on,splash-time=4000"]
    with t.daemon() as daemon, \
            Machine(t.rig, daemon, device="vhost-user-vga", extra=extra) as vm:
        with t.check("SeaBIOS shows its text through the VGA part of vhost-user-vga"):
            vm.qemu.wait_screen("SeaBIOS", lambda shot: shot.size == "720x400" and
                                shot.colours().get(VGA_GLYPH, 0) > 300)
        with t.check("Linux takes vhost-user-vga over from SeaBIOS, console first"):
            vm.wait_up()
            vm.qemu.wait_screen("the console", shows_console)
        with t.check("every pixel of the test pattern is on vhost-user-vga's screen"):
            vm.guest.do("open /dev/dri/card0")
            show(vm, 9)
            show(vm, 10, 800, 600)


@scenario("2d")
def ovmf(t):
    extra = ["-boot", "menu=on,splash-time=6000"]
    with t.daemon() as daemon, \
            Machine(t.rig, daemon, firmware="/usr/share/ovmf/OVMF.fd", extra=extra) as vm:
        with t.check("OVMF's own driver shows a picture"):
            # Not black, and not one of the placeholder texts that QEMU draws itself.
            vm.qemu.wait_screen("a picture of OVMF", lambda shot: shot.size in
                                ("1280x800", "800x600", "1024x768", "640x480") and
                                len(shot.colours()) > 16, seconds=60)
        with t.check("Linux takes the device over from OVMF in the same run"):
            vm.wait_up()
            vm.qemu.wait_screen("the console", shows_console)
        with t.check("every pixel of the test pattern is right after OVMF"):
            vm.guest.do("open /dev/dri/card0")
            show(vm, 11)


@scenario("2d", "lasting")
def reset_and_return(t):
    """One daemon through every event that ends or pauses a device; its descriptors and memory must
    not grow."""
    with t.daemon() as daemon:
        idle = daemon.fds()
        with Machine(t.rig, daemon) as vm:
            open_card(vm)
            show(vm, 12)
            vm.guest.do("flips 0 20")
            held, memory = daemon.fd_names(), daemon.memory_kib()

            def same_state(seed):
                """The same picture must be shown in the same way: nothing of the old state may be
                left."""
                show(vm, seed)
                vm.guest.do("flips 0 20")
                vm.qemu.wait_picture(pattern(1280, 800, seed))
                same_fds(daemon, held)

            reboots(t, vm, same_state)
            stop_and_cont(t, vm, same_state)
            reload_driver(t, vm, same_state)
            with t.check("the daemon's own memory does not grow over resets"):
                grown(t, daemon, memory)
            with t.check("QEMU killed while frames flow leaves no file descriptor behind"):
                vm.guest.do("animate 0 on")
                time.sleep(0.5)
                vm.qemu.kill()
                wait_for("%d fds, as before the first QEMU" % idle, 10,
                         lambda: daemon.fds() == idle or daemon.must_live())
        with Machine(t.rig, daemon) as vm:
            with t.check("a new QEMU on the same daemon shows the right picture"):
                open_card(vm)
                show(vm, 41)
                vm.guest.do("flips 0 20")
                vm.qemu.wait_picture(pattern(1280, 800, 41))
                same_fds(daemon, held)
            with t.check("the daemon's own memory does not grow over two QEMUs"):
                grown(t, daemon, memory)


def same_fds(daemon, held):
    try:
        wait_for("the same fds", 5, lambda: len(daemon.fd_names()) == len(held))
    except Failure:
        raise Failure("%d fds, not %d: now %s, before %s" % (
            len(daemon.fd_names()), len(held), daemon.fd_names(), held)) from None


def grown(t, daemon, before):
    now = daemon.memory_kib()
    t.note("memory of the daemon: %d KiB, before %d KiB" % (now, before))
    if t.memory_counts:
        expect(now <= before + MEMORY_TOLERANCE_KIB, "%d KiB, before %d KiB" % (now, before))


def reboots(t, vm, same_state):
    hows = (("reboot by the guest", lambda: vm.guest.send("sh reboot -f")),
            ("reset by QEMU while frames flow", lambda: vm.qemu.qmp("system_reset")),
            ("second reboot by the guest", lambda: vm.guest.send("sh reboot -f")))
    for seed, (how, act) in enumerate(hows, 20):
        with t.check("the picture is right, and no fd is left, after a %s" % how):
            if "frames" in how:
                vm.guest.do("animate 0 on")
                time.sleep(0.3)
            act()
            vm.wait_up()
            vm.qemu.wait_screen("the console", shows_console)
            vm.guest.do("open /dev/dri/card0")
            same_state(seed)


def stop_and_cont(t, vm, same_state):
    for round_number in (1, 2, 3, 4):
        with t.check("stop and cont, round %d, while frames flow: the picture is right" %
                     round_number):
            vm.guest.do("animate 0 on")
            time.sleep(0.3)
            vm.qemu.qmp("stop")
            time.sleep(0.2)
            vm.qemu.qmp("cont")
            vm.guest.do("animate 0 off")
            same_state(24 + round_number)
    with t.check("stop and cont without a new frame: the still picture is shown again"):
        show(vm, 29)
        vm.qemu.qmp("stop")
        vm.qemu.qmp("cont")
        vm.qemu.wait_picture(pattern(1280, 800, 29))
        vm.guest.do("rect 0 5 50 10 10 0xabcdef")
        vm.qemu.wait_picture(pattern(1280, 800, 29).with_rect(5, 50, 10, 10, b"\xab\xcd\xef"))


def reload_driver(t, vm, same_state):
    for seed in (30, 31):
        with t.check("the picture is right after the guest's driver was unloaded and loaded, "
                     "round %d" % (seed - 29)):
            vm.guest.do("close")
            vm.guest.do("sh for c in /sys/class/vtconsole/vtcon*; do "
                        "grep -q 'frame buffer' $c/name && echo 0 >$c/bind; done; "
                        "rmmod virtio_gpu 2>&1 && modprobe virtio_gpu 2>&1")
            vm.guest.do("open /dev/dri/card0")
            same_state(seed)
