"""The cohort engine against its peers: side by side in one run, interleaved, at stated errors.

Every tool integrates the same kind of patients, one core each, restarted at every dose. See README.md here.

    python benchmarks/engine_vs_peers.py --short                # under three minutes
    python benchmarks/engine_vs_peers.py                        # every system, about half an hour
    python benchmarks/engine_vs_peers.py --systems pd1_il2 --tools twoarm AMICI libRoadRunner
    python benchmarks/engine_vs_peers.py --systems network_300  # a random network of any size

Times depend on the machine and on what else it does; only ratios of one run mean anything.
"""

from __future__ import annotations

import argparse
import os
import time

from peers.machine import about, results
from peers.measure import Measured, Plan, measure
from peers.picture import draw
from peers.registry import TOOLS
from peers.systems import SHORT, SYSTEMS, system
from peers.table import ratios, save, say

os.environ |= {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}  # of the tools, too


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="three systems, fewer patients and tolerances")
    parser.add_argument("--systems", nargs="+", metavar="NAME", help=f"of {', '.join(SYSTEMS)}, network_N")
    parser.add_argument("--tools", nargs="+", choices=list(TOOLS), metavar="NAME")
    parser.add_argument("--patients", type=int, help="of the engine")
    parser.add_argument("--peers", type=int, help="patients of each peer")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--limit", type=float, help="seconds a tool may take for one answer")
    parser.add_argument("--memory", type=float, help="GiB of addresses a tool may take")
    options = parser.parse_args()
    given = {name: value for name, value in vars(options).items() if value is not None}
    plan = Plan.of(short=options.short, given=given)
    print(about())
    everything: list[Measured] = []
    for name in options.systems or (SHORT if options.short else SYSTEMS):
        began = time.perf_counter()
        found = measure(system(name, plan.patients), plan)
        everything.append(found)
        print(say(found, plan, time.perf_counter() - began), flush=True)
    table = ratios(everything)
    folder = results()
    save(table, everything, plan, folder)
    draw(table, everything, folder / "engine_vs_peers.png")
    print(f"\n{folder}/engine_vs_peers.csv, .json and .png")


if __name__ == "__main__":
    main()
