#!/bin/sh
# Makes the root file system that the recipes beside this file stand on, bit for bit:
#     $FILE
# from $COUNT packages of $DISTRIBUTION $RELEASE, each checked by its sha256. Written by reproc.
#
# Usage: sh $NAME [FILE]        from the folder of the spec
# Needs: mmdebstrap, apt, dpkg (any Debian or Ubuntu); root, or unprivileged user namespaces.
# The packages come from the folder that REPROC_DEBS names, or else from the distribution's
# snapshot service; REPROC_MIRROR_<ARCHIVE> names a mirror to use in its place.
set -eu
umask 022
unset APT_CONFIG DEBIAN_FRONTEND DPKG_ROOT
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=$EPOCH

expected=$SHA256
output=$${1:-$FILE}

fail() {
    echo "bootstrap: $$*" >&2
    exit 1
}
digest() {
    sha256sum "$$1" | cut -d ' ' -f 1
}

if [ -n "$$expected" ] && [ -f "$$output" ] && [ "$$(digest "$$output")" = "$$expected" ]; then
    exit 0
fi
for tool in mmdebstrap dpkg-deb sha256sum; do
    command -v "$$tool" > /dev/null || fail "$$tool is missing: apt-get install mmdebstrap dpkg coreutils"
done

work=$$(mktemp -d)
trap 'rm -rf "$$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$$work"
pool=$$work/archive/pool
index=$$work/archive/dists/$RELEASE/main/binary-$ARCHITECTURE
mkdir -p "$$pool" "$$index"

address() {
    case $$1 in
$MIRRORS
    esac
}
while read -r sha256 archive path; do
    file=$$pool/$${path##*/}
    if [ -n "$${REPROC_DEBS:-}" ]; then
        cp "$$REPROC_DEBS/$$sha256" "$$file" || fail "$$REPROC_DEBS has no $$sha256"
    else
        /usr/lib/apt/apt-helper download-file "$$(address "$$archive")/$$path" "$$file" "SHA256:$$sha256" > /dev/null ||
            fail "$$path cannot be fetched from $$(address "$$archive")"
    fi
    chmod 644 "$$file"
    [ "$$(digest "$$file")" = "$$sha256" ] || fail "$$path has another sha256 than $$sha256"
    {
        dpkg-deb -f "$$file"
        echo "Filename: pool/$${path##*/}"
        echo "Size: $$(wc -c < "$$file")"
        echo "SHA256: $$sha256"
        echo
    } >> "$$index/Packages"
done << 'DEBS'
$DEBS
DEBS
cat > "$$work/archive/dists/$RELEASE/Release" << RELEASE
Origin: reproc
Suite: $RELEASE
Codename: $RELEASE
Architectures: $ARCHITECTURE
Components: main
Date: $DATE
SHA256:
 $$(digest "$$index/Packages") $$(wc -c < "$$index/Packages") main/binary-$ARCHITECTURE/Packages
RELEASE

# What would come from the machine that this runs on is written out.
REPROC_SOURCES='$SOURCES'
export REPROC_SOURCES
if [ "$$(id -u)" = 0 ]; then mode=root; else mode=unshare; fi
# shellcheck disable=SC2016 # the "$$1" in the hooks is for the shells that mmdebstrap starts
mmdebstrap --mode="$$mode" --variant=minbase --include=$NAMES \
    --format=tar --skip=output/dev --architectures=$ARCHITECTURE \
    --customize-hook='printf "%s\n" "$$REPROC_SOURCES" > "$$1/etc/apt/sources.list"' \
    --customize-hook='rm -f "$$1/etc/resolv.conf" "$$1/etc/hostname"' \
    --customize-hook=': > "$$1/etc/resolv.conf"; echo localhost > "$$1/etc/hostname"' \
    --customize-hook='chmod 644 "$$1/etc/apt/sources.list" "$$1/etc/resolv.conf" "$$1/etc/hostname"' \
    --customize-hook='chroot "$$1" chown _apt:root /var/lib/apt/lists/partial /var/cache/apt/archives/partial' \
    $RELEASE - "deb [trusted=yes check-valid-until=no check-date=no] copy:$$work/archive $RELEASE main" \
    > "$$work/root.tar" || fail "mmdebstrap failed"

found=$$(digest "$$work/root.tar")
if [ -n "$$expected" ] && [ "$$found" != "$$expected" ]; then
    fail "the root file system has the sha256 $$found, not $$expected; it was locked with $TOOL," \
        "and here is $$(mmdebstrap --version)"
fi
mkdir -p "$$(dirname "$$output")"
# a partial file never has the final name
cp "$$work/root.tar" "$$output.$$$$"
mv "$$output.$$$$" "$$output"
echo "$$found  $$output"
