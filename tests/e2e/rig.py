# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""The parts of one end-to-end run: the daemon, QEMU and the guest, as child processes.

Every wait has a deadline, and every process ends with the test: each is killed when its with block
is left, and by the kernel if the test itself is killed. The files of a run are in a temporary
directory, which QEMU sees as /rig/run inside its root.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import picture
import spy

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IN_ROOT = os.path.join(TOP, "scripts", "in-root")
PR_SET_PDEATHSIG = 1
PEER = "/usr/lib/qemu/vhost-user-gpu"  # QEMU's own daemon, in the root
QEMUS = {"11.1": "", "10.0": "/opt/qemu-10.0"}
# On a busy machine the kernel's test of the timer may fail, and the guest would not boot.
APPEND = ("no_timer_check console=ttyS0 quiet loglevel=4 mitigations=off tsc=reliable"
          " random.trust_cpu=on consoleblank=0 vt.global_cursor_default=0 panic=-1")
LAYER = ["VK_LAYER_PATH=/rig/layer", "VK_INSTANCE_LAYERS=VK_LAYER_VDG_memfd"]
# Variables with which the root's loaders of OpenGL and Vulkan find the machine's own driver; none:
# the CPU draws.
HOST_ENV = os.environ.get("VHOST_DEVICE_GPU_HOST_ENV", "").split()
LAVAPIPE = HOST_ENV or ["VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.json"]
GFXSTREAM = "/rig/run/libgfxstream_backend.so.0"
BUSY = 3
libc = ctypes.CDLL(None)


class Failure(Exception):
    """A failed check: the reason, as a sentence."""


def end_of(seconds):
    """The end of a wait. The times that the checks name are those of a machine that does nothing
    else; what they wait for comes later on a busy one."""
    return time.monotonic() + BUSY * seconds


def wait_for(what, seconds, condition, pause=0.05):
    """Polls until condition() returns something true, and returns that."""
    end = end_of(seconds)
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failure("%s: not within %g s" % (what, BUSY * seconds))
        time.sleep(pause)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A child with a log; kill() leaves nothing of it."""

    def __init__(self, name, argv, log, env=None):
        self.name, self.log_path = name, log
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          env=env, preexec_fn=die_with_parent)
        self.pid = self.popen.pid

    @property
    def is_alive(self):
        return self.popen.poll() is None

    def must_live(self):
        if not self.is_alive:
            raise Failure("%s had ended with %d" % (self.name, self.popen.returncode))
        return False

    def log(self):
        with open(self.log_path, "rb") as f:
            return f.read().decode(errors="replace")

    def cpu_seconds(self):
        """CPU time of the process and its live descendants."""
        pids, ticks = [self.pid], 0
        while pids:
            pid = pids.pop()
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                    pids += map(int, f.read().split())
                with open("/proc/%d/stat" % pid) as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def terminate(self, seconds):
        """SIGTERM; returns the exit status, or raises Failure if it does not end."""
        self.popen.terminate()
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure("%s still runs %g s after SIGTERM" % (self.name, seconds)) from None

    def kill(self):
        if self.is_alive:
            self.popen.kill()
        self.popen.wait()


class Daemon(Process):
    """The daemon: on this machine, or, if the rig says so, in the Debian 13 root."""

    def __init__(self, rig):
        self.socket_path = os.path.join(rig.run_dir, "gpu.sock")
        if os.path.exists(self.socket_path):
            os.unlink(self.socket_path)
        super().__init__("the daemon", rig.daemon_argv(self.socket_path),
                         os.path.join(rig.run_dir, "daemon.log"))
        wait_for("the daemon's socket", 20,
                 lambda: os.path.exists(self.socket_path) or self.must_live())

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def fd_names(self):
        names = []
        for fd in os.listdir("/proc/%d/fd" % self.pid):
            try:
                names.append(os.readlink("/proc/%d/fd/%s" % (self.pid, fd)))
            except OSError:
                pass
        return sorted(names)

    def memory_kib(self):
        """The daemon's own memory. Mapped guest memory is shared and does not count."""
        with open("/proc/%d/status" % self.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))


