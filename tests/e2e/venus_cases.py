# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""Vulkan in real guests, by Venus: guest/vk is the load, which checks every byte that it reads
back.

The daemon runs in the Debian 13 root, on lavapipe under the layer of vulkan_layer, in the strict
sandbox, for QEMU's generic device, the only one with a window. --in-process runs the scenarios that
do not need our daemon on QEMU's own device. Scenarios with the label venus-long run only by hand.
"""

import contextlib
import os
import re
import time

from cases import expect, same_fds, scenario
from gl_cases import boot, disk_sh, renderer, start, stop
from rig import LAVAPIPE, LAYER, Failure, Machine, wait_for

DEVICE = "vhost-user-test-device-pci,virtio-id=16,num_vqs=2,vq_size=256,config_size=20"
IN_PROCESS = "virtio-gpu-gl-pci,venus=on,blob=on,hostmem=256M"
DRIVERS = {"25.0": "/usr/share/vulkan/icd.d/virtio_icd.json", "26.1": "/opt/newer/virtio_icd.json"}
MESAS = ("25.0", "26.1")  # whose drivers know Venus; gfxstream_cases.py adds another to the table
SERVER = "virgl_render_server"
# A TCG guest that boots on a busy machine may calibrate its TSC wrongly, so that its clock is slow.
# Mesa wakes the host's idle ring once a millisecond of the guest's clock at most, so on a slow clock a
# wake-up is lost, and the client waits for ever.
STEADY_CLOCK = " clocksource=hpet"
DAEMON_ARGS = ["--gpu-mode", "virglrenderer", "--headless", "--sandbox", "strict"]
N_HELD, HELD_BYTES = 40, 65536
WORK = ("clear 64 64 200 - clear 640 480 100 - draw 60 - compute 16384 60 - copy 1048576 20 - "
        "copy 4096 100 - deep 2000 - latency 200")


def environment(with_layer=True):
    return LAVAPIPE + (LAYER if with_layer else [])


@contextlib.contextmanager
def daemon_of(t, with_layer=True):
    """A daemon for Vulkan, or None if QEMU's own device is used."""
    t.rig.daemon_env = environment(with_layer)
    if "--gpu-mode" in t.rig.daemon_args:
        t.rig.daemon_args = DAEMON_ARGS
    try:
        if t.is_in_process:
            yield None
            return
        with t.daemon() as daemon:
            yield daemon
    finally:
        t.rig.daemon_env = []


def machine(the_rig, daemon, with_layer=True, append=STEADY_CLOCK):
    """Without a daemon: QEMU's own device."""
    if daemon:
        return Machine(the_rig, daemon, device=DEVICE, disk=True, memory="1G", append=append)
    return Machine(the_rig, None, device=IN_PROCESS, display="sdl,gl=on", disk=True, memory="1G",
                   env=environment(with_layer), append=append)


def driver(mesa="26.1"):
    return "VK_DRIVER_FILES=%s " % DRIVERS[mesa]


def vk(vm, modes, seconds=120, mesa="26.1"):
    """Runs the modes; returns vk's output of each. Raises Failure with its reason."""
    lines = disk_sh(vm, driver(mesa) + "/rig/vk %s || true" % modes, seconds)
    passes = [line for line in lines if line.startswith("PASS ")]
    wanted = len(re.findall("latency", modes)) + len(modes.split(" - "))
    expect(len(passes) == wanted, "vk %s: %s" % (modes, "; ".join(lines[-4:])))
    return lines


def no_errors(vm):
    """Asserts that the guest's driver logged no error."""
    lines = [line for line in vm.guest.do("sh dmesg") if "*ERROR*" in line]
    expect(not lines, "the guest's log: %s" % "; ".join(lines[:4]))


def log_of(vm, name):
    return vm.guest.do("sh cat /disk/tmp/%s" % name)


def hold(vm, name="hold", n=N_HELD, size=HELD_BYTES, mesa="26.1"):
    """Starts a program that holds mapped memory; returns its process id."""
    pid = start(vm, "env " + driver(mesa) + "/rig/vk hold %d %d" % (size, n), name)
    try:
        wait_for("%d maps" % n, 60, lambda: "holding %d" % n in log_of(vm, name), pause=0.3)
    except Failure as failure:
        raise Failure("%s: %s" % (failure, "; ".join(log_of(vm, name)))) from None
    return pid


