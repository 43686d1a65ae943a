#!/bin/sh
# Installs RKE2 from this mirror. The variables are those of RKE2's own install script:
#   INSTALL_RKE2_VERSION        release to install, vX.Y.Z+rke2rN; without it the channel decides
#   INSTALL_RKE2_CHANNEL        channel to take the release from, default stable
#   INSTALL_RKE2_CHANNEL_URL    where channels are looked up
#   INSTALL_RKE2_TYPE           server or agent, default server
#   INSTALL_RKE2_METHOD         tar; this mirror has no packages
#   INSTALL_RKE2_ARTIFACT_URL   where releases are downloaded from
#   INSTALL_RKE2_ARTIFACT_PATH  directory with the release's files, instead of a download
#   INSTALL_RKE2_TAR_PREFIX     where the tarball is unpacked, default /usr/local
#   INSTALL_RKE2_SKIP_RELOAD    set to leave systemd as it is
# It enables and starts nothing.
set -eu
if [ "${DEBUG:-}" = 1 ]; then
	set -x
fi

info() {
	printf '[INFO]  %s\n' "$*"
}

fatal() {
	printf '[ERROR] %s\n' "$*" >&2
	exit 1
}

check_settings() {
	if [ "$(id -u)" != 0 ]; then
		fatal "the installation needs root; run it with sudo"
	fi
	TYPE="${INSTALL_RKE2_TYPE:-${INSTALL_RKE2_EXEC:-server}}"
	case "$TYPE" in
	server | agent) ;;
	*) fatal "INSTALL_RKE2_TYPE is \"$TYPE\"; it has to be server or agent" ;;
	esac
	case "${INSTALL_RKE2_METHOD:-tar}" in
	tar) ;;
	*) fatal "INSTALL_RKE2_METHOD is \"${INSTALL_RKE2_METHOD}\"; this mirror serves tarballs only" ;;
	esac
	PREFIX="${INSTALL_RKE2_TAR_PREFIX:-/usr/local}"
	ARTIFACT_URL="${INSTALL_RKE2_ARTIFACT_URL:-@BASE@/releases/download}"
	CHANNEL_URL="${INSTALL_RKE2_CHANNEL_URL:-@BASE@/v1-release/channels}"
	MACHINE="$(uname -m)"
	case "$MACHINE" in
	x86_64 | amd64) ARCH=amd64 ;;
	aarch64 | arm64) ARCH=arm64 ;;
	*) fatal "there is no release for the architecture $MACHINE" ;;
	esac
	TARBALL="rke2.linux-$ARCH.tar.gz"
	SUMS="sha256sum-$ARCH.txt"
}

find_version() {
	if [ -n "${INSTALL_RKE2_ARTIFACT_PATH:-}" ]; then
		info "using the files in $INSTALL_RKE2_ARTIFACT_PATH"
		return
	fi
	VERSION="${INSTALL_RKE2_VERSION:-}"
	if [ -z "$VERSION" ]; then
		CHANNEL="${INSTALL_RKE2_CHANNEL:-stable}"
		info "finding release for channel $CHANNEL"
		VERSION="$(curl -sfL "$CHANNEL_URL/$CHANNEL")" || fatal "channel $CHANNEL was not found at $CHANNEL_URL"
	fi
	info "using $VERSION as release"
	DOWNLOAD="$ARTIFACT_URL/$(printf '%s' "$VERSION" | sed 's/+/%2B/g')"
}

# fetch FILE: downloads a file of the release, or takes it from the directory that was given.
fetch() {
	if [ -n "${INSTALL_RKE2_ARTIFACT_PATH:-}" ]; then
		cp "$INSTALL_RKE2_ARTIFACT_PATH/$1" "$WORK/$1" || fatal "$INSTALL_RKE2_ARTIFACT_PATH has no $1"
		return
	fi
	info "downloading $DOWNLOAD/$1"
	curl -sfL -o "$WORK/$1" "$DOWNLOAD/$1" || fatal "download failed: $DOWNLOAD/$1"
}

verify() {
	info "verifying $TARBALL"
	WANT="$(grep -F " $TARBALL" "$WORK/$SUMS" | cut -d ' ' -f 1)" || WANT=""
	GOT="$(sha256sum "$WORK/$TARBALL" | cut -d ' ' -f 1)"
	if [ "$WANT" != "$GOT" ]; then
		fatal "$TARBALL does not match its sum: expected ${WANT:-none}, got $GOT"
	fi
}

unpack() {
	info "unpacking tarball file to $PREFIX"
	mkdir -p "$PREFIX"
	tar -xzf "$WORK/$TARBALL" -C "$PREFIX"
	if [ "$PREFIX" != /usr/local ]; then
		# systemd looks for units in /usr/local/lib, and they name their files by the path.
		mkdir -p /etc/systemd/system
		for unit in rke2-server.service rke2-agent.service; do
			sed "s|/usr/local|$PREFIX|g" "$PREFIX/lib/systemd/system/$unit" >"$WORK/$unit"
			cp "$WORK/$unit" "/etc/systemd/system/$unit"
		done
	fi
	if [ -z "${INSTALL_RKE2_SKIP_RELOAD:-}" ]; then
		systemctl daemon-reload
	fi
}

check_settings
find_version
WORK="$(mktemp -d)"
trap 'rm -rf "$WORK"' EXIT
fetch "$SUMS"
fetch "$TARBALL"
verify
unpack
info "installed RKE2 for a node of type $TYPE"
