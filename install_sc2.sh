#!/usr/bin/env bash
# Installs StarCraft II for Linux, SMAC's maps and the Python packages that drive the game.
# Run it again at any time: it goes on where it stopped, and repeats nothing that is done.
set -euo pipefail

usage() {
    cat <<'TEXT'
./install_sc2.sh [options]

  --version 4.10|4.6.2    of the game; 4.10 if not given. Results of the two are not comparable
  --dir DIR               where to; else $SC2PATH, else where a game is already: 3rdparty/StarCraftII
                          beside this script or ~/StarCraftII; else the first of the two
  --offline-zip FILE      the game's package, downloaded elsewhere
  --offline-maps FILE     SMAC_Maps.zip, downloaded elsewhere
  --smacv2-maps           SMACv2's maps as well (the same files and one more), and its package
  --maps-only             only the maps; the game is there
  --python-only           only the Python packages, into the environment of $PYTHON (python3)
  --no-python             no Python packages
  --accept-eula           you have read and accept Blizzard's AI and Machine Learning License
  --help

  SC2_ACCEPT_EULA=yes     the same as --accept-eula
  SC2_SHA256=...          refuse a game package with another checksum
  SC2_MIRROR=URL          where the game's packages are; SMAC_MIRROR=URL: SMAC's, up to oxwhirl/

Exit codes: 1 something failed, 2 wrong options, 3 the license is not accepted, 4 this machine
cannot run the game, 5 a download is broken; else those of `python src/main.py doctor`.
TEXT
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BLIZZARD=${SC2_MIRROR:-https://blzdistsc2-a.akamaihd.net}
OXWHIRL=${SMAC_MIRROR:-https://github.com/oxwhirl}
SMAC_COMMIT=d6aab33f76abc3849c50463a8592a84f59a5ef84
SMACV2_COMMIT=577ab5a2cff2391f8df582da5731ea9cd6adf3c6
LICENSE_PAGE=$BLIZZARD/AI_AND_MACHINE_LEARNING_LICENSE.html
PASSWORD=iagreetotheeula # Blizzard's: whoever types it accepts the license

version=4.10 dir='' game_zip='' maps_zip=''
with_game=yes with_maps=yes with_python=yes with_smacv2=no accepted=${SC2_ACCEPT_EULA:-no}

say() { printf '%s\n' "$*"; }
fail() { # code, message
    printf '\n%s\n' "$2" >&2
    exit "$1"
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --version | --dir | --offline-zip | --offline-maps)
                [ $# -gt 1 ] || fail 2 "$1 needs a value. See --help."
                case $1 in
                    --version) version=$2 ;;
                    --dir) dir=$2 ;;
                    --offline-zip) game_zip=$2 ;;
                    --offline-maps) maps_zip=$2 ;;
                esac
                shift
                ;;
            --smacv2-maps) with_smacv2=yes ;;
            --maps-only) with_game=no with_python=no ;;
            --python-only) with_game=no with_maps=no ;;
            --no-python) with_python=no ;;
            --accept-eula) accepted=yes ;;
            --help | -h) usage && exit 0 ;;
            *) fail 2 "Unknown option $1. See --help." ;;
        esac
        shift
    done
    case $version in
        4.10) build=75689 package=SC2.4.10.zip ;;
        4.6.2) build=69232 package=SC2.4.6.2.69232.zip ;;
        *) fail 2 "--version $version: Blizzard's packages here are 4.10 and 4.6.2." ;;
    esac
}

usual_place() { # as runs look for the game
    local own=$HERE/3rdparty/StarCraftII usual=${HOME:-}/StarCraftII
    if [ -n "${SC2PATH:-}" ]; then
        say "$SC2PATH"
    elif [ ! -d "$own/Versions" ] && [ -d "$usual/Versions" ]; then
        say "$usual"
    else
        say "$own"
    fi
}

check_machine() {
    case $(uname -s) in
        Linux) ;;
        Darwin) fail 4 "There is no package for macOS. Install the free game from Battle.net, start
it once, then: ./install_sc2.sh --maps-only --dir '/Applications/StarCraft II'
Its version is newer than 4.10, so results are not comparable." ;;
        *) fail 4 "There is no package for Windows. Install the free game from Battle.net, start it
once, and copy SMAC_Maps into its Maps folder (docs/starcraft.md)." ;;
    esac
    case $(uname -m) in
        x86_64 | amd64) ;;
        *) fail 4 "StarCraft II for Linux is x86_64 only; this machine is $(uname -m).
Battles without the game: --env-config=skirmish" ;;
    esac
}

need() { # programs
    for program in "$@"; do
        command -v "$program" >/dev/null || fail 1 "$program is needed. Install it and run this again."
    done
}