class Qemu(Process):
    """socket_path None: a device of QEMU's own, which needs no daemon."""

    def __init__(self, rig, socket_path, device="vhost-user-gpu-pci", version="11.1", firmware=None,
                 kernel=True, disk=False, tar=None, display="none", extra=(), memory="512M",
                 env=(), append=""):
        self.run_dir = rig.run_dir
        self.shots = 0
        for name in ("qmp.sock", "orders.sock"):
            if os.path.exists(os.path.join(self.run_dir, name)):
                os.unlink(os.path.join(self.run_dir, name))
        prefix = QEMUS[version]
        argv = [IN_ROOT, rig.root, "--bind", self.run_dir, "/rig/run"]
        for directory in ("/usr/share/qemu", "/usr/lib/x86_64-linux-gnu/qemu") if prefix else ():
            argv += ["--bind", rig.root + prefix + directory, directory]
        if disk:
            argv += ["--bind", os.path.dirname(rig.disk), "/rig/disk"]
        argv += ["--bind", rig.layer, "/rig/layer"]
        argv += ["--", "env", "SDL_VIDEODRIVER=offscreen", "XDG_RUNTIME_DIR=/tmp", *HOST_ENV, *env,
                 prefix + "/usr/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config",
                 "-machine", "q35,memory-backend=mem", "-smp", "2", "-m", memory,
                 "-object", "memory-backend-memfd,id=mem,size=%s,share=on" % memory,
                 "-vga", "none", "-display", display,
                 "-qmp", "unix:/rig/run/qmp.sock,server=on,wait=off",
                 "-serial", "file:/rig/run/serial.log",
                 "-chardev", "socket,id=orders,path=/rig/run/orders.sock,server=on,wait=off",
                 "-serial", "chardev:orders"]
        if socket_path:
            argv += ["-chardev", "socket,id=vug,path=/rig/run/" + os.path.basename(socket_path)]
            device += ",chardev=vug"
        argv += ["-device", device + ",id=gpu0"]
        for path in (["/rig/disk/disk.ext4"] if disk else []) + (
                ["/rig/run/" + os.path.basename(tar)] if tar else []):
            argv += ["-drive", "file=%s,format=raw,if=virtio,readonly=on" % path]
        argv += (["-accel", "kvm", "-cpu", "host"] if rig.accel == "kvm" else
                 ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"])
        if firmware:
            argv += ["-bios", firmware]
        if kernel:
            argv += ["-kernel", "/rig/run/vmlinuz", "-initrd", "/rig/run/initrd", "-append",
                     APPEND + append]
        super().__init__("QEMU " + version, argv + list(extra),
                         os.path.join(self.run_dir, "qemu.log"))
        try:
            self.qmp_lines = self._connect("qmp.sock").makefile("rwb", buffering=0)
            self.qmp_lines.readline()
            self.qmp("qmp_capabilities")
            self.guest = Guest(self._connect("orders.sock"))
        except BaseException:
            self.kill()
            raise

    def _connect(self, name):
        path = os.path.join(self.run_dir, name)
        wait_for("QEMU's " + name, 30, lambda: os.path.exists(path) or self.must_live())
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30 * BUSY)
        wait_for("a connection to " + name, 10, lambda: sock.connect_ex(path) == 0)
        return sock

    def qmp(self, command, **arguments):
        """Returns what the command returns; raises Failure with QEMU's message."""
        order = {"execute": command, "arguments": arguments}
        try:
            self.qmp_lines.write(json.dumps(order).encode() + b"\n")
            while True:
                line = self.qmp_lines.readline()
                if not line:
                    raise Failure("QEMU closed the monitor")
                reply = json.loads(line)
                if "error" in reply:
                    raise Failure("%s: %s" % (command, reply["error"]["desc"]))
                if "return" in reply:
                    return reply["return"]
        except TimeoutError:
            raise Failure("QEMU does not answer %s" % command) from None
        except OSError as error:
            raise Failure("QEMU's monitor: %s" % error) from None

    def processor_seconds(self):
        """CPU time of QEMU's vCPU threads: the guest's, with its emulation under TCG."""
        ticks = 0
        for processor in self.qmp("query-cpus-fast"):
            with open("/proc/%d/task/%d/stat" % (self.pid, processor["thread-id"])) as f:
                fields = f.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def state(self):
        """Describes the machine for a report: its status, and where its processors are."""
        try:
            registers = self.qmp("human-monitor-command", **{"command-line": "info registers -a"})
            places = re.findall(r"RIP=\w+|HLT=\d", registers)
            return "%s, %s" % (self.qmp("query-status")["status"], " ".join(places))
        except Failure as failure:
            return str(failure)

    def screenshot(self, head=0):
        """Returns the picture that QEMU shows on this output."""
        self.shots += 1
        name = "shot-%d.ppm" % self.shots
        path = os.path.join(self.run_dir, name)
        self.qmp("screendump", filename="/rig/run/" + name, device="gpu0", head=head)
        try:
            return picture.read_ppm(path)
        finally:
            os.unlink(path)

    def wait_picture(self, wanted, head=0, seconds=20):
        end = end_of(seconds)
        while True:
            try:
                shot = self.screenshot(head)
                difference = shot.difference(wanted)
                if not difference:
                    return
            except Failure as error:
                shot, difference = None, str(error)
            if time.monotonic() > end:
                if shot:
                    shot.save_png(os.path.join(self.run_dir, "wrong.png"))
                raise Failure(difference)
            self.must_live()
            time.sleep(0.1)

    def wait_screen(self, what, holds, head=0, seconds=30):
        """Waits until holds(picture) is true of the shown picture, and returns the picture."""
        wrong = None

        def look():
            nonlocal wrong
            self.must_live()
            try:
                shot = self.screenshot(head)
            except Failure:
                return None
            wrong = None if holds(shot) else shot
            return None if wrong else shot
        try:
            return wait_for(what, seconds, look, pause=0.2)
        except Failure:
            if wrong:
                wrong.save_png(os.path.join(self.run_dir, "wrong.png"))
            raise


