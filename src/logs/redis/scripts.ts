import { createHash } from "node:crypto";

/** A Lua script, and the SHA-1 by which an engine that has it is asked to run it. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

/**
 * Offsets that are left out where messages may have been lost. No node can have got further than that beyond what the
 * engine still has, so no offset is given out twice.
 */
const HOLE = 2 ** 24;
/** The format of what is kept in the engine. */
export const FORMAT = 1;
/** Most messages that one call drops, beyond as many as it adds. */
const MAX_DROPPED = 512;
/** Milliseconds after which a node that was not heard of is no longer one of the nodes. */
const FORGOTTEN_AFTER = 15_000;
/** Milliseconds that the nodes have to say how far they had got, after the engine was replaced. */
const VOTE_TIMEOUT = 5000;
/** In place of the time of the oldest message, if all times are in the future. */
const NEVER = 2 ** 52;
/** Runs that are kept. */
export const MAX_RUNS = 1000;

/** What the scripts of the log begin with: the keys, the engine's clock and identity, and dropping what is beyond the retention. */
export const COMMON: string = `
local META, LOG, DROPPED, IDEMPOTENCY, BATCHES, RUNS, NODES, VOTE, PURGED = unpack(KEYS)
local node, fixed, live = ARGV[1], ARGV[2], ARGV[3]
local mostMessages, mostBytes, since, mostChannels = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local clock = redis.call('TIME')
clock = clock[1] * 1000 + math.floor(clock[2] / 1000)
local time = fixed == '' and clock or tonumber(fixed)
local head, floor, messages, bytes, oldest

local function text(number) return string.format('%.0f', number) end

local function isOver() return messages > mostMessages or bytes > mostBytes end

-- Drops at most so many messages, the oldest first. The order of messages is certain, their times depend on the clock:
-- a message is at least as old as any later one, and a time in the future says nothing.
local function trim(most, width)
  local from = floor
  while most > 0 and messages > 0 and (isOver() or oldest < since) do
    local step = math.min(most, width)
    local entries = redis.call('XRANGE', LOG, '-', '+', 'COUNT', step + 1)
    if #entries == 0 then break end
    local old, gone = 0, 0
    for index, entry in ipairs(entries) do
      local at = tonumber(entry[2][2])
      if at < since then old = index elseif at <= time then break end
    end
    for index = 1, math.min(step, #entries) do
      if index > old and not isOver() then break end
      local fields = entries[index][2]
      local offset = string.match(entries[index][1], '%d+')
      local channel = string.match(fields[6], '[^\\n]*')
      floor = tonumber(offset)
      messages = messages - 1
      bytes = bytes - tonumber(fields[4])
      gone = index
      redis.call('HSET', DROPPED, channel, offset .. ' ' .. fields[2])
      if fields[8] then
        local key = channel .. '\\n' .. fields[8]
        if redis.call('HGET', IDEMPOTENCY, key) == offset then redis.call('HDEL', IDEMPOTENCY, key) end
      end
    end
    most = most - gone
    if gone > 0 then redis.call('XTRIM', LOG, 'MINID', text(floor + 1) .. '-0') end
    oldest = #entries > step and -1 or ${NEVER}
    for index = gone + 1, #entries do
      local at = tonumber(entries[index][2][2])
      if at <= time then
        oldest = at
        break
      end
    end
    if gone < step then break end
  end
  if floor == from then return end
  if redis.call('HLEN', DROPPED) > 2 * mostChannels then
    -- Too many to remember one by one: from now on, all that are not listed count as dropped up to the floor.
    redis.call('DEL', DROPPED)
    redis.call('HSET', META, 'alldropped', text(floor))
  end
end
`;

/**
 * Numbers, keeps and announces a batch, in one step. After the common arguments: the number of the batch, the epoch that
 * the node believes in, and four for each draft: m or e (ephemeral), its idempotency key, its cost, and its record.
 * Answers `stale` if the node has to check in first; else `ok`, the offset before the batch, the floor, the time, and for each
 * draft its offset: negative if its key was used before, 0 if it is ephemeral.
 */
