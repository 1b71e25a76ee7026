"""Verbs whose options may stand before them as well: `signupflow -i FILE status` is `signupflow status -i FILE`."""

from __future__ import annotations

from collections.abc import Sequence

import click


class AnyOrder(click.Group):
    """Moves what stands before the verb behind it, when it is the verb's to take; the verb then says what it does not know."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._verb_first(ctx, args))

    def _verb_first(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or not args[0].startswith("-") or args[0] in ctx.help_option_names:
            return args
        for position, word in enumerate(args):
            verb = self.get_command(ctx, word)
            if verb is not None and _whole(ctx, verb, args[:position]):
                return [word, *args[:position], *args[position + 1 :]]
        if set(args) & set(ctx.help_option_names):
            return [ctx.help_option_names[0]]
        known = ", ".join(self.list_commands(ctx))
        raise click.UsageError(f"no verb in: {' '.join(args)}; the verbs are {known}", ctx)


def _whole(ctx: click.Context, verb: click.Command, words: Sequence[str]) -> bool:
    """Whether words are options with all their values, so that what follows is not the value of the last."""
    takes = {flag: _values(option) for option in _options(ctx, verb) for flag in (*option.opts, *option.secondary_opts)}
    missing = 0
    for word in words:
        if missing:
            missing -= 1
        elif not word.startswith("-"):
            return False
        elif word.startswith("--"):
            missing = 0 if "=" in word else takes.get(word, 0)
        else:
            # A value may stand in the same word: -iFILE.
            missing = takes.get(word[:2], 0) if len(word) == 2 else 0
    return not missing


def _values(option: click.Option) -> int:
    return 0 if option.is_flag or option.count else option.nargs


def _options(ctx: click.Context, verb: click.Command) -> list[click.Option]:
    """A verb's options; for a group of verbs, those of all of them."""
    found = [parameter for parameter in verb.params if isinstance(parameter, click.Option)]
    if isinstance(verb, click.Group):
        for name in verb.list_commands(ctx):
            nested = verb.get_command(ctx, name)
            found += _options(ctx, nested) if nested else []
    return found
