#!/usr/bin/env python3
"""Saving and loading 256 MiB (64 tensors of 1 Mi f32): taper beside PyTorch and safetensors for Python.

    python3 benches/files/compare.py                        # /dev/shm and the repository's disk
    python3 benches/files/compare.py --rounds 15 --dirs /mnt

Needs torch, safetensors and numpy, and cargo. Each side is one process that stays; they take turns, and
each goes first in every second round. A row has the medians of wall time, the medians of processor time
(user and system, all threads), and how far memory rose above what it was before, in shares of 256 MiB.
Both load the same file, from the page cache. A save finds no file of its name. Where taper waits for the
disk (fsync), as it does by default, the other does an fsync after its save.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIZE = 64 * (1 << 20) * 4

# what taper does, what the other does, what the two are called, with files of this format
ROWS = [
    ("save_sync", "save_sync", "`torch.save`, `fsync`", "pt"),
    ("save", "save", "`torch.save`", "pt"),
    ("load", "load", "`torch.load`", "pt"),
    ("load", "load_mmap", "`torch.load`, `mmap=True`", "pt"),
    ("sum", "sum", "`torch.load`", "pt"),
    ("sum", "sum_mmap", "`torch.load`, `mmap=True`", "pt"),
    ("save_sync", "save_sync", "`save_file`, `fsync`", "safetensors"),
    ("save", "save", "`save_file`", "safetensors"),
    ("load", "load", "`load_file`", "safetensors"),
    ("sum", "sum", "`load_file`", "safetensors"),
]
NAMES = {"save_sync": "save `.{}`", "save": "save `.{}`, `sync: false`", "load": "load `.{}`", "sum": "load and sum `.{}`"}


def worker():
    """The other side, in a process of its own: PyTorch."""
    import torch
    from safetensors.torch import load_file, save_file

    tensors = {f"layer{i}.weight": torch.rand(1 << 20) - 0.5 for i in range(64)}

    def sync(path):
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.close(file)

    for line in sys.stdin:
        what, _, path = line.rstrip("\n").partition(" ")
        what, _, how = what.partition("_")
        pt = path.endswith(".pt")
        loaded = None
        start = time.perf_counter()
        if what == "save":
            torch.save(tensors, path) if pt else save_file(tensors, path)
            if how == "sync":
                sync(path)
        elif what == "forget":
            tensors = None
        else:
            mmap = how == "mmap"
            loaded = torch.load(path, weights_only=True, mmap=mmap) if pt else load_file(path)
            if what == "sum":
                sum(t.sum().item() for t in loaded.values())
        seconds = time.perf_counter() - start
        del loaded
        print(seconds, flush=True)


class Side:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.proc = Path(f"/proc/{self.process.pid}")

    def cpu(self):
        total = 0
        for task in (self.proc / "task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total * 1e-9

    def memory(self, name):
        for line in (self.proc / "status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024

    def do(self, what, path=""):
        (self.proc / "clear_refs").write_text("5")  # The highest mark of memory starts anew.
        memory, cpu = self.memory("VmRSS"), self.cpu()
        self.process.stdin.write(f"{what} {path}\n")
        self.process.stdin.flush()
        wall = float(self.process.stdout.readline())
        return wall, self.cpu() - cpu, self.memory("VmHWM") - memory


def bench_program():
    command = ["cargo", "bench", "--no-run", "--bench", "files", "--message-format", "json"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return [m["executable"] for m in messages if m.get("target", {}).get("name") == "files"][-1]


def compare(folder, rounds):
    ours = Side([bench_program(), "--worker"])
    theirs = Side([sys.executable, __file__, "--worker"])
    given = {format: folder / f"given.{format}" for format in ("pt", "safetensors")}
    for path in given.values():
        theirs.do("save", path)
    taken = {}
    # Saves first: what is loaded comes with the tensors of the saves forgotten, so memory is the file's.
    for saving in (True, False):
        if not saving:
            ours.do("forget"), theirs.do("forget")
        rows = [row for row in ROWS if row[0].startswith("save") == saving]
        for turn in range(rounds + 1):
            for row in rows:
                our, their, _, format = row
                sides = [(ours, our, 0), (theirs, their, 1)]
                for side, what, i in sides if turn % 2 else reversed(sides):
                    path = folder / f"written.{format}" if saving else given[format]
                    path.unlink(missing_ok=True) if saving else None
                    figures = side.do(what, path)
                    if turn:  # The first is for warming up.
                        taken.setdefault(row, ([], []))[i].append(figures)
    for path in folder.glob("*.*"):
        path.unlink()
    return taken


def kind(folder):
    """The kind of file system that a folder is on."""
    best = ("", "?")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if folder.is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def main():
    if "--worker" in sys.argv:
        return worker()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dirs", nargs="+", type=Path, default=[Path("/dev/shm"), ROOT / "target"])
    args = parser.parse_args()
    print("| where | taper's | beside | taper | the other | ratio | processor | the other's | memory | the other's |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for place in args.dirs:
        place.mkdir(parents=True, exist_ok=True)
        folder = place.resolve() / f"taper-files-{os.getpid()}"
        folder.mkdir()
        where = kind(folder)
        try:
            taken = compare(folder, args.rounds)
        finally:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
        for row in ROWS:
            medians = [[statistics.median(column) for column in zip(*figures)] for figures in taken[row]]
            (wall, cpu, memory), (wall2, cpu2, memory2) = medians
            print(f"| {where} | {NAMES[row[0]].format(row[3])} | {row[2]}", end=" ")
            print(f"| {wall * 1e3:.1f} ms | {wall2 * 1e3:.1f} ms | {wall / wall2:.2f}", end=" ")
            print(f"| {cpu * 1e3:.1f} ms | {cpu2 * 1e3:.1f} ms | {memory / SIZE:.2f} | {memory2 / SIZE:.2f} |", flush=True)


if __name__ == "__main__":
    main()