const APPEND = `${COMMON}
local batch, epoch = tonumber(ARGV[8]), ARGV[9]
local meta = redis.call('HMGET', META, 'epoch', 'run', 'head', 'floor', 'messages', 'bytes', 'oldest')
if meta[1] ~= epoch or meta[2] ~= run then return {'stale'} end
local last = redis.call('HGET', BATCHES, node)
if last then
  last = cmsgpack.unpack(last)
  if last[1] == batch then return last[2] end
  -- It came on a connection that its node has given up.
  if last[1] > batch then return {'stale'} end
end
head, floor, messages, bytes, oldest = tonumber(meta[3]), tonumber(meta[4]), tonumber(meta[5]), tonumber(meta[6]), tonumber(meta[7])
local before, stamp, offsets, lengths, records = head, text(time), {}, {}, {}
for at = 10, #ARGV, 4 do
  local key, record = ARGV[at + 1], ARGV[at + 3]
  if ARGV[at] == 'e' then
    offsets[#offsets + 1] = 0
    lengths[#lengths + 1] = 'e' .. #record
    records[#records + 1] = record
  else
    local used = key ~= '' and string.match(record, '[^\\n]*') .. '\\n' .. key
    local known = used and tonumber(redis.call('HGET', IDEMPOTENCY, used) or 0)
    if known and known > floor then
      offsets[#offsets + 1] = -known
    else
      head = head + 1
      if used then
        redis.call('XADD', LOG, text(head) .. '-0', 't', stamp, 'c', ARGV[at + 2], 'r', record, 'k', key)
        redis.call('HSET', IDEMPOTENCY, used, text(head))
      else
        redis.call('XADD', LOG, text(head) .. '-0', 't', stamp, 'c', ARGV[at + 2], 'r', record)
      end
      oldest = math.min(messages == 0 and time or oldest, time)
      messages = messages + 1
      bytes = bytes + tonumber(ARGV[at + 2])
      offsets[#offsets + 1] = head
      lengths[#lengths + 1] = #record
      records[#records + 1] = record
    end
  end
end
trim(${MAX_DROPPED} + head - before, 64)
if head > before then
  redis.call('HSET', META, 'head', text(head), 'floor', text(floor), 'messages', text(messages), 'bytes', text(bytes), 'oldest', text(oldest))
end
local reply = {'ok', before, floor, time, offsets}
redis.call('HSET', BATCHES, node, cmsgpack.pack({batch, reply}))
if #records > 0 then
  redis.call('PUBLISH', live, table.concat({'batch', node, ARGV[8], epoch, text(before), text(floor), text(time), table.concat(lengths, ',')}, ' ') .. '\\n' .. table.concat(records))
end
return reply
`;

/**
 * Says that a node is there and how far it has got, and answers how far the log is. Begins a new run if needed: in a new
 * engine, in one that was flushed, and in one that took another's place, after the nodes have said how far each had got
 * with the other. If one got further than this engine, or does not say, messages may be lost.
 *
 * After the common arguments: the offset of the last message that the node has (-1: none), its epoch, and an epoch for
 * a new run. Answers `wait` while other nodes have yet to say; `newer` and a format; or `ok`, epoch, head, floor, time,
 * the floor of unknown channels, the time of the last message, all runs unless the node's epoch is the one in use, and
 * how often a channel was purged.
 */
