#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""session_to_stream.py SESSION FILE: writes what one program's OpenGL context did, for the benchmark to play.

SESSION is what fuzz/record wrote. FILE is, all numbers little-endian:

    8 bytes "VGPUSTRM", u32 version (1), u32 bytes of guest memory that the backings need
    records, each: u32 kind, u32 size, size bytes of content (a multiple of 4)
      kind 1, a command for the control queue: u32 bytes of room for the response, the request as the chain had it
      kind 2, guest memory is written: u32 where, u32 how many bytes, the bytes, zeros that pad
      kind 3, empty: a frame begins (its SUBMIT_3D comes next)

Requests are as the guest's driver sent them (struct virtio_gpu_*), but for the addresses in RESOURCE_ATTACH_BACKING:
they count from the start of the guest memory that the backings need, and the player adds the address of its memory.
All of a program's life is there, from CTX_CREATE to the last RESOURCE_UNREF, so it can be played over and over. The
frames in the middle can also be repeated alone. The memory is zero at first but for what is written.
"""
import pathlib
import struct
import sys

from session import (ATTACH, CTX_ATTACH, CTX_CREATE, FLUSH, HEADER_SIZE, SET_SCANOUT, SUBMIT, UNREF, read_session)

PAGE = 4096


class Arena:
    """Guest memory without its holes: pages get places in the order in which they are asked for."""

    def __init__(self):
        self.places = {}

    def place(self, address):
        page = self.places.setdefault(address // PAGE, len(self.places))
        return page * PAGE + address % PAGE

    def place_entry(self, address, length):
        """A piece of a backing stays one piece."""
        pages = range(address // PAGE, (address + length - 1) // PAGE + 1)
        placed = [self.places.setdefault(page, len(self.places)) for page in pages]
        if [page - placed[0] for page in placed] != list(range(len(placed))):
            raise ValueError('a backing overlaps another one')
        return placed[0] * PAGE + address % PAGE


def one_program(events):
    """From the last CTX_CREATE to the last UNREF of a resource of that context."""
    first = max(i for i, event in enumerate(events) if event.type == CTX_CREATE)
    context = events[first].context
    made = {event.words()[0] for event in events if event.type == CTX_ATTACH and event.context == context}
    last = max(i for i, event in enumerate(events) if event.type == UNREF and event.words()[0] in made)
    return events[first:last + 1], made


def with_places(request, arena):
    resource, n = struct.unpack_from('<II', request, HEADER_SIZE)
    entries = struct.iter_unpack('<QII', request[HEADER_SIZE + 8:HEADER_SIZE + 8 + 16 * n])
    return request[:HEADER_SIZE + 8] + b''.join(
        struct.pack('<QII', arena.place_entry(address, length), length, 0) for address, length, _ in entries)


def write_stream(session, path):
    events, made = one_program(read_session(session))
    arena, records = Arena(), b''

    def add(kind, content=b''):
        nonlocal records
        records += struct.pack('<II', kind, len(content)) + content

    for event in events:
        if event.word == 'memory' and event.numbers[0] // PAGE in arena.places:
            add(2, struct.pack('<II', arena.place(event.numbers[0]), len(event.bytes)) + event.bytes +
                bytes(-len(event.bytes) % 4))
        if event.word != 'pop' or event.numbers[0] != 0:
            continue
        if event.type in (SET_SCANOUT, FLUSH) and event.words()[4] not in made | {0}:
            continue
        if event.type == SUBMIT:
            add(3)
        request = with_places(event.bytes, arena) if event.type == ATTACH else event.bytes
        add(1, struct.pack('<I', sum(event.pieces_in)) + request)
    pathlib.Path(path).write_bytes(b'VGPUSTRM' + struct.pack('<II', 1, len(arena.places) * PAGE) + records)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write_stream(*sys.argv[1:])


if __name__ == '__main__':
    main()