class Guest:
    """The test's end of kms, the guest's program (guest/kms.c has the protocol)."""

    def __init__(self, sock):
        self.sock, self.buffer, self.order_number = sock, b"", 0

    def _line(self, end):
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0:
                raise Failure("the guest does not answer")
            self.sock.settimeout(left)
            try:
                got = self.sock.recv(65536)
            except TimeoutError:
                continue
            if not got:
                raise Failure("the guest's serial line ended")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode(errors="replace").strip("\r\0")

    def wait_up(self, seconds=90):
        end = end_of(seconds)
        while not self._line(end).endswith("hello"):
            pass

    def send(self, order):
        self.order_number += 1
        self.sock.sendall(b"%d %s\n" % (self.order_number, order.encode()))

    def do(self, order, seconds=30):
        """Sends a command to the guest; returns the lines of its answer."""
        self.send(order)
        end, answer = end_of(seconds), []
        number = str(self.order_number)
        while True:
            try:
                line = self._line(end)
            except Failure as failure:
                raise Failure("%s (order: %s)" % (failure, order)) from None
            if line.startswith(number + "|"):
                answer.append(line[len(number) + 1:])
            elif line == number + " ok":
                return answer
            elif line.startswith(number + " error "):
                raise Failure("guest: " + "; ".join([line[len(number) + 7:]] + answer[-3:]))
            elif line == "hello":
                raise Failure("the guest started anew (order: %s)" % order)


def find_parts():
    """The root, the guest's kernel, its disk, its initramfs and the layer: paths."""
    there = os.environ.get("VHOST_DEVICE_GPU_RIG")  # as scripts/bench-elsewhere-guest brought them
    if there:
        return [os.path.join(there, name)
                for name in ("root", "vmlinuz", "disk/disk.ext4", "initrd", "layer")]
    script = os.path.join(TOP, "scripts", "rig")
    subprocess.run([script, "prepare"], check=True)
    return [subprocess.run([script, "path", name], check=True, capture_output=True,
                           text=True).stdout.strip()
            for name in ("root", "kernel", "disk", "initrd", "layer")]


