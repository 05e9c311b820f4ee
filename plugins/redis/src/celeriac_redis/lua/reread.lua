-- The notes of claims whose answer was lost on its way.
--
-- KEYS: unacked
-- ARGV: owner, first number, last number
-- Returns: number, note, number, note ...

local found = {}
for number = tonumber(ARGV[2]), tonumber(ARGV[3]) do
  local note = redis.call('HGET', KEYS[1], ARGV[1] .. '.' .. number)
  if note then
    found[#found + 1] = number
    found[#found + 1] = note
  end
end
return found