def still_holds(vm, name="hold"):
    """Checks that the held memory has its contents, for the guest and for the GPU."""
    before = len(log_of(vm, name))
    vm.guest.do("sh echo > /disk/tmp/in")
    wait_for("an answer of what holds memory", 60, lambda: len(log_of(vm, name)) > before, pause=0.3)
    said = log_of(vm, name)[-1]
    expect(said.startswith("PASS hold"), said)


def processes_of(parent):
    """The processes of the render server below this one: process id -> command line."""
    found, parents = {}, {parent}
    while parents:
        below = set()
        for name in os.listdir("/proc"):
            try:
                with open("/proc/%d/stat" % int(name)) as f:
                    ppid = int(f.read().rpartition(")")[2].split()[1])
                with open("/proc/%s/cmdline" % name) as f:
                    line = f.read()
            except (ValueError, OSError):
                continue
            if ppid in parents and int(name) not in found:
                found[int(name)] = line
                below.add(int(name))
        parents = below
    return {pid: line for pid, line in found.items() if SERVER in line}


def vulkaninfo(vm, mesa="26.1"):
    lines = disk_sh(vm, driver(mesa) + "vulkaninfo --summary || true", 60)
    return " ".join(line.strip() for line in lines)


def has_window(t, vm):
    with t.check("the guest's driver has the window, host blobs and the capset of Venus"):
        log = "\n".join(vm.guest.do("sh dmesg"))
        for wanted in ("Host memory window: ", "+resource_blob", "+host_visible", "+context_init"):
            expect(wanted in log, "no %s in the guest's log" % wanted)
        expect(re.search(r"cap set \d+: id 4,", log), "no capset 4 in the guest's log")


@scenario("venus")
def venus_load(t):
    with daemon_of(t) as daemon, machine(t.rig, daemon) as vm:
        boot(vm)
        has_window(t, vm)
        for mesa in MESAS:
            with t.check("vulkaninfo of Mesa %s names Venus" % mesa):
                said = vulkaninfo(vm, mesa)
                expect("Virtio-GPU Venus" in said, "it says: " + said[-400:])
            with t.check("clear, draw, compute, copy and 2000 submits in flight give the right "
                         "bytes with Mesa %s" % mesa):
                for line in vk(vm, WORK, mesa=mesa):
                    t.note(line)
        with t.check("zink draws OpenGL by Venus"):
            lines = disk_sh(vm, driver() + "LIBGL_ALWAYS_SOFTWARE=1 MESA_LOADER_DRIVER_OVERRIDE=zink "
                            "GALLIUM_DRIVER=zink eglinfo.x86_64-linux-gnu -B -p surfaceless || true")
            said = [line for line in lines if "renderer" in line]
            expect(any("zink" in line and "Venus" in line for line in said), "it says: %s" % lines[-8:])
        with t.check("vkmark runs three scenes to their end with a score"):
            t.note("vkmark: %s" % vkmark(vm))
        with t.check("the guest's driver complained of nothing"):
            no_errors(vm)


def vkmark(vm):
    """Returns scene -> frames a second."""
    lines = disk_sh(vm, driver() + "MESA_VK_WSI_DEBUG=sw vkmark --winsys headless "
                    "-b vertex:duration=2 -b cube:duration=2 -b shading:duration=2 || true", 120)
    scenes = re.findall(r"\[(\w+)\].*FPS: (\d+)", "\n".join(lines))
    score = re.findall(r"vkmark Score: (\d+)", "\n".join(lines))
    expect(score and int(score[0]) > 0 and len(scenes) == 3, "it ended with: %s" % lines[-4:])
    return {name: int(fps) for name, fps in scenes}