class Rig:
    """What all runs share: paths, and how the daemon is started."""

    def __init__(self, daemon, is_in_root=False, accel="tcg"):
        self.daemon, self.is_in_root, self.accel = daemon, is_in_root, accel
        self.daemon_args = []
        self.daemon_env = []  # of a daemon in the root: NAME=VALUE
        self.library = None   # of gfxstream, a copy of which the root sees in /rig/run
        self.root, self.kernel, self.disk, self.initrd, self.layer = find_parts()
        self.run_dir = None

    def daemon_argv(self, socket_path):
        if not self.is_in_root:
            return [self.daemon, "--socket-path", socket_path] + self.daemon_args
        if self.daemon == PEER:
            where, program = [], self.daemon
        else:
            where = ["--bind", os.path.dirname(self.daemon), "/rig/daemon"]
            program = "/rig/daemon/" + os.path.basename(self.daemon)
        # With --pivot the daemon can create its own file tree inside the root.
        env = HOST_ENV + self.daemon_env
        return [IN_ROOT, *(["--pivot"] if env else []), self.root,
                "--bind", self.run_dir, "/rig/run", "--bind", self.layer, "/rig/layer", *where,
                "--", "env", *env, program,
                "--socket-path=/rig/run/" + os.path.basename(socket_path)] + self.daemon_args

    def gfxstream_args(self):
        return ["--gpu-mode", "gfxstream", "--gfxstream-library", GFXSTREAM]

    def run_program(self, name, *env):
        """Runs a program of the daemon's build directory in the root; returns status and output."""
        done = subprocess.run(
            [IN_ROOT, self.root, "--bind", self.run_dir, "/rig/run", "--bind", self.layer,
             "/rig/layer", "--bind", os.path.dirname(self.daemon), "/rig/daemon", "--",
             "env", *self.daemon_env, *env, "/rig/daemon/" + name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=120)
        return done.returncode, done.stdout

    def __enter__(self):
        self.run_dir = tempfile.mkdtemp(prefix="vdg-")
        for name, path in (("vmlinuz", self.kernel), ("initrd", self.initrd)):
            try:
                os.link(path, os.path.join(self.run_dir, name))
            except OSError:
                shutil.copyfile(path, os.path.join(self.run_dir, name))
        if self.library:
            shutil.copy(self.library, os.path.join(self.run_dir, os.path.basename(GFXSTREAM)))
        return self

    def __exit__(self, *_exception):
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def kvm_works(self):
        """Whether KVM boots the guest; on some machines /dev/kvm is there and hangs."""
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            return False
        before, self.accel = self.accel, "kvm"
        qemu = None
        try:
            daemon = Daemon(self)
            try:
                qemu = Qemu(self, daemon.socket_path)
                qemu.guest.wait_up(6)
                return True
            finally:
                if qemu:
                    qemu.kill()
                daemon.kill()
        except Failure:
            return False
        finally:
            self.accel = before


class Machine:
    """with Machine(rig, daemon, ...) as vm: a QEMU on the daemon, through the spy if requested.
    Without a daemon it uses a device of QEMU's own."""

    def __init__(self, rig, daemon, with_spy=False, record=None, **qemu_arguments):
        self.rig, self.daemon, self.qemu_arguments = rig, daemon, qemu_arguments
        self.with_spy, self.record = with_spy, record
        self.spy = self.qemu = None

    def __enter__(self):
        path = self.daemon.socket_path if self.daemon else None
        if self.with_spy:
            spy_path = os.path.join(self.rig.run_dir, "spy.sock")
            if os.path.exists(spy_path):
                os.unlink(spy_path)
            self.spy = spy.Spy(spy_path, path, self.record)
            path = spy_path
        self.qemu = Qemu(self.rig, path, **self.qemu_arguments)
        self.guest = self.qemu.guest
        return self

    def wait_up(self, seconds=90):
        """Waits until the guest has booted; a failure says what it is doing instead."""
        try:
            self.guest.wait_up(seconds)
        except Failure as failure:
            raise Failure("%s: %s" % (failure, self.qemu.state())) from None

    def __exit__(self, *_exception):
        if self.qemu:
            self.qemu.kill()
        if self.spy:
            self.spy.stop()
