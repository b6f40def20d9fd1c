-- One step of a shared rate limit. The rules, and the reasons for them, are those of _wire/shared_rate.py.
--
-- KEYS[1]  the state of one key, a hash
-- ARGV     the step; the process that asks; the step's value; the fixed rate, or 0; the time, or "" for the server's

local LEASE, CATCH_UP, ASK_AGAIN, SILENT = 0.1, 0.05, 0.1, 1
local MEASURE, MAX_MEASURE = 4, 15
local KEPT, MIN_KEPT, MIN_BETWEEN_CUTS = 0.98, 0.85, 0.5
local EXPIRY, MIN_USABLE, MAX_USABLE, MIN_RATE = 60, 0.5, 2.1, 4
local HEADROOM, GROWTH, PLATEAU = 0.02, 0.01, 12
local MAX_STEP_BACK, MAX_WAIT = 1, 1e9
local STATE_MILLISECONDS = 120000

local step, owner, value, fixed = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = tonumber(ARGV[5])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local TIMES = {'learned_at', 'measured_at', 'refused_at', 'due', 'held_until', 'owner_at', 'measuring_from',
    'measuring_until', 'free_until'}
local NAMES = {'learnt', 'measured', 'changed_at', unpack(TIMES)}
local found = redis.call('HMGET', KEYS[1], 'owner', unpack(NAMES))
local state = {owner = found[1] or ''}
for index, name in ipairs(NAMES) do
    state[name] = tonumber(found[index + 1] or '-inf') or -math.huge
end
state.learnt = math.max(0, state.learnt)
state.measured = math.max(0, state.measured) -- 0: not measured

local function rate()
    if fixed > 0 then return fixed end
    if state.measured == 0 or now - state.refused_at > EXPIRY then return nil end
    local seconds = math.max(0, now - state.measured_at)
    return math.max(MIN_RATE, state.measured * (1 - HEADROOM + GROWTH * ((seconds - PLATEAU) / PLATEAU) ^ 3))
end

local function save()
    state.changed_at = now
    local fields = {'owner', state.owner}
    for _, name in ipairs(NAMES) do
        if state[name] > -math.huge then
            table.insert(fields, name)
            table.insert(fields, string.format('%.17g', state[name]))
        else
            redis.call('HDEL', KEYS[1], name)
        end
    end
    redis.call('HSET', KEYS[1], unpack(fields))
    local wait = math.min(MAX_WAIT, math.max(0, state.held_until - now, state.due - now))
    redis.call('PEXPIRE', KEYS[1], STATE_MILLISECONDS + math.ceil(1000 * wait))
end

local back = state.changed_at - now
if back > MAX_STEP_BACK then
    for _, name in ipairs(TIMES) do state[name] = state[name] - back end
    save()
end

local function answer(count, wait, spacing, measure)
    return {count, string.format('%.17g', wait), string.format('%.17g', spacing), measure}
end

local steps = {}

function steps.reserve()
    if now < state.held_until then return answer(0, state.held_until - now, 0, 0) end
    local allowed = rate()
    if not allowed then
        if now >= state.measuring_until then return answer(value, 0, 0, 0) end
        local silent = now > math.max(state.owner_at, state.held_until) + SILENT
        if state.owner == '' or silent then state.owner = owner end
        if owner == state.owner then state.owner_at = now end
        save()
        if owner ~= state.owner then return answer(0, math.min(ASK_AGAIN, state.measuring_until - now), 0, 0) end
        return answer(value, 0, 0, 1)
    end
    if value == 0 then return answer(0, 0, 0, 0) end
    local count = math.min(value, math.max(1, math.floor(allowed * LEASE)))
    local first = math.max(state.due, now - CATCH_UP, state.held_until)
    state.due = first + count / allowed
    save()
    return answer(count, math.max(0, first - now), 1 / allowed, 0)
end

function steps.give_back()
    local allowed = rate()
    if allowed then
        state.due = state.due - value / allowed
        save()
    end
end

function steps.refused()
    local held = now < state.held_until
    state.held_until = math.max(state.held_until, now + value)
    local allowed = rate()
    local may_measure = now >= state.free_until and value >= MIN_USABLE and value <= MAX_USABLE
    local least = MIN_KEPT * state.learnt
    local function is_outdated() return KEPT * allowed < least and now - state.learned_at > EXPIRY end
    if fixed == 0 and allowed and not (may_measure and is_outdated()) then
        if not held and now - state.refused_at >= MIN_BETWEEN_CUTS then
            state.measured, state.measured_at = math.max(KEPT * allowed, least), state.held_until
        end
        state.refused_at = now
    elseif fixed == 0 and now < state.measuring_until then
        state.measuring_until = math.min(state.held_until + MEASURE, state.measuring_from + MAX_MEASURE)
        state.free_until = state.measuring_until + EXPIRY
    elseif fixed == 0 and may_measure then
        state.owner, state.owner_at, state.measured, state.measuring_from = '', -math.huge, 0, now
        state.measuring_until = state.held_until + MEASURE
        state.free_until = state.measuring_until + EXPIRY
    end
    save()
end

function steps.learned()
    if fixed == 0 and owner == state.owner and now < state.measuring_until then
        state.learnt, state.measured = value, value
        state.learned_at, state.measured_at, state.refused_at = now, now, now
        state.due, state.measuring_until = -math.huge, -math.huge
        save()
    end
end

return steps[step]()
