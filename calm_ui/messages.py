"""Errors that are the user's business become a message box; all others stay loud in the log."""

from __future__ import annotations

import functools
import html
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gradio as gr

from calm_core.errors import CalmError, Cancelled

from .words import capital

READING_S = 20  # long enough for two sentences

Handler = TypeVar("Handler", bound=Callable[..., Any])


def told(handler: Handler) -> Handler:
    """Wraps a handler, a function or a generator: a CalmError is told to the visitor in its own words, without a traceback."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def generator(*args: Any, **kwargs: Any) -> Any:
            with _telling():
                return (yield from handler(*args, **kwargs))

        return generator  # type: ignore[return-value]

    @functools.wraps(handler)
    def function(*args: Any, **kwargs: Any) -> Any:
        with _telling():
            return handler(*args, **kwargs)

    return function  # type: ignore[return-value]


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except CalmError as error:
        asked_for = isinstance(error, Cancelled)  # ends the chain of events like any error, but needs no box
        raise gr.Error(_text(error), duration=READING_S, visible=not asked_for, print_exception=False) from error


def warn(error: CalmError) -> None:
    """Tells an error behind which the handler goes on."""
    gr.Warning(_text(error), duration=READING_S)


def _text(error: CalmError) -> str:
    return html.escape(capital(str(error)), quote=False)  # the box reads HTML, and the sentence may quote a file's name
