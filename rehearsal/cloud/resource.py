"""What a simulated resource type, function and provider declare."""
# ruff: noqa: ARG002  (a resource's methods share one signature)

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .wire import UNKNOWN, Props

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .store import Store

Shape = dict[str, "Shape"]
"""Property names, each with the names inside it (none: not looked into)."""


def shape(names: str = "", **nested: Shape) -> Shape:
    """Write a shape down: plain names in one string, and those that hold an object or a list of objects by keyword."""
    return {**{name: {} for name in names.split()}, **nested}


def one_of(**words: str) -> Mapping[str, Sequence[str]]:
    """Write down the words that properties may take, the words of a property in one string."""
    return {name: allowed.split() for name, allowed in words.items()}


class Refusal(Exception):  # noqa: N818 - the word the project uses for it
    """The simulated service says no; the message is what the user reads and never holds a secret."""


class Fault(NamedTuple):
    """Inputs that do not fit the type: found at preview, before anything is asked of the service."""

    path: str
    reason: str


class Resource:
    """A simulated resource type. A subclass declares its properties and acts on the store.

    Attributes:
        type_name: the type's token in Pulumi.
        inputs: the property names of the real SDK.
        required: inputs that must be given.
        computed: outputs the service chooses; unknown while a creation is only previewed.
        replaces: inputs whose change needs a new resource; the others are updated in place.
        secrets: outputs that are always secret.
        unordered: list inputs whose order means nothing.
        choices: inputs that take one of a few words.
        delete_before_replace: the old one has to go before the new one can come.
        autonamed: a missing ``name`` is made from the resource's name.
    """

    type_name: ClassVar[str]
    inputs: ClassVar[Shape]
    required: ClassVar[Sequence[str]] = ()
    computed: ClassVar[Sequence[str]] = ()
    replaces: ClassVar[frozenset[str]] = frozenset()
    secrets: ClassVar[Sequence[str]] = ()
    unordered: ClassVar[frozenset[str]] = frozenset()
    choices: ClassVar[Mapping[str, Sequence[str]]] = {}
    delete_before_replace: ClassVar[bool] = False
    autonamed: ClassVar[bool] = False

    def check(self, inputs: Props) -> Iterator[Fault]:
        """Yield what the real type's own schema would reject; called with known and unknown values."""
        yield from ()

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Make it; return its id and the outputs that are not inputs.

        Raises:
            Refusal: the service says no, and nothing has changed.
        """
        raise NotImplementedError

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Return all inputs and outputs as they are now, or nothing if it is gone; an import has no ``state`` yet."""
        raise NotImplementedError

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Change it in place; return the outputs that are not inputs.

        Raises:
            Refusal: the service says no, and nothing has changed.
        """
        raise NotImplementedError

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Remove it; one that is gone already is no error.

        Raises:
            Refusal: the service says no.
        """
        raise NotImplementedError

    def import_id(self, given: str) -> str:
        """Turn what a user types after ``pulumi import`` into the resource's id."""
        return given

    def faults(self, inputs: Props) -> Iterator[Fault]:
        """Yield everything that is wrong with the inputs."""
        yield from _unknown_names(inputs, self.inputs, "")
        for name in self.required:
            if name not in inputs:
                yield Fault(name, "this property is required")
        for name, words in self.choices.items():
            if inputs.get(name, words[0]) not in (*words, UNKNOWN):
                yield Fault(name, f"must be one of {', '.join(words)}")
        yield from self.check(inputs)


def _unknown_names(content: object, known: Shape, path: str) -> Iterator[Fault]:
    if isinstance(content, list):
        for index, item in enumerate(content):
            yield from _unknown_names(item, known, f"{path}[{index}]")
    elif isinstance(content, dict):
        for name, value in content.items():
            where = f"{path}.{name}" if path else name
            if name not in known:
                yield Fault(where, f"there is no such property (there are: {', '.join(sorted(known))})")
            elif known[name]:
                yield from _unknown_names(value, known[name], where)


@dataclass(frozen=True, kw_only=True)
class Function:
    """A simulated function (Pulumi calls them invokes).

    Attributes:
        name: its token in Pulumi.
        call: answers the arguments, or raises `Refusal`.
        secrets: results that are always secret.
    """

    name: str
    call: Callable[[Store, Props], Props]
    secrets: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A simulated provider.

    Attributes:
        name: the package's name in Pulumi.
        resources: the types it knows.
        functions: the functions it knows.
        configure: raises `Refusal` when the configuration is not enough to work with.
    """

    name: str
    resources: Sequence[Resource]
    functions: Sequence[Function] = ()
    configure: Callable[[Props], None] = field(default=lambda _: None)

    def resource(self, token: str) -> Resource:
        """Find a type.

        Raises:
            Refusal: it is not simulated.
        """
        found = next((resource for resource in self.resources if resource.type_name == token), None)
        if found is None:
            raise Refusal(_not_simulated(token, [resource.type_name for resource in self.resources]))
        return found

    def function(self, token: str) -> Function:
        """Find a function.

        Raises:
            Refusal: it is not simulated.
        """
        found = next((function for function in self.functions if function.name == token), None)
        if found is None:
            raise Refusal(_not_simulated(token, [function.name for function in self.functions]))
        return found


def _not_simulated(token: str, known: Sequence[str]) -> str:
    return f"{token} is not simulated (simulated: {', '.join(sorted(known)) or 'none'})"
