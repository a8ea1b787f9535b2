"""Compares instruction counts with the committed ones: instructions.py FIGURES MEASURED RUSTC HOST.

FIGURES is benches/instructions.toml, MEASURED what gungraun printed with --output-format=json. A count that rose by more
than 3 % fails, and so does a case without a figure. Figures of another compiler or host are printed, never judged.
With SIDEGATE_BLESS=1 the figures are written anew.
"""

import json
import os
import sys
import tomllib

LIMIT = 1.03


def measured(path):
    """Instructions by case."""
    counts = {}
    with open(path, encoding="utf-8") as lines:
        for line in filter(str.strip, lines):
            summary = json.loads(line)
            profile = next(each for each in summary["profiles"] if each["tool"] == "Callgrind")
            counts[summary["id"]] = profile["data"]["total"]["metrics"]["Ir"]["values"]["new"]
    return counts


def main(figures_path, measured_path, rustc, host):
    counts = measured(measured_path)
    if not counts:
        sys.exit("nothing was measured")
    if os.environ.get("SIDEGATE_BLESS") == "1":
        lines = [f"{name} = {count}" for name, count in counts.items()]
        head = "# Instructions of 1,000 decisions: `SIDEGATE_BLESS=1 .ci/run instructions` writes this, `.ci/run` compares.\n"
        with open(figures_path, "w", encoding="utf-8") as file:
            file.write(f'{head}rustc = "{rustc}"\nhost = "{host}"\n\n[instructions]\n' + "\n".join(lines) + "\n")
    with open(figures_path, "rb") as file:
        figures = tomllib.load(file)
    comparable = (figures["rustc"], figures["host"]) == (rustc, host)
    wrong = []
    for name, count in counts.items():
        known = figures["instructions"].get(name)
        if known is None:
            print(f"{name:<16} {count:>10} instructions")
            if comparable:
                wrong.append(f"{name} has no figure in {figures_path}")
            continue
        print(f"{name:<16} {count:>10} instructions {(count / known - 1) * 100:>+7.2f} %")
        if comparable and count > known * LIMIT:
            wrong.append(f"{name} rose from {known} to {count} instructions: over 3 %")
    wrong += [f"{name} has a figure but was not counted" for name in figures["instructions"] if name not in counts]
    if not comparable:
        print(f"not judged: the figures are of {figures['rustc']} on {figures['host']}, this is {rustc} on {host}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
