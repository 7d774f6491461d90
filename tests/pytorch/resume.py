#!/usr/bin/env python3
"""A training run that begins in PyTorch, goes on in taper and ends in PyTorch.

    python3 tests/pytorch/resume.py                  # all optimizers; needs torch, and cargo
    python3 tests/pytorch/resume.py adamw --out DIR
    python3 tests/pytorch/resume.py --fixtures       # writes tests/fixtures/resume, without taper

For each optimizer PyTorch trains two epochs and saves a checkpoint, taper (examples/pytorch_resume.rs)
resumes two epochs and saves one, PyTorch resumes two more. The six epochs are compared with six of
PyTorch alone: every batch's loss to a relative 1e-5, the weights at the end to 1e-5, the state of the
random generator, which shuffles and drops out on both sides, to the bit. The network has running
statistics, the rate a schedule.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-5

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, amsgrad=True),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.001, momentum=0.9, centered=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.01),
}


class Run:
    """What examples/pytorch_resume.rs calls a run."""

    def __init__(self, optimizer, data):
        self.model = nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 3),
        )  # fmt: skip
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.scheduler = optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 6)
        self.loader = DataLoader(TensorDataset(data["x"], data["y"]), batch_size=16, shuffle=True)
        self.epoch, self.losses = 0, []

    def load(self, path):
        saved = torch.load(path, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scheduler.load_state_dict(saved["scheduler"])
        self.epoch, self.losses = saved["epoch"], saved["losses"]
        torch.set_rng_state(saved["rng_state"])
        return self

    def train(self, epochs):
        for _ in range(epochs):
            for x, y in self.loader:
                loss = nn.functional.cross_entropy(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.losses.append(loss.item())
            self.scheduler.step()
            self.epoch += 1
        return self

    def save(self, path):
        checkpoint = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "epoch": self.epoch,
            "losses": self.losses,
            "rng_state": torch.get_rng_state(),
        }
        torch.save(checkpoint, path)
        return self


def data(path):
    torch.manual_seed(0)
    y = torch.randint(0, 3, (100,))
    x = torch.randn(100, 1, 8, 8) + 0.4 * y.reshape(-1, 1, 1, 1)
    torch.save({"x": x, "y": y}, path)
    return {"x": x, "y": y}


def alone(name, rows, folder):
    """Six epochs of PyTorch; a checkpoint after two, the generator's state after four."""
    torch.manual_seed(42)
    run = Run(name, rows).train(2).save(folder / f"{name}.pt").train(2)
    rng = torch.get_rng_state()
    return run.train(2), rng


def fixtures(folder, names):
    folder.mkdir(exist_ok=True)
    rows, expected = data(folder / "data.pt"), {}
    for name in names:
        run, rng = alone(name, rows, folder)
        torch.set_rng_state(rng)
        expected[name] = {"losses": run.losses, "draws": torch.rand(4).tolist()}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def apart(a, b):
    return max((abs(x - y) / abs(y) for x, y in zip(a, b, strict=True)), default=0.0)


def check(name, rows, folder):
    straight, rng_after_four = alone(name, rows, folder)
    two, four = folder / f"{name}.pt", folder / f"{name}_four.pt"
    subprocess.run(
        ["cargo", "run", "--quiet", "--release", "--example", "pytorch_resume", "--", "--optimizer", name]
        + ["--data", folder / "data.pt", "--from", two, "--to", four, "--epochs", "2"],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    middle = torch.load(four, weights_only=True)
    same_draws = torch.equal(middle["rng_state"], rng_after_four)
    torch.manual_seed(1)  # What the checkpoint does not restore would show.
    end = Run(name, rows).load(four).train(2)
    same_draws &= end.epoch == 6
    third = len(straight.losses) // 3
    assert end.losses[:third] == straight.losses[:third]
    taper = apart(end.losses[third : 2 * third], straight.losses[third : 2 * third])
    back = apart(end.losses[2 * third :], straight.losses[2 * third :])
    pairs = zip(end.model.state_dict().values(), straight.model.state_dict().values())
    weights = max((a - b).abs().max().item() for a, b in pairs)
    good = same_draws and max(taper, back, weights) <= TOLERANCE
    print(f"{name:8} {straight.losses[0]:.4f} -> {straight.losses[-1]:.4f}  ", end="")
    print(f"taper's epochs {taper:.1e}, PyTorch's after them {back:.1e}, weights {weights:.1e}  ", end="")
    print(f"generator {'same' if same_draws else 'DIFFERS'}  {'ok' if good else 'FAILED'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("optimizers", nargs="*", metavar="OPTIMIZER", help=", ".join(OPTIMIZERS))
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "pytorch_resume")
    parser.add_argument("--fixtures", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    names = args.optimizers or list(OPTIMIZERS)
    if args.fixtures:
        return fixtures(ROOT / "tests" / "fixtures" / "resume", names)
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    rows = data(out / "data.pt")
    print("largest relative difference of a batch's loss from PyTorch alone")
    if not all([check(name, rows, out) for name in names]):
        sys.exit(1)


if __name__ == "__main__":
    main()
