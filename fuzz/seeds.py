#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""seeds.py NAME DIR: writes inputs of the fuzzer NAME to files in DIR. They are the sequences of
real front-ends and guests (QEMU 7.2 to 11.1 with Linux and OVMF) and promising variations;
fuzz_NAME.c says what the bytes mean. The recorded ones in fuzz/recorded/NAME are written too.
"""
import hashlib
import pathlib
import re
import sys

import session

# ---- fuzz_command.c ----
(CREATE_2D, UNREF, SET_SCANOUT, FLUSH, TRANSFER_2D, ATTACH, DETACH, DISPLAY_INFO, EDID, UUID, BLOB, SCANOUT_BLOB,
 CAPSET_INFO, CAPSET, CTX_CREATE, CTX_DESTROY, CTX_ATTACH, CTX_DETACH, CREATE_3D, TO_HOST_3D, FROM_HOST_3D, SUBMIT,
 UPDATE_CURSOR, MOVE_CURSOR, RAW, STREAM, WORDS, HOST_BLOB, MAP, UNMAP, GFXSTREAM, GFXSTREAM_BLOB) = range(32)
KICK, FENCE, RING, INDIRECT, CUT, REPLY, CONTEXT, OTHER_QUEUE = (1 << i for i in range(8))
TURN = 0x10
READ_AND_ANSWER = bytes([10 | TURN, 1])  # a reply takes its numbers from what follows
NEW_DISPLAY = bytes([10 | TURN, 5, 0x0c])


def command(kind, *fields, shape=KICK, extra=()):
    return bytes([0 | TURN, kind, shape, *extra, *fields])


def vmm(op, *fields):
    return bytes([11 | TURN, op, *fields])


PASS_FENCES = bytes([12 | TURN, 0x8f])
LINUX = [
    command(DISPLAY_INFO), READ_AND_ANSWER, READ_AND_ANSWER, command(EDID, 0), READ_AND_ANSWER,
    READ_AND_ANSWER + bytes([128]),
    command(CREATE_2D, 1, 1, 63, 63), command(ATTACH, 1, 0, 0x20), command(SET_SCANOUT, 1, 0, 15),
    command(TRANSFER_2D, 1, 15, 0), command(FLUSH, 1, 15, shape=KICK | FENCE), READ_AND_ANSWER,
    command(TRANSFER_2D, 1, 0x11, 4), command(FLUSH, 1, 0x11), READ_AND_ANSWER,
]
CURSOR = [
    command(CREATE_2D, 2, 0, 63, 63), command(ATTACH, 2, 3, 0x20, 1, 5, 9), command(TRANSFER_2D, 2, 15, 0),
    command(UPDATE_CURSOR, 2, 0, 10, 10, 3), command(MOVE_CURSOR, 2, 0, 20, 20, 0), command(UPDATE_CURSOR, 0, 0, 0, 0, 0),
]
FLIP = [
    command(CREATE_2D, 3, 3, 63, 63), command(ATTACH, 3, 1, 0x21, 0x22), command(TRANSFER_2D, 3, 15, 0),
    command(SET_SCANOUT, 3, 0, 15), command(FLUSH, 3, 15), READ_AND_ANSWER, command(DETACH, 1), command(UNREF, 1),
    command(SET_SCANOUT, 0, 0, 0), command(UUID, 3),
]
GL = [
    command(CAPSET_INFO, 0), command(CAPSET_INFO, 1), command(CAPSET, 2, 2), command(CTX_CREATE, 4, 0),
    command(CREATE_3D, 4, 2, 1, 63, 63, 0), command(CTX_ATTACH, 4), command(ATTACH, 4, 1, 0x20, 1),
    command(TO_HOST_3D, 4, 63, 63, 0), command(SUBMIT, 8, *range(32), shape=KICK | FENCE | RING, extra=[0]),
    command(SUBMIT, 4, shape=KICK | FENCE), PASS_FENCES, command(SET_SCANOUT, 4, 0, 15),
    command(FLUSH, 4, 15, shape=KICK | FENCE), READ_AND_ANSWER, READ_AND_ANSWER, PASS_FENCES,
    command(FROM_HOST_3D, 4, 10, 10, 0), command(CTX_DETACH, 4), command(CTX_DESTROY), command(UNREF, 4),
]
DRAW = [
    command(CTX_CREATE, 4, 0), command(CREATE_3D, 4, 2, 1, 63, 63, 0), command(CTX_ATTACH, 4), command(ATTACH, 4, 1, 0x20, 1),
    command(STREAM, 2, 0, 4, 1, 0, 0, 1, 0, 1, 2, *([0] * 7), shape=KICK | FENCE), command(SET_SCANOUT, 4, 0, 15),
    command(FLUSH, 4, 15), READ_AND_ANSWER, command(TO_HOST_3D, 4, 63, 63, 0), command(FROM_HOST_3D, 4, 63, 63, 0),
]
BLOBS = [
    command(BLOB, 5, 1, 0x40, 1, 0x21, 0x22), command(SCANOUT_BLOB, 5, 0, 7, 1, 31, 31, 32, 0), command(FLUSH, 5, 7),
    READ_AND_ANSWER, command(SCANOUT_BLOB, 5, 1, 7, 4, 31, 31, 40, 0), command(FLUSH, 5, 7), READ_AND_ANSWER,
    vmm(0, 1), command(FLUSH, 5, 7), READ_AND_ANSWER, vmm(0, 1), command(FLUSH, 5, 7), READ_AND_ANSWER, command(UNREF, 5),
]
# More than the limits of harness.c: contexts, resources, fences, host memory.
TOO_MANY = [
    [command(CTX_CREATE, 4, 0, shape=KICK | CONTEXT, extra=[i]) for i in range(1, 7)],
    [command(CREATE_2D, *([i] if i < 8 else [0xf8, i]), 1, 0, 0) for i in range(1, 15)],
    [command(CTX_CREATE, 4, 0)] + [command(SUBMIT, 4, shape=KICK | FENCE) for _ in range(8)] + [PASS_FENCES],
    [command(CREATE_2D, i, 1, 0x80, 0xdf, 0x80, 0xdf) for i in range(1, 8)],
    [command(CTX_CREATE, 4, 0)] + [command(CREATE_3D, i, 2, 1, 0x80, 0xdf, 0x80, 0xdf, 0) for i in range(1, 8)],
]
# Each has one wrong size, place or number, after the object that it refers to was created.
LIES = [
    [command(CTX_CREATE, 4, 0), command(WORDS, 40, *range(160)), command(SUBMIT, 0x88, 100)],
    LINUX + [command(TRANSFER_2D, 1, 0x80, 60, 60, 63, 63, 0)], LINUX + [command(TRANSFER_2D, 1, 15, 0xf0, 0, 0x40)],
    LINUX + [command(SET_SCANOUT, 1, 0, 0x80, 10, 10, 64, 64), command(FLUSH, 1, 0x80, 0, 0, 64, 64), READ_AND_ANSWER],
    LINUX + [command(SET_SCANOUT, 1, 0xf8, 16, 15), command(EDID, 0xf8, 16)],
    GL[:8] + [command(TO_HOST_3D, 4, 63, 63, 3, 10, 10), command(TO_HOST_3D, 4, 63, 63, 16, 1),
              command(TO_HOST_3D, 4, 0, 0, 16, 0xef), command(FROM_HOST_3D, 4, 63, 63, 8, 2)],
    [command(BLOB, 5, 1, 4, 0, 0x01), command(SCANOUT_BLOB, 5, 0, 7, 1, 31, 31, 32, 0), command(FLUSH, 5, 7),
     READ_AND_ANSWER],
    [command(CREATE_2D, 2, 0, 63, 63), command(UPDATE_CURSOR, 2, 0xf8, 16, 10, 10, 3),
     command(MOVE_CURSOR, 2, 0xf8, 0xef, 10, 10, 3)],
]
# A picture that overlaps the rings, and so changes while its flush is answered.
OVER_RINGS = [command(BLOB, 5, 1, 0x40, 0, 0xa0, 0), command(SCANOUT_BLOB, 5, 0, 7, 1, 31, 31, 32, 0), command(FLUSH, 5, 7)]
STOP_AND_CONT = [vmm(1, 0, 0x10), vmm(1, 1, 0x10), NEW_DISPLAY, vmm(1, 0, 0x11), vmm(1, 1, 0x11), READ_AND_ANSWER]
FULL_STOP = [vmm(1, 0, 0), vmm(1, 1, 0), NEW_DISPLAY, READ_AND_ANSWER]
RESET = [vmm(2, 0), NEW_DISPLAY, READ_AND_ANSWER]
SHAPES = [command(DISPLAY_INFO, shape=KICK | s, extra=e) for s, e in
          ((INDIRECT, ()), (CUT, [7]), (REPLY, [24]), (REPLY, [0]), (OTHER_QUEUE, ()), (CONTEXT, [3]))]


SERVE, SERVE_LATER, SERVE_REFUSED = (bytes([14 | TURN, 0, how]) for how in (0, 1, 2))
WINDOW_ANSWER, WINDOW_HANGS_UP, WINDOW_CONNECTS, WINDOW_TIME_OUT = (
    bytes([14 | TURN, op, *fields]) for op, *fields in ((4, 255), (5,), (6,), (7, 15)))
VENUS = [command(CTX_CREATE, 4, 4), command(HOST_BLOB, 1, 2), command(HOST_BLOB, 2, 0), command(MAP, 1, 0), SERVE, SERVE]
MAPPED = VENUS + [command(MAP, 2, 8), SERVE, SERVE]
SHOWN = MAPPED + [command(SCANOUT_BLOB, 1, 0, 7, 1, 31, 31, 32, 0), command(FLUSH, 1, 7), READ_AND_ANSWER]
WINDOWS = [
    VENUS + [command(UNMAP, 1), SERVE, command(UNREF, 1)], MAPPED + [command(UNREF, 1), SERVE, command(UNMAP, 2), SERVE],
    MAPPED + [command(CTX_DESTROY), command(UNREF, 1, shape=KICK | FENCE), command(MAP, 1, 0), SERVE_LATER, WINDOW_ANSWER],
    SHOWN, SHOWN + [command(UNREF, 1), SERVE], VENUS[:4] + [SERVE_REFUSED, command(MAP, 1, 0), SERVE, SERVE],
    VENUS[:4] + [SERVE_LATER, command(UNREF, 1), command(MAP, 2, 0), WINDOW_TIME_OUT, WINDOW_ANSWER, SERVE, SERVE],
    VENUS[:4] + [WINDOW_TIME_OUT, command(UNMAP, 1), SERVE, SERVE, command(MAP, 1, 0)],
    VENUS[:4] + [SERVE, SERVE_LATER, WINDOW_TIME_OUT, command(MAP, 2, 9), WINDOW_ANSWER, SERVE],
    VENUS[:4] + [WINDOW_HANGS_UP, command(MAP, 2, 9), WINDOW_CONNECTS, command(MAP, 2, 9), SERVE, SERVE],
    MAPPED + [command(MAP, 2, 9), command(MAP, 1, 0), command(HOST_BLOB, 3, 7), command(MAP, 3, 1), command(MAP, 3, 0xe1),
              command(HOST_BLOB, 4, 0x41, 0, 0x20), command(MAP, 4, 0), command(HOST_BLOB, 5, 0x80, 0xef)]]


def command_seeds():
    scenarios = [LINUX, LINUX + CURSOR, LINUX + FLIP, LINUX + STOP_AND_CONT, LINUX + FULL_STOP + FLIP, LINUX + RESET + LINUX,
               GL, GL + LINUX, LINUX + BLOBS, BLOBS + STOP_AND_CONT, SHAPES, LINUX + [vmm(4, 0x5a)] + LINUX,
               GL[:10] + [vmm(4, 0x5a), PASS_FENCES] + GL, GL[:9] + RESET + GL, DRAW, DRAW + LINUX + RESET + DRAW, OVER_RINGS,
               OVER_RINGS + SHAPES + OVER_RINGS[2:], *TOO_MANY, *LIES, *WINDOWS,
               MAPPED + STOP_AND_CONT + MAPPED, VENUS[:4] + STOP_AND_CONT + [SERVE, SERVE], MAPPED + RESET + MAPPED,
               VENUS[:4] + [SERVE_LATER] + RESET + [WINDOW_ANSWER] + MAPPED]
    for harness in range(4):
        for scenario in scenarios:
            if harness == 1:  # nothing there that could answer
                scenario = [READ_AND_ANSWER if part.startswith(READ_AND_ANSWER) else part for part in scenario]
            yield bytes([harness | 0x28] + [0x1c] * (harness != 1)) + b''.join(scenario)


def virgl_seeds():
    return (seed for seed in command_seeds() if seed[0] & 3 == 0)


# ---- fuzz_gfxstream.c ----
BEGIN, PING, ANNOUNCE = 0, 1, 2
GFX_RING = [command(CTX_CREATE, 4, 3), command(GFXSTREAM_BLOB, 1, 8), command(GFXSTREAM, BEGIN, 0, 1), command(GFXSTREAM, PING, 0, 1)]
GFX_IMAGE = [command(CTX_CREATE, 4, 3), command(GFXSTREAM, ANNOUNCE, 0, 0, 63, 63, 0), command(GFXSTREAM_BLOB, 2, 0x4f, 0),
             command(CTX_ATTACH, 2), command(SET_SCANOUT, 2, 0, 15), command(FLUSH, 2, 15), READ_AND_ANSWER]
GFX_FENCES = [command(SUBMIT, 1, shape=KICK | FENCE | RING, extra=[i]) for i in (0, 1, 2)] + [PASS_FENCES]


def gfxstream_seeds():
    yield from virgl_seeds()
    for ending in ([command(CTX_DESTROY)], [command(UNREF, 1), command(UNREF, 2)], [command(CTX_DETACH, 1)], RESET, GFX_FENCES,
                   [command(GFXSTREAM, BEGIN, 0, 1)], [command(CTX_DESTROY), command(CTX_CREATE, 4, 3)], STOP_AND_CONT):
        for scenario in (GFX_RING, GFX_IMAGE, GFX_RING + GFX_IMAGE[1:]):
            yield bytes([0x28, 0x1c]) + b''.join(scenario + ending + LINUX)
    for size in range(8):
        yield bytes([0x28, 0x1c]) + b''.join([command(CTX_CREATE, 4, 3), command(GFXSTREAM_BLOB, 1, size), *GFX_RING[2:]])


# ---- fuzz_session.c ----
def known_requests():
    """The numbers of fuzz_session.c's table, in its order."""
    text = (pathlib.Path(__file__).parent / 'fuzz_session.c').read_text()
    table = re.search(r'known\[\] = \{(.*?)\}', text, re.DOTALL)[1]
    return [session.vhost_user(name) for name in re.findall(r'VHOST_USER_(\w+)', table)]


