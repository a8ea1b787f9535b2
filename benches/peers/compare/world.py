"""The snapshot that everybody is asked about, and questions drawn at random with their right answers.

Users, workspaces with four documents each, three bindings a user. Every second question is about a workspace where the
user holds the role that it takes, and so half are allowed. The numbers come from splitmix64, so they are the same in every run.
"""

import json
from pathlib import Path

POLICY = """\
sidegate: 1
subject_types: {user: {}}
operations: {read: [view], write: [update]}
types:
  org: {root: true, actions: [manage]}
  workspace: {parent: org, attributes: {tier: string}, actions: [enter]}
  document:
    parent: workspace
    attributes: {locked: {type: bool, from: [snapshot, request]}}
    actions: [view, update, publish]
roles:
  owner: {at: org, allow: [{on: [org, workspace, document], actions: all}]}
  reader: {at: workspace, allow: [{on: document, operations: [read]}]}
  writer: {at: workspace, includes: [reader], allow: [{on: document, operations: [write]}]}
  publisher:
    at: workspace
    allow: [{on: document, actions: [publish], when: "resource.locked == false && ancestor.workspace.tier == 'pro'"}]
role_templates:
  custom: {defined_at: org, at: workspace, may: {on: document, actions: all}}
"""

ROLES = ("reader", "writer", "publisher")
DOCUMENTS = 4
QUESTIONS = 1 << 16


class Draw:
    """splitmix64."""

    def __init__(self, seed: int):
        self.state = seed

    def below(self, bound: int) -> int:
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        return ((mixed ^ (mixed >> 31)) >> 16) % bound


def write(directory: Path, users: int, workspaces: int, *, action: str = "update", custom_roles: int = 0) -> int:
    """Writes the source and the questions; the bytes of all ids, each counted once.

    `questions.jsonl` has the answers, `any.jsonl` the same without, `publish.jsonl` asks for what has a condition, and
    `cerbos.txt` says beside each question which roles the user holds there.
    """
    source = directory / "source"
    source.mkdir(parents=True)
    (source / "policy.yaml").write_text(POLICY)
    draw, ids, holds = Draw(7), len("one"), []
    with open(source / "facts.jsonl", "w", buffering=1 << 20) as out:
        out.write('{"kind":"resource","id":"org/one","attributes":{}}\n')
        for role in range(custom_roles):
            rules = '{"document":{"operations":["read"]}}'
            out.write(f'{{"kind":"role","at":"org/one","name":"custom/r{role}","rules":{rules}}}\n')
        for at in range(workspaces):
            ids += len(f"w{at}") + sum(len(f"w{at}-{document}") for document in range(DOCUMENTS))
            out.write(
                f'{{"kind":"resource","id":"workspace/w{at}","parent":"org/one","attributes":{{"tier":"pro"}}}}\n'
                + "".join(
                    f'{{"kind":"resource","id":"document/w{at}-{document}","parent":"workspace/w{at}",'
                    f'"attributes":{{"locked":{"true" if document == 0 else "false"}}}}}\n'
                    for document in range(DOCUMENTS)
                )
            )
        for user in range(users):
            ids += len(f"u{user}")
            places = [(user + draw.below(3) + number * 7) % workspaces for number in range(len(ROLES))]
            names = list(ROLES)
            if custom_roles:
                names[0] = f"custom/r{draw.below(custom_roles)}"
            holds.append(places)
            out.write(
                f'{{"kind":"subject","id":"user/u{user}"}}\n'
                + "".join(
                    f'{{"kind":"binding","subject":"user/u{user}","role":"{name}","at":"workspace/w{at}"}}\n'
                    for name, at in zip(names, places)
                )
            )
    ask(directory, draw, holds, workspaces, action)
    return ids


def ask(directory: Path, draw: Draw, holds: list[list[int]], workspaces: int, action: str) -> None:
    with (open(directory / "questions.jsonl", "w") as out, open(directory / "any.jsonl", "w") as free,
          open(directory / "publish.jsonl", "w") as publish, open(directory / "cerbos.txt", "w") as told):
        for number in range(QUESTIONS):
            user, document, other = draw.below(len(holds)), draw.below(DOCUMENTS), draw.below(workspaces)
            places = holds[user]
            for asked, role, files in ((action, 1, (out, free, told)), ("publish", 2, (publish, None, None))):
                at = places[role] if number % 2 == 0 else other
                question = {"subject": f"user/u{user}", "action": asked, "resource": f"document/w{at}-{document}"}
                wanted = "allow" if expected(places, asked, at, document) else "deny"
                files[0].write(json.dumps(question | {"expect": wanted}) + "\n")
                if files[1]:
                    files[1].write(json.dumps(question) + "\n")
                    roles = [role for role, place in zip(ROLES, places) if place == at] or ["nobody"]
                    files[2].write(f"u{user} {'+'.join(roles)} {asked} w{at}-{document} {wanted}\n")


def expected(places: list[int], action: str, at: int, document: int) -> bool:
    """The policy once more, in Python."""
    reads, writes, publishes = (place == at for place in places)
    return {"view": reads or writes, "update": writes, "publish": publishes and document != 0}[action]
