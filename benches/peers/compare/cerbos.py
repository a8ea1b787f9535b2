"""Cerbos as a peer: placeholder until its client exists."""


def saturation(tools, world, rounds):
    raise NotImplementedError