@scenario("venus")
def venus_memory(t):
    with daemon_of(t) as daemon, machine(t.rig, daemon) as vm:
        boot(vm)
        with t.check("1500 times map, write, copy and free give the right bytes"):
            t.note(vk(vm, "churn 65536 1000 - churn 4096 500")[-1])
        with t.check("five clients killed with 30 maps each leave room for the next"):
            for _ in range(5):
                stop(vm, hold(vm, n=30), "KILL")
            vk(vm, "copy 65536 5")
        with t.check("maps of 8 MiB until the window is full are right, and can be given back"):
            line = vk(vm, "many 8388608 60")[-1]
            t.note(line)
            granted = int(re.search(r"granted=(\d+)", line)[1])
            expect(8 <= granted <= 32, line)
        with t.check("of 600 maps at least 200 are granted, and the others are errors to the guest only"):
            line = vk(vm, "many 65536 600")[-1]
            t.note(line)
            expect(int(re.search(r"granted=(\d+)", line)[1]) >= 200, line)
            vm.qemu.must_live()
        with t.check("after that, work gives the right bytes"):
            vk(vm, "copy 65536 20 - draw 10")


@scenario("venus", "daemon")
def venus_reboots(t):
    with daemon_of(t) as daemon, machine(t.rig, daemon) as vm:
        for number in range(4):
            with t.check("boot %d: %d maps are right, and live when the guest is reset" %
                         (number + 1, N_HELD)):
                boot(vm)
                vk(vm, "draw 5 - copy 65536 5")
                hold(vm)
                still_holds(vm)
                t.note("%d descriptors" % daemon.fds())
                vm.qemu.must_live()
            if number < 3:
                vm.guest.send("sh reboot -f")


@scenario("venus", "daemon")
def venus_stop_and_kill(t):
    with daemon_of(t) as daemon:
        fds = daemon.fd_names()
        with machine(t.rig, daemon) as vm:
            boot(vm)
            with t.check("the contents of 40 maps survive stop and cont"):
                hold(vm)
                for _ in range(3):
                    vm.qemu.qmp("stop")
                    time.sleep(0.3)
                    vm.qemu.qmp("cont")
                    still_holds(vm)
            with t.check("work goes on after that"):
                vk(vm, "clear 64 64 50 - churn 4096 50")
        for number in (2, 3):
            with machine(t.rig, daemon) as vm, t.check(
                    "QEMU killed with 40 maps live: QEMU %d finds all right" % number):
                boot(vm)
                vk(vm, "draw 5 - copy 65536 5")
                hold(vm)
                still_holds(vm)
        with t.check("no descriptor and no process is left of three QEMUs"):
            wait_for("at most one process", 10, lambda: len(processes_of(daemon.pid)) <= 1)
            same_fds(daemon, fds)
            t.note("%d descriptors, %d KiB" % (daemon.fds(), daemon.memory_kib()))


@scenario("venus")
def venus_gl_beside(t):
    with daemon_of(t) as daemon, machine(t.rig, daemon) as vm:
        boot(vm)
        with t.check("OpenGL by virgl beside Venus: eglinfo, and a mapped buffer is right or not there"):
            name, _seconds = renderer(vm)
            expect(name.startswith("virgl ("), "the renderer is " + name)
            for test in ("bufferstorage-persistent read", "bufferstorage-persistent draw",
                         "map_buffer_range_test"):
                said = "\n".join(disk_sh(
                    vm, "cd /usr/lib/x86_64-linux-gnu/piglit; PIGLIT_PLATFORM=gbm PIGLIT_SOURCE_DIR=$PWD"
                    " timeout 60 bin/%s -auto -fbo </dev/null || true" % test, 90))
                result = re.findall(r'"result": "(\w+)"', said)
                t.note("%s: %s" % (test, result))
                expect(result and result[-1] in ("pass", "skip"), "%s: %s" % (test, said[-300:]))
        with t.check("glmark2 by virgl ends with a score while Vulkan draws"):
            hold(vm)
            pid = start(vm, "env " + driver() + "/rig/vk draw 100000", "draw")
            lines = disk_sh(vm, "glmark2-es2-drm --off-screen -b texture:duration=2 "
                            "-b shading:duration=2", 150)
            score = re.findall(r"glmark2 Score: (\d+)", "\n".join(lines))
            expect(score and int(score[0]) > 0, "it ended with: %s" % lines[-4:])
            expect("FAIL" not in " ".join(log_of(vm, "draw")), "vk: %s" % log_of(vm, "draw"))
            expect(vm.guest.do("sh kill -0 %d && echo there" % pid) == ["there"], "vk had ended")
            stop(vm, pid)
        with t.check("the contents that Vulkan held meanwhile are right"):
            still_holds(vm)