REQUESTS = known_requests()
READ = bytes([0x82])


def say(request, *payload, how=1):
    return bytes([REQUESTS.index(request), how, *payload])


def ask(request, *payload):
    return say(request, *payload, how=0) + READ


def u8(number):
    return bytes([number])


REALIZE = [ask(1), ask(15), say(16, 1), ask(17), ask(36), ask(21), say(3), ask(1)] + [
    ask(request, queue) for queue in (0, 1) for request in (13, 14)] + [say(34)]
START = [ask(24, 0, 20), say(33), say(2, 2), ask(37, 2 << 3)] + [
    part for queue in (0, 1) for part in
    (say(8, queue, 16), say(10, queue, 0), say(9, queue, 0, 0, 0), say(12, queue), say(13, queue))] + [
    ask(18, 0, 1), ask(18, 1, 1)]
TABLE_START = [say(33), say(2, 2), ask(5, 2, 0, 2)] + START[4:]
WORK = [bytes([0x84, 0, 0, 0, *([0] * 12)]), bytes([0x81]), bytes([0x84, 0, 1, 1, 1, 1, 63, 63, *([0] * 8)]), bytes([0x81])]
STOP = [ask(18, 0, 0), ask(18, 1, 0), ask(11, 0, 0), ask(11, 1, 0), ask(13, 0x10), ask(13, 0x11)]


