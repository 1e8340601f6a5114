#!/bin/sh
# lights.sh [ENTITY]: reads the state of a light, switches it on, and waits for the event that says so. It needs jq.
set -eu
entity=${1:-light.kitchen}
upstream=${SIDESOCKET_URL:-http://127.0.0.1:8787}/v1/upstreams/default
call() { curl -sS --fail -H 'Content-Type: application/json' -d "$1" "$upstream/request"; }
changes() { curl -sS --fail "$upstream/subscriptions/changes/messages?limit=1&$1"; }
# The response is taken as a whole before it is read, so that a failure of curl ends the script.
pick() { printf '%s\n' "$1" | jq -r --arg entity "$entity" "$2"; }

states=$(call '{"type":"get_states"}')
before=$(pick "$states" '.result[] | select(.entity_id == $entity) | .state')
[ -n "$before" ] || { echo "there is no $entity" >&2; exit 1; }
echo "before: $before"
# The place in the journal before the switch: older events have nothing to do with it.
latest=$(changes after=latest)
reply=$(call '{"type":"call_service","domain":"light","service":"turn_on","target":{"entity_id":"'"$entity"'"}}')
echo "switched: $(pick "$reply" .success)"
if [ "$before" = on ]; then echo 'event: none, since it was on before'; exit; fi
# Of all events the one of this light in which it is on.
filter="where=/event/data/entity_id=$entity&where=/event/data/new_state/state=on"
page=$(changes "after=$(pick "$latest" .next)&$filter&wait=10s")
echo "event: $(pick "$page" '.messages[0].data.event.data.new_state.state // "none within 10 s"')"
