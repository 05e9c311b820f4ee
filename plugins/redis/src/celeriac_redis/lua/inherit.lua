-- Take over begun messages of a dead owner, each once.
--
-- This may be read long after it was sent: nothing is taken from an owner that was heard of since, and nothing given to
-- an heir that has gone.
--
-- KEYS: unacked, the numbers that the dead owner had begun, those of the heir, owners
-- ARGV: dead owner, heir, number of the heir's first claim, how many at most, the time up to which the dead one was heard
--       of, then the ends of the notes of the heir's queues
-- Returns: the notes

local heard = redis.call('ZSCORE', KEYS[4], ARGV[1])
if not heard or tonumber(heard) > tonumber(ARGV[5]) or not redis.call('ZSCORE', KEYS[4], ARGV[2]) then return {} end
local mine, found = {}, {}
for at = 6, #ARGV do mine[#mine + 1] = ARGV[at] end
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
