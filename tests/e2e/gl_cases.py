# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""OpenGL in real guests. They boot with the disk that has Mesa; see cases.py and guest/gl.c. The
label gl is for every build of the daemon; root13 is for the build in the Debian 13 root, which
uses the same virglrenderer and Mesa as the QEMU there, so that the two can be compared.
"""

import os
import re
import tarfile
import time

from cases import expect, same_fds, scenario, show, shows_console
from picture import gl_cells
from rig import TOP, Failure, Machine, wait_for

WHITE = b"\xff\xff\xff"
GL_MACHINE = {"disk": True, "memory": "1G"}
N_REBOOTS = 20
GL_TOLERANCE_KIB = 16384


def disk_sh(vm, command, seconds=60):
    """Runs a command on the guest's disk; returns its lines."""
    return vm.guest.do("sh chroot /disk sh -c '%s' 2>&1" % command, seconds)


def start(vm, command, log):
    """Starts a command and leaves it running; returns its process id. Its input never ends."""
    vm.guest.do("sh [ -p /disk/tmp/in ] || mkfifo /disk/tmp/in")
    return int(vm.guest.do("sh chroot /disk sh -c 'exec stdbuf -oL %s <>/tmp/in' "
                           ">/disk/tmp/%s 2>&1 & echo $!" % (command, log))[0])


def stop(vm, pid, signal="TERM"):
    """Waits for its end: it owns the screen until then."""
    vm.guest.do("sh kill -%s %d; while kill -0 %d 2>/dev/null; do sleep 0.1; done" %
                (signal, pid, pid))


def renderer(vm):
    """Returns the renderer's name from the guest's eglinfo, and how long that took."""
    begin = time.monotonic()
    # eglinfo fails after its output, because it also tries other ways to OpenGL.
    said = disk_sh(vm, "eglinfo.x86_64-linux-gnu -B -p gbm || true")
    found = [line.split(":", 1)[1].strip() for line in said if "profile renderer" in line]
    expect(found, "eglinfo named no renderer: %s" % said)
    return found[0], time.monotonic() - begin


def wait_gl_picture(vm, seed, seconds=20):
    """Checks gl.c's picture: each pixel of the cells, and the triangle with its point up."""
    wanted = gl_cells(1280, 800, seed)
    difference, shot = "no screenshot", None

    def is_right():
        nonlocal difference, shot
        try:
            shot = vm.qemu.screenshot()
        except Failure as failure:
            difference = str(failure)
            return False
        difference = None
        if shot.size != wanted.size:
            difference = "the picture is %s, not %s" % (shot.size, wanted.size)
        for y in range(shot.height) if not difference else ():
            # The triangle lies between a quarter and three quarters of both sides.
            inside = shot.height // 4 - 1 <= y <= shot.height * 3 // 4
            spans = [(0, 318), (962, 1280)] if inside else [(0, 1280)]
            for begin, end in spans:
                if shot.row(y)[begin * 3:end * 3] != wanted.row(y)[begin * 3:end * 3]:
                    difference = "the cells of row %d are not right" % y
        for x, y, is_white in ((640, 210, True), (640, 590, True), (340, 595, True),
                               (940, 595, True), (340, 210, False), (940, 210, False),
                               (540, 300, False), (740, 300, False)):
            is_there = shot.pixel(x, y) == WHITE
            right = WHITE if is_white else wanted.pixel(x, y)
            if not difference and shot.pixel(x, y) != right:
                difference = "the triangle: %d,%d is %s" % (x, y, "white" if is_there else "not")
        return not difference
    try:
        wait_for("the picture", seconds, is_right, pause=0.2)
    except Failure:
        if shot:
            shot.save_png(vm.qemu.run_dir + "/wrong.png")
        raise Failure(difference) from None


def show_gl(vm, seed):
    """Draws the picture of that seed and checks it; gl has ended afterwards."""
    pid = start(vm, "/rig/gl /dev/dri/card0 %d" % seed, "gl.log")
    try:
        wait_for("gl", 30, lambda: "shown" in "".join(vm.guest.do("sh cat /disk/tmp/gl.log")))
        said = vm.guest.do("sh cat /disk/tmp/gl.log")[-1]
        expect("virgl (" in said, "gl says: " + said)
        wait_gl_picture(vm, seed)
    except Failure as failure:
        raise Failure("%s; gl: %s" % (failure, vm.guest.do("sh cat /disk/tmp/gl.log"))) from None
    finally:
        stop(vm, pid)


