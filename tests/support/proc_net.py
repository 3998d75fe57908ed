"""Tables of /proc/net as a node with an Ethernet and an InfiniBand interface shows them."""

from __future__ import annotations

FIB = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.4.0/24 2 0 2
        |-- 10.0.4.0
           /24 link UNICAST
        |-- 10.0.4.17
           /32 host LOCAL
        |-- 10.0.4.255
           /32 link BROADCAST
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 999.0.0.1
        /32 host LOCAL
"""
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0104000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0004000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
ib0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
"""
