"""The exact versions of everything the toolchain gets, and the checksums of what is known to be good.

Not every version's archive is served by the Go module proxy; these are.
"""

from __future__ import annotations

GO_LANGUAGE = "1.25.11"
"""What the engine's module asks for; an older Go (1.21 on) fetches the compiler for it by itself."""

ENGINE = "3.250.0"
ENGINE_OLDEST = (3, 250)
"""An engine on PATH must be at least this: the program's SDK speaks its protocol."""

ENGINE_MODULE = "github.com/pulumi/pulumi/pkg/v3"
ENGINE_VERSION_SYMBOL = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"

DOCKER_PROVIDER = "5.2.0"
"""The version of the Python package `pulumi-docker`; the engine looks the provider up by it."""

BRIDGE_MODULE = ("github.com/pulumi/pulumi-terraform-bridge/v3", "v3.99.0")
"""Older ones lose the state of a container that failed its health check."""

UPSTREAM_MODULE = ("github.com/kreuzwerker/terraform-provider-docker", "v0.0.0-20260916201441-96d331c98ff4")
UPSTREAM_NAME = "github.com/terraform-providers/terraform-provider-docker"
"""What the upstream provider's own go.mod calls it."""

PROVIDER_REPLACES = {
    "github.com/hashicorp/terraform-plugin-sdk/v2": (
        "github.com/pulumi/terraform-plugin-sdk/v2",
        "v2.0.0-20240520223432-0c0bf0d65f10",
    ),
    "github.com/hashicorp/terraform-plugin-go": ("github.com/hashicorp/terraform-plugin-go", "v0.24.0"),
    "github.com/hashicorp/terraform-plugin-framework": ("github.com/hashicorp/terraform-plugin-framework", "v1.7.0"),
    "github.com/hashicorp/terraform-plugin-framework-validators": (
        "github.com/hashicorp/terraform-plugin-framework-validators",
        "v0.12.0",
    ),
    "github.com/hashicorp/terraform-plugin-mux": ("github.com/hashicorp/terraform-plugin-mux", "v0.16.0"),
}
"""The bridge is built on Pulumi's fork of the plugin SDK; the others are the last that go with that fork."""

CADDY_MODULE = ("github.com/caddyserver/caddy/v2", "v2.11.4")

PROMETHEUS_MODULE = ("github.com/prometheus/prometheus", "v0.314.0")
"""Prometheus 3.14.0, as Go counts it; Pulumi.monk.yaml pins the image of the same version."""

RESTIC_MODULE = ("github.com/restic/restic", "v0.19.1")
REST_SERVER_MODULE = ("github.com/restic/rest-server", "v0.14.0")
"""What the images are of that the stack files pin."""

SUPERCRONIC_MODULE = ("github.com/aptible/supercronic", "v0.2.48")
"""The scheduler in the image `kitestacks/backup`."""


SYNCTHING_MODULE = ("github.com/syncthing/syncthing", "v1.30.0")

KNOWN_GOOD = {
    "pulumi": "0942c46cf07ab929267d41e8c6fabc7f4cb27d38faa23beb482be19eefe3e3d4",
    "pulumi-resource-docker": "e13cd562e0217aa15be144b6a7cdcbd136e61a7da645b004ce5eedb7f51473be",
}
"""SHA-256 of the unpacked programs for Linux on x86-64: what a mirror without checksums of its own must hold."""
