-- Who is locked out of an operation, kept twice: by when that ends, so that what is over is found, and by name, so that it is
-- read page by page in an order that does not change. The second one is followed by what it is called, sealed; its scores are
-- all the same.

local index, names = KEYS[#KEYS - 1], KEYS[#KEYS]

local function strike(name)
    redis.call('ZREM', index, name)
    redis.call('ZREMRANGEBYLEX', names, '[' .. name .. ':', '(' .. name .. ';')
end

-- Tells how many it was: there may be more than `most`.
local function strike_over(now, most)
    local over = redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, most)
    for _, name in ipairs(over) do strike(name) end
    return #over
end

local function enter(name, sealed, until_time, keep)
    strike(name)
    redis.call('ZADD', index, until_time, name)
    redis.call('ZADD', names, 0, name .. ':' .. sealed)
    for _, key in ipairs({ index, names }) do
        if redis.call('PTTL', key) < tonumber(keep) then redis.call('PEXPIRE', key, keep) end
    end
end
