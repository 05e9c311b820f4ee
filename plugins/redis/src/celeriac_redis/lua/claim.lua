-- Take messages from queues and note them as claimed, in one step that the server does whole or not at all.
--
-- What has come due goes to its list first. Messages are noted in `unacked`, the way Celery notes them, before they
-- leave their lists: had the server no memory for the notes, nothing would have been taken.
--
-- KEYS: unacked, unacked_index, eta, owners, then the lists: all queues of the most urgent priority, and so on
-- ARGV: how many, owner, number of the first claim, queues per priority, 1 to take from the first queue while there is
--       anything (0: from all alike), what stands between two messages, then the end of a note for each list
-- Returns: the time, when the next message comes due (or ''), how many messages come from each list, and the messages,
--          in portions of several

local CHUNK = 1000
local unacked, index, eta, owners = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local left, owner, number = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local width, in_order, divider = tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6]
local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])

-- A server whose memory is full refuses a script at its first write that may need more, and not later. Taking messages
-- is what will free some: begin with a write that needs none.
redis.call('ZREM', index, '')
redis.call('ZADD', owners, now, owner)

-- A tag of these says how much of its note is message, and to which list that belongs.
local due = redis.call('ZRANGEBYSCORE', eta, '-inf', now, 'LIMIT', 0, 500)
for at = #due, 1, -1 do
  local tag = due[at]
  local length, list = string.match(tag, '^[^:]*:(%d+):(.*)$')
  local note = redis.call('HGET', unacked, tag)
  if note and list then
    redis.call('RPUSH', list, string.sub(note, 2, #note - tonumber(length)))
    redis.call('HDEL', unacked, tag)
    redis.call('ZREM', index, tag)
  end
  redis.call('ZREM', eta, tag)
end

local lists = #KEYS - 4
local messages, notes, scores, counts = {}, {}, {}, {}
local first = 1
while first <= lists do
  local last = math.min(first + width - 1, lists)
  local there, wanted, active = {}, {}, 0
  if left > 0 then
    for at = first, last do
      there[at] = redis.call('LLEN', KEYS[4 + at])
      wanted[at] = 0
      if there[at] > 0 then active = active + 1 end
    end
  end
  while left > 0 and active > 0 do
    local share = in_order and left or math.max(1, math.floor(left / active))
    active = 0
    for at = first, last do
      local more = math.min(share, there[at] - wanted[at], left)
      wanted[at] = wanted[at] + more
      left = left - more
      if there[at] > wanted[at] then active = active + 1 end
    end
  end
  for at = first, last do
    counts[at] = wanted[at] or 0
    if counts[at] > 0 then
      local found = redis.call('LRANGE', KEYS[4 + at], -counts[at], -1)
      local tail = ARGV[6 + at]
      for place = #found, 1, -1 do
        local tag = owner .. '.' .. number
        number = number + 1
        messages[#messages + 1] = found[place]
        notes[#notes + 1] = tag
        notes[#notes + 1] = '[' .. found[place] .. tail
        scores[#scores + 1] = now
        scores[#scores + 1] = tag
      end
    end
  end
  first = last + 1
end

for start = 1, #notes, CHUNK do
  local finish = math.min(start + CHUNK - 1, #notes)
  redis.call('HSET', unacked, unpack(notes, start, finish))
  redis.call('ZADD', index, unpack(scores, start, finish))
end
for at = 1, lists do
  if counts[at] > 0 then
    redis.call('LTRIM', KEYS[4 + at], 0, -counts[at] - 1)
  end
end

-- Several at once are cheap for both sides: one expression copies each once, where table.concat copies many times.
local portions, place = {}, 1
while place + 7 <= #messages do
  portions[#portions + 1] = messages[place] .. divider .. messages[place + 1] .. divider .. messages[place + 2] .. divider
    .. messages[place + 3] .. divider .. messages[place + 4] .. divider .. messages[place + 5] .. divider
    .. messages[place + 6] .. divider .. messages[place + 7]
  place = place + 8
end
while place <= #messages do
  portions[#portions + 1] = messages[place]
  place = place + 1
end

local next_due = redis.call('ZRANGE', eta, 0, 0, 'WITHSCORES')
return {now, next_due[2] or '', counts, portions}
