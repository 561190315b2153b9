"""What a stack says of itself when it was deployed: its images, which the next deployment compares with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.fleet import Fleet
    from components.model import ServiceSettings

OUTPUT = "images"


def images_of(settings: ServiceSettings) -> dict[str, str]:
    """A service's images by the setting that names each."""
    return {
        (field.alias or key): getattr(settings, key)
        for key, field in type(settings).model_fields.items()
        if key == "image" or key.endswith("_image")
    }


def output(fleet: Fleet) -> dict[str, dict[str, str]]:
    """The images of the running host's services, for the stack's output of that name."""
    return {name: images_of(settings) for name, settings in fleet.own.service_settings.items()}
