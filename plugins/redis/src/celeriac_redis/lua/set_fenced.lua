-- Keep values unless a lock has been given to another since.
--
-- KEYS: the token of the lock, the keys of the values
-- ARGV: the token, for each value whether to keep it (0 or 1) and it

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for place = 2, #KEYS do
  if ARGV[2 * place - 2] == '1' then
    redis.call('SET', KEYS[place], ARGV[2 * place - 1])
  else
    redis.call('DEL', KEYS[place])
  end
end
return 1
