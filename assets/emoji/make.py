#!/usr/bin/env python3
"""Makes train.bin.gz and test.bin.gz (CIFAR-10's binary layout) from Google's emoji at 32x32.

    npm pack emoji-datasource-google@16.0.0
    tar -xzf emoji-datasource-google-16.0.0.tgz
    pip install pillow numpy
    python3 make.py package .

A record is the label (one byte) and 32x32 bytes each of red, green and blue. Pictures are put on white.
The classes are the categories of Unicode. One emoji in five of each class is for testing; emoji that are
drawn from one another (those with the same first code point, such as "woman running" and "woman running
facing right") are on the same side. The same input gives the same bytes.
"""

import collections
import gzip
import json
import random
import sys

import numpy
from PIL import Image

CLASSES = [
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
    "Flags",
]


def records(package):
    """The records of each emoji by class and by what it is drawn from."""
    sheet = Image.open(f"{package}/img/google/sheets-clean/32.png").convert("RGBA")
    groups = [collections.defaultdict(list) for _ in CLASSES]
    for emoji in json.load(open(f"{package}/emoji.json")):
        if not emoji["has_img_google"] or emoji["category"] not in CLASSES:
            continue
        label = CLASSES.index(emoji["category"])
        x, y = emoji["sheet_x"] * 34 + 1, emoji["sheet_y"] * 34 + 1
        cell = sheet.crop((x, y, x + 32, y + 32))
        white = Image.new("RGBA", cell.size, "white")
        pixels = numpy.asarray(Image.alpha_composite(white, cell).convert("RGB"))
        # Flags are spelt in letters, so their first code points say nothing.
        code = emoji["unified"]
        key = code if label == CLASSES.index("Flags") else code.split("-")[0]
        groups[label][key].append(bytes([label]) + pixels.transpose(2, 0, 1).tobytes())
    return groups


def main(package, out):
    chance = random.Random(0)
    parts = {"train": [], "test": []}
    for groups in records(package):
        keys = sorted(groups)
        chance.shuffle(keys)
        total = sum(len(groups[key]) for key in keys)
        test = 0
        for key in keys:
            part = "test" if test + len(groups[key]) <= total / 5 else "train"
            test += len(groups[key]) if part == "test" else 0
            parts[part] += groups[key]
    for name, part in parts.items():
        chance.shuffle(part)
        with open(f"{out}/{name}.bin.gz", "wb") as file:
            file.write(gzip.compress(b"".join(part), 9, mtime=0))
        counts = collections.Counter(record[0] for record in part)
        print(name, len(part), [counts[i] for i in range(len(CLASSES))])


main(*sys.argv[1:])
