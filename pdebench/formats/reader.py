"""The interface of a reader: one public layout, recognised by content."""

from abc import ABC, abstractmethod
from typing import ClassVar

from pdebench.formats.contents import Contents
from pdebench.formats.place import Place


class Reader(ABC):
    """Reads one layout. ``matches`` looks at names and shapes only; ``open`` reads coordinates and
    leaves the fields on disk.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    expects: ClassVar[str]
    """What the layout holds, in a few words, for the message about unknown files."""

    @abstractmethod
    def matches(self, place: Place) -> bool:
        """Whether the names, kinds and ranks are this layout's."""

    @abstractmethod
    def open(self, place: Place, split: str | None = None) -> Contents:
        """Describe the samples (of one split, where the layout keeps splits apart).

        Raises DataError, naming the file, what was expected and what to do.
        """
