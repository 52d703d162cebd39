"""The completion scripts of three shells."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.cli.completion.grammar import GLOBAL, Offer, Option, Subcommand, subcommands


def script(shell: str) -> str:
    """The script of bash, zsh or fish."""
    make = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    return "".join(f"{line}\n" for line in make(subcommands()))


def _quoted(text: str) -> str:
    """A word of any of these shells, whatever is in it."""
    return "'" + text.replace("'", "'\\''") + "'"


# ------------------------------------------------------------------------------------------------------- bash

_BASH_HEAD = r"""
# Completion of reproc for bash: source this file, or put it where bash-completion looks.

_reproc_targets() {
    reproc ${folder:+-C "$folder"} targets ${spec:+"$spec"} 2>/dev/null | cut -d ' ' -f 1
}

_reproc_codes() {
    reproc explain 2>/dev/null | awk '{ print $1; print $2 }'
}

_reproc_words() {
    local IFS=$'\n'
    COMPREPLY=($(compgen -W "$1" -- "$current"))
}

_reproc_files() {
    local IFS=$'\n'
    compopt -o filenames
    COMPREPLY=($(compgen "$1" -- "$current"))
}

_reproc() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command= folder= spec= place=0 index word
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        case $command,$word in
            ,-C) folder=${COMP_WORDS[++index]} ;;
            ,--color) ((++index)) ;;
            *,-*) ;;
            ,*) command=$word ;;
            *) ((++place)); [ -e "${folder:+$folder/}$word" ] && spec=$word ;;
        esac
    done
""".strip("\n")


def _bash(commands: tuple[Subcommand, ...]) -> Iterator[str]:
    yield _BASH_HEAD
    yield "    case $command,$before in"
    for name, options in (("", GLOBAL), *((each.name, each.options) for each in commands)):
        for option in options:
            if option.offer is not None:
                before = "|".join(f"{name},{each}" for each in option.names)
                yield f"        {before}) {_bash_offer(option.offer)}; return ;;"
    yield "    esac"
    yield "    case $command,$place,$current in"
    yield f"        ,*,-*) {_bash_words(_names(GLOBAL))} ;;"
    yield f"        ,*) {_bash_words([each.name for each in commands])} ;;"
    for each in commands:
        yield f"        {each.name},*,-*) {_bash_words(_names(each.options))} ;;"
        for place, offer in _places(each):
            yield f"        {each.name},{place},*) {_bash_offer(offer)} ;;"
    yield "    esac"
    yield "}"
    yield "complete -F _reproc reproc"


def _names(options: tuple[Option, ...]) -> list[str]:
    return [name for option in options for name in option.names]


def _places(command: Subcommand) -> Iterator[tuple[str, Offer]]:
    """The words that are no options: each with its number, the last with a pattern for all that follow."""
    *first, last = command.positional or (Offer("anything"),)
    for place, offer in enumerate(first):
        yield str(place), offer
    yield "*", last


def _bash_words(words: list[str]) -> str:
    lines = "\n".join(words).replace("\n", "\\n")
    return f"_reproc_words $'{lines}'"


def _bash_offer(offer: Offer) -> str:
    match offer.kind:
        case "words":
            return _bash_words(list(offer.words))
        case "files":
            return "_reproc_files -f"
        case "folders":
            return "_reproc_files -d"
        case "targets" | "codes":
            return f'_reproc_words "$(_reproc_{offer.kind})"'
        case _:
            return ":"


# -------------------------------------------------------------------------------------------------------- zsh

_ZSH_HEAD = r"""
#compdef reproc
# Completion of reproc for zsh: put it as `_reproc` into a folder of $fpath, or source it.

_reproc_targets() {
    local -a found
    found=(${(f)"$(reproc ${opt_args[-C]:+-C} ${opt_args[-C]} targets 2>/dev/null | cut -d ' ' -f 1)"})
    compadd -a found
}

