# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""Checks that print "ok" or "not ok", and the ends of the logs after a failure."""

import contextlib
import os
import time

from rig import Failure


class Checks:
    """log_names: files in run_dir whose ends are shown after a failure."""

    def __init__(self, scenario, run_dir, log_names):
        self.scenario, self.run_dir, self.log_names = scenario, run_dir, log_names
        self.passed = self.failed = 0

    def note(self, text):
        print("# " + text, flush=True)

    def ok(self, name, seconds):
        self.passed += 1
        print("ok - %s: %s (%.1f s)" % (self.scenario, name, seconds), flush=True)

    def not_ok(self, name, reason):
        self.failed += 1
        print("not ok - %s: %s: %s" % (self.scenario, name, reason), flush=True)

    def show_logs(self):
        for name in self.log_names:
            path = os.path.join(self.run_dir, name)
            if not os.path.exists(path):
                continue
            with open(path, "rb") as f:
                f.seek(max(0, os.path.getsize(path) - 2000))
                for line in f.read().decode(errors="replace").splitlines()[-15:]:
                    self.note("%s: %s" % (name, line))
        wrong = os.path.join(self.run_dir, "wrong.png")
        keep = os.environ.get("VHOST_DEVICE_GPU_KEEP")
        if keep and os.path.exists(wrong):
            target = os.path.join(keep, "wrong-%s-%d.png" % (self.scenario, self.failed))
            os.replace(wrong, target)
            self.note("the wrong picture: " + target)

    @contextlib.contextmanager
    def check(self, name):
        start = time.monotonic()
        try:
            yield
        except Exception as error:  # an exception in a check is a failed check
            self.not_ok(name, error if isinstance(error, Failure) else repr(error))
            self.show_logs()
        else:
            self.ok(name, time.monotonic() - start)
