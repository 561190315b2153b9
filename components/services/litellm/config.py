"""LiteLLM's configuration file: the models, with their keys left to the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.services.litellm import ModelSettings


def environment_name(key: str) -> str:
    """The variable in which a provider's key reaches LiteLLM: `openai-api-key` in OPENAI_API_KEY."""
    return key.upper().replace("-", "_")


def render(models: Sequence[ModelSettings]) -> str:
    """The file; no secret stands in it."""
    document = {
        "model_list": [_model(model) for model in models],
        "litellm_settings": {
            "callbacks": ["prometheus"],
            "require_auth_for_metrics_endpoint": True,
            "drop_params": True,
            "telemetry": False,
        },
        "general_settings": {"store_model_in_db": False},
    }
    return yaml.safe_dump(document, sort_keys=False)


def _model(model: ModelSettings) -> dict[str, Any]:
    parameters = {"model": model.model}
    if model.key:
        parameters["api_key"] = f"os.environ/{environment_name(model.key)}"
    if model.api_base:
        parameters["api_base"] = model.api_base
    return {"model_name": model.name, "litellm_params": parameters}
