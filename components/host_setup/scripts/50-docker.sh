#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# Docker is installed in the wanted version and runs, and the user of the stack file's endpoint may use it.
. "$WORK/common.sh"
# shellcheck disable=SC1091
. /etc/os-release

for package in docker.io podman-docker; do
    [ -z "$(installed_version "$package")" ] ||
        stop "the package $package is installed, and would be in the way of Docker's own" \
            "\`apt-get remove $package\` on the host (volumes stay), or take host.setup out and keep it"
done
package_source docker /etc/apt/keyrings/kitestacks-docker.asc \
    "$DOCKER_PACKAGES/$ID/gpg" "$DOCKER_FINGERPRINT" "$DOCKER_PACKAGES/$ID $VERSION_CODENAME stable"
install_pinned host.setup.docker-version "$DOCKER_VERSION" docker-ce docker-ce-cli
start docker

if [ "$DOCKER_USER" != root ]; then
    id "$DOCKER_USER" >/dev/null 2>&1 ||
        stop "there is no user $DOCKER_USER, whom host.docker names" "\`adduser $DOCKER_USER\` on the host; $AGAIN"
    if ! id -nG "$DOCKER_USER" | tr ' ' '\n' | grep -qx docker; then
        quietly usermod -a -G docker "$DOCKER_USER"
        changed "$DOCKER_USER may use it"
    fi
fi
report
