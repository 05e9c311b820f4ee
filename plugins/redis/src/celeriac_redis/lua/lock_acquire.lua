-- Have a lock, or keep it: the token, 0 where another has it.
--
-- KEYS: the lock (its owner), its token
-- ARGV: the owner, milliseconds

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if not holder then redis.call('INCR', KEYS[2]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return tonumber(redis.call('GET', KEYS[2]))