ask_for_license() {
    [ "$accepted" = yes ] && return
    local question="Blizzard's packages are protected by a password that stands for accepting the
AI and Machine Learning License: $LICENSE_PAGE"
    [ -t 0 ] || fail 3 "$question
Read it; if you accept it, run this again with --accept-eula."
    say "$question"
    read -r -p 'Do you accept it? Type yes or no: ' accepted
    [ "$accepted" = yes ] || fail 3 'Then nothing is installed.'
}

sound() { # zip file: complete and undamaged
    unzip -P "$PASSWORD" -tqq "$1" >/dev/null 2>&1
}

download() { # url, file
    local part=$2.part
    local before
    [ -f "$2" ] && return
    before=$(wc -c 2>/dev/null <"$part" || echo 0)
    mkdir -p "$(dirname "$2")"
    if ! { [ -f "$part" ] && sound "$part"; }; then
        say "Downloading $1"
        if command -v curl >/dev/null; then
            curl -fL --retry 3 -C - -o "$part" "$1" || broken_off "$1" "$part" "$before"
        else
            need wget
            wget -c -O "$part" "$1" || broken_off "$1" "$part" "$before"
        fi
    fi
    if ! sound "$part"; then
        rm -f "$part"
        fail 5 "$1 arrived damaged. It was deleted; run this again."
    fi
    mv "$part" "$2"
}

broken_off() { # url, partial file, its size before
    if [ "$3" -gt 0 ] && [ "$(wc -c <"$2")" = "$3" ]; then
        rm -f "$2" # nothing was added to it, and perhaps nothing can be
        fail 5 "$1 could not be continued; what there was is deleted. Run this again."
    fi
    fail 5 "$1 could not be downloaded. What has arrived is kept ($2); run this again to go on, or
download it elsewhere and use --offline-zip or --offline-maps."
}

checksum() { # file
    if command -v sha256sum >/dev/null; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1 # macOS
    fi
}

whole() { # folder, stamp: whether every file is there that the stamp names, and unchanged
    local digest name
    grep -q '^file ' "$2" 2>/dev/null || return 1
    while read -r _ digest name; do
        [ -f "$1/$name" ] && [ "$(checksum "$1/$name")" = "$digest" ] || return 1
    done < <(grep '^file ' "$2")
}

note_files() { # folder, names: lines of a stamp
    local folder=$1 name
    shift
    for name in "$@"; do
        printf 'file %s %s\n' "$(checksum "$folder/$name")" "$name"
    done
}

check_room() { # zip file, folder: whether all of the one fits beside the other
    local needed free
    needed=$(unzip -Zt "$1" | sed -n 's/.*, \([0-9]*\) bytes uncompressed.*/\1/p')
    free=$(df -Pk "$2" | awk 'NR == 2 { print $4 }')
    if [ -n "$needed" ] && [ -n "$free" ] && [ $((needed / 1024)) -ge "$free" ]; then
        fail 1 "$1 unpacks to $((needed / 1000000)) MB, but $2 has only $((free * 1024 / 1000000)) MB free.
Free some, or install elsewhere: --dir DIR"
    fi
}

unpack() { # zip file, folder; the folder appears complete or not at all
    rm -rf "$2.part"
    mkdir -p "$2.part"
    check_room "$1" "$2.part"
    unzip -P "$PASSWORD" -oq "$1" -d "$2.part" || fail 1 "$1 could not be unpacked; is the disk full?"
    rm -rf "$2"
    mv "$2.part" "$2"
}

install_game() {
    local stamp=$dir/.pymarlk/game-$version binary=Versions/Base$build/SC2_x64 digest
    if whole "$dir" "$stamp"; then
        say "StarCraft II $version is there: $dir"
    else
        ask_for_license
        if [ -n "$game_zip" ]; then
            [ -f "$game_zip" ] || fail 2 "--offline-zip $game_zip: there is no such file."
            sound "$game_zip" || fail 5 "$game_zip is damaged; download it again."
        else
            game_zip=$downloads/$package
            download "$BLIZZARD/Linux/$package" "$game_zip"
        fi
        digest=$(checksum "$game_zip")
        if [ -n "${SC2_SHA256:-}" ] && [ "$SC2_SHA256" != "$digest" ]; then
            fail 5 "$game_zip has the checksum $digest, not SC2_SHA256=$SC2_SHA256."
        fi
        say "Unpacking $game_zip"
        unpack "$game_zip" "$downloads/unpacked"
        if [ ! -f "$downloads/unpacked/StarCraftII/$binary" ]; then
            rm -rf "$downloads/unpacked"
            rmdir "$downloads" 2>/dev/null || true
            fail 5 "$game_zip holds no StarCraft II $version (build $build)."
        fi
        place_game "$downloads/unpacked/StarCraftII"
        rm -rf "$downloads/unpacked"
        mkdir -p "$dir/.pymarlk"
        {
            printf 'sha256 %s\nbytes %s\n' "$digest" "$(wc -c <"$game_zip")"
            note_files "$dir" "$binary"
        } >"$stamp.part"
        mv "$stamp.part" "$stamp" # last: without it, all of this is done again
        rm -f "$downloads/$package"
    fi
    chmod +x "$dir/$binary" # tools that copy folders lose it
}

