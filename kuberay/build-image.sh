#!/bin/sh
# Build the image with buildah: BASE=docker.io/library/debian:12-slim@sha256:... IMAGE=registry/name:2.0.0 kuberay/build-image.sh
#
# Without BASE, Debian 12 is bootstrapped on this machine (as root) and taken instead: for where no container registry can be reached.
# CA_FILE names certificates to trust while packages are fetched, for behind a proxy; they do not get into the image. In a container
# without overlay file systems or namespaces set STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot. UV_VERSION is the Makefile's.
set -eu
cd "$(dirname "$0")/.."
: "${IMAGE:=localhost/crypto-wallets-service:dev}" "${UV_VERSION:?is set by the Makefile: use make image}"

need() {
    command -v "$1" >/dev/null || { echo "$1 is missing, so the image was not built: apt-get install $1" >&2; exit 1; }
}

case ${BASE:-} in
*@sha256:*)
    need buildah
    ;;
"")
    need buildah
    need debootstrap
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    debootstrap --variant=minbase --include=ca-certificates bookworm "$folder/base" http://deb.debian.org/debian >&2
    (cd "$folder/base" && rm -rf var/cache/apt var/lib/apt/lists usr/share/doc usr/share/man usr/share/locale)
    BASE=localhost/crypto-wallets-debian:bookworm
    container=$(buildah from scratch)
    buildah copy --quiet "$container" "$folder/base" / >/dev/null
    buildah commit --quiet --rm "$container" "$BASE" >/dev/null
    ;;
*)
    echo "BASE must be pinned by digest, as in docker.io/library/debian:12-slim@sha256:..., but is $BASE" >&2
    exit 1
    ;;
esac

# Docker's format has HEALTHCHECK, OCI's has not.
buildah build --format docker --network host --layers \
    ${CA_FILE:+--volume "$CA_FILE:/run/build-ca.pem:ro" --build-arg CA_FILE=/run/build-ca.pem} \
    --build-arg BASE="$BASE" --build-arg UV_VERSION="$UV_VERSION" \
    --build-arg VERSION="$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
    --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --tag "$IMAGE" .

size=$(buildah images --format '{{.Size}}' "$IMAGE")
echo "the image $IMAGE has $size"
# buildah counts in units of 1,000.
echo "$size" | awk '{ megabytes = $1 * ($2 == "GB" ? 1000 : $2 == "MB" ? 1 : 0); exit !(megabytes > 0 && megabytes <= 900 * 1.048576) }' || {
    echo "it must not have more than 900 MiB; see what takes the room: buildah run \$(buildah from $IMAGE) -- du -xm --max-depth 4 /" >&2
    exit 1
}
