-- Give an abandoned claim back, unless somebody was faster or its owner has renewed or begun it.
--
-- KEYS: unacked, unacked_index
-- ARGV: tag, the time up to which it may have been claimed or renewed, then list and message, for each list
-- Returns: 1 if it was given back

local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not score or tonumber(score) > tonumber(ARGV[2]) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
for at = 3, #ARGV, 2 do
  redis.call('RPUSH', ARGV[at], ARGV[at + 1])
end
return 1
