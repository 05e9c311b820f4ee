-- Keep a value if the key has the expected one.
--
-- KEYS: the key
-- ARGV: whether a value is expected (0 or 1), it, whether to keep one (0 or 1), it, milliseconds ('' for ever)

local found = redis.call('GET', KEYS[1])
if ARGV[1] == '0' then
  if found then return 0 end
elseif found ~= ARGV[2] then
  return 0
end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
elseif ARGV[5] == '' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
return 1
