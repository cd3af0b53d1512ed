#!/bin/sh
# Install the Debian packages that the viewer needs and this machine lacks, if it may; else name them in one line.
set -eu

command -v dpkg-query >/dev/null 2>&1 || exit 0

wanted="xvfb xauth libegl1 libopengl0 libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1
libxcb-image0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libdbus-1-3 libfontconfig1 libglib2.0-0"
"${PYTHON:-python3}" -c "import ensurepip" 2>/dev/null || wanted="$wanted python3-venv"

missing=""
for package in $wanted; do
    # newer Debian and Ubuntu call some of them NAMEt64
    installed=$(dpkg-query --show --showformat='${db:Status-Status} ' "$package" "${package}t64" 2>/dev/null || true)
    case " $installed" in
        *" installed "*) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    elevate=""
elif sudo -n true 2>/dev/null; then
    elevate="sudo -n"
else
    echo "The viewer needs Debian packages that are missing here: sudo apt-get install$missing" >&2
    exit 0
fi
$elevate apt-get update --quiet=2
# shellcheck disable=SC2086 - one word for each package
DEBIAN_FRONTEND=noninteractive $elevate apt-get install --yes --quiet=2 --no-install-recommends $missing >/dev/null
