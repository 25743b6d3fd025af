#!/bin/sh
# certbot's deploy hook: gives the bouncer the renewed certificate and tells it.
# Install it on the bouncer's host, executable, as
#   /etc/letsencrypt/renewal-hooks/deploy/muster.sh
# certbot runs it after each renewal, with RENEWED_LINEAGE set to e.g.
#   /etc/letsencrypt/live/irc.example.net
set -eu

# Only this certificate is the bouncer's; others on the host are none of our business.
name="${MUSTER_CERTIFICATE:-irc.example.net}"
target="${MUSTER_TLS:-/etc/muster/tls}"

if [ "$(basename "$RENEWED_LINEAGE")" != "$name" ]; then
	echo "$0: $RENEWED_LINEAGE is not the bouncer's ($name): left alone; set the name in this file"
	exit 0
fi

# The bouncer may not read certbot's folder, so it has copies. Both are complete before either is
# moved into place; the bouncer tries a pair before it serves it, and keeps the old one otherwise.
group="${MUSTER_GROUP:-muster}"
install -m 0640 -g "$group" "$RENEWED_LINEAGE/privkey.pem" "$target/privkey.pem.new"
install -m 0644 -g "$group" "$RENEWED_LINEAGE/fullchain.pem" "$target/fullchain.pem.new"
mv "$target/privkey.pem.new" "$target/privkey.pem"
mv "$target/fullchain.pem.new" "$target/fullchain.pem"

# HUP. The bouncer also looks by itself once a minute; this makes it now. Not running is no fault.
${MUSTER_RELOAD:-systemctl try-reload-or-restart muster-bouncer.service}
