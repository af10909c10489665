"""What --help prints: what a command does, its keys with their comments, its choices.

All of it is read from conf/, where it is written once; groups and keys that a command
has no use for are left out. Hydra's own help shows every group that there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from textwrap import fill, indent
from typing import NamedTuple

from hydra.core.global_hydra import GlobalHydra

from launching.choices import OFFLINE, SEVERAL, find_conf
from launching.idle import is_idle

WIDTH = 88
NOTES = {  # of choices that stand for what users write
    ("policy", "path"): ("<directory>", "or a hub id, owner/name"),
    ("policy", SEVERAL): ("[one,other]", "each of several"),
    ("env", "all"): ("all", "or [one,other]; env.without=[...] leaves some out"),
}
ENTRY = re.compile(r"^  - (\w+)(?:: (\S+))?(?: # (.*))?$", re.MULTILINE)  # of defaults
SELF = "_self_"  # among them: the file itself
KEY = re.compile(r"( *)(\w+):")
GIVEN = ("name", "path")  # by the choice itself


class Entry(NamedTuple):
    """Part of a configuration, as its defaults have it.

    Attributes:
        name: That of a file, or of a group of files of which one is taken.
        usual: Of a group, what is taken unless another is named; null if nothing.
        note: What the command says of it.
    """

    name: str
    usual: str
    note: str


def describe(command: str, about: str) -> str:
    """Returns how to call a command; Hydra must have been told of conf/.

    Args:
        command: Its name, that of a file in conf/.
        about: What it does.
    """
    entries = [Entry(*found) for found in ENTRY.findall(_read(command))]
    groups = [entry for entry in entries if entry.usual]
    pictures = any(entry.name == "data" for entry in entries)
    parts = [f"python scripts/{command}.py [key=value ...]", about]
    if groups:
        parts.append("Choices; * is the usual one:")
    parts += [_show_choices(group, pictures) for group in groups]
    parts.append("Keys, with their usual values; --cfg=job prints those of a command:")
    parts += [_show_keys(command, entry) for entry in entries]
    return "\n\n".join(part for part in parts if part)


def _read(name: str) -> str:
    """The text of a file of conf/; "" of a choice that has none."""
    file = find_conf() / f"{name}.yaml"
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _show_keys(command: str, entry: Entry) -> str:
    """The keys of a part that do something in a command, with their comments."""
    if entry.usual:
        return _show_group_keys(command, entry)
    return _drop_blocks(_read(command if entry.name == SELF else entry.name))


def _drop_blocks(text: str) -> str:
    """Leaves out what a file says to Hydra alone."""
    kept, dropped = [], False
    for line in text.splitlines():
        if line[:1].strip():  # not one of a block
            dropped = line.partition(":")[0] in ("defaults", "hydra")
        if not dropped and not line.startswith("# @package"):
            kept.append(line)
    return "\n".join(kept).strip("\n")


def _show_choices(group: Entry, pictures: bool) -> str:
    """Lists the choices of a group, each with what its file says first."""
    loader = GlobalHydra.instance().config_loader()
    rows, plain = [], []
    names = loader.get_group_options(group.name)
    for name in sorted(names, key=lambda name: (group.name, name) in NOTES):
        if name == OFFLINE and not pictures:
            continue
        shown, said = NOTES.get((group.name, name)) or (name, _summarize(group, name))
        mark = "*" if name == group.usual else " "
        if said:
            rows.append(_wrap(f"{mark} {shown:18}{said}", 20))
        else:
            plain.append(name)
    if plain:
        rows.append(_wrap(f"  also {', '.join(plain)}", 4))
    title = f"{group.name}=" + (f" # {group.note}" if group.note else "")
    return "\n".join([title, *rows])


def _wrap(line: str, hanging: int) -> str:
    lead = " " * hanging
    return fill(line, WIDTH, subsequent_indent=lead, break_on_hyphens=False)


def _summarize(group: Entry, name: str) -> str:
    """The first sentence of the comment above a choice; "" of one without a file."""
    lines = _read(f"{group.name}/{name}").splitlines()
    above = takewhile(lambda line: line.startswith("#"), lines)
    words = (line.lstrip("# ") for line in above if not line.startswith("# @"))
    return re.split(r"(?<=\w\w\w\.) ", " ".join(words))[0]  # not at "Dr."


def _show_group_keys(command: str, group: Entry) -> str:
    """The keys of the usual choice of a group; "" if none does anything."""
    text = _read(f"{group.name}/{group.usual}")
    lines = [*_keep_useful(command, group.name, _drop_blocks(text))]
    parents = [name for name, *_ in ENTRY.findall(text) if name != SELF]
    head = "".join(f"# else as {name}\n" for name in parents)
    body = indent(head + "\n".join(lines), "  ")
    return f"{group.name}: # {group.usual}\n{body}" if lines else ""


def _keep_useful(command: str, group: str, text: str) -> Iterator[str]:
    """Yields the lines of keys that do something, with what is below them."""
    useful = False
    for line in text.splitlines():
        found = KEY.match(line)
        if found and not found[1]:
            key = found[2]
            useful = key not in GIVEN and not is_idle(command, f"{group}.{key}")
        if useful:
            yield line
