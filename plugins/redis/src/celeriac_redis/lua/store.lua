-- Store results and tell who waits for them. A SUCCESS that is there stays.
--
-- KEYS: the key of each result, which is also the channel on which it is told
-- ARGV: for each: milliseconds to keep it ('' for ever), the result, and the hash of the earlier result that the caller
--       has seen and found replaceable ('' where it has seen none)
-- Returns: the places (from 1) of results that were not stored, because the script cannot read the earlier one

local unread = {}
for at = 1, #KEYS do
  local expires, result, seen = ARGV[at * 3 - 2], ARGV[at * 3 - 1], ARGV[at * 3]
  local old = redis.call('GET', KEYS[at])
  local store = true
  if old and not (seen ~= '' and redis.sha1hex(old) == seen) then
    local read, meta = pcall(cjson.decode, old)
    if not read or type(meta) ~= 'table' then
      unread[#unread + 1] = at
      store = false
    elseif meta['status'] == 'SUCCESS' then
      store = false
    end
  end
  if store then
    if expires == '' then
      redis.call('SET', KEYS[at], result)
    else
      redis.call('SET', KEYS[at], result, 'PX', expires)
    end
    redis.call('PUBLISH', KEYS[at], result)
  end
end
return unread
