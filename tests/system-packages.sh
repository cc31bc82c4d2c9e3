#!/bin/sh
# Debian packages that the tests need: installed where that can be done, named where it cannot.
PATH="$PATH:/usr/sbin:/usr/local/sbin"
missing=""
command -v mosquitto >/dev/null 2>&1 || missing="$missing mosquitto"
[ -z "$CI" ] || command -v tshark >/dev/null 2>&1 || missing="$missing tshark"
[ -z "$CI" ] || ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing="$missing libfaketime"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null && exit 0
fi
echo "the tests need these Debian packages: sudo apt-get install$missing" >&2
exit 2
