"""Vision-language models that learn to manipulate, with a simulator in the loop.

To import this registers the scenes as Gymnasium environments, so that
`gymnasium.make("graspo:graspo/PickMug-v0")` needs no other import. It does not import
torch. `main` is the command `graspo`, which runs the programs of scripts/.
"""

from __future__ import annotations

import ast
import re
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any


def _check_names() -> None:
    """Refuses a package of somebody else's where one of ours has to be.

    Raises:
        ImportError: Another folder of sys.path comes first and has such a name.
    """
    here = Path(__file__).resolve().parent
    for name in ("envs", "rewards", "policy"):
        found = find_spec(name)
        where = Path(found.origin) if found and found.origin else None
        if where and where.resolve() != here / name / "__init__.py":
            raise ImportError(
                f"{name!r} is {where}, not Graspo's: rename it or run elsewhere"
            )


_check_names()

from envs import make_scene  # noqa: E402  (what it says of a stranger is no help)
from policy.home import HOME  # noqa: E402

if TYPE_CHECKING:
    from policy.model.vlm import VLM

__version__ = "0.1.0"
__all__ = ["__version__", "load_policy", "make_scene"]

USAGE = "usage: graspo <command> [key=value ...]"


def load_policy(name_or_path: str | Path, **options: Any) -> VLM:
    """Loads a policy; needs graspo[train].

    Args:
        name_or_path: A short name such as "tiny", a directory or a hub id.
        **options: Those of `policy.load`.
    """
    import policy

    return policy.load(name_or_path, **options)


def main() -> None:
    """Runs the command that the first argument names, with the others."""
    commands = list_commands()
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(describe_commands())
    elif name in commands:
        run(commands[name], arguments)
    else:
        sys.exit(f"error: unknown command {name!r}\n{describe_commands()}")


def list_commands() -> dict[str, Path]:
    """Returns the scripts by name; what begins with _ is none."""
    scripts = sorted((HOME / "scripts").glob("[!_]*.py"))
    return {script.stem: script for script in scripts}


def describe_commands() -> str:
    """Returns how to call them, with the first line of what each says of itself."""
    lines = [USAGE, ""]
    for name, script in list_commands().items():
        said = ast.get_docstring(ast.parse(script.read_text())) or ""
        line = re.sub(r"python scripts/(\w+)\.py", r"graspo \1", said.split("\n")[0])
        lines.append(f"  {name:10}  {line}")
    return "\n".join(lines)


def run(script: Path, arguments: list[str]) -> None:
    """Runs a script as `python <script> <arguments>` does.

    A package that is not installed ends it with what to install.
    """
    sys.path.insert(0, str(script.parent))
    sys.argv[1:] = arguments
    try:
        runpy.run_path(str(script), run_name="__main__")
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if not missing or find_spec(missing):  # it is there: a fault of ours
            raise
        sys.exit(
            f"error: graspo {script.stem} needs {missing}, which is not installed: "
            "pip install 'graspo[train]'"
        )


if __name__ == "__main__":
    main()
