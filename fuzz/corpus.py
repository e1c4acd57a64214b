#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""The corpus of a fuzzer in one file: each input as a 32-bit little-endian length and that many bytes.

corpus.py unpack FILE DIR            each input as a file of DIR, named by its SHA-1; without FILE there are none
corpus.py pack DIR FILE              the files of DIR, each content once, in the order of their SHA-1
corpus.py extract FILE INDEX INPUT   one input, counted from 0 as replay.c counts them
"""
import hashlib
import pathlib
import struct
import sys


def read_inputs(path):
    data, at = pathlib.Path(path).read_bytes(), 0
    while at < len(data):
        size, = struct.unpack_from('<I', data, at)
        one = data[at + 4:at + 4 + size]
        if len(one) < size:
            sys.exit('%s: the input at byte %d is cut off' % (path, at))
        yield one
        at += 4 + size


def digest(content):
    return hashlib.sha1(content).hexdigest()


def unpack(path, directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for one in read_inputs(path) if pathlib.Path(path).exists() else ():
        (directory / digest(one)).write_bytes(one)


def pack(directory, path):
    inputs = {path.read_bytes() for path in pathlib.Path(directory).iterdir()}
    pathlib.Path(path).write_bytes(b''.join(struct.pack('<I', len(one)) + one for one in sorted(inputs, key=digest)))
    print('%d inputs of %d bytes' % (len(inputs), sum(map(len, inputs))))


def extract(path, index, output):
    inputs = list(read_inputs(path))
    if not 0 <= int(index) < len(inputs):
        sys.exit('%s has inputs 0 to %d' % (path, len(inputs) - 1))
    pathlib.Path(output).write_bytes(inputs[int(index)])


def main():
    commands = {'unpack': (unpack, 2), 'pack': (pack, 2), 'extract': (extract, 3)}
    function, n = commands.get(sys.argv[1] if len(sys.argv) > 1 else '', (None, 0))
    if not function or len(sys.argv) != 2 + n:
        sys.exit(__doc__)
    function(*sys.argv[2:])


if __name__ == '__main__':
    main()
