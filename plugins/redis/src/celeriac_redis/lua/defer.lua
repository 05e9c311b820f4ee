-- Put claimed messages away until they are due.
--
-- They stay in `unacked`, dated so that to a Celery worker they look abandoned at the moment when they are due: it
-- would restore them then. The set `eta` only makes that quick.
--
-- KEYS: unacked, unacked_index, eta
-- ARGV: visibility timeout, then for each: tag of the claim, when it is due, the tag to keep it under

for at = 2, #ARGV, 3 do
  local tag, due, kept = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local note = redis.call('HGET', KEYS[1], tag)
  if note then
    redis.call('HSET', KEYS[1], kept, note)
    redis.call('ZADD', KEYS[2], string.format('%.6f', tonumber(due) - tonumber(ARGV[1])), kept)
    redis.call('ZADD', KEYS[3], due, kept)
    redis.call('HDEL', KEYS[1], tag)
    redis.call('ZREM', KEYS[2], tag)
  end
end
return 1
