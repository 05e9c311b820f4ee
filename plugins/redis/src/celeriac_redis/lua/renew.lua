-- Say that an owner lives, and that its claims are not abandoned.
--
-- KEYS: owners, unacked_index
-- ARGV: owner, runs of the numbers of its claims (`1-5,9-9`)

local CHUNK = 1000
local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
local scores = {}
for from, to in string.gmatch(ARGV[2], '(%d+)-(%d+)') do
  for number = tonumber(from), tonumber(to) do
    scores[#scores + 1] = now
    scores[#scores + 1] = ARGV[1] .. '.' .. number
    if #scores == CHUNK then
      redis.call('ZADD', KEYS[2], 'XX', unpack(scores))
      scores = {}
    end
  end
end
if #scores > 0 then redis.call('ZADD', KEYS[2], 'XX', unpack(scores)) end
return 1
