-- Count some of the notes of claims, by queue, so that no message has to travel for it.
--
-- A tag with a colon is of a message that waits for its time; see defer.lua.
--
-- KEYS: unacked, eta
-- ARGV: where to go on ('0': from the beginning), then how the notes of each queue end
-- Returns: where to go on the next time ('0': that was all), then for each queue how many wait, how many are claimed, and
--          when the first of those that wait is due ('': none waits)

local CHUNK = 500
local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', CHUNK)
local answer = {found[1]}
for at = 2, 3 * #ARGV - 2, 3 do
  answer[at], answer[at + 1], answer[at + 2] = 0, 0, ''
end
local notes = found[2]
for at = 1, #notes, 2 do
  local note = notes[at + 1]
  for queue = 2, #ARGV do
    if string.sub(note, -#ARGV[queue]) == ARGV[queue] then
      local place = 3 * queue - 4
      if string.find(notes[at], ':', 1, true) then
        answer[place] = answer[place] + 1
        local due, first = redis.call('ZSCORE', KEYS[2], notes[at]), answer[place + 2]
        if due and (first == '' or tonumber(due) < tonumber(first)) then answer[place + 2] = due end
      else
        answer[place + 1] = answer[place + 1] + 1
      end
      break
    end
  end
end
return answer
