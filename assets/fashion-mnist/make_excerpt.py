#!/usr/bin/env python3
"""Cut the excerpt in this folder out of the full Fashion-MNIST.

    python3 assets/fashion-mnist/make_excerpt.py FOLDER

FOLDER holds the four `*-ubyte.gz` files of the full set (Debian's package
`dataset-fashion-mnist`, or the downloads of github.com/zalandoresearch/fashion-mnist). The first
10,000 training and the first 2,000 test pictures are kept, in order. Packed by `gzip -9 -n`, so the
same input gives the same bytes.
"""

import gzip
import hashlib
import struct
import subprocess
import sys
from pathlib import Path

KEEP = {"train": 10_000, "t10k": 2_000}
KINDS = ["images-idx3-ubyte", "labels-idx1-ubyte"]


def first(raw: bytes, keep: int) -> bytes:
    """The idx file `raw` with only its first `keep` entries."""
    zeros, dtype, rank = struct.unpack_from(">HBB", raw)
    if zeros != 0 or dtype != 0x08:
        raise ValueError("not an idx file of unsigned bytes")
    count, *item_shape = struct.unpack_from(f">{rank}I", raw, 4)
    item = 1
    for n in item_shape:
        item *= n
    start = 4 + 4 * rank
    if len(raw) != start + count * item or count < keep:
        raise ValueError(f"{count} entries claimed, {len(raw)} bytes found, {keep} wanted")
    header = struct.pack(f">HBB{rank}I", 0, dtype, rank, keep, *item_shape)
    return header + raw[start : start + keep * item]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source, target = Path(sys.argv[1]), Path(__file__).parent
    for part, keep in KEEP.items():
        for kind in KINDS:
            name = f"{part}-{kind}.gz"
            excerpt = first(gzip.decompress((source / name).read_bytes()), keep)
            packed = subprocess.run(["gzip", "-9", "-n", "-c"], input=excerpt, capture_output=True, check=True)
            (target / name).write_bytes(packed.stdout)
            print(f"{hashlib.sha256(packed.stdout).hexdigest()}  {name}  {len(packed.stdout):,} bytes")


if __name__ == "__main__":
    main()
