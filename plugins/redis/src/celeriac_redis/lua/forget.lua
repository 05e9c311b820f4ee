-- Take an owner off the list, unless it was heard of since or has left begun messages for an heir.
--
-- KEYS: owners, the numbers that the owner has begun
-- ARGV: owner, the time up to which it was heard of
-- Returns: 1 if it is not on the list any more

local heard = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not heard then return 1 end
if tonumber(heard) > tonumber(ARGV[2]) or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
