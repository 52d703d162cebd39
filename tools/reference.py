"""Writes docs/reference anew from the schema; pages of statements that are no more go away."""

from __future__ import annotations

from pathlib import Path

from reproc.files import write_atomically
from reproc.reference.pages import pages

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"

if __name__ == "__main__":
    made = pages()
    for name, text in made.items():
        if write_atomically(FOLDER / name, text.encode()):
            print(f"docs/reference/{name}")
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
            print(f"docs/reference/{path.name}  (gone)")