def is_cube(shot):
    """Recognises kmscube's smooth cube: grey all around, in the middle many colours and hardly any
    grey."""
    edge = {shot.pixel(x, y) for x in (2, 1277) for y in range(2, 800, 49)} | {
        shot.pixel(x, y) for x in range(2, 1280, 49) for y in (2, 797)}
    middle = {shot.pixel(x, y) for x in range(560, 720, 8) for y in range(320, 480, 8)}
    greys = [p for p in middle if max(p) - min(p) < 3]
    return (shot.size == "1280x800" and len(edge) == 1 and
            all(126 <= channel <= 129 for channel in edge.pop()) and
            len(middle) > 40 and len(greys) < 8)


def wait_turning_cube(vm, seconds=30):
    """Waits for two different pictures of a cube; returns the second."""
    first = vm.qemu.wait_screen("a cube", is_cube, seconds=seconds)
    return vm.qemu.wait_screen("a cube that turns",
                               lambda shot: is_cube(shot) and shot.rgb != first.rgb, seconds=10)


def cube(vm):
    return start(vm, "kmscube -D /dev/dri/card0", "cube.log")


def cube_fps(vm, frames=300):
    text = " ".join(disk_sh(vm, "[ -p /tmp/in ] || mkfifo /tmp/in; "
                            "kmscube -D /dev/dri/card0 -c %d <>/tmp/in" % frames, 120))
    rates = re.findall(r"([0-9.]+) fps", text)
    expect(rates, "kmscube ended with: " + text[-300:])
    return float(rates[-1])


def boot(vm):
    vm.wait_up()
    expect(vm.guest.do("sh ls /disk") != [], "the guest has no disk")


@scenario("gl")
def gl_desktop(t):
    with t.daemon() as daemon, Machine(t.rig, daemon, **GL_MACHINE) as vm:
        boot(vm)
        with t.check("the guest's driver has virgl, and its console is on the screen"):
            features = [line for line in vm.guest.do("sh dmesg") if "features:" in line]
            expect(any("+virgl" in line for line in features), "features: %s" % features)
            vm.qemu.wait_screen("the console", shows_console)
        with t.check("the guest's Mesa draws by virgl"):
            name, seconds = renderer(vm)
            expect(name.startswith("virgl ("), "the renderer is " + name)
            t.note("renderer: %s (eglinfo took %.1f s)" % (name, seconds))
        with t.check("a picture drawn by OpenGL is on the screen, upright, every colour right"):
            show_gl(vm, 1)
            show_gl(vm, 2)
        with t.check("kmscube's cube is on the screen and turns"):
            pid = cube(vm)
            wait_turning_cube(vm)
        for round_number in (1, 2, 3):
            with t.check("the cube still turns after stop and cont, round %d" % round_number):
                vm.qemu.qmp("stop")
                time.sleep(0.2)
                vm.qemu.qmp("cont")
                wait_turning_cube(vm)
        with t.check("kmscube is killed while it draws, and the next picture is right"):
            stop(vm, pid, "KILL")
            show_gl(vm, 3)
        with t.check("kmscube runs 300 frames to its end"):
            t.note("kmscube, 1280x800: %.0f fps" % cube_fps(vm))
        with t.check("pictures without OpenGL are right between those with"):
            vm.guest.do("open /dev/dri/card0")
            show(vm, 4, 1024, 768)
            show(vm, 5)
            vm.guest.do("close")
            show_gl(vm, 6)
        with t.check("glmark2 runs to its end with a score"):
            glmark2(t, vm)
        with t.check("QEMU killed while the cube turns leaves the daemon alive"):
            cube(vm)
            wait_turning_cube(vm)
            vm.qemu.kill()
            time.sleep(1)
            daemon.must_live()


def glmark2(t, vm):
    lines = disk_sh(vm, "glmark2-es2-drm --off-screen -b build:duration=2 -b texture:duration=2 "
                    "-b shading:duration=2", 150)
    score = [line for line in lines if "glmark2 Score:" in line]
    expect(score, "it ended with: %s" % lines[-3:])
    fps = [re.sub(r"<default>|\s+", " ", line.strip()) for line in lines if " FPS: " in line]
    t.note("%s; %s" % (score[0].strip(), "; ".join(fps)))
    expect(int(score[0].split(":")[1]) > 0 and len(fps) == 3, "scenes: %s" % fps)


