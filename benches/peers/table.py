"""Prints the table of one or more runs (JSON lines) as Markdown, or writes it into documents.

    python table.py RUN.jsonl [MORE.jsonl ...] [--peers torch,taper] [--form full|short|paired|limits|about|behind]
    python table.py RUN.jsonl --into README.md docs/performance.md

`--into` renews what stands between `<!-- peers:FORM -->` and `<!-- peers:end -->` in each document.

Rows are workload@threads, columns peers, cells the median of the rounds' median times. Bold is the best.
*Faster by* is a peer's time over taper's: the median of the rounds, each round's ratio taken of times of
that round; of the peers, the one with the least. It is bold where that peer is ahead by more than 5 %.
*Of the limit* is taper's time against what the machine could do at the least
(100 %: at the limit). `~` marks a cell measured while other processes used more than 8 % of a core; `?`
one measured while the clock was under 85 % of the run's best; `!` one whose check value disagrees with
the first peer's, so it did other work and does not count.
"""
import json
import re
import sys
from statistics import median

from workloads import SHORT, W, best_limits, limit_s

ORDER = ["taper", "mine", "torch", "torch-tuned", "torch-fused", "torch-compile", "candle", "candle-mkl", "burn-flex",
         "burn-ndarray", "burn-cpu", "gemm", "matrixmultiply", "faer"]
# a peer is ahead, not merely noisy, when taper takes 5 % longer: when the ratio is under this
AHEAD = 1 / 1.05


def fmt(s):
    for unit, k in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if s * k >= 1:
            v = s * k
            return f"{v:.0f} {unit}" if v >= 100 else f"{v:.1f} {unit}" if v >= 10 else f"{v:.2f} {unit}"
    return f"{s * 1e9:.0f} ns"


class Run:
    """Everything that the JSON lines of some runs say."""

    def __init__(self, paths, only=None):
        self.rounds, self.lines, self.clocks, self.about = {}, [], [], None
        spells = {}
        for p in paths:
            with open(p) as f:
                records = [json.loads(line) for line in f if line.startswith("{")]
            for r in records:
                if r["peer"] == "about":
                    self.about = r
                elif r["peer"] == "limits":
                    self.lines.append(r)
                elif r["peer"] == "clock":
                    self.clocks += [r["before"], r["after"]]
                    spells[p, r["of"], r["group"], r["threads"], r["round"]] = (r["before"] + r["after"]) / 2
                elif "median_s" in r and (not only or r["peer"] in only):
                    r["file"] = p
                    row = self.rounds.setdefault((r["workload"], r["threads"]), {})
                    row.setdefault(r["peer"], {})[p, r["round"]] = r
        for row in self.rounds.values():
            for rounds in row.values():
                for r in rounds.values():
                    spell = r["file"], r["peer"], r["workload"].split("_")[0] + "_", r["threads"], r["round"]
                    r["slow"] = bool(self.clocks) and spells.get(spell, 9e9) < 0.85 * max(self.clocks)
        self.limits, self.simd = best_limits(self.lines)
        seen = {p for row in self.rounds.values() for p in row}
        self.peers = [p for p in ORDER if p in seen] + sorted(seen - set(ORDER))
        self.ours = next((p for p in ("taper", "mine") if p in seen), None)

    def rows(self):
        known = list(W) + sorted({w for w, _ in self.rounds} - set(W))
        threads = sorted({t for _, t in self.rounds})
        return [Row(self, w, t) for w in known for t in threads if (w, t) in self.rounds]


class Row:
    """One workload at one number of threads."""

    def __init__(self, run, workload, threads):
        self.name, self.workload, self.threads = f"{workload}@{threads}", workload, threads
        peers = run.rounds[workload, threads]
        checks = {p: next(iter(r.values())).get("check") for p, r in peers.items()}
        first = next((checks[p] for p in ["torch", *run.peers] if checks.get(p) is not None), None)
        self.wrong = {p for p, c in checks.items() if disagrees(c, first)}
        self.time = {p: median(r["median_s"] for r in rounds.values()) for p, rounds in peers.items()}
        self.mark = {p: marks(rounds.values()) + "!" * (p in self.wrong) for p, rounds in peers.items()}
        fit = [p for p in run.peers if p in peers and p not in self.wrong]
        self.best = min(fit, key=self.time.get)
        mine = peers[run.ours] if run.ours in fit else {}
        paired = {p: [peers[p][k]["median_s"] / mine[k]["median_s"] for k in mine if k in peers[p]]
                  for p in fit if p != run.ours}
        paired = {p: ratios for p, ratios in paired.items() if ratios}
        self.rival = min(paired, key=lambda p: median(paired[p]), default=None)
        self.ratios = paired.get(self.rival, [])
        self.ratio = median(self.ratios) if self.ratios else None
        self.behind = self.ratio is not None and self.ratio < AHEAD
        limit = limit_s(workload, threads, run.limits)
        self.share = limit / self.time[run.ours if run.ours in fit else self.best] if limit else None

    def cell(self, peer):
        if peer not in self.time:
            return ""
        s = fmt(self.time[peer])
        return (f"**{s}**" if peer == self.best else s) + self.mark[peer]

    def faster(self):
        return "" if self.ratio is None else f"**{self.ratio:.2f}**" if self.behind else f"{self.ratio:.2f}"

    def percent(self):
        return f"{100 * self.share:.0f} %" if self.share else ""

    def spread(self):
        return f"{min(self.ratios):.2f} to {max(self.ratios):.2f}" if len(self.ratios) > 1 else ""


