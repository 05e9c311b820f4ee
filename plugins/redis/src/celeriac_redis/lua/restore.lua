-- Give an abandoned claim back, unless somebody was faster or its owner has renewed it.
--
-- KEYS: unacked, unacked_index
-- ARGV: tag, the time up to which it may have been claimed or renewed, then list and message, for each list
-- Returns: 1 if it was given back

local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
if score and tonumber(score) > tonumber(ARGV[2]) then return 0 end
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
for at = 3, #ARGV, 2 do
  redis.call('RPUSH', ARGV[at], ARGV[at + 1])
end
return 1
