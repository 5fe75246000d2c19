"""Is a recipe on disk still the one that was loaded? If not, its parts are held.

Somebody who edits a recipe while the line runs expects it to count. It does not until a restart, so
a part must not pass by the old one without a word. The same goes for a file that is gone: nobody
can say any more by what its parts are judged, and the station would not start again.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable

from edge.units import NS_PER_S
from inspector.settings import Recipe

log = logging.getLogger(__name__)

GONE_AFTER_S = 5.0  # an editor replaces a file by taking it away first; a share may stall


class RecipeWatch:
    """One thread looks; any thread asks."""

    def __init__(
        self,
        recipes: tuple[Recipe, ...],
        *,
        changed: Callable[[str], None] = lambda _why: None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`changed` is told why a recipe's parts are held from now on."""
        self._recipes = recipes
        self._changed = changed
        self._clock_ns = clock_ns
        self._why: dict[str, str] = {}
        self._unread_since_ns: dict[str, int] = {}

    def look(self) -> None:
        """Compare each file with what was loaded.

        One that cannot be read changes nothing at first, and counts as gone after `GONE_AFTER_S`.
        """
        for recipe in self._recipes:
            try:
                why = _why_switched(recipe)
                self._unread_since_ns.pop(recipe.name, None)
            except OSError as exc:
                now_ns = self._clock_ns()
                since_ns = self._unread_since_ns.setdefault(recipe.name, now_ns)
                if now_ns - since_ns <= GONE_AFTER_S * NS_PER_S:
                    continue
                why = (
                    f"recipe {recipe.name}: expected to read {exc.filename}, found "
                    f"{exc.strerror!r} for more than {GONE_AFTER_S:.0f} s; put the file back"
                )
            if why is None:
                self._why.pop(recipe.name, None)
            elif recipe.name not in self._why:
                self._why[recipe.name] = why
                log.error("%s", why)
                self._changed(why)

    def why_switched(self, name: str) -> str | None:
        """Return why parts of that recipe are held, None where they need not be."""
        return self._why.get(name)


def _why_switched(recipe: Recipe) -> str | None:
    """Return which file was changed; raise `OSError` where none was, as far as can be read."""
    unread: OSError | None = None
    for path, sha256 in recipe.sources:
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as exc:
            unread = exc
            continue
        if found != sha256:
            return (
                f"recipe {recipe.name}: expected {path} as it was loaded, found it changed; "
                "restart the station to load it, or put the file back"
            )
    if unread is not None:
        raise unread
    return None
