"""`reproc schema`: it describes exactly what `reproc dump model` prints."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reproc import pipeline
from reproc.dump import plain
from reproc.model import SpecFile
from reproc.model.schema import schema_of
from reproc.reference import language
from reproc.reference.jsonschema import json_schema
from reproc.reference.vocabulary import vocabulary

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
CORPUS = Path(__file__).resolve().parent.parent / "corpus" / "accept"
SPECS = sorted(CORPUS.rglob("repro.spec"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_command_prints_it(reproc: Reproc, tmp_path: Path) -> None:
    done = reproc("schema")
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    assert schema == json.loads(json.dumps(json_schema()))
    (tmp_path / "repro.spec").write_text('reproc 1\nbase debian bookworm\ntest "t" { run "true" }\n')
    model = json.loads(reproc("dump", "model", cwd=tmp_path).stdout)
    assert list(Draft202012Validator(schema).iter_errors(model)) == []


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.parent.name)
def test_every_accepted_spec_is_of_the_schema(validator: Draft202012Validator, path: Path) -> None:
    outcome = pipeline.checked(path, path.as_posix())
    assert outcome.value is not None
    found = [
        f"{list(each.path)}: {each.message[:200]}" for each in validator.iter_errors(plain(outcome.value[1]))
    ]
    assert not found


def mutations(model: dict[str, Any]) -> list[dict[str, Any]]:
    """The model with one thing wrong each."""

    def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        copied = copy.deepcopy(model)
        change(copied)
        return copied

    return [
        changed(lambda each: each.pop("targets")),
        changed(lambda each: each.update(unknown=1)),
        changed(lambda each: each["targets"][0].pop("base")),
        changed(lambda each: each["targets"][0]["base"].update(kind="windows")),
        changed(lambda each: each["targets"][0]["tests"][0].update(timeout="long")),
        changed(lambda each: each["targets"][0]["tests"][0].update(type="App")),
    ]


def test_what_is_not_of_the_schema_is_refused(validator: Draft202012Validator, tmp_path: Path) -> None:
    path = tmp_path / "repro.spec"
    path.write_text('reproc 1\nbase debian bookworm\ntest "t" { run "true" }\n')
    outcome = pipeline.checked(path, "repro.spec")
    assert outcome.value is not None
    model = json.loads(json.dumps(plain(outcome.value[1])))
    assert validator.is_valid(model)
    for wrong in mutations(model):
        assert not validator.is_valid(wrong)


def test_every_statement_has_its_meaning_in_it() -> None:
    definitions = json_schema()["$defs"]
    for cls in language.blocks():
        definition = definitions[cls.__name__]
        for statement in language.statements(cls):
            field = schema_of(cls).keywords.get(statement.word)
            told = definition["properties"][field[0]] if field else definition
            assert statement.doc in told["description"], f"{cls.__name__}: {statement.word}"


def test_vocabulary(reproc: Reproc) -> None:
    told = json.loads(reproc("schema", "--vocabulary").stdout)
    assert told == json.loads(json.dumps(vocabulary()))
    top = told["blocks"][told["top"]]["statements"]
    assert {each["keyword"] for each in top} == set(schema_of(SpecFile).keywords) | set(
        schema_of(SpecFile).replaced
    )
    for block in told["blocks"].values():
        for each in block["statements"]:
            assert each["doc"] and each["usage"].startswith(each["keyword"])
            assert each["block"] is None or each["block"] in told["blocks"]
    shell = next(each for each in told["blocks"]["Build"]["statements"] if each["keyword"] == "shell")
    assert shell["values"][0]["choices"] == ["sh", "bash"]
    assert shell["default"] == "sh"
