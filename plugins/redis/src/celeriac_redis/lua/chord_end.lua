-- Forget the parts of a chord whose body has been called, and remember that it was.
--
-- KEYS: claim, then all other keys of the chord
-- ARGV: milliseconds to remember it

redis.call('SET', KEYS[1], 'done', 'PX', ARGV[1])
for at = 2, #KEYS do redis.call('DEL', KEYS[at]) end
return 1
