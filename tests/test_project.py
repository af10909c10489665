"""The project around the code: imports point one way, documents tell the truth."""

import ast
import graphlib
import importlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import hydra
import pytest
import yaml
from commands import ROOT

import graspo

# Each may import those before it.
LADDER = ("envs", "rewards", "policy", "scripts", "graspo.py")
TOP_LEVEL = {*LADDER, "conf", "tests", "assets", "pyproject.toml", "Makefile"} | {
    *("README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")
}
RIVAL = "scripts/benchmarks/trl_turns.py"  # speaks the other trainer's language
# Where a library may be imported. A trailing slash means the whole folder.
HOMES = {
    "mujoco": ("envs/",),
    "torch": ("policy/", "scripts/"),
    "hydra": ("scripts/",),
    "omegaconf": ("scripts/",),
    "transformers": ("policy/model/", "policy/sft/", RIVAL),
    "peft": ("policy/model/adapters.py", RIVAL),
    "plotly": ("policy/report/page.py",),
    "openenv": ("policy/serving/openenv/",),
    "ray": ("policy/rollout/ray_seat.py", "scripts/benchmarks/scale.py"),
    "trl": (RIVAL,),
    "fastapi": ("policy/playground/", "policy/serving/openenv/"),
    "nicegui": ("policy/playground/",),
    "mjviser": ("policy/playground/page/view.py",),
    "viser": ("policy/playground/page/view.py",),
}
MAX_LINES = 350  # GRPO, best read in one piece
MAX_FILES = 16  # of a folder: more are several ideas
MAX_PARAMETERS = 7
# Rooms of a package from the ground up: each may import those before it and, on its own
# floor, what does not lead back. A room is a folder, or a file of the root.
FLOORS = {
    "envs": (
        ("records", "state", "rotation", "robot", "skills", "randomization", "meshes"),
        ("answer", "cameras", "objects", "predicates"),
        ("task", "world", "mjcf"),
        ("scene", "rollout", "contract", "naming", "clutter"),
        ("execution", "registry"),
        ("scenes", "kitchen", "sampling", "video"),
        ("gym", "testing"),
    ),
    "policy": (
        ("home", "records", "runtime"),
        ("knowledge",),
        ("model",),
        ("grpo", "variety", "data"),
        ("rollout",),
        ("evaluation",),
        ("training", "sft", "report", "export", "playground", "serving"),
        ("study",),
    ),
}
IMPORT = """
import importlib, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
    assert "torch" not in sys.modules, f"{module} imports torch"
"""
SOURCES = [
    ROOT / "graspo.py",
    *sorted(p for part in LADDER for p in (ROOT / part).rglob("*.py")),
]


def list_files(pattern: str) -> list[Path]:
    """What belongs to the checkout, not what else lies there; nothing without git."""
    if not shutil.which("git"):
        return []
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return [ROOT / line for line in found.stdout.splitlines() if (ROOT / line).exists()]


