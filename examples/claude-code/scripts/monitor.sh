#!/bin/sh
# Prints a line for what is new on the hub. The folder $1 keeps the place of each session, so that one that is resumed gets
# what came meanwhile. Settings, from the environment:
# HUB_URL, HUB_CHANNELS (separated by spaces), HUB_NAME (as whom Claude sends: its own messages do not wake it),
# HUB_COMMAND (what to start instead of sse-mcp-server), HUB_TOKEN or HUB_TOKEN_FILE.
set -f
mkdir -p "$1"
find "$1" -name 'place*' -mtime +7 -exec rm -f {} +
exec ${HUB_COMMAND:-sse-mcp-server} tail ${HUB_CHANNELS:-default} --url "${HUB_URL:-http://127.0.0.1:8000}" \
  --json --coalesce --max-line 450 --at-most 60/h --max-age 12h \
  --except-sender "${HUB_NAME:-claude-code}" --place "$1/place${CLAUDE_CODE_SESSION_ID:+-$CLAUDE_CODE_SESSION_ID}"
