"""Records from files: YAML as far as JSON goes, and errors that name file, field and line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from greenroom.assistants.folder import read_file, read_folder
from greenroom.assistants.records import parse
from greenroom.errors import BadRecord


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_folder_is_read_in_order_and_a_file_names_its_assistant(tmp_path: Path) -> None:
    write(tmp_path, "mary.yaml", "firstMessage: Hello!\ntools: [notes]\n")
    write(tmp_path, "eve.json", '{"name": "eva"}')
    write(tmp_path, ".hidden.yaml", "nonsense: [")
    write(tmp_path, "README.md", "# no record")
    found = read_folder(tmp_path)
    assert [one.record.name for one in found] == ["eva", "mary"]
    assert found[1].record.first_message == "Hello!"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tts: {service: x, settings: {speed: fast}}", r"mary.yaml: tts.settings.speed: "),
        ("firstMessage: [", r"mary.yaml: Line 1, column "),
        ("name: mary\nname: eve", r"mary.yaml: Line 2.*“name” stands here twice"),
        ("metadata: {apiKey: hunter2}", r"mary.yaml: metadata.apiKey: looks like a secret"),
        ("- mary", r"mary.yaml: A record is an object"),
        ("", r"mary.yaml: A record is an object"),
        ("metadata: !!python/object:os.system {}", r"mary.yaml: Line 1"),
        ("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
         "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
         "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
         r"mary.yaml: It cannot be read"),
        ("metadata: {x: " + "[" * 600 + "]" * 600 + "}", r"mary.yaml: "),
        ("persona: " + "x" * 300_000, r"mary.yaml: It is larger"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_file(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadRecord, match=words) as caught:
        read_file(write(tmp_path, "mary.yaml", text))
    assert "hunter2" not in str(caught.value)


def test_what_looks_like_a_date_is_a_text(tmp_path: Path) -> None:
    path = write(
        tmp_path, "mary.yaml", "metadata: {day: 2026-11-25, at: 10:30, n: 7, x: -1.5e3, s: 007}"
    )
    assert read_file(path).record.metadata == {
        **{"day": "2026-11-25", "at": "10:30"},
        **{"n": 7, "x": -1500.0, "s": "007"},
    }


def test_two_files_for_one_assistant_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "name: mary")
    write(tmp_path, "b.yaml", "name: mary")
    with pytest.raises(BadRecord, match=r"a.yaml: name: “mary” stands in another file"):
        read_folder(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mary.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(BadRecord, match="not UTF-8"):
        read_file(path)


def test_the_examples_are_records() -> None:
    root = Path(__file__).parents[2]
    (local,) = read_folder(root / "examples" / "assistants")
    assert local.record.llm is not None
    documented = (root / "docs" / "assistants.md").read_text().split("```yaml\n")[1].split("```")[0]
    assert parse(yaml.safe_load(documented)).name == "mary"
