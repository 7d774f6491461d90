"""Prints the workloads of a group that a peer is to run, with commas between.

    python choose.py GROUP FILTER RUN.jsonl PEER THREADS ROUND

From the second round on those are left out in which the peer took more than PEERS_FAR times (2 by default)
as long as taper in the first: they are decided.
"""
import json
import os
import sys

from workloads import W

group, filters, run, peer, threads, turn = sys.argv[1:]
filters = [f for f in filters.split(",") if f]
chosen = [w for w in W if w.startswith(group) and (not filters or any(f in w for f in filters))]
if int(turn) > 1:
    far = float(os.environ.get("PEERS_FAR", "2"))
    times = {}
    with open(run) as f:
        for line in f:
            r = json.loads(line)
            if r.get("round") == 1 and "median_s" in r and r["threads"] == int(threads):
                times[r["peer"], r["workload"]] = r["median_s"]
    ours = "taper" if any(p == "taper" for p, _ in times) else "mine"
    chosen = [w for w in chosen
              if peer == ours or times.get((peer, w), 0) <= far * times.get((ours, w), float("inf"))]
print(",".join(chosen))
