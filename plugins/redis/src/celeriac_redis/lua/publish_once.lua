-- Put a message into lists unless one with its id was put there before.
--
-- KEYS: what remembers the id, the lists
-- ARGV: milliseconds for which it is remembered, the message

if not redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[1]) then return 0 end
for place = 2, #KEYS do redis.call('LPUSH', KEYS[place], ARGV[2]) end
return 1