DOCUMENTS = list_files("*.md")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def list_imports(path: Path) -> set[str]:
    """Full names of everything a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imports(path: Path) -> set[str]:
    """Their top-level names."""
    return {full.split(".")[0] for full in list_imports(path)}


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text()
    return set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_point_one_way(path):
    folder = path.relative_to(ROOT).parts[0]
    above = {Path(part).stem for part in LADDER[LADDER.index(folder) + 1 :]}
    assert not imports(path) & above


def test_rewards_know_of_envs_the_records_alone():
    known = set().union(*map(list_imports, (ROOT / "rewards").rglob("*.py")))
    of_envs = {full for full in known if full.split(".")[0] == "envs"}
    assert {full.rpartition(".")[0] for full in of_envs} == {"envs.records"}


def test_what_must_not_import_torch_imports_nothing_that_does():
    words = "must not import torch"
    told = [path for path in SOURCES if words in path.read_text()]
    modules = [name(path).removesuffix(".py").replace("/", ".") for path in told]
    modules = [m.removeprefix("scripts.").removesuffix(".__init__") for m in modules]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *modules],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}"},
        capture_output=True,
        text=True,
    )
    assert len(modules) > 9 and not done.returncode, done.stderr


def list_arrows(package: str) -> set[tuple[str, str]]:
    """Pairs of rooms of a package, the first of which imports the second."""
    arrows = set()
    for path in (ROOT / package).rglob("*.py"):
        room = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        parts = [full.split(".") for full in list_imports(path)]
        arrows |= {(room, p[1]) for p in parts if p[0] == package and p[1:]}
    rooms = {room for floor in FLOORS[package] for room in floor}
    return {(a, b) for a, b in arrows if a != "__init__" and a != b and b in rooms}


@pytest.mark.parametrize("package", FLOORS)
def test_every_room_stands_on_a_floor(package):
    entries = {path.name.removesuffix(".py") for path in (ROOT / package).iterdir()}
    rooms = {e for e in entries if not e.startswith("__") and "." not in e}
    assert rooms == {room for floor in FLOORS[package] for room in floor}


@pytest.mark.parametrize("package", FLOORS)
def test_no_room_imports_one_above_it(package):
    height = {room: i for i, floor in enumerate(FLOORS[package]) for room in floor}
    assert not [(a, b) for a, b in list_arrows(package) if height[a] < height[b]]


@pytest.mark.parametrize("package", FLOORS)
def test_no_import_leads_back_to_its_room(package):
    below: dict[str, set[str]] = {}
    for room, other in list_arrows(package):
        below.setdefault(room, set()).add(other)
    graphlib.TopologicalSorter(below).prepare()  # raises where there is a circle


@pytest.mark.parametrize("path", sorted((ROOT / "envs").rglob("*.py")), ids=name)
def test_envs_import_each_other_in_the_open(path):
    tree = ast.parse(path.read_text())
    outer = {id(node) for node in tree.body}
    hidden = [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and id(node) not in outer
    ]
    assert not [module for module in hidden if (module or "").startswith("envs")]


def test_a_folder_holds_few_files():
    folders = {path.parent for path in SOURCES if path.is_relative_to(ROOT)}
    full = {
        name(folder): len(list(folder.glob("*.py")))
        for folder in folders - {ROOT / "envs" / "scenes", ROOT}
    }
    assert not {folder: n for folder, n in full.items() if n > MAX_FILES}


def test_no_function_takes_a_list_of_parameters_where_a_record_would_do():
    wide = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [a.arg for a in every if a.arg not in ("self", "cls")]
            if len(names) > MAX_PARAMETERS:
                wide.append(f"{path.parent.name}.{node.name}")
    assert sorted(wide) == ["model.load"]  # `policy.load`, a call that users write


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_only_where_it_belongs(library):
    users = {name(path) for path in SOURCES if library in imports(path)}
    strangers = {user for user in users if not user.startswith(HOMES[library])}
    assert not strangers
    assert users, f"nothing imports {library}: remove it from HOMES"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_holds_one_idea(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_the_top_level_holds_only_what_was_agreed():
    if not (files := list_files("*")):
        pytest.skip("not a git checkout")
    found = {path.relative_to(ROOT).parts[0] for path in files}
    assert {entry for entry in found if not entry.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "Makefile"], ids=name)
def test_commands_that_are_written_down_exist(path):
    text = path.read_text()
    for script in re.findall(r"(?:python|\$\(PY\)) (scripts/\w+\.py)", text):
        assert (ROOT / script).is_file(), script
    if path.suffix == ".md":
        asked = re.findall(r"(?:^ *|`)make ([a-z-]+)", text, flags=re.MULTILINE)
        assert set(asked) <= make_targets()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_in_documents_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if not link.startswith(("http://", "https://")):
            assert (path.parent / link).exists(), link


def list_commands(document: Path) -> list[tuple[str, list[str]]]:
    """The commands of a document: the script, and its `key=value` arguments."""
    text = document.read_text().replace("\\\n", "")  # a command goes on there
    # Of several runs (-m) there is no one configuration.
    found = re.findall(r"python scripts/(\w+)\.py(?! -m )([^`\n]*)", text)
    return [(script, [w for w in line.split() if "=" in w]) for script, line in found]


@pytest.mark.parametrize(
    "document",
    ["README.md", "envs/README.md", "policy/README.md", "policy/serving/README.md"],
)
def test_the_configuration_takes_every_command_that_is_written_down(
    document, monkeypatch
):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    choices = importlib.import_module("launching.choices")
    choices.register_choices(choices.BASELINES, True, True)
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for script, arguments in list_commands(ROOT / document):
            others = r"lift_can|lift_pawn|kitchen_\w+"
            known = [re.sub(others, "pick_mug", a) for a in arguments]
            overrides = [part for a in known for part in choices.spell(a)]
            if (ROOT / "conf" / f"{script}.yaml").is_file():
                hydra.compose(script, overrides)
            else:
                assert not overrides


def test_python_in_the_readme_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert blocks
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-W", "error::UserWarning", "-c", block],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert not done.returncode, done.stderr


def test_every_dependency_is_pinned_within_its_bound():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name as plain

    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    pins = {plain(package): version for package, version in pins.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for line in itertools.chain(project["dependencies"], *extras):
        needed = Requirement(line)
        assert plain(needed.name) in pins, needed.name
        assert needed.specifier.contains(pins[plain(needed.name)]), line


def test_the_citation_is_of_this_version_and_licence():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cited["version"] == graspo.__version__
    assert cited["license"] == project["license"]
    needed = {"cff-version", "message", "title", "authors"}  # of version 1.2.0
    assert needed <= cited.keys()


def test_torch_is_pinned_without_its_build():
    pins = (ROOT / ".ci" / "constraints.txt").read_text()
    assert re.search(r"^torch==[\d.]+$", pins, re.MULTILINE)


def test_the_backend_that_the_user_chose_is_kept(monkeypatch):
    from envs.cameras import gl

    monkeypatch.setattr(gl, "can_load", lambda library: True)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    gl.ensure_gl()
    assert gl.os.environ["MUJOCO_GL"] == "osmesa"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a choice")
@pytest.mark.parametrize(
    ("present", "devices", "backend"),
    [
        ("EGL GL OSMesa", 1, "egl"),
        ("EGL GL OSMesa", 0, "osmesa"),
        ("GL OSMesa", 0, "osmesa"),
        ("EGL", 1, "off"),
        ("", 0, "off"),
    ],
)
def test_egl_is_preferred_to_osmesa_and_to_nothing(
    monkeypatch, present, devices, backend
):
    from envs.cameras import gl

    libraries = {f"lib{word}.so" for word in present.split()}
    monkeypatch.setattr(gl, "_count_egl_devices", lambda: devices)
    monkeypatch.setattr(
        gl, "can_load", lambda lib: lib.split(".so")[0] + ".so" in libraries
    )
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setattr(gl, "READ_ONCE", ())  # mujoco keeps its own choice
    gl.ensure_gl()
    assert gl.os.environ["MUJOCO_GL"] == backend


def test_without_gl_one_message_names_the_packages(monkeypatch):
    from envs.cameras import gl

    monkeypatch.setenv("MUJOCO_GL", gl.OFF)
    with pytest.raises(gl.NoGL, match=r"apt-get install libegl1 .* dnf install mesa"):
        gl.open_context(64, 64)


def test_a_chosen_backend_without_its_library_is_named(monkeypatch):
    from envs.cameras import gl

    monkeypatch.setattr(gl, "can_load", lambda library: False)
    monkeypatch.setenv("MUJOCO_GL", "egl")
    if sys.platform == "linux":
        with pytest.raises(gl.NoGL, match=r"MUJOCO_GL=egl\): libEGL.so.1, libGL.so.1"):
            gl.ensure_gl()
