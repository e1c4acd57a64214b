# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""gfxstream in real guests, with the library that --gfxstream names: Vulkan by the guest driver of
Mesa 25.0, on lavapipe, in the strict sandbox. 2D on
gfxstream is checked by scenarios of the label 2d: tests/e2e/run --gfxstream LIBRARY runs them
unless --only names another label. A guest ends the daemon if its Vulkan sends what the library
does not know, as vulkaninfo of Mesa 26.1 does, so no scenario does that.
"""

import contextlib
import re

from cases import expect, same_fds, scenario
from gl_cases import boot, disk_sh, start, stop
from picture import smpte_bars
from rig import GFXSTREAM, Machine
from venus_cases import DEVICE, DRIVERS, WORK, hold, still_holds, vk, vulkaninfo

MESA = "gfxstream"
DRIVERS[MESA] = "/usr/share/vulkan/icd.d/gfxstream_vk_icd.json"
N_HELD = 40


@contextlib.contextmanager
def vulkan_daemon(t):
    t.rig.daemon_args = t.rig.gfxstream_args() + ["--headless", "--sandbox", "strict"]
    with t.daemon() as daemon:
        yield daemon


def machine(t, daemon):
    return Machine(t.rig, daemon, device=DEVICE, disk=True, memory="1G")


@scenario("gfxstream")
def gfxstream_interface(t):
    for name, says in (("interface", "does what our stand-in does"),
                       ("crashes", "crashes and hangs where the daemon takes care")):
        with t.check("the library " + says):
            status, said = t.rig.run_program("tests/gfxstream/gfxstream_" + name,
                                             "GFXSTREAM_LIBRARY=" + GFXSTREAM)
            expect(status == 0, said[-1500:])


@scenario("gfxstream")
def gfxstream_smpte(t):
    for device in "vhost-user-gpu-pci", "vhost-user-vga":
        with t.daemon() as daemon, Machine(t.rig, daemon, device=device, disk=True) as vm:
            boot(vm)
            with t.check("every pixel of modetest's SMPTE bars is on %s's screen" % device):
                said = disk_sh(vm, "modetest -M virtio_gpu -c")
                found = re.search(r"^(\d+)\s+\d+\s+connected", "\n".join(said), re.M)
                expect(found, "modetest finds no screen: %s" % said)
                pid = start(vm, "modetest -M virtio_gpu -s %s:1280x800" % found[1], "modetest")
                vm.qemu.wait_picture(smpte_bars(1280, 800))
                stop(vm, pid)


@scenario("gfxstream")
def gfxstream_load(t):
    with vulkan_daemon(t) as daemon, machine(t, daemon) as vm:
        boot(vm)
        with t.check("the guest's driver has the window, host blobs and gfxstream's capset"):
            log = "\n".join(vm.guest.do("sh dmesg"))
            for wanted in ("Host memory window: ", "+resource_blob", "+host_visible",
                           "+context_init"):
                expect(wanted in log, "no %s in the guest's log" % wanted)
            expect(re.search(r"cap set \d+: id 3,", log), "no capset 3 in the guest's log")
        with t.check("vulkaninfo of Mesa 25.0 shows the host's GPU"):
            said = vulkaninfo(vm, MESA)
            t.note(said[-300:])
            expect("deviceName" in said and "llvmpipe" in said, "it says: " + said[-400:])
        for work in WORK.split(" - "):
            with t.check("%s gives the right bytes" % work):
                for line in vk(vm, work, mesa=MESA):
                    t.note(line)
        with t.check("300 times map, write, copy and free give the right bytes"):
            t.note(vk(vm, "churn 65536 200 - churn 4096 100", mesa=MESA)[-1])


@scenario("gfxstream")
def gfxstream_limits(t):
    with vulkan_daemon(t) as daemon, machine(t, daemon) as vm:
        boot(vm)
        with t.check("maps of 8 MiB until the window is full are right, and can be given back"):
            t.note(vk(vm, "many 8388608 60", mesa=MESA)[-1])
            daemon.must_live()
        with t.check("three clients killed with 30 maps each leave room for the next"):
            for _ in range(3):
                stop(vm, hold(vm, n=30, mesa=MESA), "KILL")
            vk(vm, "copy 65536 5", mesa=MESA)
            t.note("%d descriptors, %d KiB" % (daemon.fds(), daemon.memory_kib()))


@scenario("gfxstream")
def gfxstream_reboots(t):
    with vulkan_daemon(t) as daemon, machine(t, daemon) as vm:
        for number in range(3):
            with t.check("boot %d: %d maps are right, and live when the guest is reset" %
                         (number + 1, N_HELD)):
                boot(vm)
                vk(vm, "draw 5 - copy 65536 5", mesa=MESA)
                hold(vm, mesa=MESA)
                still_holds(vm)
                t.note("%d descriptors" % daemon.fds())
            if number < 2:
                vm.guest.send("sh reboot -f")


@scenario("gfxstream")
def gfxstream_stop_and_kill(t):
    with vulkan_daemon(t) as daemon:
        fds = daemon.fd_names()
        with machine(t, daemon) as vm:
            boot(vm)
            with t.check("the contents of 40 maps survive stop and cont"):
                hold(vm, mesa=MESA)
                for _ in range(3):
                    vm.qemu.qmp("stop")
                    vm.qemu.qmp("cont")
                    still_holds(vm)
        for number in (2, 3):
            with machine(t, daemon) as vm, t.check(
                    "QEMU killed with 40 maps live: QEMU %d finds all right" % number):
                boot(vm)
                vk(vm, "draw 5 - copy 65536 5", mesa=MESA)
                hold(vm, mesa=MESA)
                still_holds(vm)
                t.note("%d descriptors, %d KiB" % (daemon.fds(), daemon.memory_kib()))
        with t.check("no descriptor is left of three QEMUs"):
            same_fds(daemon, fds)
