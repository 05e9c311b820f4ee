-- Settle many claims of one owner. A claim that is not there any more is passed over.
--
-- A begun claim keeps its note, and leaves the index: Celery's workers restore what they find there and nothing else.
--
-- KEYS: unacked, unacked_index, the numbers that the owner has begun
-- ARGV: owner, then runs of numbers (`1-5,9-9`) of the claims to begin, of those to forget that were not begun,
--       of those to forget that were

local CHUNK = 1000
local unacked, index, begun = KEYS[1], KEYS[2], KEYS[3]
local prefix = ARGV[1] .. '.'

-- To begin also where the memory is full: see claim.lua.
redis.call('ZREM', index, '')

local function each_chunk(runs, act)
  local tags, numbers = {}, {}
  for from, to in string.gmatch(runs, '(%d+)-(%d+)') do
    for number = tonumber(from), tonumber(to) do
      numbers[#numbers + 1] = number
      tags[#tags + 1] = prefix .. number
      if #tags == CHUNK then
        act(tags, numbers)
        tags, numbers = {}, {}
      end
    end
  end
  if #tags > 0 then act(tags, numbers) end
end

each_chunk(ARGV[2], function(tags, numbers)
  if redis.call('ZREM', index, unpack(tags)) < #tags then
    -- Some have begun already, or are not there any more: what is read late must not begin those.
    local there = {}
    for at, tag in ipairs(tags) do
      if redis.call('HEXISTS', unacked, tag) == 1 then there[#there + 1] = numbers[at] end
    end
    numbers = there
  end
  if #numbers > 0 then redis.call('SADD', begun, unpack(numbers)) end
end)

each_chunk(ARGV[3], function(tags)
  redis.call('HDEL', unacked, unpack(tags))
  redis.call('ZREM', index, unpack(tags))
end)

each_chunk(ARGV[4], function(tags, numbers)
  redis.call('HDEL', unacked, unpack(tags))
  redis.call('SREM', begun, unpack(numbers))
end)
return 1