def marks(rounds):
    noisy = median(r.get("noise", 0) for r in rounds) > 0.08
    slow = all(r["slow"] for r in rounds)
    return "~" * noisy + "?" * slow


def disagrees(a, b):
    return a is not None and b is not None and abs(a - b) > 2e-3 * max(abs(a), abs(b), 1e-12)


def table(head, rows):
    lines = ["| " + " | ".join(r) + " |" for r in [head, *rows]]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(head) - 1), *lines[1:]])


def full(run):
    rows = [[f"`{r.name}`", *map(r.cell, run.peers), r.best, r.faster(), r.percent()] for r in run.rows()]
    return table(["workload@threads", *run.peers, "best", "faster by", "of the limit"], rows)


def paired(run):
    rows = []
    for r in run.rows():
        if r.ratio is not None:
            rows.append([f"`{r.name}`", r.cell(run.ours), f"{r.rival} {fmt(r.time[r.rival])}{r.mark[r.rival]}",
                         r.faster(), r.spread(), r.percent()])
    head = ["workload@threads", run.ours or "taper", "the best other", "faster by", "rounds", "of the limit"]
    return table(head, rows) + "\n\n" + behind(run)


def behind(run):
    """The rows in which a peer is ahead by more than noise."""
    rated = [r for r in run.rows() if r.ratio is not None]
    late = sorted((r for r in rated if r.behind), key=lambda r: r.ratio)
    n = max((len(r.ratios) for r in rated), default=0)
    of = f"Of {len(rated)} rows, {n} round{'s' * (n != 1)} each, "
    if not late:
        return of + "none has a peer ahead of taper by more than 5 %."
    names = ", ".join(f"`{r.name}` {r.ratio:.2f} ({r.rival})" for r in late)
    return of + f"{len(late)} {'have' if len(late) > 1 else 'has'} a peer ahead of taper by more than 5 %: {names}."


def short(run):
    """A few workloads in words, for the README: all threads that were measured in one row."""
    at = {(r.workload, r.threads): r for r in run.rows()}
    threads = sorted({t for _, t in at})
    many = threads[-1:] or [1]
    t = many[0]
    rows = []
    for workload, words in SHORT.items():
        r = at.get((workload, t))
        if r is None or r.ratio is None:
            continue
        ratios = " / ".join(f"{at[workload, n].ratio:.1f}" for n in threads
                            if (workload, n) in at and at[workload, n].ratio is not None)
        torch = fmt(r.time["torch"]) if "torch" in r.time else ""
        rows.append([words, fmt(r.time[run.ours]), torch, f"{fmt(r.time[r.rival])} ({r.rival})", ratios])
    head = ["", "taper", "PyTorch", "the best of all others",
            f"taper is faster than that by, at {' / '.join(map(str, threads))} thread{'s' * (threads != [1])}"]
    said = about(run)
    return (said + "\n\n" if said else "") + table(head, rows)


def limits(run):
    threads = sorted({r["threads"] for r in run.lines})
    names = dict.fromkeys(n for n, _ in run.limits)
    rows = []
    for n in names:
        unit = next(r["unit"] for r in run.lines if r["workload"] == n)
        cells = []
        for t in threads:
            simd = run.simd.get((n, t))
            value = run.limits.get((n, t))
            cells.append("" if value is None else f"{value:.1f} {unit}" + (f" ({simd})" if simd else ""))
        rows.append([n, *cells])
    said = table(["limit", *(f"{t} thread{'s' * (t > 1)}" for t in threads)], rows)
    if run.clocks:
        said += (f"\n\nClock during the run (quick FMA readings, GFLOP/s of one core): "
                 f"{min(run.clocks):.0f} to {max(run.clocks):.0f}.")
    return said


def about(run):
    a = run.about
    if not a:
        return ""
    simd = run.simd.get(("fma_gflops", 1))
    versions = ", ".join(f"{k} {v}" for k, v in a["versions"].items() if v)
    rounds = max((len(r) for row in run.rounds.values() for r in row.values()), default=1)
    return (f"{a['date']}, {a['cores']} cores of {a['cpu']}{', ' + simd if simd else ''}, {a['system']}; {versions}; "
            f"taper {a['commit']}; {rounds} round{'s' * (rounds > 1)}: `{a['command']}`.")


FORMS = {f.__name__: f for f in (full, short, paired, limits, about, behind)}


def write_into(path, run):
    with open(path) as f:
        text = f.read()

    def renewed(m):
        form = FORMS.get(m[1])
        if not form:
            sys.exit(f"table: {path} asks for peers:{m[1]}; there are {', '.join(FORMS)}")
        return f"<!-- peers:{m[1]} -->\n{form(run)}\n<!-- peers:end -->"
    text, n = re.subn(r"<!-- peers:(?!end)(\w+) -->\n.*?<!-- peers:end -->", renewed, text, flags=re.S)
    if n == 0:
        sys.exit(f"table: {path} has no place <!-- peers:FORM --> ... <!-- peers:end -->")
    with open(path, "w") as f:
        f.write(text)
    print(f"table: renewed {n} place{'s' * (n > 1)} of {path}")


def main(argv):
    only, form, into, paths, it = None, "all", None, [], iter(argv)
    for a in it:
        if a == "--peers":
            only = next(it).split(",")
        elif a == "--form":
            form = next(it)
        elif a == "--into":
            into = []
        else:
            (paths if into is None else into).append(a)
    run = Run(paths, only)
    if into is not None:
        for path in into:
            write_into(path, run)
    elif form == "all":
        print("\n\n".join(part for part in (about(run), limits(run) if run.lines else "", full(run), behind(run)) if part))
    else:
        print(FORMS[form](run))


main(sys.argv[1:])
