-- Take over begun messages of a dead owner, each once.
--
-- KEYS: the dead owner's begun, the heir's begun
-- ARGV: heir, number of the first claim, how many at most, then the ends of the notes of the heir's queues
-- Returns: the notes

local mine, found = {}, {}
for at = 4, #ARGV do mine[ARGV[at]] = true end
local number, left = tonumber(ARGV[2]), tonumber(ARGV[3])
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  if left == 0 then break end
  local tag, note = all[at], all[at + 1]
  for tail in pairs(mine) do
    if string.sub(note, -#tail) == tail then
      redis.call('HSET', KEYS[2], ARGV[1] .. '.' .. number, note)
      redis.call('HDEL', KEYS[1], tag)
      found[#found + 1] = note
      number = number + 1
      left = left - 1
      break
    end
  end
end
return found