_reproc_codes() {
    local -a found
    found=(${(f)"$(reproc explain 2>/dev/null | awk '{ print $1; print $2 }')"})
    compadd -a found
}
""".strip("\n")


def _zsh(commands: tuple[Subcommand, ...]) -> Iterator[str]:
    yield _ZSH_HEAD
    yield ""
    yield "_reproc() {"
    yield "    local state curcontext=$curcontext"
    yield "    typeset -A opt_args"
    yield "    local -a commands=("
    for each in commands:
        yield f"        {_quoted(f'{each.name}:{each.summary}')}"
    yield "    )"
    yield "    _arguments -C \\"
    yield from (f"        {each} \\" for option in GLOBAL for each in _zsh_option(option))
    yield "        '1:command:->command' '*::argument:->argument'"
    yield "    case $state in"
    yield "        command) _describe command commands ;;"
    yield "        argument)"
    yield "            case $words[1] in"
    for each in commands:
        parts = [part for option in each.options for part in _zsh_option(option)]
        parts += [
            _quoted(f"{_zsh_place(place)}:argument:{_zsh_offer(offer)}") for place, offer in _places(each)
        ]
        yield f"                {each.name}) _arguments {' '.join(parts)} ;;"
    yield "            esac ;;"
    yield "    esac"
    yield "}"
    yield 'if [ "$funcstack[1]" = _reproc ]; then _reproc "$@"; else compdef _reproc reproc; fi'


def _zsh_place(place: str) -> str:
    return "*" if place == "*" else str(int(place) + 1)


def _zsh_option(option: Option) -> Iterator[str]:
    """An option for each of its names; all may be given again."""
    told = option.help.replace("[", "(").replace("]", ")").replace(":", " ")
    value = f":value:{_zsh_offer(option.offer)}" if option.offer else ""
    for name in option.names:
        yield _quoted(f"*{name}[{told}]{value}")


def _zsh_offer(offer: Offer) -> str:
    match offer.kind:
        case "words":
            return f"({' '.join(offer.words)})"
        case "files":
            return "_files"
        case "folders":
            return "_files -/"
        case "targets" | "codes":
            return f"_reproc_{offer.kind}"
        case _:
            return " "


# ------------------------------------------------------------------------------------------------------- fish

_FISH_HEAD = r"""
# Completion of reproc for fish: put it as `reproc.fish` into ~/.config/fish/completions, or source it.

function __reproc_targets
    reproc targets 2>/dev/null | string replace -r ' .*' ''
end

function __reproc_codes
    reproc explain 2>/dev/null | string match -rg '^(\S+)\s+(\S+)' | string split ' '
end

complete -c reproc -f
""".strip("\n")


def _fish(commands: tuple[Subcommand, ...]) -> Iterator[str]:
    yield _FISH_HEAD
    first = "'not __fish_seen_subcommand_from " + " ".join(each.name for each in commands) + "'"
    yield from (_fish_option(option, first) for option in GLOBAL)
    for each in commands:
        yield f"complete -c reproc -n {first} -a {each.name} -d {_fish_quoted(each.summary)}"
    for each in commands:
        inside = f"'__fish_seen_subcommand_from {each.name}'"
        yield from (_fish_option(option, inside) for option in each.options)
        for kind in dict.fromkeys(each.positional):
            yield f"complete -c reproc -n {inside} {_fish_offer(kind)}"


def _fish_option(option: Option, condition: str) -> str:
    names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    value = f" {_fish_offer(option.offer, needed=True)}" if option.offer else ""
    return f"complete -c reproc -n {condition} {' '.join(names)} -d {_fish_quoted(option.help)}{value}"


def _fish_offer(offer: Offer, *, needed: bool = False) -> str:
    only = "-x" if needed else "-f"
    match offer.kind:
        case "words":
            return f"{only} -a {_fish_quoted(' '.join(offer.words))}"
        case "files":
            return "-rF" if needed else "-F"
        case "folders":
            return f"{only} -a '(__fish_complete_directories)'"
        case "targets" | "codes":
            return f"{only} -a '(__reproc_{offer.kind})'"
        case _:
            return only


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
