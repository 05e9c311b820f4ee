-- Add a part to a chord, if there is one, and see whose turn it is to call the body. Celery 5.7 does the same.
--
-- KEYS: parts, extra count, size, names of the parts, claim, body
-- ARGV: the part, its place, its name ('' for no part), milliseconds to keep the chord ('' for ever), a token,
--       milliseconds to hold a claim
-- Returns: 1: the caller is to call the body; 2: the chord is complete, another caller is about to, and the part is
--          one that came again (or there is none); 0 otherwise

local claim = redis.call('GET', KEYS[5])
if claim == 'done' then return 0 end
local again = true
if ARGV[3] ~= '' then
  again = redis.call('SADD', KEYS[4], ARGV[3]) == 0
  if not again then redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1]) end
  if ARGV[4] ~= '' then
    for _, at in ipairs({1, 2, 3, 4, 6}) do redis.call('PEXPIRE', KEYS[at], ARGV[4]) end
  end
end
local size = redis.call('GET', KEYS[3])
if not size then return 0 end
local wanted = tonumber(size) + tonumber(redis.call('GET', KEYS[2]) or 0)
if redis.call('ZCARD', KEYS[1]) < wanted then return 0 end
if claim then return again and 2 or 0 end
redis.call('SET', KEYS[5], ARGV[5], 'PX', ARGV[6])
return 1
