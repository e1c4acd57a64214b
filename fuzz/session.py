# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""Reads a recorded session: the output of the daemon fuzz/record; the first comment of record.c has
the format."""
import pathlib
import re
import struct

# Types of virtio-gpu's commands.
(GET_DISPLAY_INFO, CREATE_2D, UNREF, SET_SCANOUT, FLUSH, TRANSFER_2D, ATTACH, DETACH, GET_CAPSET_INFO, GET_CAPSET,
 GET_EDID, ASSIGN_UUID) = range(0x100, 0x10c)
CTX_CREATE, CTX_DESTROY, CTX_ATTACH, CTX_DETACH, CREATE_3D, TO_HOST_3D, FROM_HOST_3D, SUBMIT = range(0x200, 0x208)
UPDATE_CURSOR, MOVE_CURSOR = 0x300, 0x301
HEADER_SIZE = 24


class Event:
    """A line of a session: its word, its numbers, and its bytes if it has any."""

    def __init__(self, line):
        self.word, *fields = line.split()
        self.bytes = b''
        if self.word in ('message', 'answer', 'memory', 'pop'):
            last = fields.pop()
            self.bytes = b'' if last == '-' else bytes.fromhex(last)
        if self.word == 'pop':
            self.pieces_in = sizes(fields.pop())
            self.pieces_out = sizes(fields.pop())
        self.numbers = [int(field) for field in fields]

    @property
    def type(self):
        return struct.unpack_from('<I', self.bytes)[0] if self.word == 'pop' else None

    def words(self, offset=HEADER_SIZE):
        """The request after its header, as 32-bit numbers."""
        return struct.unpack_from('<%dI' % ((len(self.bytes) - offset) // 4), self.bytes, offset)

    @property
    def context(self):
        return struct.unpack_from('<I', self.bytes, 16)[0]


def sizes(field):
    return [] if field == '-' else [int(size) for size in field.split(',')]


def vhost_user(name):
    """The number of a front-end's request, as the daemon has it."""
    header = pathlib.Path(__file__).parents[1] / 'src/vhost/vhost_user.h'
    return int(re.search(r'\bVHOST_USER_%s = (\d+)' % name, header.read_text())[1])


def read_session(path):
    return [Event(line) for line in pathlib.Path(path).read_text().splitlines()]
