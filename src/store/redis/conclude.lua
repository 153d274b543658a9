-- Concludes an attempt: notes that it failed, which begins a wait if that reaches the limit, or takes it back, with the wait
-- that others may have begun while it was counted.
--
-- KEYS: the lists of the limits that count failures, and last the index of who is locked out of the operation. ARGV: when the
-- attempt was counted, now, and 1 if it failed or 0; then for each limit: how many it allows, the beginning of its window, the
-- end of a wait that begins now, how long to keep that, in milliseconds, and its name in the index.
-- Returns the places of the limits that begin to wait.

local now = tonumber(ARGV[2])
local index = KEYS[#KEYS]
local begun = {}

for limit = 1, #KEYS - 1 do
    local key = KEYS[limit]
    local function argument(name) return ARGV[3 + (limit - 1) * 5 + name] end
    local COUNT, BEGIN, UNTIL, KEEP, NAME = 1, 2, 3, 4, 5

    local last = redis.call('LINDEX', key, -1)
    local waits = last and string.sub(last, 1, 1) == '-'
    if waits and tonumber(string.sub(last, 2)) <= now then
        redis.call('DEL', key)
    elseif ARGV[3] == '0' then
        if redis.call('LREM', key, -1, ARGV[1]) == 1 and waits then
            redis.call('RPOP', key)
            redis.call('ZREM', index, argument(NAME))
        end
    elseif redis.call('LPOS', key, ARGV[1]) then
        -- What waits begins its wait anew, as the last failure does.
        if waits then redis.call('RPOP', key) end
        local first = redis.call('LINDEX', key, -tonumber(argument(COUNT)))
        if first and tonumber(first) > tonumber(argument(BEGIN)) then
            redis.call('RPUSH', key, '-' .. argument(UNTIL))
            redis.call('PEXPIRE', key, argument(KEEP))
            redis.call('ZREMRANGEBYSCORE', index, '-inf', ARGV[2])
            redis.call('ZADD', index, argument(UNTIL), argument(NAME))
            if redis.call('PTTL', index) < tonumber(argument(KEEP)) then redis.call('PEXPIRE', index, argument(KEEP)) end
            if not waits then begun[#begun + 1] = limit end
        elseif waits then
            redis.call('RPUSH', key, last)
        end
    end
end
return begun
