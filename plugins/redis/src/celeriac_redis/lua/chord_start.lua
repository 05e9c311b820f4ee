-- Say how many parts complete a chord, unless that is known or its body has been called.
--
-- KEYS: size, claim, body
-- ARGV: the size, the body ('' for none), milliseconds to keep them ('' for ever)

if redis.call('GET', KEYS[2]) == 'done' then return 0 end
if redis.call('SETNX', KEYS[1], ARGV[1]) == 0 then return 0 end
if ARGV[2] ~= '' then redis.call('SET', KEYS[3], ARGV[2]) end
if ARGV[3] ~= '' then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
return 1
