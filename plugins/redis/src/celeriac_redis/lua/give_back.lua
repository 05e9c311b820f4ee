-- Give claimed messages back to their lists, in the order given. What is not claimed any more is passed over.
--
-- KEYS: unacked, unacked_index, the numbers that the owner has begun
-- ARGV: owner, then for each: number, list, the length of the end of its note, the side of the list (`R`: the next to
--       be taken, `L`: the last), the message as it goes back ('' for as it came)

for at = 2, #ARGV, 5 do
  local number, list, length, side, text = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4]
  local tag = ARGV[1] .. '.' .. number
  local note = redis.call('HGET', KEYS[1], tag)
  if note then
    if text == '' then text = string.sub(note, 2, #note - length) end
    redis.call(side == 'R' and 'RPUSH' or 'LPUSH', list, text)
    redis.call('HDEL', KEYS[1], tag)
    redis.call('ZREM', KEYS[2], tag)
    redis.call('SREM', KEYS[3], number)
  end
end
return 1
