-- Count some of the notes of claims, by queue, so that no message has to travel for it.
--
-- A tag with a colon is of a message that waits for its time; see defer.lua.
--
-- KEYS: unacked
-- ARGV: where to go on ('0': from the beginning), then how the notes of each queue end
-- Returns: where to go on the next time ('0': that was all), then for each queue how many wait and how many are claimed

local CHUNK = 500
local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', CHUNK)
local answer = {found[1]}
for at = 2, 2 * #ARGV - 1 do
  answer[at] = 0
end
local notes = found[2]
for at = 1, #notes, 2 do
  local note = notes[at + 1]
  for queue = 2, #ARGV do
    if string.sub(note, -#ARGV[queue]) == ARGV[queue] then
      local place = 2 * (queue - 1) + (string.find(notes[at], ':', 1, true) and 0 or 1)
      answer[place] = answer[place] + 1
      break
    end
  end
end
return answer
