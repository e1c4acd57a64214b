#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""session_to_seeds.py DIR SESSION...: translates recorded sessions into inputs of each fuzzer,
DIR/FUZZER/NAME-N.

A fuzzer's harness has less memory than a guest, so screens are scaled down, a backing has four
pieces instead of a thousand, and a session becomes as many inputs as its length needs. Each input
after the first begins by creating again what existed at that point. Order, shapes of chains, ids,
and the waits between commands are kept.
"""
import pathlib
import struct
import sys

import session
from seeds import (ATTACH, CAPSET, CAPSET_INFO, CONTEXT, CREATE_2D, CREATE_3D, CTX_ATTACH, CTX_CREATE, CTX_DESTROY,
                   CTX_DETACH, CUT, DETACH, DISPLAY_INFO, EDID, FENCE, FLUSH, INDIRECT, KICK, MOVE_CURSOR, PASS_FENCES,
                   REPLY, SET_SCANOUT, TRANSFER_2D, TURN, UNREF, UPDATE_CURSOR, UUID, WORDS, ask, command, say, vmm)

# The vhost-user messages that are used here.
GET_VRING_BASE, SET_VRING_ENABLE, GPU_SET_SOCKET, RESET_DEVICE = map(
    session.vhost_user, ('GET_VRING_BASE', 'SET_VRING_ENABLE', 'GPU_SET_SOCKET', 'RESET_DEVICE'))
HEADER_OF_SUBMIT = session.HEADER_SIZE + 8
LENGTHS = {'command': 400, 'virgl': 6144, 'session': 400, 'display': 400, 'vring': 400}
MAX_STEPS = 96
EDGES = [0x100, 0x400, 0x1000, 0x3fff, 0x4000, 0x4001, 0x10000, 0x100000, 0x20000000, 0x3fffffff, 0x40000000, 0x7fffffff,
         0x80000000, 0xfffff000, 0xfffffffe, 0xffffffff]
FORMATS = [1, 2, 3, 4, 67, 68, 121, 134]


# ---- input.h ----
def number(value):
    if value < 0xe0:
        return bytes([value])
    if value in EDGES:
        return bytes([0xe0 + EDGES.index(value)])
    return struct.pack('<BH', 0xf0, value) if value < 0x10000 else struct.pack('<BI', 0xf8, value)


def number64(value):
    return number(value) if value < 0xfffffffe else struct.pack('<BQ', 0xff, value)


# ---- requests to the display ----
def answers(event, outputs):
    """The numbers that fill_reply() in qemu_display.c takes for this reply, in its order."""
    at, taken = 0, b''
    while at + 12 <= len(event.bytes):
        request, _flags, size = struct.unpack_from('<III', event.bytes, at)
        if request == 3:
            taken += number(64) + number(40) + bytes(2 * (outputs - 1))
        if request == 11:
            taken += number(256)
        at += 12 + size
    return taken


# ---- guest.c and scenario.c: command and virgl ----
class Scenario:
    """One session as steps of a scenario; a request carries at most @max_words of a command stream."""

    def __init__(self, events, max_words):
        self.events, self.max_words = events, max_words
        self.has_contexts = any(event.type == session.CTX_CREATE for event in events)
        self.scales, self.widths = {0: 1}, {}

    def scale(self, resource):
        return self.scales.get(resource, 1)

    def rect(self, words, resource):
        return b'\x80' + b''.join(number(word // self.scale(resource)) for word in words[:4])

    @staticmethod
    def id(value):
        return bytes([value]) if value < 8 else b'\xf8' + number(value)

    @staticmethod
    def size(value):
        return bytes([value - 1]) if 0 < value <= 64 else b'\x80' + number(value)

    @staticmethod
    def format(value):
        return bytes([FORMATS.index(value)]) if value in FORMATS else b'\xf0' + number(value)

    def sizes(self, resource, width, height):
        self.scales[resource] = 20 if height > 128 else 1
        self.widths[resource] = width
        return self.size(width // self.scale(resource)) + self.size(height // self.scale(resource))

    @staticmethod
    def entries(resource):
        """Four pieces that hold the largest screen there is here, 64 x 40; each resource has its own."""
        return b'\x03' + b''.join(bytes([0x40 | (piece + resource) % 4 | piece << 2]) + number(0x1000)
                                  for piece in range(4))

    def fields(self, event):
        """The kind and the fields of a request, or None for one that the scenario cannot express."""
        w, kind = event.words(), event.type
        if kind in (session.UNREF, session.DETACH, session.CTX_ATTACH, session.CTX_DETACH, session.ASSIGN_UUID):
            return {session.UNREF: UNREF, session.DETACH: DETACH, session.CTX_ATTACH: CTX_ATTACH, session.CTX_DETACH: CTX_DETACH,
                    session.ASSIGN_UUID: UUID}[kind], self.id(w[0])
        if kind in (session.GET_DISPLAY_INFO, session.CTX_DESTROY):
            return DISPLAY_INFO if kind == session.GET_DISPLAY_INFO else CTX_DESTROY, b''
        if kind == session.CREATE_2D:
            return CREATE_2D, self.id(w[0]) + self.format(w[1]) + self.sizes(w[0], w[2], w[3])
        if kind == session.SET_SCANOUT:
            return SET_SCANOUT, self.id(w[5]) + self.id(w[4]) + self.rect(w, w[5] or 1)
        if kind == session.FLUSH:
            return FLUSH, self.id(w[4]) + self.rect(w, w[4])
        if kind == session.TRANSFER_2D:
            scale, width = self.scale(w[6]), self.widths.get(w[6], 1)
            pixel = (w[4] | w[5] << 32) // 4
            offset = (pixel // width // scale * (width // scale) + pixel % width // scale) * 4
            return TRANSFER_2D, self.id(w[6]) + self.rect(w, w[6]) + number64(offset)
        if kind == session.ATTACH:
            return ATTACH, self.id(w[0]) + self.entries(w[0])
        if kind == session.GET_EDID:
            return EDID, self.id(w[0])
        if kind == session.GET_CAPSET_INFO:
            return CAPSET_INFO, number(w[0])
        if kind == session.GET_CAPSET:
            return CAPSET, number(w[0]) + number(w[1])
        if kind == session.CTX_CREATE:
            return CTX_CREATE, number(w[0]) + number(w[1])
        if kind == session.CREATE_3D:
            return CREATE_3D, (self.id(w[0]) + bytes([w[1]]) + self.format(w[2]) + self.sizes(w[0], w[4], w[5]) +
                               b'\x30' + number(w[3]) + number(w[10]))
        if kind in (session.UPDATE_CURSOR, session.MOVE_CURSOR):
            return (UPDATE_CURSOR if kind == session.UPDATE_CURSOR else MOVE_CURSOR,
                    self.id(w[4]) + self.id(w[0]) + number(w[1]) + number(w[2]) + number(w[5]))
        return None

    def tell(self, event, shape, kind, fields):
        flags = struct.unpack_from('<I', event.bytes, 4)[0]
        extra = b''
        if event.context != 1:
            shape, extra = shape | CONTEXT, extra + self.id(event.context)
        if flags & 1:
            shape |= FENCE
        if event.numbers[2]:
            shape |= INDIRECT
        if len(event.pieces_out) > 1:
            shape, extra = shape | CUT, extra + bytes([event.pieces_out[0]])
        if sum(event.pieces_in) != 24:
            shape, extra = shape | REPLY, extra + number(sum(event.pieces_in))
        return command(kind, *fields, shape=shape, extra=extra)

    def stream_parts(self, event):
        """The commands of a stream, as many together as one request has room for; END_TRANSFERS
        (44) is kept without its words, which are padding."""
        words, at, part, parts = event.words(HEADER_OF_SUBMIT), 0, [], []
        while at < len(words):
            one = words[at:at + 1 + (words[at] >> 16)]
            at += len(one)
            if one[0] & 0xff == 44:
                one = (44,)
            if part and len(part) + len(one) > self.max_words:
                parts.append(part)
                part = []
            part = part + list(one[:self.max_words])
        return parts + [part]

    def steps(self):
        """Each as (its bytes, what it creates or destroys): chains are in the batch in which the
        device took them."""
        for i, event in enumerate(self.events):
            if event.word == 'answer':
                yield bytes([10 | TURN, 1]) + answers(event, 1), None
            if event.word == 'message' and event.numbers[0] == RESET_DEVICE and i > 0:
                yield vmm(2, 0), ('reset',)
            if event.word != 'pop':
                continue
            shape = 0 if self.is_followed(i) else KICK
            if event.type == session.SUBMIT:
                for part in self.stream_parts(event):
                    said = number(len(part)) + struct.pack('<%dI' % len(part), *part)
                    yield self.tell(event, KICK, WORDS, said), ('keep', ('context', event.context))
                continue
            told = self.fields(event)
            if told:
                yield self.tell(event, shape, *told), self.effect(event)
            if event.type == session.FLUSH:
                yield bytes([10 | TURN, 1]) + (PASS_FENCES if self.has_contexts else b''), None

    def is_followed(self, i):
        """Whether the device took another chain of the same queue in the same batch."""
        for event in self.events[i + 1:]:
            if event.word == 'pop' and event.numbers[0] == self.events[i].numbers[0]:
                return True
            if event.word in ('none', 'turn', 'listen'):
                return False
        return False

    @staticmethod
    def effect(event):
        w = event.words()
        if event.type in (session.CREATE_2D, session.CREATE_3D):
            return 'keep', ('resource', w[0])
        if event.type == session.ATTACH:
            return 'keep', ('resource', w[0])
        if event.type == session.CTX_CREATE:
            return 'keep', ('context', event.context)
        if event.type == session.CTX_ATTACH:
            return 'keep', ('context', event.context)
        if event.type == session.SET_SCANOUT:
            return 'replace', ('scanout', w[4])
        if event.type == session.UNREF:
            return 'end', ('resource', w[0])
        if event.type == session.CTX_DESTROY:
            return 'end', ('context', event.context)
        return None


def cut(begin, steps, length, max_steps=MAX_STEPS):
    """Inputs of at most that length. Objects that are alive at a cut are created again in the next
    one."""
    alive, told, n, is_new = [], begin, 0, False
    for step, effect in steps:
        if is_new and (len(told) + len(step) > length or n >= max_steps):
            yield told
            told = begin + b''.join(said for _what, said in alive)
            n, is_new = len(alive), False
        if len(told) + len(step) <= length:
            told, n, is_new = told + step, n + 1, True
        if effect and effect[0] == 'reset':
            alive = []
        elif effect:
            if effect[0] != 'keep':
                alive = [one for one in alive if one[0] != effect[1]]
            if effect[0] != 'end':
                alive.append((effect[1], step))
    if is_new:
        yield told


def command_seeds(events):
    scenario = Scenario(events, 12)
    # The harnesses of fuzz_command.c. With contexts: the null renderer (the one on the CPU has no contexts) and the one
    # of strict_renderer.c. Without: the one on the CPU and that of strict_renderer.c.
    for harness in (2, 3) if scenario.has_contexts else (0, 3):
        yield from cut(bytes([harness | 0x28, 0x1c]), list(scenario.steps()), LENGTHS['command'])


def virgl_seeds(events):
    yield from cut(bytes([0x28, 0x1c]), list(Scenario(events, 360).steps()), LENGTHS['virgl'], 120)


# ---- fuzz_session.c ----
def session_payload(event, regions):
    """What vhost_payload_put() reads for this message."""
    request = event.numbers[0]
    words = struct.unpack('<%dI' % (len(event.bytes) // 4), event.bytes)
    if request in (2, 16):
        return b'\x00' + number64(words[0] | words[1] << 32)
    if request in (37, 38):
        place = regions.setdefault(words[2:6], len(regions))
        return bytes([(place * 2) & 7 | 1 << 3])
    if request in (8, 10, 11, 18):
        return bytes([words[0]]) + number(words[1])
    if request == 9:
        return bytes([words[0], 0, 0, 0])
    if request in (12, 13, 14):
        return bytes([words[0] & 3 | (0x10 if words[0] & 0x100 else 0)])
    if request == 24:
        return number(words[0]) + number(words[1])
    return b''


def session_words(event):
    """The numbers after the header for write_chain(), for a screen of 64 x 40."""
    w = list((event.words() + (0,) * 12)[:12])
    if event.type == session.CREATE_2D:
        w[2:4] = [w[2] // 20, w[3] // 20]
    elif event.type == session.ATTACH:
        w[1:6] = [1, 0x14000, 0, 0x4000, 0]
    elif event.type in (session.SET_SCANOUT, session.FLUSH, session.TRANSFER_2D):
        w[:4] = [word // 20 for word in w[:4]]
    return b''.join(number(word) for word in w)


def session_seeds(events):
    """All messages; between them the first chains that the guest sent after each start."""
    starts = sum(event.word == 'message' and event.numbers[0] == GPU_SET_SOCKET for event in events)
    regions, steps, chains = {}, [], 0
    for event in events:
        if event.word == 'message':
            how = 0 if event.numbers[1] & 8 else 1
            says = (ask if how == 0 or event.numbers[0] in (1, 11, 15, 17, 24, 36) else say)
            steps.append((says(event.numbers[0], *session_payload(event, regions)), None))
            chains = 8 // starts if event.numbers[0] == SET_VRING_ENABLE else chains
        if event.word == 'pop' and event.type & 0xff00 == 0x100 and chains > 0:
            chains -= 1
            steps.append((bytes([0x84, event.numbers[0], event.numbers[1] & 7, event.type & 0xff]) + session_words(event),
                          None))
            steps.append((b'\x81', None))
    for backend in (0, 1):
        yield next(cut(bytes([backend]), steps, LENGTHS['session']))


# ---- fuzz_display.c ----
def display_seeds(events):
    """The calls of the device, with reads and replies of the display where QEMU had them."""
    turn, read, picture, steps = 0x20, 0x40, 0, []
    for event in events:
        n = event.numbers
        if event.word == 'show':
            picture = (picture + 1) % 3
            steps.append((bytes([0 | turn, n[0], picture, 0]), ('replace', 'show')))
        elif event.word == 'hide':
            steps.append((bytes([1 | turn, n[0]]), ('end', 'show')))
        elif event.word == 'damage':
            scaled = b''.join(number(-(-value // 27)) for value in n[1:])
            steps.append((bytes([3 | turn | read, picture]) + scaled, None))
        elif event.word == 'cursor':
            steps.append((bytes([9 | turn | read, n[0]]) + number(n[1]) + number(n[2]), ('replace', 'cursor')))
        elif event.word == 'move':
            steps.append((bytes([10 | turn | read, n[0]]) + number(n[1]) + number(n[2]) + bytes([n[3]]), None))
        elif event.word in ('info', 'edid'):
            steps.append((bytes([(5 if event.word == 'info' else 6) | turn | read, len(steps) % 8, 0]), None))
        elif event.word == 'forget':
            steps.append((bytes([12 | turn | read]), ('reset',)))
        elif event.word == 'socket':
            steps.append((bytes([0x16 | turn | read, 0] if n[0] else [0x15 | turn]), None))
        elif event.word == 'answer':
            steps.append((bytes([0x13]) + answers(event, 1), None))
            steps.append((bytes([0x18 | turn]), None))
    yield from cut(bytes([0x03, 0]), steps, LENGTHS['display'])


# ---- fuzz_vring.c ----
def vring_chain(event):
    """Its descriptors, readable ones first, in the second region; an indirect table if it had one."""
    pieces = event.pieces_out + event.pieces_in
    shape = len(pieces) - 1 | len(event.pieces_out) << 3 | (0x40 if event.numbers[2] else 0)
    told = bytes([0, shape, event.numbers[1] % 64])
    for size in pieces:
        told += b'\x01' + number64(0) + number(size)
    return told


def vring_seeds(events):
    for queue in (0, 1):
        steps, flight = [], []
        words = ('pop', 'push', 'reload', 'none', 'notify', 'quiet', 'listen')
        mine = [event for event in events if event.word in words and event.numbers[0] == queue or
                event.word == 'message' and event.numbers[0] == GET_VRING_BASE]
        for i, event in enumerate(mine):
            if event.word == 'quiet':
                end = next((k for k in range(i + 1, len(mine)) if mine[k].word in ('quiet', 'message')), len(mine))
                steps += [(vring_chain(chain), None) for chain in mine[i:end] if chain.word == 'pop']
            if event.word == 'pop':
                flight.append(event.numbers[1])
            if event.word == 'push' and event.numbers[1] in flight:
                at = flight.index(event.numbers[1])
                flight[at] = flight[-1]
                flight.pop()
                steps.append((bytes([3, at]) + number(event.numbers[2]), None))
            if event.word == 'reload' and event.numbers[1] in flight:
                steps.append((bytes([12, flight.index(event.numbers[1])]), None))
            if event.word == 'message' and event.bytes[0] == queue:
                steps += [(b'\x0e', None), (b'\x0e', None)]
            if event.word in ('pop', 'none', 'notify', 'quiet', 'listen'):
                steps.append((bytes([{'pop': 1, 'none': 1, 'notify': 4, 'quiet': 5, 'listen': 6}[event.word]]), None))
        if flight or steps:
            yield from cut(bytes([0x28 if queue == 0 else 0x24]), steps, LENGTHS['vring'])


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[1])
    for path in map(pathlib.Path, sys.argv[2:]):
        events = session.read_session(path)
        for fuzzer in LENGTHS:
            (directory / fuzzer).mkdir(parents=True, exist_ok=True)
            for old in (directory / fuzzer).glob(path.stem + '-*'):
                old.unlink()
            for n, seed in enumerate(globals()[fuzzer + '_seeds'](events)):
                (directory / fuzzer / ('%s-%d' % (path.stem, n))).write_bytes(seed)


if __name__ == '__main__':
    main()
