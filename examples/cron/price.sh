#!/bin/sh
# price.sh SYMBOL: prints a price, for a crontab.
#
# It repeats a request only if nothing was sent, logs a line for each attempt to standard error, and ends as
# `sidesocket call` does: 0 a price was printed, 2 repeating cannot help, 3 nothing was sent, 4 it may have been sent,
# 5 it was sent, and there is no price.
set -u
service=${SIDESOCKET_URL:-http://127.0.0.1:8787}
symbol=${1:-}
case $symbol in
  '' | *[!A-Z0-9]*) echo 'usage: price.sh SYMBOL' >&2; exit 2 ;;
esac
folder=$(mktemp -d) || exit 2
trap 'rm -r "$folder"' EXIT

header() { grep -i "^$1:" "$folder/head" | cut -d: -f2 | tr -d ' \r'; }

attempt=1
while :; do
  status=$(curl -s -D "$folder/head" -o "$folder/body" -w '%{http_code}' --max-time 30 \
    -H 'Content-Type: application/json' -d '{"jsonrpc":"2.0","method":"price","params":["'"$symbol"'"]}' \
    "$service/v1/upstreams/default/request?pick=/result&timeout=${TIMEOUT:-10s}")
  failed=$?
  case $failed in
    0) code=$(header sidesocket-code) sent=$(header sidesocket-sent) pause=$(header retry-after) ;;
    6 | 7) code=no_service sent=no pause=1 ;;   # curl found no service to send anything to
    *) code=no_response sent=maybe pause= ;;
  esac
  # curl prints the status of a response that is cut, too: only its exit code says that the whole of it came.
  case $status:$failed in
    200:0) code=ok sent=yes ;;
    200:*) code=cut_response sent=yes ;;
  esac
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) price $symbol: attempt=$attempt code=${code:-$status} sent=${sent:-maybe}" >&2
  if [ "$code" = ok ]; then cat "$folder/body"; echo; exit 0; fi
  case $sent in
    no) ;;
    yes) exit 5 ;;
    *) exit 4 ;;
  esac
  # The service names the seconds wherever trying again is safe and may help.
  [ -n "$pause" ] || exit 2
  [ "$attempt" -lt "${ATTEMPTS:-5}" ] || exit 3
  attempt=$((attempt + 1))
  sleep "$pause"
done
