/** How a hub on a laptop becomes one for a team: the lines of the README. `run` is what stands before a command. */
export function teamLines(run: string): string {
  return `export PUBLIC_URL=https://hub.example API_KEYS_FILE=keys.json ENV=production
${run} key create --name ada --admin
${run} key create --name order-service --publish 'orders.*' --subscribe 'orders.*'
export HOST=0.0.0.0 PORT=443 TLS_CERT=hub.pem TLS_KEY=hub.key
${run.replace(/ --$/, "")}`;
}
