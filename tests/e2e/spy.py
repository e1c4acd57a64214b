#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""A relay between QEMU and the daemon that sees every message and changes none.

It sits on the vhost-user socket, passes each message with its file descriptors, and puts a
socketpair of its own in the place of the display socket that QEMU hands over in GPU_SET_SOCKET, so
it sees the pixels' path too. The socket of SET_BACKEND_REQ_FD is passed on, so its messages are not
seen. Messages stay whole: each is read and sent on as one, so the order and the bounds that either
side relies on are kept.

As a program: spy.py LISTEN TARGET [--record FILE]; spy.py --print FILE
A record is a sequence of: u64 microseconds, u8 channel, u8 direction, u8 fds, u8 0, the message.
"""

import argparse
import array
import os
import socket
import struct
import threading
import time

VHOST, DISPLAY = 0, 1
TO_DAEMON, TO_QEMU = 0, 1
GPU_SET_SOCKET = 33
RECORD = struct.Struct("<QBBBB")
HEADER = struct.Struct("<III")
DISPLAY_NAMES = {
    1: "GET_PROTOCOL_FEATURES", 2: "SET_PROTOCOL_FEATURES", 3: "GET_DISPLAY_INFO", 4: "CURSOR_POS",
    5: "CURSOR_POS_HIDE", 6: "CURSOR_UPDATE", 7: "SCANOUT", 8: "UPDATE", 9: "DMABUF_SCANOUT",
    10: "DMABUF_UPDATE", 11: "GET_EDID", 12: "DMABUF_SCANOUT2"}


class Message:
    """One message of the display socket, decoded as far as the tests ask."""

    def __init__(self, direction, request, payload):
        self.direction, self.payload = direction, payload
        self.name = DISPLAY_NAMES.get(request, str(request))
        words = struct.unpack_from("<%dI" % min(len(payload) // 4, 5), payload)
        if self.name in ("CURSOR_POS", "CURSOR_POS_HIDE", "CURSOR_UPDATE"):
            self.scanout, self.x, self.y = words[:3]
        if self.name == "CURSOR_UPDATE":
            self.hot_x, self.hot_y = words[3:5]
            self.pixels = payload[20:]
        if self.name == "SCANOUT":
            self.scanout, self.width, self.height = words[:3]
        if self.name == "UPDATE":
            self.scanout, self.x, self.y, self.width, self.height = words
            self.n_bytes = len(payload) - 20
            self.payload = payload[:20]

    def __repr__(self):
        fields = {k: v for k, v in vars(self).items() if k not in ("payload", "pixels", "name")}
        return "%s(%s)" % (self.name, ", ".join("%s=%s" % f for f in fields.items()))


def receive_exactly(sock, n):
    data = bytearray(n)
    view, have = memoryview(data), 0
    while have < n:
        got = sock.recv_into(view[have:])
        if got == 0:
            raise EOFError
        have += got
    return bytes(data)


def receive_message(sock):
    """Returns header, payload, fds; the fds are the caller's."""
    size = array.array("i").itemsize
    header, ancillary, _flags, _ = sock.recvmsg(HEADER.size, socket.CMSG_SPACE(64 * size),
                                                socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[:len(data) - len(data) % size])
    try:
        if not header:
            raise EOFError
        header += receive_exactly(sock, HEADER.size - len(header))
        payload = receive_exactly(sock, HEADER.unpack(header)[2])
    except (EOFError, OSError):
        close_all(fds)
        raise
    return header, payload, list(fds)


def send_message(sock, data, fds):
    if not fds:
        sock.sendall(data)
        return
    sent = sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    sock.sendall(data[sent:])


def close_all(fds):
    for fd in fds:
        os.close(fd)


class Spy:
    """Serves one connection after another until stop(); messages and counts are for the tests."""

    def __init__(self, listen_path, target_path, record=None):
        self.target_path = target_path
        self.messages = []      # of the display socket
        self.requests = []      # request numbers that QEMU sent over the vhost-user socket
        self.display_sockets = 0
        self._record = open(record, "wb") if record else None
        self._lock = threading.Lock()
        self._sockets = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(listen_path)
        self._listener.listen(4)
        self._start(self._serve)

    def _start(self, target, *args):
        threading.Thread(target=target, args=args, daemon=True).start()

    def _serve(self):
        while True:
            try:
                qemu, _ = self._listener.accept()
            except OSError:
                return
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect(self.target_path)
            self._relay_both(VHOST, qemu, daemon)

    def _relay_both(self, channel, qemu, daemon):
        self._sockets += [qemu, daemon]
        self._start(self._relay, channel, TO_DAEMON, qemu, daemon)
        self._start(self._relay, channel, TO_QEMU, daemon, qemu)

    def _relay(self, channel, direction, source, sink):
        try:
            while True:
                header, payload, fds = receive_message(source)
                request = HEADER.unpack(header)[0]
                self._note(channel, direction, request, header, payload, fds)
                if (channel, direction, request) == (VHOST, TO_DAEMON, GPU_SET_SOCKET) and fds:
                    fds = [self._take_display_socket(fds)]
                try:
                    send_message(sink, header + payload, fds)
                finally:
                    close_all(fds)
        except (EOFError, OSError):
            for sock in (source, sink):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _take_display_socket(self, fds):
        ours, theirs = socket.socketpair()
        self.display_sockets += 1
        qemu = socket.socket(fileno=fds[0])
        close_all(fds[1:])
        self._relay_both(DISPLAY, qemu, ours)
        return theirs.detach()

    def _note(self, channel, direction, request, header, payload, fds):
        with self._lock:
            if channel == DISPLAY:
                self.messages.append(Message(direction, request, payload))
            elif direction == TO_DAEMON:
                self.requests.append(request)
            if self._record:
                self._record.write(RECORD.pack(time.monotonic_ns() // 1000, channel, direction,
                                               len(fds), 0) + header + payload)
                self._record.flush()

    def since(self, mark, name):
        """The messages of this name that came after the call of mark() that returned this mark."""
        with self._lock:
            return [m for m in self.messages[mark:] if m.name == name]

    def mark(self):
        with self._lock:
            return len(self.messages)

    def stop(self):
        for sock in [self._listener] + self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()


def print_record(path):
    with open(path, "rb") as f:
        while True:
            head = f.read(RECORD.size)
            if len(head) < RECORD.size:
                return
            when, channel, direction, n_fds, _ = RECORD.unpack(head)
            request, flags, size = HEADER.unpack(f.read(HEADER.size))
            payload = f.read(size)
            name = DISPLAY_NAMES.get(request, request) if channel == DISPLAY else request
            print("%12.6f %s %s %s flags=%#x size=%d fds=%d %s" % (
                when / 1e6, "display" if channel == DISPLAY else "vhost  ",
                "->qemu  " if direction == TO_QEMU else "->daemon", name, flags, size, n_fds,
                payload[:32].hex(" ", 4)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("listen", nargs="?")
    parser.add_argument("target", nargs="?")
    parser.add_argument("--record")
    parser.add_argument("--print", dest="print_file")
    args = parser.parse_args()
    if args.print_file:
        print_record(args.print_file)
        return
    if not args.target:
        parser.error("LISTEN and TARGET are needed")
    Spy(args.listen, args.target, args.record)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
