-- Traffic classes for Pktgen-DPDK with the addresses that the bench program uses: clients in 10.0.0.0/8 behind port 0,
-- servers in 198.18.0.0/24 behind port 1. Each function sets both ports up and returns what is to be started.
local traffic = {}

local function range(port)
    return function(what, first, last, by)
        pktgen.range[what](port, "start", first)
        pktgen.range[what](port, "min", first)
        pktgen.range[what](port, "max", last)
        pktgen.range[what](port, "inc", by)
    end
end

local function fill(port, protocol, size, own, other)
    local set = range(port)
    pktgen.set_type(port, "ipv4")
    pktgen.set_proto(port, protocol)
    pktgen.range.ip_proto(port, protocol)
    set("src_ip", own.first, own.last, own.step)
    set("dst_ip", other.first, other.last, other.step)
    set("src_port", own.port, own.last_port or own.port, own.last_port and 1 or 0)
    set("dst_port", other.port, other.last_port or other.port, other.last_port and 1 or 0)
    -- Pktgen counts the FCS, the bench program does not.
    set("pkt_size", size + 4, size + 4, 0)
    pktgen.set(port, "count", 0)
    pktgen.set_range(port, "on")
end

-- The last address of 10.0.0.0/8 so that there are `count` of them.
local function last_client(count)
    local top = count - 1
    return string.format("10.%d.%d.%d", math.floor(top / 65536) % 256, math.floor(top / 256) % 256, top % 256)
end

local function clients(count, port, last_port)
    return { first = "10.0.0.0", last = last_client(count), step = "0.0.0.1", port = port, last_port = last_port }
end

local servers = { first = "198.18.0.0", last = "198.18.0.0", step = "0.0.0.0", port = 5001 }

-- Established UDP sessions, one an address, both directions mixed.
function traffic.established(flows, size)
    fill("0", "udp", size, clients(flows, 32768), servers)
    fill("1", "udp", size, servers, clients(flows, 32768))
    return "0,1"
end

-- New UDP sessions: addresses and ports move together, so that a session comes again only after their product.
function traffic.new_udp(size)
    fill("0", "udp", size, clients(16777216, 32768, 49151), servers)
    return "0"
end

-- A flood of UDP to every port.
function traffic.udp_ports(size)
    local every = { first = "198.18.0.0", last = "198.18.0.255", step = "0.0.0.1", port = 1, last_port = 65535 }
    fill("0", "udp", size, clients(16777216, 1024, 17407), every)
    return "0"
end

return traffic
