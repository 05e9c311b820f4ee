-- Take over begun messages of a dead owner, each once.
--
-- KEYS: unacked, the numbers that the dead owner had begun, those of the heir
-- ARGV: dead owner, heir, number of the heir's first claim, how many at most, then the ends of the notes of the heir's
--       queues
-- Returns: the notes

local mine, found = {}, {}
for at = 5, #ARGV do mine[#mine + 1] = ARGV[at] end
local number, left = tonumber(ARGV[3]), tonumber(ARGV[4])
for _, old in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if left == 0 then break end
  local tag = ARGV[1] .. '.' .. old
  local note = redis.call('HGET', KEYS[1], tag)
  if not note then
    redis.call('SREM', KEYS[2], old)
  else
    for _, tail in ipairs(mine) do
      if string.sub(note, -#tail) == tail then
        redis.call('HSET', KEYS[1], ARGV[2] .. '.' .. number, note)
        redis.call('SADD', KEYS[3], number)
        redis.call('HDEL', KEYS[1], tag)
        redis.call('SREM', KEYS[2], old)
        found[#found + 1] = note
        number = number + 1
        left = left - 1
        break
      end
    end
  end
end
return found
