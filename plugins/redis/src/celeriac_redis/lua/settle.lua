-- Settle many claims of one owner. A claim that is not there any more is passed over.
--
-- KEYS: unacked, unacked_index, the owner's begun
-- ARGV: owner, then runs of numbers (`1-5,9-9`) of the claims to begin, of those to forget that were not begun,
--       of those to forget that were

local CHUNK = 1000
local unacked, index, begun = KEYS[1], KEYS[2], KEYS[3]
local prefix = ARGV[1] .. '.'

-- To begin also where the memory is full: see claim.lua.
redis.call('ZREM', index, '')

local function each_chunk(runs, act)
  local tags = {}
  for from, to in string.gmatch(runs, '(%d+)-(%d+)') do
    for number = tonumber(from), tonumber(to) do
      tags[#tags + 1] = prefix .. number
      if #tags == CHUNK then
        act(tags)
        tags = {}
      end
    end
  end
  if #tags > 0 then act(tags) end
end

each_chunk(ARGV[2], function(tags)
  local notes = redis.call('HMGET', unacked, unpack(tags))
  local moved = {}
  for at = 1, #tags do
    if notes[at] then
      moved[#moved + 1] = tags[at]
      moved[#moved + 1] = notes[at]
    end
  end
  if #moved > 0 then
    redis.call('HSET', begun, unpack(moved))
    redis.call('HDEL', unacked, unpack(tags))
    redis.call('ZREM', index, unpack(tags))
  end
end)

each_chunk(ARGV[3], function(tags)
  redis.call('HDEL', unacked, unpack(tags))
  redis.call('ZREM', index, unpack(tags))
end)

each_chunk(ARGV[4], function(tags)
  redis.call('HDEL', begun, unpack(tags))
end)
return 1
