"""Bar charts as SVG, readable on white and on black."""

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from .figures import Figures

WIDTH, LEFT, RIGHT, TOP, STEP, BAR = 760, 250, 130, 58, 30, 16

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .small { font-size: 11px; fill: #59636e }
.own { fill: #0969da } .peer { fill: #818b98 } .grid { stroke: #d1d9e0; stroke-width: 1 }
.range { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .own { fill: #4493f8 } .peer { fill: #7d8590 }
.grid { stroke: #3d444d } .range { stroke: #e6edf3 }
}
"""


@dataclass
class Bar:
    """A line of a chart."""

    name: str
    figures: Figures
    own: bool = False


def bars(title: str, unit: str, lines: list[Bar], form: str = "{:,.0f}", logarithmic: bool = False) -> str:
    """Medians as bars, the least and the most as a line across their ends."""
    height = TOP + STEP * len(lines) + 34
    low, high, ticks = scale(lines, logarithmic)

    def x(value: float) -> float:
        if logarithmic:
            return LEFT + (WIDTH - LEFT - RIGHT) * (log10(value) - log10(low)) / (log10(high) - log10(low))
        return LEFT + (WIDTH - LEFT - RIGHT) * value / high

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
             f"<title>{escape(title)}</title><style>{STYLE}</style>",
             f'<text class="title" x="12" y="22">{escape(title)}</text>',
             f'<text class="small" x="12" y="40">{escape(unit)}{", logarithmic" if logarithmic else ""}; '
             "bar: median, line: least to most</text>"]
    bottom = TOP + STEP * len(lines)
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 4}" y2="{bottom}"/>'
                     f'<text class="small" x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{short(tick)}</text>')
    for number, line in enumerate(lines):
        parts += drawn(line, TOP + STEP * number + (STEP - BAR) / 2, x, form)
    return "\n".join([*parts, "</svg>"]) + "\n"


def drawn(line: Bar, y: float, x, form: str) -> list[str]:
    """One bar with its name, its range and its figure."""
    middle, text = y + BAR / 2, y + BAR - 3.5
    end, least, most = (x(value) for value in (line.figures.median, line.figures.least, line.figures.most))
    return [
        f'<text x="{LEFT - 10}" y="{text}" text-anchor="end">{escape(line.name)}</text>',
        f'<rect class="{"own" if line.own else "peer"}" x="{LEFT}" y="{y}" width="{max(end - LEFT, 1.5):.1f}" '
        f'height="{BAR}" rx="2"/>',
        f'<line class="range" x1="{least:.1f}" x2="{most:.1f}" y1="{middle}" y2="{middle}"/>',
        f'<text x="{max(end, most) + 8:.1f}" y="{text}">{escape(form.format(line.figures.median))}</text>',
    ]


def scale(lines: list[Bar], logarithmic: bool) -> tuple[float, float, list[float]]:
    """The ends of the axis, and what is marked on it."""
    most = max(line.figures.most for line in lines)
    if logarithmic:
        first, last = floor(log10(min(line.figures.least for line in lines))), ceil(log10(most))
        return 10**first, 10**last, [10.0**power for power in range(first, last + 1)]
    step = 10 ** floor(log10(most))
    step = next(step * part for part in (0.2, 0.5, 1, 2) if most / (step * part) <= 6)
    count = ceil(most / step)
    return 0, step * count, [step * number for number in range(count + 1)]


def short(value: float) -> str:
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def all_charts(raw: dict) -> dict[str, str]:
    """What the raw figures can show, by file name."""
    charts = {}
    if tcp := raw.get("saturation", {}).get("tcp"):
        def of(runs: list[dict], key: str) -> Figures:
            return Figures([run[key] for run in runs])

        names = {"sidegate": "Sidegate, deciding", "echo-mimalloc": "empty tonic, tuned", "echo": "empty tonic, stock"}
        runs = {names[name]: tcp[name] for name in names}
        if cerbos := raw["saturation"].get("cerbos"):
            runs["Cerbos 0.55, role given"] = cerbos
        for file, title, key, form in (
            ("requests", "Requests a second on one core", "calls_per_second", "{:,.0f}"),
            ("cpu", "Processor time of the server for a request", "server_cpu_us", "{:.1f}"),
        ):
            lines = [Bar(name, of(found, key), name.startswith("Sidegate")) for name, found in runs.items()]
            unit = "4 connections × 32 calls in flight, TCP; " + ("µs" if file == "cpu" else "requests/s")
            charts[f"{file}.svg"] = bars(title, unit, lines, form, logarithmic=file == "cpu")
    if engines := raw.get("engines"):
        lines = [Bar(name, Figures(values), name.startswith("Sidegate")) for name, values in engines.items()]
        lines.sort(key=lambda line: line.figures.median)
        charts["decide.svg"] = bars("One decision in the same process", "nanoseconds; 10 k users × 1 k workspaces "
                                    "unless said otherwise", lines, "{:,.0f}", logarithmic=True)
    if start := raw.get("life", {}).get("start_ms"):
        lines = [Bar("Sidegate", Figures(start["sidegate"]), True), Bar("empty tonic, stock", Figures(start["echo"]))]
        if theirs := raw["life"].get("cerbos_start_ms"):
            lines.append(Bar("Cerbos 0.55", Figures(theirs)))
        charts["start.svg"] = bars("From exec to the first right answer", "milliseconds", lines, "{:,.0f}",
                                   logarithmic=True)
    return charts
