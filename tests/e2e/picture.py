# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""Pictures: the guest's computed test pattern, PPM input, PNG output, and the difference of two.

A picture is its width, its height and its RGB bytes row after row. pattern() and cursor_pixels()
compute the same as pattern_pixel() and cursor_pixel() in guest/card.c.
"""

import functools
import struct
import zlib

CORNERS = (b"\xff\xff\xff", b"\x00\xff\xff", b"\xff\x00\xff", b"\xff\x80\x00")


class Picture:
    def __init__(self, width, height, rgb):
        self.width, self.height, self.rgb = width, height, rgb

    def __eq__(self, other):
        return (self.width, self.height, self.rgb) == (other.width, other.height, other.rgb)

    @property
    def size(self):
        return "%dx%d" % (self.width, self.height)

    def row(self, y):
        return self.rgb[y * self.width * 3:(y + 1) * self.width * 3]

    def rows(self, y, n):
        return self.rgb[y * self.width * 3:(y + n) * self.width * 3]

    def pixel(self, x, y):
        at = (y * self.width + x) * 3
        return self.rgb[at:at + 3]

    def colours(self):
        """Returns the number of pixels of each colour."""
        count = {}
        for at in range(0, len(self.rgb), 3):
            pixel = self.rgb[at:at + 3]
            count[pixel] = count.get(pixel, 0) + 1
        return count

    def with_rect(self, x, y, width, height, colour):
        rgb = bytearray(self.rgb)
        for row in range(y, y + height):
            at = (row * self.width + x) * 3
            rgb[at:at + width * 3] = colour * width
        return Picture(self.width, self.height, bytes(rgb))

    def difference(self, wanted):
        """Says how this picture differs from the expected one, or returns None."""
        if self.size != wanted.size:
            return "the picture is %s, not %s" % (self.size, wanted.size)
        if self.rgb == wanted.rgb:
            return None
        bad = [y for y in range(self.height) if self.row(y) != wanted.row(y)]
        y = bad[0]
        x = next(x for x in range(self.width) if self.pixel(x, y) != wanted.pixel(x, y))
        return "%d of %d rows differ, first at x=%d y=%d: %s, not %s" % (
            len(bad), self.height, x, y, self.pixel(x, y).hex(), wanted.pixel(x, y).hex())

    def save_png(self, path):
        raw = b"".join(b"\0" + self.row(y) for y in range(self.height))

        def chunk(name, data):
            crc = zlib.crc32(name + data)
            return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

        with open(path, "wb") as out:
            out.write(b"\x89PNG\r\n\x1a\n"
                      + chunk(b"IHDR", struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0))
                      + chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b""))



# The bars of SMPTE as modetest draws them (libdrm's tests/util/pattern.c).
SMPTE_TOP = "c0c0c0 c0c000 00c0c0 00c000 c000c0 c00000 0000c0".split()
SMPTE_MIDDLE = "0000c0 131313 c000c0 131313 00c0c0 131313 c0c0c0".split()
SMPTE_BOTTOM = "00214c ffffff 32006a 131313 090909 131313 1d1d1d 131313".split()


def smpte_bars(width, height):
    """What "modetest -s" shows."""
    five, six, seventh = width * 5 // 7, width * 6 // 7, width // 7
    bottom = ([SMPTE_BOTTOM[x * 4 // five] for x in range(five)] +
              [SMPTE_BOTTOM[(x - five) * 3 // seventh + 4] for x in range(five, six)] +
              [SMPTE_BOTTOM[7]] * (width - six))
    first, second = height * 6 // 9, height * 7 // 9
    rows = ([[SMPTE_TOP[x * 7 // width] for x in range(width)]] * first +
            [[SMPTE_MIDDLE[x * 7 // width] for x in range(width)]] * (second - first) +
            [bottom] * (height - second))
    return Picture(width, height, b"".join(bytes.fromhex("".join(row)) for row in rows))


def read_ppm(path):
    with open(path, "rb") as f:
        magic, size, depth, rgb = f.read().split(b"\n", 3)
    if magic != b"P6" or depth != b"255":
        raise ValueError("not a PPM that QEMU writes")
    width, height = map(int, size.split())
    stride = (width * 3 + 3) & ~3  # QEMU pads each row, which the format does not allow
    if len(rgb) == stride * height:
        rgb = b"".join(rgb[at:at + width * 3] for at in range(0, len(rgb), stride))
    if len(rgb) != width * height * 3:
        raise ValueError("a PPM of %d bytes for %dx%d" % (len(rgb), width, height))
    return Picture(width, height, rgb)


@functools.lru_cache(maxsize=8)
def pattern(width, height, seed):
    red = bytes((x * 3 + seed * 40) & 255 for x in range(width))
    blues = {low: bytes(((x ^ low) + seed * 29) & 255 for x in range(width)) for low in range(512)}
    rows = []
    for y in range(height):
        row = bytearray(width * 3)
        row[0::3] = red
        row[1::3] = bytes([(y * 5 + seed * 17) & 255]) * width
        row[2::3] = blues[y & 511]
        # In the guest the first rule that applies wins. Here later ones overwrite, so the order is
        # reversed.
        for block in range(-(y // 32) % 5, (width + 31) // 32, 5):
            colour = bytes(((block * 7 + seed * 31) & 255, (y // 32 * 11 + seed * 3) & 255,
                            (block * 3 + y // 32 * 5) & 255))
            end = min(width, block * 32 + 32)
            row[block * 96:end * 3] = colour * (end - block * 32)
        for x in range(1, width, 64):
            row[x * 3:x * 3 + 3] = b"\xc0\xc0\xc0"
        if y % 48 == 1:
            row[:] = b"\x40\x40\x40" * width
        row[-3:] = b"\xff\xff\x00"
        row[:3] = b"\x00\x00\xff"
        if y == height - 1:
            row[:] = b"\x00\xff\x00" * width
        if y == 0:
            row[:] = b"\xff\x00\x00" * width
        if y < 8 or y >= height - 8:
            low = 2 if y >= height - 8 else 0
            row[:24] = CORNERS[low] * 8
            row[-24:] = CORNERS[low + 1] * 8
        rows.append(bytes(row))
    return Picture(width, height, b"".join(rows))


@functools.lru_cache(maxsize=4)
def gl_cells(width, height, seed):
    """The cells of guest/gl.c, without the triangle that is drawn over them."""
    rows = []
    for row in range((height + 31) // 32):
        cells = [bytes(((column * 6 + seed) & 255, (row * 9 + seed * 3) & 255,
                        (column * row + seed * 5) & 127)) * 32 for column in range((width + 31) // 32)]
        rows += [b"".join(cells)[:width * 3]] * min(32, height - row * 32)
    return Picture(width, height, b"".join(rows))


def cursor_pixels(seed):
    """The 64x64 cursor as the guest's ARGB words, little-endian."""
    words = [(255 - x) << 24 | (x * 4 & 255) << 16 | (y * 4 & 255) << 8 | (((x ^ y) * 4 + seed) & 255)
             for y in range(64) for x in range(64)]
    return struct.pack("<4096I", *words)
