"""Figures of several rounds: the middle, the least and the most."""

from statistics import median


class Figures:
    """What several rounds gave."""

    def __init__(self, values: list[float]):
        self.values = values

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def most(self) -> float:
        return max(self.values)

    def text(self, form: str = "{:.2f}") -> str:
        """As `median (least–most)`."""
        return f"{form.format(self.median)} ({form.format(self.least)}–{form.format(self.most)})"

    def json(self) -> dict:
        return {"median": self.median, "min": self.least, "max": self.most, "rounds": self.values}


def ratios(one: list[float], other: list[float]) -> Figures:
    """Round by round."""
    return Figures([above / below for above, below in zip(one, other, strict=True)])
