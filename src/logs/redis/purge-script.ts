import { COMMON, scriptOf, type Script } from "./scripts.ts";

/** Entries that one call looks at. */
const SWEEP = 500;
/** Channels whose purges are remembered before those that retention has passed are forgotten. */
const MANY_PURGED = 1000;

/**
 * Purges a channel: says for all nodes how far, and removes its entries from the stream, some in each call. After the
 * common arguments: the channel, the offset and the time of its last message to go, and the offset after which to look.
 * Answers `stale` if the node has to check in first, `full` if too many channels are purged, or `ok`, how many purges
 * there were, and the offset after which to go on, -1 at the end.
 */
const PURGE = `${COMMON}
local channel, last, from = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[11])
-- An engine whose memory is full refuses no script that has written.
redis.call('HDEL', VOTE, '')
local meta = redis.call('HMGET', META, 'run', 'messages', 'bytes', 'floor')
if meta[1] ~= run then return {'stale'} end
messages, bytes, floor = tonumber(meta[2]), tonumber(meta[3]), tonumber(meta[4])
if last > tonumber(string.match(redis.call('HGET', PURGED, channel) or '0', '%d+')) then
  if redis.call('HLEN', PURGED) >= ${MANY_PURGED} then
    local known = redis.call('HGETALL', PURGED)
    for index = 1, #known, 2 do
      -- What retention dropped is told of all channels.
      if tonumber(string.match(known[index + 1], '%d+')) <= floor then redis.call('HDEL', PURGED, known[index]) end
    end
    if redis.call('HLEN', PURGED) >= math.max(2 * mostChannels, ${MANY_PURGED}) then return {'full'} end
  end
  redis.call('HSET', PURGED, channel, ARGV[9] .. ' ' .. ARGV[10])
  redis.call('HINCRBY', META, 'purges', 1)
  redis.call('PUBLISH', live, 'purge ' .. channel)
end
local entries = redis.call('XRANGE', LOG, '(' .. text(math.max(from, floor)) .. '-0', text(last) .. '-0', 'COUNT', ${SWEEP})
local ids = {}
for _, entry in ipairs(entries) do
  local fields = entry[2]
  if string.match(fields[6], '[^\\n]*') == channel then
    ids[#ids + 1] = entry[1]
    messages = messages - 1
    bytes = bytes - tonumber(fields[4])
    if fields[8] then
      local key = channel .. '\\n' .. fields[8]
      if redis.call('HGET', IDEMPOTENCY, key) == string.match(entry[1], '%d+') then redis.call('HDEL', IDEMPOTENCY, key) end
    end
  end
end
if #ids > 0 then
  redis.call('XDEL', LOG, unpack(ids))
  redis.call('HSET', META, 'messages', text(messages), 'bytes', text(bytes))
end
local next = #entries < ${SWEEP} and -1 or tonumber(string.match(entries[#entries][1], '%d+'))
return {'ok', tonumber(redis.call('HGET', META, 'purges') or 0), next}
`;

export const purge: Script = scriptOf(PURGE);