const CHECK_IN = `${COMMON}
local nodeHead, known, fresh = tonumber(ARGV[8]), ARGV[9], ARGV[10]
-- An engine whose memory is full refuses no script that has written: what is too old must go all the same.
redis.call('HDEL', VOTE, '')

local function begin(first, after, last)
  head = last
  if redis.call('HLEN', RUNS) >= ${MAX_RUNS} then
    local firsts = redis.call('HKEYS', RUNS)
    table.sort(firsts, function(a, b) return tonumber(a) < tonumber(b) end)
    redis.call('HDEL', RUNS, firsts[1])
  end
  redis.call('HSET', RUNS, text(first), fresh .. ' ' .. text(after))
  redis.call('HSET', META, 'epoch', fresh, 'run', run, 'head', text(head))
  redis.call('DEL', VOTE)
  redis.call('PUBLISH', live, 'run ' .. fresh)
end

local function runAt(offset)
  local first, epoch = -1, ''
  local runs = redis.call('HGETALL', RUNS)
  for index = 1, #runs, 2 do
    local start = tonumber(runs[index])
    if start <= offset and start > first then first, epoch = start, string.match(runs[index + 1], '%w+') end
  end
  return epoch
end

local meta = redis.call('HMGET', META, 'format', 'run', 'head', 'floor', 'messages', 'bytes', 'oldest', 'epoch')
if meta[1] and tonumber(meta[1]) > ${FORMAT} then return {'newer', meta[1]} end
head, floor, messages, bytes, oldest = tonumber(meta[3] or 0), tonumber(meta[4] or 0), tonumber(meta[5] or 0), tonumber(meta[6] or 0), tonumber(meta[7] or 0)
if not meta[1] or redis.call('XLEN', LOG) ~= messages then
  local isNew = not meta[1] and nodeHead < 0 and redis.call('EXISTS', LOG) == 0
  redis.call('DEL', LOG, DROPPED, IDEMPOTENCY, BATCHES, RUNS, VOTE, PURGED)
  local first = isNew and 0 or math.max(nodeHead, head) + ${HOLE}
  floor, messages, bytes, oldest, head = first, 0, 0, 0, 0
  redis.call('HSET', META, 'format', ${FORMAT}, 'messages', 0, 'bytes', 0, 'oldest', 0, 'floor', text(floor), 'alldropped', text(floor))
  begin(first, -1, first)
elseif meta[2] ~= run then
  if redis.call('HGET', VOTE, 'run') ~= run then
    redis.call('DEL', VOTE)
    redis.call('HSET', VOTE, 'run', run, 'since', text(clock), 'furthest', -1)
  end
  local furthest = math.max(nodeHead, tonumber(redis.call('HGET', VOTE, 'furthest')))
  redis.call('HSET', VOTE, 'furthest', text(furthest), 'node ' .. node, 1)
  local missing = 0
  for _, other in ipairs(redis.call('HKEYS', NODES)) do
    if redis.call('HEXISTS', VOTE, 'node ' .. other) == 0 then missing = missing + 1 end
  end
  local waited = clock - tonumber(redis.call('HGET', VOTE, 'since'))
  -- The clock was set back.
  if waited < 0 then redis.call('HSET', VOTE, 'since', text(clock)) end
  if furthest > head or (missing > 0 and waited > ${VOTE_TIMEOUT}) then
    local first = math.max(head, furthest) + ${HOLE}
    begin(first, head, first)
  elseif missing == 0 then
    begin(head + 1, head, head)
  else
    return {'wait'}
  end
elseif nodeHead > head or (known ~= '' and known ~= meta[8] and nodeHead >= 0 and runAt(nodeHead) ~= '' and runAt(nodeHead) ~= known) then
  local first = math.max(head, nodeHead) + ${HOLE}
  begin(first, head, first)
end
redis.call('HSET', NODES, node, text(clock))
local nodes = redis.call('HGETALL', NODES)
for index = 1, #nodes, 2 do
  if math.abs(clock - tonumber(nodes[index + 1])) > ${FORGOTTEN_AFTER} then
    redis.call('HDEL', NODES, nodes[index])
    -- Its clock may have jumped, and then the node may still send its last batch again.
    if redis.call('HLEN', BATCHES) > ${MAX_RUNS} then redis.call('HDEL', BATCHES, nodes[index]) end
  end
end
trim(${MAX_DROPPED}, oldest < 0 and 2000 or 64)
redis.call('HSET', META, 'floor', text(floor), 'messages', text(messages), 'bytes', text(bytes), 'oldest', text(oldest))
local epoch = redis.call('HGET', META, 'epoch')
local runs = known == epoch and {} or redis.call('HGETALL', RUNS)
local last = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
return {'ok', epoch, head, floor, time, tonumber(redis.call('HGET', META, 'alldropped')), last and tonumber(last[2][2]) or 0, runs,
  tonumber(redis.call('HGET', META, 'purges') or 0)}
`;

/** Adds to a counter that ends by itself; answers its value and the milliseconds that it has left. */
const COUNT = `
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {total, left}
`;

/**
 * Makes a log of what was written under other names: the keys of the log, beginning with `meta`, then those of its
 * parts, in the same order. Answers 0 if there is a log already.
 */
const PUBLISH_ARCHIVE = `
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end
for at = 2, 5 do
  redis.call('DEL', KEYS[at])
  if redis.call('EXISTS', KEYS[at + 4]) > 0 then
    redis.call('RENAME', KEYS[at + 4], KEYS[at])
    redis.call('PERSIST', KEYS[at])
  end
end
redis.call('HSET', KEYS[1], 'run', string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), unpack(ARGV))
return 1
`;

/** Sets a value that is still what the caller found; answers whether it was. */
const REPLACE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`;

/** Sets a field of a hash, or removes it, if it is still what the caller found; answers whether it was. */
const REPLACE_FIELD = `
local before = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '=' .. (before or '') and before or ARGV[2] == '' and not before then
  if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], string.sub(ARGV[3], 2)) end
  return 1
end
return 0
`;

/** What an engine says of itself. */
export const info: Script = scriptOf("return redis.call('INFO')");
export const append: Script = scriptOf(APPEND);
export const checkIn: Script = scriptOf(CHECK_IN);
export const count: Script = scriptOf(COUNT);
export const replace: Script = scriptOf(REPLACE);
export const replaceField: Script = scriptOf(REPLACE_FIELD);
export const publishArchive: Script = scriptOf(PUBLISH_ARCHIVE);

/** The script of a text. */
export function scriptOf(lua: string): Script {
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}
