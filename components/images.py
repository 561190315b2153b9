"""Images: what a pinned reference says about the program in it, by the habits of tags."""

from __future__ import annotations

import re

_VERSION = re.compile(r"v?(\d+(?:[.-]\d+)*)")
_SUITES = ("bookworm", "trixie", "alpine", "noble", "jammy")


def image_name(image: str) -> str:
    """The image's last name, without where it comes from: a mirror holds the same data."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def image_version(image: str) -> tuple[int, ...]:
    """The numbers that its tag begins with."""
    match = _VERSION.match(_tag(image))
    return tuple(int(part) for part in re.split(r"[.-]", match[1])) if match else ()


def image_suite(image: str) -> str:
    """The system that its tag names; empty: none."""
    return next((suite for suite in _SUITES if suite in _tag(image)), "")


def _tag(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]
