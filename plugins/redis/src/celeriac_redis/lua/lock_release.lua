-- Give a lock up: 1 if the owner had it.
--
-- KEYS: the lock
-- ARGV: the owner

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