def session_seeds():
    for backend in (0, 1):
        for scenario in (REALIZE, REALIZE + START + WORK, REALIZE + START + WORK + STOP + START, REALIZE + TABLE_START + WORK,
                      REALIZE + START + STOP + [say(34)] + START + WORK, REALIZE + START + [ask(38, 2 << 3)],
                      REALIZE + [say(25, 0, 4, 1, 2, 3, 4), ask(24, 0, 20)]):
            yield bytes([backend]) + b''.join(scenario)
        # The size of the window, for front-ends with and without one.
        yield bytes([backend]) + b''.join([ask(1), say(16, 3), ask(21), ask(44), *START, ask(44), *STOP])
        yield bytes([backend]) + say(16, 1) + ask(44)
        # Configuration space from beyond its end.
        yield bytes([backend]) + ask(24, 200, 100) + ask(24, 0xe0, 1)
        yield bytes([backend]) + say(25, 200, 60, *range(60))
        # A size that is too large, and as many bytes.
        for size in (0xe2, 0xe6, 0xeb, 0xef):
            yield bytes([backend]) + say(1) + bytes([0, 2, size]) + bytes([0x87]) * 3
        # In two pieces, with a byte too many, with other descriptors.
        yield bytes([backend]) + b''.join(bytes([i, 8, *([1] * 6), 5]) for i in range(len(REQUESTS)))
        yield bytes([backend]) + say(16, 1) + b''.join(bytes([i, 4, *([0] * 4), 0x21]) for i in range(len(REQUESTS)))


