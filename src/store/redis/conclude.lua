-- Concludes an attempt: notes that it failed, which begins a wait if that reaches the limit, or takes it back, with the wait
-- that others may have begun while it was counted.
--
-- KEYS: the lists of the limits that count failures, and last the two of who is locked out of the operation. ARGV: when the
-- attempt was counted, now, and 1 if it failed or 0; then for each limit: how many it allows, the beginning of its window, the
-- end of a wait that begins now, how long to keep that, in milliseconds, and the name of whom it counts against, as in the
-- index and sealed.
-- Returns the places of the limits that begin to wait.

local now = tonumber(ARGV[2])
local begun = {}
-- More than an attempt can add, so that what is over does not pile up.
local STRUCK_AT_ONCE = 100

for limit = 1, #KEYS - 2 do
    local key = KEYS[limit]
    local function argument(name) return ARGV[3 + (limit - 1) * 6 + name] end
    local COUNT, BEGIN, UNTIL, KEEP, NAME, SEALED = 1, 2, 3, 4, 5, 6

    local last = redis.call('LINDEX', key, -1)
    local waits = last and string.sub(last, 1, 1) == '-'
    if waits and tonumber(string.sub(last, 2)) <= now then
        redis.call('DEL', key)
    elseif ARGV[3] == '0' then
        if redis.call('LREM', key, -1, ARGV[1]) == 1 and waits then
            redis.call('RPOP', key)
            strike(argument(NAME))
        end
    elseif redis.call('LPOS', key, ARGV[1]) then
        -- What waits begins its wait anew, as the last failure does.
        if waits then redis.call('RPOP', key) end
        local first = redis.call('LINDEX', key, -tonumber(argument(COUNT)))
        if first and tonumber(first) > tonumber(argument(BEGIN)) then
            redis.call('RPUSH', key, '-' .. argument(UNTIL))
            redis.call('PEXPIRE', key, argument(KEEP))
            strike_over(ARGV[2], STRUCK_AT_ONCE)
            enter(argument(NAME), argument(SEALED), argument(UNTIL), argument(KEEP))
            if not waits then begun[#begun + 1] = limit end
        elseif waits then
            redis.call('RPUSH', key, last)
        end
    end
end
return begun
