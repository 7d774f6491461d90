"""Prints the table of one or more runs (JSON lines) as Markdown.

    python table.py RUN.jsonl [MORE.jsonl ...] [--peers torch,taper] [--short]

Rows are workload@threads, columns peers, cells median time (the lowest median
where a run has several rounds). Bold is the best. `taper` after it is how many
times faster taper is than the best other. `limit` is the best time as
a fraction of what the machine could do (100% = at the limit). `~` marks a cell
measured while other processes used more than 8% of a core; `?` one measured
while the clock was under 85% of the run's best; `!` one whose
check value disagrees with the first peer's, so it did other work.
"""
import json
import sys

from workloads import W, limit_s

ORDER = ["taper", "torch", "torch-tuned", "torch-fused", "torch-compile", "candle", "candle-mkl", "burn-flex",
         "burn-ndarray", "burn-cpu", "gemm", "matrixmultiply", "faer"]


def fmt(s):
    for unit, k in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if s * k >= 1:
            v = s * k
            return f"{v:.0f} {unit}" if v >= 100 else f"{v:.1f} {unit}" if v >= 10 else f"{v:.2f} {unit}"
    return f"{s * 1e9:.0f} ns"


def read(paths):
    cells, limits, clocks, spells = {}, {}, [], {}
    for p in paths:
        with open(p) as f:
            for line in f:
                if not line.startswith("{"):
                    continue
                r = json.loads(line)
                if r["peer"] == "limits":
                    k = (r["workload"], r["threads"])
                    better = min if r["unit"] == "ms" else max
                    limits[k] = better(r["value"], limits.get(k, r["value"]))
                    continue
                if r["peer"] == "clock":
                    clocks += [r["before"], r["after"]]
                    spells[p, r["of"], r["group"], r["threads"], r["round"]] = (r["before"] + r["after"]) / 2
                if "median_s" not in r:
                    continue
                k = (r["workload"], r["threads"], r["peer"])
                if k not in cells or r["median_s"] < cells[k]["median_s"]:
                    cells[k] = r
                    r["spell"] = p, r["peer"], r["workload"].split("_")[0] + "_", r["threads"], r["round"]
    for r in cells.values():
        r["slow"] = bool(clocks) and spells.get(r["spell"], max(clocks)) < 0.85 * max(clocks)
    return cells, limits, clocks


def disagrees(a, b):
    if a is None or b is None:
        return False
    return abs(a - b) > 2e-3 * max(abs(a), abs(b), 1e-12)


def main(argv):
    short = "--short" in argv
    only = None
    paths, it = [], iter(argv)
    for a in it:
        if a == "--peers":
            only = next(it).split(",")
        elif a != "--short":
            paths.append(a)
    cells, limits, clocks = read(paths)
    seen = {p for _, _, p in cells}
    peers = [p for p in ORDER if p in seen] + sorted(seen - set(ORDER))
    if only:
        peers = [p for p in only if p in seen]
    threads = sorted({t for _, t, _ in cells})
    ids = list(W) + sorted({w for w, _, _ in cells} - set(W))
    if limits:
        print("| limit | " + " | ".join(f"{t} thread{'s' * (t > 1)}" for t in sorted({t for _, t in limits})) + " |")
        print("|---|" + "---:|" * len({t for _, t in limits}))
        for name in dict.fromkeys(n for n, _ in limits):
            print(f"| {name} | " + " | ".join(
                f"{limits[name, t]:.1f}" if (name, t) in limits else "" for t in sorted({t for _, t in limits})) + " |")
        print()
    if clocks:
        print(f"Clock during the run (quick FMA readings, GFLOP/s on one core): "
              f"{min(clocks):.0f} to {max(clocks):.0f}.\n")
    print("| workload@threads | " + " | ".join(peers) + " | best | taper | limit |")
    print("|---|" + "---:|" * len(peers) + "---|---:|---:|")
    for w in ids:
        for t in threads:
            row = {p: cells[w, t, p] for p in peers if (w, t, p) in cells}
            if not row:
                continue
            ref = row.get("torch") or next(iter(row.values()))
            ok = {p: r for p, r in row.items() if not disagrees(r.get("check"), ref.get("check"))}
            best = min(ok, key=lambda p: ok[p]["median_s"])
            out = []
            for p in peers:
                if p not in row:
                    out.append("")
                    continue
                r = row[p]
                s = fmt(r["median_s"])
                if p == best:
                    s = f"**{s}**"
                s += "~" * (r.get("noise", 0) > 0.08) + "?" * r["slow"] + "!" * (p not in ok)
                out.append(s)
            others = [r["median_s"] for p, r in ok.items() if p != "taper"]
            ratio = f"{min(others) / ok['taper']['median_s']:.2f}" if "taper" in ok and others else ""
            lim = limit_s(w, t, limits)
            frac = f"{100 * lim / row[best]['median_s']:.0f}%" if lim else ""
            if short:
                out = [o.replace(" ", "") for o in out]
            print(f"| {w}@{t} | " + " | ".join(out) + f" | {best} | {ratio} | {frac} |")


main(sys.argv[1:])