place_game() { # unpacked folder
    mkdir -p "$(dirname "$dir")"
    if [ -e "$dir" ]; then
        cp -Rf "$1/." "$dir/" # beside another version
    else
        mv "$1" "$dir"
    fi
}

install_maps() {
    local place=$dir/Maps/SMAC_Maps stamp=$dir/.pymarlk/maps url=$OXWHIRL/smac/releases/download/v0.1-beta1/SMAC_Maps.zip
    if [ "$with_smacv2" = yes ]; then
        url=$OXWHIRL/smacv2/releases/download/maps/SMAC_Maps.zip stamp=$dir/.pymarlk/maps-smacv2
    fi
    if whole "$place" "$stamp" || { [ "$with_smacv2" = no ] && whole "$place" "$stamp-smacv2"; }; then
        say "The maps are there: $place"
        return
    fi
    if [ -z "$maps_zip" ]; then
        maps_zip=$downloads/$(basename "$stamp").zip
        download "$url" "$maps_zip"
    fi
    sound "$maps_zip" || fail 5 "$maps_zip is damaged; download it again."
    unpack "$maps_zip" "$downloads/maps"
    mkdir -p "$place" "$dir/.pymarlk"
    find "$downloads/maps" -name '*.SC2Map' -exec cp -f {} "$place/" ';'
    [ -f "$place/3m.SC2Map" ] || fail 5 "$maps_zip holds no maps of SMAC."
    if [ "$with_smacv2" = yes ] && [ ! -f "$place/32x32_flat.SC2Map" ]; then
        fail 5 "$maps_zip lacks 32x32_flat.SC2Map, which SMACv2 needs."
    fi
    {
        printf 'sha256 %s\n' "$(checksum "$maps_zip")"
        find "$downloads/maps" -name '*.SC2Map' | while read -r map; do
            note_files "$place" "$(basename "$map")"
        done
    } >"$stamp.part"
    mv "$stamp.part" "$stamp"
    rm -rf "$downloads/maps" "$downloads/$(basename "$stamp").zip"
}

install_python() {
    need git
    # Without what they ask for: they would replace protobuf by an old one, which others cannot use.
    "$python" -m pip install --quiet -r "$HERE/requirements/sc2.txt"
    install_from_git "$OXWHIRL/smac.git" "$SMAC_COMMIT"
    [ "$with_smacv2" = no ] || install_from_git "$OXWHIRL/smacv2.git" "$SMACV2_COMMIT"
}

install_from_git() { # repository, commit
    "$python" -m pip install --quiet --no-deps "git+$1@$2" || fail 1 "$1 could not be installed.
On a machine without a network: clone the repositories elsewhere (git clone --bare), bring them
here, and run this again with SMAC_MIRROR=file:///the/folder/that/holds/them"
}

read_options "$@"
python=${PYTHON:-python3}
[ -n "$dir" ] || dir=$(usual_place)
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
[ ! -d "$dir" ] || dir=$(cd "$dir" && pwd) # without dots
downloads=${dir%/}.download
[ "$with_game" = no ] || check_machine
if [ "$with_game$with_maps" != nono ]; then need unzip; fi
[ "$with_game" = no ] || install_game
[ "$with_maps" = no ] || install_maps
[ "$with_python" = no ] || install_python
rmdir "$downloads" 2>/dev/null || true

[ "$with_game$with_maps" != nono ] || exit 0
[ "$version" = 4.10 ] || say "
For this version, where others are installed too: env_args.game_version=$version"
say "
Add this to your shell's profile unless that is 3rdparty/StarCraftII here or ~/StarCraftII:
  export SC2PATH='$dir'
"
if "$python" -c 'import numpy, yaml' 2>/dev/null; then
    examined=()
    [ "$version" = 4.10 ] || examined=(env_args.game_version="$version")
    [ "$with_smacv2" = no ] || SC2PATH=$dir "$python" "$HERE/src/main.py" doctor --env-config=sc2v2 \
        ${examined[@]+with "${examined[@]}"}
    SC2PATH=$dir "$python" "$HERE/src/main.py" doctor ${examined[@]+with "${examined[@]}"}
else
    say "To check everything: pip install -r requirements.txt, then python src/main.py doctor"
fi
