/** How a hub on a laptop becomes one for a team: the lines of the README. */
export const TEAM_LINES = `export PUBLIC_URL=https://hub.example API_KEYS_FILE=keys.json ENV=production
sse-mcp-server key create --name ada --admin
sse-mcp-server key create --name order-service --publish 'orders.*' --subscribe 'orders.*'
export HOST=0.0.0.0 PORT=443 TLS_CERT=hub.pem TLS_KEY=hub.key
sse-mcp-server`;
