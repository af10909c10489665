import json
import subprocess

import pytest

from policy.runtime.manifest import (
    compare_manifests,
    digest_file,
    make_manifest,
    read_commit,
    write_beside,
)


@pytest.fixture
def checkout(tmp_path):
    def git(*words):
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)

    (tmp_path / "code.py").write_text("1\n")
    git("init", "-q")
    git("add", "code.py")
    git("commit", "-qm", "first")
    return tmp_path


def test_a_commit_is_clean_until_a_tracked_file_changes(checkout):
    commit, dirty = read_commit(checkout)
    assert commit is not None and len(commit) == 40 and dirty is False
    (checkout / "notes.txt").write_text("not tracked")
    assert read_commit(checkout) == (commit, False)
    (checkout / "code.py").write_text("2\n")
    assert read_commit(checkout) == (commit, True)


def test_an_installation_inside_somebody_elses_checkout_has_no_commit(checkout):
    inside = checkout / "site-packages"
    inside.mkdir()
    assert read_commit(inside) == (None, None)


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert read_commit(checkout) == (None, None)


def test_a_manifest_is_flat_and_says_how_and_on_what(tmp_path):
    manifest = make_manifest("python scripts/x.py a=1", "float32")
    write_beside(tmp_path / "rows.json", manifest)
    assert json.loads((tmp_path / "rows.manifest.json").read_text()) == manifest
    plain = (str, int, bool, type(None))
    assert all(isinstance(value, plain) for value in manifest.values())
    asked = ("date", "commit", "dirty", "processor", "threads", "gpu", "gl", "torch")
    assert manifest.keys() >= {*asked, "python", "mujoco", "cores", "system"}
    assert manifest["command"] == "python scripts/x.py a=1"
    assert len(manifest["suite"]) == 16


def test_the_digest_of_a_suite_tells_it_from_any_other(tmp_path):
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    one.write_text("{}")
    other.write_text("{ }")
    assert digest_file(one) != digest_file(other)
    assert digest_file(tmp_path / "none.json") is None


def test_what_differs_is_named_in_one_line_and_what_always_does_is_not():
    old = {
        "date": "1",
        "command": "a",
        "commit": "a" * 40,
        "torch": "2.13",
        "gpu": None,
    }
    assert compare_manifests(old, old | {"date": "2", "command": "b"}) == ""
    new = old | {"commit": "b" * 40, "torch": "2.14", "novel": 1}
    said = compare_manifests(old, new)
    assert said == f"commit was {'a' * 12}, is {'b' * 12}; torch was 2.13, is 2.14"
