"""Parts of a page that the code writes, between `<!-- name -->` and `<!-- /name -->`. Pure."""

import re
from collections.abc import Mapping


def filled(text: str, parts: Mapping[str, str]) -> str:
    """The page with these parts in place of its own. Raises `ValueError` for a missing mark."""
    for name, part in parts.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = between.search(text)
        if found is None:
            raise ValueError(f"the page has no marks for {name}")
        made = f"{found[1]}{part.strip()}\n{found[2]}"
        text = text[: found.start()] + made + text[found.end() :]
    return text
