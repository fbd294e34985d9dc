#!/bin/sh
# Prints a line for what is new on the hub, whose place is kept in the folder $1. Settings, from the environment:
# HUB_URL, HUB_CHANNELS (separated by spaces), HUB_NAME (as whom Claude sends: its own messages do not wake it),
# HUB_COMMAND (what to start instead of sse-mcp-server), HUB_TOKEN or HUB_TOKEN_FILE.
set -f
mkdir -p "$1"
exec ${HUB_COMMAND:-sse-mcp-server} tail ${HUB_CHANNELS:-default} --url "${HUB_URL:-http://127.0.0.1:8000}" \
  --json --coalesce --max-line 450 --at-most 60/h --max-age 12h \
  --except-sender "${HUB_NAME:-claude-code}" --place "$1/place"
