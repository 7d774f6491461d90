"""Prints one JSON line that says when, on what and with which versions a run is made."""
import json
import os
import platform
import re
import subprocess
import sys
import time


def out(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cpu():
    try:
        with open("/proc/cpuinfo") as f:
            info = dict(re.findall(r"^([^\t\n]+)\t*: (.*)$", f.read(), re.M))
        return f"{info['model name']} (family {info['cpu family']}, model {info['model']})"
    except (OSError, KeyError):
        return platform.processor() or platform.machine()


def locked(here, name):
    """The version of a crate in the peers' lock file."""
    with open(os.path.join(here, "rust", "Cargo.lock")) as f:
        found = re.search(rf'name = "{name}"\nversion = "([^"]+)"', f.read())
    return found and found[1]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    asked = sys.argv[1].split()
    versions = {"Rust": out("rustc", "--version").split(" ")[1:2]}
    if any(p.startswith("torch") for p in asked):
        versions["PyTorch"] = out(os.environ.get("TORCH_PYTHON", "python3"), "-c", "import torch; print(torch.__version__)")
    for peer, crate in (("candle", "candle-core"), ("burn", "burn"), ("gemm", "gemm"),
                        ("matrixmultiply", "matrixmultiply"), ("faer", "faer")):
        if any(p.split("-")[0] == peer for p in asked):
            versions[peer] = locked(here, crate)
    versions = {k: v[0] if isinstance(v, list) and v else v for k, v in versions.items()}
    git = ["git", "-C", here, "describe", "--always", "--dirty", "--tags"]
    print(json.dumps({"peer": "about", "date": time.strftime("%Y-%m-%d"), "cpu": cpu(), "cores": os.cpu_count(),
                      "system": f"{platform.system()} {platform.release()}", "versions": versions,
                      "commit": out(*git), "command": sys.argv[2]}))


main()
