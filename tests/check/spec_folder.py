"""What lies beside the specs that tests make up."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "src/main.c": "int main(void) { return 0; }\n",
    "requirements.txt": "numpy==1.26.4\n",
    "tools.spec": 'system { packages make }\napp tool { run "true" }\n',
    "circle.spec": 'include "repro.spec"\n',
}


def fill(root: Path) -> None:
    """Writes the files."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
