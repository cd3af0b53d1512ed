"""Answers to the latest of many questions: for what must follow a slider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_mitostain._qt.jobs import Answer

Question = Callable[[], Any]
"""Computed in a thread; holds arrays and frozen settings, never layers or widgets."""


class Latest(QObject):
    """Asks one question at a time; of those that come meanwhile only the last is asked.

    So a slider that is faster than the answers costs no more than they do, and the last position is always answered.

    Attributes
    ----------
    answered : Signal(object)
        On the main thread.
    failed : Signal(Exception)
    """

    answered = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asked: Answer | None = None
        self._next: Question | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._asked is not None

    def ask(self, question: Question) -> None:
        """Ask in place of whatever waits to be asked."""
        self._next = question
        if self._asked is None:
            self._ask_next()

    def drop(self) -> None:
        """Want no answer any more."""
        self._next = None
        if self._asked is not None:
            self._asked.quit()
            self._asked = None

    def _ask_next(self) -> None:
        question, self._next = self._next, None
        if question is not None:
            self._asked = Answer(question)
            self._asked.returned.connect(self._receive)
            self._asked.start()

    def _receive(self, answer: Answer) -> None:
        """Pass an answer on, if it is still wanted, and ask what came meanwhile."""
        if answer is not self._asked:
            return
        self._asked = None
        self._ask_next()
        if answer.error is not None:
            self.failed.emit(answer.error)
        else:
            self.answered.emit(answer.content)
