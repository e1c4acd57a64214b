#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""record_sessions.py RECORDER DIR [NAME]...: records real sessions, each to DIR/NAME.session.
RECORDER is build/fuzz/record (-Drecorder=enabled). The guests are those of tests/e2e: a Linux
boot with its console, a cursor and a change of mode; OVMF, then Linux; and kmscube for a few
frames with OpenGL. session_to_seeds.py makes seeds of them.
"""
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / 'tests' / 'e2e'))
import cases  # noqa: E402
import gl_cases  # noqa: E402
import rig  # noqa: E402

FRAMES = 3


def linux(vm):
    vm.guest.wait_up()
    vm.qemu.wait_screen('the console', cases.shows_console)
    vm.guest.do('open /dev/dri/card0')
    vm.guest.do('show 0 1280 800 1')
    vm.guest.do('cursor 0 100 200 5 9 1')
    vm.guest.do('flips 0 4')
    vm.guest.do('show 0 1024 768 2')
    vm.guest.do('close')


def ovmf(vm):
    vm.guest.wait_up(180)
    vm.qemu.wait_screen('the console', cases.shows_console)


def kmscube(vm):
    gl_cases.boot(vm)
    gl_cases.disk_sh(vm, '[ -p /tmp/in ] || mkfifo /tmp/in; kmscube -D /dev/dri/card0 -c %d <>/tmp/in' % FRAMES, 120)


SESSIONS = {
    'linux': (linux, '2d', {}),
    'ovmf': (ovmf, '2d', {'firmware': '/usr/share/ovmf/OVMF.fd'}),
    'kmscube': (kmscube, 'virglrenderer', gl_cases.GL_MACHINE),
}


def record(recorder, path, scenario, mode, machine):
    the_rig = rig.Rig(recorder)
    the_rig.daemon_args = ['--gpu-mode', mode, '--sandbox', 'off']
    os.environ['VHOST_DEVICE_GPU_RECORD'] = path
    with the_rig:
        daemon = rig.Daemon(the_rig)
        try:
            with rig.Machine(the_rig, daemon, **machine) as vm:
                scenario(vm)
            daemon.must_live()
            daemon.terminate(5)
        finally:
            daemon.kill()


def main():
    recorder, directory = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[3:] or SESSIONS:
        record(recorder, str(directory / (name + '.session')), *SESSIONS[name])
        print('%s: %d events' % (name, len((directory / (name + '.session')).read_text().splitlines())))


if __name__ == '__main__':
    main()
