"""The resolver on small worlds that show one rule each; the real world is in test_closures.py."""

from __future__ import annotations

from reproc.lock.debian.index import Index, Universe, installed_from
from reproc.lock.debian.solver import Solution, Wish, solve


def world(*stanzas: str) -> Universe:
    text = "\n\n".join("Package: " + s.replace("; ", "\n") for s in stanzas)
    return Universe("amd64", [Index("debian", [text.encode()])])


def ask(universe: Universe, *wishes: str, status: str = "") -> Solution:
    have = "\n\n".join(
        "Package: " + s.replace("; ", "\n") + "\nStatus: install ok installed"
        for s in status.split(" / ")
        if s
    )
    parsed = [Wish(name, version or None) for name, _, version in (w.partition("=") for w in wishes)]
    return solve(universe, installed_from(have.encode()), parsed)


def names(solution: Solution) -> list[str]:
    assert not solution.failures, solution.failures
    return [f"{p.name} {p.version}" for p in solution.added]


def test_depends_and_pre_depends_are_followed() -> None:
    here = world(
        "a; Version: 1; Depends: b", "b; Version: 2; Pre-Depends: c", "c; Version: 3", "d; Version: 4"
    )
    assert names(ask(here, "a")) == ["a 1", "b 2", "c 3"]


def test_what_is_installed_is_not_touched() -> None:
    here = world("a; Version: 1; Depends: b", "b; Version: 2")
    assert names(ask(here, "a", status="b; Version: 1")) == ["a 1"]


def test_what_is_named_is_upgraded() -> None:
    assert names(ask(world("b; Version: 2"), "b", status="b; Version: 1")) == ["b 2"]


def test_what_is_newer_stays() -> None:
    assert names(ask(world("b; Version: 2"), "b", status="b; Version: 3")) == []


def test_a_version_bound_upgrades() -> None:
    here = world("a; Version: 1; Depends: b (>= 2)", "b; Version: 2")
    assert names(ask(here, "a", status="b; Version: 1")) == ["a 1", "b 2"]


def test_first_alternative() -> None:
    here = world("a; Version: 1; Depends: x | y", "x; Version: 1", "y; Version: 1")
    assert names(ask(here, "a")) == ["a 1", "x 1"]


def test_an_alternative_that_is_there_wins() -> None:
    here = world("a; Version: 1; Depends: x | y", "x; Version: 1", "y; Version: 1")
    assert names(ask(here, "a", "y")) == ["a 1", "y 1"]
    assert names(ask(here, "a", status="y; Version: 1")) == ["a 1"]


def test_an_alternative_that_conflicts_is_passed_over() -> None:
    here = world("a; Version: 1; Depends: x | y", "x; Version: 1; Conflicts: z", "y; Version: 1")
    assert names(ask(here, "a", status="z; Version: 1")) == ["a 1", "y 1"]


def test_providers_by_priority_then_name() -> None:
    here = world(
        "a; Version: 1; Depends: v",
        "p; Version: 1; Provides: v; Priority: optional",
        "q; Version: 1; Provides: v; Priority: standard",
        "o; Version: 1; Provides: v; Priority: optional",
    )
    assert names(ask(here, "a")) == ["a 1", "q 1"]


def test_versioned_provides() -> None:
    here = world(
        "a; Version: 1; Depends: v (>= 2)", "o; Version: 9; Provides: v", "p; Version: 1; Provides: v (= 2)"
    )
    assert names(ask(here, "a")) == ["a 1", "p 1"]


def test_any_needs_multi_arch_allowed() -> None:
    here = world("a; Version: 1; Depends: b:any", "b; Version: 1; Multi-Arch: allowed")
    assert names(ask(here, "a")) == ["a 1", "b 1"]
    assert ask(world("a; Version: 1; Depends: b:any", "b; Version: 1"), "a").failures


def test_another_architecture_is_not_there() -> None:
    assert ask(world("a; Version: 1; Architecture: arm64"), "a").failures[0].kind == "unknown"
    assert ask(world("a; Version: 1; Depends: b:i386", "b; Version: 1; Architecture: amd64"), "a").failures