@scenario("venus", "daemon")
def venus_without_layer(t):
    with daemon_of(t, with_layer=False) as daemon, machine(t.rig, daemon, with_layer=False) as vm:
        boot(vm)
        with t.check("a host driver without dma-bufs: vulkaninfo works"):
            said = vulkaninfo(vm)
            expect("Virtio-GPU Venus" in said, "it says: " + said[-400:])
        with t.check("a map of its memory fails with an error to the guest"):
            lines = disk_sh(vm, driver() + "/rig/vk copy 65536 1 || true")
            expect(lines and re.match("FAIL: .*: result -", lines[-1]), "; ".join(lines))
            daemon.must_live()
        with t.check("OpenGL works beside that"):
            name, _seconds = renderer(vm)
            expect(name.startswith("virgl ("), "the renderer is " + name)


@scenario("venus", "daemon")
def venus_deaths(t):
    with daemon_of(t) as daemon, machine(t.rig, daemon) as vm:
        boot(vm)
        with t.check("a worker of the render server killed ends its own client only"):
            before = set(processes_of(daemon.pid))
            expect(before, "the daemon has no render server below it")
            victim = hold(vm, "victim", n=3)
            new = max(set(processes_of(daemon.pid)) - before)
            stop_and_look = start(vm, "env " + driver() + "/rig/vk draw 100000", "draw")
            os.kill(new, 9)
            vm.guest.do("sh echo > /disk/tmp/in")
            wait_for("the client's end", 60, lambda: vm.guest.do(
                "sh kill -0 %d 2>/dev/null && echo there || true" % victim) == [], pause=0.5)
            expect(vm.guest.do("sh kill -0 %d && echo there" % stop_and_look) == ["there"],
                   "the other client ended: %s" % log_of(vm, "draw"))
            stop(vm, stop_and_look)
            vk(vm, "draw 5")
        with t.check("the render server killed: OpenGL works, the daemon lives, contexts fail or "
                     "a new server takes them"):
            for pid in processes_of(daemon.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            time.sleep(1)
            daemon.must_live()
            lines = disk_sh(vm, driver() + "timeout 60 /rig/vk draw 5 || true", 90)
            t.note("a client afterwards: %s" % "; ".join(lines[-2:]))
            name, _seconds = renderer(vm)
            expect(name.startswith("virgl ("), "the renderer is " + name)
        with t.check("the log says that the render server ended"):
            expect("render server" in daemon.log(), "it has no word of it")


@scenario("venus-long", "daemon")
def venus_stop_churn(t):
    """QEMU 11.1 itself may crash here: that is reported, and is no failure of the daemon."""
    with daemon_of(t) as daemon, machine(t.rig, daemon) as vm:
        boot(vm)
        with t.check("stop and cont while maps come and go: no wrong byte, no error"):
            start(vm, "env " + driver() + "/rig/vk churn 65536 3000", "churn")
            for _ in range(3):
                time.sleep(0.7)
                try:
                    vm.qemu.qmp("stop")
                    time.sleep(0.3)
                    vm.qemu.qmp("cont")
                except Failure as failure:
                    if vm.qemu.is_alive:
                        raise
                    t.note("QEMU 11.1 died by itself: %s" % failure)
                    break
            if vm.qemu.is_alive:
                wait_for("churn's end", 90, lambda: any(
                    word in " ".join(log_of(vm, "churn")) for word in ("PASS", "FAIL")), pause=1)
                expect("PASS churn" in " ".join(log_of(vm, "churn")), str(log_of(vm, "churn")))
            daemon.must_live()


@scenario("venus-long")
def venus_churn(t):
    with daemon_of(t) as daemon, machine(t.rig, daemon) as vm:
        boot(vm)
        with t.check("6000 maps"):
            t.note(vk(vm, "churn 4096 3000 - churn 65536 3000", 300)[-1])
