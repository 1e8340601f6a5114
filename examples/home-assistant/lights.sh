#!/bin/sh
# lights.sh: reads the state of a light, switches it on, and waits for the event of the change.
set -e
upstream=${SIDESOCKET_URL:-http://127.0.0.1:8787}/v1/upstreams/default
call() { curl -sS --fail -H 'Content-Type: application/json' -d "$1" "$upstream/request?pick=$2"; }

state=$(call '{"type":"get_states"}' /result/0/state)
echo "before: $state"
success=$(call '{"type":"call_service","domain":"light","service":"turn_on","target":{"entity_id":"light.kitchen"}}' /success)
echo "switched: $success"
page=$(curl -sS --fail "$upstream/subscriptions/changes/messages?after=earliest&wait=10s&limit=1")
echo "event: $(echo "$page" | sed 's/.*"new_state":{"state":"\([a-z]*\)".*/\1/')"