def test_a_pin_holds_for_dependencies_too() -> None:
    here = world("a; Version: 1; Depends: b", "b; Version: 1", "b; Version: 2")
    assert names(ask(here, "a", "b=1")) == ["a 1", "b 1"]


def test_a_pin_that_contradicts_is_a_failure() -> None:
    here = world("a; Version: 1; Depends: b (>= 2)", "b; Version: 1", "b; Version: 2")
    assert ask(here, "a", "b=1").failures[0].kind == "unsatisfiable"


def test_breaks_moves_the_old_one_on() -> None:
    here = world("a; Version: 1; Breaks: b (<< 2)", "b; Version: 2")
    assert names(ask(here, "a", status="b; Version: 1")) == ["a 1", "b 2"]


def test_strict_siblings_move_together() -> None:
    here = world("lib; Version: 2", "lib-dev; Version: 2; Depends: lib (= 2)")
    assert names(ask(here, "lib", status="lib; Version: 1 / lib-dev; Version: 1; Depends: lib (= 1)")) == [
        "lib 2",
        "lib-dev 2",
    ]


def test_two_wishes_that_exclude_each_other() -> None:
    failure = ask(world("a; Version: 1; Conflicts: b", "b; Version: 1"), "a", "b").failures[0]
    assert (failure.kind, "beside" in failure.reason) == ("unsatisfiable", True)


def test_a_chain_says_who_wanted_it() -> None:
    here = world("a; Version: 1; Depends: b", "b; Version: 1; Depends: c (>= 5)", "c; Version: 1")
    failure = ask(here, "a").failures[0]
    assert failure.wish == Wish("a")
    assert failure.chain == ("a", "b")
    assert "`c (>= 5)`" in failure.reason


def test_cycles_end() -> None:
    assert names(ask(world("a; Version: 1; Depends: b", "b; Version: 1; Depends: a"), "a")) == ["a 1", "b 1"]


def test_chains_may_be_long() -> None:
    stanzas = [f"p{n}; Version: 1; Depends: p{n + 1}" for n in range(5000)]
    assert len(names(ask(world(*stanzas, "p5000; Version: 1"), "p0"))) == 5001


def test_the_newest_of_several_indexes() -> None:
    old, new = (f"Package: a\nVersion: {v}\n".encode() for v in ("1.0", "1.0+deb12u1"))
    here = Universe("amd64", [Index("debian", [old]), Index("debian-security", [new])])
    added = solve(here, {}, [Wish("a")]).added
    assert [(p.version, p.archive) for p in added] == [("1.0+deb12u1", "debian-security")]


def test_order_of_wishes_does_not_matter() -> None:
    here = world(
        "a; Version: 1; Depends: x | y", "b; Version: 1; Depends: y | x", "x; Version: 1", "y; Version: 1"
    )
    assert names(ask(here, "a", "b")) == names(ask(here, "b", "a"))


def test_an_index_is_the_same_however_it_comes_in() -> None:
    text = b"""Package: a
Version: 1
Architecture: amd64
Maintainer: Somebody
Description: reads
 a Package: b that is none
 .
 more
Provides: c, d (= 2)
Essential: yes
Tag: role::program,
 use::converting

Package: b
Version: 2
Architecture: all
Section: misc
Depends: c
"""
    whole = Index("debian", [text])
    assert b"Description" not in whole.text and b"Tag" not in whole.text and b"use::" not in whole.text
    assert [p.name for p in whole.providing("d")] == ["a"] == [p.name for p in whole.basic()]
    assert [p.fields["depends"] for p in whole.named("b")] == ["c"]
    for size in range(1, len(text)):
        parts = Index("debian", (text[start : start + size] for start in range(0, len(text), size)))
        assert (parts.text, parts.places) == (whole.text, whole.places)
    again = Index.restored("debian", whole.text, whole.places)
    assert (again.names, again.places) == (frozenset("ab"), whole.places)
    nothing = Index("debian", ())
    assert Index.restored("debian", nothing.text, nothing.places).names == frozenset()
