-- Concludes an attempt: notes that it failed, which begins a wait if that reaches the limit, or takes it back, with the wait
-- that others may have begun while it was counted.
--
-- KEYS: the lists of the limits that count failures. ARGV: when the attempt was counted, now, and 1 if it failed or 0; then
-- for each limit: how many it allows, the beginning of its window, the end of a wait that begins now, and how long to keep
-- that, in milliseconds.

for limit, key in ipairs(KEYS) do
    local function argument(name) return ARGV[3 + (limit - 1) * 4 + name] end
    local COUNT, BEGIN, UNTIL, KEEP = 1, 2, 3, 4

    local last = redis.call('LINDEX', key, -1)
    local waits = last and string.sub(last, 1, 1) == '-'
    if waits and tonumber(string.sub(last, 2)) <= tonumber(ARGV[2]) then
        redis.call('DEL', key)
    elseif ARGV[3] == '0' then
        if redis.call('LREM', key, -1, ARGV[1]) == 1 and waits then redis.call('RPOP', key) end
    elseif redis.call('LPOS', key, ARGV[1]) then
        -- What waits begins its wait anew, as the last failure does.
        if waits then redis.call('RPOP', key) end
        local first = redis.call('LINDEX', key, -tonumber(argument(COUNT)))
        if first and tonumber(first) > tonumber(argument(BEGIN)) then
            redis.call('RPUSH', key, '-' .. argument(UNTIL))
            redis.call('PEXPIRE', key, argument(KEEP))
        elseif waits then
            redis.call('RPUSH', key, last)
        end
    end
end