@scenario("gl")
def gl_reboots(t):
    """Compared with the state after five reboots, because OpenGL on the CPU keeps buffers for
    reuse. A lost picture of 1280x800 at each of the others would be 60000 KiB."""
    with t.daemon() as daemon, Machine(t.rig, daemon, **GL_MACHINE) as vm:
        with t.check("%d reboots with OpenGL running: each time it works again" % N_REBOOTS):
            for number in range(1 + N_REBOOTS):
                boot(vm)
                pid = cube(vm)
                try:
                    wait_turning_cube(vm, 60)
                except Failure as failure:
                    raise Failure("reboot %d: %s; kmscube: %s" % (
                        number, failure, vm.guest.do("sh tail -n 5 /disk/tmp/cube.log"))) from None
                if number == 5:
                    fds, memory = daemon.fd_names(), daemon.memory_kib()
                if number % 5 == 0:
                    t.note("reboot %d: %d fds, %d KiB" % (number, daemon.fds(), daemon.memory_kib()))
                if number < N_REBOOTS:
                    vm.guest.send("sh reboot -f")
        with t.check("the reboots leave no descriptor"):
            same_fds(daemon, fds)
        with t.check("the daemon's own memory does not grow"):
            now = daemon.memory_kib()
            if t.memory_counts:
                expect(now < memory + GL_TOLERANCE_KIB, "%d KiB, %d before" % (now, memory))
        with t.check("the picture is right after the reboots"):
            stop(vm, pid, "KILL")
            show_gl(vm, 7)


def piglit(vm):
    """Runs the list; returns a dictionary test -> result, and the seconds that it took."""
    begin = time.monotonic()
    lines = vm.guest.do("sh chroot /disk /rig/piglit /rig/piglit.txt", 200)
    return dict(line.rsplit(" ", 1) for line in lines if " " in line), time.monotonic() - begin


@scenario("root13")
def gl_piglit(t):
    with t.check("piglit runs on QEMU's own virtio-gpu-gl-pci"):
        with Machine(t.rig, None, device="virtio-gpu-gl-pci", display="sdl,gl=on",
                     **GL_MACHINE) as vm:
            boot(vm)
            wanted, seconds = piglit(vm)
        expect(len(wanted) >= 200, "only %d tests ran" % len(wanted))
        t.note("QEMU's own: %d of %d pass (%.0f s)" % (passes(wanted), len(wanted), seconds))
    with t.daemon() as daemon, Machine(t.rig, daemon, **GL_MACHINE) as vm:
        boot(vm)
        with t.check("the same tests of piglit pass on the daemon as on QEMU's own device"):
            got, seconds = piglit(vm)
            t.note("the daemon: %d of %d pass (%.0f s)" % (passes(got), len(got), seconds))
            differences = ["%s: %s, QEMU's own %s" % (name, got.get(name), wanted.get(name))
                           for name in sorted(set(got) | set(wanted))
                           if got.get(name) != wanted.get(name)]
            for line in differences:
                t.note("different: " + line)
            lost = [line for line in differences if line.endswith("QEMU's own pass")]
            expect(not lost and passes(wanted) >= 150, "lost: %s" % "; ".join(lost[:10]))


def said_of(case, lines):
    """What the program printed from the start of the case to that of the next."""
    text = "\n".join(lines)
    return re.split(r"\[ RUN      \] ", text[text.index("[ RUN      ] " + case) + 13:])[0][:1500]


def run_in_guest(t, name, cases="*", module=None):
    """Runs a device test in the guest, with the daemon. The front-end is that of the device tests,
    which maps dma-bufs. A module of the tests can be loaded into the daemon."""
    build = os.path.join(TOP, "build-root13")
    job = os.path.join(t.rig.run_dir, "job.tar")
    modules = ["tests/device/lib%s.so" % module] if module else []
    with tarfile.open(job, "w") as tar:
        for path in ("vhost-device-gpu", "tests/device/" + name, *modules):
            tar.add(os.path.join(build, path), os.path.basename(path))
    with Machine(t.rig, None, device="virtio-gpu-pci", tar=job, **GL_MACHINE) as vm:
        boot(vm)
        vm.guest.do("sh tar -x -f /dev/vdb -C /disk/tmp")
        lines = disk_sh(vm, "cd /tmp; export VMM_COUNT_CALLS=/tmp/lib%s.so; "
                        "./%s /tmp/vhost-device-gpu \"%s\"; echo ended with $?" %
                        (module, name, cases), 200)
    for line in lines:
        if line.strip().startswith("fourcc "):
            t.note(line.strip())
    for case in re.findall(r"\[ RUN      \] (\S+)", "\n".join(lines)):
        with t.check("in a guest with dma-bufs, " + case.replace("_", " ")):
            expect("[       OK ] " + case in lines, said_of(case, lines))
    with t.check("in a guest with dma-bufs, %s comes to its end" % name):
        expect(lines and lines[-1] == "ended with 0", "\n".join(lines)[-1500:])


@scenario("root13")
def gl_dmabuf(t):
    """In a guest a render node gives dma-bufs that the CPU can read."""
    run_in_guest(t, "device_3d_dmabuf")


@scenario("root13")
def memory_dmabuf(t):
    """In a guest /dev/udmabuf makes dma-bufs of memory."""
    run_in_guest(t, "device_dmabuf")
    run_in_guest(t, "device_counts", "*dma_buf*", "count_calls")


def passes(results):
    return sum(result == "pass" for result in results.values())
