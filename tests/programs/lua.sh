# SPDX-License-Identifier: MIT
# Lua asks realloc for everything: tables that grow, strings, closures, coroutines, a collector at work.
export LD_LIBRARY_PATH=$PEERS/usr/lib/x86_64-linux-gnu PATH=$PEERS/usr/bin:$PATH
command -v lua5.4 >/dev/null || bash "$HERE/../peers.sh" lua5.4 >peers.log 2>&1 || { tail -n 1 peers.log >&2; exit 77; }
cat >work.lua <<'LUA'
local scale = tonumber(arg[1])
local seed = 7
local function draw(n) seed = (seed * 1103515245 + 12345) % 2147483648; return seed // 65536 % n + 1 end

local words, count = {}, {}
for i = 1, 40000 * scale do
    local word = string.rep(string.char(96 + draw(26)), draw(5)) .. draw(900)
    words[#words + 1] = word
    count[word] = (count[word] or 0) + 1
end
local distinct = {}
for word in pairs(count) do distinct[#distinct + 1] = word end
table.sort(distinct, function(a, b) return count[a] > count[b] or count[a] == count[b] and a < b end)
print(#words, #distinct, table.concat(distinct, " ", 1, 12))

local text = table.concat(words, " ")
local changed, times = text:gsub("(%a+)(%d+)", "%2%1")
print(#changed, times, changed:sub(1, 60), select(2, changed:upper():gsub("A", "")))

local function primes(n)
    return coroutine.wrap(function()
        local composite = {}
        for i = 2, n do
            if not composite[i] then coroutine.yield(i) for k = i * i, n, i do composite[k] = true end end
        end
    end)
end
local sum, of = 0, 0
for p in primes(60000 * scale) do sum, of = sum + p, of + 1 end
print(of, sum)

for _, mode in ipairs { "incremental", "generational" } do
    collectgarbage(mode)
    local weak, kept = setmetatable({}, { __mode = "v" }), {}
    for i = 1, 30000 * scale do
        local object = setmetatable({ i, { tostring(i) } }, { __gc = function() of = of + 1 end })
        weak[i] = object
        if i % 16 == 0 then kept[#kept + 1] = object end
    end
    collectgarbage() collectgarbage()
    local alive = 0
    for _ in pairs(weak) do alive = alive + 1 end
    print(mode, alive, #kept, of)
end

local buffer = {}
for i = 1, 3000 * scale do buffer[i] = string.pack("<I4s2d", i, ("x"):rep(i % 700), i / 7) end
local packed, at, check = table.concat(buffer), 1, 0
while at <= #packed do
    local i, s, d
    i, s, d, at = string.unpack("<I4s2d", packed, at)
    check = (check * 31 + i + #s + d // 1) % 1000003
end
print(#packed, check)
print(pcall(string.rep, "x", 1 << 60))
LUA
under lua5.4 work.lua "$SCALE"
echo "status $?"
under lua5.4 -e 'local t = {} for i = 1, 10 do t[i] = load("return " .. i)() end error({}, 0)' 2>/dev/null
echo "status $?"
