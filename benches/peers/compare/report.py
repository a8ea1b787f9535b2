"""What was found, as rows of one table."""

from dataclasses import asdict, dataclass


@dataclass
class Row:
    """A line of the table: a promise, and what became of it."""

    key: str
    what: str
    against: str
    budget: str
    measured: str
    met: bool

    def json(self) -> dict:
        return asdict(self)


def table(rows: list[Row]) -> str:
    lines = ["| what | limit or peer, same run | budget | measured: median (min–max) | met |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row.what} | {row.against} | {row.budget} | {row.measured} | {'yes' if row.met else '**no**'} |")
    return "\n".join(lines) + "\n"
