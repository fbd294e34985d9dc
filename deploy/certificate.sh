#!/bin/sh
# The image of nginx runs this before nginx. If there is no certificate yet, it makes a self-signed one, with which you can
# try the hub until you replace it with your own hub.pem (with its chain) and hub.key.
set -eu
cd /etc/nginx/tls
if [ -s hub.pem ] && [ -s hub.key ]; then exit 0; fi
if [ -s hub.pem ] || [ -s hub.key ]; then
  echo "ssl/ has only one of hub.pem and hub.key; add the other one, or remove both to have them made" >&2
  exit 1
fi
host=${PUBLIC_URL:-https://localhost}
host=${host#*://}
case $host in
  \[*) # an IPv6 address
    host=${host#?}
    host=${host%%]*}
    name=IP:$host
    ;;
  *)
    host=${host%%[:/]*}
    case $host in
      *[!0-9.]*) name=DNS:$host ;;
      *) name=IP:$host ;;
    esac
    ;;
esac
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=$host" \
  -addext "subjectAltName=$name,DNS:localhost,IP:127.0.0.1,IP:::1" -keyout hub.key -out hub.pem 2>/dev/null
chmod 644 hub.pem
echo "made ssl/hub.pem for $host, good for a year; clients that trust this file trust the hub"