# ---- fuzz_display.c ----
def display_seeds():
    turn, read = 0x20, 0x40
    both = turn | read
    answers = bytes([0x13 | turn])
    plain = bytes([both, 0, 0, 0]) + bytes([3 | both, 0, 1, 1, 9, 9]) + bytes([0x11]) + answers
    prepared = bytes([both, 1, 1, 0x11]) + bytes([3 | both, 1, 0, 0, 40, 20]) + answers
    dmabuf = bytes([2 | both, 0, 40, 40, 0]) + bytes([7 | both, 0, 0]) + answers + bytes([1 | both, 0])
    cursor = bytes([9 | both, 0, 5, 6]) + bytes([10 | both, 0, 7, 8, 1]) + bytes([10 | both, 0, 9, 9, 0])
    asks = bytes([5 | both, 0, 0]) + bytes([6 | both, 1, 0]) + answers * 3 + bytes([0x11 | turn]) + answers
    again = bytes([0x16 | both, 0]) + answers
    for flags in (0x23, 0x20, 0xe7, 0x27):
        for scenario in (plain, prepared, dmabuf, cursor, asks, plain + dmabuf + plain, plain + again + dmabuf + again,
                      plain + bytes([12 | both]) + cursor + again, asks + bytes([0x17, 7]), plain + bytes([0x15 | turn]) + again,
                      bytes([0, 2, 2, 0, 0x10, 0xe2 | 0, 0, 11, 2]) + plain):
            yield bytes([flags, 2]) + scenario
            yield bytes([flags, 0]) + scenario


