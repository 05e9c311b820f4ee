-- Give claimed messages back to their lists, in the order given. What is not claimed any more is passed over.
--
-- KEYS: unacked, unacked_index, the owner's begun
-- ARGV: for each: tag, list, the length of the end of its note, the side of the list (`R`: the next to be taken,
--       `L`: the last), the message as it goes back ('' for as it came)

for at = 1, #ARGV, 5 do
  local tag, list, length, side, text = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4]
  local note = redis.call('HGET', KEYS[1], tag) or redis.call('HGET', KEYS[3], tag)
  if note then
    if text == '' then text = string.sub(note, 2, #note - length) end
    redis.call(side == 'R' and 'RPUSH' or 'LPUSH', list, text)
    redis.call('HDEL', KEYS[1], tag)
    redis.call('HDEL', KEYS[3], tag)
    redis.call('ZREM', KEYS[2], tag)
  end
end
return 1
