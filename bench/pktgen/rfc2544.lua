-- Throughput at no loss (RFC 2544, 26.1) by binary search, and the latency at that rate (26.2), for frames of several
-- sizes. Run it inside Pktgen-DPDK: see README.md beside it.
package.path = package.path .. ";?.lua;bench/pktgen/?.lua"
require "Pktgen"
local traffic = require "traffic"

local sizes = { 64, 128, 256, 512, 1024, 1280, 1514 } -- octets without FCS
local flows = tonumber(os.getenv("FLOWS") or "65536")
local trial = tonumber(os.getenv("TRIAL") or "60") -- seconds; RFC 2544, 24 asks for 60
local precision = tonumber(os.getenv("PRECISION") or "0.1") -- in per cent of the line's rate
local settle = 2000 -- milliseconds until the last frame is back

-- Frames that the ports sent and received since the last clear.
local function frames(ports)
    local sent, received = 0, 0
    for port in string.gmatch(ports, "%d+") do
        local number = tonumber(port)
        sent = sent + pktgen.portStats(port, "port")[number].opackets
    end
    for _, port in ipairs({ "0", "1" }) do
        received = received + pktgen.portStats(port, "port")[tonumber(port)].ipackets
    end
    return sent, received
end

local function run(ports, rate, seconds)
    pktgen.clr()
    pktgen.set(ports, "rate", rate)
    pktgen.start(ports)
    pktgen.delay(seconds * 1000)
    pktgen.stop(ports)
    pktgen.delay(settle)
    local sent, received = frames(ports)
    return sent, sent - received
end

-- The highest rate, in per cent, at which nothing is lost.
local function throughput(ports)
    local low, high, best = 0, 100, nil
    local rate = 100
    while true do
        local sent, lost = run(ports, rate, trial)
        printf("    %6.2f %%: %d sent, %d lost\n", rate, sent, lost)
        if sent > 0 and lost == 0 then
            low, best = rate, { rate = rate, frames = sent / trial }
        else
            high = rate
        end
        if high - low <= precision or low == 100 then
            return best
        end
        rate = (low + high) / 2
    end
end

pktgen.screen("off")
for _, size in ipairs(sizes) do
    printf("frames of %d octets\n", size)
    local ports = traffic.established(flows, size)
    -- Sessions open from the clients' side first.
    run("0", 1, 5)
    local best = throughput(ports)
    if best then
        printf("  throughput: %.2f %% of the line, %.0f frames a second\n", best.rate, best.frames)
        pktgen.latency("0", "enable")
        run(ports, best.rate, trial)
        for name, value in pairs(pktgen.pktStats("0")[0].latency or {}) do
            printf("  latency %s: %s\n", tostring(name), tostring(value))
        end
        pktgen.latency("0", "disable")
    else
        printf("  frames are lost at any rate\n")
    end
end
pktgen.quit()