# ---- fuzz_window.c ----
def window_seeds():
    """Owner n maps page n; bits 6 and 7 of a step are turns of the loop."""
    turn = 0x40
    answer, later, refuse, first_byte = (bytes([0x30 | turn, how]) for how in (0, 1, 2, 7))
    due, hang_up, connect, drop, tick, time_out = (bytes([turn | 0x28 | op]) for op in (0, 2, 3, 5, 6, 7))
    due += b'\xff'
    stop, cont = (bytes([turn | 0x2c, how]) for how in (0, 1))
    lie = bytes([turn | 0x29, 20, 9, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0])

    def on(op, *owners, at=None):
        return b''.join(bytes([turn | op << 3 | n]) + (bytes([n if at is None else at]) if op == 0 else b'') for n in owners)

    maps, unmaps, goes = (lambda *owners, op=op, **how: on(op, *owners, **how) for op in (0, 2, 3))
    mapped = maps(1) + answer + answer
    ends = (answer, later, refuse, first_byte, later + time_out, later + stop, stop + answer, drop + answer, drop + cont,
            answer + drop, later + drop + cont + due, hang_up, hang_up + connect, later + connect, goes(1), later + goes(1),
            lie, later + lie, tick + tick, maps(2, at=1), later + maps(2, at=1), answer + time_out)
    for scenario in (maps(1), maps(1) + answer, mapped + unmaps(1), mapped + goes(1), mapped, maps(1, 2, 3) + answer):
        for one in ends:
            yield scenario + one
            yield scenario + one + due + maps(1, 4) + (answer + due) * 3
        yield scenario + bytes([turn | 0x21, 0, 0, 0])
    yield b''.join(maps(n % 8) + answer + unmaps(n % 8) for n in range(20))
    yield b''.join(maps(n, at=16 * n) for n in range(8)) + answer * 12
    yield bytes([1, 0x80, 1, 0, 2, 0x80, 0xed, 0, 3, 0x80, 0, 0xed, 4, 0x80, *[255] * 18])


# ---- fuzz_vring.c ----
def vring_seeds():
    chain = bytes([0, 0x0a, 0, 0, 0, 24, 1, 0, 96, 1, 8, 40])
    indirect = bytes([0, 0x4a, 4, 0, 16, 24, 1, 0, 96, 1, 8, 40])
    serve = bytes([5, 1, 3, 0, 24, 6, 4])
    for setup in (0x06, 0x26, 0x04, 0x2a):
        yield bytes([setup]) + (chain + serve) * 3 + (indirect + serve) * 3
        yield bytes([setup]) + chain * 4 + bytes([1, 1, 12, 0, 13, 1, 12, 0, 13, 1, 14, 14, 3, 0, 0, 4])
    # A readable piece behind a writable one; more available chains than the ring has entries; a head beyond the ring.
    yield bytes([0x06, 7, 0, 1, 0, 8, 3, 1, 7, 1, 1, 0, 24, 0, 0, 9, 0, 1])
    yield bytes([0x02]) + chain + bytes([10, 0, 2] + [1] * 6)
    yield bytes([0x04, 9, 16, 1, 6]) + chain + serve
    yield bytes([0x46, 0xfe, 0xff, 0xfe, 0xff]) + (chain + serve) * 4


def main():
    name, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    recorded = (path.read_bytes() for path in (pathlib.Path(__file__).parent / 'recorded' / name).glob('*'))
    for seed in (*globals()[name + '_seeds'](), *recorded):
        (directory / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


if __name__ == '__main__':
    main()
